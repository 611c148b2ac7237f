/* SPDX-License-Identifier: GPL-3.0-or-later */
/* softmax(q k^T / sqrt(d)) v (Vaswani et al. 2017). In bytes (attention_int8.c) or over tiles (attention_tiles.c) where the CPU's level has them
 * and the precision is for it; else, and for gradients, as products of OpenBLAS: a block of queries of one head at a time against a tile of keys at
 * a time, so that a block's logits for one tile are all that exists of them. Between tiles the running maximum and sum of Milakov & Gimelshein
 * (2018) keep the softmax exact. Blocks run on all threads, each with one-threaded products. */
#include <math.h>

#include "engine/ops/attention_int8.h"
#include "engine/ops/attention_tiles.h"

/* Keys per tile: with 256 queries a tile's logits are 512 KB, which stay in a core's second-level cache between the two products. */
enum { TILE = 512 };

typedef struct Attention {
  const PmtKernels *k;
  const PmtCancel *cancel;
  PmtHeads h;
  const float *q, *key, *v;
  float *out;
  float *scratch; /* one Scratch per thread */
  size_t tile;    /* keys per tile */
} Attention;

/* What a block needs: logits [block, tile], and per query the largest logit so far (times factor) and the sum of exponentials. */
typedef struct Scratch {
  float *logits, *top, *sum;
} Scratch;

static size_t
scratch_size (const PmtHeads *h, size_t tile)
{
  return h->block * (tile + 2);
}

static bool
has_tiles (const PmtOpCall *call)
{
  const PmtAttentionParams *p = call->params;
  return pmt_attention_tiles_exist (call->ctx->kernels, p->precision);
}

static gboolean
shape (const PmtOpCall *call, PmtShape *out, GError **error)
{
  PmtShape q = call->in[0].shape, k = call->in[1].shape, v = call->in[2].shape;
  const char *why = pmt_heads_misfit (&q, &k, call->params);
  if (!why && !pmt_shape_equal (&k, &v))
    why = "keys and values differ in shape";
  if (!why && !has_tiles (call) && ((const PmtAttentionParams *) call->params)->precision != PMT_PRECISION_F32)
    why = "this CPU's level has no such products; ask for f32";
  *out = q;
  return !why || pmt_shape_error (call, "attention", why, error);
}

static double
flops (const PmtOpCall *call)
{
  PmtHeads h = pmt_heads (&call->in[0].shape, &call->in[1].shape, call->params);
  return 4.0 * (double) (h.rows * h.t) * (double) (h.s * h.c);
}

static size_t
workspace (const PmtOpCall *call)
{
  if (pmt_attention_int8_fits (call))
    return pmt_attention_int8_workspace (call);
  if (has_tiles (call))
    return pmt_attention_tiles_workspace (call);
  PmtHeads h = pmt_heads (&call->in[0].shape, &call->in[1].shape, call->params);
  return (size_t) pmt_threads () * scratch_size (&h, MIN (TILE, h.s)) * sizeof (float);
}

/* Logits of one tile become exponentials under the new maximum; what was summed under the old one shrinks to match. */
static void
tile_softmax (const Attention *a, const Scratch *s, float *out, size_t first, size_t count, size_t key, size_t keys)
{
  const PmtHeads *h = &a->h;
  for (size_t i = 0; i < count; i++) {
    size_t visible = pmt_heads_visible (h, first + i);
    size_t n = visible > key ? MIN (visible - key, keys) : 0;
    float *line = s->logits + i * keys;
    float top = MAX (s->top[i], h->factor * a->k->max (line, n));
    /* Nothing but -inf so far: any finite maximum gives the zeros that belong there. */
    float about = top == -INFINITY ? 0.0f : top;
    float shrink = expf (s->top[i] - about);
    s->sum[i] = s->sum[i] * shrink + a->k->exp_sum (line, h->factor, about, line, n);
    s->top[i] = top;
    memset (line + n, 0, (keys - n) * sizeof (float));
    if (key > 0 && shrink != 1.0f)
      a->k->scale (out + i * h->c, shrink, out + i * h->c, h->d);
  }
}

