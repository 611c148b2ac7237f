/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tensors, the context's sticky errors, frames. */
#include <math.h>
#include <string.h>

#include "engine/tensor/context.h"

typedef struct Fixture {
  PmtContext ctx;
} Fixture;

static void
set_up (Fixture *f, gconstpointer user)
{
  GError *error = NULL;
  f->ctx = (PmtContext) { .step = pmt_arena_new ("tests", 1 << 20, &error) };
  g_assert_no_error (error);
}

static void
tear_down (Fixture *f, gconstpointer user)
{
  g_assert_no_error (f->ctx.error);
  pmt_arena_free (f->ctx.step);
}

static void
check_error (PmtContext *ctx, int code, const char *text)
{
  GError *error = NULL;
  g_assert_true (pmt_context_take_error (ctx, &error));
  g_assert_error (error, PMT_ERROR, code);
  if (!strstr (error->message, text))
    g_error ("'%s' does not tell '%s'", error->message, text);
  g_error_free (error);
  g_assert_false (pmt_context_take_error (ctx, NULL));
}

static void
test_shapes (void)
{
  char text[PMT_SHAPE_TEXT];
  PmtShape a = PMT_SHAPE4 (2, 64, 64, 320), b = PMT_SHAPE3 (2, 64, 64), none = { 0 };
  g_assert_cmpstr (pmt_shape_text (&a, text, sizeof text), ==, "2x64x64x320");
  g_assert_cmpstr (pmt_shape_text (&none, text, sizeof text), ==, "none");
  g_assert_cmpstr (pmt_shape_text (&a, text, 6), ==, "2x64x");
  g_assert_false (pmt_shape_equal (&a, &b));
  g_assert_true (pmt_shape_equal (&a, &a));
  b.dim[1] = INT64_MAX, b.dim[2] = INT64_MAX, b.dim[0] = INT64_MAX;
  g_assert_cmpuint (strlen (pmt_shape_text (&b, text, sizeof text)), <, PMT_SHAPE_TEXT);
}

static void
test_views (void)
{
  float data[24];
  PmtTensor t = { data, PMT_SHAPE3 (2, 3, 4), 5 };
  PmtTensor flat = pmt_tensor_view (t, PMT_SHAPE2 (6, 4));
  g_assert_true (flat.data == data && flat.shape.rank == 2 && flat.node == 5);
  PmtTensor row = pmt_tensor_rows (t, 1, 1);
  g_assert_true (row.data == data + 12 && row.shape.dim[0] == 1 && row.shape.dim[2] == 4);
  g_assert_cmpint (pmt_tensor_dim (t, -1), ==, 4);
  g_assert_cmpint (pmt_tensor_size (PMT_NO_TENSOR), ==, 0);
  g_assert_null (pmt_tensor_view (PMT_NO_TENSOR, PMT_SHAPE1 (3)).data);
  g_assert_null (pmt_tensor_rows (PMT_NO_TENSOR, 0, 3).data);
}

static void
test_layouts (void)
{
  float nchw[2 * 3 * 4 * 5], nhwc[2 * 3 * 4 * 5], back[2 * 3 * 4 * 5];
  for (size_t i = 0; i < G_N_ELEMENTS (nchw); i++)
    nchw[i] = (float) i;
  pmt_nchw_to_nhwc (nchw, nhwc, 2, 3, 4, 5);
  /* n 1, y 2, x 3, c 1 */
  g_assert_cmpfloat (nhwc[((1 * 4 + 2) * 5 + 3) * 3 + 1], ==, ((1 * 3 + 1) * 4 + 2) * 5 + 3);
  pmt_nhwc_to_nchw (nhwc, back, 2, 3, 4, 5);
  g_assert_cmpmem (back, sizeof back, nchw, sizeof nchw);
}

static void
test_sticky (Fixture *f, gconstpointer user)
{
  PmtContext *ctx = &f->ctx;
  pmt_context_fail (ctx, PMT_ERROR_INPUT, "first %d", 1);
  pmt_context_fail (ctx, PMT_ERROR_IO, "second");
  g_assert_true (pmt_context_failed (ctx));
  g_assert_null (pmt_tensor_new (ctx, PMT_SHAPE1 (4)).data);
  g_assert_null (pmt_tensor_zeros (ctx, PMT_SHAPE1 (4)).data);
  check_error (ctx, PMT_ERROR_INPUT, "first 1");
  g_assert_nonnull (pmt_tensor_new (ctx, PMT_SHAPE1 (4)).data);
}

