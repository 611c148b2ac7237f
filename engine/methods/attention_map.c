/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/methods/attention_map.h"

#include <math.h>
#include <string.h>

PmtAttnLevel
pmt_attention_level (const PmtRun *run)
{
  const PmtUnetConfig *c = pmt_model_unet_config (run->model, run->unet_choice);
  const double wanted = log2 ((double) pmt_model_attention_divisor (run->model) * run->latent_height / run->request->height);
  PmtAttnLevel best = { c->n_levels - 1, c->n_levels - 1 };
  double off = INFINITY;
  for (int level = 0; level < c->n_levels; level++) {
    const bool there = c->down_has_attention[level] || c->up_has_attention[c->n_levels - 1 - level];
    if (there && fabs (level - wanted) < off) {
      off = fabs (level - wanted);
      best.level = level;
    }
  }
  return best;
}

void
pmt_attention_grid (const PmtRun *run, PmtAttnLevel level, int *height, int *width)
{
  *height = run->latent_height;
  *width = run->latent_width;
  for (int i = 0; i < level.level; i++) {
    *height = (*height + 1) / 2;
    *width = (*width + 1) / 2;
  }
}

int
pmt_attention_site_level (PmtAttnLevel level, const PmtAttnSite *site)
{
  if (site->place == PMT_PLACE_MID)
    return level.last;
  return site->place == PMT_PLACE_DOWN ? site->level : level.last - site->level;
}

bool
pmt_attention_maps_here (PmtAttnLevel level, const PmtAttnSite *site)
{
  return site->cross && site->place != PMT_PLACE_MID && pmt_attention_site_level (level, site) == level.level;
}

int
pmt_attention_row (const PmtStep *step, int track)
{
  for (int i = 0; i < step->n_call_rows; i++) {
    const PmtRow *row = &step->rows.row[step->call_row[i]];
    if (row->track == track && strcmp (row->role, PMT_ROW_COND) == 0)
      return i;
  }
  return -1;
}

bool
pmt_attention_reads_prompt (const PmtRun *run, const PmtRow *row)
{
  return strcmp (row->role, PMT_ROW_COND) == 0 && row->context.data == run->context.data &&
         row->latent.shape.dim[1] == run->latent_height && row->latent.shape.dim[2] == run->latent_width;
}

void
pmt_attention_add (PmtTensor probs, int row, const int *columns, int n, float *sum)
{
  const int64_t heads = probs.shape.dim[1], cells = probs.shape.dim[2], length = probs.shape.dim[3];
  const float *p = probs.data + row * heads * cells * length;
  for (int64_t i = 0; i < heads * cells; i++, p += length) {
    double mass = 0;
    for (int k = 0; k < n; k++)
      mass += p[columns[k]];
    sum[i % cells] += (float) (mass / (double) heads);
  }
}

gboolean
pmt_phrase_map_init (PmtPhraseMap *map, PmtRun *run, PmtAttnLevel level, const int *columns, int n_columns, GError **error)
{
  int height, width;
  pmt_attention_grid (run, level, &height, &width);
  *map = (PmtPhraseMap) { .cells = height * width };
  PmtTensor sum = pmt_run_new_tensor (run, PMT_SHAPE1 (map->cells), error);
  if (!sum.data)
    return FALSE;
  if (!run->ctx.dry)
    memset (sum.data, 0, (size_t) map->cells * sizeof (float));
  map->sum = sum.data;
  map->columns = g_memdup2 (columns, (gsize) n_columns * sizeof (int));
  map->n_columns = n_columns;
  return TRUE;
}

void
pmt_phrase_map_clear (PmtPhraseMap *map)
{
  g_free (map->columns);
  *map = (PmtPhraseMap) { 0 };
}

void
pmt_phrase_map_see (PmtPhraseMap *map, PmtTensor probs, int row)
{
  pmt_attention_add (probs, row, map->columns, map->n_columns, map->sum);
  map->seen++;
}

bool
pmt_phrase_map_mean (const PmtPhraseMap *map, float *out)
{
  for (int i = 0; i < map->cells && map->seen > 0; i++)
    out[i] = map->sum[i] / (float) map->seen;
  return map->seen > 0;
}

void
pmt_attention_resize (const float *map, int height, int width, float *out, int out_height, int out_width)
{
  for (int y = 0; y < out_height; y++)
    for (int x = 0; x < out_width; x++)
      out[y * out_width + x] = map[(int) ((int64_t) y * height / out_height) * width + (int) ((int64_t) x * width / out_width)];
}

void
pmt_attention_max_pool (const float *map, int height, int width, float *out)
{
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++) {
      float top = map[y * width + x];
      for (int v = MAX (y - 1, 0); v <= MIN (y + 1, height - 1); v++)
        for (int u = MAX (x - 1, 0); u <= MIN (x + 1, width - 1); u++)
          top = MAX (top, map[v * width + u]);
      out[y * width + x] = top;
    }
}
