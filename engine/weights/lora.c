/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/weights/lora.h"

#include <math.h>
#include <string.h>

#include "engine/weights/kinds.h"
#include "engine/weights/lora_parts.h"
#include "engine/weights/safetensors_private.h"
#include "engine/weights/tensor_file.h"

/* ---- the file --------------------------------------------------------------------------------------------------------- */

/* A folder stands for the file in it. Newly allocated. */
static char *
find_file (const char *path, GError **error)
{
  static const char *const inside[] = { "pytorch_lora_weights.safetensors", "adapter_model.safetensors" };
  if (!g_file_test (path, G_FILE_TEST_IS_DIR))
    return g_strdup (path);
  for (size_t i = 0; i < G_N_ELEMENTS (inside); i++) {
    char *file = g_build_filename (path, inside[i], NULL);
    if (g_file_test (file, G_FILE_TEST_EXISTS))
      return file;
    g_free (file);
  }
  g_set_error (error, PMT_ERROR, PMT_ERROR_NOT_FOUND, _("The folder '%s' holds neither %s nor %s; choose a LoRA's file."), path, inside[0],
               inside[1]);
  return NULL;
}

/* Files whose names tell another base, or a kind of change that is not known here, are refused by pmt_kind_require. */
static PmtSafetensors *
open_file (const char *path, const PmtLoraModel *model, GError **error)
{
  g_autofree char *file = find_file (path, error);
  if (!file || !pmt_kind_require (file, PMT_KIND_LORA, model->path, model->family, NULL, error))
    return NULL;
  return pmt_tensor_file_open (file, error);
}

/* ---- what a file was made for ------------------------------------------------------------------------------------------ */

/* Width of the text that it changes the keys of, off the shape of any attn2.to_k; 0 when it changes none. */
static int64_t
text_width (const PmtSafetensors *file)
{
  for (guint i = 0; i < pmt_safetensors_count (file); i++) {
    const PmtSafetensor *t = pmt_safetensors_at (file, i);
    PmtLoraRole role;
    const size_t stem = pmt_lora_role_of (t->name, &role);
    if (stem == 0 || t->rank < 2 || (role != PMT_LORA_DOWN && role != PMT_LORA_HADA_W1_B && role != PMT_LORA_DIFF))
      continue;
    g_autofree char *module = g_strndup (t->name, stem);
    if (g_str_has_suffix (module, "attn2_to_k") || g_str_has_suffix (module, "attn2.to_k") || g_str_has_suffix (module, "attn2.processor.to_k"))
      return t->dim[1];
  }
  return 0;
}

/* What the file seems to be for, as the end of "was made for". Newly allocated. */
static char *
guess_base (const PmtSafetensors *file)
{
  static const struct {
    const char *part, *label;
  } signs[] = { { "double_blocks", "Flux" }, { "single_transformer_blocks", "Flux" }, { "single_blocks", "Flux" },
                { "joint_blocks", "Stable Diffusion 3" } };
  const PmtFamily *base = pmt_kind_of_tensors (file).base;
  const int64_t width = text_width (file);
  if (base && strcmp (base->id, "custom") != 0)
    return g_strdup (base->label);
  if (width > 0)
    return g_strdup_printf ("a model with text of width %d", (int) MIN (width, G_MAXINT));
  for (guint i = 0; i < pmt_safetensors_count (file); i++)
    for (size_t k = 0; k < G_N_ELEMENTS (signs); k++)
      if (strstr (pmt_safetensors_at (file, i)->name, signs[k].part))
        return g_strdup (signs[k].label);
  return g_strdup ("a model of another kind");
}

static void
refuse_shape (const PmtLora *lora, const PmtLoraModel *model, const PmtLoraModule *module, const PmtLoraWeight *weight, GError **error)
{
  g_autofree char *base = guess_base (lora->file), *stem = g_strdup (module->stem);
  g_autoptr (GString) shape = g_string_new (NULL);
  pmt_tensor_table_tidy (stem);
  for (int i = 0; i < weight->rank; i++)
    g_string_append_printf (shape, "%s%d", i ? "x" : "", (int) weight->dim[i]);
  g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
               _("The LoRA '%s' was made for %s, and the model '%s' is %s (text of width %d; the change '%s' does not fit its weight of %s); "
                 "choose a LoRA for this model, or the model that it was made for."),
               lora->path, base, model->path, model->family->label, model->context_width, stem, shape->str);
}

