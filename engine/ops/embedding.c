/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows of a table. The ids are parameters, not a tensor: nothing differentiates by them. With a tape they must stay where they are
 * until backward has run. */
#include <inttypes.h>

#include "engine/ops/help.h"

typedef struct Ids {
  const int32_t *id; /* [rows, tokens] */
  int64_t rows, tokens;
} Ids;

static gboolean
shape (const PmtOpCall *call, PmtShape *out, GError **error)
{
  const Ids *ids = call->params;
  PmtTensor table = call->in[0];
  if (table.shape.rank != 2)
    return pmt_shape_error (call, "embedding", "the table is words x width", error);
  for (int64_t i = 0; i < ids->rows * ids->tokens; i++)
    if (ids->id[i] < 0 || ids->id[i] >= table.shape.dim[0]) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                   "Token %" PRId32 " is not in the model's table of %" PRId64 " words; its vocabulary and weights do not "
                   "belong together.",
                   ids->id[i], table.shape.dim[0]);
      return FALSE;
    }
  *out = PMT_SHAPE3 (ids->rows, ids->tokens, table.shape.dim[1]);
  return TRUE;
}

static void
forward (PmtOpCall *call)
{
  const Ids *ids = call->params;
  size_t c = pmt_width (call->out);
  for (int64_t i = 0; i < ids->rows * ids->tokens; i++)
    memcpy (call->out.data + (size_t) i * c, call->in[0].data + (size_t) ids->id[i] * c, c * sizeof (float));
}

static void
backward (PmtOpCall *call, PmtOpGrad *grad)
{
  const Ids *ids = call->params;
  size_t c = pmt_width (call->out);
  for (int64_t i = 0; grad->in[0].data && i < ids->rows * ids->tokens; i++)
    call->ctx->kernels->axpy (1.0f, grad->out.data + (size_t) i * c, grad->in[0].data + (size_t) ids->id[i] * c, c);
}

static void
naive (const PmtOpNaive *call)
{
  const Ids *ids = call->params;
  int64_t c = call->in_shape[0].dim[1];
  for (int64_t i = 0; i < ids->rows * ids->tokens * c; i++)
    call->out[i] = call->in[0][ids->id[i / c] * c + i % c];
}

static const int32_t some[] = { 3, 0, 10, 3, 7, 7 };
static const Ids two_rows = { some, 2, 3 }, one_token = { some + 2, 1, 1 };

static const PmtOpCase cases[] = {
  { .name = "repeated", .n_in = 1, .in = { { 2, { 11, 13 } } }, .params = &two_rows },
  { .name = "last", .n_in = 1, .in = { { 2, { 11, 5 } } }, .params = &one_token },
};

const PmtOp pmt_op_embedding = {
  .id = "embedding",
  .min_in = 1,
  .max_in = 1,
  .shape = shape,
  .forward = forward,
  .naive = naive,
  .backward = backward,
  .cases = cases,
  .n_cases = PMT_N (cases),
  .tolerance = 1e-7, /* copies */
  .params_size = sizeof (Ids),
};

PmtTensor
pmt_embedding (PmtContext *ctx, PmtTensor table, const int32_t *ids, int64_t n_rows, int64_t n_tokens)
{
  Ids p = { ids, n_rows, n_tokens };
  return pmt_op_run (ctx, &pmt_op_embedding, &table, 1, &p);
}
