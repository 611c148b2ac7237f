/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/sample/invert.h"

#include <string.h>

#include "engine/sample/runner.h"
#include "engine/sample/samplers/common.h"

double *
pmt_invert_timesteps (const PmtSchedule *schedule, int steps, GError **error)
{
  PmtGrid *grid = pmt_abar_grid (schedule, steps, error);
  if (!grid)
    return NULL;
  double *t = g_new (double, steps);
  for (int i = 0; i < steps; i++)
    t[i] = grid->timestep[steps - 1 - i];
  pmt_grid_free (grid);
  return t;
}

void
pmt_invert_step (const PmtSchedule *schedule, int steps, double t, const float *output, size_t n, float *x)
{
  const int train = schedule->config.train_steps;
  const PmtLevel from = pmt_level_from_abar (pmt_abar_at (schedule, MIN (t - train / steps, train - 1)));
  const PmtLevel to = pmt_level_from_abar (pmt_abar_at (schedule, t));
  /* A network that says the clean latent says nothing of the noise where there is none: such a latent stays as it is. */
  if (from.s == 0.0 && schedule->config.prediction == PMT_PREDICT_SAMPLE)
    return;
  for (size_t k = 0; k < n; k++) {
    float clean, noise;
    pmt_predict_split (schedule->config.prediction, from, &output[k], &x[k], 1.0, 1, &clean, &noise);
    x[k] = (float) (to.a * clean + to.s * noise);
  }
}

/* The network's output for x, as it is or as the run's methods have it; in the step arena. */
static gboolean
predict (PmtRun *run, int track, const PmtInversion *v, PmtStep *step, PmtTensor x, PmtTensor *output, GError **error)
{
  if (v->guided)
    return pmt_run_evaluate (run, step, track, x, v->text.context.data ? &v->text : NULL, output, error);
  PmtRow *row = pmt_run_add_row (run, step, track, error);
  if (!row)
    return FALSE;
  row->latent = x;
  row->guidance = 1.0;
  if (v->text.context.data) {
    row->context = v->text.context;
    row->pooled = v->text.pooled;
  }
  if (!pmt_run_predict (run, step, error))
    return FALSE;
  *output = step->rows.row[0].prediction;
  return TRUE;
}

/* The step with the noise that the output implies, changed by the inversion's own hook: the clean latent is what that noise leaves of x. */
static gboolean
changed_step (PmtRun *run, const PmtInversion *v, int n, double t, PmtTensor output, PmtTensor x, GError **error)
{
  const PmtSchedule *schedule = run->schedule;
  const int train = schedule->config.train_steps;
  const PmtLevel from = pmt_level_from_abar (pmt_abar_at (schedule, MIN (t - train / n, train - 1)));
  const PmtLevel to = pmt_level_from_abar (pmt_abar_at (schedule, t));
  PmtTensor noise = pmt_tensor_new (&run->ctx, x.shape);
  if (pmt_context_take_error (&run->ctx, error))
    return FALSE;
  if (run->ctx.dry)
    return TRUE;
  pmt_predict_split (schedule->config.prediction, from, output.data, x.data, 1.0, (size_t) pmt_tensor_size (x), NULL, noise.data);
  v->noise (v->user, noise.data, (int) x.shape.dim[1], (int) x.shape.dim[2], (int) x.shape.dim[3]);
  for (int64_t k = 0; k < pmt_tensor_size (x); k++)
    x.data[k] = (float) (to.a * ((double) x.data[k] - from.s * (double) noise.data[k]) / from.a + to.s * (double) noise.data[k]);
  return TRUE;
}

/* The network's output for x at t, then one of `count` steps, of which `left` come after it: hooks count from the noise, as on the way down.
 * What it needs of the step arena is given back. */
static gboolean
climb (PmtRun *run, int track, const PmtInversion *v, int left, int count, int n, double t, PmtTensor x, GError **error)
{
  PmtArenaMark mark = pmt_arena_mark (run->ctx.step);
  PmtStep step = { .i = left, .n = count, .timestep = t, .sigma = run->schedule->sigma[(int) t] };
  PmtTensor output;
  gboolean ok = predict (run, track, v, &step, x, &output, error);
  if (ok && v->noise)
    ok = changed_step (run, v, n, t, output, x, error);
  else if (ok && !run->ctx.dry)
    pmt_invert_step (run->schedule, n, t, output.data, (size_t) pmt_tensor_size (x), x.data);
  pmt_rows_clear (&step.rows);
  pmt_arena_release (run->ctx.step, mark);
  return ok;
}

gboolean
pmt_run_invert (PmtRun *run, int track, const PmtInversion *inversion, PmtTensor clean, PmtTensor *path, PmtTensor *noised,
                GError **error)
{
  const int n = inversion->steps > 0 ? inversion->steps : run->request->steps, count = inversion->count > 0 ? inversion->count : n;
  if (!pmt_shape_equal (&clean.shape, &run->tracks[track]->latent.shape)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INTERNAL,
                 "A latent of another size than its track's was to be inverted; leave out the method that does and report this.");
    return FALSE;
  }
  g_autofree double *timesteps = pmt_invert_timesteps (run->schedule, n, error);
  if (!timesteps)
    return FALSE;
  PmtTensor x = pmt_run_keep (run, clean, error);
  gboolean ok = x.data != NULL;
  for (int i = 0; i < count && ok; i++) {
    if (path)
      path[i] = pmt_run_keep (run, x, error);
    ok = (!path || path[i].data) && climb (run, track, inversion, count - 1 - i, count, n, timesteps[i], x, error);
  }
  if (ok && path)
    path[count] = x;
  *noised = x;
  return ok;
}
