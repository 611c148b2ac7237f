/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The families beside Stable Diffusion 1 against diffusers' pipelines (tests/reference/make_families.py), from seeds to latents: 2.x, XL,
 * its refiner, a latent consistency model. */
#include <json-glib/json-glib.h>
#include <string.h>

#include "tests/sample/runs.h"

enum { LATENT = 4 * 8 * 6 };

static Runs runs, families; /* the picture and the mask are those of the other runs */
static GHashTable *models;

static PmtModel *
model_of (const char *name)
{
  PmtModel *model = g_hash_table_lookup (models, name);
  if (!model) {
    g_autofree char *folder = g_strconcat ("../families/", name, NULL);
    model = runs_model (folder);
    g_hash_table_insert (models, g_strdup (name), model);
  }
  return model;
}

/* Number `i` of a list, or of none `fallback`. */
static double
number (JsonObject *c, const char *key, guint i, double fallback)
{
  return json_object_get_null_member (c, key) ? fallback : json_array_get_double_element (json_object_get_array_member (c, key), i);
}

static double
part (JsonObject *c, const char *key)
{
  return json_object_get_null_member (c, key) ? 0.0 : json_object_get_double_member (c, key);
}

static PmtRequest
request_of (JsonObject *c)
{
  GError *error = NULL;
  PmtRequest q = runs_request (&runs, model_of (json_object_get_string_member (c, "model")));
  q.prompt = json_object_get_string_member (c, "prompt");
  q.negative = json_object_get_null_member (c, "negative") ? NULL : json_object_get_string_member (c, "negative");
  q.steps = (int) json_object_get_int_member (c, "steps");
  q.guidance = json_object_get_double_member (c, "guidance");
  q.strength = json_object_get_double_member (c, "strength");
  q.seed = (uint64_t) json_object_get_int_member (c, "seed");
  q.clip_skip = (int) json_object_get_int_member (c, "clip_skip");
  q.sampler = pmt_sampler_find (json_object_get_string_member (c, "sampler"), &error);
  g_assert_no_error (error);
  q.original_height = (int) number (c, "original", 0, 0);
  q.original_width = (int) number (c, "original", 1, 0);
  q.crop_y = (int) number (c, "crop", 0, 0);
  q.crop_x = (int) number (c, "crop", 1, 0);
  q.target_height = (int) number (c, "target", 0, 0);
  q.target_width = (int) number (c, "target", 1, 0);
  q.aesthetic_score = number (c, "scores", 0, 0);
  q.negative_aesthetic_score = number (c, "scores", 1, 0);
  q.denoising_start = part (c, "start");
  q.denoising_end = part (c, "end");
  return q;
}

static void
compare_picture (const char *name, const PmtResult *result)
{
  g_autofree char *key = g_strconcat (name, ".image", NULL);
  const size_t pixels = (size_t) (runs.width * runs.height * 3);
  g_autofree float *image = runs_tensor (&families, key, pixels);
  double worst = 0;
  for (size_t i = 0; i < pixels; i++)
    worst = MAX (worst, ABS ((double) result->image[i] - image[i]));
  g_test_message ("%s: picture %.2g", name, worst);
  g_assert_cmpfloat (worst, <=, 3e-4);
}

static void
test_case (gconstpointer user)
{
  JsonObject *c = (JsonObject *) user;
  const char *name = json_object_get_string_member (c, "name"), *task = json_object_get_string_member (c, "task");
  static const PmtPrediction v = PMT_PREDICT_V;
  PmtRequest q = request_of (c);
  g_autofree float *given = NULL;
  if (!json_object_get_null_member (c, "prediction"))
    q.prediction = &v;
  if (strcmp (task, "image") == 0 || strcmp (task, "fill4") == 0)
    q.image = runs.picture;
  if (strcmp (task, "fill4") == 0)
    q.mask = runs.mask;
  if (strcmp (task, "latent") == 0) {
    g_autofree char *key = g_strconcat (json_object_get_string_member (c, "from"), ".latent", NULL);
    q.latent = given = runs_tensor (&families, key, LATENT);
  }
  PmtResult result = runs_do (&q);
  g_assert_cmpint (result.prediction, ==, q.prediction ? PMT_PREDICT_V : PMT_PREDICT_EPSILON);

  g_autofree char *key = g_strconcat (name, ".latent", NULL);
  g_autofree float *latent = runs_tensor (&families, key, LATENT);
  const double off = runs_distance (result.latent, latent, LATENT);
  g_test_message ("%s: latent %.2g relative", name, off);
  if (off > 3e-4)
    g_error ("%s: latent off by %g relative", name, off);
  if (json_object_get_boolean_member (c, "picture"))
    compare_picture (name, &result);
  pmt_result_clear (&result);
}

