/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "engine/kernels/kernels.h"
#include "tests/sample/runs.h"

static Runs runs;
static PmtModel *model;

static float *
uniform (float value)
{
  float *mask = g_new (float, runs.width * runs.height);
  for (int i = 0; i < runs.width * runs.height; i++)
    mask[i] = value;
  return mask;
}

static PmtRequest
request (const float *mask)
{
  PmtRequest q = runs_request (&runs, model);
  q.image = runs.picture;
  q.mask = mask;
  q.guidance = 5;
  return q;
}

/* The picture's latents as the run draws them: posterior sample with the first noise of the seed's generator. NCHW. */
static float *
own_latents (uint64_t seed)
{
  GError *error = NULL;
  PmtCpuLevel level;
  g_assert_true (pmt_cpu_select (&level, NULL));
  PmtContext ctx = { .step = pmt_arena_new ("test", (size_t) 1 << 30, NULL), .kernels = pmt_kernels_get (level) };
  PmtVae *vae = pmt_model_vae (model, NULL, &error);
  g_assert_no_error (error);
  PmtTensor picture = pmt_tensor_new (&ctx, PMT_SHAPE4 (1, runs.height, runs.width, 3));
  for (int64_t i = 0; i < pmt_tensor_size (picture); i++)
    picture.data[i] = 2 * runs.picture[i] - 1;
  PmtTensor moments = pmt_vae_encode (&ctx, vae, picture), noise = pmt_tensor_new (&ctx, PMT_SHAPE4 (1, 6, 8, 4));
  PmtRng rng;
  float flat[4 * 6 * 8];
  pmt_rng_seed (&rng, seed);
  pmt_rng_normal (&rng, G_N_ELEMENTS (flat), flat);
  pmt_nchw_to_nhwc (flat, noise.data, 1, 4, 6, 8);
  PmtTensor latent = pmt_vae_sample (&ctx, vae, moments, noise, true);
  g_assert_no_error (ctx.error);
  float *out = g_new (float, G_N_ELEMENTS (flat));
  pmt_nhwc_to_nchw (latent.data, out, 1, 4, 6, 8);
  pmt_arena_free (ctx.step);
  return out;
}

/* Nothing to paint: the autoencoder's reconstruction, whatever sampler and strength. */
static void
test_zero (void)
{
  g_autofree float *none = uniform (0), *want = own_latents (5);
  PmtRequest q = request (none);
  for (int i = 0; pmt_samplers[i]; i++)
    for (int s = 0; s < 2; s++) {
      q.sampler = pmt_samplers[i];
      q.strength = s ? 0.6 : 1;
      PmtResult r = runs_do (&q);
      g_assert_cmpmem (r.latent, runs_latent_size (&r) * sizeof (float), want, runs_latent_size (&r) * sizeof (float));
      pmt_result_clear (&r);
    }
}

/* All to paint: image to image below full strength, and text to image at full strength (with the noise given, because here the
 * generator has made the picture's latents before). */
static void
test_ones (void)
{
  g_autofree float *all = uniform (1), *noise = g_new (float, 4 * 6 * 8);
  PmtRequest q = request (all);
  q.strength = 0.75;
  PmtResult blend = runs_do (&q);
  q.mask = NULL;
  PmtResult image = runs_do (&q);
  runs_assert_equal (&blend, &image);
  /* resampled, it is a little less than 1 and has to be as good; 0.75 of the steps is a whole number */
  for (int i = 0; i < runs.width * runs.height; i += 3)
    all[i] = 0.99999994f;
  q.mask = all;
  PmtResult nearly = runs_do (&q);
  runs_assert_equal (&nearly, &image);
  pmt_result_clear (&nearly);

  PmtRng rng;
  pmt_rng_seed (&rng, 77);
  pmt_rng_normal (&rng, 4 * 6 * 8, noise);
  q = request (all);
  q.noise = noise;
  PmtResult full = runs_do (&q);
  q.image = q.mask = NULL;
  PmtResult text = runs_do (&q);
  runs_assert_equal (&full, &text);
  pmt_result_clear (&blend);
  pmt_result_clear (&image);
  pmt_result_clear (&full);
  pmt_result_clear (&text);
}

