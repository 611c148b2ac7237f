/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The arithmetic: a module's difference in bands of rows, added to packed weights. Inside, a row's values lie as [kernel taps][inputs], the
 * order of packed convolutions; for matrices both orders are the same. */
#include <math.h>
#include <string.h>

#include "engine/base/arena.h"
#include "engine/kernels/blas.h"
#include "engine/weights/lora_parts.h"

#define BAND ((int64_t) 1 << 20) /* values of a weight that are worked on at a time */

/* left [rows, k] times right [k, n]. left lies transposed where it comes from a Tucker form. */
typedef struct Product {
  const float *left, *right;
  bool left_trans;
  int64_t k;
} Product;

typedef struct Work {
  const PmtLora *lora;
  const PmtLoraModule *module;
  int64_t all_rows, in, taps, n; /* of the weight as a matrix; n = in * taps */
  bool taps_last;                /* the weight is not packed: its rows are [inputs][taps] */
  PmtArena *arena;
  const PmtCancel *cancel;
  GError **error;

  Product product[2];   /* one for a pair, two for a LoHa */
  const float *kron[2]; /* [a, b] and [c, taps, d] */
  int64_t kron_rows, kron_columns; /* c, d */
  int64_t kron_left; /* b */
} Work;

/* ---- reading ------------------------------------------------------------------------------------------------------------ */

static float *
room (Work *w, int64_t count)
{
  return pmt_arena_alloc (w->arena, (size_t) count * sizeof (float), w->error);
}

/* All values as stored. */
static float *
read_plain (Work *w, const PmtSafetensor *t)
{
  float *values = room (w, (int64_t) t->count);
  return values && pmt_safetensors_read_f32 (w->lora->file, t, 0, t->count, values, w->error) ? values : NULL;
}

/* `rows` rows of [inputs][taps] become [taps][inputs]. */
static void
taps_first (const float *from, float *to, int64_t rows, int64_t in, int64_t taps)
{
  for (int64_t r = 0; r < rows; r++)
    for (int64_t i = 0; i < in; i++)
      for (int64_t t = 0; t < taps; t++)
        to[(r * taps + t) * in + i] = from[(r * in + i) * taps + t];
}

/* A tensor of rows of [inputs][taps], taps first. */
static float *
read_rows (Work *w, const PmtSafetensor *t, int64_t in, int64_t taps)
{
  float *stored = read_plain (w, t);
  if (!stored || taps == 1)
    return stored;
  float *values = room (w, (int64_t) t->count);
  if (values)
    taps_first (stored, values, (int64_t) t->count / (in * taps), in, taps);
  return values;
}

static gboolean
multiply (Work *w, const PmtGemm *g)
{
  if (pmt_gemm (w->cancel, g))
    return TRUE;
  g_set_error (w->error, PMT_ERROR, PMT_ERROR_CANCELLED, _("Applying the LoRA was cancelled."));
  return FALSE;
}

/* A core [a, b, kh, kw] times right [b, inner] -> [a][taps][inner]. */
static float *
contract (Work *w, const PmtSafetensor *core, const float *right, int64_t inner)
{
  const int64_t a = core->dim[0], b = core->dim[1], taps = w->taps;
  float *ordered = read_rows (w, core, b, taps), *out = room (w, a * taps * inner);
  const PmtGemm g = { .m = a * taps, .n = inner, .k = b, .alpha = 1, .a = ordered, .lda = b, .b = right, .ldb = inner, .c = out, .ldc = inner };
  return ordered && out && multiply (w, &g) ? out : NULL;
}

static gboolean
prepare_pair (Work *w)
{
  const PmtSafetensor *const *t = w->module->tensor;
  const PmtSafetensor *mid = t[PMT_LORA_MID];
  const float *up = read_plain (w, t[PMT_LORA_UP]);
  const float *down = mid ? read_plain (w, t[PMT_LORA_DOWN]) : read_rows (w, t[PMT_LORA_DOWN], w->in, w->taps);
  if (mid && down)
    down = contract (w, mid, down, w->in);
  w->product[0] = (Product) { up, down, false, mid ? mid->dim[0] : t[PMT_LORA_DOWN]->dim[0] };
  return up && down;
}

