/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/cli/bench-methods.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/cpu.h"
#include "engine/base/memory.h"
#include "engine/base/threads.h"
#include "engine/cli/cli.h"
#include "engine/kernels/packed.h"
#include "engine/sample/run.h"

#define PROMPT "a red circle left of a blue house"

/* Everything that methods ask of a request; each takes what it needs. */
enum { BOXES = 1, PHOTO = 2, MASK = 4, REGIONS = 8 };

/* Parameters with which a method acts in each step, once: what it costs then is what a user's own settings multiply. */
static const struct {
  const char *id;
  bool gradient;
  unsigned needs;
  const char *params[4][2];
} table[] = {
  { "attend-and-excite", true, 0, { { "words", "circle house" }, { "thresholds", "" }, { "steps", "1000" } } },
  { "layout-backward", true, BOXES, { { "iterations", "1" }, { "steps", "1000" }, { "threshold", "0" } } },
  { "attention-refocusing", true, BOXES, { { "enough", "1" }, { "until", "1" } } },
  { "self-guidance", true, 0, { { "words", "red circle" }, { "right", "0.2" }, { "until", "1" }, { "end", "1" } } },
  { "pix2pix-zero", true, PHOTO, { { "from", "circle" }, { "to", "star" } } },
  { "universal-guidance", true, 0, { { "colours", "#ff8000" } } },
  { "null-text", true, PHOTO, { { "iterations", "1" } } },
  { "prompt-to-prompt", false, 0, { { "source", PROMPT } } },
  { "masactrl", false, 0, { { "source", PROMPT } } },
  { "composable", false, 0, { { NULL } } },
  { "structured", false, 0, { { NULL } } },
  { "paint-with-words", false, BOXES, { { NULL } } },
  { "layout-forward", false, BOXES, { { NULL } } },
  { "iterative-inpaint", false, BOXES, { { NULL } } },
  { "multidiffusion", false, REGIONS, { { NULL } } },
  { "blended-latent", false, PHOTO | MASK, { { NULL } } },
  { "diffedit", false, PHOTO, { { NULL } } },
  { "edict", false, PHOTO, { { NULL } } },
  { "word-maps", false, 0, { { "words", "circle" } } },
  { "deepcache", false, 0, { { NULL } } },
  { "token-merging", false, 0, { { NULL } } },
  { "guidance-interval", false, 0, { { NULL } } },
};

typedef struct Row {
  const char *id;
  PmtCost cost;
  double seconds; /* 0 = not timed */
  char *refused;  /* why it does not run with this model */
} Row;

/* ---- requests ---------------------------------------------------------------------------------------------------------- */

typedef struct Inputs {
  float *picture, *mask;
} Inputs;

static gboolean
inputs_make (Inputs *inputs, int width, int height, GError **error)
{
  const size_t n = (size_t) width * (size_t) height;
  inputs->picture = g_try_new (float, n * 3);
  inputs->mask = g_try_new (float, n);
  if (!inputs->picture || !inputs->mask) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_MEMORY, "There is too little memory for a picture of that size; take a smaller one.");
    return FALSE;
  }
  for (size_t i = 0; i < n; i++) {
    const size_t x = i % (size_t) width, y = i / (size_t) width;
    inputs->mask[i] = x > (size_t) width / 4 && x < (size_t) width * 3 / 4;
    for (size_t c = 0; c < 3; c++)
      inputs->picture[i * 3 + c] = (float) ((x * (c + 1) + y) % 97) / 97.0f;
  }
  return TRUE;
}

