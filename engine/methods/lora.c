/* SPDX-License-Identifier: GPL-3.0-or-later */
/* LoRA and its relatives (Hu et al. 2021; formats.md 7.9): the changes of all files are added, in f32, to the weights that they are for,
 * as a weight set that the whole run computes with. Several files add up; each has a strength for the UNet and one for the text encoders,
 * and one whose strengths are both 0 is not looked at. */
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "engine/nets/hypernetwork.h"
#include "engine/sample/run.h"
#include "engine/sample/weight_set.h"
#include "engine/weights/lora.h"

#define NOTED 12 /* names of tensors that a note gives */

/* ---- one file: an extra of the model ------------------------------------------------------------------------------------ */

typedef struct File {
  PmtLora *lora;
  GHashTable *index[PMT_N_NETS]; /* name of a weight -> its number for pmt_lora_*, + 1 */
} File;

static void
file_free (void *data)
{
  File *file = data;
  for (int net = 0; net < PMT_N_NETS; net++)
    g_clear_pointer (&file->index[net], g_hash_table_unref);
  pmt_lora_free (file->lora);
  g_free (file);
}

static void
add_weights (File *file, PmtNet net, const PmtWeightPool *pool, GArray *weights)
{
  file->index[net] = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (PmtWeightRef ref = 1; ref <= pmt_weight_pool_count (pool); ref++) {
    PmtLoraWeight weight = { .part = (PmtLoraPart) net, .name = pmt_weight_pool_name (pool, ref) };
    const PmtShape shape = pmt_weight_pool_shape (pool, ref, &weight.layout);
    weight.rank = shape.rank;
    memcpy (weight.dim, shape.dim, sizeof weight.dim);
    g_array_append_val (weights, weight);
    g_hash_table_insert (file->index[net], g_strdup (weight.name), GUINT_TO_POINTER (weights->len));
  }
}

static void *
file_open (PmtModel *model, PmtUnetChoice choice, const char *path, GError **error)
{
  const PmtUnetConfig *config = pmt_model_unet_config (model, choice);
  PmtUnet *unet = pmt_model_unet_dry (model, choice, error);
  if (!unet)
    return NULL;
  g_autoptr (GArray) weights = g_array_new (FALSE, FALSE, sizeof (PmtLoraWeight));
  File *file = g_new0 (File, 1);
  add_weights (file, PMT_NET_UNET, pmt_unet_weights (unet), weights);
  for (int k = 0; k < pmt_model_n_texts (model); k++) {
    PmtClipText *text = pmt_model_text_dry_at (model, k, error);
    if (!text) {
      file_free (file);
      return NULL;
    }
    add_weights (file, (PmtNet) (PMT_NET_TEXT + k), pmt_clip_text_weights (text), weights);
  }
  const PmtLoraModel about = { .weights = (const PmtLoraWeight *) (const void *) weights->data, .n_weights = weights->len,
                               .layers_per_block = config->layers_per_block, .levels = config->n_levels,
                               .context_width = config->cross_attention_dim, .path = pmt_model_path (model),
                               .refiner = strcmp (pmt_model_family (model), "sdxl-refiner") == 0,
                               .family = pmt_family_by_id (pmt_model_family (model)) };
  file->lora = pmt_lora_open (path, &about, error);
  if (!file->lora)
    g_clear_pointer (&file, file_free);
  return file;
}

/* Factors stay in the mapped file until they are applied. */
static gboolean
file_load (void *data, const PmtCancel *cancel, GError **error)
{
  return TRUE;
}

static size_t
file_bytes (const void *data)
{
  return 0;
}

static const PmtExtraClass file_class = { "LoRA", file_open, file_load, file_bytes, file_free };

/* Number of a weight + 1, if the file changes it; otherwise 0. */
static guint
changed_index (const File *file, PmtNet net, const PmtWeightPool *pool, PmtWeightRef ref)
{
  const guint index = GPOINTER_TO_UINT (g_hash_table_lookup (file->index[net], pmt_weight_pool_name (pool, ref)));
  return index > 0 && pmt_lora_changes (file->lora, index - 1) ? index : 0;
}

/* ---- the run ------------------------------------------------------------------------------------------------------------ */

typedef struct Use {
  const File *file;
  const PmtWeightEdit *edit;
} Use;

typedef struct State {
  GArray *uses; /* of Use */
} State;

static double
strength_of (const Use *use, PmtNet net)
{
  return net == PMT_NET_UNET ? use->edit->strength : use->edit->text_strength;
}

