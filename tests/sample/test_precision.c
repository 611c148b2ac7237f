/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a run in bf16 or int8 is worth: whole pictures of the bundled model against f32, equal bytes however rows are batched, and the way back to f32
 * to the bit. */
#include <math.h>

#include "engine/kernels/packed.h"
#include "tests/sample/runs.h"

static PmtModel *
bundled (void)
{
  g_autofree char *path = g_build_filename (g_getenv ("PMT_SOURCE_ROOT"), "data", "models", "sketch", NULL);
  GError *error = NULL;
  PmtModel *model = pmt_model_open (path, &error);
  g_assert_no_error (error);
  return model;
}

static PmtRequest
request (PmtModel *model, PmtPrecision precision, uint64_t seed)
{
  GError *error = NULL;
  PmtRequest q = { .model = model, .prompt = "a red mushroom in a meadow", .width = 128, .height = 128, .steps = 20, .guidance = 4,
                   .strength = 1, .seed = seed };
  q.sampler = pmt_sampler_find ("ddim", &error);
  g_assert_true (pmt_model_set_precision (model, precision, &error));
  g_assert_no_error (error);
  g_assert_cmpint (pmt_model_precision (model), ==, precision);
  return q;
}

static double
psnr (const PmtResult *a, const PmtResult *b)
{
  const size_t n = (size_t) a->width * (size_t) a->height * 3;
  double sum = 0;
  for (size_t i = 0; i < n; i++)
    sum += pow (a->image[i] - b->image[i], 2);
  return -10 * log10 (sum / (double) n);
}

/* The refusal on a machine or level without that precision. */
static void
check_refused (PmtModel *model, PmtPrecision precision)
{
  g_autofree char *sentence = g_strdup_printf ("This computer's processor cannot compute in %s; use precision f32 or auto.",
                                               pmt_precision_name (precision));
  GError *error = NULL;
  g_assert_false (pmt_model_set_precision (model, precision, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED);
  g_assert_cmpstr (error->message, ==, sentence);
  g_error_free (error);
}

/* Pictures in that precision against f32, at least that many decibels. */
static void
check_close (PmtPrecision precision, double least)
{
  PmtModel *model = bundled ();
  if (!pmt_precision_available (precision)) {
    check_refused (model, precision);
    pmt_model_unref (model);
    return;
  }
  double worst = INFINITY;
  for (uint64_t seed = 1; seed <= 3; seed++) {
    PmtRequest q = request (model, PMT_PRECISION_F32, seed);
    PmtResult wide = runs_do (&q);
    q = request (model, precision, seed);
    PmtResult narrow = runs_do (&q);
    q.rows_per_call = 1;
    PmtResult singly = runs_do (&q);
    runs_assert_equal (&narrow, &singly);
    q.rows_per_call = 0;
    q = request (model, PMT_PRECISION_F32, seed);
    PmtResult back = runs_do (&q);
    runs_assert_equal (&wide, &back);
    g_test_message ("%s, seed %d: latent %.2g relative, picture %.1f dB", pmt_precision_name (precision), (int) seed,
                    runs_distance (narrow.latent, wide.latent, runs_latent_size (&wide)), psnr (&narrow, &wide));
    worst = MIN (worst, psnr (&narrow, &wide));
    pmt_result_clear (&wide);
    pmt_result_clear (&narrow);
    pmt_result_clear (&singly);
    pmt_result_clear (&back);
  }
  g_assert_cmpfloat (worst, >, least);
  pmt_model_unref (model);
}

static void
test_bf16 (void)
{
  check_close (PMT_PRECISION_BF16, 30);
}

static void
test_int8 (void)
{
  check_close (PMT_PRECISION_INT8, 24);
}

/* Half the memory, known in advance and held. */
static void
test_memory (void)
{
  PmtModel *model = bundled ();
  PmtCost wide, narrow;
  GError *error = NULL;
  PmtRequest q = request (model, PMT_PRECISION_F32, 1);
  g_assert_true (pmt_run_cost (&q, &wide, &error));
  if (!pmt_precision_available (PMT_PRECISION_BF16)) {
    check_refused (model, PMT_PRECISION_BF16);
    pmt_model_unref (model);
    return;
  }
  q = request (model, PMT_PRECISION_BF16, 1);
  g_assert_true (pmt_run_cost (&q, &narrow, &error));
  g_assert_cmpfloat ((double) narrow.weight_bytes, <, 0.65 * (double) wide.weight_bytes);
  g_assert_cmpfloat (narrow.flops, ==, wide.flops);
  q.steps = 2;
  PmtResult result = runs_do (&q);
  g_assert_cmpuint (pmt_model_resident_bytes (model), ==, narrow.weight_bytes);
  g_assert_true (pmt_run_cost (&q, &narrow, &error));
  g_assert_cmpuint (result.peak_bytes, ==, narrow.activation_bytes);
  pmt_result_clear (&result);
  pmt_model_unref (model);
}

/* A small model gains nothing, so auto leaves it in f32. */
static void
test_auto (void)
{
  PmtModel *model = bundled ();
  GError *error = NULL;
  g_assert_cmpint (pmt_model_auto_precision (model, &error), ==, PMT_PRECISION_F32);
  g_assert_no_error (error);
  pmt_model_unref (model);
  model = pmt_model_new (pmt_model_files_new_random ("sd15", 1, &error), &error);
  g_assert_no_error (error);
  g_assert_cmpint (pmt_model_auto_precision (model, &error), ==,
                   pmt_precision_available (PMT_PRECISION_BF16) ? PMT_PRECISION_BF16 : PMT_PRECISION_F32);
  pmt_model_unref (model);
}

int
main (int argc, char **argv)
{
  PmtCpuLevel level;
  g_assert_true (pmt_cpu_select (&level, NULL)); /* first: with PENTIMENTO_CPU set it begins the program anew */
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/precision/bf16", test_bf16);
  g_test_add_func ("/precision/int8", test_int8);
  g_test_add_func ("/precision/memory", test_memory);
  g_test_add_func ("/precision/auto", test_auto);
  return g_test_run ();
}