static gboolean
prepare_hada (Work *w)
{
  static const PmtLoraRole roles[2][3] = { { PMT_LORA_HADA_W1_A, PMT_LORA_HADA_W1_B, PMT_LORA_HADA_T1 },
                                           { PMT_LORA_HADA_W2_A, PMT_LORA_HADA_W2_B, PMT_LORA_HADA_T2 } };
  for (int i = 0; i < 2; i++) {
    const PmtSafetensor *a = w->module->tensor[roles[i][0]], *b = w->module->tensor[roles[i][1]], *core = w->module->tensor[roles[i][2]];
    const float *left = read_plain (w, a), *right = core ? read_plain (w, b) : read_rows (w, b, w->in, w->taps);
    if (core && right)
      right = contract (w, core, right, w->in);
    if (!left || !right)
      return FALSE;
    w->product[i] = (Product) { left, right, core != NULL, core ? a->dim[0] : b->dim[0] };
  }
  return TRUE;
}

/* One factor of a Kronecker product, [rows][taps][columns]. */
static const float *
read_factor (Work *w, PmtLoraRole whole_role, PmtLoraRole a_role, PmtLoraRole b_role, const PmtSafetensor *core, int64_t taps, int64_t *rows,
             int64_t *columns)
{
  const PmtSafetensor *whole = w->module->tensor[whole_role], *a = w->module->tensor[a_role], *b = w->module->tensor[b_role];
  if (whole) {
    *rows = whole->dim[0];
    *columns = (int64_t) whole->count / *rows / taps;
    return read_rows (w, whole, *columns, taps);
  }
  const int64_t k = a->dim[core ? 0 : 1];
  *rows = core ? (int64_t) a->count / k : a->dim[0];
  *columns = (int64_t) b->count / b->dim[0] / (core ? 1 : taps);
  const float *left = read_plain (w, a), *right = core ? read_plain (w, b) : read_rows (w, b, *columns, taps);
  if (core && right)
    right = contract (w, core, right, *columns);
  const int64_t n = *columns * taps;
  float *out = left && right ? room (w, *rows * n) : NULL;
  const PmtGemm g = { .trans_a = core != NULL, .m = *rows, .n = n, .k = k, .alpha = 1, .a = left, .lda = core ? *rows : k, .b = right,
                      .ldb = n, .c = out, .ldc = n };
  return out && multiply (w, &g) ? out : NULL;
}

static gboolean
prepare_kron (Work *w)
{
  int64_t rows;
  w->kron[0] = read_factor (w, PMT_LORA_LOKR_W1, PMT_LORA_LOKR_W1_A, PMT_LORA_LOKR_W1_B, NULL, 1, &rows, &w->kron_left);
  if (!w->kron[0])
    return FALSE;
  w->kron[1] = read_factor (w, PMT_LORA_LOKR_W2, PMT_LORA_LOKR_W2_A, PMT_LORA_LOKR_W2_B, w->module->tensor[PMT_LORA_LOKR_T2], w->taps,
                            &w->kron_rows, &w->kron_columns);
  return w->kron[1] != NULL;
}

/* ---- the difference ------------------------------------------------------------------------------------------------------ */

static gboolean
multiply_rows (Work *w, const Product *p, int64_t first, int64_t count, float *out)
{
  const PmtGemm g = { .trans_a = p->left_trans, .m = count, .n = w->n, .k = p->k, .alpha = 1,
                      .a = p->left_trans ? p->left + first : p->left + first * p->k, .lda = p->left_trans ? w->all_rows : p->k,
                      .b = p->right, .ldb = w->n, .c = out, .ldc = w->n };
  return multiply (w, &g);
}

static void
kron_rows (const Work *w, int64_t first, int64_t count, float *out)
{
  const int64_t c = w->kron_rows, d = w->kron_columns;
  for (int64_t r = first; r < first + count; r++)
    for (int64_t t = 0; t < w->taps; t++)
      for (int64_t i = 0; i < w->in; i++)
        *out++ = w->kron[0][(r / c) * w->kron_left + i / d] * w->kron[1][((r % c) * w->taps + t) * d + i % d];
}

static gboolean
full_rows (const Work *w, int64_t first, int64_t count, float *out, float *spare)
{
  const PmtSafetensor *t = w->module->tensor[PMT_LORA_DIFF];
  float *stored = w->taps > 1 ? spare : out;
  if (!pmt_safetensors_read_f32 (w->lora->file, t, (uint64_t) (first * w->n), (uint64_t) (count * w->n), stored, w->error))
    return FALSE;
  if (w->taps > 1)
    taps_first (stored, out, count, w->in, w->taps);
  return TRUE;
}

