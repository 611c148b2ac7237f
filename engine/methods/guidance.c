/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Classifier-free guidance (Ho & Salimans 2022): e = e_u + g (e_c - e_u) on the network's raw output, whatever it predicts. With
 * `rescale`, the result keeps the spread of the conditional prediction (Lin et al. 2023). */
#include <math.h>

#include "engine/sample/run.h"

typedef struct State {
  double rescale;
} State;

static const PmtParam params[] = {
  { .id = "rescale", .label = N_("_Rescale"), .help = N_("How far the contrast that guidance adds is taken back; 0.7 suits models "
                                                          "with zero terminal SNR"),
    .type = PMT_PARAM_DOUBLE, .min = 0, .max = 1, .fallback = 0 },
  { 0 }
};

/* Networks that were distilled with the guidance scale are told it, and take no second row. Edits have a guidance of their own. */
static bool
implied (const PmtRun *run)
{
  return run->request->guidance != 1.0 && !run->request->edit && pmt_model_unet_config (run->model, run->unet_choice)->time_cond_proj_dim == 0;
}

static void *
state_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  State *state = g_new0 (State, 1);
  state->rescale = pmt_param_number (values, "rescale");
  return state;
}

static gboolean
text (void *user, PmtRun *run, GError **error)
{
  return !implied (run) || pmt_run_encode_negative (run, error);
}

static gboolean
branch (void *user, PmtRun *run, PmtStep *step, GError **error)
{
  if (!implied (run))
    return TRUE;
  const int n = step->rows.n;
  for (int i = 0; i < n; i++) {
    if (g_strcmp0 (step->rows.row[i].role, PMT_ROW_COND) != 0)
      continue;
    PmtRow *row = pmt_rows_add_like (&step->rows, i, PMT_ROW_UNCOND);
    row->context = run->tracks[row->track]->negative;
    row->pooled = run->tracks[row->track]->negative_pooled;
    row->time_ids = run->negative_time_ids;
  }
  return TRUE;
}

/* Unbiased standard deviation of all values, as torch.std. */
static double
deviation (const float *x, int64_t n)
{
  double mean = 0, sum = 0;
  for (int64_t i = 0; i < n; i++)
    mean += x[i];
  mean /= (double) n;
  for (int64_t i = 0; i < n; i++)
    sum += (x[i] - mean) * (x[i] - mean);
  return sqrt (sum / (double) (n - 1));
}

static gboolean
combine (void *user, PmtRun *run, PmtStep *step, int track, GError **error)
{
  const State *state = user;
  const PmtRow *cond = pmt_rows_find (&step->rows, track, PMT_ROW_COND), *uncond = pmt_rows_find (&step->rows, track, PMT_ROW_UNCOND);
  if (!cond || !uncond)
    return TRUE;
  const float g = (float) run->request->guidance, *c = cond->prediction.data, *u = uncond->prediction.data;
  float *out = run->tracks[track]->prediction.data;
  const int64_t n = pmt_tensor_size (run->tracks[track]->prediction);
  for (int64_t i = 0; i < n; i++)
    out[i] = u[i] + g * (c[i] - u[i]);
  const double spread = state->rescale > 0 ? deviation (out, n) : 0;
  if (spread > 0) {
    const double factor = state->rescale * deviation (c, n) / spread + (1.0 - state->rescale);
    for (int64_t i = 0; i < n; i++)
      out[i] = (float) (out[i] * factor);
  }
  return TRUE;
}

const PmtMethod pmt_method_guidance = {
  .id = "guidance",
  .label = N_("Guidance"),
  .summary = N_("Follows the prompt more closely, and away from the negative prompt, at the cost of a second evaluation per step."),
  .params = params,
  .order = 900, /* after all that add or change rows, so that every view gets its unconditional twin */
  .implied = implied,
  .state_new = state_new,
  .state_free = g_free,
  .text = text,
  .branch = branch,
  .combine = combine,
};
