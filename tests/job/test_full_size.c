/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Jobs that are refined at full size: what comes back, that their recipe makes it again, what is kept outside the mask, and the estimate. */
#include <math.h>
#include <string.h>

#include "engine/base/cpu.h"
#include "engine/job/job.h"

enum { W = 203, H = 150, LEFT = 60, TOP = 50, RIGHT = 150, BOTTOM = 110 };

typedef struct Kept {
  PmtPicture picture, blend;
  PmtBox box;
  JsonObject *recipe;
  size_t memory;
} Kept;

static PmtPicture image, mask;
static PmtJobInputs inputs;

static gboolean
keep (void *user, const PmtJobResult *result, GError **error)
{
  Kept *kept = user;
  PmtBox all = { 0, 0, result->picture.width, result->picture.height };
  kept->box = result->box;
  kept->recipe = json_object_ref (result->recipe);
  return pmt_picture_crop (&result->picture, &all, &kept->picture, error) &&
         (!result->blend.data || pmt_picture_crop (&result->blend, &all, &kept->blend, error));
}

static void
kept_clear (Kept *kept)
{
  pmt_picture_clear (&kept->picture);
  pmt_picture_clear (&kept->blend);
  json_object_unref (kept->recipe);
}

static JsonObject *
recipe_of (const char *text)
{
  g_autofree char *model = g_build_filename (g_getenv ("PMT_TEST_DATA"), "runs", "tiny", NULL);
  g_auto (GStrv) parts = g_strsplit (text, "'", -1);
  g_autofree char *json = g_strjoinv ("\"", parts);
  GError *error = NULL;
  JsonNode *node = json_from_string (json, &error);
  g_assert_no_error (error);
  JsonObject *recipe = json_node_dup_object (node);
  json_node_unref (node);
  json_object_set_string_member (recipe, "model", model);
  return recipe;
}

static Kept
run (JsonObject *recipe, const PmtJobInputs *given)
{
  GError *error = NULL;
  Kept kept = { 0 };
  PmtModelCache *cache = pmt_model_cache_new ();
  PmtJobHooks hooks = { .result = keep, .user = &kept };
  PmtJobStats stats;
  PmtJob *job = pmt_job_parse (recipe, &error);
  g_assert_no_error (error);
  pmt_job_run (job, cache, given, &hooks, &stats, &error);
  g_assert_no_error (error);
  kept.memory = stats.peak_bytes;
  pmt_job_free (job);
  pmt_model_cache_free (cache);
  return kept;
}

static bool
same (const PmtPicture *a, const PmtPicture *b)
{
  return a->width == b->width && a->height == b->height && a->channels == b->channels &&
         memcmp (a->data, b->data, (gsize) a->width * (gsize) a->height * (gsize) a->channels * sizeof (float)) == 0;
}

#define HEAD "{'pentimento': 1, 'prompt': 'a red circle', 'seed': 5, 'steps': 4, 'full-size': true, "

/* Twice the same bytes, by way of the recipe; and other ones than without the second stage, or with another strength. */
static void
test_recipe (void)
{
  const struct {
    const char *recipe;
    const PmtJobInputs *inputs;
  } cases[] = {
    { HEAD "'task': 'generate', 'size': [168, 120]}", NULL },
    { HEAD "'task': 'generate', 'size': [168, 120], 'strength': 0.6}", &inputs },
    { HEAD "'task': 'fill', 'region': {'mode': 'whole'}}", &inputs },
    { HEAD "'task': 'fill', 'strength': 0.6, 'full-size-strength': 0.6, 'region': {'mode': 'whole'}, 'sampler': 'euler-a'}", &inputs },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (JsonObject) recipe = recipe_of (cases[i].recipe);
    Kept a = run (recipe, cases[i].inputs), b = run (a.recipe, cases[i].inputs);
    g_assert_true (json_object_get_boolean_member (a.recipe, "full-size"));
    g_assert_true (json_object_equal (a.recipe, b.recipe));
    g_assert_true (same (&a.picture, &b.picture));
    if (i < 2) {
      g_assert_cmpint (a.picture.width, ==, 168);
      g_assert_cmpint (a.picture.height, ==, 120);
    }
    kept_clear (&b);
    json_object_set_double_member (a.recipe, "full-size-strength", 0.9);
    b = run (a.recipe, cases[i].inputs);
    g_assert_false (same (&a.picture, &b.picture));
    kept_clear (&b);
    json_object_set_boolean_member (a.recipe, "full-size", FALSE);
    b = run (a.recipe, cases[i].inputs);
    g_assert_false (same (&a.picture, &b.picture));
    g_assert_false (json_object_has_member (b.recipe, "full-size"));
    kept_clear (&b);
    kept_clear (&a);
  }
}

/* What is not larger than the model's own size is made as without the field. */
static void
test_small (void)
{
  g_autoptr (JsonObject) recipe = recipe_of (HEAD "'task': 'generate', 'size': [72, 64]}");
  Kept a = run (recipe, NULL);
  json_object_remove_member (recipe, "full-size");
  Kept b = run (recipe, NULL);
  g_assert_true (same (&a.picture, &b.picture));
  kept_clear (&a);
  kept_clear (&b);
}

