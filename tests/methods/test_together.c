/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two ControlNets, a T2I-Adapter, GLIGEN, an IP-Adapter and two LoRAs in one run (tests/reference/make_together.py): what diffusers' UNet
 * makes of them all, and that they leave everything alone, to the bit, when all strengths are 0. */
#include <json-glib/json-glib.h>
#include <string.h>

#include "tests/sample/grounding.h"

enum { LATENT = 4 * 8 * 6, MOST = 8 };

static JsonObject *recipe;
static PmtSafetensors *tensors;
static PmtModel *model;

/* What a request borrows. */
typedef struct Everything {
  PmtControl controls[MOST];
  PmtReference reference;
  PmtWeightEdit loras[MOST];
  PmtLayoutBox boxes[MOST];
  GPtrArray *owned;
} Everything;

static char *
path_of (const char *name)
{
  g_autofree char *relative = g_build_filename (g_getenv ("PMT_TEST_DATA"), "together", name, NULL);
  return g_canonicalize_filename (relative, NULL);
}

static void *
keep (Everything *e, void *owned)
{
  g_ptr_array_add (e->owned, owned);
  return owned;
}

static float *
tensor (const char *name, int64_t *height, int64_t *width)
{
  GError *error = NULL;
  const PmtSafetensor *t = pmt_safetensors_lookup (tensors, name);
  float *values;
  if (!t)
    g_error ("together.safetensors has no %s", name);
  values = g_new (float, t->count);
  pmt_safetensors_read_f32 (tensors, t, 0, t->count, values, &error);
  g_assert_no_error (error);
  if (height)
    *height = t->dim[0];
  if (width)
    *width = t->dim[1];
  return values;
}

static void
read_controls (Everything *e, PmtRequest *q, double factor)
{
  JsonArray *list = json_object_get_array_member (recipe, "controls");
  for (guint i = 0; i < json_array_get_length (list); i++) {
    JsonObject *c = json_array_get_object_element (list, i);
    g_autofree char *picture = g_strconcat ("picture.", json_object_get_string_member (c, "picture"), NULL);
    e->controls[q->n_controls++] = (PmtControl) {
      .model = keep (e, path_of (json_object_get_string_member (c, "net"))),
      .image = keep (e, tensor (picture, NULL, NULL)),
      .strength = factor * json_object_get_double_member (c, "strength"),
      .start = json_object_get_double_member (c, "start"),
      .end = json_object_get_double_member (c, "end"),
    };
  }
  q->controls = e->controls;
}

static void
read_loras (Everything *e, PmtRequest *q, double factor)
{
  JsonArray *list = json_object_get_array_member (recipe, "loras");
  for (guint i = 0; i < json_array_get_length (list); i++) {
    JsonObject *lora = json_array_get_object_element (list, i);
    g_autofree char *file = g_strconcat (json_object_get_string_member (lora, "name"), ".safetensors", NULL);
    e->loras[q->n_weight_edits++] = (PmtWeightEdit) { keep (e, path_of (file)), factor * json_object_get_double_member (lora, "strength"),
                                                      factor * json_object_get_double_member (lora, "text") };
  }
  q->weight_edits = e->loras;
}

static void
read_boxes (Everything *e, PmtRequest *q, double factor)
{
  JsonArray *list = json_object_get_array_member (recipe, "boxes");
  q->layout = (PmtLayout) { .boxes = e->boxes, .beta = factor * json_object_get_double_member (recipe, "beta") };
  for (guint i = 0; i < json_array_get_length (list); i++) {
    JsonObject *entry = json_array_get_object_element (list, i);
    JsonArray *box = json_object_get_array_member (entry, "box");
    e->boxes[q->layout.n_boxes++] = (PmtLayoutBox) { json_array_get_double_element (box, 0), json_array_get_double_element (box, 1),
                                                     json_array_get_double_element (box, 2), json_array_get_double_element (box, 3),
                                                     json_object_get_string_member (entry, "phrase") };
  }
}

static PmtRequest
plain_request (void)
{
  return (PmtRequest) {
    .model = model,
    .prompt = json_object_get_string_member (recipe, "prompt"),
    .negative = json_object_get_string_member (recipe, "negative"),
    .width = (int) json_object_get_int_member (recipe, "width"),
    .height = (int) json_object_get_int_member (recipe, "height"),
    .steps = (int) json_object_get_int_member (recipe, "steps"),
    .guidance = json_object_get_double_member (recipe, "guidance"),
    .strength = 1,
    .seed = (uint64_t) json_object_get_int_member (recipe, "seed"),
    .sampler = pmt_sampler_find ("ddim", NULL),
  };
}