static void
block_run (const Attention *a, size_t row, size_t head, size_t first)
{
  const PmtHeads *h = &a->h;
  size_t count = MIN (h->block, h->t - first);
  const float *q = a->q + (row * h->t + first) * h->c + head * h->d;
  const float *k = a->key + row * h->s * h->c + head * h->d, *v = a->v + row * h->s * h->c + head * h->d;
  float *out = a->out + (row * h->t + first) * h->c + head * h->d;
  Scratch s = { .logits = a->scratch + (size_t) pmt_threads_index () * scratch_size (h, a->tile) };
  s.top = s.logits + h->block * a->tile;
  s.sum = s.top + h->block;
  for (size_t i = 0; i < count; i++) {
    s.top[i] = -INFINITY;
    s.sum[i] = 0;
  }

  /* Keys that no query of this block may see are left out. */
  size_t seen = pmt_heads_visible (h, first + count - 1);
  for (size_t key = 0; key < seen && !pmt_cancelled (a->cancel); key += a->tile) {
    size_t keys = MIN (a->tile, seen - key);
    PmtGemm qk = { .trans_b = true, .m = (int64_t) count, .n = (int64_t) keys, .k = (int64_t) h->d, .alpha = 1, .a = q,
                   .lda = (int64_t) h->c, .b = k + key * h->c, .ldb = (int64_t) h->c, .beta = 0, .c = s.logits,
                   .ldc = (int64_t) keys };
    pmt_gemm_serial (&qk);
    tile_softmax (a, &s, out, first, count, key, keys);
    PmtGemm pv = { .m = (int64_t) count, .n = (int64_t) h->d, .k = (int64_t) keys, .alpha = 1, .a = s.logits,
                   .lda = (int64_t) keys, .b = v + key * h->c, .ldb = (int64_t) h->c, .beta = key > 0 ? 1 : 0, .c = out,
                   .ldc = (int64_t) h->c };
    pmt_gemm_serial (&pv);
  }
  /* Softmax's division, on d results instead of s probabilities. */
  for (size_t i = 0; i < count; i++)
    a->k->scale (out + i * h->c, 1.0f / s.sum[i], out + i * h->c, h->d);
}

static void
range (void *user, size_t begin, size_t end)
{
  const Attention *a = user;
  for (size_t item = begin; item < end; item++) {
    size_t block = item % a->h.blocks, head = item / a->h.blocks % a->h.heads, row = item / a->h.blocks / a->h.heads;
    block_run (a, row, head, block * a->h.block);
  }
}

static Attention
attention_of (const PmtOpCall *call)
{
  PmtHeads h = pmt_heads (&call->in[0].shape, &call->in[1].shape, call->params);
  return (Attention) { .k = call->ctx->kernels, .cancel = call->ctx->cancel, .h = h, .q = call->in[0].data,
                       .key = call->in[1].data, .v = call->in[2].data, .out = call->out.data,
                       .scratch = call->workspace, .tile = MIN (TILE, h.s) };
}

static void
forward (PmtOpCall *call)
{
  if (pmt_attention_int8_fits (call)) {
    pmt_attention_int8_forward (call);
    return;
  }
  if (has_tiles (call)) {
    pmt_attention_tiles_forward (call);
    return;
  }
  Attention a = attention_of (call);
  pmt_op_parallel (call->ctx, a.h.rows * a.h.heads * a.h.blocks, 1, range, &a);
}

/* Backward makes the probabilities again, for a block of queries at a time, against all keys. */
enum { BACKWARD_BLOCK = 64 };

typedef struct Backward {
  Attention a;
  const float *dout;
  float *dq, *dkey, *dv;
} Backward;

static size_t
backward_scratch (const PmtHeads *h)
{
  return 2 * MIN (BACKWARD_BLOCK, h->t) * h->s;
}