static PmtRequest
request_for (PmtModel *model, const PmtMethodBench *bench, const Inputs *inputs, unsigned needs)
{
  static const PmtLayoutBox boxes[] = { { 0, 0.1, 0.5, 0.9, "red circle" }, { 0.5, 0.1, 1, 0.9, "blue house" } };
  static const PmtRegionPrompt regions[] = { { 0, 0, 0.5, 1, NULL, "a red circle", 1 }, { 0.5, 0, 1, 1, NULL, "a blue house", 1 } };
  PmtRequest q = { .model = model, .prompt = PROMPT, .width = bench->width, .height = bench->height, .steps = bench->steps, .guidance = 7.5,
                   .strength = 1, .eta = -1, .seed = 1, .sampler = pmt_sampler_find ("ddim", NULL) };
  if (needs & BOXES)
    q.layout = (PmtLayout) { .boxes = boxes, .n_boxes = 2, .beta = 0.3 };
  if (needs & REGIONS) {
    q.regions = regions;
    q.n_regions = 2;
  }
  q.image = needs & PHOTO ? inputs->picture : NULL;
  q.mask = needs & MASK ? inputs->mask : NULL;
  return q;
}

/* ---- one method -------------------------------------------------------------------------------------------------------- */

static gboolean
measure_request (PmtRequest *q, const PmtMethodBench *bench, Row *row, GError **error)
{
  if (!pmt_run_cost (q, &row->cost, error))
    return FALSE;
  if (!bench->timed)
    return TRUE;
  PmtResult result;
  const double begin = pmt_work_clock ();
  if (!pmt_run (q, &result, error))
    return FALSE;
  row->seconds = pmt_work_clock () - begin;
  pmt_result_clear (&result);
  return TRUE;
}

/* What the model cannot do is a row of its own; other failures end the command. */
static gboolean
measure (PmtModel *model, const PmtMethodBench *bench, const Inputs *inputs, int i, const PmtCancel *cancel, Row *row, GError **error)
{
  PmtMethodUse use = { .method = pmt_method_find (table[i].id, error) };
  GError *failed = NULL;
  if (!use.method)
    return FALSE;
  row->id = table[i].id;
  pmt_param_values_init (&use.values, use.method->params);
  gboolean ok = TRUE;
  for (int k = 0; k < 4 && table[i].params[k][0] && ok; k++)
    ok = pmt_param_values_set_text (&use.values, table[i].params[k][0], table[i].params[k][1], "bench", &failed);
  PmtRequest q = request_for (model, bench, inputs, table[i].needs);
  q.methods = &use;
  q.n_methods = 1;
  q.cancel = cancel;
  ok = ok && measure_request (&q, bench, row, &failed);
  pmt_param_values_clear (&use.values);
  if (ok)
    return TRUE;
  if (g_error_matches (failed, PMT_ERROR, PMT_ERROR_UNSUPPORTED) || g_error_matches (failed, PMT_ERROR, PMT_ERROR_INPUT)) {
    row->refused = g_strdup (failed->message);
    g_error_free (failed);
    return TRUE;
  }
  g_propagate_error (error, failed);
  return FALSE;
}

/* ---- what came out ----------------------------------------------------------------------------------------------------- */

static void
print_text (PmtModel *model, const PmtMethodBench *bench, const Row *rows, int n)
{
  printf ("%s, %d threads, %s, %dx%d, %d steps, guidance 7.5, products in %s\n", pmt_cpu_model (), pmt_threads (), pmt_model_path (model), bench->width,
          bench->height, bench->steps, pmt_precision_name (pmt_model_precision (model)));
  printf ("%-22s %12s %12s %10s %8s %12s %8s\n", "method", "weights MB", "peak MB", "GFLOP/step", "x plain", "s/step", "x plain");
  for (int i = 0; i < n; i++) {
    const Row *r = &rows[i];
    if (r->refused) {
      printf ("%-22s %s\n", r->id, r->refused);
      continue;
    }
    printf ("%-22s %12.0f %12.0f %10.1f %8.2f", r->id, (double) r->cost.weight_bytes * 1e-6, (double) (r->cost.weight_bytes + r->cost.activation_bytes) * 1e-6,
            r->cost.flops * 1e-9 / bench->steps, r->cost.flops / rows[0].cost.flops);
    if (r->seconds > 0)
      printf (" %12.3f %8.2f", r->seconds / bench->steps, r->seconds / rows[0].seconds);
    printf ("\n");
  }
  if (bench->timed)
    printf ("most memory: %.0f MB\n", (double) pmt_memory_resident_peak () * 1e-6);
}

