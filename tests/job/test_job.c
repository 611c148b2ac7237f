/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Jobs on the tiny models of tests/data/runs: what comes back, that a recipe makes the same bytes again, and what is refused. */
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "engine/job/job.h"

enum { W = 150, H = 110 };

typedef struct Kept {
  int results;
  PmtPicture picture, blend;
  PmtBox box;
  guint64 seed;
  char *recipe, *notes;
  int latent_shape[3];
} Kept;

static void
kept_clear (Kept *kept)
{
  pmt_picture_clear (&kept->picture);
  pmt_picture_clear (&kept->blend);
  g_free (kept->recipe);
  g_free (kept->notes);
  memset (kept, 0, sizeof *kept);
}

static gboolean
keep (void *user, const PmtJobResult *result, GError **error)
{
  Kept *kept = user;
  PmtBox all = { 0, 0, result->picture.width, result->picture.height };
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  int results = kept->results;

  kept_clear (kept);
  kept->results = results + 1;
  g_assert_cmpint (result->variant, ==, results);
  json_node_set_object (node, result->recipe);
  kept->recipe = json_to_string (node, FALSE);
  g_ptr_array_add (result->notes, NULL);
  kept->notes = g_strjoinv ("|", (char **) result->notes->pdata);
  g_ptr_array_remove_index (result->notes, result->notes->len - 1);
  kept->box = result->box;
  kept->seed = result->seed;
  memcpy (kept->latent_shape, result->latent_shape, sizeof kept->latent_shape);
  pmt_picture_crop (&result->picture, &all, &kept->picture, error);
  if (result->blend.data)
    pmt_picture_crop (&result->blend, &all, &kept->blend, error);
  return TRUE;
}

/* A recipe; single quotes stand for double ones, MODEL for the tiny model's folder. */
static PmtJob *
job_of (const char *text)
{
  g_autofree char *model = g_build_filename (g_getenv ("PMT_TEST_DATA"), "runs", "tiny", NULL);
  g_autoptr (JsonParser) parser = json_parser_new ();
  GString *json = g_string_new (text);
  GError *error = NULL;
  PmtJob *job;

  g_string_replace (json, "'", "\"", 0);
  g_string_replace (json, "MODEL", model, 0);
  json_parser_load_from_data (parser, json->str, -1, &error);
  g_assert_no_error (error);
  job = pmt_job_parse (json_node_get_object (json_parser_get_root (parser)), &error);
  g_assert_no_error (error);
  g_string_free (json, TRUE);
  return job;
}

static gboolean
run (const char *recipe, const PmtJobInputs *inputs, Kept *kept, GError **error)
{
  PmtJob *job = job_of (recipe);
  PmtModelCache *cache = pmt_model_cache_new ();
  PmtJobHooks hooks = { .result = keep, .user = kept };
  gboolean good;

  memset (kept, 0, sizeof *kept);
  good = pmt_job_run (job, cache, inputs, &hooks, NULL, error);
  pmt_model_cache_free (cache);
  pmt_job_free (job);
  return good;
}

static void
run_good (const char *recipe, const PmtJobInputs *inputs, Kept *kept)
{
  GError *error = NULL;

  run (recipe, inputs, kept, &error);
  g_assert_no_error (error);
}

static void
assert_refused (const char *recipe, const PmtJobInputs *inputs, PmtError code, const char *word)
{
  g_autoptr (GError) error = NULL;
  Kept kept;

  g_assert_false (run (recipe, inputs, &kept, &error));
  g_assert_error (error, PMT_ERROR, (int) code);
  if (!strstr (error->message, word))
    g_error ("%s: %s does not say '%s'", recipe, error->message, word);
  g_assert_cmpint (kept.results, ==, 0);
}

static void
assert_same_picture (const PmtPicture *a, const PmtPicture *b)
{
  g_assert_true (a->width == b->width && a->height == b->height && a->channels == b->channels);
  g_assert_cmpmem (a->data, (gsize) a->width * a->height * a->channels * 4, b->data, (gsize) b->width * b->height * b->channels * 4);
}

