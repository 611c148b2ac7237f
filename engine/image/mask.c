/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/image/mask.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/threads.h"
#include "engine/image/picture.h"

static gboolean
no_memory (GError **error)
{
  g_set_error_literal (error, PMT_ERROR, PMT_ERROR_MEMORY, _("There is no memory to work on the mask; close other programs."));
  return FALSE;
}

/* What a pass over lines needs; `failed` is set by a worker that got no scratch memory. */
typedef struct Pass {
  const float *mask;
  float *out;
  gint32 *squared;
  int width, height, reach, half;
  int levels;        /* of the table of running maxima */
  double radius;
  float threshold;
  atomic_bool failed;
} Pass;

/* Running maxima of one row over 2^k values, for all k: a maximum over any span is then the larger of two of them. The row has
 * `reach` zeros on both sides. */
static void
build_table (const Pass *p, const float *row, float *table, size_t stride)
{
  memset (table, 0, stride * sizeof (float));
  memcpy (table + p->reach, row, (size_t) p->width * sizeof (float));
  for (int k = 1; k < p->levels; k++) {
    const float *half = table + (size_t) (k - 1) * stride;
    float *full = table + (size_t) k * stride;
    size_t shift = (size_t) 1 << (k - 1), n = stride > shift ? stride - shift : 0;
    for (size_t x = 0; x < n; x++)
      full[x] = half[x] > half[x + shift] ? half[x] : half[x + shift];
    memcpy (full + n, half + n, (stride - n) * sizeof (float));
  }
}

/* Largest dx with dx*dx + dy*dy <= r*r; the root alone may be off by one in its last bit. |dy| <= r. */
static int
disc_reach (double r, int dy)
{
  double dy2 = (double) dy * dy;
  int dx = (int) sqrt (MAX (r * r - dy2, 0));

  while (dx > 0 && (double) dx * dx + dy2 > r * r)
    dx--;
  while ((dx + 1.0) * (dx + 1.0) + dy2 <= r * r)
    dx++;
  return dx;
}

/* A disc is a stack of horizontal spans: each source row gives its running maxima to the rows that it reaches. */
static void
dilate_rows (void *user, size_t begin, size_t end)
{
  Pass *p = user;
  size_t stride = (size_t) p->width + 2 * (size_t) p->reach + 1;
  float *table = malloc (stride * (size_t) p->levels * sizeof (float));
  int first = MAX ((int) begin - p->reach, 0), last = MIN ((int) end - 1 + p->reach, p->height - 1);

  if (!table) {
    atomic_store (&p->failed, true);
    return;
  }
  memset (p->out + begin * (size_t) p->width, 0, (end - begin) * (size_t) p->width * sizeof (float));
  for (int sy = first; sy <= last; sy++) {
    const float *row = p->mask + (size_t) sy * (size_t) p->width;
    PmtBox bounds = pmt_mask_bounds (row, p->width, 1);

    if (!bounds.width)
      continue;
    build_table (p, row, table, stride);
    for (int y = MAX (sy - p->reach, (int) begin); y <= MIN (sy + p->reach, (int) end - 1); y++) {
      int reach = disc_reach (p->radius, y - sy), span = 2 * reach + 1, k = 0;
      int from = MAX (bounds.x - reach, 0), to = MIN (bounds.x + bounds.width + reach, p->width);
      const float *a, *b;
      float *out = p->out + (size_t) y * (size_t) p->width;

      while ((2 << k) <= span)
        k++;
      a = table + (size_t) k * stride + (p->reach - reach);
      b = a + span - (1 << k);
      for (int x = from; x < to; x++) {
        float value = a[x] > b[x] ? a[x] : b[x];
        out[x] = out[x] > value ? out[x] : value;
      }
    }
  }
  free (table);
}

gboolean
pmt_mask_dilate (const float *mask, int width, int height, double radius, float *out, GError **error)
{
  Pass pass = { .mask = mask, .out = out, .width = width, .height = height, .radius = MAX (radius, 0), .levels = 1 };
  double most = hypot (width, height);

  /* beyond the diagonal every pixel is within reach */
  pass.radius = MIN (pass.radius, most);
  pass.reach = disc_reach (pass.radius, 0);
  while ((2 << (pass.levels - 1)) <= 2 * pass.reach + 1)
    pass.levels++;
  pmt_parallel_for (NULL, (size_t) height, (size_t) MAX (16, pass.reach), dilate_rows, &pass);
  return atomic_load (&pass.failed) ? no_memory (error) : TRUE;
}

gboolean
pmt_mask_erode (const float *mask, int width, int height, double radius, float *out, GError **error)
{
  size_t n = (size_t) width * (size_t) height;
  float *inverse = pmt_pixels_new (n, error);
  gboolean good;

  if (!inverse)
    return FALSE;
  for (size_t i = 0; i < n; i++)
    inverse[i] = 1 - mask[i];
  good = pmt_mask_dilate (inverse, width, height, radius, out, error);
  for (size_t i = 0; good && i < n; i++)
    out[i] = 1 - out[i];
  free (inverse);
  return good;
}

/* Box means of n + 2 * half values into n, from sums of doubles: a span of zeros gives exactly 0, and a span of ones rounds to 1. */
static void
box (const double *in, double *out, double *sums, int n, int half)
{
  int span = 2 * half + 1;

  sums[0] = 0;
  for (int i = 0; i < n + 2 * half; i++)
    sums[i + 1] = sums[i] + in[i];
  for (int i = 0; i < n; i++)
    out[i] = (sums[i + span] - sums[i]) / span;
}

