/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/methods/self_loss.h"

#include <math.h>
#include <string.h>

#define CONTRAST 10.0

/* ---- views ------------------------------------------------------------------------------------------------------------- */

static bool
counts (const PmtProbed *p)
{
  return p->kind == PMT_PROBED_ATTENTION && p->site.cross;
}

static double
per_head (const PmtProbed *probed, int n)
{
  int64_t heads = 0;
  for (int i = 0; i < n; i++)
    heads += counts (&probed[i]) ? pmt_tensor_dim (probed[i].value, 1) : 0;
  return 1.0 / (double) MAX (heads, 1);
}

void
pmt_self_view_init (PmtSelfView *view, const PmtProbed *probed, int n)
{
  const double share = per_head (probed, n);
  *view = (PmtSelfView) { 0 };
  for (int i = 0; i < n; i++) {
    const PmtProbed *p = &probed[i];
    if (p->kind == PMT_PROBED_RESIDUAL) {
      view->feature = p->value.data;
      view->feature_height = (int) pmt_tensor_dim (p->value, 1);
      view->feature_width = (int) pmt_tensor_dim (p->value, 2);
      view->channels = (int) pmt_tensor_dim (p->value, 3);
    }
    if (!counts (p))
      continue;
    const int64_t heads = pmt_tensor_dim (p->value, 1), cells = pmt_tensor_dim (p->value, 2), length = pmt_tensor_dim (p->value, 3);
    if (!view->mean) {
      view->height = p->site.height;
      view->width = p->site.width;
      view->length = (int) length;
      view->mean = g_new0 (double, cells * length);
    }
    g_assert (cells == (int64_t) view->height * view->width && length == view->length);
    for (int64_t h = 0; h < heads; h++)
      for (int64_t k = 0; k < cells * length; k++)
        view->mean[k] += (double) p->value.data[h * cells * length + k];
  }
  for (int64_t k = 0; k < (int64_t) view->height * view->width * view->length; k++)
    view->mean[k] *= share;
}

void
pmt_self_view_clear (PmtSelfView *view)
{
  g_free (view->mean);
  *view = (PmtSelfView) { 0 };
}

/* ---- one word's map and shape ------------------------------------------------------------------------------------------ */

/* y = (x - min) / (max - min); zeros for a flat map. */
typedef struct Stretch {
  int low, high;
  double range;
} Stretch;

static Stretch
stretch (const double *x, int n, double *y)
{
  Stretch s = { 0 };
  for (int t = 1; t < n; t++) {
    s.low = x[t] < x[s.low] ? t : s.low;
    s.high = x[t] > x[s.high] ? t : s.high;
  }
  const double low = x[s.low];
  s.range = x[s.high] - low;
  for (int t = 0; t < n; t++)
    y[t] = s.range > 0 ? (x[t] - low) / s.range : 0;
  return s;
}

/* Adds to dx what dy means for x. */
static void
stretch_back (const Stretch *s, const double *y, const double *dy, int n, double *dx)
{
  if (!(s->range > 0))
    return;
  double low = 0, high = 0;
  for (int t = 0; t < n; t++) {
    dx[t] += dy[t] / s->range;
    low += dy[t] * (1 - y[t]) / s->range;
    high += dy[t] * y[t] / s->range;
  }
  dx[s->low] -= low;
  dx[s->high] -= high;
}

typedef struct Thing {
  int n;
  double *map, *even, *soft, *shape; /* the map, stretched, through a sigmoid, stretched again */
  Stretch first, second;
  double sum, x, y, size;
} Thing;

