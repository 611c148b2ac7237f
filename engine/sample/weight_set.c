/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/sample/weight_set.h"

#include <stdlib.h>
#include <string.h>

#include "engine/sample/runner.h"

/* A set is an extra of the model: that keeps it between runs, counts its memory, fills it when the others are loaded, and lets it go. */
typedef struct WeightSet {
  PmtModel *model;
  PmtUnetChoice unet;
  const PmtWeightSetClass *class;
  void *user;
  GArray *refs[PMT_N_NETS]; /* PmtWeightRef; NULL for a network that the model lacks */
  size_t bytes;
  PmtOverlay *overlay[PMT_N_NETS];
} WeightSet;

/* One network's weights; NULL without error where there is none. */
static PmtWeightPool *
pool_of (PmtModel *model, PmtNet net, PmtUnetChoice choice, bool dry, const PmtCancel *cancel, GError **error)
{
  if (net == PMT_NET_UNET) {
    PmtUnet *unet = dry ? pmt_model_unet_dry (model, choice, error) : pmt_model_unet (model, choice, cancel, error);
    return unet ? pmt_unet_weights (unet) : NULL;
  }
  const int k = net - PMT_NET_TEXT;
  if (k >= pmt_model_n_texts (model))
    return NULL;
  PmtClipText *text = dry ? pmt_model_text_dry_at (model, k, error) : pmt_model_text_at (model, k, cancel, error);
  return text ? pmt_clip_text_weights (text) : NULL;
}

PmtWeightPool *
pmt_run_pool (PmtRun *run, PmtNet net, GError **error)
{
  return pool_of (run->model, net, run->unet_choice, !run->unet || run->ctx.dry, run->request->cancel, error);
}

static void *
set_open (PmtModel *model, PmtUnetChoice unet, const char *key, GError **error)
{
  WeightSet *set = g_new0 (WeightSet, 1);
  set->model = model;
  set->unet = unet;
  return set;
}

static size_t
values_of (const PmtWeightPool *pool, PmtWeightRef ref)
{
  const PmtShape shape = pmt_weight_pool_shape (pool, ref, NULL);
  return (size_t) pmt_shape_size (&shape);
}

static size_t
largest (const PmtWeightPool *pool, const GArray *refs)
{
  size_t most = 0;
  for (guint i = 0; i < refs->len; i++)
    most = MAX (most, values_of (pool, g_array_index (refs, PmtWeightRef, i)));
  return most;
}

/* One weight, from its own values; `room` has place for two of the largest. */
static gboolean
fill_weight (WeightSet *set, PmtNet net, const PmtWeightPool *pool, PmtWeightRef ref, float *room, const PmtCancel *cancel, GError **error)
{
  const size_t n = values_of (pool, ref);
  float *own = room, *values = room + n;
  if (pmt_cancelled (cancel)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_CANCELLED, _("Applying the %s was cancelled."), set->class->what);
    return FALSE;
  }
  pmt_weight_pool_read (pool, ref, own);
  memcpy (values, own, n * sizeof (float));
  if (!set->class->fill (set->user, net, pool, ref, own, values, cancel, error))
    return FALSE;
  pmt_overlay_write (set->overlay[net], ref, values);
  return TRUE;
}

static gboolean
fill_net (WeightSet *set, PmtNet net, const PmtCancel *cancel, GError **error)
{
  const GArray *refs = set->refs[net];
  if (!refs || refs->len == 0)
    return TRUE;
  PmtWeightPool *pool = pool_of (set->model, net, set->unet, false, cancel, error);
  set->overlay[net] = pool ? pmt_overlay_new (pool, (const PmtWeightRef *) (const void *) refs->data, (int) refs->len, error) : NULL;
  if (!set->overlay[net])
    return FALSE;
  float *room = malloc (2 * largest (pool, refs) * sizeof (float));
  gboolean good = room != NULL;
  if (!good)
    g_set_error (error, PMT_ERROR, PMT_ERROR_MEMORY, _("There is no memory to apply the %s; close other programs."), set->class->what);
  for (guint i = 0; i < refs->len && good; i++)
    good = fill_weight (set, net, pool, g_array_index (refs, PmtWeightRef, i), room, cancel, error);
  free (room);
  return good;
}

