/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/methods/losses.h"

#include <math.h>
#include <string.h>

static char *
data_path (const char *name)
{
  return g_build_filename (g_getenv ("PMT_TEST_DATA"), "losses", name, NULL);
}

static JsonObject *
read_cases (void)
{
  static JsonParser *parser;
  if (!parser) {
    g_autofree char *path = data_path ("losses.json");
    GError *error = NULL;
    parser = json_parser_new ();
    json_parser_load_from_file (parser, path, &error);
    g_assert_no_error (error);
  }
  return json_node_get_object (json_parser_get_root (parser));
}

PmtRequest
losses_request (const Runs *runs, PmtModel *model)
{
  JsonObject *c = read_cases ();
  PmtRequest q = runs_request (runs, model);
  g_assert_cmpint (q.width, ==, json_object_get_int_member (c, "width"));
  g_assert_cmpint (q.height, ==, json_object_get_int_member (c, "height"));
  q.prompt = json_object_get_string_member (c, "prompt");
  q.negative = json_object_get_string_member (c, "negative");
  q.steps = (int) json_object_get_int_member (c, "steps");
  q.guidance = json_object_get_double_member (c, "guidance");
  q.seed = (uint64_t) json_object_get_int_member (c, "seed");
  return q;
}

const PmtLayout *
losses_layout (void)
{
  static PmtLayoutBox boxes[8];
  static PmtLayout layout = { .boxes = boxes, .beta = 0.3 };
  JsonArray *list = json_object_get_array_member (read_cases (), "boxes");
  layout.n_boxes = (int) json_array_get_length (list);
  for (int i = 0; i < layout.n_boxes; i++) {
    JsonObject *c = json_array_get_object_element (list, (guint) i);
    JsonArray *edges = json_object_get_array_member (c, "box");
    boxes[i] = (PmtLayoutBox) { json_array_get_double_element (edges, 0), json_array_get_double_element (edges, 1),
                                json_array_get_double_element (edges, 2), json_array_get_double_element (edges, 3),
                                json_object_get_string_member (c, "phrase") };
  }
  return &layout;
}

void
losses_set (PmtMethodUse *use, const char *id, const char *value)
{
  GError *error = NULL;
  pmt_param_values_set_text (&use->values, id, value, use->method->id, &error);
  g_assert_no_error (error);
}

PmtResult
losses_run (PmtRequest request, PmtMethodUse *use)
{
  request.methods = use;
  request.n_methods = use ? 1 : 0;
  return runs_do (&request);
}

void
losses_compare (const char *name, const PmtResult *result)
{
  g_autofree char *path = data_path ("losses.safetensors");
  GError *error = NULL;
  PmtSafetensors *file = pmt_safetensors_open (path, &error);
  g_assert_no_error (error);
  const PmtSafetensor *t = pmt_safetensors_lookup (file, name);
  const size_t n = runs_latent_size (result);
  g_autofree float *want = g_new (float, n);
  g_assert_nonnull (t);
  g_assert_cmpuint (t->count, ==, n);
  pmt_safetensors_read_f32 (file, t, 0, n, want, &error);
  g_assert_no_error (error);
  pmt_safetensors_free (file);
  const double off = runs_distance (result->latent, want, n);
  g_test_message ("%s: latent %.2g relative", name, off);
  g_assert_cmpfloat (off, <, 1e-3);
}

/* ---- losses alone ------------------------------------------------------------------------------------------------------ */

void
maps_init (Maps *maps, int height, int width, int columns, unsigned seed)
{
  GRand *rand = g_rand_new_with_seed (seed);
  maps->n = 2;
  for (int i = 0; i < 2; i++) {
    const int cells = height * width, s = i == 0 ? columns : cells;
    const PmtShape shape = PMT_SHAPE4 (1, 2, cells, s);
    const size_t n = (size_t) pmt_shape_size (&shape);
    PmtProbed *p = &maps->probed[i];
    *p = (PmtProbed) { .kind = PMT_PROBED_ATTENTION,
                       .site = { .place = PMT_PLACE_UP, .cross = i == 0, .height = height, .width = width, .heads = 2 },
                       .value = { g_new (float, n), shape, 0, NULL }, .gradient = { g_new0 (float, n), shape, 0, NULL } };
    for (size_t row = 0; row < n / (size_t) s; row++) {
      double sum = 0;
      for (int k = 0; k < s; k++)
        sum += p->value.data[row * (size_t) s + (size_t) k] = (float) exp (g_rand_double_range (rand, -1, 1));
      for (int k = 0; k < s; k++)
        p->value.data[row * (size_t) s + (size_t) k] /= (float) sum;
    }
  }
  g_rand_free (rand);
}