/* Kept in the base's part, the base's estimate is the picture: the refiner only decodes. Kept in the refiner's, both count. */
static void
test_refiner_kept (void)
{
  PmtRequest q = runs_request (&runs, model_of ("sdxl"));
  q.steps = 8;
  q.refiner = model_of ("refiner");
  q.refiner_start = 0.6;
  PmtResult whole = runs_do (&q);
  for (int k = 1; k + 1 < whole.steps_done; k++) {
    q.stop_after = k;
    PmtResult part = runs_do (&q);
    g_assert_cmpint (part.steps_done, >=, k);
    g_assert_cmpint (part.steps_done, <=, k + 1); /* at the seam the refiner takes one step */
    g_assert_cmpint (part.stopped_after, ==, part.steps_done);
    g_assert_nonnull (part.image);
    runs_assert_differ (&part, &whole);
    q.stop_after = part.stopped_after;
    PmtResult again = runs_do (&q);
    runs_assert_equal (&again, &part);
    pmt_result_clear (&again);
    pmt_result_clear (&part);
  }
  pmt_result_clear (&whole);
}

/* Base and refiner in one request are the two runs one after the other, and the cost is that of both. */
static void
test_refiner (void)
{
  PmtRequest whole = runs_request (&runs, model_of ("sdxl")), first, second;
  whole.steps = 8;
  whole.guidance = 4;
  first = second = whole;
  whole.refiner = model_of ("refiner");
  whole.refiner_start = 0.6;
  PmtResult all = runs_do (&whole);

  first.denoising_end = 0.6;
  first.latent_only = true;
  PmtResult base = runs_do (&first);
  g_assert_null (base.image);
  second.model = model_of ("refiner");
  second.latent = base.latent;
  second.denoising_start = 0.6;
  PmtResult rest = runs_do (&second);
  runs_assert_equal (&all, &rest);
  g_assert_cmpint (all.steps_done, ==, base.steps_done + rest.steps_done);

  PmtCost cost, a, b;
  g_assert_true (pmt_run_cost (&whole, &cost, NULL));
  g_assert_true (pmt_run_cost (&first, &a, NULL));
  g_assert_true (pmt_run_cost (&second, &b, NULL));
  g_assert_cmpfloat (cost.flops, ==, a.flops + b.flops);
  g_assert_cmpint (cost.evaluations, ==, a.evaluations + b.evaluations);
  g_assert_cmpuint (cost.weight_bytes, ==, a.weight_bytes + b.weight_bytes);
  g_assert_cmpuint (cost.activation_bytes, ==, MAX (a.activation_bytes, b.activation_bytes));
  pmt_result_clear (&all);
  pmt_result_clear (&base);
  pmt_result_clear (&rest);
}

static PmtModel *
restless (const char *name)
{
  g_autofree char *path = runs_path ("families", name);
  PmtModel *fresh = runs_open_model (path);
  pmt_model_set_small (fresh, 0);
  return fresh;
}

/* In the way that takes least. */
static size_t
least_memory (PmtRequest q)
{
  PmtCost cost;
  q.memory_limit = 1;
  g_assert_true (pmt_run_cost (&q, &cost, NULL));
  g_assert_false (cost.fits);
  return cost.memory_bytes;
}

/* The base's weights make room for the refiner's where both do not fit, and stay where they do. */
static void
test_refiner_room (void)
{
  PmtModel *base = restless ("sdxl"), *refiner = restless ("refiner");
  PmtRequest whole = runs_request (&runs, base), first = whole, second;
  PmtResult results[2];
  size_t texts, unet;
  whole.vae_tiling = first.vae_tiling = PMT_VAE_TILING_OFF;
  second = first;
  second.model = refiner;
  g_assert_true (pmt_model_rest_bytes (base, PMT_UNET_MAIN, &texts, &unet, NULL));
  const size_t limit = MAX (least_memory (first), least_memory (second));
  g_assert_cmpuint (limit, <, least_memory (second) + unet);
  whole.refiner = refiner;
  whole.refiner_start = 0.6;
  for (int tight = 0; tight < 2; tight++) {
    whole.memory_limit = tight ? limit : 0;
    results[tight] = runs_do (&whole);
    g_assert_cmpint (pmt_model_idle_bytes (base, -1) > 0, ==, !tight);
    pmt_model_rest_idle (base, -1); /* so that the second run begins as the first did */
    pmt_model_rest_idle (refiner, -1);
  }
  runs_assert_equal (&results[0], &results[1]);
  for (int i = 0; i < 2; i++)
    pmt_result_clear (&results[i]);
  pmt_model_unref (base);
  pmt_model_unref (refiner);
}

