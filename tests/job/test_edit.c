/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The task edit: what a recipe of it says and comes to, where the result is laid in, and that it is made again to the bit. */
#include <string.h>

#include "engine/job/private.h"

enum { W = 120, H = 90 };

typedef struct Kept {
  PmtPicture picture, blend;
  PmtBox box;
  char *recipe, *notes;
} Kept;

static void
kept_clear (Kept *kept)
{
  pmt_picture_clear (&kept->picture);
  pmt_picture_clear (&kept->blend);
  g_free (kept->recipe);
  g_free (kept->notes);
}

static gboolean
keep (void *user, const PmtJobResult *result, GError **error)
{
  Kept *kept = user;
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);

  json_node_set_object (node, result->recipe);
  kept->recipe = json_to_string (node, FALSE);
  kept->notes = g_strdup (result->notes->len ? g_ptr_array_index (result->notes, 0) : "");
  kept->box = result->box;
  return pmt_picture_crop (&result->picture, &(PmtBox) { 0, 0, result->picture.width, result->picture.height }, &kept->picture, error) &&
         pmt_picture_crop (&result->blend, &(PmtBox) { 0, 0, result->blend.width, result->blend.height }, &kept->blend, error);
}

static PmtJob *
parse (const char *text, GError **error)
{
  g_autofree char *model = g_build_filename (g_getenv ("PMT_TEST_DATA"), "edits", "model", NULL);
  g_autoptr (JsonParser) parser = json_parser_new ();
  GString *json = g_string_new (text);
  GError *problem = NULL;
  PmtJob *job;

  g_string_replace (json, "'", "\"", 0);
  g_string_replace (json, "MODEL", model, 0);
  json_parser_load_from_data (parser, json->str, -1, &problem);
  g_assert_no_error (problem);
  job = pmt_job_parse (json_node_get_object (json_parser_get_root (parser)), error);
  g_string_free (json, TRUE);
  return job;
}

static gboolean
run (const char *text, const PmtJobInputs *inputs, Kept *kept, GError **error)
{
  PmtModelCache *cache = pmt_model_cache_new ();
  PmtJobHooks hooks = { .result = keep, .user = kept };
  PmtJob *job = parse (text, error);
  gboolean good;

  memset (kept, 0, sizeof *kept);
  g_assert_nonnull (job);
  good = pmt_job_run (job, cache, inputs, &hooks, NULL, error);
  pmt_job_free (job);
  pmt_model_cache_free (cache);
  return good;
}

static void
run_good (const char *text, const PmtJobInputs *inputs, Kept *kept)
{
  GError *error = NULL;

  run (text, inputs, kept, &error);
  g_assert_no_error (error);
}

static PmtPicture image, mask;

static void
make_inputs (void)
{
  pmt_picture_init (&image, W, H, 4, NULL);
  pmt_picture_init (&mask, W, H, 1, NULL);
  for (int i = 0; i < W * H; i++) {
    image.data[4 * i] = (float) (i % W) / W;
    image.data[4 * i + 1] = (float) (i / W) / H;
    image.data[4 * i + 3] = 1;
    mask.data[i] = i % W >= 40 && i % W < 70 && i / W >= 30 && i / W < 60;
  }
}

#define EDIT "{'pentimento': 1, 'task': 'edit', 'model': 'MODEL', 'prompt': 'make it blue', 'seed': 4, 'steps': 3, 'sampler': 'ddim'"

static void
test_parse (void)
{
  GError *error = NULL;
  PmtJob *job = parse (EDIT "}", &error);

  g_assert_no_error (error);
  g_assert_cmpint (job->task, ==, PMT_TASK_EDIT);
  g_assert_true (job->guidance == 7.5 && job->image_guidance == 1.5 && job->strength == 1);
  pmt_job_free (job);
  job = parse (EDIT ", 'text-guidance': 4, 'image-guidance': 1.25, 'region': {'grow': 3}}", &error);
  g_assert_no_error (error);
  g_assert_true (job->guidance == 4 && job->image_guidance == 1.25 && job->region.grow == 3);
  pmt_job_free (job);
  static const char *const refusals[][2] = {
    { EDIT ", 'guidance': 4}", "In the job there is no parameter \"guidance\"" },
    { EDIT ", 'strength': 0.5}", "In the job there is no parameter \"strength\"" },
    { EDIT ", 'text-guidance': 0.5}", "In the job, \"text-guidance\" has to be from 1 to 50; change its value." },
    { EDIT ", 'image-guidance': 51}", "In the job, \"image-guidance\" has to be from 1 to 50; change its value." },
    { "{'pentimento': 1, 'task': 'paint'}", "The job's field \"task\" has to be generate, fill or edit; change it." },
  };
  for (guint i = 0; i < G_N_ELEMENTS (refusals); i++) {
    g_autoptr (GError) refused = NULL;
    g_assert_null (parse (refusals[i][0], &refused));
    if (!strstr (refused->message, refusals[i][1]))
      g_error ("%s: %s", refusals[i][0], refused->message);
  }
}

