/* SPDX-License-Identifier: GPL-3.0-or-later */
/* UniPC (Zhao et al. 2023) of second order, predicting the clean latent, with B(h) = e^h - 1 (bh2). Each evaluation first corrects the
 * step before it, at no cost but the algebra, then predicts the next. */
#include <math.h>
#include <string.h>

#include "engine/sample/samplers/common.h"

typedef struct State {
  int64_t seen, order; /* steps done; order of the last prediction */
  float values[];      /* the latent that the last step began with, the last two clean estimates, the newest first, one in the making, and
                        * the latent that was predicted */
} State;

size_t
pmt_unipc_state_size (size_t n)
{
  return sizeof (State) + 5 * n * sizeof (float);
}

/* One interval, from sigma[0] to sigma[1]; sigma[-1] is the level before. */
typedef struct Interval {
  PmtLevel to;
  double keep, grow; /* x' = keep x - grow m, of first order */
  double hh, ratio;  /* the interval in log sigma; that before it, in this one's width, both negative */
} Interval;

static Interval
interval_of (const double *sigma, bool has_before)
{
  const PmtLevel from = pmt_level_from_sigma (sigma[0]);
  Interval v = { .to = pmt_level_from_sigma (sigma[1]) };
  v.hh = log (sigma[1]) - log (sigma[0]);
  v.keep = v.to.s / from.s;
  v.grow = v.to.a * expm1 (v.hh);
  v.ratio = has_before ? (log (sigma[-1]) - log (sigma[0])) / v.hh : 1.0;
  return v;
}

/* Puts into x, in place, the corrected end of the step before evaluation i; `clean` is the estimate from the uncorrected x. What others made
 * of the predicted latent meanwhile (a picture put back around a mask, a method's lead) stays: the correction comes on top. */
static void
correct (const PmtSolver *s, const State *state, int i, const float *clean, float *x)
{
  const size_t n = s->n;
  const float *begun = state->values, *m0 = begun + n, *m1 = m0 + n, *predicted = m1 + 2 * n;
  const bool second = state->order == 2;
  const Interval v = interval_of (s->grid->sigma + i - 1, second);
  if (v.hh == 0.0)
    return;
  double before = 0.0, here = 0.5;
  if (second) {
    const double p1 = expm1 (v.hh), p2 = p1 / v.hh - 1.0, p3 = p2 / v.hh - 0.5, b0 = p2 / p1, b1 = 2.0 * p3 / p1;
    before = (b1 - b0) / (v.ratio - 1.0);
    here = b0 - before;
  }
  for (size_t k = 0; k < n; k++) {
    const double slope = second ? ((double) m1[k] - m0[k]) / v.ratio : 0.0;
    const double corrected = v.keep * begun[k] - v.grow * m0[k] - v.grow * (before * slope + here * ((double) clean[k] - m0[k]));
    x[k] = (float) (x[k] == predicted[k] ? corrected : x[k] + (corrected - predicted[k]));
  }
}

void
pmt_unipc_step (PmtSolver *s, int i, const float *output, float *x)
{
  State *state = s->state;
  const size_t n = s->n;
  const double *sigma = s->grid->sigma;
  float *begun = state->values, *m0 = begun + n, *m1 = m0 + n, *clean = m1 + n, *predicted = clean + n;
  pmt_dpmpp_denoised (s, i, output, x, clean);
  if (state->seen > 0)
    correct (s, state, i, clean, x);
  memcpy (m1, m0, n * sizeof (float));
  memcpy (m0, clean, n * sizeof (float));
  memcpy (begun, x, n * sizeof (float));
  state->order = state->seen > 0 && i + 1 < s->grid->n ? 2 : 1;
  state->seen++;
  if (sigma[i + 1] == 0.0) {
    memcpy (x, clean, n * sizeof (float));
    return;
  }
  const bool second = state->order == 2;
  const Interval v = interval_of (sigma + i, second);
  for (size_t k = 0; k < n && v.hh != 0.0; k++) {
    const double slope = second ? ((double) m1[k] - m0[k]) / v.ratio : 0.0;
    x[k] = (float) (v.keep * x[k] - v.grow * m0[k] - v.grow * 0.5 * slope);
  }
  memcpy (predicted, x, n * sizeof (float));
}

static PmtGrid *
make_grid (const PmtSchedule *schedule, int steps, double strength, GError **error)
{
  return pmt_dpmpp_grid (schedule, steps, false, error);
}

const PmtSampler pmt_sampler_unipc = {
  .id = "unipc",
  .label = N_("UniPC"),
  .grid = make_grid,
  .state_size = pmt_unipc_state_size,
  .add_noise = pmt_dpmpp_add_noise,
  .step = pmt_unipc_step,
  .denoised = pmt_dpmpp_denoised,
};
