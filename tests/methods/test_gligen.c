/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GLIGEN against diffusers' pipeline, what it leaves alone, what it refuses. */
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "engine/weights/names.h"
#include "engine/weights/part.h"
#include "tests/sample/grounding.h"

static PmtModel *model;

static const PmtLayoutBox two[] = { { 0.1, 0.2, 0.5, 0.9, "a red house" }, { 0.4, 0.1, 1, 0.6, "blue" } };

static PmtRequest
request (const PmtLayoutBox *boxes, int n)
{
  return (PmtRequest) { .model = model, .prompt = "a red house", .negative = "blue", .width = 48, .height = 64, .steps = 4, .guidance = 5,
                        .strength = 1, .seed = 5, .sampler = pmt_sampler_find ("ddim", NULL),
                        .layout = { .boxes = boxes, .n_boxes = n, .beta = 1 } };
}

static void
test_parity (void)
{
  grounding_check ("gligen");
}

/* beta 0, and too small for one step, change nothing, to the bit; single rows are the same rows. */
static void
test_nothing (void)
{
  PmtRequest q = request (two, 2), none = request (NULL, 0);
  PmtResult plain = runs_do (&none), with = runs_do (&q);
  runs_assert_differ (&with, &plain);
  q.rows_per_call = 1;
  PmtResult singly = runs_do (&q);
  runs_assert_equal (&singly, &with);
  q.layout.beta = 0;
  PmtResult off = runs_do (&q);
  runs_assert_equal (&off, &plain);
  q.layout.beta = 0.24; /* of four steps */
  PmtResult short_of_one = runs_do (&q);
  runs_assert_equal (&short_of_one, &plain);
  PmtMethodUse use = runs_use ("noop");
  q.methods = none.methods = &use;
  q.n_methods = none.n_methods = 1;
  PmtResult watched = runs_do (&q), watched_plain = runs_do (&none);
  runs_assert_equal (&watched, &watched_plain);
  pmt_param_values_clear (&use.values);
  pmt_result_clear (&plain);
  pmt_result_clear (&with);
  pmt_result_clear (&singly);
  pmt_result_clear (&off);
  pmt_result_clear (&short_of_one);
  pmt_result_clear (&watched);
  pmt_result_clear (&watched_plain);
}