static size_t
backward_workspace (const PmtOpCall *call)
{
  PmtHeads h = pmt_heads (&call->in[0].shape, &call->in[1].shape, call->params);
  return (size_t) pmt_threads () * backward_scratch (&h) * sizeof (float);
}

/* c[m, n] (row stride ldc) = or += alpha op(a) op(b), for matrices of one head. */
static void
head_product (bool trans_a, bool trans_b, size_t m, size_t n, size_t k, float alpha, const float *a, size_t lda,
              const float *b, size_t ldb, float beta, float *c, size_t ldc)
{
  PmtGemm g = { .trans_a = trans_a, .trans_b = trans_b, .m = (int64_t) m, .n = (int64_t) n, .k = (int64_t) k,
                .alpha = alpha, .a = a, .lda = (int64_t) lda, .b = b, .ldb = (int64_t) ldb, .beta = beta, .c = c,
                .ldc = (int64_t) ldc };
  pmt_gemm_serial (&g);
}

/* P becomes the probabilities, D = dout v^T their gradient and then that of the logits: P (D - sum(P D)). */
static void
logits_gradient (const Backward *b, float *p, float *d, size_t first, size_t count)
{
  const PmtHeads *h = &b->a.h;
  for (size_t i = 0; i < count; i++) {
    size_t visible = pmt_heads_visible (h, first + i);
    float *pi = p + i * h->s, *di = d + i * h->s;
    b->a.k->softmax (pi, h->factor, pi, visible);
    memset (pi + visible, 0, (h->s - visible) * sizeof (float));
    float total = b->a.k->dot (pi, di, visible);
    for (size_t j = 0; j < h->s; j++)
      di[j] = pi[j] * (di[j] - total);
  }
}

/* A whole head: its blocks add to the same dkey and dv, in order. */
static void
backward_head (const Backward *b, size_t row, size_t head)
{
  const PmtHeads *h = &b->a.h;
  size_t k_at = row * h->s * h->c + head * h->d, c = h->c;
  const float *k = b->a.key + k_at, *v = b->a.v + k_at;
  float *p = b->a.scratch + (size_t) pmt_threads_index () * backward_scratch (h), *d = p + backward_scratch (h) / 2;
  for (size_t first = 0; first < h->t && !pmt_cancelled (b->a.cancel); first += BACKWARD_BLOCK) {
    size_t count = MIN (BACKWARD_BLOCK, h->t - first), q_at = (row * h->t + first) * c + head * h->d;
    const float *q = b->a.q + q_at, *dout = b->dout + q_at;
    head_product (false, true, count, h->s, h->d, 1, q, c, k, c, 0, p, h->s);
    head_product (false, true, count, h->s, h->d, 1, dout, c, v, c, 0, d, h->s);
    logits_gradient (b, p, d, first, count);
    if (b->dv)
      head_product (true, false, h->s, h->d, count, 1, p, h->s, dout, c, 1, b->dv + k_at, c);
    if (b->dq)
      head_product (false, false, count, h->d, h->s, h->factor, d, h->s, k, c, 1, b->dq + q_at, c);
    if (b->dkey)
      head_product (true, false, h->s, h->d, count, h->factor, d, h->s, q, c, 1, b->dkey + k_at, c);
  }
}

static void
backward_range (void *user, size_t begin, size_t end)
{
  const Backward *b = user;
  for (size_t item = begin; item < end; item++)
    backward_head (b, item / b->a.h.heads, item % b->a.h.heads);
}

static void
backward (PmtOpCall *call, PmtOpGrad *grad)
{
  Backward b = { .a = attention_of (call), .dout = grad->out.data, .dq = grad->in[0].data, .dkey = grad->in[1].data,
                 .dv = grad->in[2].data };
  pmt_op_parallel (call->ctx, b.a.h.rows * b.a.h.heads, 1, backward_range, &b);
}

