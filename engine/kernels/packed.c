/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/kernels/packed.h"

#include <string.h>

#include "engine/base/threads.h"
#include "engine/kernels/winograd.h"

enum {
  BLOCK_ROWS = 144,  /* of x, converted together, ... */
  BLOCKS = 3,        /* ... for so many blocks of k, whose products a panel's values see one after the other while they are in cache */
  GATE_PANELS = 4,   /* of each half, computed before they meet */
  SPLIT = 3          /* tasks per thread that are worth having, for threads that are held up */
};

const PmtProductKernels *
pmt_product_kernels (const PmtKernels *kernels, PmtPrecision precision)
{
  return kernels->product[precision];
}

const PmtProductKernels *
pmt_product_kernels_here (PmtPrecision precision)
{
  PmtCpuLevel level = PMT_CPU_PORTABLE;
  pmt_cpu_select (&level, NULL); /* programs have asked before, and told the user what was wrong */
  return pmt_product_kernels (pmt_kernels_get (level), precision);
}

bool
pmt_precision_available (PmtPrecision precision)
{
  return precision == PMT_PRECISION_F32 || pmt_product_kernels_here (precision);
}

static const char *const names[] = { "f32", "bf16", "int8" };
G_STATIC_ASSERT (G_N_ELEMENTS (names) == PMT_PRECISIONS);

const char *
pmt_precision_name (PmtPrecision precision)
{
  return names[precision];
}

bool
pmt_precision_find (const char *name, PmtPrecision *precision)
{
  for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
    if (strcmp (name, names[i]) == 0) {
      *precision = (PmtPrecision) i;
      return true;
    }
  return false;
}

PmtPrecision
pmt_precision_wide (PmtPrecision precision)
{
  return precision == PMT_PRECISION_INT8 ? PMT_PRECISION_BF16 : precision;
}

static int64_t
round_up (int64_t value, int64_t unit)
{
  return (value + unit - 1) / unit * unit;
}

/* Bytes of a panel's values of k before `k`, heads of their blocks included: where a block begins, and the length of all. */
static size_t
panel_bytes (const PmtProductKernels *kernels, int64_t k)
{
  const size_t blocks = (size_t) ((k + kernels->depth - 1) / kernels->depth);
  return blocks * kernels->head + (size_t) round_up (k, kernels->unit) * (size_t) kernels->columns * kernels->value_size;
}

size_t
pmt_packed_bytes (const PmtProductKernels *kernels, int64_t n, int64_t k)
{
  return ((size_t) ((n + kernels->columns - 1) / kernels->columns) * panel_bytes (kernels, k) + 63) & ~(size_t) 63;
}

size_t
pmt_packed_size (const PmtPacked *packed)
{
  return packed->form ? pmt_winograd_bytes (packed) : pmt_packed_bytes (packed->kernels, packed->n, packed->k);
}

typedef struct Filling {
  PmtPacked *packed;
  const float *w;
} Filling;

int64_t
pmt_packed_panels (const PmtPacked *packed)
{
  return (packed->n + packed->kernels->columns - 1) / packed->kernels->columns;
}

void
pmt_packed_fill_panel (PmtPacked *packed, int64_t panel, const float *rows)
{
  const int64_t columns = packed->kernels->columns;
  if (packed->form)
    pmt_winograd_fill_panel (packed, panel, rows);
  else
    packed->kernels->pack (rows, MIN (columns, packed->n - panel * columns), packed->k,
                           (char *) packed->data + (size_t) panel * panel_bytes (packed->kernels, packed->k));
}

static void
fill_panels (void *user, size_t begin, size_t end)
{
  const Filling *f = user;
  for (int64_t i = (int64_t) begin; i < (int64_t) end; i++)
    pmt_packed_fill_panel (f->packed, i, f->w + i * f->packed->kernels->columns * f->packed->k);
}

void
pmt_packed_fill (PmtPacked *packed, const float *w)
{
  Filling filling = { packed, w };
  pmt_parallel_for (NULL, (size_t) pmt_packed_panels (packed), 1, fill_panels, &filling);
}

void
pmt_packed_read (const PmtPacked *packed, float *w)
{
  if (packed->form)
    pmt_winograd_read (packed, w);
  else
    packed->kernels->unpack (packed->data, packed->n, packed->k, w);
}

enum { STRIP_VALUES = 256 };

typedef struct Transposing {
  const PmtPacked *w, *t;
  int64_t taps;
} Transposing;

/* Rows [first, first + rows) of t at values [k0, k0 + count) of each. */
static void
read_strip (const Transposing *f, int64_t first, int64_t rows, int64_t k0, int64_t count, float *strip)
{
  const int64_t n = f->w->n, c = f->t->n, columns = f->w->kernels->columns;
  for (int64_t at = 0; at < count;) {
    const int64_t tap = f->taps - 1 - (k0 + at) / n, o = (k0 + at) % n;
    const int64_t run = MIN (MIN (count - at, n - o), columns - o % columns);
    const char *panel = (const char *) f->w->data + (size_t) (o / columns) * panel_bytes (f->w->kernels, f->w->k);
    for (int64_t r = 0; r < rows; r++)
      f->w->kernels->read (panel, tap * c + first + r, o % columns, run, strip + r * count + at);
    at += run;
  }
}

