/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inputs that do not fit give a sentence that names operation and shapes, and leave nothing allocated. */
#include <string.h>

#include "engine/ops/ops.h"
#include "tests/ops/harness.h"

static float values[4096];

static PmtTensor
shaped (PmtShape shape)
{
  return (PmtTensor) { values, shape, 0, NULL };
}

#define T1(a) shaped (PMT_SHAPE1 (a))
#define T2(a, b) shaped (PMT_SHAPE2 (a, b))
#define T3(a, b, c) shaped (PMT_SHAPE3 (a, b, c))
#define T4(a, b, c, d) shaped (PMT_SHAPE4 (a, b, c, d))

static void
refuse (PmtContext *ctx, PmtTensor result, const char *text)
{
  g_assert_null (result.data);
  GError *error = NULL;
  g_assert_true (pmt_context_take_error (ctx, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
  if (!strstr (error->message, text))
    g_error ("'%s' does not tell '%s'", error->message, text);
  g_assert_null (strchr (error->message, '\n'));
  g_assert_cmpuint (pmt_arena_used (ctx->step), ==, 0);
  g_error_free (error);
}

static void
test_shapes (void)
{
  PmtContext *ctx = harness_context ();
  PmtTensor none = PMT_NO_TENSOR;
  refuse (ctx, pmt_linear (ctx, T2 (2, 3), T2 (4, 5), none), "linear cannot take inputs of shapes 2x3, 4x5, none: ");
  refuse (ctx, pmt_linear (ctx, T2 (2, 3), T3 (4, 3, 1), none), "4x3x1");
  refuse (ctx, pmt_linear (ctx, T2 (2, 3), T2 (4, 3), T1 (3)), "bias");
  refuse (ctx, pmt_conv2d (ctx, T3 (4, 4, 3), T4 (2, 3, 3, 3), none, PMT_CONV_3X3), "conv2d");
  refuse (ctx, pmt_conv2d (ctx, T4 (1, 4, 4, 3), T4 (2, 3, 3, 4), none, PMT_CONV_3X3), "channels");
  refuse (ctx, pmt_conv2d (ctx, T4 (1, 4, 4, 3), T4 (2, 3, 3, 3), T1 (3), PMT_CONV_3X3), "bias");
  refuse (ctx, pmt_conv2d (ctx, T4 (1, 1, 4, 3), T4 (2, 3, 3, 3), none, PMT_CONV_1X1), "smaller");
  refuse (ctx, pmt_conv2d (ctx, T4 (1, 4, 4, 3), T4 (2, 3, 3, 3), none, (PmtConv2dParams) { 0 }), "stride");
  refuse (ctx, pmt_conv2d (ctx, T4 (1, 4, 4, 3), T4 (2, 3, 3, 3), none, (PmtConv2dParams) { 1, -1 }), "padding");
  refuse (ctx, pmt_group_norm (ctx, T3 (1, 4, 10), T1 (10), T1 (10), (PmtGroupNormParams) { 4, 1e-5f }), "groups");
  refuse (ctx, pmt_group_norm (ctx, T3 (1, 4, 8), T1 (8), T1 (4), (PmtGroupNormParams) { 4, 1e-5f }), "per channel");
  refuse (ctx, pmt_layer_norm (ctx, T3 (1, 4, 8), T1 (4), T1 (8), 1e-5f), "per channel");
  refuse (ctx, pmt_geglu (ctx, T2 (2, 7)), "two");
  refuse (ctx, pmt_add (ctx, T2 (2, 7), T2 (7, 2)), "2x7, 7x2");
  refuse (ctx, pmt_add_rows (ctx, T3 (2, 3, 7), T2 (3, 7)), "add_rows");
  refuse (ctx, pmt_concat (ctx, T3 (2, 3, 7), T3 (2, 4, 7)), "concat");
  refuse (ctx, pmt_resize_nearest (ctx, T4 (1, 2, 2, 3), 0, 4), "resize_nearest");
  refuse (ctx, pmt_avg_pool (ctx, T4 (1, 2, 2, 3), 0, 4), "avg_pool");
  refuse (ctx, pmt_avg_pool (ctx, T3 (2, 2, 3), 2, 2), "window");
  refuse (ctx, pmt_pixel_unshuffle (ctx, T4 (1, 4, 6, 3), 4), "pixel_unshuffle");
  refuse (ctx, pmt_pixel_unshuffle (ctx, T4 (1, 4, 4, 3), 0), "block");
  refuse (ctx, pmt_attention (ctx, T3 (1, 4, 6), T3 (1, 5, 6), T3 (1, 5, 6), (PmtAttentionParams) { 4 }), "heads");
  refuse (ctx, pmt_attention (ctx, T3 (1, 4, 6), T3 (1, 5, 6), T3 (1, 4, 6), (PmtAttentionParams) { 2 }), "values");
  refuse (ctx, pmt_attention (ctx, T3 (2, 4, 6), T3 (1, 5, 6), T3 (1, 5, 6), (PmtAttentionParams) { 2 }), "rows");
  refuse (ctx, pmt_attention_logits (ctx, T3 (1, 4, 6), T3 (1, 5, 8), (PmtAttentionParams) { 2 }), "width");
  refuse (ctx, pmt_attention_mix (ctx, T4 (1, 2, 4, 5), T3 (1, 6, 8), (PmtAttentionParams) { 2 }), "keys");
  refuse (ctx, pmt_attention_mix (ctx, T4 (1, 2, 4, 5), T3 (1, 5, 8), (PmtAttentionParams) { 4 }), "heads");
  int32_t ids[] = { 0, 9, 10 };
  refuse (ctx, pmt_embedding (ctx, T2 (10, 4), ids, 1, 3), "Token 10");
  ids[2] = -1;
  refuse (ctx, pmt_embedding (ctx, T2 (10, 4), ids, 1, 3), "Token -1");
  ids[2] = 3;
  g_assert_nonnull (pmt_embedding (ctx, T2 (10, 4), ids, 3, 1).data);
  harness_context_free (ctx);
}

/* A required input that is missing is our own bug, but not a crash. */
static void
test_missing (void)
{
  PmtContext *ctx = harness_context ();
  g_assert_null (pmt_add (ctx, T1 (3), PMT_NO_TENSOR).data);
  GError *error = NULL;
  g_assert_true (pmt_context_take_error (ctx, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INTERNAL);
  g_error_free (error);
  harness_context_free (ctx);
}

/* Output or workspace that does not fit: an error, and the arena as before. */
static void
test_memory (void)
{
  GError *error = NULL;
  PmtContext ctx = { .step = pmt_arena_new ("tests", 1 << 16, &error), .kernels = harness_kernels };
  g_assert_no_error (error);
  PmtTensor big = T4 (1, 16, 16, 16), w = T4 (16, 3, 3, 16);
  for (int i = 0; i < 2; i++) {
    /* output 16 KB, patches 147 KB; then an output of 1 GB */
    PmtTensor out = i ? pmt_resize_nearest (&ctx, big, 4096, 4096) : pmt_conv2d (&ctx, big, w, PMT_NO_TENSOR, PMT_CONV_3X3);
    g_assert_null (out.data);
    g_assert_true (pmt_context_take_error (&ctx, &error));
    g_assert_error (error, PMT_ERROR, PMT_ERROR_MEMORY);
    g_clear_error (&error);
    g_assert_cmpuint (pmt_arena_used (ctx.step), ==, 0);
  }
  pmt_arena_free (ctx.step);
}

static void
count (void *user, const PmtContext *ctx)
{
  ++*(int *) user;
}

static void
test_progress (void)
{
  PmtContext *ctx = harness_context ();
  int calls = 0;
  ctx->on_op = count;
  ctx->on_op_user = &calls;
  pmt_silu (ctx, pmt_scale (ctx, T1 (8), 2));
  g_assert_cmpint (calls, ==, 2);
  g_assert_cmpfloat (ctx->flops, ==, 16);
  harness_context_free (ctx);
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
  g_test_add_func ("/refusals/shapes", test_shapes);
  g_test_add_func ("/refusals/missing", test_missing);
  g_test_add_func ("/refusals/memory", test_memory);
  g_test_add_func ("/refusals/progress", test_progress);
  return g_test_run ();
}
