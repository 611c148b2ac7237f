/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Convolutions by minimal filtering on every level of this machine: against sums in double precision, both of the convolution itself and of what
 * rounding leaves of its transforms; equal bytes whatever is computed beside; what is no number. */
#include "engine/kernels/winograd.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/threads.h"
#include "tests/kernels/rounded.h"

typedef struct Shape {
  int64_t rows, h, w, c, n, pad_top, pad_left;
} Shape;
/* Odd sides, parts of inputs, parts of panels, a single pixel, more windows than a block has. */
static const Shape shapes[] = {
  { 1, 4, 4, 32, 32, 1, 1 }, { 2, 7, 5, 33, 35, 1, 1 }, { 1, 1, 1, 3, 1, 1, 1 }, { 3, 9, 13, 70, 40, 1, 1 }, { 1, 5, 6, 1300, 17, 1, 1 },
  { 1, 31, 29, 64, 8, 1, 1 }, { 1, 6, 6, 16, 16, 2, 0 }, { 2, 3, 8, 40, 65, 0, 2 }, { 1, 12, 14, 650, 33, 1, 1 }, { 1, 40, 40, 16, 8, 1, 1 },
  { 3, 16, 16, 1300, 70, 1, 1 }, { 2, 8, 8, 2560, 40, 1, 1 },
};

typedef struct Case {
  const Shape *s;
  PmtPackedForm form;
  int64_t oh, ow;
  float *x, *w, *bias, *y;
  PmtPacked packed;
  void *scratch;
} Case;

static void
fill (float *x, int64_t n, uint32_t seed)
{
  for (int64_t i = 0; i < n; i++) {
    seed = seed * 1664525u + 1013904223u;
    x[i] = (float) (seed >> 8) * 0x1p-23f - 1.0f;
  }
}

static PmtWinograd
call_of (const Case *c)
{
  const bool twice = c->form == PMT_PACKED_TWICE;
  return (PmtWinograd) { .w = &c->packed, .x = c->x, .rows = c->s->rows, .h = c->s->h, .width = c->s->w,
                         .pad_top = twice ? 1 : c->s->pad_top, .pad_left = twice ? 1 : c->s->pad_left,
                         .kind = twice ? PMT_WINOGRAD_TWICE : PMT_WINOGRAD_SAME, .bias = c->bias, .y = c->y, .oh = c->oh, .ow = c->ow };
}

static size_t
aligned (size_t bytes)
{
  return (bytes + 63) & ~(size_t) 63;
}

static void
case_init (Case *c, const PmtProductKernels *kernels, PmtPrecision precision, PmtPackedForm form, const Shape *s)
{
  const bool twice = form == PMT_PACKED_TWICE;
  *c = (Case) { .s = s, .form = form };
  c->oh = twice ? 2 * s->h - s->w % 2 : s->h; /* with and without the larger map's last row and column */
  c->ow = twice ? 2 * s->w - (s->h + s->c) % 2 : s->w;
  c->x = g_new (float, s->rows * s->h * s->w * s->c);
  c->w = g_new (float, s->n * 9 * s->c);
  c->bias = g_new (float, s->n);
  c->y = g_new (float, s->rows * c->oh * c->ow * s->n);
  fill (c->x, s->rows * s->h * s->w * s->c, 1);
  fill (c->w, s->n * 9 * s->c, 2);
  fill (c->bias, s->n, 3);
  memset (c->y, 0xff, (size_t) (s->rows * c->oh * c->ow * s->n) * sizeof (float)); /* NaN */
  c->packed = (PmtPacked) { .kernels = kernels, .precision = precision, .n = s->n, .k = 9 * s->c, .form = form };
  c->packed.data = aligned_alloc (64, aligned (pmt_packed_size (&c->packed)));
  pmt_packed_fill (&c->packed, c->w);
  const PmtWinograd call = call_of (c);
  c->scratch = aligned_alloc (64, aligned (pmt_winograd_scratch (&call)));
}

static void
case_clear (Case *c)
{
  g_free (c->x);
  g_free (c->w);
  g_free (c->bias);
  g_free (c->y);
  free (c->packed.data);
  free (c->scratch);
}

/* For each level, precision, form and shape. */
static void
each (void (*check) (Case *c))
{
  for (PmtCpuLevel level = PMT_CPU_PORTABLE; level <= pmt_cpu_detect (); level++)
    for (PmtPrecision precision = 0; precision < PMT_PRECISIONS; precision++) {
      const PmtProductKernels *kernels = pmt_product_kernels (pmt_kernels_get (level), precision);
      for (PmtPackedForm form = PMT_PACKED_SAME; kernels && kernels->winograd && form <= PMT_PACKED_TWICE; form++)
        for (gsize i = 0; i < G_N_ELEMENTS (shapes); i++) {
          Case c;
          g_test_message ("%s, level %d, form %d, shape %d", pmt_precision_name (precision), (int) level, (int) form, (int) i);
          case_init (&c, kernels, precision, form, &shapes[i]);
          check (&c);
          case_clear (&c);
        }
    }
}