/* All of it, strengths times `factor`. */
static PmtRequest
full_request (Everything *e, double factor)
{
  PmtRequest q = plain_request ();
  int64_t width, height;
  *e = (Everything) { .owned = g_ptr_array_new_with_free_func (g_free) };
  read_controls (e, &q, factor);
  read_loras (e, &q, factor);
  read_boxes (e, &q, factor);
  float *picture = keep (e, tensor ("reference", &height, &width));
  e->reference = (PmtReference) { .model = keep (e, grounding_path ("ip-base.safetensors")), .image = picture, .width = (int) width,
                                  .height = (int) height, .strength = factor * json_object_get_double_member (recipe, "ip"), .end = 1 };
  q.references = &e->reference;
  q.n_references = 1;
  return q;
}

static void
test_parity (void)
{
  Everything e;
  PmtRequest q = full_request (&e, 1);
  g_autofree float *latent = tensor ("latent", NULL, NULL);
  PmtResult result = runs_do (&q);
  const double off = runs_distance (result.latent, latent, LATENT);
  g_test_message ("together: latent %.2g relative", off);
  g_assert_cmpfloat (off, <=, 1e-3);
  /* row by row: the same bytes */
  q.rows_per_call = 1;
  PmtResult singly = runs_do (&q);
  runs_assert_equal (&result, &singly);
  pmt_result_clear (&result);
  pmt_result_clear (&singly);
  g_ptr_array_unref (e.owned);
}

/* Taking any one of them out shows. */
static void
test_each_counts (void)
{
  Everything e;
  PmtRequest all = full_request (&e, 1);
  all.steps = 3;
  PmtResult whole = runs_do (&all);
  for (int left = 0; left < 6; left++) {
    PmtRequest q = all;
    switch (left) {
      case 0: /* the T2I-Adapter */
        q.n_controls = 2;
        break;
      case 1: /* the first ControlNet */
        q.controls = &e.controls[1];
        q.n_controls = 2;
        break;
      case 2:
        q.layout = (PmtLayout) { 0 };
        break;
      case 3:
        q.n_references = 0;
        break;
      case 4:
        q.n_weight_edits = 1;
        break;
      default:
        q.weight_edits = &e.loras[1];
        q.n_weight_edits = 1;
    }
    PmtResult result = runs_do (&q);
    runs_assert_differ (&whole, &result);
    pmt_result_clear (&result);
  }
  pmt_result_clear (&whole);
  g_ptr_array_unref (e.owned);
}

/* With all strengths 0: the same bytes as a plain run with hooks on the same sites that do nothing. */
static void
test_nothing (void)
{
  Everything e;
  PmtRequest none = full_request (&e, 0), plain = plain_request ();
  PmtMethodUse use = runs_use ("noop");
  none.methods = plain.methods = &use;
  none.n_methods = plain.n_methods = 1;
  PmtResult first = runs_do (&none), second = runs_do (&plain);
  runs_assert_equal (&first, &second);
  pmt_result_clear (&first);
  pmt_result_clear (&second);
  pmt_param_values_clear (&use.values);
  g_ptr_array_unref (e.owned);
}

/* The memory that a dry run says is what the run takes, with all extras. */
static void
test_cost (void)
{
  GError *error = NULL;
  Everything e;
  PmtRequest q = full_request (&e, 1), plain = plain_request ();
  PmtCost cost, bare;
  pmt_run_cost (&q, &cost, &error);
  g_assert_no_error (error);
  pmt_run_cost (&plain, &bare, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (cost.weight_bytes, >, bare.weight_bytes);
  g_assert_cmpfloat (cost.flops, >, bare.flops);
  PmtResult result = runs_do (&q);
  g_assert_cmpuint (result.peak_bytes, ==, cost.activation_bytes);
  pmt_result_clear (&result);
  g_ptr_array_unref (e.owned);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autofree char *json = path_of ("together.json"), *file = path_of ("together.safetensors");
  GError *error = NULL;
  json_parser_load_from_file (parser, json, &error);
  g_assert_no_error (error);
  recipe = json_node_get_object (json_parser_get_root (parser));
  tensors = pmt_safetensors_open (file, &error);
  g_assert_no_error (error);
  model = grounding_model ();
  g_test_add_func ("/together/parity", test_parity);
  g_test_add_func ("/together/each-counts", test_each_counts);
  g_test_add_func ("/together/nothing", test_nothing);
  g_test_add_func ("/together/cost", test_cost);
  int status = g_test_run ();
  pmt_model_unref (model);
  pmt_safetensors_free (tensors);
  return status;
}
