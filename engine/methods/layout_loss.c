/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/methods/layout_loss.h"

/* The cell that has most of a mask's pixels. */
static int
fullest_cell (const float *mask, int run_height, int run_width, int height, int width)
{
  g_autofree int *count = g_new0 (int, (gsize) height * (gsize) width);
  int most = 0;
  for (int y = 0; y < run_height; y++)
    for (int x = 0; x < run_width; x++)
      if (mask[(size_t) y * (size_t) run_width + (size_t) x] >= 0.5f)
        count[(2 * y + 1) * height / (2 * run_height) * width + (2 * x + 1) * width / (2 * run_width)]++;
  for (int i = 1; i < height * width; i++)
    most = count[i] > count[most] ? i : most;
  return most;
}

/* Adds one place's to `cells`. */
static void
add_place (const PmtArea *place, int run_height, int run_width, int height, int width, float *cells)
{
  const int left = (int) (place->x0 * width), right = (int) (place->x1 * width);
  const int top = (int) (place->y0 * height), bottom = (int) (place->y1 * height);
  bool any = false;
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++) {
      const int pixel_y = (2 * y + 1) * run_height / (2 * height), pixel_x = (2 * x + 1) * run_width / (2 * width);
      const bool inside = place->mask ? place->mask[(size_t) pixel_y * (size_t) run_width + (size_t) pixel_x] >= 0.5f
                                      : x >= left && x < right && y >= top && y < bottom;
      if (inside)
        cells[y * width + x] = 1;
      any = any || inside;
    }
  if (any)
    return;
  const int x = (int) ((place->x0 + place->x1) / 2 * width), y = (int) ((place->y0 + place->y1) / 2 * height);
  cells[place->mask ? fullest_cell (place->mask, run_height, run_width, height, width)
                    : MIN (y, height - 1) * width + MIN (x, width - 1)] = 1;
}

void
pmt_layout_cells (const PmtArea *area, int run_height, int run_width, int height, int width, float *cells)
{
  for (int i = 0; i < height * width; i++)
    cells[i] = 0;
  for (; area; area = area->also)
    add_place (area, run_height, run_width, height, width, cells);
}

/* A head whose cells spend less than this on a word, on average, does not look at it: where the little lies says nothing, and the loss's slope, which
 * is as steep as that is little, would end in no numbers. */
#define LOOKS 1e-6

/* One token at one head; `weight` is what its (1 - r)^2 counts in the loss. */
static double
token_loss (const float *probs, float *gradient, const float *cells, int64_t n_cells, int64_t stride, double weight)
{
  double inside = 0, all = 0;
  for (int64_t t = 0; t < n_cells; t++) {
    all += probs[t * stride];
    inside += (double) cells[t] * probs[t * stride];
  }
  if (!(all > LOOKS * (double) n_cells))
    return 0;
  const double r = inside / all, slope = -2 * (1 - r) * weight / all;
  for (int64_t t = 0; t < n_cells; t++)
    gradient[t * stride] += (float) (slope * ((double) cells[t] - r));
  return weight * (1 - r) * (1 - r);
}

double
pmt_layout_loss (PmtProbed *probed, int n, const PmtAreas *areas, int run_height, int run_width, double scale)
{
  int sites = 0;
  for (int i = 0; i < n; i++)
    sites += probed[i].kind == PMT_PROBED_ATTENTION && probed[i].site.cross;
  double loss = 0;
  for (int i = 0; i < n; i++) {
    const PmtProbed *p = &probed[i];
    if (p->kind != PMT_PROBED_ATTENTION || !p->site.cross)
      continue;
    const int64_t heads = pmt_tensor_dim (p->value, 1), n_cells = pmt_tensor_dim (p->value, 2), length = pmt_tensor_dim (p->value, 3);
    g_autofree float *cells = g_new (float, n_cells);
    for (int a = 0; a < areas->n; a++) {
      const PmtArea *area = &areas->area[a];
      const double weight = scale / ((double) sites * areas->n * area->n_columns * (double) heads);
      pmt_layout_cells (area, run_height, run_width, p->site.height, p->site.width, cells);
      for (int64_t h = 0; h < heads; h++)
        for (int k = 0; k < area->n_columns; k++) {
          const int64_t at = h * n_cells * length + area->columns[k];
          loss += token_loss (p->value.data + at, p->gradient.data + at, cells, n_cells, length, weight);
        }
    }
  }
  return loss;
}
