/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Drawing what a depth map tells, with a network that takes depth as a fifth channel (Rombach et al. 2022; the depth model of Stable
 * Diffusion 2): [latent | depth], the depth at latent size and spread over [-1, 1]. With a picture the run starts from that, as image to
 * image does. */
#include <math.h>

#include "engine/sample/run.h"

typedef struct State {
  PmtTensor extra; /* [1, h, w, 1] */
} State;

static bool
implied (const PmtRun *run)
{
  return run->unet_channels == run->latent_channels + 1;
}

static void *
state_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  if (implied (run) && run->request->depth)
    return g_new0 (State, 1);
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
               _("The method depth2img needs a depth map and a network with %d input channels, and this one has %d; choose a depth model."),
               run->latent_channels + 1, run->unet_channels);
  return NULL;
}

/* One axis of cubic convolution with a = -0.75, as torch's interpolate: four taps around the centre's place, none averaged over when the
 * picture shrinks, repeated at the borders. */
typedef struct Taps {
  int at[4];
  float weight[4];
} Taps;

static float
keys (double x)
{
  const double a = -0.75;
  x = fabs (x);
  if (x <= 1)
    return (float) (((a + 2) * x - (a + 3)) * x * x + 1);
  return x < 2 ? (float) (((x - 5) * x + 8) * x - 4) * (float) a : 0;
}

static Taps
taps_at (int i, int out, int in)
{
  const double place = (i + 0.5) * in / out - 0.5;
  const int first = (int) floor (place) - 1;
  Taps taps;
  for (int k = 0; k < 4; k++) {
    taps.at[k] = CLAMP (first + k, 0, in - 1);
    taps.weight[k] = keys (place - (first + k));
  }
  return taps;
}

static void
shrink (const float *depth, int width, int height, float *out, int w, int h)
{
  for (int y = 0; y < h; y++) {
    const Taps down = taps_at (y, h, height);
    for (int x = 0; x < w; x++) {
      const Taps across = taps_at (x, w, width);
      float sum = 0;
      for (int k = 0; k < 4; k++) {
        const float *row = depth + (int64_t) down.at[k] * width;
        float line = 0;
        for (int n = 0; n < 4; n++)
          line += across.weight[n] * row[across.at[n]];
        sum += down.weight[k] * line;
      }
      out[y * w + x] = sum;
    }
  }
}

/* To [-1, 1]. A flat map says nothing and becomes the middle. */
static void
spread (float *depth, int64_t n)
{
  float least = depth[0], most = depth[0];
  for (int64_t i = 1; i < n; i++) {
    least = fminf (least, depth[i]);
    most = fmaxf (most, depth[i]);
  }
  for (int64_t i = 0; i < n; i++)
    depth[i] = most > least ? 2.0f * (depth[i] - least) / (most - least) - 1.0f : 0.0f;
}

static gboolean
plan (void *user, PmtRun *run, GError **error)
{
  State *state = user;
  const PmtRequest *q = run->request;
  state->extra = pmt_run_new_tensor (run, PMT_SHAPE4 (1, run->latent_height, run->latent_width, 1), error);
  run->extra = state->extra;
  if (!state->extra.data || run->ctx.dry)
    return state->extra.data != NULL;
  shrink (q->depth, q->width, q->height, state->extra.data, run->latent_width, run->latent_height);
  spread (state->extra.data, pmt_tensor_size (state->extra));
  return TRUE;
}

static gboolean
branch (void *user, PmtRun *run, PmtStep *step, GError **error)
{
  const State *state = user;
  for (int i = 0; i < step->rows.n; i++)
    step->rows.row[i].extra = state->extra;
  return TRUE;
}

const PmtMethod pmt_method_depth2img = {
  .id = "depth2img",
  .label = N_("Follow a depth map"),
  .summary = N_("Draws things at the depths that a map tells, with a model that was trained for that."),
  .order = 200,
  .internal = true,
  .implied = implied,
  .state_new = state_new,
  .state_free = g_free,
  .plan = plan,
  .branch = branch,
};
