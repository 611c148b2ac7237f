/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/methods/excite.h"

double
pmt_excite_loss (PmtProbed *probed, int n_probed, const int *columns, int n_columns, const int *tokens, int n_tokens)
{
  PmtSharpMaps maps;
  pmt_sharp_maps_init (&maps, probed, n_probed, columns, n_columns);
  const int cells = maps.height * maps.width;
  g_autofree double *map = g_new0 (double, MAX (cells, 1));
  double loss = 0;
  int worst = -1, peak = 0;
  for (int i = 0; i < n_tokens; i++) {
    int top = 0;
    pmt_sharp_maps_smooth (&maps, tokens[i], map);
    for (int t = 1; t < cells; t++)
      top = map[t] > map[top] ? t : top;
    if (1.0 - map[top] > loss) {
      loss = 1.0 - map[top];
      worst = tokens[i];
      peak = top;
    }
  }
  if (worst >= 0) {
    for (int t = 0; t < cells; t++)
      map[t] = t == peak ? -1.0 : 0.0;
    pmt_sharp_maps_add_gradient (&maps, worst, map);
    pmt_sharp_maps_spread (&maps, probed, n_probed);
  }
  pmt_sharp_maps_clear (&maps);
  return loss;
}

enum { PAPERS = 50 };

/* How many the run has, for samplers that evaluate some of them twice. */
static int
n_steps (const PmtRun *run, const PmtStep *step)
{
  const int order = run->grid->order;
  return (step->n + order - 1) / order;
}

bool
pmt_gradient_step_acts (const PmtRun *run, const PmtStep *step, int steps)
{
  const int begun = pmt_gradient_step_begun (run, step);
  return begun >= 0 && begun * PAPERS < steps * n_steps (run, step);
}

int
pmt_gradient_step_of_fifty (const PmtRun *run, const PmtStep *step, int64_t k)
{
  return (int) (k * n_steps (run, step) / PAPERS);
}

void
pmt_gradient_step (PmtRun *run, const PmtStep *step, int track, PmtTensor gradient, double k)
{
  PmtTensor x = run->tracks[track]->latent;
  const double factor = k * (run->request->sampler->scale_input ? 1.0 + step->sigma * step->sigma : 1.0);
  for (int64_t i = 0; i < pmt_tensor_size (x) && !run->ctx.dry; i++)
    x.data[i] -= (float) (factor * gradient.data[i]);
}