static Thing
thing_new (const PmtSelfView *view, const int *columns, int n_columns)
{
  Thing t = { .n = view->height * view->width };
  t.map = g_new0 (double, 4 * (size_t) t.n);
  t.even = t.map + t.n;
  t.soft = t.even + t.n;
  t.shape = t.soft + t.n;
  for (int i = 0; i < t.n; i++)
    for (int k = 0; k < n_columns; k++)
      t.map[i] += view->mean[i * view->length + columns[k]];
  t.first = stretch (t.map, t.n, t.even);
  for (int i = 0; i < t.n; i++)
    t.soft[i] = 1 / (1 + exp (-CONTRAST * (t.even[i] - 0.5)));
  t.second = stretch (t.soft, t.n, t.shape);
  for (int i = 0; i < t.n; i++) {
    t.sum += t.map[i];
    t.x += t.map[i] * (i % view->width + 0.5) / view->width;
    t.y += t.map[i] * (i / view->width + 0.5) / view->height;
    t.size += t.shape[i] / t.n;
  }
  t.x /= t.sum > 0 ? t.sum : 1;
  t.y /= t.sum > 0 ? t.sum : 1;
  return t;
}

static void
thing_clear (Thing *t)
{
  g_free (t->map);
}

/* Adds to dmap what dshape means for the map. */
static void
shape_back (const Thing *t, const double *dshape, double *dmap)
{
  g_autofree double *dsoft = g_new0 (double, (size_t) t->n), *deven = g_new0 (double, (size_t) t->n);
  stretch_back (&t->second, t->shape, dshape, t->n, dsoft);
  for (int i = 0; i < t->n; i++)
    deven[i] = dsoft[i] * CONTRAST * t->soft[i] * (1 - t->soft[i]);
  stretch_back (&t->first, t->even, deven, t->n, dmap);
}

void
pmt_self_measure (const PmtSelfView *view, const int *columns, int n_columns, double *x, double *y, double *size)
{
  Thing t = thing_new (view, columns, n_columns);
  *x = t.x;
  *y = t.y;
  *size = t.size;
  thing_clear (&t);
}

/* ---- the parts of the loss --------------------------------------------------------------------------------------------- */

static double
sign (double x)
{
  return x > 0 ? 1 : x < 0 ? -1 : 0;
}

static double
at (const double *map, int height, int width, int y, int x)
{
  return y >= 0 && y < height && x >= 0 && x < width ? map[y * width + x] : 0;
}

/* The reference's shape moved and resized about its centre, linear between cells, nothing beyond the picture. */
static void
wanted_shape (const Thing *r, const PmtSelfView *view, const PmtSelfWord *w, double *out)
{
  if (w->right == 0 && w->down == 0 && w->resize == 1) {
    memcpy (out, r->shape, (size_t) r->n * sizeof (double));
    return;
  }
  for (int i = 0; i < r->n; i++) {
    const double u = (i % view->width + 0.5) / view->width, v = (i / view->width + 0.5) / view->height;
    const double x = (r->x + (u - r->x - w->right) / w->resize) * view->width - 0.5, y = (r->y + (v - r->y - w->down) / w->resize) * view->height - 0.5;
    const int x0 = (int) floor (x), y0 = (int) floor (y);
    const double fx = x - x0, fy = y - y0;
    out[i] = (1 - fy) * ((1 - fx) * at (r->shape, view->height, view->width, y0, x0) + fx * at (r->shape, view->height, view->width, y0, x0 + 1)) +
             fy * ((1 - fx) * at (r->shape, view->height, view->width, y0 + 1, x0) + fx * at (r->shape, view->height, view->width, y0 + 1, x0 + 1));
  }
}

/* The mean of the features where the shape is above a half: look [channels]; inside [feature cells] says where. Their number. */
static int
look (const PmtSelfView *view, const Thing *t, bool *inside, double *out)
{
  const int cells = view->feature_height * view->feature_width;
  int n = 0;
  memset (out, 0, (size_t) view->channels * sizeof (double));
  for (int i = 0; i < cells; i++) {
    const int y = (int) ((int64_t) (i / view->feature_width) * view->height / view->feature_height);
    const int x = (int) ((int64_t) (i % view->feature_width) * view->width / view->feature_width);
    inside[i] = t->shape[y * view->width + x] > 0.5;
    for (int c = 0; c < view->channels && inside[i]; c++)
      out[c] += view->feature[(int64_t) i * view->channels + c];
    n += inside[i];
  }
  for (int c = 0; c < view->channels && n > 0; c++)
    out[c] /= n;
  return n;
}

