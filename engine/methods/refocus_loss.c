/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/methods/refocus_loss.h"

#include <math.h>

enum { EARLY = 15 }; /* of fifty steps */

/* Where `cells` is set (or clear) the map is highest; -1 = nowhere. */
static int
peak (const double *map, const float *cells, bool set, int n)
{
  int best = -1;
  for (int t = 0; t < n; t++)
    if ((cells[t] > 0) == set && (best < 0 || map[t] > map[best]))
      best = t;
  return best;
}

static double
weight_inside (double top, int at)
{
  if (top < 0.1)
    return 6;
  return top < 0.2 || at < EARLY ? 1 : 0;
}

static double
weight_elsewhere (double top, int at)
{
  if (top > 0.15)
    return 4;
  return top > 0.1 || at < EARLY ? 1 : 0;
}

/* One token of area `a`; `slope` [cells] gets the gradient by its map. cells[areas->n] is all of them together. */
static double
token_loss (const PmtRefocus *how, int a, float *const *cells, const double *map, int n, double share, double *slope, double *weakest)
{
  double loss = 0;
  const int top = peak (map, cells[a], true, n), around = peak (map, cells[how->areas->n], false, n);
  const double inside = share * weight_inside (map[top], how->at);
  for (int t = 0; t < n; t++)
    slope[t] = 0;
  loss += inside * (1 - map[top]);
  slope[top] -= inside;
  *weakest = MIN (*weakest, map[top]);
  for (int b = 0; b < how->areas->n; b++) {
    const int there = b == a ? -1 : peak (map, cells[b], true, n);
    const double w = there < 0 ? 0 : share * weight_elsewhere (map[there], how->at);
    if (there < 0)
      continue;
    loss += w * map[there];
    slope[there] += w;
  }
  if (around >= 0) {
    loss += share * 0.5 * map[around];
    slope[around] += share * 0.5;
  }
  return loss;
}

static double
cross_loss (PmtProbed *probed, int n_probed, const PmtRefocus *how, float *const *cells, double *weakest)
{
  PmtSharpMaps maps;
  pmt_sharp_maps_init (&maps, probed, n_probed, how->columns, how->n_columns);
  const int n = maps.height * maps.width;
  g_autofree double *map = g_new (double, MAX (n, 1)), *slope = g_new (double, MAX (n, 1));
  double loss = 0;
  for (int a = 0; a < how->areas->n && n > 0; a++)
    for (int k = 0; k < how->areas->area[a].n_columns; k++) {
      const int column = how->areas->area[a].columns[k];
      pmt_sharp_maps_smooth (&maps, column, map);
      loss += token_loss (how, a, cells, map, n, how->cross / how->areas->n, slope, weakest);
      pmt_sharp_maps_add_gradient (&maps, column, slope);
    }
  if (n > 0)
    pmt_sharp_maps_spread (&maps, probed, n_probed);
  pmt_sharp_maps_clear (&maps);
  return loss;
}

/* One area at one site: the mean over heads and its cells of what they give to the others. */
static double
leak (PmtProbed *p, const float *cells, double share)
{
  const int64_t heads = pmt_tensor_dim (p->value, 1), n = pmt_tensor_dim (p->value, 2), length = pmt_tensor_dim (p->value, 3);
  double count = 0, sum = 0;
  for (int64_t t = 0; t < n; t++)
    count += cells[t];
  const double each = share / (count * (double) heads);
  for (int64_t i = 0; i < heads * n; i++) {
    if (cells[i % n] == 0)
      continue;
    for (int64_t s = 0; s < length; s++)
      if (cells[s] == 0) {
        sum += p->value.data[i * length + s];
        p->gradient.data[i * length + s] += (float) each;
      }
  }
  return each * sum;
}

static double
self_loss (PmtProbed *probed, int n, const PmtRefocus *how, float *const *cells)
{
  int sites = 0;
  double loss = 0;
  for (int i = 0; i < n; i++)
    sites += probed[i].kind == PMT_PROBED_ATTENTION && !probed[i].site.cross;
  for (int i = 0; i < n; i++)
    for (int a = 0; a < how->areas->n && probed[i].kind == PMT_PROBED_ATTENTION && !probed[i].site.cross; a++)
      loss += leak (&probed[i], cells[a], how->self / ((double) sites * how->areas->n));
  return loss;
}

double
pmt_refocus_loss (PmtProbed *probed, int n, const PmtRefocus *how, double *weakest)
{
  const int n_areas = how->areas->n;
  int height = 0, width = 0;
  double least = INFINITY;
  for (int i = 0; i < n; i++)
    if (probed[i].kind == PMT_PROBED_ATTENTION) {
      height = probed[i].site.height;
      width = probed[i].site.width;
    }
  g_autofree float *all = g_new0 (float, (size_t) (n_areas + 1) * (size_t) (height * width));
  g_autofree float **cells = g_new (float *, n_areas + 1);
  for (int a = 0; a <= n_areas; a++) {
    cells[a] = all + a * height * width;
    if (a == n_areas)
      break;
    pmt_layout_cells (&how->areas->area[a], how->run_height, how->run_width, height, width, cells[a]);
  }
  for (int a = 0; a < n_areas; a++)
    for (int t = 0; t < height * width; t++)
      cells[n_areas][t] = MAX (cells[n_areas][t], cells[a][t]);
  const double loss = cross_loss (probed, n, how, cells, &least) + self_loss (probed, n, how, cells);
  if (weakest)
    *weakest = least;
  return loss;
}
