/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DeepCache (Ma, Fang & Wang 2023): what the deep parts of the UNet say changes slowly from step to step. One step in `interval` is a whole
 * evaluation; the others run the first layers and the last ones, and in between take what came up from below at the last whole one.
 *
 * Kept per row of the evaluation. A step whose rows are not those of the last whole one (guidance that ends, other regions) is a whole one
 * too. Evaluations that other methods nest in a step (gradients, inversions) are left whole and are not kept. */
#include <string.h>

#include "engine/nets/unet.h"
#include "engine/sample/run.h"

typedef struct Kept {
  int track;
  const char *role; /* static */
  int weight_set;
  PmtShape latent;
  PmtTensor stream; /* [1, h, w, c], in the run's memory */
  bool filled;
} Kept;

typedef struct State {
  int interval, skips;
  const PmtStep *step; /* the run's own evaluation, as against nested ones */
  bool whole;          /* it is a whole one */
  GArray *kept;        /* Kept, a row each */
  int used;            /* rows of the last whole evaluation */
} State;

static const PmtParam params[] = {
  { .id = "interval", .label = N_("_Interval"), .help = N_("One step in so many is computed wholly; more is faster and rougher"),
    .type = PMT_PARAM_INT, .min = 1, .max = 20, .fallback = 3 },
  { .id = "skips", .label = N_("_Depth"), .help = N_("How many of the network's outer layers are computed in every step; more is slower and finer"),
    .type = PMT_PARAM_INT, .min = 1, .max = 64, .fallback = 2 },
  { 0 }
};

static void *
state_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  const int all = pmt_unet_n_skips (pmt_model_unet_config (run->model, run->unet_choice)), skips = (int) pmt_param_number (values, "skips");
  if (skips >= all) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The method deepcache was given a depth of %d and this model allows 1 to %d; give a smaller one."),
                 skips, all - 1);
    return NULL;
  }
  State *state = g_new0 (State, 1);
  state->interval = (int) pmt_param_number (values, "interval");
  state->skips = skips;
  state->kept = g_array_new (FALSE, TRUE, sizeof (Kept));
  return state;
}

static void
state_free (void *user)
{
  State *state = user;
  g_array_unref (state->kept);
  g_free (state);
}

static Kept *
kept_at (const State *state, int row)
{
  return &g_array_index (state->kept, Kept, row);
}

static bool
same_rows (const State *state, const PmtStep *step)
{
  bool same = state->used == step->rows.n;
  for (int i = 0; same && i < step->rows.n; i++) {
    const PmtRow *row = &step->rows.row[i];
    const Kept *kept = kept_at (state, i);
    same = kept->filled && kept->track == row->track && strcmp (kept->role, row->role) == 0 && kept->weight_set == row->weight_set &&
           pmt_shape_equal (&kept->latent, &row->latent.shape);
  }
  return same;
}

static void
expect_rows (State *state, const PmtStep *step)
{
  state->used = step->rows.n;
  if ((int) state->kept->len < state->used)
    g_array_set_size (state->kept, (guint) state->used);
  for (int i = 0; i < state->used; i++) {
    const PmtRow *row = &step->rows.row[i];
    Kept *kept = kept_at (state, i);
    *kept = (Kept) { row->track, row->role, row->weight_set, row->latent.shape, kept->stream, false };
  }
}

static gboolean
latent (void *user, PmtRun *run, PmtStep *step, int track, PmtLatentStage stage, bool *moved, GError **error)
{
  State *state = user;
  if (stage == PMT_LATENT_PRE)
    state->step = step;
  return TRUE;
}

static gboolean
branch (void *user, PmtRun *run, PmtStep *step, GError **error)
{
  State *state = user;
  if (step != state->step)
    return TRUE;
  state->whole = step->i % state->interval == 0 || !same_rows (state, step);
  if (state->whole)
    expect_rows (state, step);
  return TRUE;
}

/* The kept streams of the call's rows, behind each other. */
static PmtTensor
gather (const State *state, PmtContext *ctx, const PmtStep *step)
{
  PmtShape shape = kept_at (state, step->call_row[0])->stream.shape;
  const size_t size = (size_t) pmt_shape_size (&shape);
  shape.dim[0] = step->n_call_rows;
  PmtTensor all = pmt_tensor_new (ctx, shape);
  for (int k = 0; all.data && !ctx->dry && k < step->n_call_rows; k++)
    memcpy (all.data + size * (size_t) k, kept_at (state, step->call_row[k])->stream.data, size * sizeof (float));
  return all;
}

static gboolean
call (void *user, PmtRun *run, PmtStep *step, GError **error)
{
  State *state = user;
  if (step != state->step || state->whole)
    return TRUE;
  step->input->stream = gather (state, &run->ctx, step);
  step->input->shallow = state->skips;
  return TRUE;
}

static bool
resid_wants (void *user, const PmtResidSite *site)
{
  const State *state = user;
  return site->kind == PMT_RESID_JOIN && site->index == state->skips - 1;
}

static void
resid (void *user, PmtRun *run, PmtStep *step, const PmtResidSite *site, PmtTensor *x)
{
  State *state = user;
  if (step != state->step || !state->whole)
    return;
  for (int k = 0; k < step->n_call_rows; k++) {
    Kept *kept = kept_at (state, step->call_row[k]);
    const PmtTensor row = pmt_tensor_rows (*x, k, 1);
    if (!kept->stream.data || !pmt_shape_equal (&kept->stream.shape, &row.shape)) {
      GError *error = NULL;
      kept->stream = pmt_run_new_tensor (run, row.shape, &error);
      if (error) {
        pmt_context_fail (&run->ctx, PMT_ERROR_MEMORY, "%s", error->message);
        g_error_free (error);
        return;
      }
    }
    if (!run->ctx.dry)
      memcpy (kept->stream.data, row.data, (size_t) pmt_tensor_size (row) * sizeof (float));
    kept->filled = true;
  }
}

const PmtMethod pmt_method_deepcache = {
  .id = "deepcache",
  .label = N_("Reuse of deep features"),
  .summary = N_("Saves about half of the time by computing the depth of the network in some of the steps only."),
  .params = params,
  .order = 990, /* after all that change rows */
  .state_new = state_new,
  .state_free = state_free,
  .branch = branch,
  .latent = latent,
  .call = call,
  .resid_wants = resid_wants,
  .resid = resid,
};