static PmtPicture image, mask;
static PmtJobInputs inputs;

static void
make_inputs (void)
{
  GError *error = NULL;

  pmt_picture_init (&image, W, H, 4, &error);
  g_assert_no_error (error);
  pmt_picture_init (&mask, W, H, 1, &error);
  g_assert_no_error (error);
  for (int y = 0; y < H; y++)
    for (int x = 0; x < W; x++) {
      float *p = image.data + 4 * (y * W + x);
      p[0] = (float) x / W;
      p[1] = (float) y / H;
      p[2] = 0.5f + 0.4f * sinf ((float) (x + y) / 9);
      p[3] = 1;
      mask.data[y * W + x] = (x - 70) * (x - 70) + (y - 60) * (y - 60) < 20 * 20;
    }
  inputs = (PmtJobInputs) { .image = &image, .mask = &mask };
}

#define GENERATE "{'pentimento': 1, 'task': 'generate', 'model': 'MODEL', 'prompt': 'a red circle', 'seed': 5, 'steps': 4"
#define FILL "{'pentimento': 1, 'task': 'fill', 'model': 'MODEL', 'prompt': 'a blue house', 'seed': 6, 'steps': 4"

static void
test_generate (void)
{
  Kept kept;

  run_good (GENERATE ", 'size': [64, 48]}", NULL, &kept);
  g_assert_cmpint (kept.results, ==, 1);
  g_assert_true (kept.picture.width == 64 && kept.picture.height == 48 && kept.picture.channels == 4);
  g_assert_true (kept.box.width == 64 && kept.box.height == 48 && kept.box.x == 0);
  g_assert_null (kept.blend.data);
  g_assert_cmpstr (kept.notes, ==, "");
  g_assert_true (kept.latent_shape[0] == 4 && kept.latent_shape[1] == 6 && kept.latent_shape[2] == 8);
  g_assert_null (strstr (kept.recipe, "\"strength\"")); /* of nothing */
  for (int i = 0; i < 64 * 48; i++)
    g_assert_true (kept.picture.data[4 * i + 3] == 1 && kept.picture.data[4 * i] >= 0 && kept.picture.data[4 * i] <= 1);
  kept_clear (&kept);

  /* no size: the model's own */
  run_good (GENERATE "}", NULL, &kept);
  g_assert_true (kept.picture.width == 64 && kept.picture.height == 64);
  kept_clear (&kept);
  /* or the image's, rounded */
  run_good (GENERATE ", 'strength': 0.5}", &(PmtJobInputs) { .image = &image }, &kept);
  g_assert_true (kept.picture.width == 152 && kept.picture.height == 112);
  g_assert_nonnull (strstr (kept.notes, "150×110 was rounded to 152×112"));
  g_assert_nonnull (strstr (kept.recipe, "\"strength\":0.5"));
  kept_clear (&kept);
}

static void
test_recipe_makes_the_same_bytes (void)
{
  const struct {
    const char *recipe;
    const PmtJobInputs *inputs;
  } cases[] = {
    { GENERATE ", 'seed': -1, 'size': [40, 56], 'sampler': 'euler-a', 'negative-prompt': 'blue'}", NULL },
    { GENERATE ", 'strength': 0.6, 'size': [64, 64], 'methods': [{'id': 'guidance', 'rescale': 0.5}]}", &inputs },
    { FILL "}", &inputs },
    { FILL ", 'strength': 0.7, 'colour-match': false, 'region': {'mode': 'selection', 'feather': 6}}", &inputs },
    { FILL ", 'mode': 'remove', 'seam': 'gradient', 'colour-match-by': 'shift'}", &inputs },
    { FILL ", 'mode': 'refine', 'strength': 0.4}", &inputs },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    Kept first, second;

    run_good (cases[i].recipe, cases[i].inputs, &first);
    run_good (first.recipe, cases[i].inputs, &second);
    assert_same_picture (&first.picture, &second.picture);
    if (first.blend.data)
      assert_same_picture (&first.blend, &second.blend);
    g_assert_cmpmem (&first.box, sizeof first.box, &second.box, sizeof second.box);
    g_assert_cmpuint (first.seed, ==, second.seed);
    g_assert_cmpstr (first.recipe, ==, second.recipe);
    kept_clear (&first);
    kept_clear (&second);
  }
}

