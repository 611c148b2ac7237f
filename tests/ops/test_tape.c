/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tape over several operations: shared inputs, views, row ranges, copies, chains. */
#include <math.h>
#include <string.h>

#include "engine/ops/ops.h"
#include "engine/tensor/tape.h"
#include "tests/ops/harness.h"

static PmtTensor
random_tensor (PmtContext *ctx, PmtShape shape, uint64_t seed)
{
  PmtTensor t = pmt_tensor_new (ctx, shape);
  Random r = { seed };
  for (int64_t i = 0; i < pmt_tensor_size (t); i++)
    t.data[i] = (float) random_normal (&r);
  return t;
}

static PmtContext *
taped (void)
{
  PmtContext *ctx = harness_context ();
  ctx->tape = pmt_tape_new ();
  return ctx;
}

static void
done (PmtContext *ctx)
{
  pmt_tape_free (ctx->tape);
  ctx->tape = NULL;
  harness_context_free (ctx);
}

/* y = 3x + x + x: gradients of several uses add up. */
static void
test_shared (void)
{
  PmtContext *ctx = taped ();
  PmtTensor x = pmt_tape_leaf (ctx->tape, random_tensor (ctx, PMT_SHAPE2 (2, 5), 1));
  PmtTensor y = pmt_add (ctx, pmt_scale (ctx, x, 3), pmt_add (ctx, x, x));
  pmt_tape_backward (ctx, y, PMT_NO_TENSOR);
  PmtTensor g = pmt_tape_gradient (ctx->tape, x);
  for (int i = 0; i < 10; i++)
    g_assert_cmpfloat (g.data[i], ==, 5);
  /* again: nothing is left over from before */
  pmt_tape_backward (ctx, y, PMT_NO_TENSOR);
  g_assert_cmpfloat (pmt_tape_gradient (ctx->tape, x).data[3], ==, 5);
  done (ctx);
}

/* Row ranges and views of a leaf give their gradients to their own places. */
static void
test_places (void)
{
  PmtContext *ctx = taped ();
  PmtTensor x = pmt_tape_leaf (ctx->tape, random_tensor (ctx, PMT_SHAPE3 (4, 2, 3), 1));
  PmtTensor row = pmt_tensor_rows (x, 2, 1), flat = pmt_tensor_view (row, PMT_SHAPE2 (1, 6));
  PmtTensor y = pmt_scale (ctx, flat, 2);
  PmtTensor seed = random_tensor (ctx, PMT_SHAPE2 (1, 6), 9);
  pmt_tape_backward (ctx, y, seed);
  PmtTensor g = pmt_tape_gradient (ctx->tape, x);
  for (int i = 0; i < 24; i++)
    g_assert_cmpfloat (g.data[i], ==, i >= 12 && i < 18 ? 2 * seed.data[i - 12] : 0);
  g_assert_true (pmt_tape_gradient (ctx->tape, row).data == g.data + 12);
  done (ctx);
}

static void
test_copy (void)
{
  PmtContext *ctx = taped ();
  PmtTensor x = pmt_tape_leaf (ctx->tape, random_tensor (ctx, PMT_SHAPE1 (7), 1));
  PmtFrame frame = pmt_frame_open (ctx);
  PmtTensor y = pmt_scale (ctx, pmt_tensor_copy (ctx, x), -1.5f);
  y = pmt_frame_close (ctx, frame, y);
  pmt_tape_backward (ctx, y, PMT_NO_TENSOR);
  for (int i = 0; i < 7; i++)
    g_assert_cmpfloat (pmt_tape_gradient (ctx->tape, x).data[i], ==, -1.5);
  done (ctx);
}

typedef struct Net {
  PmtTensor x, context, w_conv, b_conv, gamma, beta, wq, wk, wv, wo, w_up;
} Net;