static void
blur_line (float *line, size_t step, int n, int half, double *a, double *b, double *sums)
{
  int pad = 2 * half;

  for (int i = 0; i < n + 2 * pad; i++)
    a[i] = line[(size_t) CLAMP (i - pad, 0, n - 1) * step];
  box (a, b, sums, n + 2 * half, half);
  box (b, a, sums, n, half);
  for (int i = 0; i < n; i++)
    line[(size_t) i * step] = (float) CLAMP (a[i], 0, 1);
}

static void
blur_lines (Pass *p, size_t begin, size_t end, size_t step, size_t between, int n)
{
  size_t length = (size_t) n + 4 * (size_t) p->half + 1;
  double *scratch = malloc (3 * length * sizeof (double));

  if (!scratch) {
    atomic_store (&p->failed, true);
    return;
  }
  for (size_t i = begin; i < end; i++)
    blur_line (p->out + i * between, step, n, p->half, scratch, scratch + length, scratch + 2 * length);
  free (scratch);
}

static void
blur_rows (void *user, size_t begin, size_t end)
{
  Pass *p = user;

  blur_lines (p, begin, end, 1, (size_t) p->width, p->width);
}

static void
blur_columns (void *user, size_t begin, size_t end)
{
  Pass *p = user;

  blur_lines (p, begin, end, (size_t) p->width, 1, p->height);
}

gboolean
pmt_mask_blur (float *mask, int width, int height, int half, GError **error)
{
  Pass pass = { .out = mask, .width = width, .height = height, .half = half };

  if (half <= 0)
    return TRUE;
  pmt_parallel_for (NULL, (size_t) height, 32, blur_rows, &pass);
  pmt_parallel_for (NULL, (size_t) width, 32, blur_columns, &pass);
  return atomic_load (&pass.failed) ? no_memory (error) : TRUE;
}

#define FAR 46341 /* squares of smaller numbers fit 32 bits */

/* First pass: distance to the nearest pixel of the set within the column, down and up again. */
static void
distance_columns (void *user, size_t begin, size_t end)
{
  Pass *p = user;
  size_t width = (size_t) p->width;

  for (size_t x = begin; x < end; x++)
    p->squared[x] = p->mask[x] > p->threshold ? 0 : FAR;
  for (size_t y = 1; y < (size_t) p->height; y++)
    for (size_t x = begin; x < end; x++)
      p->squared[y * width + x] =
        p->mask[y * width + x] > p->threshold ? 0 : MIN (p->squared[(y - 1) * width + x] + 1, FAR);
  for (size_t y = (size_t) p->height - 1; y-- > 0;)
    for (size_t x = begin; x < end; x++)
      p->squared[y * width + x] = MIN (p->squared[y * width + x], p->squared[(y + 1) * width + x] + 1);
}

static gint64
parabola (const gint32 *column, int at, int x)
{
  gint64 dx = x - at, dy = column[at];

  return dx * dx + dy * dy;
}

/* First x at which the parabola of `right` is lower than that of `left`. */
static gint64
meet (const gint32 *column, int left, int right)
{
  gint64 l = left, r = right, gl = column[left], gr = column[right];
  gint64 top = r * r - l * l + gr * gr - gl * gl, bottom = 2 * (r - l);

  return (top >= 0 ? top / bottom : -((-top + bottom - 1) / bottom)) + 1;
}

/* Second pass: lower envelope of one parabola per column of the row, left to right, then read off right to left. */
static void
distance_rows (void *user, size_t begin, size_t end)
{
  Pass *p = user;
  int n = p->width;
  gint32 *column = malloc ((size_t) n * 3 * sizeof (gint32));
  gint32 *who, *from;

  if (!column) {
    atomic_store (&p->failed, true);
    return;
  }
  who = column + n;
  from = who + n;
  for (size_t y = begin; y < end; y++) {
    gint32 *row = p->squared + y * (size_t) n;
    int q = 0;

    memcpy (column, row, (size_t) n * sizeof (gint32));
    who[0] = from[0] = 0;
    for (int u = 1; u < n; u++) {
      while (q >= 0 && parabola (column, who[q], from[q]) > parabola (column, u, from[q]))
        q--;
      if (q < 0) {
        q = 0;
        who[0] = u;
        from[0] = 0;
      } else {
        gint64 w = meet (column, who[q], u);
        if (w < n) {
          q++;
          who[q] = u;
          from[q] = (gint32) w;
        }
      }
    }
    for (int u = n - 1; u >= 0; u--) {
      gint64 value = parabola (column, who[q], u);
      row[u] = column[who[q]] >= FAR || value > G_MAXINT32 ? G_MAXINT32 : (gint32) value;
      if (u == from[q])
        q--;
    }
  }
  free (column);
}

gboolean
pmt_mask_distance (const float *mask, int width, int height, float threshold, gint32 *squared, GError **error)
{
  Pass pass = { .mask = mask, .squared = squared, .width = width, .height = height, .threshold = threshold };

  pmt_parallel_for (NULL, (size_t) width, 64, distance_columns, &pass);
  pmt_parallel_for (NULL, (size_t) height, 16, distance_rows, &pass);
  return atomic_load (&pass.failed) ? no_memory (error) : TRUE;
}
