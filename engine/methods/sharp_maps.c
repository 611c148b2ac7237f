/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/methods/sharp_maps.h"

#include <math.h>

#define SHARPNESS 100.0

gboolean
pmt_sharp_maps_columns (PmtRun *run, bool words_only, int **columns, int *n, GError **error)
{
  PmtPromptTokens tokens = { 0 };
  if (!pmt_run_tokens (run, 0, run->prompt, &tokens, error))
    return FALSE;
  const int chunks = pmt_run_text_chunks (run), length = pmt_run_text_length (run);
  g_autofree bool *word = g_new0 (bool, chunks * length);
  for (int i = 0; i < tokens.n_tokens; i++)
    if (tokens.token[i].chunk >= 0 && tokens.token[i].chunk < chunks)
      word[tokens.token[i].chunk * length + tokens.token[i].at] = true;
  *columns = g_new (int, chunks * length);
  *n = 0;
  for (int i = 0; i < chunks * length; i++)
    if (words_only ? word[i] : i % length != 0 && i % length != length - 1)
      (*columns)[(*n)++] = i;
  pmt_prompt_tokens_clear (&tokens);
  return TRUE;
}

static bool
counts (const PmtProbed *p)
{
  return p->kind == PMT_PROBED_ATTENTION && p->site.cross;
}

/* Heads of all sites together: what the mean is over. */
static int64_t
count_heads (const PmtProbed *probed, int n)
{
  int64_t heads = 0;
  for (int i = 0; i < n; i++)
    heads += counts (&probed[i]) ? pmt_tensor_dim (probed[i].value, 1) : 0;
  return heads;
}

static void
soften (double *row, int n)
{
  double top = row[0], sum = 0;
  for (int k = 1; k < n; k++)
    top = MAX (top, row[k]);
  for (int k = 0; k < n; k++)
    sum += row[k] = exp (SHARPNESS * (row[k] - top));
  for (int k = 0; k < n; k++)
    row[k] /= sum;
}

void
pmt_sharp_maps_init (PmtSharpMaps *maps, const PmtProbed *probed, int n_probed, const int *columns, int n)
{
  *maps = (PmtSharpMaps) { .n = n, .columns = g_memdup2 (columns, (size_t) n * sizeof *columns) };
  for (int i = 0; i < n_probed; i++)
    if (counts (&probed[i])) {
      maps->height = probed[i].site.height;
      maps->width = probed[i].site.width;
    }
  const int64_t cells = (int64_t) maps->height * maps->width;
  const double per_head = 1.0 / (double) MAX (count_heads (probed, n_probed), 1);
  maps->share = g_new0 (double, cells * n);
  maps->gradient = g_new0 (double, cells * n);
  for (int i = 0; i < n_probed; i++) {
    if (!counts (&probed[i]))
      continue;
    const int64_t heads = pmt_tensor_dim (probed[i].value, 1), length = pmt_tensor_dim (probed[i].value, 3);
    g_assert (pmt_tensor_dim (probed[i].value, 2) == cells);
    for (int64_t h = 0; h < heads * cells; h++)
      for (int k = 0; k < n; k++)
        maps->share[h % cells * n + k] += per_head * probed[i].value.data[h * length + columns[k]];
  }
  for (int64_t t = 0; t < cells && n > 0; t++)
    soften (maps->share + t * n, n);
}

void
pmt_sharp_maps_clear (PmtSharpMaps *maps)
{
  g_free (maps->columns);
  g_free (maps->share);
  g_free (maps->gradient);
  *maps = (PmtSharpMaps) { 0 };
}

static int
find (const PmtSharpMaps *maps, int column)
{
  for (int k = 0; k < maps->n; k++)
    if (maps->columns[k] == column)
      return k;
  return -1;
}

/* Weights of the three cells along one axis: exp (-(d / (2 * 0.5))^2), normalised. */
static void
kernel (double weight[3])
{
  const double side = exp (-1.0), sum = 1.0 + 2.0 * side;
  weight[0] = weight[2] = side / sum;
  weight[1] = 1.0 / sum;
}

/* A neighbour's place with the border reflected, which is not repeated itself. */
static int
reflect (int at, int size)
{
  if (at < 0)
    return MIN (-at, size - 1);
  return at < size ? at : MAX (2 * size - 2 - at, 0);
}

void
pmt_sharp_maps_smooth (const PmtSharpMaps *maps, int column, double *map)
{
  const int k = find (maps, column);
  double weight[3];
  kernel (weight);
  for (int y = 0; y < maps->height; y++)
    for (int x = 0; x < maps->width; x++) {
      double sum = 0;
      for (int v = 0; v < 3 && k >= 0; v++)
        for (int u = 0; u < 3; u++) {
          const int cell = reflect (y + v - 1, maps->height) * maps->width + reflect (x + u - 1, maps->width);
          sum += weight[v] * weight[u] * maps->share[cell * maps->n + k];
        }
      map[y * maps->width + x] = sum;
    }
}

void
pmt_sharp_maps_add_gradient (PmtSharpMaps *maps, int column, const double *map_gradient)
{
  const int k = find (maps, column);
  double weight[3];
  kernel (weight);
  for (int y = 0; y < maps->height && k >= 0; y++)
    for (int x = 0; x < maps->width; x++)
      for (int v = 0; v < 3; v++)
        for (int u = 0; u < 3; u++) {
          const int cell = reflect (y + v - 1, maps->height) * maps->width + reflect (x + u - 1, maps->width);
          maps->gradient[cell * maps->n + k] += weight[v] * weight[u] * map_gradient[y * maps->width + x];
        }
}

void
pmt_sharp_maps_spread (const PmtSharpMaps *maps, PmtProbed *probed, int n_probed)
{
  const int64_t cells = (int64_t) maps->height * maps->width;
  const double per_head = 1.0 / (double) MAX (count_heads (probed, n_probed), 1);
  const int n = maps->n;
  g_autofree double *mean = g_new (double, cells * n);
  for (int64_t t = 0; t < cells; t++) { /* back through the softmax */
    const double *p = maps->share + t * n, *g = maps->gradient + t * n;
    double inner = 0;
    for (int k = 0; k < n; k++)
      inner += p[k] * g[k];
    for (int k = 0; k < n; k++)
      mean[t * n + k] = per_head * SHARPNESS * p[k] * (g[k] - inner);
  }
  for (int i = 0; i < n_probed; i++) {
    if (!counts (&probed[i]))
      continue;
    const int64_t heads = pmt_tensor_dim (probed[i].value, 1), length = pmt_tensor_dim (probed[i].value, 3);
    for (int64_t h = 0; h < heads * cells; h++)
      for (int k = 0; k < n; k++)
        probed[i].gradient.data[h * length + maps->columns[k]] += (float) mean[h % cells * n + k];
  }
}
