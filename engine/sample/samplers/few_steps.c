/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>

#include "engine/sample/samplers/common.h"

enum { TEACHER_STEPS = 50 };

int
pmt_few_steps_most (double strength)
{
  return (int) (TEACHER_STEPS * strength);
}

PmtGrid *
pmt_few_steps_grid (const PmtSchedule *schedule, int steps, double strength, GError **error)
{
  const int train = schedule->config.train_steps, teacher = MIN (TEACHER_STEPS, train), stride = train / teacher;
  const int there = (int) (teacher * strength);
  if (steps > there) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("%d steps at strength %g cannot be done with a sampler for few steps; ask for 1 to %d steps or a higher strength."), steps,
                 strength, there);
    return NULL;
  }
  PmtGrid *grid = pmt_grid_new (schedule, steps, steps, error);
  if (!grid)
    return NULL;
  grid->strength = strength;
  const double gap = (double) there / steps;
  for (int i = 0; i < steps; i++) {
    grid->timestep[i] = (there - (int) floor (i * gap)) * stride - 1;
    grid->sigma[i] = schedule->sigma[(int) grid->timestep[i]];
  }
  return grid;
}
