/* SPDX-License-Identifier: GPL-3.0-or-later */
/* count LEVEL: every kernel of a level once, each on a fixed shape in a function count_NAME of its own, whose instructions
 * test_instructions.py reads from callgrind. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/kernels/packed.h"

enum { N = 1 << 12, ROWS = 16, C = N / ROWS, KEYS = 64, MOST_ROWS = 12, MOST_COLUMNS = 32 };

static float a[N] __attribute__ ((aligned (64))), b[N] __attribute__ ((aligned (64))), y[2 * N] __attribute__ ((aligned (64)));
static float mean[C] __attribute__ ((aligned (64))), factor[C] __attribute__ ((aligned (64))), shift[C] __attribute__ ((aligned (64)));
/* A panel of weights of one block of k, rows that are converted for it, and what attention keeps of a panel of queries. */
static char panel[1 << 16] __attribute__ ((aligned (64))), left[1 << 16] __attribute__ ((aligned (64)));
static float weights[MOST_COLUMNS * PMT_PRODUCT_DEPTH_F32] __attribute__ ((aligned (64)));
static float logits[KEYS * MOST_COLUMNS] __attribute__ ((aligned (64)));
static float top[MOST_COLUMNS] __attribute__ ((aligned (64))), sum[MOST_COLUMNS] __attribute__ ((aligned (64)));
static float shrink[MOST_COLUMNS] __attribute__ ((aligned (64)));

typedef struct Count {
  const char *name;
  void (*run) (const PmtKernels *k);
} Count;

/* A function that callgrind finds by its name. */
#define COUNT(name, call)                                                                                                            \
  static __attribute__ ((noinline)) void count_##name (const PmtKernels *k)                                                          \
  {                                                                                                                                  \
    call;                                                                                                                            \
    __asm__ volatile ("" ::: "memory"); /* after the call, so that it is no jump */                                                  \
  }

COUNT (exp, k->exp (a, y, N))
COUNT (silu, k->silu (a, y, N))
COUNT (gelu, k->gelu (a, y, N))
COUNT (quick_gelu, k->quick_gelu (a, y, N))
COUNT (silu_grad, k->silu_grad (a, b, y, N))
COUNT (gelu_grad, k->gelu_grad (a, b, y, N))
COUNT (quick_gelu_grad, k->quick_gelu_grad (a, b, y, N))
COUNT (geglu, k->geglu (a, y, ROWS, C / 2))
COUNT (geglu_grad, k->geglu_grad (a, b, y, ROWS, C / 2))
COUNT (add, k->add (a, b, y, N))
COUNT (scale, k->scale (a, 0.5f, y, N))
COUNT (axpy, k->axpy (0.5f, a, y, N))
COUNT (mul_add, k->mul_add (a, b, y, N))
COUNT (add_row, k->add_row (a, b, y, ROWS, C))
COUNT (column_sum, k->column_sum (a, y, ROWS, C))
COUNT (column_square, k->column_square (a, mean, y, ROWS, C))
COUNT (column_moments, k->column_moments (a, mean, y, factor, ROWS, C))
COUNT (column_dot, k->column_dot (a, b, y, ROWS, C))
COUNT (normalize, k->normalize (a, mean, factor, shift, y, ROWS, C, false))
COUNT (normalize_silu, k->normalize (a, mean, factor, shift, y, ROWS, C, true))
COUNT (layer_norm, k->layer_norm (a, factor, shift, 1e-5f, y, ROWS, C))
COUNT (row_moments, k->row_moments (a, N, 1e-5f, y, y + 1))
COUNT (max, y[0] = k->max (a, N))
COUNT (exp_sum, y[N] = k->exp_sum (a, 2.0f, 1.0f, y, N))
COUNT (softmax, k->softmax (a, 2.0f, y, N))
COUNT (dot, y[0] = k->dot (a, b, N))