/* Mean difference of neighbours inside the mask, where all is new. */
static double
roughness (const Kept *kept)
{
  double sum = 0;
  int n = 0;
  for (int y = TOP + 8; y < BOTTOM - 8; y++)
    for (int x = LEFT + 8; x < RIGHT - 8; x++, n++) {
      const float *p = kept->picture.data + 4 * ((y - kept->box.y) * kept->box.width + x - kept->box.x);
      sum += fabsf (p[4] - p[0]);
    }
  return sum / n;
}

/* The scaled picture is smooth; painted at full size it has detail of single pixels. What comes back lies where it did, and mixes as it did. */
static void
test_fill (void)
{
  g_autoptr (JsonObject) recipe = recipe_of (HEAD "'task': 'fill', 'region': {'mode': 'whole'}}");
  Kept fine = run (recipe, &inputs);
  json_object_remove_member (recipe, "full-size");
  Kept plain = run (recipe, &inputs);
  g_assert_cmpmem (&fine.box, sizeof (PmtBox), &plain.box, sizeof (PmtBox));
  g_assert_true (same (&fine.blend, &plain.blend));
  g_test_message ("roughness %g at full size, %g scaled", roughness (&fine), roughness (&plain));
  g_assert_cmpfloat (roughness (&fine), >, 1.2 * roughness (&plain));
  kept_clear (&fine);
  kept_clear (&plain);
}

static PmtJobEstimate
estimated (JsonObject *recipe)
{
  GError *error = NULL;
  PmtModelCache *cache = pmt_model_cache_new ();
  PmtJobEstimate estimate;
  PmtJob *job = pmt_job_parse (recipe, &error);
  g_assert_no_error (error);
  pmt_job_estimate (job, cache, PMT_PREVIEW_LINEAR, &estimate, &error);
  g_assert_no_error (error);
  pmt_job_free (job);
  pmt_model_cache_free (cache);
  return estimate;
}

static void
test_estimate (void)
{
  g_autoptr (JsonObject) recipe = recipe_of (HEAD "'task': 'fill', 'region': {'mode': 'whole', 'canvas': [203, 150], 'selection': [60, 50, 90, 60]}}");
  PmtJobEstimate whole = estimated (recipe);
  Kept kept = run (recipe, &inputs);
  g_assert_cmpuint (kept.memory, ==, whole.cost.activation_bytes + whole.cost.weight_bytes);
  json_object_remove_member (recipe, "full-size");
  PmtJobEstimate first = estimated (recipe);
  g_assert_cmpfloat (whole.cost.flops, >, 3 * first.cost.flops);
  g_assert_cmpfloat (whole.seconds, >, first.seconds);
  g_assert_cmpuint (whole.memory_bytes, >, first.memory_bytes);
  g_assert_true (whole.width == first.width && whole.height == first.height);
  kept_clear (&kept);

  g_autoptr (JsonObject) generate = recipe_of (HEAD "'task': 'generate', 'size': [168, 120]}");
  whole = estimated (generate);
  g_assert_true (whole.width == 168 && whole.height == 120);
}

static void
test_refused (void)
{
  static const char *const wrong[][2] = { { "{'pentimento': 1, 'task': 'fill', 'full-size': 1.5}", "full-size" },
                                          { "{'pentimento': 1, 'task': 'fill', 'full-size-strength': 0}", "full-size-strength" } };
  for (gsize i = 0; i < G_N_ELEMENTS (wrong); i++) {
    g_autoptr (JsonObject) recipe = recipe_of (wrong[i][0]);
    g_autoptr (GError) error = NULL;
    g_assert_null (pmt_job_parse (recipe, &error));
    g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
    g_assert_nonnull (strstr (error->message, wrong[i][1]));
  }
}

int
main (int argc, char **argv)
{
  PmtCpuLevel level;
  pmt_cpu_select (&level, NULL);
  g_test_init (&argc, &argv, NULL);
  g_assert_true (pmt_picture_init (&image, W, H, 4, NULL) && pmt_picture_init (&mask, W, H, 1, NULL));
  for (int y = 0; y < H; y++)
    for (int x = 0; x < W; x++) {
      float *p = image.data + 4 * (y * W + x);
      p[0] = (float) x / W;
      p[1] = (float) y / H;
      p[2] = 0.5f + 0.4f * sinf ((float) (x + y) / 9);
      p[3] = 1;
      mask.data[y * W + x] = x >= LEFT && x < RIGHT && y >= TOP && y < BOTTOM;
    }
  inputs = (PmtJobInputs) { .image = &image, .mask = &mask };
  g_test_add_func ("/full-size/recipe", test_recipe);
  g_test_add_func ("/full-size/small", test_small);
  g_test_add_func ("/full-size/fill", test_fill);
  g_test_add_func ("/full-size/estimate", test_estimate);
  g_test_add_func ("/full-size/refused", test_refused);
  return g_test_run ();
}