static float
map_at (const Case *c, int64_t row, int64_t y, int64_t x, int64_t i)
{
  const Shape *s = c->s;
  return y < 0 || x < 0 || y >= s->h || x >= s->w ? 0 : c->x[((row * s->h + y) * s->w + x) * s->c + i];
}

/* The convolution itself. */
static double
direct (const Case *c, int64_t row, int64_t y, int64_t x, int64_t o)
{
  const bool twice = c->form == PMT_PACKED_TWICE;
  double sum = c->bias[o];
  for (int64_t ky = 0; ky < 3; ky++)
    for (int64_t kx = 0; kx < 3; kx++) {
      const int64_t from_y = y + ky - (twice ? 1 : c->s->pad_top), from_x = x + kx - (twice ? 1 : c->s->pad_left);
      if (from_y < 0 || from_x < 0 || (twice && (from_y >= c->oh || from_x >= c->ow)))
        continue;
      for (int64_t i = 0; i < c->s->c; i++)
        sum += (double) map_at (c, row, twice ? from_y / 2 : from_y, twice ? from_x / 2 : from_x, i) * c->w[(o * 9 + ky * 3 + kx) * c->s->c + i];
    }
  return sum;
}

/* The three transforms of a line as matrices: of windows, of weights, of products. */
typedef struct Lines {
  int window, side;
  double in[4][4], weight[4][3], out[2][4];
} Lines;
static const Lines lines[] = {
  [PMT_PACKED_SAME] = { 4, 4, { { 1, 0, -1, 0 }, { 0, 1, 1, 0 }, { 0, -1, 1, 0 }, { 0, 1, 0, -1 } },
                        { { 1, 0, 0 }, { 0.5, 0.5, 0.5 }, { 0.5, -0.5, 0.5 }, { 0, 0, 1 } }, { { 1, 1, 1, 0 }, { 0, 1, -1, -1 } } },
  [PMT_PACKED_TWICE] = { 3, 3, { { 1, -1, 0 }, { 0, 1, 0 }, { 0, -1, 1 } }, { { 1, 0, 0 }, { 1, 1, 1 }, { 0, 0, 1 } }, { { 1, 1, 0 }, { 0, 1, 1 } } },
};

/* Lines of the window's or the weight's transform, in f32 as the kernels do it. */
static float
line_of (const double *factor, int n, const float *x)
{
  float sum = 0;
  for (int i = 0; i < n; i++)
    if (factor[i] != 0)
      sum += (float) factor[i] * x[i];
  return sum;
}

/* A window [4][4] at input i, its product (p, q). */
static float
window_product (const Case *c, int64_t row, int64_t top, int64_t left, int p, int q, int64_t i)
{
  const Lines *t = &lines[c->form];
  float column[4], line[4];
  for (int b = 0; b < t->window; b++) {
    for (int a = 0; a < t->window; a++)
      column[a] = map_at (c, row, top + a, left + b, i);
    line[b] = line_of (t->in[p], t->window, column);
  }
  return line_of (t->in[q], t->window, line);
}

static float
weight_product (const Case *c, int64_t o, int p, int q, int64_t i)
{
  const Lines *t = &lines[c->form];
  float taps[3], line[3];
  for (int a = 0; a < 3; a++) {
    for (int b = 0; b < 3; b++)
      taps[b] = c->w[(o * 9 + a * 3 + b) * c->s->c + i];
    line[a] = line_of (t->weight[q], 3, taps);
  }
  return line_of (t->weight[p], 3, line);
}

/* As products in the precision see them: int8 by blocks, of even length and whole registers. */
static void
rounded_all (float *x, int64_t n, bool left, PmtPrecision precision)
{
  const int64_t blocks = (n + 255) / 256, block = ((n + blocks - 1) / blocks + 15) / 16 * 16;
  for (int64_t i = 0; precision != PMT_PRECISION_INT8 && i < n; i++)
    x[i] = rounded (x[i], precision);
  for (int64_t i = 0; precision == PMT_PRECISION_INT8 && i < n; i += block)
    quantised (x + i, MIN (block, n - i), left);
}