static void
test_memory (void)
{
  GError *error = NULL;
  PmtRequest q = request (two, 2), none = request (NULL, 0);
  PmtCost plain, with;
  g_assert_true (pmt_run_cost (&none, &plain, &error));
  g_assert_true (pmt_run_cost (&q, &with, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (with.weight_bytes, >, plain.weight_bytes);
  PmtResult result = runs_do (&q);
  g_assert_cmpuint (result.peak_bytes, ==, with.activation_bytes);
  pmt_result_clear (&result);
}

/* ---- weights in a file of their own ---------------------------------------------------------------------------------- */

/* The gates and the network for objects alone, as they are passed around: LDM's names, whatever stands before them. */
typedef enum { ALONE, WHOLE_UNET } Part;

static char *
write_part (const char *folder, const char *prefix, const char *leave_out, Part part)
{
  const PmtSpelling ldm = { .names = PMT_NAMES_UNET, .ldm = TRUE, .layers_per_block = 1, .levels = 2 };
  GError *error = NULL;
  g_autofree char *from = grounding_path ("sd/unet/diffusion_pytorch_model.safetensors");
  char *path = g_build_filename (folder, "gligen.safetensors", NULL);
  PmtSafetensors *file = pmt_safetensors_open (from, &error);
  g_assert_no_error (error);
  g_autoptr (GArray) list = g_array_new (FALSE, TRUE, sizeof (PmtSafetensorOut));
  g_autoptr (GPtrArray) owned = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; i < pmt_safetensors_count (file); i++) {
    const PmtSafetensor *t = pmt_safetensors_at (file, i);
    char spelled[PMT_NAME_SPELLINGS][PMT_NAME_SIZE];
    const char *name = t->name;
    const bool places = g_str_has_prefix (t->name, "position_net.");
    if ((part == ALONE && !places && !strstr (t->name, ".fuser.")) || (leave_out && strstr (t->name, leave_out)))
      continue;
    if (!places) {
      g_assert_cmpint (pmt_spelling_candidates (&ldm, t->name, spelled), >, 0);
      name = spelled[0];
    }
    PmtSafetensorOut out = { .name = g_strconcat (prefix, name, NULL), .dtype = t->dtype, .rank = t->rank, .data = t->data };
    memcpy (out.dim, t->dim, sizeof out.dim);
    g_ptr_array_add (owned, (char *) out.name);
    g_array_append_val (list, out);
  }
  pmt_safetensors_write (path, (const PmtSafetensorOut *) list->data, list->len, NULL, &error);
  g_assert_no_error (error);
  pmt_safetensors_free (file);
  return path;
}

static char *
write_alone (const char *folder, const char *prefix, const char *leave_out)
{
  return write_part (folder, prefix, leave_out, ALONE);
}

/* A whole network in LDM's names says by its tensors that it has gates. */
static void
test_checkpoint (void)
{
  GError *error = NULL;
  g_autoptr (JsonObject) derived = NULL;
  char *folder = g_dir_make_tmp ("pentimento-test-XXXXXX", &error);
  g_assert_no_error (error);
  g_autofree char *path = write_part (folder, "model.diffusion_model.", NULL, WHOLE_UNET);
  PmtWeights *weights = pmt_weights_open_part (path, PMT_NAMES_UNET, NULL, &derived, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (json_object_get_string_member (derived, "attention_type"), ==, "gated");
  pmt_weights_free (weights);
  PmtRequest q = request (two, 2);
  PmtResult own = runs_do (&q);
  q.layout.model = path;
  PmtResult from_file = runs_do (&q);
  runs_assert_equal (&from_file, &own);
  pmt_result_clear (&own);
  pmt_result_clear (&from_file);
  grounding_remove (folder);
}

static void
test_file (void)
{
  GError *error = NULL;
  char *folder = g_dir_make_tmp ("pentimento-test-XXXXXX", &error);
  g_assert_no_error (error);
  PmtRequest q = request (two, 2);
  PmtResult own = runs_do (&q);
  static const char *const prefixes[] = { "", "model.diffusion_model." };
  for (guint i = 0; i < G_N_ELEMENTS (prefixes); i++) {
    g_autofree char *path = write_alone (folder, prefixes[i], NULL);
    q.layout.model = path;
    PmtResult from_file = runs_do (&q);
    runs_assert_equal (&from_file, &own);
    pmt_result_clear (&from_file);
  }
  g_autofree char *whole = grounding_path ("sd"), *unet = grounding_path ("sd/unet");
  const char *const folders[] = { whole, unet };
  for (int i = 0; i < 2; i++) {
    q.layout.model = folders[i];
    PmtResult from_folder = runs_do (&q);
    runs_assert_equal (&from_folder, &own);
    pmt_result_clear (&from_folder);
  }
  pmt_result_clear (&own);
  grounding_remove (folder);
}

/* ---- refusals --------------------------------------------------------------------------------------------------------- */

static void
refuses_box (PmtLayoutBox box, const char *words)
{
  PmtRequest q = request (&box, 1);
  runs_refused (&q, PMT_ERROR_INPUT, words);
}

static void
test_boxes (void)
{
  PmtLayoutBox many[31];
  for (int i = 0; i < 31; i++)
    many[i] = two[0];
  PmtRequest q = request (many, 31);
  runs_refused (&q, PMT_ERROR_INPUT, "There are 31 boxes and a GLIGEN model takes at most 30; leave 1 of them out");
  q.layout.n_boxes = 30;
  PmtResult full = runs_do (&q);
  pmt_result_clear (&full);
  refuses_box ((PmtLayoutBox) { -0.1, 0, 1, 1, "blue" }, "from 0 to 1");
  refuses_box ((PmtLayoutBox) { 0, 0, 1, 1.01, "blue" }, "from 0 to 1");
  refuses_box ((PmtLayoutBox) { 0, 0, NAN, 1, "blue" }, "from 0 to 1");
  refuses_box ((PmtLayoutBox) { 0.5, 0, 0.5, 1, "blue" }, "empty");
  refuses_box ((PmtLayoutBox) { 0, 0.6, 1, 0.5, "blue" }, "empty");
  refuses_box ((PmtLayoutBox) { 0, 0, 1, 1, "  " }, "Box 1 has no phrase");
  refuses_box ((PmtLayoutBox) { 0, 0, 1, 1, NULL }, "Box 1 has no phrase");
  refuses_box ((PmtLayoutBox) { 0, 0, 1, 1, "red house red house red house red house red house red house red house red house" }, "too long");
  q = request (two, 2);
  q.layout.beta = 1.1;
  runs_refused (&q, PMT_ERROR_INPUT, "beta");
}

static void
test_models (void)
{
  GError *error = NULL;
  char *folder = g_dir_make_tmp ("pentimento-test-XXXXXX", &error);
  g_assert_no_error (error);
  PmtModel *ungated = runs_model ("tiny");
  PmtRequest q = request (two, 2);
  q.model = ungated;
  runs_refused (&q, PMT_ERROR_UNSUPPORTED, "without grounding weights");
  g_autofree char *path = write_alone (folder, "", NULL);
  q.layout.model = path;
  runs_refused (&q, PMT_ERROR_UNSUPPORTED, "for text of width 16 and the model has text of width 32");
  q = request (two, 2);
  q.layout.model = "/nowhere/gligen.safetensors";
  runs_refused (&q, PMT_ERROR_NOT_FOUND, "There is no GLIGEN model at '/nowhere/gligen.safetensors'");
  g_autofree char *adapter = grounding_path ("ip-base.safetensors");
  q.layout.model = adapter;
  runs_refused (&q, PMT_ERROR_UNSUPPORTED, "an IP-Adapter without grounding weights");
  g_free (write_alone (folder, "", "middle_block"));
  g_free (write_alone (folder, "", "mid_block"));
  q.layout.model = path;
  runs_refused (&q, PMT_ERROR_UNSUPPORTED, "mid_block.attentions.0.transformer_blocks.0");
  pmt_model_unref (ungated);
  grounding_remove (folder);
}

/* The tiny model whose UNet has no gates, in a folder of links and of that UNet. */
static char *
ungated_folder (void)
{
  static const char *const parts[] = { "vae", "text_encoder", "tokenizer", "scheduler" };
  GError *error = NULL;
  char *folder = g_dir_make_tmp ("pentimento-test-XXXXXX", &error);
  g_assert_no_error (error);
  for (guint i = 0; i < G_N_ELEMENTS (parts); i++) {
    g_autofree char *inside = g_build_filename ("sd", parts[i], NULL), *from = grounding_path (inside);
    g_autofree char *to = g_build_filename (folder, parts[i], NULL);
    g_assert_cmpint (symlink (from, to), ==, 0);
  }
  g_autofree char *unet = g_build_filename (folder, "unet", NULL), *config = g_build_filename (unet, "config.json", NULL);
  g_autofree char *weights = g_build_filename (unet, "diffusion_pytorch_model.safetensors", NULL), *text = NULL;
  g_autofree char *own = grounding_path ("sd/unet/config.json"), *from = grounding_path ("sd/unet/diffusion_pytorch_model.safetensors");
  g_assert_cmpint (g_mkdir (unet, 0700), ==, 0);
  g_assert_true (g_file_get_contents (own, &text, NULL, NULL));
  g_auto (GStrv) pieces = g_strsplit (text, "\"gated\"", 2);
  g_autofree char *plain = g_strjoinv ("\"default\"", pieces);
  g_assert_true (g_file_set_contents (config, plain, -1, NULL));
  PmtSafetensors *file = pmt_safetensors_open (from, &error);
  g_assert_no_error (error);
  g_autoptr (GArray) list = g_array_new (FALSE, TRUE, sizeof (PmtSafetensorOut));
  for (guint i = 0; i < pmt_safetensors_count (file); i++) {
    const PmtSafetensor *t = pmt_safetensors_at (file, i);
    PmtSafetensorOut out = { .name = t->name, .dtype = t->dtype, .rank = t->rank, .data = t->data };
    memcpy (out.dim, t->dim, sizeof out.dim);
    if (!g_str_has_prefix (t->name, "position_net.") && !strstr (t->name, ".fuser."))
      g_array_append_val (list, out);
  }
  pmt_safetensors_write (weights, (const PmtSafetensorOut *) list->data, list->len, NULL, &error);
  g_assert_no_error (error);
  pmt_safetensors_free (file);
  return folder;
}

/* The weights come with the UNet that they were trained with, also where that stands in for another one. */
static void
test_replaced (void)
{
  GError *error = NULL;
  char *folder = ungated_folder ();
  g_autofree char *unet = grounding_path ("sd/unet");
  PmtModel *plain = pmt_model_open (folder, &error), *replaced = pmt_model_open_with (folder, &(PmtModelParts) { unet, NULL }, &error);
  g_assert_no_error (error);
  PmtRequest q = request (two, 2);
  PmtResult own = runs_do (&q);
  q.model = replaced;
  PmtResult found = runs_do (&q);
  runs_assert_equal (&found, &own);
  q.model = plain;
  runs_refused (&q, PMT_ERROR_UNSUPPORTED, "without grounding weights");
  pmt_result_clear (&own);
  pmt_result_clear (&found);
  pmt_model_unref (plain);
  pmt_model_unref (replaced);
  grounding_remove (folder);
}

/* ---- inpainting ------------------------------------------------------------------------------------------------------- */

static PmtRequest
inpaint_request (PmtModel *inpainting, const float *picture)
{
  PmtRequest q = request (two, 1);
  q.model = inpainting;
  q.width = 64;
  q.height = 48;
  q.image = picture;
  return q;
}

/* A mask that is the box gives what the box gives; another mask or no picture gives something else, and the estimate is exact. */
static void
test_inpaint (void)
{
  GError *error = NULL;
  char *folder = grounding_inpaint_folder ();
  PmtModel *inpainting = pmt_model_open (folder, &error);
  g_assert_no_error (error);
  GroundingPicture p = grounding_picture ("gligen-inpaint-wide.picture");
  g_autofree float *mask = g_new0 (float, 64 * 48), *all = g_new (float, 64 * 48);
  /* the box in latent pixels: x from int(0.1 * 8) to int(0.5 * 8), y from int(0.2 * 6) to int(0.9 * 6) */
  for (int i = 0; i < 64 * 48; i++) {
    const int x = i % 64 / 8, y = i / 64 / 8;
    mask[i] = x >= 0 && x < 4 && y >= 1 && y < 5;
    all[i] = 1;
  }
  PmtRequest q = inpaint_request (inpainting, p.data);
  PmtResult boxes = runs_do (&q);
  q.mask = mask;
  PmtResult masked = runs_do (&q);
  runs_assert_equal (&masked, &boxes);
  q.mask = all;
  PmtResult everything = runs_do (&q);
  runs_assert_differ (&everything, &boxes);
  q.image = q.mask = NULL;
  q.layout.n_boxes = 0;
  PmtResult text = runs_do (&q);
  runs_assert_differ (&text, &boxes);
  PmtCost cost;
  q = inpaint_request (inpainting, p.data);
  g_assert_true (pmt_run_cost (&q, &cost, &error));
  g_assert_cmpuint (cost.activation_bytes, ==, boxes.peak_bytes);
  pmt_result_clear (&boxes);
  pmt_result_clear (&masked);
  pmt_result_clear (&everything);
  pmt_result_clear (&text);
  g_free (p.data);
  pmt_model_unref (inpainting);
  grounding_remove (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  model = grounding_model ();
  g_test_add_func ("/gligen/parity", test_parity);
  g_test_add_func ("/gligen/nothing", test_nothing);
  g_test_add_func ("/gligen/memory", test_memory);
  g_test_add_func ("/gligen/file", test_file);
  g_test_add_func ("/gligen/checkpoint", test_checkpoint);
  g_test_add_func ("/gligen/boxes", test_boxes);
  g_test_add_func ("/gligen/models", test_models);
  g_test_add_func ("/gligen/replaced", test_replaced);
  g_test_add_func ("/gligen/inpaint", test_inpaint);
  int status = g_test_run ();
  pmt_model_unref (model);
  return status;
}
