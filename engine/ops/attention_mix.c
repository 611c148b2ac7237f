/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Probabilities [N, heads, T, S] times values [N, S, C], heads side by side in the result. */
#include "engine/ops/attention_parts.h"

typedef struct Mix {
  PmtHeads h;
  const float *probs, *v;
  float *out;
  const float *dout;
  float *dprobs, *dv;
} Mix;

static gboolean
shape (const PmtOpCall *call, PmtShape *out, GError **error)
{
  PmtShape probs = call->in[0].shape, v = call->in[1].shape;
  const PmtAttentionParams *p = call->params;
  const char *why = NULL;
  if (probs.rank != 4 || v.rank != 3)
    why = "probabilities are rows x heads x queries x keys, and values rows x keys x width";
  else if (probs.dim[0] != v.dim[0] || probs.dim[3] != v.dim[1])
    why = "probabilities and values differ in rows or keys";
  else if (probs.dim[1] != p->heads || p->heads < 1 || v.dim[2] < p->heads || v.dim[2] % p->heads != 0)
    why = "the width does not divide into the heads";
  *out = PMT_SHAPE3 (v.dim[0], probs.dim[2], v.dim[2]);
  return !why || pmt_shape_error (call, "attention_mix", why, error);
}

static PmtHeads
heads_of (const PmtShape *probs, const PmtShape *v, const PmtAttentionParams *p)
{
  PmtShape q = PMT_SHAPE3 (v->dim[0], probs->dim[2], v->dim[2]);
  return pmt_heads (&q, v, p);
}

static double
flops (const PmtOpCall *call)
{
  PmtHeads h = heads_of (&call->in[0].shape, &call->in[1].shape, call->params);
  return 2.0 * (double) (h.rows * h.t) * (double) (h.s * h.c);
}

static void
range (void *user, size_t begin, size_t end)
{
  const Mix *m = user;
  const PmtHeads *h = &m->h;
  for (size_t item = begin; item < end; item++) {
    size_t first = item % h->blocks * h->block, head = item / h->blocks % h->heads, row = item / h->blocks / h->heads;
    PmtGemm g = { .m = (int64_t) MIN (h->block, h->t - first), .n = (int64_t) h->d, .k = (int64_t) h->s, .alpha = 1,
                  .a = m->probs + ((row * h->heads + head) * h->t + first) * h->s, .lda = (int64_t) h->s,
                  .b = m->v + row * h->s * h->c + head * h->d, .ldb = (int64_t) h->c,
                  .c = m->out + (row * h->t + first) * h->c + head * h->d, .ldc = (int64_t) h->c };
    pmt_gemm_serial (&g);
  }
}

static void
forward (PmtOpCall *call)
{
  Mix m = { .h = heads_of (&call->in[0].shape, &call->in[1].shape, call->params), .probs = call->in[0].data,
            .v = call->in[1].data, .out = call->out.data };
  pmt_op_parallel (call->ctx, m.h.rows * m.h.heads * m.h.blocks, 1, range, &m);
}

/* dprobs += dout v^T, dv += probs^T dout, one head at a time. */
static void
backward_range (void *user, size_t begin, size_t end)
{
  const Mix *m = user;
  const PmtHeads *h = &m->h;
  for (size_t item = begin; item < end; item++) {
    size_t head = item % h->heads, row = item / h->heads;
    size_t out_at = row * h->t * h->c + head * h->d, v_at = row * h->s * h->c + head * h->d;
    PmtGemm dp = { .trans_b = true, .m = (int64_t) h->t, .n = (int64_t) h->s, .k = (int64_t) h->d, .alpha = 1,
                   .a = m->dout + out_at, .lda = (int64_t) h->c, .b = m->v + v_at, .ldb = (int64_t) h->c, .beta = 1,
                   .c = m->dprobs + item * h->t * h->s, .ldc = (int64_t) h->s };
    PmtGemm dv = { .trans_a = true, .m = (int64_t) h->s, .n = (int64_t) h->d, .k = (int64_t) h->t, .alpha = 1,
                   .a = m->probs + item * h->t * h->s, .lda = (int64_t) h->s, .b = m->dout + out_at,
                   .ldb = (int64_t) h->c, .beta = 1, .c = m->dv + v_at, .ldc = (int64_t) h->c };
    if (m->dprobs)
      pmt_gemm_serial (&dp);
    if (m->dv)
      pmt_gemm_serial (&dv);
  }
}

static void
backward (PmtOpCall *call, PmtOpGrad *grad)
{
  Mix m = { .h = heads_of (&call->in[0].shape, &call->in[1].shape, call->params), .probs = call->in[0].data,
            .v = call->in[1].data, .dout = grad->out.data, .dprobs = grad->in[0].data, .dv = grad->in[1].data };
  pmt_op_parallel (call->ctx, m.h.rows * m.h.heads, 1, backward_range, &m);
}

static void
naive (const PmtOpNaive *call)
{
  PmtHeads h = heads_of (&call->in_shape[0], &call->in_shape[1], call->params);
  double *out = call->out;
  for (size_t row = 0; row < h.rows; row++)
    for (size_t i = 0; i < h.t; i++)
      for (size_t x = 0; x < h.c; x++) {
        const double *probs = call->in[0] + ((row * h.heads + x / h.d) * h.t + i) * h.s;
        double sum = 0;
        for (size_t j = 0; j < h.s; j++)
          sum += probs[j] * call->in[1][(row * h.s + j) * h.c + x];
        *out++ = sum;
      }
}

static const PmtAttentionParams four = { 4, false }, three = { 3, false }, one = { 1, false };

static const PmtOpCase cases[] = {
  { .name = "cross", .n_in = 2, .in = { { 4, { 2, 4, 33, 77 } }, { 3, { 2, 77, 64 } } }, .params = &four, .rowwise = 3 },
  { .name = "odd", .n_in = 2, .in = { { 4, { 3, 3, 5, 7 } }, { 3, { 3, 7, 21 } } }, .params = &three, .rowwise = 3 },
  { .name = "blocks", .n_in = 2, .in = { { 4, { 1, 1, 300, 1100 } }, { 3, { 1, 1100, 8 } } }, .params = &one, .rowwise = 3 },
};

const PmtOp pmt_op_attention_mix = {
  .id = "attention_mix",
  .min_in = 2,
  .max_in = 2,
  .shape = shape,
  .flops = flops,
  .forward = forward,
  .naive = naive,
  .backward = backward,
  .cases = cases,
  .n_cases = PMT_N (cases),
  .tolerance = 3e-6,
  .params_size = sizeof (PmtAttentionParams),
};

PmtTensor
pmt_attention_mix (PmtContext *ctx, PmtTensor probs, PmtTensor v, PmtAttentionParams p)
{
  return pmt_op_run (ctx, &pmt_op_attention_mix, (PmtTensor[]) { probs, v }, 2, &p);
}