/* Where the mask is 0, the latents are the picture's to the bit; elsewhere they are not. */
static void
test_binary (void)
{
  g_autofree float *want = own_latents (5);
  PmtRequest q = request (runs.mask);
  PmtResult r = runs_do (&q);
  int kept = 0, painted = 0;
  for (int y = 0; y < 6; y++)
    for (int x = 0; x < 8; x++)
      for (int c = 0; c < 4; c++) {
        const int k = (c * 6 + y) * 8 + x;
        if (runs.mask[y * 8 * runs.width + x * 8] == 0) {
          g_assert_true (r.latent[k] == want[k]);
          kept++;
        } else {
          painted += r.latent[k] != want[k];
        }
      }
  g_assert_cmpint (kept, >, 20);
  g_assert_cmpint (painted, >, 20);
  pmt_result_clear (&r);
}

/* A mask value is a strength: all over 0.5, the run is image to image of strength 0.5, to the bit, with a sampler that remembers
 * nothing. */
static void
test_soft (void)
{
  static const char *const samplers[] = { "ddim", "euler" };
  for (guint i = 0; i < G_N_ELEMENTS (samplers); i++)
    for (int tenths = 3; tenths <= 8; tenths++) {
      g_autofree float *soft = uniform ((float) tenths / 10);
      PmtRequest q = request (soft);
      q.steps = 10;
      q.sampler = pmt_sampler_find (samplers[i], NULL);
      PmtResult blend = runs_do (&q);
      q.mask = NULL;
      q.strength = (float) tenths / 10; /* the mask's value as a float holds it */
      PmtResult image = runs_do (&q);
      g_assert_cmpint (blend.steps_done, ==, 10);
      g_assert_cmpint (image.steps_done, ==, (int) (10 * q.strength));
      runs_assert_equal (&blend, &image);
      pmt_result_clear (&blend);
      pmt_result_clear (&image);
    }
}

/* Kept early, what has not joined yet is the picture's. */
static atomic_bool keep;

static void
keep_after_two (void *user, const PmtProgress *p)
{
  if (p->stage == PMT_STAGE_SAMPLE && p->step == 2)
    atomic_store (&keep, true);
}

static void
test_keep (void)
{
  g_autofree float *late = uniform (0.5f), *want = own_latents (5);
  PmtRequest q = request (late);
  q.steps = 8;
  q.keep = &keep;
  q.progress = keep_after_two;
  atomic_store (&keep, false);
  PmtResult r = runs_do (&q);
  g_assert_cmpint (r.steps_done, ==, 2);
  g_assert_cmpmem (r.latent, runs_latent_size (&r) * sizeof (float), want, runs_latent_size (&r) * sizeof (float));
  pmt_result_clear (&r);
}

static void
test_errors (void)
{
  GError *error = NULL;
  PmtResult result;
  PmtMethodUse use = runs_use ("latent-blend");
  PmtRequest q = runs_request (&runs, model);
  q.methods = &use;
  q.n_methods = 1;
  g_assert_false (pmt_run (&q, &result, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
  g_assert_nonnull (strstr (error->message, "a picture and a mask"));
  g_clear_error (&error);
  pmt_param_values_clear (&use.values);
}

int
main (int argc, char **argv)
{
  static const RunsTest tests[] = {
    { "/latent-blend/zero-mask", test_zero },
    { "/latent-blend/full-mask", test_ones },
    { "/latent-blend/binary-mask", test_binary },
    { "/latent-blend/soft-mask", test_soft },
    { "/latent-blend/kept-early", test_keep },
    { "/latent-blend/errors", test_errors },
    { 0 }
  };
  return runs_main (argc, argv, &runs, &model, tests);
}
