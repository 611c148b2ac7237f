/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/sample/samplers/common.h"

#include <math.h>

gboolean
pmt_spacing_fill (const PmtSchedule *schedule, int points, int keep, bool fractional, double *t, GError **error)
{
  const int train = schedule->config.train_steps;
  switch (schedule->config.spacing) {
    case PMT_SPACING_LINSPACE: {
      /* numpy's linspace: one step in double; the end value is exact. */
      const double step = points > 1 ? (double) (train - 1) / (points - 1) : 0.0;
      for (int i = 0; i < keep; i++) {
        int k = points - 1 - i;
        double v = k == points - 1 && points > 1 ? train - 1 : k * step;
        t[i] = fractional ? (float) v : rint (v);
      }
      break;
    }
    case PMT_SPACING_LEADING: {
      const int ratio = train / points;
      if (ratio < 1)
        goto too_many;
      for (int i = 0; i < keep; i++)
        t[i] = (points - 1 - i) * ratio + schedule->config.steps_offset;
      break;
    }
    case PMT_SPACING_TRAILING: {
      const double ratio = (double) train / keep;
      for (int i = 0; i < keep; i++)
        t[i] = rint (train - i * ratio) - 1;
      break;
    }
  }
  if (t[0] <= train - 1 && t[keep - 1] >= 0)
    return TRUE;

too_many:
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
               _("%d steps do not fit a model that was trained on %d noise levels; ask for fewer steps."), keep, train);
  return FALSE;
}

PmtSchedule
pmt_schedule_trailing (const PmtSchedule *schedule)
{
  PmtSchedule trailing = *schedule;
  trailing.config.spacing = PMT_SPACING_TRAILING;
  return trailing;
}

PmtGrid *
pmt_grid_new (const PmtSchedule *schedule, int steps, int n, GError **error)
{
  if (steps < 1 || steps > schedule->config.train_steps) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("%d steps cannot be done; ask for 1 to %d steps."), steps,
                 schedule->config.train_steps);
    return NULL;
  }
  PmtGrid *grid = g_new0 (PmtGrid, 1);
  grid->n = n;
  grid->order = 1;
  grid->steps = steps;
  grid->strength = 1.0;
  grid->timestep = g_new0 (double, n);
  grid->sigma = g_new0 (double, n + 1);
  grid->init_sigma = 1.0;
  return grid;
}

double
pmt_sigma_at (const PmtSchedule *schedule, double t)
{
  const int last = schedule->config.train_steps - 1;
  const double *sigma = schedule->sigma;
  if (t <= 0)
    return sigma[0];
  if (t >= last)
    return sigma[last];
  const int k = (int) t;
  /* rounded to f32 as the reference stores its sigmas */
  return (float) (sigma[k] + (sigma[k + 1] - sigma[k]) * (t - k));
}

double
pmt_timestep_of (const PmtSchedule *schedule, double sigma)
{
  const int n = schedule->config.train_steps;
  const double wanted = log (MAX (sigma, 1e-10));
  int low = 0;
  while (low < n - 2 && (double) logf ((float) schedule->sigma[low + 1]) <= wanted)
    low++;
  const double a = logf ((float) schedule->sigma[low]), b = logf ((float) schedule->sigma[low + 1]);
  const double w = CLAMP ((a - wanted) / (a - b), 0.0, 1.0);
  return (1.0 - w) * low + w * (low + 1);
}

void
pmt_karras_sigmas (double high, double low, int n, double *sigma)
{
  const double a = pow (high, 1.0 / 7.0), b = pow (low, 1.0 / 7.0);
  for (int i = 0; i < n; i++)
    sigma[i] = pow (a + (n > 1 ? (double) i / (n - 1) : 0.0) * (b - a), 7.0);
}

double
pmt_final_sigma (const PmtSchedule *schedule)
{
  return schedule->config.final_sigma_min ? schedule->sigma[0] : 0.0;
}