/* Rows [first, first + count) of the module's difference, without its scale; `spare` has the same room. */
static gboolean
difference (Work *w, int64_t first, int64_t count, float *out, float *spare)
{
  switch (w->module->kind) {
    case PMT_LORA_PAIR:
      return multiply_rows (w, &w->product[0], first, count, out);
    case PMT_LORA_HADA:
      if (!multiply_rows (w, &w->product[0], first, count, out) || !multiply_rows (w, &w->product[1], first, count, spare))
        return FALSE;
      for (int64_t i = 0; i < count * w->n; i++)
        out[i] *= spare[i];
      return TRUE;
    case PMT_LORA_KRON:
      kron_rows (w, first, count, out);
      return TRUE;
    default:
      return full_rows (w, first, count, out, spare);
  }
}

/* Where value i of a row in our order lies in the weight's. */
static inline int64_t
place (const Work *w, int64_t i)
{
  return w->taps_last ? (i % w->in) * w->taps + i / w->in : i;
}

/* out += factor * band */
static void
add_rows (const Work *w, const float *band, int64_t count, float factor, float *out)
{
  if (!w->taps_last) {
    for (int64_t i = 0; i < count * w->n; i++)
      out[i] += factor * band[i];
    return;
  }
  for (int64_t r = 0; r < count; r++)
    for (int64_t i = 0; i < w->n; i++)
      out[r * w->n + place (w, i)] += factor * band[r * w->n + i];
}

/* ---- DoRA: the length of each row (or of each input's column) is learned apart from its direction ------------------------ */

typedef struct Dora {
  const float *length; /* [all_rows], or [in] */
  bool by_column;
  double *squares;     /* of each column, when by column */
} Dora;

/* What a row or column of W + m difference is multiplied by. The strength also draws the learned length towards the present one
 * (LyCORIS); at 1 this is the learned length over the present one. */
static double
rescale (double length, double norm, double strength)
{
  return norm > 0 ? strength * (length / norm - 1) + 1 : 1;
}

/* out += (W + m difference) rescaled - W, for rows whose first one is `first` in the module and `row` in the weight. */
static void
dora_rows (const Work *w, const Dora *dora, int64_t first, int64_t row, int64_t count, const float *band, double strength, const float *base,
           float *out)
{
  const double m = strength * w->module->scale;
  for (int64_t r = 0; r < count; r++) {
    const float *own = base + (row + r) * w->n, *change = band + r * w->n;
    float *to = out + (row + r) * w->n;
    double norm = 0, factor = 1;
    for (int64_t i = 0; i < w->n && !dora->by_column; i++) {
      const double v = own[place (w, i)] + m * change[i];
      norm += v * v;
    }
    if (!dora->by_column)
      factor = rescale (dora->length[first + r], sqrt (norm), strength);
    for (int64_t i = 0; i < w->n; i++) {
      if (dora->by_column)
        factor = rescale (dora->length[i % w->in], sqrt (dora->squares[i % w->in]), strength);
      const double own_value = own[place (w, i)];
      to[place (w, i)] += (float) ((own_value + m * change[i]) * factor - own_value);
    }
  }
}

static void
add_squares (const Work *w, const Dora *dora, int64_t row, int64_t count, const float *band, double strength, const float *base)
{
  const double m = strength * w->module->scale;
  for (int64_t r = 0; r < count; r++)
    for (int64_t i = 0; i < w->n; i++) {
      const double v = base[(row + r) * w->n + place (w, i)] + m * band[r * w->n + i];
      dora->squares[i % w->in] += v * v;
    }
}

static gboolean
prepare_dora (Work *w, Dora *dora)
{
  const PmtSafetensor *t = w->module->tensor[PMT_LORA_MAGNITUDE];
  *dora = (Dora) { 0 };
  if (!t) {
    t = w->module->tensor[PMT_LORA_DORA];
    if (!t)
      return TRUE;
    dora->by_column = t->dim[0] != w->all_rows;
  }
  dora->length = read_plain (w, t);
  if (dora->length && dora->by_column) {
    dora->squares = pmt_arena_alloc (w->arena, (size_t) w->in * sizeof (double), w->error);
    if (!dora->squares)
      return FALSE;
    memset (dora->squares, 0, (size_t) w->in * sizeof (double));
  }
  return dora->length != NULL;
}

/* ---- one patch ------------------------------------------------------------------------------------------------------------ */

static gboolean
stopped (Work *w)
{
  if (!pmt_cancelled (w->cancel))
    return FALSE;
  g_set_error (w->error, PMT_ERROR, PMT_ERROR_CANCELLED, _("Applying the LoRA was cancelled."));
  return TRUE;
}