static gboolean
check_matches (const PmtLora *lora, const PmtLoraModel *model, guint n_matched, GError **error)
{
  const guint n_unmatched = lora->unmatched->len - 1, n = n_matched + n_unmatched;
  if (n_matched > n_unmatched)
    return TRUE;
  g_autofree char *base = guess_base (lora->file);
  g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
               _("%u of the %u tensors in the LoRA '%s' belong to nothing in the model '%s', which is %s, for example '%s'; it seems to be made "
                 "for %s: choose a LoRA for this model."),
               n_unmatched, n, lora->path, model->path, model->family->label, n_unmatched ? (char *) lora->unmatched->pdata[0] : "", base);
  return FALSE;
}

/* ---- modules ----------------------------------------------------------------------------------------------------------- */

static bool
has (const PmtLoraModule *m, PmtLoraRole role)
{
  return m->tensor[role] != NULL;
}

static bool
is_pair (const PmtLoraModule *m)
{
  return has (m, PMT_LORA_DOWN) && has (m, PMT_LORA_UP);
}

static bool
is_hada (const PmtLoraModule *m)
{
  return has (m, PMT_LORA_HADA_W1_A) && has (m, PMT_LORA_HADA_W1_B) && has (m, PMT_LORA_HADA_W2_A) && has (m, PMT_LORA_HADA_W2_B) &&
         has (m, PMT_LORA_HADA_T1) == has (m, PMT_LORA_HADA_T2);
}

static bool
is_kron (const PmtLoraModule *m)
{
  return (has (m, PMT_LORA_LOKR_W1) || (has (m, PMT_LORA_LOKR_W1_A) && has (m, PMT_LORA_LOKR_W1_B))) &&
         (has (m, PMT_LORA_LOKR_W2) || (has (m, PMT_LORA_LOKR_W2_A) && has (m, PMT_LORA_LOKR_W2_B)));
}

/* The roles that each kind is made of, as bits; alpha and magnitudes go with all of them. */
#define BIT(role) (1u << PMT_LORA_##role)
static const unsigned kind_roles[] = {
  [PMT_LORA_PAIR] = BIT (DOWN) | BIT (UP) | BIT (MID) | BIT (UP_BIAS),
  [PMT_LORA_HADA] = BIT (HADA_W1_A) | BIT (HADA_W1_B) | BIT (HADA_W2_A) | BIT (HADA_W2_B) | BIT (HADA_T1) | BIT (HADA_T2),
  [PMT_LORA_KRON] = BIT (LOKR_W1) | BIT (LOKR_W1_A) | BIT (LOKR_W1_B) | BIT (LOKR_W2) | BIT (LOKR_W2_A) | BIT (LOKR_W2_B) | BIT (LOKR_T2),
  [PMT_LORA_FULL] = BIT (DIFF),
};
#define COMMON_ROLES (BIT (ALPHA) | BIT (DORA) | BIT (MAGNITUDE) | BIT (DIFF_BIAS))

/* FALSE when the tensors make no whole change of any kind; a bias difference may stand alone. */
static bool
find_kind (PmtLoraModule *m, bool *has_main)
{
  *has_main = true;
  if (is_pair (m))
    m->kind = PMT_LORA_PAIR;
  else if (is_hada (m))
    m->kind = PMT_LORA_HADA;
  else if (is_kron (m))
    m->kind = PMT_LORA_KRON;
  else
    m->kind = PMT_LORA_FULL;
  if (m->kind == PMT_LORA_FULL && !has (m, PMT_LORA_DIFF))
    *has_main = false;
  return *has_main || has (m, PMT_LORA_DIFF_BIAS);
}

static int64_t
first_dim (const PmtSafetensor *t)
{
  return t && t->rank > 0 ? t->dim[0] : 0;
}

static int64_t
rank_of (const PmtLoraModule *m)
{
  switch (m->kind) {
    case PMT_LORA_PAIR:
      return first_dim (m->tensor[PMT_LORA_DOWN]);
    case PMT_LORA_HADA:
      return first_dim (m->tensor[PMT_LORA_HADA_W1_B]);
    case PMT_LORA_KRON:
      /* Two full factors have no rank: alpha says nothing then. */
      return has (m, PMT_LORA_LOKR_W2) ? has (m, PMT_LORA_LOKR_W1) ? 0 : first_dim (m->tensor[PMT_LORA_LOKR_W1_B])
                                       : first_dim (m->tensor[PMT_LORA_LOKR_W2_B]);
    default:
      return 0;
  }
}

