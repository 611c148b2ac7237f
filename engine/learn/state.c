/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a cancelled request goes on from: values and the optimiser's state, with all that decides what they become. */
#include <glib/gstdio.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/learn/private.h"
#include "engine/weights/safetensors.h"

static const char *const parts[] = { "value:", "mean:", "square:" };

static char *
path_of (const PmtLearner *l)
{
  return g_strconcat (l->request->out, ".learning", NULL);
}

static const float *
part_of (const PmtLearner *l, guint part, int i)
{
  return part == 0 ? pmt_parameters_value (l->parameters, i).data : part == 1 ? l->mean[i] : l->square[i];
}

static void
add_text (GChecksum *sum, const char *text)
{
  g_checksum_update (sum, (const guchar *) (text ? text : ""), text ? (gssize) strlen (text) + 1 : 1);
}

/* All that the result depends on, but for the number of steps: more of them may be asked for later. */
static char *
settings_of (const PmtLearner *l)
{
  const PmtLearnRequest *q = l->request;
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  g_autofree char *numbers =
    g_strdup_printf ("%s %s %s %d %dx%d %d %d %d %d %.17g %d %d %.17g %.17g %.17g %" G_GUINT64_FORMAT " %d %.17g %d", q->kind->id, pmt_model_family (q->model),
                     pmt_model_hash (q->model), (int) pmt_model_precision (q->model), l->width, l->height, q->flip, q->style, q->vectors, q->rank, q->alpha,
                     q->texts, q->accumulate, q->rate, q->text_rate, q->min_snr, q->seed, q->n_prior, q->prior_weight, q->n_pictures);
  add_text (sum, numbers);
  add_text (sum, q->word);
  add_text (sum, q->thing);
  for (int i = 0; q->sentences && q->sentences[i]; i++)
    add_text (sum, q->sentences[i]);
  if (q->n_prior > 0) {
    g_autofree char *prior = g_strdup_printf ("%s %d %.17g %" G_GUINT64_FORMAT, q->prior->sampler->id, q->prior->steps, q->prior->guidance, q->prior->seed);
    add_text (sum, prior);
    add_text (sum, q->prior->prompt);
    add_text (sum, q->prior->negative);
  }
  for (int i = 0; i < q->n_pictures; i++) {
    const PmtLearnPicture *p = &q->pictures[i];
    add_text (sum, p->caption);
    g_checksum_update (sum, (const guchar *) p->pixels, (gssize) p->width * p->height * 3 * (gssize) sizeof (float));
  }
  return g_strdup (g_checksum_get_string (sum));
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
  g_hash_table_insert (about, (char *) "settings", settings_of (l));
  g_hash_table_insert (about, (char *) "step", g_strdup_printf ("%d", l->step));
  g_hash_table_insert (about, (char *) "loss", g_strdup_printf ("%.17g", l->loss));
  g_hash_table_insert (about, (char *) "before", g_strdup_printf ("%.17g", l->before));
  return pmt_safetensors_write (path, (const PmtSafetensorOut *) (const void *) out->data, out->len, about, error);
}

static gboolean
read_all (PmtLearner *l, const PmtSafetensors *file, GError **error)
{
  for (int i = 0; i < pmt_parameters_count (l->parameters); i++)
    for (guint part = 0; part < G_N_ELEMENTS (parts); part++) {
      const PmtTensor value = pmt_parameters_value (l->parameters, i);
      g_autofree char *name = g_strconcat (parts[part], pmt_parameters_name (l->parameters, i), NULL);
      const PmtSafetensor *tensor = pmt_safetensors_lookup (file, name);
      if (!tensor || tensor->count != (uint64_t) pmt_tensor_size (value)) {
        g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT, _("The file '%s' does not hold what was learned before; remove it to begin anew."),
                     pmt_safetensors_path (file));
        return FALSE;
      }
      if (!pmt_safetensors_read_f32 (file, tensor, 0, tensor->count, (float *) part_of (l, part, i), error))
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

gboolean
pmt_learn_resume (PmtLearner *l, GError **error)
{
  g_autofree char *path = path_of (l), *settings = settings_of (l);
  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    return TRUE;
  PmtSafetensors *file = pmt_safetensors_open (path, error);
  if (!file)
    return FALSE;
  const double step = number_in (file, "step");
  const bool same = g_strcmp0 (pmt_safetensors_metadata (file, "settings"), settings) == 0 && step >= 0 && step <= G_MAXINT;
  if (!same)
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("The file '%s' is of something that was learned with other pictures or settings and not finished; remove it to begin anew, or give another "
                   "name for the result."), path);
  const gboolean ok = same && read_all (l, file, error);
  if (ok) {
    l->step = (int) step;
    l->loss = number_in (file, "loss");
    l->before = number_in (file, "before");
  }
  pmt_safetensors_free (file);
  return ok;
}

void
pmt_learn_forget (const PmtLearner *l)
{
  g_autofree char *path = path_of (l);
  g_unlink (path);
}