gboolean
pmt_sigma_fill (const PmtSchedule *schedule, int steps, bool karras, double *timestep, double *sigma, GError **error)
{
  if (!pmt_spacing_fill (schedule, steps, steps, true, timestep, error))
    return FALSE;
  for (int i = 0; i < steps; i++)
    sigma[i] = pmt_sigma_at (schedule, timestep[i]);
  if (!karras)
    return TRUE;
  pmt_karras_sigmas (sigma[0], sigma[steps - 1], steps, sigma);
  for (int i = 0; i < steps; i++) {
    timestep[i] = (float) pmt_timestep_of (schedule, sigma[i]);
    sigma[i] = (float) sigma[i];
  }
  return TRUE;
}

double
pmt_sigma_start (const PmtSchedule *schedule, double highest)
{
  return schedule->config.spacing == PMT_SPACING_LEADING ? sqrt (highest * highest + 1.0) : highest;
}

PmtGrid *
pmt_sigma_grid (const PmtSchedule *schedule, int steps, bool karras, GError **error)
{
  PmtGrid *grid = pmt_grid_new (schedule, steps, steps, error);
  if (!grid)
    return NULL;
  if (!pmt_sigma_fill (schedule, steps, karras, grid->timestep, grid->sigma, error)) {
    pmt_grid_free (grid);
    return NULL;
  }
  grid->init_sigma = pmt_sigma_start (schedule, grid->sigma[0]);
  return grid;
}

void
pmt_sigma_scale_input (const PmtSolver *s, int i, const float *x, float *out)
{
  const double sigma = s->grid->sigma[i], scale = 1.0 / sqrt (sigma * sigma + 1.0);
  for (size_t k = 0; k < s->n; k++)
    out[k] = (float) (x[k] * scale);
}

void
pmt_sigma_add_noise (const PmtSolver *s, int i, const float *clean, const float *noise, float *out)
{
  const double sigma = s->grid->sigma[i];
  for (size_t k = 0; k < s->n; k++)
    out[k] = (float) (clean[k] + sigma * noise[k]);
}

void
pmt_sigma_denoised (const PmtSolver *s, int i, const float *output, const float *x, float *out)
{
  const double sigma = s->grid->sigma[i];
  pmt_predict_split (s->schedule->config.prediction, pmt_level_from_sigma (sigma), output, x, 1.0 / sqrt (sigma * sigma + 1.0), s->n,
                     out, NULL);
}

double
pmt_abar_at (const PmtSchedule *schedule, double t)
{
  if (t >= 0)
    return schedule->abar[(int) t];
  return schedule->config.set_alpha_to_one ? 1.0 : schedule->abar[0];
}

PmtGrid *
pmt_abar_grid (const PmtSchedule *schedule, int steps, GError **error)
{
  PmtGrid *grid = pmt_grid_new (schedule, steps, steps, error);
  if (!grid)
    return NULL;
  if (!pmt_spacing_fill (schedule, steps, steps, false, grid->timestep, error)) {
    pmt_grid_free (grid);
    return NULL;
  }
  for (int i = 0; i < steps; i++)
    grid->sigma[i] = schedule->sigma[(int) grid->timestep[i]];
  return grid;
}

void
pmt_abar_add_noise (const PmtSolver *s, int i, const float *clean, const float *noise, float *out)
{
  const double abar = i < s->grid->n ? pmt_abar_at (s->schedule, s->grid->timestep[i]) : 1.0;
  pmt_level_mix (pmt_level_from_abar (abar), clean, noise, s->n, out);
}

void
pmt_abar_denoised (const PmtSolver *s, int i, const float *output, const float *x, float *out)
{
  const PmtLevel level = pmt_level_from_abar (pmt_abar_at (s->schedule, s->grid->timestep[i]));
  pmt_predict_split (s->schedule->config.prediction, level, output, x, 1.0, s->n, out, NULL);
}
