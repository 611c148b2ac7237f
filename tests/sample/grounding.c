/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/sample/grounding.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define TOLERANCE 1e-3

char *
grounding_path (const char *name)
{
  return runs_path ("grounding", name);
}

PmtModel *
grounding_model (void)
{
  g_autofree char *path = grounding_path ("sd");
  return runs_open_model (path);
}

char *
grounding_inpaint_folder (void)
{
  static const char *const parts[][2] = { { "unet_inpaint", "unet" }, { "sd/vae", "vae" }, { "sd/text_encoder", "text_encoder" },
                                          { "sd/tokenizer", "tokenizer" }, { "sd/scheduler", "scheduler" } };
  GError *error = NULL;
  char *folder = g_dir_make_tmp ("pentimento-test-XXXXXX", &error);
  g_assert_no_error (error);
  for (guint i = 0; i < G_N_ELEMENTS (parts); i++) {
    g_autofree char *from = grounding_path (parts[i][0]), *to = g_build_filename (folder, parts[i][1], NULL);
    g_assert_cmpint (symlink (from, to), ==, 0);
  }
  return folder;
}

void
grounding_remove (char *folder)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;
  while ((name = g_dir_read_name (dir))) {
    g_autofree char *path = g_build_filename (folder, name, NULL);
    if (!g_file_test (path, G_FILE_TEST_IS_SYMLINK) && g_file_test (path, G_FILE_TEST_IS_DIR))
      grounding_remove (g_strdup (path));
    else
      g_assert_cmpint (g_unlink (path), ==, 0);
  }
  g_assert_cmpint (g_rmdir (folder), ==, 0);
  g_free (folder);
}

static PmtSafetensors *
open_tensors (void)
{
  GError *error = NULL;
  g_autofree char *path = grounding_path ("runs.safetensors");
  PmtSafetensors *file = pmt_safetensors_open (path, &error);
  g_assert_no_error (error);
  return file;
}

static const PmtSafetensor *
read_tensor (const PmtSafetensors *file, const char *name, float **data)
{
  GError *error = NULL;
  const PmtSafetensor *t = pmt_safetensors_lookup (file, name);
  if (!t)
    g_error ("runs.safetensors has no %s", name);
  *data = g_new (float, t->count);
  pmt_safetensors_read_f32 (file, t, 0, t->count, *data, &error);
  g_assert_no_error (error);
  return t;
}

GroundingPicture
grounding_picture (const char *tensor)
{
  PmtSafetensors *file = open_tensors ();
  GroundingPicture picture;
  const PmtSafetensor *t = read_tensor (file, tensor, &picture.data);
  g_assert_cmpint (t->rank, ==, 3);
  picture.height = (int) t->dim[0];
  picture.width = (int) t->dim[1];
  pmt_safetensors_free (file);
  return picture;
}

PmtReference
grounding_reference (const char *adapter_path, const GroundingPicture *picture)
{
  return (PmtReference) { .model = adapter_path, .image = picture->data, .width = picture->width, .height = picture->height,
                          .strength = 1, .start = 0, .end = 1 };
}

/* What a case borrows until it is done. */
typedef struct Inputs {
  GPtrArray *owned;
  PmtReference references[8];
  PmtLayoutBox boxes[8];
  PmtModel *model;
  char *folder;
} Inputs;

static void
read_references (JsonArray *list, const JsonObject *c, PmtRequest *q, Inputs *in)
{
  for (guint i = 0; i < json_array_get_length (list); i++) {
    JsonArray *entry = json_array_get_array_element (list, i);
    g_autofree char *file = g_strconcat ("ip-", json_array_get_string_element (entry, 0), ".safetensors", NULL);
    char *adapter = grounding_path (file);
    g_ptr_array_add (in->owned, adapter);
    for (guint k = 2; k < json_array_get_length (entry); k++) {
      g_autofree char *tensor = g_strconcat ("picture.", json_array_get_string_element (entry, k), NULL);
      GroundingPicture picture = grounding_picture (tensor);
      g_ptr_array_add (in->owned, picture.data);
      PmtReference *r = &in->references[q->n_references++];
      *r = grounding_reference (adapter, &picture);
      r->strength = json_array_get_double_element (entry, 1);
      r->start = json_object_get_double_member ((JsonObject *) c, "start");
      r->end = json_object_get_double_member ((JsonObject *) c, "end");
    }
  }
  q->references = in->references;
}