static void
naive_query (const PmtOpNaive *call, const PmtHeads *h, size_t row, size_t head, size_t i)
{
  const double *q = call->in[0] + (row * h->t + i) * h->c + head * h->d;
  const double *k = call->in[1] + row * h->s * h->c + head * h->d;
  const double *v = call->in[2] + row * h->s * h->c + head * h->d;
  double *out = call->out + (row * h->t + i) * h->c + head * h->d;
  double total = 0;
  memset (out, 0, h->d * sizeof (double));
  for (size_t j = 0; j < pmt_heads_visible (h, i); j++) {
    double dot = 0;
    for (size_t x = 0; x < h->d; x++)
      dot += q[x] * k[j * h->c + x];
    double weight = exp (dot / sqrt ((double) h->d));
    total += weight;
    for (size_t x = 0; x < h->d; x++)
      out[x] += weight * v[j * h->c + x];
  }
  for (size_t x = 0; x < h->d; x++)
    out[x] /= total;
}

static void
naive (const PmtOpNaive *call)
{
  PmtHeads h = pmt_heads (&call->in_shape[0], &call->in_shape[1], call->params);
  for (size_t row = 0; row < h.rows; row++)
    for (size_t head = 0; head < h.heads; head++)
      for (size_t i = 0; i < h.t; i++)
        naive_query (call, &h, row, head, i);
}

static const PmtAttentionParams eight = { 8, false }, one = { 1, false }, three = { 3, false }, causal = { 2, true };

static const PmtOpCase cases[] = {
  { .name = "self", .n_in = 3, .in = { { 3, { 2, 49, 64 } }, { 3, { 2, 49, 64 } }, { 3, { 2, 49, 64 } } }, .params = &eight, .rowwise = 7 },
  { .name = "cross", .n_in = 3, .in = { { 3, { 2, 33, 320 } }, { 3, { 2, 77, 320 } }, { 3, { 2, 77, 320 } } }, .params = &eight, .rowwise = 7 },
  { .name = "odd", .n_in = 3, .in = { { 3, { 3, 5, 21 } }, { 3, { 3, 7, 21 } }, { 3, { 3, 7, 21 } } }, .params = &three, .rowwise = 7 },
  { .name = "one-key", .n_in = 3, .in = { { 3, { 2, 3, 4 } }, { 3, { 2, 1, 4 } }, { 3, { 2, 1, 4 } } }, .params = &one, .rowwise = 7 },
  { .name = "causal", .n_in = 3, .in = { { 3, { 2, 77, 24 } }, { 3, { 2, 77, 24 } }, { 3, { 2, 77, 24 } } }, .params = &causal, .rowwise = 7 },
  { .name = "blocks", .n_in = 3, .in = { { 3, { 2, 601, 40 } }, { 3, { 2, 1030, 40 } }, { 3, { 2, 1030, 40 } } }, .params = &one, .rowwise = 7 },
  { .name = "causal-blocks", .n_in = 3, .in = { { 3, { 1, 530, 16 } }, { 3, { 1, 530, 16 } }, { 3, { 1, 530, 16 } } }, .params = &causal, .rowwise = 7 },
  { .name = "sharp", .n_in = 3, .in = { { 3, { 1, 19, 16 } }, { 3, { 1, 23, 16 } }, { 3, { 1, 23, 16 } } }, .params = &one, .rowwise = 7, .scale = { 4, 4 } },
};

const PmtOp pmt_op_attention = {
  .id = "attention",
  .min_in = 3,
  .max_in = 3,
  .shape = shape,
  .workspace = workspace,
  .flops = flops,
  .forward = forward,
  .naive = naive,
  .backward = backward,
  .backward_workspace = backward_workspace,
  .cases = cases,
  .n_cases = PMT_N (cases),
  .tolerance = 3e-6,
  .params_size = sizeof (PmtAttentionParams),
};

PmtTensor
pmt_attention (PmtContext *ctx, PmtTensor q, PmtTensor k, PmtTensor v, PmtAttentionParams p)
{
  return pmt_op_run (ctx, &pmt_op_attention, (PmtTensor[]) { q, k, v }, 3, &p);
}
