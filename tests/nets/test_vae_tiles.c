/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Encoding and decoding in tiles against diffusers' (make_vae_extras.py). */
#include <string.h>

#include "engine/nets/vae.h"
#include "tests/nets/nets_case.h"

static const char *const names[] = { "vae-tiled", "vae-tiled-small" };

typedef struct Fixture {
  NetsCase *nets;
  PmtVae *vae;
  PmtContext *ctx;
} Fixture;

static void
set_up (Fixture *f, gconstpointer name)
{
  GError *error = NULL;
  PmtVaeConfig config;
  f->nets = nets_case_open (name, "diffusion_pytorch_model", PMT_NAMES_VAE);
  pmt_vae_config_parse (f->nets->config, f->nets->file, &config, &error);
  g_assert_no_error (error);
  f->vae = pmt_vae_new (&config, f->nets->weights, NULL, &error);
  g_assert_no_error (error);
  f->ctx = nets_context_new (false);
}

static void
tear_down (Fixture *f, gconstpointer name)
{
  nets_context_free (f->ctx);
  pmt_vae_free (f->vae);
  nets_case_close (f->nets);
}

static void
test_parity (Fixture *f, gconstpointer name)
{
  PmtTensor latents = nets_read (f->ctx, f->nets, "latents");
  g_assert_true (pmt_vae_tiling_helps (pmt_vae_config (f->vae), latents.shape.dim[1], latents.shape.dim[2]));
  nets_compare (f->ctx, f->nets, "decoded", pmt_vae_decode_tiled (f->ctx, f->vae, latents));
  nets_compare (f->ctx, f->nets, "moments", pmt_vae_encode_tiled (f->ctx, f->vae, nets_read (f->ctx, f->nets, "pictures")));
}

/* What fits into one tile is done whole, to the bit. */
static void
test_small (Fixture *f, gconstpointer name)
{
  const int cells = pmt_vae_config (f->vae)->sample_size / 8;
  PmtTensor latents = nets_random (f->ctx, PMT_SHAPE4 (1, cells, cells, 4), 3);
  PmtTensor pictures = nets_random (f->ctx, PMT_SHAPE4 (1, 8 * cells, 8 * cells - 8, 3), 4);
  g_assert_false (pmt_vae_tiling_helps (pmt_vae_config (f->vae), cells, cells));
  g_assert_true (pmt_vae_tiling_helps (pmt_vae_config (f->vae), 1, cells + 1));
  g_assert_true (nets_same_bytes (pmt_vae_decode_tiled (f->ctx, f->vae, latents), pmt_vae_decode (f->ctx, f->vae, latents)));
  g_assert_true (nets_same_bytes (pmt_vae_encode_tiled (f->ctx, f->vae, pictures), pmt_vae_encode (f->ctx, f->vae, pictures)));
  nets_context_check (f->ctx);
}

static size_t
peak_of (PmtVae *vae, bool tiled, int64_t cells)
{
  PmtContext *dry = nets_context_new (true);
  PmtTensor latents = pmt_tensor_new (dry, PMT_SHAPE4 (1, cells, cells, 4));
  if (tiled)
    pmt_vae_decode_tiled (dry, vae, latents);
  else
    pmt_vae_decode (dry, vae, latents);
  nets_context_check (dry);
  const size_t peak = pmt_arena_peak (dry->step);
  nets_context_free (dry);
  return peak;
}

/* A dry run counts exactly what a real one takes, and tiles take less. */
static void
test_memory (Fixture *f, gconstpointer name)
{
  PmtContext *dry = nets_context_new (true);
  PmtTensor latents = nets_read (f->ctx, f->nets, "latents"), pictures = nets_read (f->ctx, f->nets, "pictures");
  const size_t before = pmt_arena_used (f->ctx->step), before_dry = pmt_arena_used (dry->step);
  PmtTensor out = pmt_vae_decode_tiled (f->ctx, f->vae, latents), planned = pmt_vae_decode_tiled (dry, f->vae, latents);
  g_assert_true (pmt_shape_equal (&out.shape, &planned.shape));
  out = pmt_vae_encode_tiled (f->ctx, f->vae, pictures), planned = pmt_vae_encode_tiled (dry, f->vae, pictures);
  g_assert_true (pmt_shape_equal (&out.shape, &planned.shape));
  nets_context_check (f->ctx);
  nets_context_check (dry);
  g_assert_cmpfloat (dry->flops, ==, f->ctx->flops);
  g_assert_cmpuint (pmt_arena_peak (dry->step) - before_dry, ==, pmt_arena_peak (f->ctx->step) - before);
  nets_context_free (dry);
  const size_t whole = peak_of (f->vae, false, 96), tiled = peak_of (f->vae, true, 96);
  g_test_message ("768 x 768 pixels: %zu bytes whole, %zu in tiles", whole, tiled);
  g_assert_cmpuint (tiled, <, whole / 4);
}

/* Rows don't see each other. */
static void
test_rows (Fixture *f, gconstpointer name)
{
  PmtTensor latents = nets_random (f->ctx, PMT_SHAPE4 (2, 10, 9, 4), 5);
  PmtTensor both = pmt_vae_decode_tiled (f->ctx, f->vae, latents);
  for (int row = 0; row < 2; row++) {
    PmtTensor one = pmt_vae_decode_tiled (f->ctx, f->vae, pmt_tensor_rows (latents, row, 1));
    g_assert_true (nets_same_bytes (pmt_tensor_rows (both, row, 1), one));
  }
  nets_context_check (f->ctx);
}

typedef struct Stop {
  PmtCancel *cancel;
  int left;
} Stop;

static void
stop_soon (void *user, const PmtContext *ctx)
{
  Stop *stop = user;
  if (stop->left-- == 0)
    pmt_cancel_request (stop->cancel);
}

/* Cancelling in the middle of the tiles ends it. */
static void
test_cancel (Fixture *f, gconstpointer name)
{
  PmtCancel cancel = { 0 };
  Stop stop = { &cancel, 60 };
  GError *error = NULL;
  f->ctx->cancel = &cancel;
  f->ctx->on_op = stop_soon;
  f->ctx->on_op_user = &stop;
  PmtTensor out = pmt_vae_decode_tiled (f->ctx, f->vae, nets_random (f->ctx, PMT_SHAPE4 (1, 40, 40, 4), 6));
  g_assert_null (out.data);
  g_assert_true (pmt_context_take_error (f->ctx, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_CANCELLED);
  g_error_free (error);
  g_assert_cmpint (stop.left, >, -5);
}

int
main (int argc, char **argv)
{
  static const struct {
    const char *name;
    void (*test) (Fixture *f, gconstpointer name);
  } tests[] = { { "parity", test_parity }, { "small", test_small }, { "memory", test_memory }, { "rows", test_rows }, { "cancel", test_cancel } };
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    for (guint k = 0; k < G_N_ELEMENTS (tests); k++) {
      g_autofree char *path = g_strdup_printf ("/%s/%s", names[i], tests[k].name);
      g_test_add (path, Fixture, names[i], set_up, tests[k].test, tear_down);
    }
  return g_test_run ();
}
