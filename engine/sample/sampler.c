/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/sample/sampler.h"

#include <string.h>

void
pmt_grid_free (PmtGrid *grid)
{
  if (!grid)
    return;
  g_free (grid->timestep);
  g_free (grid->sigma);
  g_free (grid);
}

int
pmt_grid_first (const PmtGrid *grid, double strength)
{
  /* at the grid's own strength the quotient is 1 exactly */
  int kept = (int) (grid->steps * (strength / grid->strength));
  if (kept < 1)
    return grid->n; /* PNDM's list is longer by one than its steps */
  int first = (grid->steps - MIN (kept, grid->steps)) * grid->order;
  return CLAMP (first, 0, grid->n);
}

const PmtSampler *
pmt_sampler_find (const char *id, GError **error)
{
  g_autoptr (GString) known = g_string_new (NULL);
  for (int i = 0; pmt_samplers[i]; i++) {
    if (g_strcmp0 (id, pmt_samplers[i]->id) == 0)
      return pmt_samplers[i];
    g_string_append_printf (known, "%s%s", known->len ? ", " : "", pmt_samplers[i]->id);
  }
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("There is no sampler \"%s\"; choose one of %s."), id ? id : "", known->str);
  return NULL;
}

PmtSolver *
pmt_solver_new (const PmtSampler *sampler, const PmtSchedule *schedule, const PmtGrid *grid, int first, size_t n,
                int64_t channels, double eta, PmtRng *noise, GError **error)
{
  PmtSolver *s = g_new0 (PmtSolver, 1);
  eta = eta < 0 ? sampler->eta : eta;
  *s = (PmtSolver) { .sampler = sampler, .schedule = schedule, .grid = grid, .first = first, .n = n, .eta = eta, .noise = noise,
                     .channels = channels };
  const size_t state = sampler->state_size ? sampler->state_size (n) : 0;
  const bool draws = sampler->stochastic || (sampler->uses_eta && eta > 0);
  const size_t drawn = draws ? 2 * n * sizeof (float) : 0;
  if (state)
    s->state = g_try_malloc0 (state);
  if (drawn)
    s->drawn = g_try_malloc (drawn);
  if ((state && !s->state) || (drawn && !s->drawn)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_MEMORY, _("The sampler %s needs %zu bytes that are not there; use a smaller picture."),
                 sampler->id, state + drawn);
    pmt_solver_free (s);
    return NULL;
  }
  return s;
}

void
pmt_solver_free (PmtSolver *solver)
{
  if (!solver)
    return;
  g_free (solver->state);
  g_free (solver->drawn);
  g_free (solver);
}

gboolean
pmt_solver_set_window (PmtSolver *s, int64_t whole_height, int64_t whole_width, int64_t y, int64_t x, int64_t height, int64_t width,
                       GError **error)
{
  const int64_t window[] = { whole_height, whole_width, y, x, height, width };
  memcpy (s->window, window, sizeof window);
  if (!s->drawn)
    return TRUE;
  const size_t size = ((size_t) (whole_height * whole_width * s->channels) + s->n) * sizeof (float);
  float *larger = g_try_realloc (s->drawn, size);
  if (!larger) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_MEMORY, _("The sampler %s needs %zu bytes that are not there; use a smaller picture."),
                 s->sampler->id, size);
    return FALSE;
  }
  s->drawn = larger;
  return TRUE;
}

static const float *
draw_window (PmtSolver *s)
{
  const int64_t *v = s->window, c = s->channels, area = v[0] * v[1];
  float *whole = s->drawn, *part = s->drawn + area * c;
  pmt_rng_normal (s->noise, (size_t) (area * c), whole);
  for (int64_t y = 0; y < v[4]; y++)
    for (int64_t x = 0; x < v[5]; x++)
      for (int64_t k = 0; k < c; k++)
        part[(y * v[5] + x) * c + k] = whole[k * area + (v[2] + y) * v[1] + (v[3] + x) % v[1]];
  return part;
}

const float *
pmt_solver_draw (PmtSolver *s)
{
  if (s->window[0] > 0)
    return draw_window (s);
  const size_t c = (size_t) s->channels, area = s->n / c;
  float *nchw = s->drawn, *nhwc = s->drawn + s->n;
  pmt_rng_normal (s->noise, s->n, nchw);
  for (size_t p = 0; p < area; p++)
    for (size_t k = 0; k < c; k++)
      nhwc[p * c + k] = nchw[k * area + p];
  return nhwc;
}
