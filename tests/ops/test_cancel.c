/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The longest operations of a 512x512 picture stop soon after they are asked to. The flag is polled every few tens of milliseconds
 * of work; the bound here is the program's half second, since other work may have the processors. */
#include "engine/ops/ops.h"
#include "tests/base/patience.h"
#include "tests/ops/harness.h"

typedef struct Stop {
  PmtCancel cancel;
  gint64 asked; /* microseconds */
} Stop;

static gpointer
stop_soon (gpointer user)
{
  Stop *stop = user;
  g_usleep (40000);
  stop->asked = g_get_monotonic_time ();
  pmt_cancel_request (&stop->cancel);
  return NULL;
}

typedef PmtTensor (*Work) (PmtContext *ctx, const PmtTensor *in);

/* Repeats `work` until the flag stops it. */
static void
check (const char *name, Work work, PmtContext *ctx, const PmtTensor *in)
{
  Stop stop = { 0 };
  ctx->cancel = &stop.cancel;
  PmtArenaMark mark = pmt_arena_mark (ctx->step);
  GThread *thread = g_thread_new ("stop", stop_soon, &stop);
  while (work (ctx, in).data)
    pmt_arena_release (ctx->step, mark);
  gint64 after = g_get_monotonic_time ();
  g_thread_join (thread);
  g_test_message ("%s stopped after %.1f ms", name, (double) (after - stop.asked) / 1000);
  g_assert_cmpint (after - stop.asked, <, 500000 * pmt_test_patience ());
  g_assert_cmpuint (pmt_arena_used (ctx->step), ==, mark);
  GError *error = NULL;
  g_assert_true (pmt_context_take_error (ctx, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_CANCELLED);
  g_error_free (error);
  ctx->cancel = NULL;
}

static PmtTensor
conv (PmtContext *ctx, const PmtTensor *in)
{
  return pmt_conv2d (ctx, in[0], in[1], PMT_NO_TENSOR, PMT_CONV_3X3);
}

static PmtTensor
attention (PmtContext *ctx, const PmtTensor *in)
{
  return pmt_attention (ctx, in[0], in[0], in[0], (PmtAttentionParams) { 1, false });
}

static PmtTensor
linear (PmtContext *ctx, const PmtTensor *in)
{
  return pmt_linear (ctx, in[0], in[1], PMT_NO_TENSOR);
}

static PmtTensor
norm (PmtContext *ctx, const PmtTensor *in)
{
  return pmt_group_norm (ctx, in[0], in[1], in[1], (PmtGroupNormParams) { 32, 1e-5f, true });
}

static void
test_stop (void)
{
  PmtContext *ctx = harness_context ();
  PmtTensor map = pmt_tensor_zeros (ctx, PMT_SHAPE4 (1, 512, 512, 128));
  PmtTensor weight = pmt_tensor_zeros (ctx, PMT_SHAPE4 (128, 3, 3, 128));
  check ("conv2d", conv, ctx, (PmtTensor[]) { map, weight });
  check ("group_norm", norm, ctx, (PmtTensor[]) { map, pmt_tensor_zeros (ctx, PMT_SHAPE1 (128)) });
  PmtTensor tokens = pmt_tensor_zeros (ctx, PMT_SHAPE3 (1, 4096, 512));
  check ("attention", attention, ctx, &tokens);
  PmtTensor wide = pmt_tensor_zeros (ctx, PMT_SHAPE2 (10240, 512));
  check ("linear", linear, ctx, (PmtTensor[]) { tokens, wide });
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
  g_test_add_func ("/cancel/long-operations", test_stop);
  return g_test_run ();
}