static void
transpose_panels (void *user, size_t begin, size_t end)
{
  const Transposing *f = user;
  const PmtPacked *t = f->t;
  const PmtProductKernels *kernels = t->kernels;
  enum { MOST_COLUMNS = 32 };
  float strip[MOST_COLUMNS * STRIP_VALUES];
  g_assert (kernels->columns <= MOST_COLUMNS && STRIP_VALUES % kernels->unit == 0);
  for (int64_t i = (int64_t) begin; i < (int64_t) end; i++) {
    const int64_t first = i * kernels->columns, rows = MIN (kernels->columns, t->n - first);
    char *panel = (char *) t->data + (size_t) i * panel_bytes (kernels, t->k);
    for (int64_t k0 = 0; k0 < t->k; k0 += STRIP_VALUES) {
      const int64_t count = MIN (STRIP_VALUES, t->k - k0);
      read_strip (f, first, rows, k0, count, strip);
      kernels->pack (strip, rows, count, panel + (size_t) k0 * (size_t) kernels->columns * kernels->value_size);
    }
  }
}

const PmtProductKernels *
pmt_packed_back_kernels (const PmtPacked *w)
{
  return w->kernels->back ? w->kernels->back : w->kernels;
}

void
pmt_packed_transpose (const PmtPacked *w, int64_t taps, PmtPacked *t)
{
  if (w->form) {
    pmt_winograd_turn (w, t);
    return;
  }
  Transposing f = { w, t, taps };
  const int64_t columns = t->kernels->columns;
  g_assert (t->kernels == pmt_packed_back_kernels (w) && t->n * taps == w->k && t->k == taps * w->n);
  pmt_parallel_for (NULL, (size_t) ((t->n + columns - 1) / columns), 1, transpose_panels, &f);
}

/* A product cut into tasks of some rows and some columns. */
typedef struct Plan {
  const PmtProduct *p;
  char *scratch;
  int64_t rows, columns; /* of a task */
  int64_t down;          /* tasks below each other */
} Plan;

static size_t
block_bytes (const PmtProductKernels *kernels)
{
  return BLOCK_ROWS * kernels->stride;
}

static size_t
gate_bytes (const PmtProductKernels *kernels)
{
  return (size_t) (BLOCK_ROWS * 2 * GATE_PANELS * kernels->columns) * sizeof (float);
}

/* Blocks of rows, halves that a gate joins, and one row that is put together. */
static size_t
thread_scratch (const PmtProductKernels *kernels)
{
  return BLOCKS * block_bytes (kernels) + gate_bytes (kernels) + (kernels->staged ? (size_t) kernels->depth * kernels->staged->value_size : 0);
}

size_t
pmt_product_scratch (const PmtProductKernels *kernels)
{
  return thread_scratch (kernels) * (size_t) pmt_threads ();
}

static void
convert_rows (const PmtProduct *p, int64_t first, int64_t rows, int64_t k0, int64_t count, char *to, float *whole)
{
  const PmtProductKernels *kernels = p->w->kernels;
  for (int64_t r = 0; r < rows; r++, to += kernels->stride)
    if (!p->row) {
      kernels->convert (p->x + (first + r) * p->ldx + k0, to, (size_t) count);
    } else if (!kernels->staged) {
      p->row (p->user, kernels, first + r, k0, count, to);
    } else {
      p->row (p->user, kernels->staged, first + r, k0, count, whole);
      kernels->convert (whole, to, (size_t) count);
    }
}

/* A tile that reaches over the last column: computed in a corner of its own. */
static void
edge_tile (const PmtProduct *p, int rows, const void *a, const void *b, int64_t k, float *c, int64_t ldc, int64_t columns, bool first, const float *bias)
{
  enum { MOST = 12 * 32 };
  const int width = p->w->kernels->columns;
  float corner[MOST], edge_bias[32] = { 0 };
  g_assert (rows * width <= MOST && width <= 32);
  for (int r = 0; r < rows; r++)
    for (int64_t j = 0; j < width; j++)
      corner[r * width + j] = !first && j < columns ? c[r * ldc + j] : 0;
  if (bias)
    memcpy (edge_bias, bias, (size_t) columns * sizeof (float));
  p->w->kernels->tile (rows, a, b, k, corner, width, first, bias ? edge_bias : NULL);
  for (int r = 0; r < rows; r++)
    memcpy (c + r * ldc, corner + r * width, (size_t) columns * sizeof (float));
}

