/* SPDX-License-Identifier: GPL-3.0-or-later */
/* q k^T / sqrt(d) per head, whole; hidden keys of a causal mask are -infinity. */
#include <math.h>

#include "engine/ops/attention_parts.h"

typedef struct Logits {
  const PmtKernels *k;
  PmtHeads h;
  const float *q, *key;
  float *out;            /* [rows, heads, t, s] */
  const float *dout;
  float *dq, *dkey;
} Logits;

static gboolean
shape (const PmtOpCall *call, PmtShape *out, GError **error)
{
  PmtShape q = call->in[0].shape, k = call->in[1].shape;
  const PmtAttentionParams *p = call->params;
  const char *why = pmt_heads_misfit (&q, &k, p);
  *out = PMT_SHAPE4 (q.dim[0], p->heads, q.dim[1], k.dim[1]);
  return !why || pmt_shape_error (call, "attention_logits", why, error);
}

static double
flops (const PmtOpCall *call)
{
  PmtHeads h = pmt_heads (&call->in[0].shape, &call->in[1].shape, call->params);
  return 2.0 * (double) (h.rows * h.t) * (double) (h.s * h.c);
}

static void
range (void *user, size_t begin, size_t end)
{
  const Logits *l = user;
  const PmtHeads *h = &l->h;
  for (size_t item = begin; item < end; item++) {
    size_t first = item % h->blocks * h->block, head = item / h->blocks % h->heads, row = item / h->blocks / h->heads;
    size_t count = MIN (h->block, h->t - first);
    float *out = l->out + ((row * h->heads + head) * h->t + first) * h->s;
    PmtGemm g = { .trans_b = true, .m = (int64_t) count, .n = (int64_t) h->s, .k = (int64_t) h->d, .alpha = h->factor,
                  .a = l->q + (row * h->t + first) * h->c + head * h->d, .lda = (int64_t) h->c,
                  .b = l->key + row * h->s * h->c + head * h->d, .ldb = (int64_t) h->c, .c = out,
                  .ldc = (int64_t) h->s };
    pmt_gemm_serial (&g);
    for (size_t i = 0; i < count; i++)
      for (size_t j = pmt_heads_visible (h, first + i); j < h->s; j++)
        out[i * h->s + j] = -INFINITY;
  }
}

static void
forward (PmtOpCall *call)
{
  Logits l = { .h = pmt_heads (&call->in[0].shape, &call->in[1].shape, call->params), .q = call->in[0].data,
               .key = call->in[1].data, .out = call->out.data };
  pmt_op_parallel (call->ctx, l.h.rows * l.h.heads * l.h.blocks, 1, range, &l);
}

/* dq += factor dout k, dk += factor dout^T q, one head at a time. Hidden places carry no gradient: softmax gives 0 there, and any
 * other reader of -infinity has none to give. */
static void
backward_range (void *user, size_t begin, size_t end)
{
  const Logits *l = user;
  const PmtHeads *h = &l->h;
  for (size_t item = begin; item < end; item++) {
    size_t head = item % h->heads, row = item / h->heads;
    size_t q_at = row * h->t * h->c + head * h->d, k_at = row * h->s * h->c + head * h->d;
    const float *d = l->dout + item * h->t * h->s;
    PmtGemm dq = { .m = (int64_t) h->t, .n = (int64_t) h->d, .k = (int64_t) h->s, .alpha = h->factor, .a = d,
                   .lda = (int64_t) h->s, .b = l->key + k_at, .ldb = (int64_t) h->c, .beta = 1, .c = l->dq + q_at,
                   .ldc = (int64_t) h->c };
    PmtGemm dk = { .trans_a = true, .m = (int64_t) h->s, .n = (int64_t) h->d, .k = (int64_t) h->t, .alpha = h->factor,
                   .a = d, .lda = (int64_t) h->s, .b = l->q + q_at, .ldb = (int64_t) h->c, .beta = 1,
                   .c = l->dkey + k_at, .ldc = (int64_t) h->c };
    if (l->dq)
      pmt_gemm_serial (&dq);
    if (l->dkey)
      pmt_gemm_serial (&dk);
  }
}

static void
backward (PmtOpCall *call, PmtOpGrad *grad)
{
  Logits l = { .h = pmt_heads (&call->in[0].shape, &call->in[1].shape, call->params), .q = call->in[0].data,
               .key = call->in[1].data, .dout = grad->out.data, .dq = grad->in[0].data, .dkey = grad->in[1].data };
  pmt_op_parallel (call->ctx, l.h.rows * l.h.heads, 1, backward_range, &l);
}

static void
naive (const PmtOpNaive *call)
{
  PmtHeads h = pmt_heads (&call->in_shape[0], &call->in_shape[1], call->params);
  double *out = call->out;
  for (size_t row = 0; row < h.rows; row++)
    for (size_t head = 0; head < h.heads; head++)
      for (size_t i = 0; i < h.t; i++)
        for (size_t j = 0; j < h.s; j++) {
          double dot = 0;
          for (size_t x = head * h.d; x < (head + 1) * h.d; x++)
            dot += call->in[0][(row * h.t + i) * h.c + x] * call->in[1][(row * h.s + j) * h.c + x];
          *out++ = j < pmt_heads_visible (&h, i) ? dot / sqrt ((double) h.d) : -INFINITY;
        }
}

static const PmtAttentionParams four = { 4, false }, three = { 3, false }, causal = { 2, true };

static const PmtOpCase cases[] = {
  { .name = "cross", .n_in = 2, .in = { { 3, { 2, 33, 64 } }, { 3, { 2, 77, 64 } } }, .params = &four, .rowwise = 3 },
  { .name = "odd", .n_in = 2, .in = { { 3, { 3, 5, 21 } }, { 3, { 3, 7, 21 } } }, .params = &three, .rowwise = 3 },
  { .name = "causal", .n_in = 2, .in = { { 3, { 2, 19, 12 } }, { 3, { 2, 19, 12 } } }, .params = &causal, .rowwise = 3 },
  { .name = "blocks", .n_in = 2, .in = { { 3, { 1, 300, 16 } }, { 3, { 1, 1100, 16 } } }, .params = &four, .rowwise = 3 },
};

const PmtOp pmt_op_attention_logits = {
  .id = "attention_logits",
  .min_in = 2,
  .max_in = 2,
  .shape = shape,
  .flops = flops,
  .forward = forward,
  .naive = naive,
  .backward = backward,
  .cases = cases,
  .n_cases = PMT_N (cases),
  .tolerance = 1e-6,
  .params_size = sizeof (PmtAttentionParams),
};

PmtTensor
pmt_attention_logits (PmtContext *ctx, PmtTensor q, PmtTensor k, PmtAttentionParams p)
{
  return pmt_op_run (ctx, &pmt_op_attention_logits, (PmtTensor[]) { q, k }, 2, &p);
}