/* A small block with what a diffusion network has: convolution, norm, cross attention in steps, GEGLU, residual. */
static PmtTensor
net_run (PmtContext *ctx, const Net *n)
{
  PmtAttentionParams heads = { 2, false };
  PmtTensor h = pmt_conv2d (ctx, n->x, n->w_conv, n->b_conv, PMT_CONV_3X3);
  h = pmt_group_norm (ctx, h, n->gamma, n->beta, (PmtGroupNormParams) { 2, 1e-5f, true });
  PmtTensor tokens = pmt_tensor_view (h, PMT_SHAPE3 (2, 12, 8));
  PmtTensor q = pmt_linear (ctx, tokens, n->wq, PMT_NO_TENSOR);
  PmtTensor k = pmt_linear (ctx, n->context, n->wk, PMT_NO_TENSOR), v = pmt_linear (ctx, n->context, n->wv, PMT_NO_TENSOR);
  PmtTensor probs = pmt_softmax (ctx, pmt_attention_logits (ctx, q, k, heads));
  PmtTensor mixed = pmt_linear (ctx, pmt_attention_mix (ctx, probs, v, heads), n->wo, PMT_NO_TENSOR);
  tokens = pmt_add (ctx, tokens, mixed);
  return pmt_add (ctx, pmt_geglu (ctx, pmt_linear (ctx, tokens, n->w_up, PMT_NO_TENSOR)), tokens);
}

static double
loss_of (PmtTensor out, PmtTensor weight)
{
  double sum = 0;
  for (int64_t i = 0; i < pmt_tensor_size (out); i++)
    sum += (double) out.data[i] * weight.data[i];
  return sum;
}

/* The whole chain against differences in float: coarse, but a missing term shows. */
static void
test_chain (void)
{
  PmtContext *ctx = taped ();
  Net n = { random_tensor (ctx, PMT_SHAPE4 (2, 3, 4, 4), 1), random_tensor (ctx, PMT_SHAPE3 (2, 5, 6), 2),
            random_tensor (ctx, PMT_SHAPE4 (8, 3, 3, 4), 3), random_tensor (ctx, PMT_SHAPE1 (8), 4),
            random_tensor (ctx, PMT_SHAPE1 (8), 5), random_tensor (ctx, PMT_SHAPE1 (8), 6),
            random_tensor (ctx, PMT_SHAPE2 (8, 8), 7), random_tensor (ctx, PMT_SHAPE2 (8, 6), 8),
            random_tensor (ctx, PMT_SHAPE2 (8, 6), 9), random_tensor (ctx, PMT_SHAPE2 (8, 8), 10),
            random_tensor (ctx, PMT_SHAPE2 (16, 8), 11) };
  PmtTensor *leaves[] = { &n.x, &n.context, &n.w_conv, &n.gamma, &n.wk, &n.w_up };
  for (size_t i = 0; i < G_N_ELEMENTS (leaves); i++)
    *leaves[i] = pmt_tape_leaf (ctx->tape, *leaves[i]);
  PmtTensor out = net_run (ctx, &n), weight = random_tensor (ctx, out.shape, 12);
  pmt_tape_backward (ctx, out, weight);
  g_assert_no_error (ctx->error);

  for (size_t i = 0; i < G_N_ELEMENTS (leaves); i++) {
    PmtTensor leaf = *leaves[i], g = pmt_tape_gradient (ctx->tape, leaf);
    Random r = { 50 + i };
    double along = 0, norm = 0, loss[2];
    g_autofree float *u = g_new (float, (size_t) pmt_tensor_size (leaf));
    for (int64_t j = 0; j < pmt_tensor_size (leaf); j++) {
      u[j] = (float) random_normal (&r);
      along += (double) g.data[j] * u[j];
      norm += (double) g.data[j] * g.data[j];
    }
    const float h = 1e-3f;
    PmtTape *tape = ctx->tape;
    ctx->tape = NULL;
    for (int side = 0; side < 2; side++) {
      for (int64_t j = 0; j < pmt_tensor_size (leaf); j++)
        leaf.data[j] += (side ? -2 : 1) * h * u[j];
      loss[side] = loss_of (net_run (ctx, &n), weight);
    }
    for (int64_t j = 0; j < pmt_tensor_size (leaf); j++)
      leaf.data[j] += h * u[j];
    ctx->tape = tape;
    double fd = (loss[0] - loss[1]) / (2 * h), error = fabs (along - fd) / sqrt (norm);
    g_test_message ("leaf %zu: %.6g, %.6g, error %.2g", i, along, fd, error);
    g_assert_cmpfloat (error, <, 5e-3);
  }
  /* not a leaf: its gradient was never wanted */
  g_assert_null (pmt_tape_gradient (ctx->tape, n.wq).data);
  done (ctx);
}

