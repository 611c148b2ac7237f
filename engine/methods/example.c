/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How to write a method. Copy this file to NAME.c, add NAME to the list in this folder's meson.build, write tests/methods/test_NAME.c
 * (the build asks for it), and the method is in `pentimento-engine methods`, in the job check and in the plug-in's tables.
 *
 * First say here what the method does and where it is described. This one pulls the mean of every latent channel towards zero after
 * each step, which takes a colour cast out of the picture. */
#include "engine/sample/run.h"

/* What one run needs to remember. Tensors belong to the run's memory (pmt_run_new_tensor) and need no freeing. */
typedef struct State {
  double amount;
  int steps; /* counted by POST, to show that state lasts from hook to hook */
} State;

/* One row feeds command line, job check, JSON and dialogs. Labels are translated; units and ranges go into the help. */
static const PmtParam params[] = {
  { .id = "amount", .label = N_("_Amount"), .help = N_("How much of each channel's mean is taken away in every step"),
    .type = PMT_PARAM_DOUBLE, .min = 0, .max = 1, .fallback = 0.1 },
  { 0 }
};

/* Called once per run. Read the parameters, check what the method needs of the request, and refuse with a sentence. */
static void *
state_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  State *state = g_new0 (State, 1);
  state->amount = pmt_param_number (values, "amount");
  return state;
}

/* Before the first evaluation, with contexts encoded and track 0 made: tracks, sub-runs, tensors to keep. An error ends the run. */
static gboolean
plan (void *user, PmtRun *run, GError **error)
{
  return TRUE;
}

/* Each evaluation: the rows that the network predicts. Add one with pmt_rows_add_like and fill in what differs. */
static gboolean
branch (void *user, PmtRun *run, PmtStep *step, GError **error)
{
  return TRUE;
}

/* Each attention asks this first. 0 leaves it fused and fast. */
static unsigned
attn_wants (void *user, const PmtAttnSite *site)
{
  return 0;
}

/* Called at the stages asked for, with all rows of the call; step->call_row says which rows they are. Assign new tensors made with
 * run->ctx to the call's fields to change what flows. Errors: pmt_context_fail (&run->ctx, …). */
static void
attn (void *user, PmtRun *run, PmtStep *step, PmtAttnStage stage, PmtAttnCall *call)
{
}

/* After the network: write the track's prediction from its rows. The first row's is there already. */
static gboolean
combine (void *user, PmtRun *run, PmtStep *step, int track, GError **error)
{
  return TRUE;
}

/* Around the sampler's step. STEP may move the latent itself and say so in *moved; POST sees where it arrived; END comes once, on
 * the clean latent. */
static gboolean
latent (void *user, PmtRun *run, PmtStep *step, int track, PmtLatentStage stage, bool *moved, GError **error)
{
  State *state = user;
  if (stage != PMT_LATENT_POST)
    return TRUE;
  state->steps++;
  PmtTensor x = run->tracks[track]->latent;
  const int64_t channels = pmt_tensor_dim (x, -1), area = pmt_tensor_size (x) / channels;
  for (int64_t c = 0; c < channels; c++) {
    double mean = 0;
    for (int64_t p = 0; p < area; p++)
      mean += x.data[p * channels + c];
    mean /= (double) area;
    for (int64_t p = 0; p < area; p++)
      x.data[p * channels + c] -= (float) (state->amount * mean);
  }
  return TRUE;
}

/* Leave hooks out that do nothing; they stand here to be seen. `internal` keeps this one off the lists. */
const PmtMethod pmt_method_example = {
  .id = "example",
  .label = N_("Example"),
  .summary = N_("Takes a colour cast away; shows how a method is written."),
  .params = params,
  .order = 600,
  .internal = true,
  .state_new = state_new,
  .state_free = g_free,
  .plan = plan,
  .branch = branch,
  .attn_wants = attn_wants,
  .attn = attn,
  .combine = combine,
  .latent = latent,
};