/* What stood under the mask is nothing to a removal, and something to a plain start from what is there. */
static void
test_prefills (void)
{
  PmtPicture other;
  PmtBox all = { 0, 0, image.width, image.height };
  GError *error = NULL;
  const char *const remove = FILL ", 'mode': 'remove', 'colour-match': false, 'region': {'grow': 4, 'feather': 0}}";
  const char *const keep = FILL ", 'mode': 'refine', 'colour-match': false, 'region': {'grow': 4, 'feather': 0}, 'strength': 0.5}";
  float difference[2] = { 0, 0 };

  pmt_picture_crop (&image, &all, &other, &error);
  g_assert_no_error (error);
  for (int i = 0; i < image.width * image.height; i++)
    for (int c = 0; mask.data[i] > 0 && c < 3; c++)
      other.data[i * 4 + c] = 1 - other.data[i * 4 + c];
  for (int k = 0; k < 2; k++) {
    Kept one, two;
    run_good (k ? keep : remove, &inputs, &one);
    run_good (k ? keep : remove, &(PmtJobInputs) { .image = &other, .mask = &mask }, &two);
    for (int i = 0; i < one.picture.width * one.picture.height * 4; i++)
      difference[k] = MAX (difference[k], ABS (one.picture.data[i] - two.picture.data[i]));
    kept_clear (&one);
    kept_clear (&two);
  }
  g_assert_cmpfloat (difference[0], <, 0.02);
  g_assert_cmpfloat (difference[1], >, 0.1);
  pmt_picture_clear (&other);
}

/* Where the blend mask begins, the result is the picture, and so the same on both sides. */
static void
test_gradient_seam_meets_the_picture (void)
{
  Kept feathered, continued;
  float most[2] = { 0, 0 };
  const char *const recipes[] = { FILL ", 'region': {'grow': 6, 'feather': 4}, 'colour-match': false}",
                                  FILL ", 'region': {'grow': 6, 'feather': 4}, 'colour-match': false, 'seam': 'gradient'}" };

  run_good (recipes[0], &inputs, &feathered);
  run_good (recipes[1], &inputs, &continued);
  assert_same_picture (&feathered.blend, &continued.blend);
  for (int y = 0; y < feathered.box.height; y++)
    for (int x = 0; x < feathered.box.width; x++) {
      const int i = y * feathered.box.width + x, at = (y + feathered.box.y) * image.width + x + feathered.box.x;
      for (int c = 0; feathered.blend.data[i] == 0 && c < 3; c++) {
        most[0] = MAX (most[0], ABS (feathered.picture.data[i * 4 + c] - image.data[at * 4 + c]));
        most[1] = MAX (most[1], ABS (continued.picture.data[i * 4 + c] - image.data[at * 4 + c]));
      }
    }
  g_assert_cmpfloat (most[0], >, 0.01);
  g_assert_cmpfloat (most[1], ==, 0);
  kept_clear (&feathered);
  kept_clear (&continued);
}

static void
test_variants_are_seeds (void)
{
  Kept third, alone;

  run_good (GENERATE ", 'variants': 3}", NULL, &third);
  g_assert_cmpint (third.results, ==, 3);
  g_assert_cmpuint (third.seed, ==, 7);
  run_good ("{'pentimento': 1, 'task': 'generate', 'model': 'MODEL', 'prompt': 'a red circle', 'seed': 7, 'steps': 4}", NULL, &alone);
  assert_same_picture (&third.picture, &alone.picture);
  kept_clear (&third);
  kept_clear (&alone);
}