/* All of it without a mask: the box is the picture and the blend mask lets everything through. */
static void
test_whole (void)
{
  const PmtJobInputs inputs = { .image = &image };
  Kept first, again;

  run_good (EDIT "}", &inputs, &first);
  g_assert_true (first.box.x == 0 && first.box.y == 0 && first.box.width == W && first.box.height == H);
  for (int i = 0; i < W * H; i++)
    g_assert_true (first.blend.data[i] == 1 && first.picture.data[4 * i + 3] == 1);
  g_assert_cmpstr (first.notes, ==, "");
  g_assert_nonnull (strstr (first.recipe, "\"text-guidance\":7.5,\"image-guidance\":1.5"));
  g_assert_null (strstr (first.recipe, "\"strength\""));
  run_good (first.recipe, &inputs, &again);
  g_assert_cmpstr (first.recipe, ==, again.recipe);
  g_assert_cmpmem (first.picture.data, W * H * 16, again.picture.data, W * H * 16);
  kept_clear (&first);
  kept_clear (&again);
}

/* With a mask the blend mask is 0 away from it and 1 in it, and what comes back is the edit of all that was seen. */
static void
test_masked (void)
{
  const PmtJobInputs inputs = { .image = &image, .mask = &mask };
  Kept kept;

  run_good (EDIT ", 'region': {'grow': 4, 'feather': 6}}", &inputs, &kept);
  g_assert_true (kept.box.x >= 40 - 8 && kept.box.y >= 30 - 8 && kept.box.width < W && kept.box.height < H);
  for (int y = 0; y < kept.box.height; y++)
    for (int x = 0; x < kept.box.width; x++)
      if (mask.data[(kept.box.y + y) * W + kept.box.x + x] == 1)
        g_assert_true (kept.blend.data[y * kept.box.width + x] == 1);
  kept_clear (&kept);
}

static void
test_estimate (void)
{
  GError *error = NULL;
  PmtJob *job = parse (EDIT ", 'region': {'canvas': [120, 90], 'selection': [40, 30, 30, 30]}}", &error);
  PmtModelCache *cache = pmt_model_cache_new ();
  PmtJobEstimate estimate;

  pmt_job_estimate (job, cache, PMT_PREVIEW_LINEAR, &estimate, &error);
  g_assert_no_error (error);
  g_assert_cmpint (estimate.cost.evaluations, ==, 9); /* three rows a step */
  g_assert_true (estimate.region.context.width > 0 && estimate.width > 0);
  pmt_job_free (job);
  pmt_model_cache_free (cache);
}

static void
test_errors (void)
{
  g_autofree char *tiny = g_build_filename (g_getenv ("PMT_TEST_DATA"), "runs", "tiny", NULL);
  g_autofree char *other = g_strdup_printf ("{'pentimento': 1, 'task': 'edit', 'model': '%s', 'steps': 2}", tiny);
  const PmtJobInputs inputs = { .image = &image };
  g_autoptr (GError) error = NULL;
  Kept kept;

  g_assert_false (run (EDIT ", 'region': {'canvas': [120, 90]}}", NULL, &kept, &error));
  g_assert_cmpstr (error->message, ==, "There is no image to edit; give one.");
  g_clear_error (&error);
  g_assert_false (run (other, &inputs, &kept, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, "follows no instructions; choose one that was made for them, such as InstructPix2Pix"));
}

int
main (int argc, char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  make_inputs ();
  g_test_add_func ("/edit/parse", test_parse);
  g_test_add_func ("/edit/whole", test_whole);
  g_test_add_func ("/edit/masked", test_masked);
  g_test_add_func ("/edit/estimate", test_estimate);
  g_test_add_func ("/edit/errors", test_errors);
  status = g_test_run ();
  pmt_picture_clear (&image);
  pmt_picture_clear (&mask);
  return status;
}
