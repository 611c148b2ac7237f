/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Cancel at Stable Diffusion 1.5's full size, random weights: a request made anywhere inside a UNet evaluation, the VAE's decode or the
 * loading of weights ends it within half a second. */
#include <math.h>

#include "engine/kernels/kernels.h"
#include "engine/nets/unet.h"
#include "engine/nets/vae.h"
#include "engine/weights/model.h"

#define LIMIT_SECONDS 0.5
#define ARENA_BYTES ((size_t) 12 << 30)

typedef struct Work {
  PmtUnet *unet;
  PmtVae *vae;
  PmtModelFiles *files;
  PmtCancel *cancel;
  GError *error;
  gint64 ended;
} Work;

static PmtTensor
noise (PmtContext *ctx, PmtShape shape)
{
  PmtTensor t = pmt_tensor_new (ctx, shape);
  for (int64_t i = 0; i < pmt_tensor_size (t); i++)
    t.data[i] = sinf ((float) i * 12.9898f);
  return t;
}

static gpointer
evaluate (gpointer user)
{
  Work *work = user;
  PmtArena *arena = pmt_arena_new ("step", ARENA_BYTES, NULL);
  PmtContext ctx = { .step = arena, .kernels = pmt_kernels_get (pmt_cpu_detect ()), .cancel = work->cancel };
  const float timesteps[2] = { 500, 500 };

  if (work->unet) {
    PmtUnetInput input = { noise (&ctx, PMT_SHAPE4 (2, 64, 64, 4)), timesteps, noise (&ctx, PMT_SHAPE3 (2, 77, 768)) };
    pmt_unet_forward (&ctx, work->unet, &input, NULL);
  } else {
    pmt_vae_decode (&ctx, work->vae, noise (&ctx, PMT_SHAPE4 (1, 64, 64, 4)));
  }
  work->ended = g_get_monotonic_time ();
  pmt_context_take_error (&ctx, &work->error);
  pmt_arena_free (arena);
  return NULL;
}

static gpointer
load (gpointer user)
{
  Work *work = user;
  PmtUnetConfig config;
  JsonObject *object = pmt_model_files_config (work->files, PMT_COMPONENT_UNET, &work->error);

  if (object && pmt_unet_config_parse (object, "sd1", &config, &work->error)) {
    PmtWeights *weights = pmt_model_files_weights (work->files, PMT_COMPONENT_UNET, &work->error);
    PmtUnet *unet = pmt_unet_new (&config, weights, work->cancel, &work->error);
    pmt_unet_free (unet);
  }
  work->ended = g_get_monotonic_time ();
  return NULL;
}

static void
check_latency (GThreadFunc func, Work *work, const char *what, const double *delays, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    PmtCancel cancel = { 0 };
    work->cancel = &cancel;
    GThread *thread = g_thread_new ("work", func, work);
    g_usleep ((gulong) (delays[i] * 1e6));
    gint64 asked = g_get_monotonic_time ();
    pmt_cancel_request (&cancel);
    g_thread_join (thread);
    double seconds = (double) (work->ended - asked) * 1e-6;
    if (i > 0 && work->ended < asked) {
      g_assert_no_error (work->error);
      g_test_message ("%s is done in less than %.1f s here", what, delays[i]);
      break;
    }
    g_assert_error (work->error, PMT_ERROR, PMT_ERROR_CANCELLED);
    g_test_message ("%s, cancelled after %.1f s: stopped %.0f ms later", what, delays[i], seconds * 1e3);
    g_assert_cmpfloat (seconds, <, LIMIT_SECONDS);
    g_clear_error (&work->error);
  }
}

static PmtModelFiles *
random_files (void)
{
  GError *error = NULL;
  PmtModelFiles *files = pmt_model_files_new_random ("sd1", 1, &error);

  g_assert_no_error (error);
  return files;
}

static void
test_load (void)
{
  Work work = { .files = random_files () };
  const double delays[] = { 0.05, 0.7 };

  check_latency (load, &work, "loading", delays, G_N_ELEMENTS (delays));
  pmt_model_files_free (work.files);
}

static void
test_unet (void)
{
  PmtModelFiles *files = random_files ();
  PmtUnetConfig config;
  GError *error = NULL;
  const double delays[] = { 0.1, 0.9, 2.3, 4.1 };
  Work work = { 0 };

  pmt_unet_config_parse (pmt_model_files_config (files, PMT_COMPONENT_UNET, NULL), "sd1", &config, &error);
  g_assert_no_error (error);
  work.unet = pmt_unet_new (&config, pmt_model_files_weights (files, PMT_COMPONENT_UNET, NULL), NULL, &error);
  g_assert_no_error (error);
  check_latency (evaluate, &work, "UNet, two rows at 64×64", delays, G_N_ELEMENTS (delays));
  pmt_unet_free (work.unet);
  pmt_model_files_free (files);
}

static void
test_vae (void)
{
  PmtModelFiles *files = random_files ();
  PmtVaeConfig config;
  GError *error = NULL;
  const double delays[] = { 0.1, 1.3, 3.7, 8.1 };
  Work work = { 0 };

  pmt_vae_config_parse (pmt_model_files_config (files, PMT_COMPONENT_VAE, NULL), "sd1", &config, &error);
  g_assert_no_error (error);
  work.vae = pmt_vae_new (&config, pmt_model_files_weights (files, PMT_COMPONENT_VAE, NULL), NULL, &error);
  g_assert_no_error (error);
  check_latency (evaluate, &work, "VAE decode to 512×512", delays, G_N_ELEMENTS (delays));
  pmt_vae_free (work.vae);
  pmt_model_files_free (files);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/slow/cancel/load", test_load);
  g_test_add_func ("/slow/cancel/unet", test_unet);
  g_test_add_func ("/slow/cancel/vae-decode", test_vae);
  return g_test_run ();
}