static void
test_memory (Fixture *f, gconstpointer user)
{
  PmtContext *ctx = &f->ctx;
  g_assert_null (pmt_tensor_new (ctx, PMT_SHAPE2 (1024, 1024)).data);
  check_error (ctx, PMT_ERROR_MEMORY, "4.0\302\240MiB");
  g_assert_null (pmt_tensor_new (ctx, PMT_SHAPE3 (INT64_MAX, INT64_MAX, 4)).data);
  check_error (ctx, PMT_ERROR_MEMORY, "larger than any memory");
  PmtTensor zeros = pmt_tensor_zeros (ctx, PMT_SHAPE2 (3, 5));
  for (int i = 0; i < 15; i++)
    g_assert_cmpfloat (zeros.data[i], ==, 0);
  zeros.data[7] = 2;
  PmtTensor copy = pmt_tensor_copy (ctx, zeros);
  g_assert_true (copy.data != zeros.data);
  g_assert_cmpmem (copy.data, 60, zeros.data, 60);
  g_assert_null (pmt_tensor_copy (ctx, PMT_NO_TENSOR).data);
}

static void
test_poll (Fixture *f, gconstpointer user)
{
  PmtCancel cancel = { false };
  g_assert_false (pmt_context_poll (&f->ctx));
  f->ctx.cancel = &cancel;
  g_assert_false (pmt_context_poll (&f->ctx));
  pmt_cancel_request (&cancel);
  g_assert_true (pmt_context_poll (&f->ctx));
  check_error (&f->ctx, PMT_ERROR_CANCELLED, "stopped");
}

static void
test_frame (Fixture *f, gconstpointer user)
{
  PmtContext *ctx = &f->ctx;
  PmtTensor before = pmt_tensor_zeros (ctx, PMT_SHAPE1 (16));
  size_t used = pmt_arena_used (ctx->step);

  PmtFrame frame = pmt_frame_open (ctx);
  pmt_tensor_new (ctx, PMT_SHAPE1 (100));
  PmtTensor keep = pmt_tensor_new (ctx, PMT_SHAPE2 (30, 10));
  for (int i = 0; i < 300; i++)
    keep.data[i] = (float) i;
  pmt_tensor_new (ctx, PMT_SHAPE1 (1000));
  PmtTensor kept = pmt_frame_close (ctx, frame, keep);
  g_assert_cmpuint (pmt_arena_used (ctx->step), ==, used + 1216);
  g_assert_true (pmt_shape_equal (&kept.shape, &keep.shape));
  for (int i = 0; i < 300; i++)
    g_assert_cmpfloat (kept.data[i], ==, (float) i);

  /* What is older than the frame stays in place. */
  frame = pmt_frame_open (ctx);
  pmt_tensor_new (ctx, PMT_SHAPE1 (100));
  g_assert_true (pmt_frame_close (ctx, frame, before).data == before.data);
  g_assert_cmpuint (pmt_arena_used (ctx->step), ==, used + 1216);

  frame = pmt_frame_open (ctx);
  pmt_tensor_new (ctx, PMT_SHAPE1 (100));
  g_assert_null (pmt_frame_close (ctx, frame, PMT_NO_TENSOR).data);
  g_assert_cmpuint (pmt_arena_used (ctx->step), ==, used + 1216);

  /* After an error the memory is given back all the same. */
  frame = pmt_frame_open (ctx);
  keep = pmt_tensor_new (ctx, PMT_SHAPE1 (100));
  pmt_context_fail (ctx, PMT_ERROR_INPUT, "test");
  g_assert_null (pmt_frame_close (ctx, frame, keep).data);
  g_assert_cmpuint (pmt_arena_used (ctx->step), ==, used + 1216);
  check_error (ctx, PMT_ERROR_INPUT, "test");
}

/* Several tensors move down together, in their order; after an error none is left. */
/* A long tensor that moves by less than its length, in several pieces. */
static void
test_long_move (Fixture *f, gconstpointer user)
{
  enum { N = 150000, APART = 66000 };
  PmtContext *ctx = &f->ctx;
  const PmtFrame frame = pmt_frame_open (ctx);
  const PmtTensor gone = pmt_tensor_new (ctx, PMT_SHAPE1 (APART));
  PmtTensor keep = pmt_tensor_new (ctx, PMT_SHAPE1 (N));
  for (int i = 0; i < N; i++)
    keep.data[i] = (float) i;
  keep = pmt_frame_close (ctx, frame, keep);
  g_assert_true (keep.data == gone.data);
  for (int i = 0; i < N; i++)
    g_assert_cmpfloat (keep.data[i], ==, (float) i);
  g_assert_cmpstr (ctx->op, ==, "move");
  g_assert_cmpfloat (ctx->bytes, ==, 8.0 * N);
}