static void
print_json (PmtModel *model, const PmtMethodBench *bench, const Row *rows, int n)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new (), *methods = json_object_new ();
  json_object_set_string_member (object, "cpu", pmt_cpu_model ());
  json_object_set_int_member (object, "threads", pmt_threads ());
  json_object_set_string_member (object, "model", pmt_model_path (model));
  json_object_set_string_member (object, "precision", pmt_precision_name (pmt_model_precision (model)));
  json_object_set_int_member (object, "width", bench->width);
  json_object_set_int_member (object, "height", bench->height);
  json_object_set_int_member (object, "steps", bench->steps);
  for (int i = 0; i < n; i++) {
    JsonObject *method = json_object_new ();
    if (rows[i].refused) {
      json_object_set_string_member (method, "refused", rows[i].refused);
    } else {
      json_object_set_int_member (method, "weight_bytes", (gint64) rows[i].cost.weight_bytes);
      json_object_set_int_member (method, "activation_bytes", (gint64) rows[i].cost.activation_bytes);
      json_object_set_double_member (method, "gflop_per_step", rows[i].cost.flops * 1e-9 / bench->steps);
      json_object_set_double_member (method, "work_of_plain", rows[i].cost.flops / rows[0].cost.flops);
      if (rows[i].seconds > 0) {
        json_object_set_double_member (method, "seconds_per_step", rows[i].seconds / bench->steps);
        json_object_set_double_member (method, "time_of_plain", rows[i].seconds / rows[0].seconds);
      }
    }
    json_object_set_object_member (methods, rows[i].id, method);
  }
  json_object_set_object_member (object, "methods", methods);
  json_node_take_object (node, object);
  pmt_cli_print_json (node);
}

/* Which of the table are asked for, in its order. */
static gboolean
choose (const char *list, bool *wanted, GError **error)
{
  g_auto (GStrv) words = g_strsplit (list, ",", -1);
  for (int k = 0; words[k]; k++) {
    bool found = false;
    for (size_t i = 0; i < G_N_ELEMENTS (table); i++)
      if (strcmp (words[k], "all") == 0 || (strcmp (words[k], "gradient") == 0 && table[i].gradient) || strcmp (words[k], table[i].id) == 0)
        found = wanted[i] = true;
    if (!found) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "--methods takes all, gradient, or ids of methods with commas between, and '%s' is none that is timed.", words[k]);
      return FALSE;
    }
  }
  return TRUE;
}

gboolean
pmt_bench_methods (PmtModel *model, const PmtMethodBench *bench, bool json, const PmtCancel *cancel, GError **error)
{
  bool wanted[G_N_ELEMENTS (table)] = { false };
  Row rows[G_N_ELEMENTS (table) + 1] = { { .id = "plain" } };
  Inputs inputs = { NULL, NULL };
  int n = 1;
  gboolean ok = choose (bench->list, wanted, error) && inputs_make (&inputs, bench->width, bench->height, error);
  if (ok) {
    PmtRequest plain = request_for (model, bench, &inputs, 0);
    plain.cancel = cancel;
    /* The first run loads the weights. */
    ok = (!bench->timed || measure_request (&plain, bench, &rows[0], error)) && measure_request (&plain, bench, &rows[0], error);
  }
  for (size_t i = 0; i < G_N_ELEMENTS (table) && ok; i++)
    if (wanted[i])
      ok = measure (model, bench, &inputs, (int) i, cancel, &rows[n++], error);
  if (ok && json)
    print_json (model, bench, rows, n);
  else if (ok)
    print_text (model, bench, rows, n);
  for (int i = 0; i < n; i++)
    g_free (rows[i].refused);
  g_free (inputs.picture);
  g_free (inputs.mask);
  return ok;
}