static void
drop_overlays (WeightSet *set)
{
  for (int net = 0; net < PMT_N_NETS; net++)
    g_clear_pointer (&set->overlay[net], pmt_overlay_free);
}

static gboolean
set_load (void *data, const PmtCancel *cancel, GError **error)
{
  WeightSet *set = data;
  for (int net = 0; net < PMT_N_NETS; net++)
    if (!fill_net (set, (PmtNet) net, cancel, error)) {
      drop_overlays (set);
      return FALSE;
    }
  return TRUE;
}

static size_t
set_bytes (const void *data)
{
  return ((const WeightSet *) data)->bytes;
}

static void
set_free (void *data)
{
  WeightSet *set = data;
  drop_overlays (set);
  for (int net = 0; net < PMT_N_NETS; net++)
    g_clear_pointer (&set->refs[net], g_array_unref);
  g_free (set);
}

static const PmtExtraClass set_class = {
  .what = "changed weights", .open = set_open, .load = set_load, .bytes = set_bytes, .free = set_free,
};

/* Once per set: what it changes. */
static gboolean
list_changes (WeightSet *set, GError **error)
{
  for (int net = 0; net < PMT_N_NETS; net++) {
    GError *failed = NULL;
    const PmtWeightPool *pool = pool_of (set->model, (PmtNet) net, set->unet, true, NULL, &failed);
    if (failed) {
      g_propagate_error (error, failed);
      return FALSE;
    }
    if (!pool)
      continue;
    set->refs[net] = g_array_new (FALSE, FALSE, sizeof (PmtWeightRef));
    set->class->list (set->user, (PmtNet) net, pool, set->refs[net]);
    set->bytes += pmt_overlay_bytes (pool, (const PmtWeightRef *) (const void *) set->refs[net]->data, (int) set->refs[net]->len);
  }
  return TRUE;
}

int
pmt_run_weight_set (PmtRun *run, const PmtWeightSetClass *class, const char *key, void *user, GError **error)
{
  PmtRunner *runner = (PmtRunner *) run;
  if (runner->n_sets == PMT_WEIGHT_SETS) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("More than %d sets of changed weights are asked for at once; leave some methods out."),
                 PMT_WEIGHT_SETS);
    return 0;
  }
  g_autofree char *name = g_strdup_printf ("%s\n%s", class->what, key);
  WeightSet *set = pmt_run_extra (run, &set_class, name, error);
  if (!set)
    return 0;
  set->user = user; /* this run's; the one that made it is gone */
  if (!set->class) {
    set->class = class;
    if (!list_changes (set, error))
      return 0;
  }
  runner->sets[runner->n_sets++] = set;
  return runner->n_sets;
}

gboolean
pmt_runner_use_sets (PmtRun *run, GError **error)
{
  PmtRunner *runner = (PmtRunner *) run;
  for (int i = 0; i < runner->n_sets; i++) {
    const WeightSet *set = runner->sets[i];
    for (int net = 0; net < PMT_N_NETS; net++) {
      if (!set->overlay[net])
        continue;
      PmtWeightPool *pool = pmt_run_pool (run, (PmtNet) net, error);
      if (!pool)
        return FALSE;
      pmt_weight_pool_use (pool, i + 1, set->overlay[net]);
      runner->changed[net] = pool;
    }
  }
  return TRUE;
}

void
pmt_runner_drop_sets (PmtRun *run)
{
  PmtRunner *runner = (PmtRunner *) run;
  for (int i = 0; i < runner->n_sets; i++) {
    const WeightSet *set = runner->sets[i];
    for (int net = 0; net < PMT_N_NETS; net++) {
      if (set->overlay[net] && runner->changed[net])
        pmt_weight_pool_use (runner->changed[net], i + 1, NULL);
    }
  }
}