/* Where the context was cut out by the client, the same comes back. */
static void
test_context_blobs_are_as_good_as_the_canvas (void)
{
  Kept whole, part;
  PmtPicture small, small_mask;
  PmtBox context = { 20, 10, 112, 100 };
  GError *error = NULL;
  const char *recipe = FILL ", 'region': {'canvas': [150, 110], 'selection': [51, 41, 39, 39], 'context': [20, 10, 112, 100]}}";

  run_good (recipe, &inputs, &whole);
  pmt_picture_crop (&image, &context, &small, &error);
  g_assert_no_error (error);
  pmt_picture_crop (&mask, &context, &small_mask, &error);
  g_assert_no_error (error);
  run_good (recipe, &(PmtJobInputs) { .image = &small, .mask = &small_mask }, &part);
  assert_same_picture (&whole.picture, &part.picture);
  assert_same_picture (&whole.blend, &part.blend);
  g_assert_cmpmem (&whole.box, sizeof whole.box, &part.box, sizeof part.box);
  kept_clear (&whole);
  kept_clear (&part);
  pmt_picture_clear (&small);
  pmt_picture_clear (&small_mask);
}

static void
test_fill (void)
{
  Kept kept;
  double change = 0;

  run_good (FILL "}", &inputs, &kept);
  g_assert_true (kept.picture.width == kept.box.width && kept.picture.height == kept.box.height);
  g_assert_true (kept.blend.width == kept.box.width && kept.blend.channels == 1);
  g_assert_true (kept.box.x >= 0 && kept.box.y >= 0 && kept.box.x + kept.box.width <= W && kept.box.y + kept.box.height <= H);
  g_assert_true (kept.box.x <= 51 && kept.box.x + kept.box.width >= 90);
  for (int y = 0; y < kept.box.height; y++)
    for (int x = 0; x < kept.box.width; x++) {
      int at = (kept.box.y + y) * W + kept.box.x + x;
      if (mask.data[at] == 1) {
        g_assert_true (kept.blend.data[y * kept.box.width + x] == 1);
        change += fabsf (kept.picture.data[4 * (y * kept.box.width + x)] - image.data[4 * at]);
      }
    }
  g_assert_cmpfloat (change, >, 10);
  kept_clear (&kept);
}

static void
test_nothing_selected_is_everything (void)
{
  PmtPicture empty;
  Kept kept;
  GError *error = NULL;

  pmt_picture_init (&empty, W, H, 1, &error);
  g_assert_no_error (error);
  run_good (FILL "}", &(PmtJobInputs) { .image = &image, .mask = &empty }, &kept);
  g_assert_nonnull (strstr (kept.notes, "mask is empty"));
  g_assert_true (kept.box.width == W && kept.box.height == H);
  for (int i = 0; i < W * H; i++)
    g_assert_true (kept.blend.data[i] == 1);
  kept_clear (&kept);
  pmt_picture_clear (&empty);

  run_good (FILL "}", &(PmtJobInputs) { .image = &image }, &kept);
  g_assert_nonnull (strstr (kept.notes, "no mask"));
  kept_clear (&kept);
}

static void
test_cut_prompts_are_said (void)
{
  Kept kept;

  run_good ("{'pentimento': 1, 'task': 'generate', 'model': 'MODEL', 'seed': 5, 'steps': 2, 'long-prompts': 'truncate', 'prompt': 'red circle and blue house and red"
            " house and blue circle and red circle left of a house and a house'}",
            NULL, &kept);
  g_assert_nonnull (strstr (kept.notes, "The prompt is longer than the model can read"));
  kept_clear (&kept);
}