/* What is left of it when transformed windows and weights are rounded. */
static double
transformed (const Case *c, int64_t row, int64_t y, int64_t x, int64_t o)
{
  const bool twice = c->form == PMT_PACKED_TWICE;
  static const double last[4] = { 1, 1, 1 };
  const Lines *t = &lines[c->form];
  const int64_t top = twice ? y / 2 - 1 : y / 2 * 2 - c->s->pad_top, left = twice ? x / 2 - 1 : x / 2 * 2 - c->s->pad_left;
  g_autofree float *window = g_new (float, c->s->c), *weight = g_new (float, c->s->c);
  double sum = c->bias[o];
  for (int p = 0; p < t->side; p++)
    for (int q = 0; q < t->side; q++) {
      /* What lies beyond a larger map that ends in the middle of a window's outputs is 0. */
      const double *down = twice && y % 2 == 0 && y + 1 == c->oh ? last : t->out[y % 2], *across = twice && x % 2 == 0 && x + 1 == c->ow ? last : t->out[x % 2];
      const double factor = down[p] * across[q];
      if (factor == 0)
        continue;
      for (int64_t i = 0; i < c->s->c; i++) {
        window[i] = window_product (c, row, top, left, p, q, i);
        weight[i] = weight_product (c, o, p, q, i);
      }
      rounded_all (window, c->s->c, true, c->packed.precision);
      rounded_all (weight, c->s->c, false, c->packed.precision);
      for (int64_t i = 0; i < c->s->c; i++)
        sum += factor * window[i] * weight[i];
    }
  return sum;
}

static void
check_values (Case *c)
{
  const PmtWinograd call = call_of (c);
  const int64_t positions = c->s->rows * c->oh * c->ow, values = positions * c->s->n, stride = values > 60 ? values / 59 : 1;
  double error = 0, size = 0, worst = 0, largest = 0;
  g_assert_true (pmt_winograd (NULL, &call, c->scratch));
  for (int64_t i = 0; i < values; i++)
    g_assert_false (isnan (c->y[i]));
  for (int64_t i = 0; i < values; i += stride) {
    const int64_t o = i % c->s->n, at = i / c->s->n, x = at % c->ow, y = at / c->ow % c->oh, row = at / c->ow / c->oh;
    const double exact = direct (c, row, y, x, o);
    error += pow (c->y[i] - exact, 2);
    size += exact * exact;
    worst = fmax (worst, fabs (c->y[i] - transformed (c, row, y, x, o)));
    largest = fmax (largest, fabs (exact));
  }
  static const double most[PMT_PRECISIONS] = { 2e-6, 0.008, 0.02 };
  g_assert_cmpfloat (worst, <=, 4e-6 * largest);
  g_assert_cmpfloat (sqrt (error), <, most[c->packed.precision] * sqrt (size));
}

static void
test_values (void)
{
  each (check_values);
}

/* Adding to what is there, and without a bias. */
static void
check_added (Case *c)
{
  const int64_t values = c->s->rows * c->oh * c->ow * c->s->n;
  g_autofree float *plain = g_new (float, values);
  PmtWinograd call = call_of (c);
  call.bias = NULL;
  g_assert_true (pmt_winograd (NULL, &call, c->scratch));
  memcpy (plain, c->y, (size_t) values * sizeof (float));
  for (int64_t i = 0; i < values; i++)
    c->y[i] = (float) (i % 7);
  call.add = true;
  g_assert_true (pmt_winograd (NULL, &call, c->scratch));
  for (int64_t i = 0; i < values; i++)
    g_assert_cmpfloat (c->y[i], ==, plain[i] + (float) (i % 7));
}

static void
test_added (void)
{
  each (check_added);
}

/* Each map alone, on one thread and on two. */
static void
check_bytes (Case *c)
{
  const int64_t map = c->s->h * c->s->w * c->s->c, out = c->oh * c->ow * c->s->n;
  g_autofree float *part = g_new (float, out);
  PmtWinograd call = call_of (c);
  g_assert_true (pmt_winograd (NULL, &call, c->scratch));
  call.rows = 1;
  call.y = part;
  for (int threads = 1; threads <= 2; threads++) {
    pmt_threads_set (threads);
    void *scratch = aligned_alloc (64, aligned (pmt_winograd_scratch (&call)));
    for (int64_t row = 0; row < c->s->rows; row++) {
      call.x = c->x + row * map;
      g_assert_true (pmt_winograd (NULL, &call, scratch));
      g_assert_cmpmem (part, (size_t) out * sizeof (float), c->y + row * out, (size_t) out * sizeof (float));
    }
    free (scratch);
  }
  pmt_threads_set (0);
}

static void
test_bytes (void)
{
  each (check_bytes);
}