static gboolean
apply_bands (Work *w, const PmtLoraPatch *patch, double strength, const float *base, float *out)
{
  const int64_t at_once = CLAMP (BAND / w->n, 1, patch->rows);
  Dora dora;
  float *band = room (w, at_once * w->n), *spare = room (w, at_once * w->n);
  if (!band || !spare || !prepare_dora (w, &dora))
    return FALSE;
  for (int pass = dora.by_column ? 0 : 1; pass < 2; pass++) {
    for (int64_t row = 0; row < patch->rows; row += at_once) {
      const int64_t count = MIN (at_once, patch->rows - row);
      if (stopped (w) || !difference (w, patch->row + row, count, band, spare))
        return FALSE;
      if (pass == 0)
        add_squares (w, &dora, row, count, band, strength, base);
      else if (dora.length)
        dora_rows (w, &dora, patch->row + row, row, count, band, strength, base, out);
      else
        add_rows (w, band, count, (float) strength * w->module->scale, out + row * w->n);
    }
  }
  return TRUE;
}

/* Enough for everything that is read and made from it. */
static size_t
arena_size (const PmtLoraModule *m, int64_t n, int64_t rows)
{
  size_t values = (size_t) (3 * MAX (BAND, n) + rows + n) * 2;
  for (int role = 0; role < PMT_LORA_N_ROLES; role++) {
    const PmtSafetensor *t = m->tensor[role];
    if (!t || role == PMT_LORA_DIFF)
      continue;
    values += 2 * (size_t) t->count;
    if (role == PMT_LORA_MID || role == PMT_LORA_HADA_T1 || role == PMT_LORA_HADA_T2 || role == PMT_LORA_LOKR_T2)
      values += (size_t) t->dim[0] * (size_t) n;
  }
  if (m->kind == PMT_LORA_KRON)
    values += 2 * (size_t) rows * (size_t) n;
  return values * sizeof (float) + (1 << 16);
}

static gboolean
apply_main (Work *w, const PmtLoraPatch *patch, double strength, const float *base, float *out)
{
  if (w->module->kind == PMT_LORA_PAIR && !prepare_pair (w))
    return FALSE;
  if (w->module->kind == PMT_LORA_HADA && !prepare_hada (w))
    return FALSE;
  if (w->module->kind == PMT_LORA_KRON && !prepare_kron (w))
    return FALSE;
  return apply_bands (w, patch, strength, base, out);
}

static gboolean
apply_bias (Work *w, const PmtLoraPatch *patch, double strength, float *out)
{
  const PmtSafetensor *t = w->module->tensor[PMT_LORA_DIFF_BIAS];
  const float scale = (float) strength * (t ? 1.0f : w->module->scale);
  const float *values = read_plain (w, t ? t : w->module->tensor[PMT_LORA_UP_BIAS]);
  for (int64_t i = 0; values && i < patch->rows; i++)
    out[i] += scale * values[patch->row + i];
  return values != NULL;
}

static gboolean
apply_patch (const PmtLora *lora, const PmtLoraPatch *patch, double strength, const float *base, float *out, const PmtCancel *cancel,
             GError **error)
{
  const PmtLoraWeight *weight = &lora->weights[patch->weight];
  Work w = { .lora = lora, .module = patch->module, .all_rows = patch->all_rows, .in = weight->rank > 1 ? weight->dim[1] : 1, .taps = 1,
             .cancel = cancel, .error = error };
  for (int i = 2; i < weight->rank; i++)
    w.taps *= weight->dim[i];
  w.n = w.in * w.taps;
  w.taps_last = w.taps > 1 && weight->layout == PMT_LAYOUT_PLAIN;
  w.arena = pmt_arena_new ("the LoRA's factors", arena_size (w.module, w.n, patch->all_rows), error);
  if (!w.arena)
    return FALSE;
  const gboolean ok = patch->bias ? apply_bias (&w, patch, strength, out) : apply_main (&w, patch, strength, base, out);
  pmt_arena_free (w.arena);
  return ok;
}

gboolean
pmt_lora_apply (const PmtLora *lora, guint weight, double strength, const float *base, float *out, const PmtCancel *cancel, GError **error)
{
  for (guint i = 0; i < lora->patches->len; i++) {
    const PmtLoraPatch *patch = &g_array_index (lora->patches, PmtLoraPatch, i);
    if (patch->weight == weight && !apply_patch (lora, patch, strength, base, out, cancel, error))
      return FALSE;
  }
  pmt_safetensors_drop_pages (lora->file);
  return TRUE;
}
