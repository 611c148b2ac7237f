/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a cancelled request goes on from: values and the optimiser's state, with all that decides what they become. */
#include <glib/gstdio.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/image/picture.h"
#include "engine/learn/private.h"
#include "engine/weights/safetensors.h"

static const char *const parts[] = { "value:", "mean:", "square:" };

static char *
path_of (const PmtLearner *l)
{
  return g_strconcat (l->request->out, ".learning", NULL);
}

static float *
part_of (const PmtLearner *l, guint part, int i)
{
  return part == 0 ? pmt_parameters_value (l->parameters, i).data : pmt_parameters_moment (l->parameters, i, (int) part - 1);
}

static void
add_text (GChecksum *sum, const char *text)
{
  g_checksum_update (sum, (const guchar *) (text ? text : ""), text ? (gssize) strlen (text) + 1 : 1);
}

/* All that the result depends on, but for the number of steps: more of them may be asked for later. */
char *
pmt_learn_settings (const PmtLearner *l)
{
  const PmtLearnRequest *q = l->request;
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  g_autofree char *numbers =
    g_strdup_printf ("%s %d %d %dx%d %d %d %d %d %.17g %d %d %d %.17g %.17g %.17g %" G_GUINT64_FORMAT " %d %.17g %d", q->kind->id,
                     (int) pmt_model_precision (q->model), (int) l->schedule->config.prediction, l->width, l->height, q->flip, q->style, q->vectors, q->rank,
                     q->alpha, q->texts, q->clip_skip, q->accumulate, q->rate, q->text_rate, q->min_snr, q->seed, q->n_prior, q->prior_weight, q->n_pictures);
  add_text (sum, numbers);
  add_text (sum, pmt_model_path (q->model)); /* a hash of headers and sizes is the same for all fine-tunes in one layout */
  add_text (sum, pmt_model_hash (q->model));
  add_text (sum, q->word);
  add_text (sum, q->thing);
  for (int i = 0; q->sentences && q->sentences[i]; i++)
    add_text (sum, q->sentences[i]);
  if (q->n_prior > 0) {
    g_autofree char *prior = g_strdup_printf ("%s %d %.17g %.17g %" G_GUINT64_FORMAT, q->prior->sampler->id, q->prior->steps, q->prior->guidance, q->prior->eta,
                                              q->prior->seed);
    add_text (sum, prior);
    add_text (sum, q->prior->prompt);
    add_text (sum, q->prior->negative);
  }
  for (int i = 0; i < q->n_pictures; i++) {
    add_text (sum, q->captions ? q->captions[i] : NULL);
    g_checksum_update (sum, (const guchar *) l->lessons[i].pixels, (gssize) l->width * l->height * 3 * (gssize) sizeof (float));
  }
  return g_strdup (g_checksum_get_string (sum));
}

/* The class's pictures that there are, in one tensor each. */
static void
add_prior (const PmtLearner *l, GArray *out, GPtrArray *names)
{
  for (int i = 0; i < l->n_made; i++) {
    g_ptr_array_add (names, g_strdup_printf ("prior:%d", i));
    PmtSafetensorOut tensor = { .name = names->pdata[names->len - 1], .dtype = PMT_DTYPE_F32, .rank = 3, .data = l->prior[i].latent,
                                .dim = { l->latent_height, l->latent_width, l->latent_channels } };
    g_array_append_val (out, tensor);
  }
}

gboolean
pmt_learn_save (const PmtLearner *l, GError **error)
{
  const int n = pmt_parameters_count (l->parameters);
  g_autofree char *path = path_of (l);
  g_autoptr (GArray) out = g_array_new (FALSE, FALSE, sizeof (PmtSafetensorOut));
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GHashTable) about = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
  for (int i = 0; i < n; i++)
    for (guint part = 0; part < G_N_ELEMENTS (parts); part++) {
      const PmtTensor value = pmt_parameters_value (l->parameters, i);
      g_ptr_array_add (names, g_strconcat (parts[part], pmt_parameters_name (l->parameters, i), NULL));
      PmtSafetensorOut tensor = { .name = names->pdata[names->len - 1], .dtype = PMT_DTYPE_F32, .rank = value.shape.rank, .data = part_of (l, part, i) };
      memcpy (tensor.dim, value.shape.dim, sizeof value.shape.dim);
      g_array_append_val (out, tensor);
    }
  add_prior (l, out, names);
  g_hash_table_insert (about, (char *) "settings", g_strdup (l->settings));
  g_hash_table_insert (about, (char *) "step", g_strdup_printf ("%d", l->step));
  g_hash_table_insert (about, (char *) "loss", g_strdup_printf ("%.17g", l->loss));
  g_hash_table_insert (about, (char *) "before", g_strdup_printf ("%.17g", l->before));
  return pmt_safetensors_write (path, (const PmtSafetensorOut *) (const void *) out->data, out->len, about, error);
}

