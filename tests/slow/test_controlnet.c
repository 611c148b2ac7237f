/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ControlNet 1.5 and a T2I-Adapter at full size with random weights against torch, from single files in their authors' names without a
 * configuration (make_controlnet.py writes them). */
#include "engine/base/threads.h"
#include "engine/nets/control_files.h"
#include "tests/nets/nets_case.h"

#define FULL_TOLERANCE 1e-3

static char *
data_path (const char *name)
{
  const char *root = g_getenv ("PMT_TEST_DATA");
  g_assert_nonnull (root);
  char *path = g_build_filename (root, "full-control", name, NULL);
  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    g_error ("%s is missing: tests/slow/make_controlnet.py makes it, and \"./dev test slow\" runs that", path);
  return path;
}

static void
compare (PmtContext *ctx, const NetsCase *io, const PmtTensor *got, int n)
{
  double worst = 0;
  for (int k = 0; k < n; k++) {
    g_autofree char *name = g_strdup_printf ("%d", k);
    worst = MAX (worst, nets_difference (got[k], nets_read (ctx, io, name)));
  }
  g_test_message ("%d outputs, the worst differs by %.2e", n, worst);
  g_assert_cmpfloat (worst, <=, FULL_TOLERANCE);
}

static void
test_controlnet (void)
{
  GError *error = NULL;
  PmtControlNetConfig config;
  PmtTensor residual[64];
  g_autofree char *path = data_path ("controlnet.safetensors"), *stored = data_path ("controlnet-io.safetensors");
  NetsCase io = { .io = pmt_safetensors_open (stored, &error) };
  g_assert_no_error (error);
  PmtWeights *weights = pmt_controlnet_open (path, NULL, &config, &error);
  g_assert_no_error (error);
  PmtControlNet *net = pmt_controlnet_new (&config, weights, NULL, &error);
  g_assert_no_error (error);
  pmt_weights_free (weights);
  g_assert_cmpint (pmt_controlnet_n_residuals (net), ==, 13);

  PmtContext *ctx = nets_context_new (false);
  PmtUnetInput input = { .sample = nets_read (ctx, &io, "sample"), .timesteps = nets_read (ctx, &io, "timestep").data,
                         .context = nets_read (ctx, &io, "encoder_hidden_states") };
  PmtTensor picture = nets_read (ctx, &io, "controlnet_cond");
  gint64 start = g_get_monotonic_time ();
  PmtTensor hint = pmt_controlnet_hint (ctx, net, picture);
  g_test_message ("the picture took %.1f s", (double) (g_get_monotonic_time () - start) / 1e6);
  start = g_get_monotonic_time ();
  pmt_arena_reset_peak (ctx->step);
  g_assert_true (pmt_controlnet_forward (ctx, net, &input, hint, 0.9f, false, pmt_controlnet_pools (net, false), residual));
  nets_context_check (ctx);
  g_test_message ("one evaluation took %.1f s on %d threads, activations %zu MiB", (double) (g_get_monotonic_time () - start) / 1e6,
                  pmt_threads (), pmt_arena_peak (ctx->step) >> 20);
  compare (ctx, &io, residual, 13);
  nets_context_free (ctx);
  pmt_controlnet_free (net);
  pmt_safetensors_free (io.io);
}

static void
test_adapter (void)
{
  GError *error = NULL;
  PmtT2iConfig config;
  PmtTensor feature[PMT_T2I_MAX_BLOCKS];
  g_autofree char *path = data_path ("t2i.safetensors"), *stored = data_path ("t2i-io.safetensors");
  NetsCase io = { .io = pmt_safetensors_open (stored, &error) };
  g_assert_no_error (error);
  PmtWeights *weights = pmt_t2i_open (path, &config, &error);
  g_assert_no_error (error);
  PmtT2iAdapter *net = pmt_t2i_new (&config, weights, NULL, &error);
  g_assert_no_error (error);
  pmt_weights_free (weights);
  PmtContext *ctx = nets_context_new (false);
  g_assert_true (pmt_t2i_forward (ctx, net, nets_read (ctx, &io, "x"), feature));
  g_assert_cmpint (config.n_blocks, ==, 4);
  compare (ctx, &io, feature, 4);
  nets_context_free (ctx);
  pmt_t2i_free (net);
  pmt_safetensors_free (io.io);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/slow/control/controlnet", test_controlnet);
  g_test_add_func ("/slow/control/t2i-adapter", test_adapter);
  return g_test_run ();
}