static void
test_refusals (void)
{
  PmtPicture other;
  float noise[10] = { 0 };
  GError *error = NULL;

  pmt_picture_init (&other, W - 10, H, 1, &error);
  g_assert_no_error (error);
  assert_refused (FILL "}", &(PmtJobInputs) { .image = &image, .mask = &other }, PMT_ERROR_INPUT, "140×110");
  assert_refused (FILL "}", &(PmtJobInputs) { .image = &image, .mask = &other }, PMT_ERROR_INPUT, "150×110");
  pmt_picture_clear (&other);
  assert_refused (FILL "}", NULL, PMT_ERROR_INPUT, "neither an image");
  assert_refused (FILL ", 'region': {'canvas': [150, 110]}}", NULL, PMT_ERROR_INPUT, "no image to fill");
  assert_refused (GENERATE "}", &(PmtJobInputs) { .mask = &mask }, PMT_ERROR_INPUT, "no image");
  assert_refused (FILL ", 'region': {'canvas': [150, 111]}}", &inputs, PMT_ERROR_INPUT, "150×111");
  assert_refused (FILL ", 'region': {'selection': [51, 41, 10, 10]}}", &inputs, PMT_ERROR_INPUT, "selection");
  assert_refused (FILL ", 'region': {'selection': [51, 41, 39, 39]}}", &(PmtJobInputs) { .image = &image }, PMT_ERROR_INPUT, "mask");
  assert_refused (FILL ", 'region': {'canvas': [150, 110], 'context': [50, 40, 41, 41]}}", &inputs, PMT_ERROR_INPUT, "context");
  assert_refused (GENERATE "}", &(PmtJobInputs) { .noise = noise, .noise_values = 10 }, PMT_ERROR_INPUT, "256");
  assert_refused ("{'pentimento': 1, 'task': 'generate', 'model': '/nowhere/model'}", NULL, PMT_ERROR_NOT_FOUND, "/nowhere/model");
}

static gboolean
refuse (void *user, const PmtJobResult *result, GError **error)
{
  (void) user;
  (void) result;
  g_set_error_literal (error, PMT_ERROR, PMT_ERROR_IO, "The disk is full.");
  return FALSE;
}

static void
cancel_soon (void *user, const PmtProgress *progress, int variant, int variants)
{
  if (progress->stage == PMT_STAGE_SAMPLE && progress->step >= 2)
    pmt_cancel_request (user);
}