static gboolean
damaged (const PmtSafetensors *file, GError **error)
{
  return pmt_refuse (error, PMT_ERROR_FORMAT, _("The file '%s' does not hold what was learned before; remove it to begin anew."), pmt_safetensors_path (file));
}

/* `n` values called `name`. */
static gboolean
read_one (const PmtSafetensors *file, const char *name, uint64_t n, float *to, GError **error)
{
  const PmtSafetensor *tensor = pmt_safetensors_lookup (file, name);
  if (!tensor || tensor->count != n)
    return damaged (file, error);
  return pmt_safetensors_read_f32 (file, tensor, 0, n, to, error);
}

static gboolean
read_all (PmtLearner *l, const PmtSafetensors *file, GError **error)
{
  const size_t n = (size_t) l->latent_height * (size_t) l->latent_width * (size_t) l->latent_channels;
  for (int i = 0; i < pmt_parameters_count (l->parameters); i++)
    for (guint part = 0; part < G_N_ELEMENTS (parts); part++) {
      g_autofree char *name = g_strconcat (parts[part], pmt_parameters_name (l->parameters, i), NULL);
      if (!read_one (file, name, (uint64_t) pmt_tensor_size (pmt_parameters_value (l->parameters, i)), part_of (l, part, i), error))
        return FALSE;
    }
  for (; l->n_made < l->request->n_prior; l->n_made++) {
    g_autofree char *name = g_strdup_printf ("prior:%d", l->n_made);
    if (!pmt_safetensors_lookup (file, name))
      break;
    float *latent = l->prior[l->n_made].latent = pmt_pixels_new (n, error);
    if (!latent || !read_one (file, name, n, latent, error))
      return FALSE;
  }
  return TRUE;
}

static double
number_in (const PmtSafetensors *file, const char *key)
{
  const char *text = pmt_safetensors_metadata (file, key);
  return text ? g_ascii_strtod (text, NULL) : NAN;
}

static gboolean
take (PmtLearner *l, const PmtSafetensors *file, GError **error)
{
  const double step = number_in (file, "step");
  if (g_strcmp0 (pmt_safetensors_metadata (file, "settings"), l->settings) != 0)
    return pmt_refuse (error, PMT_ERROR_INPUT,
                       _("The file '%s' is of something that was learned with other pictures or settings and not finished; remove it to begin anew, or give another "
                         "name for the result."), pmt_safetensors_path (file));
  if (!(step >= 0 && step <= G_MAXINT) || step != floor (step))
    return damaged (file, error);
  if (step > l->request->steps)
    return pmt_refuse (error, PMT_ERROR_INPUT, _("%d steps were learned already, which '%s' holds, and %d are asked for; ask for more, or remove that file to begin anew."),
                       (int) step, pmt_safetensors_path (file), l->request->steps);
  l->step = (int) step;
  l->loss = number_in (file, "loss");
  l->before = number_in (file, "before");
  return read_all (l, file, error);
}

gboolean
pmt_learn_resume (PmtLearner *l, GError **error)
{
  g_autofree char *path = path_of (l);
  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    return TRUE;
  PmtSafetensors *file = pmt_safetensors_open (path, error);
  const gboolean ok = file && take (l, file, error);
  pmt_safetensors_free (file);
  return ok;
}

void
pmt_learn_forget (const PmtLearner *l)
{
  g_autofree char *path = path_of (l);
  g_unlink (path);
}
