/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whether a module's tensors make a change of a weight's shape. Everything that lora_apply.c computes with is checked here. */
#include <string.h>

#include "engine/weights/lora_parts.h"

/* A weight as a matrix: `rows` outputs, `in` inputs with `taps` values of a kernel each. */
typedef struct Want {
  int64_t rows, in, taps;
} Want;

/* rows x columns in all, the first dimension being rows: [r, n], [r, n, 1, 1] and [r, i, kh, kw] are the same matrix. */
static bool
is_matrix (const PmtSafetensor *t, int64_t rows, int64_t columns)
{
  return t->rank >= 1 && t->dim[0] == rows && rows > 0 && columns > 0 && t->count % (uint64_t) rows == 0 &&
         t->count / (uint64_t) rows == (uint64_t) columns;
}

static int64_t
rows_of (const PmtSafetensor *t)
{
  return t->rank >= 1 ? t->dim[0] : 0;
}

static int64_t
columns_of (const PmtSafetensor *t)
{
  return t->rank >= 2 && t->dim[0] > 0 ? (int64_t) (t->count / (uint64_t) t->dim[0]) : 0;
}

/* A core [a, b, kh, kw]. */
static bool
is_core (const PmtSafetensor *t, int64_t a, int64_t b, int64_t taps)
{
  return t->rank == 4 && t->dim[0] == a && t->dim[1] == b && is_matrix (t, a, b * taps);
}

static bool
pair_fits (const PmtLoraModule *m, Want w)
{
  const PmtSafetensor *up = m->tensor[PMT_LORA_UP], *down = m->tensor[PMT_LORA_DOWN], *mid = m->tensor[PMT_LORA_MID];
  const int64_t rank = rows_of (down);
  if (!mid)
    return is_matrix (down, rank, w.in * w.taps) && is_matrix (up, w.rows, rank);
  return is_matrix (down, rank, w.in) && mid->rank == 4 && is_core (mid, mid->dim[0], rank, w.taps) && is_matrix (up, w.rows, mid->dim[0]);
}

static bool
hada_fits (const PmtLoraModule *m, PmtLoraRole a_role, PmtLoraRole b_role, PmtLoraRole core_role, Want w)
{
  const PmtSafetensor *a = m->tensor[a_role], *b = m->tensor[b_role], *core = m->tensor[core_role];
  const int64_t rank = rows_of (b);
  if (!core)
    return is_matrix (b, rank, w.in * w.taps) && is_matrix (a, w.rows, rank);
  return is_matrix (b, rank, w.in) && is_matrix (a, rows_of (a), w.rows) && is_core (core, rows_of (a), rank, w.taps);
}

/* Size of one factor of a Kronecker product; false when its parts do not belong together. */
static bool
factor_size (const PmtSafetensor *whole, const PmtSafetensor *a, const PmtSafetensor *b, const PmtSafetensor *core, int64_t taps,
             int64_t *rows, int64_t *columns)
{
  if (whole) {
    *rows = rows_of (whole);
    *columns = columns_of (whole);
  } else if (core) {
    *rows = columns_of (a);
    *columns = columns_of (b) * taps;
    if (!is_core (core, rows_of (a), rows_of (b), taps))
      return false;
  } else {
    *rows = rows_of (a);
    *columns = columns_of (b);
    if (columns_of (a) != rows_of (b))
      return false;
  }
  return *rows > 0 && *columns > 0;
}

static bool
kron_fits (const PmtLoraModule *m, Want w)
{
  int64_t a, b, c, d;
  return factor_size (m->tensor[PMT_LORA_LOKR_W1], m->tensor[PMT_LORA_LOKR_W1_A], m->tensor[PMT_LORA_LOKR_W1_B], NULL, 1, &a, &b) &&
         factor_size (m->tensor[PMT_LORA_LOKR_W2], m->tensor[PMT_LORA_LOKR_W2_A], m->tensor[PMT_LORA_LOKR_W2_B], m->tensor[PMT_LORA_LOKR_T2],
                      w.taps, &c, &d) &&
         c <= w.rows && d <= w.in * w.taps && w.rows % c == 0 && w.rows / c == a && d % w.taps == 0 && w.in % (d / w.taps) == 0 &&
         w.in / (d / w.taps) == b;
}

gboolean
pmt_lora_fits (const PmtLoraModule *m, int64_t rows, const PmtLoraWeight *weight)
{
  const PmtSafetensor *dora = m->tensor[PMT_LORA_DORA], *magnitude = m->tensor[PMT_LORA_MAGNITUDE];
  Want w = { rows, weight->rank > 1 ? weight->dim[1] : 1, 1 };
  for (int i = 2; i < weight->rank; i++)
    w.taps *= weight->dim[i];
  if (dora && !is_matrix (dora, rows, 1) && dora->count != (uint64_t) w.in)
    return FALSE;
  if (magnitude && magnitude->count != (uint64_t) rows)
    return FALSE;
  switch (m->kind) {
    case PMT_LORA_PAIR:
      return pair_fits (m, w);
    case PMT_LORA_HADA:
      return hada_fits (m, PMT_LORA_HADA_W1_A, PMT_LORA_HADA_W1_B, PMT_LORA_HADA_T1, w) &&
             hada_fits (m, PMT_LORA_HADA_W2_A, PMT_LORA_HADA_W2_B, PMT_LORA_HADA_T2, w);
    case PMT_LORA_KRON:
      return kron_fits (m, w);
    default:
      return is_matrix (m->tensor[PMT_LORA_DIFF], rows, w.in * w.taps);
  }
}