static gboolean
find_scale (const PmtLora *lora, const PmtLoraMeta *meta, PmtLoraModule *m, GError **error)
{
  const PmtSafetensor *tensor = m->tensor[PMT_LORA_ALPHA];
  const int64_t rank = rank_of (m);
  bool root_rank = false;
  double alpha;
  float value;
  m->scale = 1.0f;
  if (rank <= 0)
    return TRUE;
  if (tensor) {
    if (tensor->count != 1 || !pmt_safetensors_read_f32 (lora->file, tensor, 0, 1, &value, NULL) || !isfinite (value)) {
      g_autofree char *name = g_strdup (tensor->name);
      pmt_tensor_table_tidy (name);
      g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT, _("In the LoRA '%s' the scale '%s' is not a number; fetch the file again."), lora->path,
                   name);
      return FALSE;
    }
    alpha = value; /* LyCORIS's rs_lora is in it already */
  } else if (pmt_lora_meta_alpha (meta, m->stem, &alpha)) {
    root_rank = pmt_lora_meta_root_rank (meta, m->stem);
  } else {
    return TRUE;
  }
  m->scale = (float) (alpha / (root_rank ? sqrt ((double) rank) : (double) rank));
  return TRUE;
}

/* ---- reading ------------------------------------------------------------------------------------------------------------ */

typedef struct Reading {
  PmtLora *lora;
  const PmtLoraModel *model;
  PmtLoraNames *names;
  PmtLoraMeta *meta;
  GHashTable *by_stem; /* stem -> PmtLoraModule */
  guint n_matched;
} Reading;

static void
note_unmatched (PmtLora *lora, const char *key)
{
  char *shown = g_strdup (key); /* it is only told */
  pmt_tensor_table_tidy (shown);
  g_ptr_array_add (lora->unmatched, shown);
}

static void
free_module (gpointer module)
{
  g_free ((char *) ((PmtLoraModule *) module)->stem);
  g_free (module);
}

/* Sorts the keys into modules; what has no known ending or name is noted. */
static void
collect (Reading *r)
{
  for (guint i = 0; i < pmt_safetensors_count (r->lora->file); i++) {
    const PmtSafetensor *t = pmt_safetensors_at (r->lora->file, i);
    PmtLoraRole role;
    const size_t length = pmt_lora_role_of (t->name, &role);
    if (length == 0 || !pmt_lora_names_find (r->names, t->name, length)) {
      note_unmatched (r->lora, t->name);
      continue;
    }
    g_autofree char *stem = g_strndup (t->name, length);
    PmtLoraModule *module = g_hash_table_lookup (r->by_stem, stem);
    if (!module) {
      module = g_new0 (PmtLoraModule, 1);
      module->stem = g_steal_pointer (&stem);
      g_hash_table_insert (r->by_stem, (gpointer) module->stem, module);
      g_ptr_array_add (r->lora->modules, module);
    }
    if (module->tensor[role])
      note_unmatched (r->lora, t->name);
    else
      module->tensor[role] = t;
  }
}

/* The first convolution has other channels in models for inpainting or edits: a change of it is left out there. */
static bool
may_differ (const PmtLoraWeight *weight)
{
  return weight->part == PMT_LORA_UNET && strcmp (weight->name, "conv_in.weight") == 0;
}

/* Adds a patch; FALSE + error when the shape is another model's, FALSE alone when it has to be left out. */
static gboolean
add_patch (Reading *r, const PmtLoraModule *m, const PmtLoraTarget *target, bool bias, GError **error)
{
  const guint index = (bias ? target->bias : target->weight) - 1;
  const PmtLoraWeight *weight = &r->model->weights[index];
  const int64_t rows = weight->dim[0], all = rows * target->all;
  bool fits;
  /* Lengths of columns run over all slices of a joined module, and each slice is changed on its own. */
  if (target->all > 1 && has (m, PMT_LORA_DORA) && first_dim (m->tensor[PMT_LORA_DORA]) != all)
    return FALSE;
  if (bias) {
    const PmtSafetensor *t = m->tensor[has (m, PMT_LORA_DIFF_BIAS) ? PMT_LORA_DIFF_BIAS : PMT_LORA_UP_BIAS];
    fits = t->count == (uint64_t) all;
  } else {
    fits = pmt_lora_fits (m, all, weight);
  }
  if (!fits) {
    if (!may_differ (weight))
      refuse_shape (r->lora, r->model, m, weight, error);
    return FALSE;
  }
  const PmtLoraPatch patch = { index, m, bias, target->part_row * rows, rows, all };
  g_array_append_val (r->lora->patches, patch);
  return TRUE;
}

