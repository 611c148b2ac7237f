/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows of a table, or of a second one that continues it. The ids are parameters, not a tensor: nothing differentiates by them. */
#include <inttypes.h>
#include <string.h>

#include "engine/ops/help.h"

typedef struct Ids {
  const int32_t *id; /* [rows, tokens] */
  int64_t rows, tokens;
} Ids;

static gboolean
shape (const PmtOpCall *call, PmtShape *out, GError **error)
{
  const Ids *ids = call->params;
  PmtTensor table = call->in[0], more = call->n_in > 1 ? call->in[1] : PMT_NO_TENSOR;
  if (table.shape.rank != 2 || (more.data && (more.shape.rank != 2 || more.shape.dim[1] != table.shape.dim[1])))
    return pmt_shape_error (call, "embedding", "the tables are words x width", error);
  const int64_t words = table.shape.dim[0] + (more.data ? more.shape.dim[0] : 0);
  for (int64_t i = 0; i < ids->rows * ids->tokens; i++)
    if (ids->id[i] < 0 || ids->id[i] >= words) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                   _("Token %" PRId32 " is not in the model's table of %" PRId64 " words; its vocabulary and weights do not "
                     "belong together."),
                   ids->id[i], words);
      return FALSE;
    }
  *out = PMT_SHAPE3 (ids->rows, ids->tokens, table.shape.dim[1]);
  return TRUE;
}

/* The vector of an id in one of two tables of which the first has `words` vectors; NULL where that table is not there. */
static float *
vector (const PmtTensor *table, int64_t words, int32_t id, size_t c)
{
  const int second = id >= words;
  return table[second].data ? table[second].data + (size_t) (id - second * words) * c : NULL;
}

/* Of the tables only what is looked up. */
static double
bytes (const PmtOpCall *call)
{
  return 2.0 * sizeof (float) * (double) pmt_tensor_size (call->out);
}

static void
forward (PmtOpCall *call)
{
  const Ids *ids = call->params;
  size_t c = pmt_width (call->out);
  for (int64_t i = 0; i < ids->rows * ids->tokens; i++)
    memcpy (call->out.data + (size_t) i * c, vector (call->in, call->in[0].shape.dim[0], ids->id[i], c), c * sizeof (float));
}

static void
backward (PmtOpCall *call, PmtOpGrad *grad)
{
  const Ids *ids = call->params;
  size_t c = pmt_width (call->out);
  for (int64_t i = 0; i < ids->rows * ids->tokens; i++) {
    float *to = vector (grad->in, call->in[0].shape.dim[0], ids->id[i], c);
    if (to)
      call->ctx->kernels->axpy (1.0f, grad->out.data + (size_t) i * c, to, c);
  }
}

static void
naive (const PmtOpNaive *call)
{
  const Ids *ids = call->params;
  int64_t c = call->in_shape[0].dim[1];
  for (int64_t i = 0; i < ids->rows * ids->tokens * c; i++) {
    const int64_t id = ids->id[i / c], words = call->in_shape[0].dim[0];
    call->out[i] = id < words ? call->in[0][id * c + i % c] : call->in[1][(id - words) * c + i % c];
  }
}

static const int32_t some[] = { 3, 0, 10, 3, 7, 7 };
static const Ids two_rows = { some, 2, 3 }, one_token = { some + 2, 1, 1 };

static const PmtOpCase cases[] = {
  { .name = "repeated", .n_in = 1, .in = { { 2, { 11, 13 } } }, .params = &two_rows },
  { .name = "last", .n_in = 1, .in = { { 2, { 11, 5 } } }, .params = &one_token },
  { .name = "second", .n_in = 2, .in = { { 2, { 7, 13 } }, { 2, { 4, 13 } } }, .params = &two_rows },
};

const PmtOp pmt_op_embedding = {
  .id = "embedding",
  .min_in = 1,
  .max_in = 2,
  .shape = shape,
  .bytes = bytes,
  .forward = forward,
  .naive = naive,
  .backward = backward,
  .cases = cases,
  .n_cases = PMT_N (cases),
  .tolerance = 1e-7, /* copies */
  .params_size = sizeof (Ids),
};

/* A tape outlives the caller's ids, so it gets its own. */
static const int32_t *
lasting (PmtContext *ctx, const int32_t *ids, int64_t n)
{
  if (!ctx->tape || ctx->error)
    return ids;
  int32_t *copy = pmt_arena_alloc (ctx->step, (size_t) n * sizeof *copy, &ctx->error);
  if (copy)
    memcpy (copy, ids, (size_t) n * sizeof *copy);
  return copy;
}

PmtTensor
pmt_embedding_more (PmtContext *ctx, PmtTensor table, PmtTensor more, const int32_t *ids, int64_t n_rows, int64_t n_tokens)
{
  Ids p = { lasting (ctx, ids, n_rows * n_tokens), n_rows, n_tokens };
  return pmt_op_run (ctx, &pmt_op_embedding, (PmtTensor[]) { table, more }, more.data ? 2 : 1, &p);
}

PmtTensor
pmt_embedding (PmtContext *ctx, PmtTensor table, const int32_t *ids, int64_t n_rows, int64_t n_tokens)
{
  return pmt_embedding_more (ctx, table, PMT_NO_TENSOR, ids, n_rows, n_tokens);
}
