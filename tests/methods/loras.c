/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/methods/loras.h"

#include <json-glib/json-glib.h>

enum { LATENT = 4 * 8 * 6 };
/* Of a whole run of four steps, against f32 on the other side too. */
#define TOLERANCE 1e-4

void
loras_open (Loras *loras)
{
  GError *error = NULL;
  loras->folder = g_build_filename (g_getenv ("PMT_TEST_DATA"), "loras", NULL);
  g_autofree char *model = runs_path ("loras", "model");
  g_autofree char *latents = loras_path (loras, "latents");
  loras->model = runs_open_model (model);
  loras->latents = pmt_safetensors_open (latents, &error);
  g_assert_no_error (error);
  loras->request = (PmtRequest) { .model = loras->model, .prompt = "a red circle left of a blue house", .negative = "blurry", .width = 64,
                                  .height = 48, .steps = 4, .guidance = 5, .strength = 1, .seed = 3,
                                  .sampler = pmt_sampler_find ("ddim", NULL) };
}

void
loras_close (Loras *loras)
{
  pmt_model_unref (loras->model);
  pmt_safetensors_free (loras->latents);
  g_free (loras->folder);
}

char *
loras_path (const Loras *loras, const char *name)
{
  g_autofree char *file = g_strconcat (name, ".safetensors", NULL);
  return g_build_filename (loras->folder, file, NULL);
}

PmtWeightEdit
loras_edit (const Loras *loras, const char *name, double strength, double text_strength)
{
  return (PmtWeightEdit) { loras_path (loras, name), strength, text_strength };
}

PmtResult
loras_run (const Loras *loras, PmtWeightEdit *edits, int n)
{
  PmtRequest q = loras->request;
  q.weight_edits = edits;
  q.n_weight_edits = n;
  return runs_do (&q);
}

typedef struct Case {
  const Loras *loras;
  char *name;
  PmtWeightEdit edits[4];
  int n;
} Case;

static void
case_free (gpointer data)
{
  Case *c = data;
  for (int i = 0; i < c->n; i++)
    g_free ((char *) c->edits[i].path);
  g_free (c->name);
  g_free (c);
}

static void
test_case (gconstpointer data)
{
  Case *c = (Case *) data;
  GError *error = NULL;
  const PmtSafetensor *t = pmt_safetensors_lookup (c->loras->latents, c->name);
  float want[LATENT];
  g_assert_nonnull (t);
  g_assert_cmpuint (t->count, ==, LATENT);
  pmt_safetensors_read_f32 (c->loras->latents, t, 0, LATENT, want, &error);
  g_assert_no_error (error);
  PmtResult result = loras_run (c->loras, c->edits, c->n);
  const double off = runs_distance (result.latent, want, LATENT);
  g_test_message ("%s: %.2g relative", c->name, off);
  g_assert_null (result.notes);
  g_assert_cmpfloat (off, <=, TOLERANCE);
  pmt_result_clear (&result);
}

void
loras_add_cases (const Loras *loras, const char *prefix, bool others)
{
  g_autofree char *path = g_build_filename (loras->folder, "cases.json", NULL);
  g_autoptr (JsonParser) parser = json_parser_new ();
  GError *error = NULL;
  guint added = 0;
  json_parser_load_from_file (parser, path, &error);
  g_assert_no_error (error);
  JsonArray *cases = json_object_get_array_member (json_node_get_object (json_parser_get_root (parser)), "cases");
  for (guint i = 0; i < json_array_get_length (cases); i++) {
    JsonObject *object = json_array_get_object_element (cases, i);
    const char *name = json_object_get_string_member (object, "name");
    if (g_str_has_prefix (name, prefix) == others)
      continue;
    Case *c = g_new0 (Case, 1);
    JsonArray *files = json_object_get_array_member (object, "files");
    c->loras = loras;
    c->name = g_strdup (name);
    for (guint k = 0; k < json_array_get_length (files); k++) {
      JsonObject *file = json_array_get_object_element (files, k);
      c->edits[c->n++] = loras_edit (loras, json_object_get_string_member (file, "file"), json_object_get_double_member (file, "strength"),
                                     json_object_get_double_member (file, "text"));
    }
    g_autofree char *test = g_strconcat ("/runs/", name, NULL);
    g_test_add_data_func_full (test, c, test_case, case_free);
    added++;
  }
  g_assert_cmpuint (added, >=, 4);
}