static gboolean
match_module (Reading *r, PmtLoraModule *m, GError **error)
{
  const GArray *targets = pmt_lora_names_find (r->names, m->stem, strlen (m->stem));
  bool has_main, used_bias = false;
  const bool whole = find_kind (m, &has_main);
  unsigned roles = whole ? COMMON_ROLES | (has_main ? kind_roles[m->kind] : 0) : 0;
  if (whole && !find_scale (r->lora, r->meta, m, error))
    return FALSE;
  const bool has_bias = whole && (has (m, PMT_LORA_DIFF_BIAS) || (m->kind == PMT_LORA_PAIR && has (m, PMT_LORA_UP_BIAS)));
  for (guint i = 0; whole && i < targets->len; i++) {
    const PmtLoraTarget *target = &g_array_index (targets, PmtLoraTarget, i);
    GError *failed = NULL;
    if (has_main && !add_patch (r, m, target, false, &failed))
      roles = 0;
    if (has_bias && target->bias > 0 && roles != 0)
      used_bias = add_patch (r, m, target, true, &failed);
    if (failed) {
      g_propagate_error (error, failed);
      return FALSE;
    }
    if (i == 0 && roles != 0)
      r->lora->count[target->part]++;
  }
  if (has_bias && !used_bias)
    roles &= ~(BIT (DIFF_BIAS) | BIT (UP_BIAS));
  for (int role = 0; role < PMT_LORA_N_ROLES; role++) {
    if (!m->tensor[role])
      continue;
    if (roles & (1u << role))
      r->n_matched++;
    else
      note_unmatched (r->lora, m->tensor[role]->name);
  }
  return TRUE;
}

static int
compare_patches (gconstpointer a, gconstpointer b)
{
  const PmtLoraPatch *p = a, *q = b;
  if (p->weight != q->weight)
    return p->weight < q->weight ? -1 : 1;
  return strcmp (p->module->stem, q->module->stem);
}

static gboolean
read_all (Reading *r, GError **error)
{
  PmtLora *lora = r->lora;
  collect (r);
  for (guint i = 0; i < lora->modules->len; i++)
    if (!match_module (r, lora->modules->pdata[i], error))
      return FALSE;
  g_array_sort (lora->patches, compare_patches);
  g_ptr_array_add (lora->unmatched, NULL);
  return check_matches (lora, r->model, r->n_matched, error);
}

PmtLora *
pmt_lora_open (const char *path, const PmtLoraModel *model, GError **error)
{
  PmtSafetensors *file = open_file (path, model, error);
  if (!file)
    return NULL;
  PmtLora *lora = g_new0 (PmtLora, 1);
  lora->file = file;
  lora->path = g_strdup (pmt_safetensors_path (file));
  lora->modules = g_ptr_array_new_with_free_func (free_module);
  lora->patches = g_array_new (FALSE, FALSE, sizeof (PmtLoraPatch));
  lora->unmatched = g_ptr_array_new_with_free_func (g_free);
  lora->n_weights = model->n_weights;
  lora->weights = g_memdup2 (model->weights, model->n_weights * sizeof *lora->weights);
  for (guint i = 0; i < lora->n_weights; i++)
    lora->weights[i].name = g_strdup (lora->weights[i].name);

  Reading r = { .lora = lora, .model = model, .names = pmt_lora_names_new (model), .meta = pmt_lora_meta_new (file),
                .by_stem = g_hash_table_new (g_str_hash, g_str_equal) };
  const gboolean ok = read_all (&r, error);
  g_hash_table_unref (r.by_stem);
  pmt_lora_meta_free (r.meta);
  pmt_lora_names_free (r.names);
  if (!ok)
    g_clear_pointer (&lora, pmt_lora_free);
  return lora;
}

void
pmt_lora_free (PmtLora *lora)
{
  if (!lora)
    return;
  for (guint i = 0; i < lora->n_weights; i++)
    g_free ((char *) lora->weights[i].name);
  g_free (lora->weights);
  g_array_unref (lora->patches);
  g_ptr_array_unref (lora->modules);
  g_ptr_array_unref (lora->unmatched);
  pmt_safetensors_free (lora->file);
  g_free (lora->path);
  g_free (lora);
}

const char *
pmt_lora_path (const PmtLora *lora)
{
  return lora->path;
}

const char *const *
pmt_lora_unmatched (const PmtLora *lora)
{
  return (const char *const *) lora->unmatched->pdata;
}

gboolean
pmt_lora_changes (const PmtLora *lora, guint weight)
{
  for (guint low = 0, high = lora->patches->len; low < high;) {
    const guint middle = low + (high - low) / 2, found = g_array_index (lora->patches, PmtLoraPatch, middle).weight;
    if (found == weight)
      return TRUE;
    if (found < weight)
      low = middle + 1;
    else
      high = middle;
  }
  return FALSE;
}

guint
pmt_lora_count (const PmtLora *lora, PmtLoraPart part)
{
  return lora->count[part];
}
