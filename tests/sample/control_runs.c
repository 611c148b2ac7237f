/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/sample/control_runs.h"

#include <json-glib/json-glib.h>
#include <string.h>

enum { MOST = 4 };

static JsonObject *list;
static PmtSafetensors *tensors;

static void
open_data (void)
{
  GError *error = NULL;
  if (list)
    return;
  g_autofree char *json = runs_path ("controls", "controls.json"), *path = runs_path ("controls", "controls.safetensors");
  list = pmt_config_load (json, &error);
  g_assert_no_error (error);
  tensors = pmt_safetensors_open (path, &error);
  g_assert_no_error (error);
}

void
control_runs_close (void)
{
  g_clear_pointer (&list, json_object_unref);
  g_clear_pointer (&tensors, pmt_safetensors_free);
}

PmtModel *
control_runs_model (const char *name)
{
  g_autofree char *path = runs_path ("controls", name);
  return runs_open_model (path);
}

char *
control_runs_net (const char *name)
{
  open_data ();
  return runs_path ("controls", json_object_get_string_member (json_object_get_object_member (list, "files"), name));
}

static float *
read_tensor (const char *name, size_t n)
{
  GError *error = NULL;
  const PmtSafetensor *t = pmt_safetensors_lookup (tensors, name);
  if (!t)
    g_error ("controls.safetensors has no %s", name);
  g_assert_cmpuint (t->count, ==, n);
  float *values = g_new (float, n);
  pmt_safetensors_read_f32 (tensors, t, 0, n, values, &error);
  g_assert_no_error (error);
  return values;
}

float *
control_runs_picture (const char *name, int width, int height)
{
  open_data ();
  g_autofree char *key = g_strdup_printf ("%s.%dx%d", name, width, height);
  const size_t n = (size_t) width * (size_t) height * (strcmp (name, "mask") == 0 ? 1 : 3);
  float *values = read_tensor (key, n);
  for (size_t i = 0; i < n; i++)
    values[i] = (float) (values[i] / 255.0);
  return values;
}

PmtRequest
control_runs_request (PmtModel *model)
{
  open_data ();
  return (PmtRequest) { .model = model, .prompt = json_object_get_string_member (list, "prompt"),
                        .negative = json_object_get_string_member (list, "negative"), .width = 64, .height = 48, .steps = 4,
                        .guidance = 6, .strength = 1, .seed = 7, .sampler = pmt_sampler_find ("ddim", NULL) };
}

/* What a request borrows. */
typedef struct Borrowed {
  PmtControl control[MOST];
  float *picture[MOST];
  char *path[MOST];
  int n;
  float *image, *mask;
} Borrowed;

static void
read_controls (JsonObject *c, Borrowed *b, PmtRequest *q)
{
  JsonArray *controls = json_object_get_array_member (c, "controls");
  for (; b->n < (int) json_array_get_length (controls); b->n++) {
    JsonObject *k = json_array_get_object_element (controls, (guint) b->n);
    g_assert_cmpint (b->n, <, MOST);
    b->picture[b->n] = control_runs_picture (json_object_get_string_member (k, "picture"), q->width, q->height);
    b->path[b->n] = control_runs_net (json_object_get_string_member (k, "net"));
    b->control[b->n] = (PmtControl) { .model = b->path[b->n], .image = b->picture[b->n],
                                      .strength = json_object_get_double_member (k, "strength"),
                                      .start = json_object_get_double_member (k, "start"),
                                      .end = json_object_get_double_member (k, "end"), .guess = json_object_get_boolean_member (k, "guess") };
  }
  q->controls = b->control;
  q->n_controls = b->n;
}

static void
test_case (gconstpointer data)
{
  JsonObject *c = (JsonObject *) data;
  const char *name = json_object_get_string_member (c, "name"), *task = json_object_get_string_member (c, "task");
  const char *base = json_object_get_string_member (c, "model");
  PmtModel *model = control_runs_model (strcmp (base, "fill") == 0 ? "sd" : base);
  PmtRequest q = control_runs_request (model);
  Borrowed b = { 0 };
  GError *error = NULL;
  q.width = (int) json_object_get_int_member (c, "width");
  q.height = (int) json_object_get_int_member (c, "height");
  q.steps = (int) json_object_get_int_member (c, "steps");
  q.guidance = json_object_get_double_member (c, "guidance");
  q.strength = json_object_get_double_member (c, "strength");
  q.seed = (uint64_t) json_object_get_int_member (c, "seed");
  q.sampler = pmt_sampler_find (json_object_get_string_member (c, "sampler"), &error);
  g_assert_no_error (error);
  q.fill = strcmp (base, "fill") == 0;
  if (strcmp (task, "text") != 0)
    q.image = b.image = control_runs_picture ("colours", q.width, q.height);
  if (strcmp (task, "fill") == 0)
    q.mask = b.mask = control_runs_picture ("mask", q.width, q.height);
  read_controls (c, &b, &q);

  PmtCost cost;
  pmt_run_cost (&q, &cost, &error);
  g_assert_no_error (error);
  PmtResult result = runs_do (&q);
  g_assert_cmpuint (result.peak_bytes, ==, cost.activation_bytes);
  g_autofree float *wanted = read_tensor (name, runs_latent_size (&result));
  const double off = runs_distance (result.latent, wanted, runs_latent_size (&result));
  g_test_message ("%s: latent differs by %.2e", name, off);
  g_assert_cmpfloat (off, <=, CONTROL_RUNS_TOLERANCE);

  q.rows_per_call = 1;
  PmtResult single = runs_do (&q);
  runs_assert_equal (&result, &single);
  pmt_result_clear (&single);
  pmt_result_clear (&result);
  for (int i = 0; i < b.n; i++) {
    g_free (b.picture[i]);
    g_free (b.path[i]);
  }
  g_free (b.image);
  g_free (b.mask);
  pmt_model_unref (model);
}

void
control_runs_add_cases (bool adapters)
{
  int n = 0;
  open_data ();
  JsonArray *cases = json_object_get_array_member (list, "cases");
  for (guint i = 0; i < json_array_get_length (cases); i++) {
    JsonObject *c = json_array_get_object_element (cases, i);
    const char *name = json_object_get_string_member (c, "name");
    if ((strstr (name, "t2i") != NULL) != adapters)
      continue;
    g_autofree char *test = g_strconcat ("/controls/", name, NULL);
    g_test_add_data_func (test, c, test_case);
    n++;
  }
  g_assert_cmpint (n, >=, 5);
}