static const Count counts[] = {
#define NAME(name) { #name, count_##name }
  NAME (exp),           NAME (silu),       NAME (gelu),        NAME (quick_gelu),     NAME (silu_grad),
  NAME (gelu_grad),     NAME (quick_gelu_grad), NAME (geglu),  NAME (geglu_grad),     NAME (add),
  NAME (scale),         NAME (axpy),       NAME (mul_add),     NAME (add_row),        NAME (column_sum),
  NAME (column_square), NAME (column_moments), NAME (column_dot), NAME (normalize),   NAME (normalize_silu), NAME (layer_norm),
  NAME (row_moments),   NAME (max),        NAME (exp_sum),     NAME (softmax),        NAME (dot),
};

/* Those that a level has or not. */
#define PRODUCT k->product[PMT_PRECISION_F32]
#define ATTEND k->attend[PMT_PRECISION_F32]
COUNT (product_pack, PRODUCT->pack (weights, PRODUCT->columns, PMT_PRODUCT_DEPTH_F32, panel))
COUNT (product_unpack, PRODUCT->unpack (panel, PRODUCT->columns, PMT_PRODUCT_DEPTH_F32, weights))
COUNT (product_tile, PRODUCT->tile (PRODUCT->rows, left, panel, PMT_PRODUCT_DEPTH_F32, y, PRODUCT->columns, true, NULL))
COUNT (product_tile_one_row, PRODUCT->tile (1, left, panel, PMT_PRODUCT_DEPTH_F32, y, PRODUCT->columns, false, NULL))
COUNT (attend, ATTEND->attend (KEYS, logits, top, sum, shrink, logits))
COUNT (scale_columns, ATTEND->scale_columns (y, KEYS, shrink))
COUNT (transpose, ATTEND->transpose (a, C, ROWS, C, y, ROWS))

static const Count product_counts[] = {
  NAME (product_pack), NAME (product_unpack), NAME (product_tile), NAME (product_tile_one_row), NAME (attend), NAME (scale_columns), NAME (transpose),
};

static void
fill (float *x, size_t n, uint32_t seed)
{
  for (size_t i = 0; i < n; i++) {
    seed = seed * 1664525u + 1013904223u;
    x[i] = (float) (seed >> 8) * 0x1p-23f - 1.0f;
  }
}

static void
fill_all (const PmtKernels *k)
{
  fill (a, N, 1);
  fill (b, N, 2);
  fill (mean, C, 3);
  fill (factor, C, 4);
  fill (shift, C, 5);
  fill (weights, G_N_ELEMENTS (weights), 6);
  fill (logits, G_N_ELEMENTS (logits), 7);
  g_assert (!PRODUCT || (PRODUCT->rows <= MOST_ROWS && PRODUCT->columns <= MOST_COLUMNS));
  for (int r = 0; PRODUCT && r < PRODUCT->rows; r++)
    PRODUCT->convert (a + r, left + (size_t) r * PRODUCT->stride, PMT_PRODUCT_DEPTH_F32);
}

static PmtCpuLevel
level_of (const char *word)
{
  PmtCpuLevel level = PMT_CPU_PORTABLE;
  while (level < pmt_cpu_detect () && strcmp (pmt_cpu_name (level), word) != 0)
    level++;
  if (strcmp (pmt_cpu_name (level), word) != 0) {
    fprintf (stderr, "count: this machine has no level %s.\n", word);
    exit (2);
  }
  return level;
}

int
main (int argc, char **argv)
{
  if (argc != 2) {
    fprintf (stderr, "count: say which level, for example: count v3\n");
    return 2;
  }
  /* The table itself: what PENTIMENTO_CPU does to the libraries matters to none of these. */
  const PmtKernels *k = pmt_kernels_get (level_of (argv[1]));
  fill_all (k);
  for (size_t i = 0; i < G_N_ELEMENTS (counts); i++)
    counts[i].run (k);
  for (size_t i = 0; PRODUCT && i < G_N_ELEMENTS (product_counts); i++)
    product_counts[i].run (k);
  return 0;
}