void
maps_clear (Maps *maps)
{
  for (int i = 0; i < maps->n; i++) {
    g_free (maps->probed[i].value.data);
    g_free (maps->probed[i].gradient.data);
  }
}

static void
move (Maps *maps, float **direction, float step)
{
  for (int i = 0; i < maps->n; i++)
    for (int64_t k = 0; k < pmt_tensor_size (maps->probed[i].value); k++)
      maps->probed[i].value.data[k] += step * direction[i][k];
}

static void
forget (Maps *maps)
{
  for (int i = 0; i < maps->n; i++)
    memset (maps->probed[i].gradient.data, 0, (size_t) pmt_tensor_size (maps->probed[i].gradient) * sizeof (float));
}

void
maps_check (Maps *maps, MapsLoss loss, void *user)
{
  const float h = 2e-5f;
  float *direction[2] = { 0 };
  GRand *rand = g_rand_new_with_seed (3);
  double along = 0, size = 0;
  forget (maps);
  const double value = loss (maps, user);
  g_assert_cmpfloat (value, >, 0);
  for (int trial = 0; trial < 3; trial++) {
    /* the gradient's own direction first, then that with noise of its size */
    forget (maps);
    loss (maps, user);
    along = size = 0;
    for (int i = 0; i < maps->n; i++) {
      const int64_t n = pmt_tensor_size (maps->probed[i].value);
      direction[i] = g_renew (float, direction[i], n);
      for (int64_t k = 0; k < n; k++)
        size += (double) maps->probed[i].gradient.data[k] * (double) maps->probed[i].gradient.data[k];
    }
    g_assert_cmpfloat (size, >, 0);
    for (int i = 0; i < maps->n; i++)
      for (int64_t k = 0; k < pmt_tensor_size (maps->probed[i].value); k++) {
        const double g = maps->probed[i].gradient.data[k] / sqrt (size);
        direction[i][k] = (float) (g * (trial == 0 ? 1.0 : g_rand_double_range (rand, -1, 2)));
        along += (double) maps->probed[i].gradient.data[k] * (double) direction[i][k];
      }
    move (maps, direction, h);
    const double up = loss (maps, user);
    move (maps, direction, -2 * h);
    const double down = loss (maps, user);
    move (maps, direction, h);
    const double difference = (up - down) / (2 * (double) h);
    g_test_message ("loss %.5f: gradient %.6g, differences %.6g", value, along, difference);
    g_assert_cmpfloat (fabs (along - difference), <, 1e-2 * sqrt (size));
  }
  for (int i = 0; i < maps->n; i++)
    g_free (direction[i]);
  g_rand_free (rand);
}

/* ---- whole runs -------------------------------------------------------------------------------------------------------- */

static PmtCancel cancel;

static void
cancel_late (void *user, const PmtProgress *p)
{
  if (p->stage == PMT_STAGE_SAMPLE && p->step == 1)
    pmt_cancel_request (&cancel);
}

void
losses_check_identities (PmtRequest request, PmtMethodUse *use, const char *scale)
{
  GError *error = NULL;
  PmtCost cost;
  PmtResult moved = losses_run (request, use), plain = losses_run (request, NULL), again = losses_run (request, use);
  runs_assert_differ (&moved, &plain);
  runs_assert_equal (&moved, &again);
  PmtRequest costed = request;
  costed.methods = use;
  costed.n_methods = 1;
  g_assert_true (pmt_run_cost (&costed, &cost, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (moved.peak_bytes, ==, cost.activation_bytes);
  g_assert_cmpuint (moved.peak_bytes, >=, plain.peak_bytes); /* decoding may need more than either */

  PmtResult stopped;
  costed.cancel = &cancel;
  costed.progress = cancel_late;
  g_assert_false (pmt_run (&costed, &stopped, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_CANCELLED);
  g_clear_error (&error);

  losses_set (use, scale, "0");
  PmtResult still = losses_run (request, use);
  runs_assert_equal (&still, &plain);
  pmt_result_clear (&moved);
  pmt_result_clear (&plain);
  pmt_result_clear (&again);
  pmt_result_clear (&still);
}