static double
look_loss (const PmtSelfView *now, const PmtSelfView *before, const Thing *t, const Thing *r, double weight, float *gradient)
{
  const int channels = now->channels;
  const size_t cells = (size_t) now->feature_height * (size_t) now->feature_width;
  g_autofree bool *inside = g_new (bool, cells), *inside_before = g_new (bool, cells);
  g_autofree double *mine = g_new (double, (size_t) channels), *wanted = g_new (double, (size_t) channels);
  const int n = look (now, t, inside, mine);
  double loss = 0;
  if (look (before, r, inside_before, wanted) == 0 || n == 0)
    return 0;
  for (int c = 0; c < channels; c++)
    loss += weight * fabs (mine[c] - wanted[c]) / channels;
  for (size_t i = 0; i < cells; i++)
    for (int c = 0; c < channels && inside[i]; c++)
      gradient[i * (size_t) channels + (size_t) c] += (float) (weight * sign (mine[c] - wanted[c]) / ((double) channels * n));
  return loss;
}

/* Adds the gradient by the word's map to dmap. */
static double
map_loss (const PmtSelfView *now, const PmtSelfView *before, const Thing *t, const Thing *r, const PmtSelfWord *w, double *dmap)
{
  const double dx = t->x - (r->x + w->right), dy = t->y - (r->y + w->down), ds = t->size - w->resize * w->resize * r->size;
  g_autofree double *wanted = g_new (double, (size_t) t->n), *dshape = g_new0 (double, (size_t) t->n);
  double off = 0;
  for (int i = 0; i < t->n && t->sum > 0; i++) {
    const double x = (i % now->width + 0.5) / now->width, y = (i / now->width + 0.5) / now->height;
    dmap[i] += w->position * (sign (dx) * (x - t->x) + sign (dy) * (y - t->y)) / t->sum;
  }
  wanted_shape (r, before, w, wanted);
  for (int i = 0; i < t->n; i++) {
    const double d = t->shape[i] - wanted[i];
    off += fabs (d) / t->n;
    dshape[i] = (w->shape * sign (d) + w->size * sign (ds)) / t->n;
  }
  shape_back (t, dshape, dmap);
  return w->position * (fabs (dx) + fabs (dy)) + w->size * fabs (ds) + w->shape * off;
}

static float *
feature_gradient (PmtProbed *probed, int n)
{
  for (int i = 0; i < n; i++)
    if (probed[i].kind == PMT_PROBED_RESIDUAL)
      return probed[i].gradient.data;
  return NULL;
}

/* A map's gradient is that of each of its columns, at every head. */
static void
spread (PmtProbed *probed, int n, const PmtSelfWord *w, const double *dmap)
{
  const double share = per_head (probed, n);
  for (int i = 0; i < n; i++) {
    PmtProbed *p = &probed[i];
    if (!counts (p))
      continue;
    const int64_t heads = pmt_tensor_dim (p->value, 1), cells = pmt_tensor_dim (p->value, 2), length = pmt_tensor_dim (p->value, 3);
    for (int64_t h = 0; h < heads * cells; h++)
      for (int k = 0; k < w->n_columns; k++)
        p->gradient.data[h * length + w->columns[k]] += (float) (share * dmap[h % cells]);
  }
}

double
pmt_self_loss (PmtProbed *probed, int n, const PmtSelfView *reference, const PmtSelfWord *words, int n_words)
{
  PmtSelfView now;
  double loss = 0;
  pmt_self_view_init (&now, probed, n);
  for (int i = 0; i < n_words; i++) {
    const PmtSelfWord *w = &words[i];
    Thing t = thing_new (&now, w->columns, w->n_columns), r = thing_new (reference, w->columns, w->n_columns);
    g_autofree double *dmap = g_new0 (double, (size_t) t.n);
    loss += map_loss (&now, reference, &t, &r, w, dmap);
    if (w->appearance > 0 && now.channels > 0 && reference->channels == now.channels)
      loss += look_loss (&now, reference, &t, &r, w->appearance, feature_gradient (probed, n));
    spread (probed, n, w, dmap);
    thing_clear (&t);
    thing_clear (&r);
  }
  pmt_self_view_clear (&now);
  return loss;
}