/* The activations that were computed in advance are held, with one text encoder and two, and all weights are counted. */
static void
test_memory (void)
{
  static const char *const names[] = { "sd2", "sdxl", "refiner", "lcm" };
  for (size_t i = 0; i < G_N_ELEMENTS (names); i++) {
    PmtCost cost;
    PmtRequest q = runs_request (&runs, model_of (names[i]));
    q.guidance = 3;
    g_assert_true (pmt_run_cost (&q, &cost, NULL));
    PmtResult result = runs_do (&q);
    g_assert_cmpuint (result.peak_bytes, ==, cost.activation_bytes);
    g_assert_cmpint (cost.evaluations, ==, strcmp (names[i], "lcm") == 0 ? 4 : 8);
    g_assert_cmpuint (pmt_model_resident_bytes (q.model), ==, cost.weight_bytes);
    pmt_result_clear (&result);
  }
}

static void
test_refusals (void)
{
  PmtRequest good = runs_request (&runs, model_of ("sdxl")), q = good;
  q.denoising_start = 0.5;
  runs_refused (&q, PMT_ERROR_INPUT, "goes on from something; give a picture");
  q.image = runs.picture;
  q.denoising_end = 0.4;
  runs_refused (&q, PMT_ERROR_INPUT, "from 0.5 to 0.4");
  q.denoising_end = 0;
  q.denoising_start = 0.9999;
  runs_refused (&q, PMT_ERROR_INPUT, "A start at 0.9999 of the noise levels leaves none of 4 steps");
  q = good;
  q.denoising_end = 0.0001;
  runs_refused (&q, PMT_ERROR_INPUT, "have none of 4 steps");
  q.denoising_end = 1.5;
  runs_refused (&q, PMT_ERROR_INPUT, "have to be from 0 to 1");
  q = good;
  q.clip_skip = 2;
  runs_refused (&q, PMT_ERROR_INPUT, "has 3 layers, so 3 of them cannot be skipped");
  q = good;
  q.refiner = model_of ("refiner");
  q.refiner_start = 1.0;
  runs_refused (&q, PMT_ERROR_INPUT, "The refiner's start is 1");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  runs_open (&runs);
  GError *error = NULL;
  g_autofree char *tensors = g_build_filename (g_getenv ("PMT_TEST_DATA"), "families", "runs.safetensors", NULL);
  families.tensors = pmt_safetensors_open (tensors, &error);
  g_assert_no_error (error);
  models = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) pmt_model_unref);
  g_autofree char *path = g_build_filename (g_getenv ("PMT_TEST_DATA"), "families", "runs.json", NULL);
  g_autoptr (JsonParser) parser = json_parser_new ();
  json_parser_load_from_file (parser, path, &error);
  g_assert_no_error (error);
  JsonArray *cases = json_object_get_array_member (json_node_get_object (json_parser_get_root (parser)), "cases");
  g_assert_cmpuint (json_array_get_length (cases), >=, 15);
  for (guint i = 0; i < json_array_get_length (cases); i++) {
    JsonObject *c = json_array_get_object_element (cases, i);
    g_autofree char *test = g_strconcat ("/families/", json_object_get_string_member (c, "name"), NULL);
    g_test_add_data_func (test, c, test_case);
  }
  g_test_add_func ("/families/refiner-in-one-request", test_refiner);
  g_test_add_func ("/families/refiner-kept", test_refiner_kept);
  g_test_add_func ("/families/refiner-room", test_refiner_room);
  g_test_add_func ("/families/memory", test_memory);
  g_test_add_func ("/families/refusals", test_refusals);
  int status = g_test_run ();
  g_hash_table_unref (models);
  pmt_safetensors_free (families.tensors);
  runs_close (&runs);
  return status;
}