static void
test_grow (Fixture *f, gconstpointer user)
{
  PmtContext *ctx = &f->ctx;
  const PmtTensor t = pmt_tensor_new (ctx, PMT_SHAPE1 (100));
  size_t used = pmt_arena_used (ctx->step);
  PmtTensor place = pmt_tensor_grow (ctx, t, PMT_SHAPE2 (2, 53));
  g_assert_true (place.data == t.data && place.shape.rank == 2 && pmt_arena_used (ctx->step) == used);
  place = pmt_tensor_grow (ctx, t, PMT_SHAPE2 (2, 100));
  g_assert_true (place.data == t.data && pmt_arena_used (ctx->step) >= used + 88 * sizeof (float));
  used = pmt_arena_used (ctx->step);
  place = pmt_tensor_grow (ctx, t, PMT_SHAPE1 (101));
  g_assert_true (place.data != t.data && pmt_arena_used (ctx->step) > used);
  g_assert_null (pmt_tensor_grow (ctx, place, PMT_SHAPE1 (1 << 20)).data);
  check_error (ctx, PMT_ERROR_MEMORY, "tests");
}

static void
test_frame_several (Fixture *f, gconstpointer user)
{
  PmtContext *ctx = &f->ctx;
  const size_t used = pmt_arena_used (ctx->step);
  for (int fails = 0; fails < 2; fails++) {
    PmtTensor keep[3];
    PmtFrame frame = pmt_frame_open (ctx);
    for (int k = 0; k < 3; k++) {
      pmt_tensor_new (ctx, PMT_SHAPE1 (5));
      keep[k] = pmt_tensor_new (ctx, PMT_SHAPE1 (16 * (3 - k)));
      for (int64_t i = 0; i < pmt_tensor_size (keep[k]); i++)
        keep[k].data[i] = (float) (100 * k + i);
    }
    if (fails)
      pmt_context_fail (ctx, PMT_ERROR_INPUT, "test");
    g_assert_cmpint (pmt_frame_close_several (ctx, frame, keep, 3), ==, !fails);
    g_assert_cmpuint (pmt_arena_used (ctx->step), ==, used + (fails ? 0 : 6 * 64));
    for (int k = 0; k < 3; k++) {
      g_assert_cmpint (pmt_tensor_size (keep[k]), ==, fails ? 0 : 16 * (3 - k));
      for (int64_t i = 0; i < pmt_tensor_size (keep[k]); i++)
        g_assert_cmpfloat (keep[k].data[i], ==, (float) (100 * k + i));
    }
    pmt_frame_close (ctx, frame, PMT_NO_TENSOR);
  }
  check_error (ctx, PMT_ERROR_INPUT, "test");
}

/* Dry, none of these touches memory: the arena is larger than the machine. */
static void
test_dry (void)
{
  GError *error = NULL;
  PmtContext ctx = { .step = pmt_arena_new ("tests", (size_t) 512 << 30, &error), .dry = true };
  g_assert_no_error (error);
  PmtTensor big = pmt_tensor_zeros (&ctx, PMT_SHAPE2 (1 << 20, 1 << 15));
  PmtFrame frame = pmt_frame_open (&ctx);
  pmt_tensor_new (&ctx, PMT_SHAPE1 (64));
  PmtTensor copy = pmt_tensor_copy (&ctx, big);
  copy = pmt_frame_close (&ctx, frame, copy);
  g_assert_nonnull (copy.data);
  g_assert_no_error (ctx.error);
  g_assert_cmpuint (pmt_arena_used (ctx.step), ==, (size_t) 256 << 30);
  pmt_arena_free (ctx.step);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tensor/shapes", test_shapes);
  g_test_add_func ("/tensor/views", test_views);
  g_test_add_func ("/tensor/layouts", test_layouts);
  g_test_add ("/context/sticky", Fixture, NULL, set_up, test_sticky, tear_down);
  g_test_add ("/context/memory", Fixture, NULL, set_up, test_memory, tear_down);
  g_test_add ("/context/poll", Fixture, NULL, set_up, test_poll, tear_down);
  g_test_add ("/context/frame", Fixture, NULL, set_up, test_frame, tear_down);
  g_test_add ("/context/long-move", Fixture, NULL, set_up, test_long_move, tear_down);
  g_test_add ("/context/grow", Fixture, NULL, set_up, test_grow, tear_down);
  g_test_add ("/context/frame-several", Fixture, NULL, set_up, test_frame_several, tear_down);
  g_test_add_func ("/context/dry", test_dry);
  return g_test_run ();
}
