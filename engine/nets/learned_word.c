/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/nets/learned_word.h"

#include <math.h>
#include <string.h>

#include "engine/weights/kinds.h"
#include "engine/weights/tensor_file.h"

#define MOST_VECTORS 10000

static int64_t
width_of (const PmtSafetensor *t)
{
  return t->dim[t->rank - 1];
}

static gboolean
check_tensor (const char *path, const PmtSafetensor *t, int *vectors, GError **error)
{
  if (t->rank < 1 || t->rank > 2 || t->count == 0 || (t->rank == 2 && t->dim[0] > MOST_VECTORS) || !pmt_dtype_is_readable (t->dtype))
    return pmt_refuse (error, PMT_ERROR_FORMAT,
                   _("'%s': the tensor %s is not a list of vectors, as a learned word has it; take the file from its source again."), path,
                   t->name);
  *vectors = t->rank == 2 ? (int) t->dim[0] : 1;
  return TRUE;
}

/* Which models an embedding of that width is for. */
static const char *
made_for (int64_t width)
{
  return width == 768 ? "Stable Diffusion 1.x" : width == 1024 ? "Stable Diffusion 2.x" : "another model";
}

/* The vectors for both of SDXL's encoders. diffusers' training with pivotal tuning numbers the encoders. */
static gboolean
has_pair (const PmtSafetensors *file, const PmtSafetensor *pair[2])
{
  static const char *const names[][2] = { { "clip_l", "clip_g" }, { "text_encoders_0", "text_encoders_1" } };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++) {
    pair[0] = pmt_safetensors_lookup (file, names[i][0]);
    pair[1] = pmt_safetensors_lookup (file, names[i][1]);
    if (pair[0] && pair[1])
      return TRUE;
  }
  return FALSE;
}

static gboolean
find_pair (PmtLearned *l, const PmtSafetensor *const pair[2], const char *path, const char *model, const PmtClipTextConfig *const *encoder, int n,
           GError **error)
{
  const PmtSafetensor *first = pair[0], *second = pair[1];
  int vectors;

  if (!check_tensor (path, first, &l->vectors, error) || !check_tensor (path, second, &vectors, error))
    return FALSE;
  if (vectors != l->vectors)
    return pmt_refuse (error, PMT_ERROR_FORMAT, _("'%s': %s has %d vectors and %s has %d; take the file from its source again."), path,
                   first->name, l->vectors, second->name, vectors);
  if (n == 2 && width_of (first) == encoder[0]->hidden && width_of (second) == encoder[1]->hidden) {
    l->rows[0] = first;
    l->rows[1] = second;
    return TRUE;
  }
  /* the refiner has the second encoder alone */
  if (n == 1 && width_of (second) == encoder[0]->hidden && width_of (first) != encoder[0]->hidden) {
    l->rows[0] = second;
    return TRUE;
  }
  return pmt_refuse (error, PMT_ERROR_UNSUPPORTED,
                 _("'%s' is a learned word for SDXL and does not fit the text encoder of '%s'; choose an embedding made for that model."), path,
                 model);
}

static gboolean
find_single (PmtLearned *l, const char *path, const char *model, const PmtClipTextConfig *const *encoder, int n, GError **error)
{
  const PmtSafetensor *t = pmt_safetensors_lookup (l->file, "emb_params");

  if (!t)
    t = pmt_safetensors_at (l->file, 0);
  if (!check_tensor (path, t, &l->vectors, error))
    return FALSE;
  if (n > 1)
    return pmt_refuse (error, PMT_ERROR_UNSUPPORTED,
                   _("'%s' is a learned word for models with one text encoder (%s) and '%s' has two; choose an embedding made for SDXL, "
                     "with clip_l and clip_g."),
                   path, made_for (width_of (t)), model);
  if (width_of (t) != encoder[0]->hidden)
    return pmt_refuse (error, PMT_ERROR_UNSUPPORTED,
                   _("'%s' is a learned word of width %d (%s) and the text encoder of '%s' has width %d; choose an embedding made for that "
                     "model."),
                   path, (int) width_of (t), made_for (width_of (t)), model, encoder[0]->hidden);
  l->rows[0] = t;
  return TRUE;
}

static char *
choose_word (const PmtLearned *l, const char *path, const char *word)
{
  const char *stored = l->rows[0]->name;
  char *chosen;

  if (word && *word)
    chosen = g_utf8_make_valid (word, -1);
  else if (pmt_safetensors_count (l->file) == 1 && strcmp (stored, "emb_params") != 0 && strcmp (stored, "text_encoders_0") != 0)
    chosen = g_utf8_make_valid (stored, -1);
  else if (pmt_safetensors_metadata (l->file, "word"))
    chosen = g_utf8_make_valid (pmt_safetensors_metadata (l->file, "word"), -1);
  else {
    g_autofree char *base = g_path_get_basename (path);
    char *dot = strrchr (base, '.');
    if (dot && dot != base)
      *dot = '\0';
    chosen = g_utf8_make_valid (base, -1);
  }
  return g_strstrip (chosen);
}

gboolean
pmt_learned_open (PmtLearned *learned, const char *path, const char *word, const char *model, const PmtClipTextConfig *const *encoder,
                  int n, GError **error)
{
  gboolean good;

  memset (learned, 0, sizeof *learned);
  learned->file = pmt_tensor_file_open (path, error);
  if (!learned->file)
    return FALSE;
  const PmtKindInfo info = pmt_kind_of_tensors (learned->file);
  const PmtSafetensor *pair[2];
  if (has_pair (learned->file, pair))
    good = find_pair (learned, pair, path, model, encoder, n, error);
  else if (info.kind == PMT_KIND_EMBEDDING || pmt_safetensors_count (learned->file) == 1)
    good = find_single (learned, path, model, encoder, n, error);
  else
    good = pmt_refuse (error, PMT_ERROR_UNSUPPORTED,
                   _("'%s' is %s, not a learned word (textual inversion); choose a file with one tensor, with emb_params, or with clip_l and "
                     "clip_g."),
                   path, info.kind == PMT_KIND_UNKNOWN ? "no file that this version knows" : info.label);
  if (good) {
    learned->word = choose_word (learned, path, word);
    if (learned->word[0] == '\0')
      good = pmt_refuse (error, PMT_ERROR_INPUT, _("The learned word of '%s' has no name; say which word stands for it."), path);
  }
  if (!good)
    pmt_learned_clear (learned);
  return good;
}

gboolean
pmt_learned_read (const PmtLearned *learned, int k, float *dst, GError **error)
{
  const PmtSafetensor *t = learned->rows[k];

  if (!pmt_safetensors_read_f32 (learned->file, t, 0, t->count, dst, error))
    return FALSE;
  for (uint64_t i = 0; i < t->count; i++)
    if (!isfinite (dst[i]))
      return pmt_refuse (error, PMT_ERROR_FORMAT, _("'%s': a value of %s is no number; take the file from its source again."),
                     pmt_safetensors_path (learned->file), t->name);
  return TRUE;
}

void
pmt_learned_clear (PmtLearned *learned)
{
  g_free (learned->word);
  pmt_safetensors_free (learned->file);
  memset (learned, 0, sizeof *learned);
}