/* c [rows, columns of the panel at j] of converted rows and the panel's block of k from k0 on. */
static void
run_block (const PmtProduct *p, int64_t rows, int64_t j, int64_t k0, const char *a, float *y, int64_t ldy)
{
  const PmtPacked *w = p->w;
  const PmtProductKernels *kernels = w->kernels;
  const int64_t padded = round_up (MIN (kernels->depth, w->k - k0), kernels->unit);
  const char *b = (const char *) w->data + (size_t) (j / kernels->columns) * panel_bytes (kernels, w->k) + panel_bytes (kernels, k0);
  const float *bias = p->bias ? p->bias + j : NULL;
  const bool first = k0 == 0 && !p->add;
  for (int64_t r = 0; r < rows; r += kernels->rows) {
    const int tile = (int) MIN (kernels->rows, rows - r);
    const char *left = a + (size_t) r * kernels->stride;
    float *c = y + r * ldy;
    if (j + kernels->columns <= w->n)
      kernels->tile (tile, left, b, padded, c, ldy, first, bias);
    else
      edge_tile (p, tile, left, b, padded, c, ldy, w->n - j, first, bias);
  }
}

/* All of k, converted in a, for columns [j0, j1) of both halves. */
static void
run_gated (const PmtProduct *p, int64_t r0, int64_t rows, int64_t j0, int64_t j1, const char *a, float *halves)
{
  const PmtProductKernels *kernels = p->w->kernels;
  const int64_t depth = kernels->depth, most = GATE_PANELS * kernels->columns;
  for (int64_t j = j0; j < j1; j += most) {
    const int64_t wide = MIN (most, j1 - j);
    for (int64_t c = 0; c < 2 * wide; c += kernels->columns)
      for (int64_t k = 0; k < p->w->k; k += depth)
        run_block (p, rows, c < wide ? j + c : p->w->n / 2 + j + c - wide, k, a + (size_t) (k / depth) * block_bytes (kernels), halves + c, 2 * wide);
    for (int64_t r = 0; r < rows; r++)
      p->gate (halves + r * 2 * wide, p->y + (r0 + r) * p->ldy + j, 1, (size_t) wide);
  }
}

/* Rows [r0, r0 + rows) and columns [j0, j1) of y. */
static void
run_task (const PmtProduct *p, int64_t r0, int64_t rows, int64_t j0, int64_t j1, char *a)
{
  const PmtProductKernels *kernels = p->w->kernels;
  const int64_t depth = kernels->depth, together = BLOCKS * depth;
  const size_t apart = block_bytes (kernels);
  float *halves = (float *) (void *) (a + BLOCKS * apart), *whole = halves + gate_bytes (kernels) / sizeof (float);
  for (int64_t k0 = 0; k0 < p->w->k; k0 += together) {
    const int64_t k1 = MIN (k0 + together, p->w->k);
    for (int64_t k = k0; k < k1; k += depth)
      convert_rows (p, r0, rows, k, MIN (depth, k1 - k), a + (size_t) ((k - k0) / depth) * apart, whole);
    if (p->gate)
      run_gated (p, r0, rows, j0, j1, a, halves);
    for (int64_t j = j0; j < j1 && !p->gate; j += kernels->columns)
      for (int64_t k = k0; k < k1; k += depth)
        run_block (p, rows, j, k, a + (size_t) ((k - k0) / depth) * apart, p->y + r0 * p->ldy + j, p->ldy);
  }
}

static void
run_tasks (void *user, size_t begin, size_t end)
{
  const Plan *plan = user;
  const PmtProduct *p = plan->p;
  char *a = plan->scratch + (size_t) pmt_threads_index () * thread_scratch (p->w->kernels);
  for (int64_t task = (int64_t) begin; task < (int64_t) end; task++) {
    /* Tasks with the same columns follow each other: they read the same part of the weight. */
    const int64_t r0 = task % plan->down * plan->rows, j0 = task / plan->down * plan->columns;
    run_task (p, r0, MIN (plan->rows, p->m - r0), j0, MIN (j0 + plan->columns, p->gate ? p->w->n / 2 : p->w->n), a);
  }
}

bool
pmt_product_gates (const PmtPacked *w)
{
  return w->n % (2 * w->kernels->columns) == 0 && w->k <= BLOCKS * w->kernels->depth;
}

bool
pmt_product (const PmtCancel *cancel, const PmtProduct *product, void *scratch)
{
  const PmtProductKernels *kernels = product->w->kernels;
  const int64_t n = product->gate ? product->w->n / 2 : product->w->n, wanted = (int64_t) pmt_threads () * SPLIT;
  const int64_t blocks = MAX ((product->m + BLOCK_ROWS - 1) / BLOCK_ROWS, 1), panels = (n + kernels->columns - 1) / kernels->columns;
  Plan plan = { .p = product, .scratch = scratch };
  if (product->m == 0 || n == 0)
    return !pmt_cancelled (cancel);
  g_assert (!product->gate || (pmt_product_gates (product->w) && !product->add));
  /* Blocks of even height; where there are few of them the columns are shared out too, since each task then reads only its part of w. */
  plan.rows = round_up ((product->m + blocks - 1) / blocks, kernels->rows);
  const int64_t across = CLAMP ((wanted + blocks - 1) / blocks, 1, panels);
  plan.columns = (panels + across - 1) / across * kernels->columns;
  plan.down = (product->m + plan.rows - 1) / plan.rows;
  return pmt_parallel_for (cancel, (size_t) (plan.down * ((n + plan.columns - 1) / plan.columns)), 1, run_tasks, &plan);
}