static void
read_boxes (JsonArray *list, JsonObject *c, PmtRequest *q, Inputs *in)
{
  for (guint i = 0; i < json_array_get_length (list); i++) {
    JsonObject *entry = json_array_get_object_element (list, i);
    JsonArray *box = json_object_get_array_member (entry, "box");
    in->boxes[i] = (PmtLayoutBox) { json_array_get_double_element (box, 0), json_array_get_double_element (box, 1),
                                    json_array_get_double_element (box, 2), json_array_get_double_element (box, 3),
                                    json_object_get_string_member (entry, "phrase") };
  }
  q->layout = (PmtLayout) { .boxes = in->boxes, .n_boxes = (int) json_array_get_length (list),
                            .beta = json_object_get_double_member (c, "beta") };
}

static void
check (JsonObject *c, const PmtSafetensors *tensors)
{
  const char *name = json_object_get_string_member (c, "name");
  const bool inpaint = json_object_get_boolean_member (c, "inpaint");
  GError *error = NULL;
  Inputs in = { .owned = g_ptr_array_new_with_free_func (g_free) };
  in.folder = inpaint ? grounding_inpaint_folder () : NULL;
  g_autofree char *xl = g_build_filename (g_getenv ("PMT_TEST_DATA"), "families", "sdxl", NULL);
  if (strcmp (json_object_get_string_member (c, "model"), "sdxl") == 0)
    in.model = runs_open_model (xl);
  else
    in.model = inpaint ? runs_open_model (in.folder) : grounding_model ();
  PmtRequest q = { .model = in.model, .strength = 1,
                   .prompt = json_object_get_string_member (c, "prompt"), .negative = json_object_get_string_member (c, "negative"),
                   .width = (int) json_object_get_int_member (c, "width"), .height = (int) json_object_get_int_member (c, "height"),
                   .steps = (int) json_object_get_int_member (c, "steps"), .guidance = json_object_get_double_member (c, "guidance"),
                   .seed = (uint64_t) json_object_get_int_member (c, "seed"),
                   .sampler = pmt_sampler_find (json_object_get_string_member (c, "sampler"), &error) };
  g_assert_no_error (error);
  read_references (json_object_get_array_member (c, "references"), c, &q, &in);
  read_boxes (json_object_get_array_member (c, "boxes"), c, &q, &in);
  float *noise = NULL, *picture = NULL, *latent;
  if (inpaint) {
    g_autofree char *picture_name = g_strconcat (name, ".picture", NULL), *noise_name = g_strconcat (name, ".noise", NULL);
    read_tensor (tensors, picture_name, &picture);
    read_tensor (tensors, noise_name, &noise);
    q.image = picture;
    q.noise = noise;
  }
  g_autofree char *latent_name = g_strconcat (name, ".latent", NULL);
  const PmtSafetensor *t = read_tensor (tensors, latent_name, &latent);
  PmtResult result = runs_do (&q);
  g_assert_cmpuint (t->count, ==, runs_latent_size (&result));
  const double off = runs_distance (result.latent, latent, t->count);
  g_test_message ("%s: latent %.2g relative", name, off);
  if (off > TOLERANCE)
    g_error ("%s: latent off by %g relative", name, off);
  pmt_result_clear (&result);
  g_free (latent);
  g_free (picture);
  g_free (noise);
  pmt_model_unref (in.model);
  if (in.folder)
    grounding_remove (in.folder);
  g_ptr_array_unref (in.owned);
}

void
grounding_check (const char *prefix)
{
  g_autofree char *path = grounding_path ("runs.json");
  g_autoptr (JsonParser) parser = json_parser_new ();
  GError *error = NULL;
  json_parser_load_from_file (parser, path, &error);
  g_assert_no_error (error);
  JsonArray *cases = json_object_get_array_member (json_node_get_object (json_parser_get_root (parser)), "cases");
  PmtSafetensors *tensors = open_tensors ();
  int n = 0;
  for (guint i = 0; i < json_array_get_length (cases); i++) {
    JsonObject *c = json_array_get_object_element (cases, i);
    if (g_str_has_prefix (json_object_get_string_member (c, "name"), prefix)) {
      check (c, tensors);
      n++;
    }
  }
  g_assert_cmpint (n, >=, 3);
  pmt_safetensors_free (tensors);
}