static void
test_unrelated (void)
{
  PmtContext *ctx = taped ();
  PmtTensor x = random_tensor (ctx, PMT_SHAPE1 (3), 1);
  PmtTensor leaf = pmt_tape_leaf (ctx->tape, random_tensor (ctx, PMT_SHAPE1 (3), 2));
  PmtTensor y = pmt_scale (ctx, x, 2);
  g_assert_cmpint (y.node, ==, 0);
  pmt_tape_backward (ctx, y, PMT_NO_TENSOR);
  GError *error = NULL;
  g_assert_true (pmt_context_take_error (ctx, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INTERNAL);
  g_error_free (error);

  /* a leaf that the result does not depend on has no gradient */
  PmtTensor other = pmt_tape_leaf (ctx->tape, random_tensor (ctx, PMT_SHAPE1 (3), 3));
  pmt_tape_backward (ctx, pmt_scale (ctx, other, 2), PMT_NO_TENSOR);
  g_assert_null (pmt_tape_gradient (ctx->tape, leaf).data);
  g_assert_cmpfloat (pmt_tape_gradient (ctx->tape, other).data[1], ==, 2);
  done (ctx);
}

static void
twice (PmtOpCall *call)
{
  for (int64_t i = 0; i < pmt_tensor_size (call->out); i++)
    call->out.data[i] = 2 * call->in[0].data[i];
}

static gboolean
same_shape (const PmtOpCall *call, PmtShape *out, GError **error)
{
  *out = call->in[0].shape;
  return TRUE;
}

/* An operation without backward must not be recorded as if its gradient were zero. */
static void
test_refused (void)
{
  const PmtOp op = { .id = "twice", .min_in = 1, .max_in = 1, .shape = same_shape, .forward = twice };
  PmtContext *ctx = taped ();
  PmtTensor x = random_tensor (ctx, PMT_SHAPE1 (3), 1);
  /* nothing differentiable goes in: it may run */
  g_assert_nonnull (pmt_op_run (ctx, &op, &x, 1, NULL).data);
  x = pmt_tape_leaf (ctx->tape, x);
  g_assert_null (pmt_op_run (ctx, &op, &x, 1, NULL).data);
  GError *error = NULL;
  g_assert_true (pmt_context_take_error (ctx, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, "twice"));
  g_error_free (error);
  done (ctx);
}

/* Dry, a backward pass takes the same memory, scratch included. */
static void
test_dry (void)
{
  size_t used[2], peak[2];
  for (int dry = 0; dry < 2; dry++) {
    PmtContext *ctx = taped ();
    PmtTensor x = random_tensor (ctx, PMT_SHAPE4 (1, 6, 6, 4), 1), w = random_tensor (ctx, PMT_SHAPE4 (4, 1, 1, 4), 2);
    ctx->dry = dry;
    x = pmt_tape_leaf (ctx->tape, x);
    pmt_tape_backward (ctx, pmt_silu (ctx, pmt_conv2d (ctx, x, w, PMT_NO_TENSOR, PMT_CONV_1X1)), PMT_NO_TENSOR);
    g_assert_no_error (ctx->error);
    used[dry] = pmt_arena_used (ctx->step);
    peak[dry] = pmt_arena_peak (ctx->step);
    done (ctx);
  }
  g_assert_cmpuint (used[0], ==, used[1]);
  g_assert_cmpuint (peak[0], ==, peak[1]);
  g_assert_cmpuint (peak[0], >, used[0]);
}

/* ---- parts that are run again ---- */

typedef struct Curve {
  float factor;
  int *runs;
} Curve;

static PmtTensor
curve (PmtContext *ctx, const void *params, const PmtTensor *in)
{
  const Curve *c = params;
  ++*c->runs;
  PmtTensor a = pmt_silu (ctx, pmt_scale (ctx, in[0], c->factor));
  return pmt_add (ctx, pmt_silu (ctx, a), in[1]);
}

/* The same values and gradients as without, to the bit, with nothing but the output kept on the way there. */
static void
test_checkpoint (void)
{
  PmtTensor y[2], g[2][2];
  size_t used[2];
  PmtContext *ctx[2];
  int runs = 0;
  for (int k = 0; k < 2; k++) {
    ctx[k] = taped ();
    PmtTensor x = pmt_tape_leaf (ctx[k]->tape, random_tensor (ctx[k], PMT_SHAPE2 (64, 50), 1));
    PmtTensor z = pmt_tape_leaf (ctx[k]->tape, random_tensor (ctx[k], PMT_SHAPE2 (64, 50), 2));
    const PmtTensor in[] = { x, z };
    const Curve c = { 1.5f, &runs };
    const size_t before = pmt_arena_used (ctx[k]->step);
    y[k] = k ? pmt_tape_checkpoint (ctx[k], curve, &c, sizeof c, in, 2) : curve (ctx[k], &c, in);
    used[k] = pmt_arena_used (ctx[k]->step) - before;
    y[k] = pmt_scale (ctx[k], y[k], 2);
    pmt_tape_backward (ctx[k], y[k], PMT_NO_TENSOR);
    g[k][0] = pmt_tape_gradient (ctx[k]->tape, x);
    g[k][1] = pmt_tape_gradient (ctx[k]->tape, z);
  }
  g_assert_cmpint (runs, ==, 3);
  g_assert_cmpuint (used[1], <, used[0] / 3);
  const size_t size = 64 * 50 * sizeof (float);
  g_assert_cmpmem (y[0].data, size, y[1].data, size);
  for (int i = 0; i < 2; i++)
    g_assert_cmpmem (g[0][i].data, size, g[1][i].data, size);
  done (ctx[0]);
  done (ctx[1]);
}

/* Gradients of two values at once are the sum of those of each; an input without a leaf needs none. */
static void
test_several (void)
{
  PmtContext *ctx = taped ();
  int runs = 0;
  const Curve c = { 1, &runs };
  PmtTensor x = pmt_tape_leaf (ctx->tape, random_tensor (ctx, PMT_SHAPE2 (3, 4), 1));
  const PmtTensor in[] = { x, random_tensor (ctx, PMT_SHAPE2 (3, 4), 2) };
  PmtTensor a = pmt_scale (ctx, x, 3), b = pmt_tape_checkpoint (ctx, curve, &c, sizeof c, in, 2);
  const PmtTensor of[] = { a, b }, seeds[] = { random_tensor (ctx, PMT_SHAPE2 (3, 4), 3), random_tensor (ctx, PMT_SHAPE2 (3, 4), 4) };
  float apart[12] = { 0 };
  for (int k = 0; k < 2; k++) {
    pmt_tape_backward (ctx, of[k], seeds[k]);
    for (int i = 0; i < 12; i++)
      apart[i] += pmt_tape_gradient (ctx->tape, x).data[i];
  }
  pmt_tape_backward_several (ctx, of, seeds, 2);
  for (int i = 0; i < 12; i++)
    g_assert_cmpfloat (fabs ((double) pmt_tape_gradient (ctx->tape, x).data[i] - (double) apart[i]), <, 1e-5);
  done (ctx);
}

int
main (int argc, char **argv)
{
  GError *error = NULL;
  PmtCpuLevel level;
  if (!pmt_cpu_select (&level, &error))
    g_error ("%s", error->message);
  harness_kernels = pmt_kernels_get (level);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tape/shared", test_shared);
  g_test_add_func ("/tape/places", test_places);
  g_test_add_func ("/tape/copy", test_copy);
  g_test_add_func ("/tape/chain", test_chain);
  g_test_add_func ("/tape/unrelated", test_unrelated);
  g_test_add_func ("/tape/refused", test_refused);
  g_test_add_func ("/tape/dry", test_dry);
  g_test_add_func ("/tape/checkpoint", test_checkpoint);
  g_test_add_func ("/tape/several", test_several);
  return g_test_run ();
}