static void
list (void *user, PmtNet net, const PmtWeightPool *pool, GArray *refs)
{
  const State *state = user;
  for (PmtWeightRef ref = 1; ref <= pmt_weight_pool_count (pool); ref++)
    for (guint i = 0; i < state->uses->len; i++) {
      const Use *use = &g_array_index (state->uses, Use, i);
      if (strength_of (use, net) != 0 && changed_index (use->file, net, pool, ref)) {
        g_array_append_val (refs, ref);
        break;
      }
    }
}

static gboolean
fill (void *user, PmtNet net, const PmtWeightPool *pool, PmtWeightRef ref, const float *own, float *values, const PmtCancel *cancel, GError **error)
{
  const State *state = user;
  for (guint i = 0; i < state->uses->len; i++) {
    const Use *use = &g_array_index (state->uses, Use, i);
    const guint index = strength_of (use, net) != 0 ? changed_index (use->file, net, pool, ref) : 0;
    if (index && !pmt_lora_apply (use->file->lora, index - 1, strength_of (use, net), own, values, cancel, error))
      return FALSE;
  }
  return TRUE;
}

static const PmtWeightSetClass set_class = { "LoRA", list, fill };

static bool
is_used (const PmtWeightEdit *edit)
{
  return (edit->strength != 0 || edit->text_strength != 0) && !pmt_hypernetwork_is (edit->path);
}

static bool
implied (const PmtRun *run)
{
  for (int i = 0; i < run->request->n_weight_edits; i++)
    if (is_used (&run->request->weight_edits[i]))
      return true;
  return false;
}

static void
state_free (void *user)
{
  State *state = user;
  g_array_unref (state->uses);
  g_free (state);
}

static void
note_unmatched (PmtRun *run, const PmtLora *lora)
{
  const char *const *unmatched = pmt_lora_unmatched (lora);
  const guint n = g_strv_length ((char **) unmatched);
  g_autoptr (GString) names = g_string_new (NULL);
  for (guint i = 0; i < MIN (n, NOTED); i++)
    g_string_append_printf (names, "%s%s", i ? ", " : "", unmatched[i]);
  if (n > 0)
    pmt_run_note (run, "%u tensor%s of the LoRA '%s' belong%s to nothing in the model and %s left out: %s%s.", n, n == 1 ? "" : "s",
                  pmt_lora_path (lora), n == 1 ? "s" : "", n == 1 ? "was" : "were", names->str, n > NOTED ? " …" : "");
}

static gboolean
add_use (State *state, PmtRun *run, const PmtWeightEdit *edit, GString *key, GError **error)
{
  GStatBuf status = { 0 };
  if (!(fabs (edit->strength) <= 100) || !(fabs (edit->text_strength) <= 100)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The strengths of the LoRA '%s' are %g and %g and have to be from -100 to 100."),
                 edit->path, edit->strength, edit->text_strength);
    return FALSE;
  }
  const Use use = { pmt_run_extra (run, &file_class, edit->path, error), edit };
  if (!use.file)
    return FALSE;
  g_array_append_val (state->uses, use);
  g_stat (pmt_lora_path (use.file->lora), &status);
  g_string_append_printf (key, "%s\n%lld %lld %lld.%ld %.17g %.17g\n", edit->path, (long long) status.st_ino, (long long) status.st_size,
                          (long long) status.st_mtim.tv_sec, (long) status.st_mtim.tv_nsec, edit->strength, edit->text_strength);
  note_unmatched (run, use.file->lora);
  return TRUE;
}

static void *
state_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  State *state = g_new0 (State, 1);
  g_autoptr (GString) key = g_string_new (NULL);
  bool good = true;
  state->uses = g_array_new (FALSE, FALSE, sizeof (Use));
  for (int i = 0; i < run->request->n_weight_edits && good; i++)
    if (is_used (&run->request->weight_edits[i]))
      good = add_use (state, run, &run->request->weight_edits[i], key, error);
  if (good && state->uses->len > 0) {
    run->weight_set = pmt_run_weight_set (run, &set_class, key->str, state, error);
    good = run->weight_set > 0;
  }
  if (!good)
    g_clear_pointer (&state, state_free);
  return state;
}

const PmtMethod pmt_method_lora = {
  .id = "lora",
  .label = N_("LoRA"),
  .summary = N_("Changes the model's weights by what LoRA files have learned."),
  .order = 10,
  .internal = true,
  .implied = implied,
  .state_new = state_new,
  .state_free = state_free,
};