static void
test_stops (void)
{
  PmtCancel cancel = { 0 };
  PmtJobHooks hooks = { .result = refuse };
  PmtModelCache *cache = pmt_model_cache_new ();
  PmtJob *job = job_of (GENERATE ", 'variants': 4}");
  g_autoptr (GError) error = NULL;

  g_assert_false (pmt_job_run (job, cache, NULL, &hooks, NULL, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_IO);
  g_clear_error (&error);
  hooks = (PmtJobHooks) { .cancel = &cancel, .progress = cancel_soon, .result = refuse, .user = &cancel };
  g_assert_false (pmt_job_run (job, cache, NULL, &hooks, NULL, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_CANCELLED);
  pmt_job_free (job);
  pmt_model_cache_free (cache);
}

static void
test_estimate (void)
{
  PmtModelCache *cache = pmt_model_cache_new ();
  PmtJob *job = job_of (FILL ", 'region': {'canvas': [150, 110], 'selection': [51, 41, 39, 39]}}"), *bigger;
  PmtJobEstimate estimate, larger;
  GError *error = NULL;
  Kept kept;

  pmt_job_estimate (job, cache, PMT_PREVIEW_LINEAR, &estimate, &error);
  g_assert_no_error (error);
  run_good (FILL "}", &inputs, &kept);
  g_assert_cmpmem (&estimate.region.box, sizeof (PmtBox), &kept.box, sizeof (PmtBox));
  kept_clear (&kept);
  g_assert_true (estimate.width > 0 && estimate.width % 8 == 0 && estimate.height % 8 == 0);
  g_assert_cmpuint (estimate.cost.activation_bytes, >, 10000);
  g_assert_cmpuint (estimate.cost.weight_bytes, >, 100000);
  g_assert_cmpfloat (estimate.cost.flops, >, 1e6);
  g_assert_cmpint (estimate.cost.evaluations, ==, 8); /* 4 steps with guidance */
  g_assert_cmpuint (estimate.available_bytes, >, 0);

  /* that run was measured */
  pmt_job_estimate (job, cache, PMT_PREVIEW_LINEAR, &estimate, &error);
  g_assert_no_error (error);
  g_assert_cmpfloat (estimate.seconds, >, 0);
  bigger = job_of (FILL ", 'variants': 5, 'region': {'canvas': [150, 110], 'selection': [51, 41, 39, 39]}}");
  pmt_job_estimate (bigger, cache, PMT_PREVIEW_LINEAR, &larger, &error);
  g_assert_no_error (error);
  g_assert_cmpint (larger.cost.evaluations, ==, 40);
  g_assert_cmpfloat_with_epsilon (larger.seconds, 5 * estimate.seconds, 1e-6 * larger.seconds);
  g_assert_cmpuint (larger.cost.activation_bytes, ==, estimate.cost.activation_bytes);
  pmt_job_free (job);
  pmt_job_free (bigger);
  pmt_model_cache_free (cache);
}

/* A copy of the tiny model's folder whose files are links. */
static char *
link_model (void)
{
  static const char *const files[] = { "unet/config.json", "unet/diffusion_pytorch_model.safetensors", "vae/config.json",
                                       "vae/diffusion_pytorch_model.safetensors", "text_encoder/config.json",
                                       "text_encoder/model.safetensors", "tokenizer/vocab.json", "tokenizer/merges.txt",
                                       "tokenizer/tokenizer_config.json", "tokenizer/special_tokens_map.json",
                                       "scheduler/scheduler_config.json" };
  char *folder = g_dir_make_tmp ("pmt-model-XXXXXX", NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (files); i++) {
    g_autofree char *from = g_build_filename (g_getenv ("PMT_TEST_DATA"), "runs", "tiny", files[i], NULL);
    g_autofree char *to = g_build_filename (folder, files[i], NULL), *parent = g_path_get_dirname (to), *text = NULL;
    gsize size;

    g_assert_cmpint (g_mkdir_with_parents (parent, 0700), ==, 0);
    g_assert_true (g_file_get_contents (from, &text, &size, NULL));
    g_assert_true (g_file_set_contents (to, text, (gssize) size, NULL));
  }
  return folder;
}

static void
remove_tree (const char *path)
{
  GDir *dir = g_dir_open (path, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name (dir))) {
    g_autofree char *child = g_build_filename (path, name, NULL);
    remove_tree (child);
  }
  if (dir)
    g_dir_close (dir);
  g_remove (path);
}

/* The model in memory answers only for the same parts, and a part that was replaced on disk is read anew. */
static void
test_models_with_other_parts (void)
{
  g_autofree char *folder = link_model (), *other = link_model (), *vae = g_build_filename (other, "vae", NULL);
  g_autofree char *config = g_build_filename (vae, "config.json", NULL), *text = NULL;
  const PmtModelParts parts = { .vae = vae }, unknown = { .vae = "/nowhere" };
  PmtModelCache *cache = pmt_model_cache_new ();
  GError *error = NULL;
  gsize size;
  PmtModel *own = pmt_model_cache_get (cache, folder, NULL, &error), *first = pmt_model_cache_get (cache, folder, &parts, &error);
  PmtModel *again = pmt_model_cache_get (cache, folder, &parts, &error);

  g_assert_no_error (error);
  g_assert_true (own != first && first == again);
  pmt_model_unref (again);
  g_assert_cmpstr (pmt_model_hash (own), !=, pmt_model_hash (first));
  g_assert_true (g_file_get_contents (config, &text, &size, NULL) && g_file_set_contents (config, text, (gssize) size, NULL));
  again = pmt_model_cache_get (cache, folder, &parts, &error);
  g_assert_no_error (error);
  g_assert_true (again != first);
  g_assert_null (pmt_model_cache_get (cache, folder, &unknown, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_NOT_FOUND);
  g_assert_nonnull (strstr (error->message, "/nowhere"));
  g_clear_error (&error);
  pmt_model_unref (own);
  pmt_model_unref (first);
  pmt_model_unref (again);
  pmt_model_cache_free (cache);
  remove_tree (folder);
  remove_tree (other);
}

/* pentimento.json in the model's folder gives what the job leaves out, and a changed model is opened anew. */
static void
test_recommendations_and_changed_models (void)
{
  g_autofree char *folder = link_model (), *file = g_build_filename (folder, "pentimento.json", NULL);
  g_autofree char *text = g_strdup_printf ("{'pentimento': 1, 'task': 'generate', 'model': '%s', 'prompt': 'red', 'seed': 1}", folder);
  PmtModelCache *cache = pmt_model_cache_new ();
  PmtJob *job = job_of (text);
  PmtJobHooks hooks = { .result = keep };
  PmtModel *first, *second;
  GError *error = NULL;
  Kept kept = { 0 };

  hooks.user = &kept;
  pmt_job_run (job, cache, NULL, &hooks, NULL, &error);
  g_assert_no_error (error);
  g_assert_nonnull (strstr (kept.recipe, "\"sampler\":\"dpmpp-2m-karras\",\"steps\":20,\"guidance\":7.0"));
  first = pmt_model_cache_get (cache, folder, NULL, &error);
  second = pmt_model_cache_get (cache, folder, NULL, &error);
  g_assert_true (first && first == second);
  pmt_model_unref (second);

  g_file_set_contents (file, "{\"steps\": 3, \"guidance\": 2.5, \"sampler\": \"ddim\"}", -1, &error);
  g_assert_no_error (error);
  second = pmt_model_cache_get (cache, folder, NULL, &error);
  g_assert_true (second && first != second);
  pmt_model_unref (first);
  pmt_model_unref (second);
  kept_clear (&kept);
  pmt_job_run (job, cache, NULL, &hooks, NULL, &error);
  g_assert_no_error (error);
  g_assert_nonnull (strstr (kept.recipe, "\"sampler\":\"ddim\",\"steps\":3,\"guidance\":2.5"));
  kept_clear (&kept);

  g_file_set_contents (file, "{\"steps\": 0}", -1, &error);
  g_assert_false (pmt_job_run (job, cache, NULL, &hooks, NULL, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_FORMAT);
  g_assert_nonnull (strstr (error->message, "pentimento.json"));
  g_clear_error (&error);
  kept_clear (&kept);
  pmt_job_free (job);
  pmt_model_cache_free (cache);
  remove_tree (folder);
}

static void
test_another_model_is_said (void)
{
  Kept kept;

  run_good (GENERATE ", 'model-hash': '00'}", NULL, &kept);
  g_assert_nonnull (strstr (kept.notes, "is not the one"));
  kept_clear (&kept);
}

int
main (int argc, char **argv)
{
  g_autofree char *cache = g_dir_make_tmp ("pmt-cache-XXXXXX", NULL);
  int status;

  g_setenv ("XDG_CACHE_HOME", cache, TRUE);
  g_test_init (&argc, &argv, NULL);
  make_inputs ();
  g_test_add_func ("/job/generate", test_generate);
  g_test_add_func ("/job/recipe-makes-the-same-bytes", test_recipe_makes_the_same_bytes);
  g_test_add_func ("/job/variants-are-seeds", test_variants_are_seeds);
  g_test_add_func ("/job/prefills", test_prefills);
  g_test_add_func ("/job/gradient-seam", test_gradient_seam_meets_the_picture);
  g_test_add_func ("/job/fill", test_fill);
  g_test_add_func ("/job/context-blobs-are-as-good-as-the-canvas", test_context_blobs_are_as_good_as_the_canvas);
  g_test_add_func ("/job/nothing-selected-is-everything", test_nothing_selected_is_everything);
  g_test_add_func ("/job/cut-prompts-are-said", test_cut_prompts_are_said);
  g_test_add_func ("/job/refusals", test_refusals);
  g_test_add_func ("/job/stops", test_stops);
  g_test_add_func ("/job/estimate", test_estimate);
  g_test_add_func ("/job/recommendations-and-changed-models", test_recommendations_and_changed_models);
  g_test_add_func ("/job/models-with-other-parts", test_models_with_other_parts);
  g_test_add_func ("/job/another-model-is-said", test_another_model_is_said);
  status = g_test_run ();
  pmt_picture_clear (&image);
  pmt_picture_clear (&mask);
  remove_tree (cache);
  return status;
}
