/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/sample/edits.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

enum { LATENT = 4 * 8 * 6 };

PmtModel *
edits_model (void)
{
  g_autofree char *path = runs_path ("edits", "model");
  return runs_open_model (path);
}

PmtModel *
edits_model_with (const char *unet)
{
  static const char *const parts[] = { "vae", "text_encoder", "tokenizer", "scheduler" };
  GError *error = NULL;
  g_autofree char *folder = g_dir_make_tmp ("pentimento-test-XXXXXX", &error);
  g_assert_no_error (error);
  for (guint i = 0; i <= G_N_ELEMENTS (parts); i++) {
    const gboolean is_unet = i == G_N_ELEMENTS (parts);
    g_autofree char *relative = g_build_filename (g_getenv ("PMT_TEST_DATA"), "edits", is_unet ? unet : "model", is_unet ? NULL : parts[i], NULL);
    g_autofree char *from = g_canonicalize_filename (relative, NULL), *to = g_build_filename (folder, is_unet ? "unet" : parts[i], NULL);
    g_assert_cmpint (symlink (from, to), ==, 0);
  }
  PmtModel *model = runs_open_model (folder);
  /* load what a run would load later: the folder goes */
  g_assert_nonnull (pmt_model_unet (model, PMT_UNET_MAIN, NULL, &error));
  g_assert_nonnull (pmt_model_vae (model, NULL, &error));
  g_assert_nonnull (pmt_model_text (model, NULL, &error));
  g_assert_nonnull (pmt_model_tokenizer (model, &error));
  for (guint i = 0; i <= G_N_ELEMENTS (parts); i++) {
    g_autofree char *path = g_build_filename (folder, i == G_N_ELEMENTS (parts) ? "unet" : parts[i], NULL);
    g_unlink (path);
  }
  g_rmdir (folder);
  return model;
}

/* g_free the values; NULL when the name is missing. */
static float *
tensor (const char *name, size_t n)
{
  g_autofree char *path = runs_path ("edits", "edits.safetensors");
  GError *error = NULL;
  PmtSafetensors *file = pmt_safetensors_open (path, &error);
  g_assert_no_error (error);
  const PmtSafetensor *t = pmt_safetensors_lookup (file, name);
  float *values = t ? g_new (float, n) : NULL;
  if (t) {
    g_assert_cmpuint (t->count, ==, n);
    pmt_safetensors_read_f32 (file, t, 0, n, values, &error);
    g_assert_no_error (error);
  }
  pmt_safetensors_free (file);
  return values;
}

float *
edits_depth (const Runs *runs)
{
  float *depth = tensor ("depth", (size_t) (runs->width * runs->height));
  g_assert_nonnull (depth);
  return depth;
}

static void
compare (const Runs *runs, const char *name, const PmtResult *result)
{
  const size_t pixels = (size_t) (runs->width * runs->height * 3);
  g_autofree char *latent_key = g_strconcat (name, ".latent", NULL), *image_key = g_strconcat (name, ".image", NULL);
  g_autofree float *latent = tensor (latent_key, LATENT), *image = tensor (image_key, pixels);
  g_assert_nonnull (latent);
  const double off = runs_distance (result->latent, latent, LATENT);
  const double seen = image ? runs_distance (result->image, image, pixels) : 0;
  g_test_message ("%s: latent %.2g relative, picture %.2g", name, off, seen);
  if (off > 1e-3 || seen > 1e-3)
    g_error ("%s: latent off by %g relative, picture by %g", name, off, seen);
}

int
edits_check (const Runs *runs, const char *task, PmtModel *model,
             void (*fill) (PmtRequest *request, const Runs *runs, JsonObject *c, const float *depth))
{
  g_autofree char *path = runs_path ("edits", "edits.json");
  g_autofree float *depth = edits_depth (runs);
  g_autoptr (JsonParser) parser = json_parser_new ();
  GError *error = NULL;
  int n = 0;
  json_parser_load_from_file (parser, path, &error);
  g_assert_no_error (error);
  JsonArray *cases = json_object_get_array_member (json_node_get_object (json_parser_get_root (parser)), "cases");
  for (guint i = 0; i < json_array_get_length (cases); i++) {
    JsonObject *c = json_array_get_object_element (cases, i);
    if (strcmp (json_object_get_string_member (c, "task"), task) != 0)
      continue;
    PmtRequest q = runs_request (runs, model);
    q.prompt = json_object_get_string_member (c, "prompt");
    q.negative = json_object_get_string_member (c, "negative");
    q.steps = (int) json_object_get_int_member (c, "steps");
    q.guidance = json_object_get_double_member (c, "guidance");
    q.seed = (uint64_t) json_object_get_int_member (c, "seed");
    q.sampler = pmt_sampler_find (json_object_get_string_member (c, "sampler"), &error);
    g_assert_no_error (error);
    q.image = runs->picture;
    fill (&q, runs, c, depth);
    PmtResult result = runs_do (&q);
    compare (runs, json_object_get_string_member (c, "name"), &result);
    pmt_result_clear (&result);
    n++;
  }
  return n;
}