/* Exactly the outputs whose windows hold what is no number, or is infinite, are no numbers or infinite. */
static void
check_strange (Case *c, float strange)
{
  const bool twice = c->form == PMT_PACKED_TWICE;
  const Shape *s = c->s;
  const int64_t at_y = s->h / 2, at_x = s->w - 1, top = twice ? 1 : s->pad_top, left = twice ? 1 : s->pad_left;
  const PmtWinograd call = call_of (c);
  c->x[(at_y * s->w + at_x) * s->c + s->c - 1] = strange;
  g_assert_true (pmt_winograd (NULL, &call, c->scratch));
  for (int64_t i = 0; i < s->rows * c->oh * c->ow * s->n; i++) {
    const int64_t at = i / s->n, x = at % c->ow, y = at / c->ow % c->oh, row = at / c->ow / c->oh;
    bool held = false;
    for (int64_t k = 0; k < 9; k++) {
      const int64_t from_y = y + k / 3 - top, from_x = x + k % 3 - left;
      held = held || (row == 0 && from_y >= 0 && from_x >= 0 && (!twice || (from_y < c->oh && from_x < c->ow)) && (twice ? from_y / 2 : from_y) == at_y && (twice ? from_x / 2 : from_x) == at_x);
    }
    g_assert_true (held == !isfinite (c->y[i]));
    if (isnan (strange))
      g_assert_true (held == !!isnan (c->y[i]));
  }
}

static void
check_nan (Case *c)
{
  check_strange (c, NAN);
  check_strange (c, INFINITY);
  check_strange (c, -INFINITY);
}

static void
test_nan (void)
{
  each (check_nan);
}

/* What is read back, and the weight that is turned, which int8 has in bf16, and turned again. */
static void
check_weight (Case *c)
{
  static const double most[PMT_PRECISIONS] = { 3e-6, 0.06, 0.1 };
  const PmtPrecision precision = c->packed.precision, wide = pmt_precision_wide (precision);
  const int64_t n = c->s->n * 9 * c->s->c;
  g_autofree float *back = g_new (float, n), *other = g_new (float, n);
  pmt_packed_read (&c->packed, back);
  for (int64_t i = 0; i < n; i++)
    g_assert_cmpfloat (fabs (back[i] - c->w[i]), <=, most[precision]);
  PmtPacked turned = { .kernels = pmt_packed_back_kernels (&c->packed), .precision = wide, .n = c->s->c, .k = 9 * c->s->n, .form = c->form };
  turned.data = aligned_alloc (64, aligned (pmt_packed_size (&turned)));
  pmt_packed_transpose (&c->packed, 9, &turned);
  pmt_packed_read (&turned, other);
  for (int64_t o = 0; o < c->s->n; o++)
    for (int64_t tap = 0; tap < 9; tap++)
      for (int64_t i = 0; i < c->s->c; i++)
        g_assert_cmpfloat (fabs (other[(i * 9 + 8 - tap) * c->s->n + o] - back[(o * 9 + tap) * c->s->c + i]), <=, precision == wide ? 1e-6 : most[wide]);
  PmtPacked again = { .kernels = turned.kernels, .precision = wide, .n = c->s->n, .k = 9 * c->s->c, .form = c->form };
  const size_t bytes = pmt_packed_size (&again), turned_bytes = pmt_packed_size (&turned);
  again.data = aligned_alloc (64, aligned (bytes));
  pmt_packed_transpose (&turned, 9, &again);
  if (precision == wide)
    g_assert_cmpmem (again.data, bytes, c->packed.data, bytes);
  PmtPacked third = turned;
  third.data = aligned_alloc (64, aligned (turned_bytes));
  pmt_packed_transpose (&again, 9, &third);
  g_assert_cmpmem (third.data, turned_bytes, turned.data, turned_bytes);
  free (third.data);
  free (again.data);
  free (turned.data);
}

static void
test_weight (void)
{
  each (check_weight);
}

static void
check_cancel (Case *c)
{
  PmtCancel cancel = { true };
  const PmtWinograd call = call_of (c);
  g_assert_false (pmt_winograd (&cancel, &call, c->scratch));
}

static void
test_cancel (void)
{
  each (check_cancel);
}

int
main (int argc, char **argv)
{
  PmtCpuLevel level;
  g_assert_true (pmt_cpu_select (&level, NULL)); /* first: with PENTIMENTO_CPU set it begins the program anew */
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/winograd/values", test_values);
  g_test_add_func ("/winograd/added", test_added);
  g_test_add_func ("/winograd/same-bytes", test_bytes);
  g_test_add_func ("/winograd/nan", test_nan);
  g_test_add_func ("/winograd/weight", test_weight);
  g_test_add_func ("/winograd/cancel", test_cancel);
  return g_test_run ();
}
