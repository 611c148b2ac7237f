/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <inttypes.h>
#include <string.h>

#include "engine/job/parse.h"
#include "engine/job/private.h"
#include "engine/kernels/packed.h"
#include "pentimento/protocol.h"

#define MOST_THREADS 1024
#define MOST_METHODS 32

static gboolean
read_method (PmtMethodUse *use, JsonNode *node, GError **error)
{
  JsonObject *object = JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
  JsonNode *id = object ? json_object_get_member (object, "id") : NULL;
  g_autofree char *where = NULL;
  JsonObjectIter iter;
  const char *name;
  JsonNode *value;

  if (!id || !pmt_parse_holds_string (id))
    return pmt_parse_wrong (error, "methods", "a list of objects that have an \"id\"");
  use->method = pmt_method_find (json_node_get_string (id), error);
  if (!use->method)
    return FALSE;
  if (use->method->internal) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The method \"%s\" follows from the job's other fields; leave it out of \"methods\"."),
                 use->method->id);
    return FALSE;
  }
  pmt_param_values_init (&use->values, use->method->params);
  where = g_strdup_printf ("method %s", use->method->id);
  json_object_iter_init_ordered (&iter, object);
  while (json_object_iter_next_ordered (&iter, &name, &value))
    if (strcmp (name, "id") != 0 && !pmt_param_values_set_json (&use->values, name, value, where, error))
      return FALSE;
  return TRUE;
}

static gboolean
read_methods (PmtJob *job, JsonNode *node, GError **error)
{
  JsonArray *array = JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
  guint n = array ? json_array_get_length (array) : 0;

  if (!array || n > MOST_METHODS)
    return pmt_parse_wrong (error, "methods", "a list of at most 32 objects");
  job->methods = g_new0 (PmtMethodUse, n + 1);
  for (guint i = 0; i < n; i++) {
    job->n_methods++;
    if (!read_method (&job->methods[i], json_array_get_element (array, i), error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
read_precision (PmtJob *job, JsonNode *node, GError **error)
{
  const char *wanted = pmt_parse_holds_string (node) ? json_node_get_string (node) : NULL;

  if (!wanted)
    return pmt_parse_wrong (error, "precision", "a string");
  PmtPrecision precision;
  const bool one = pmt_precision_find (wanted, &precision);
  job->precision = one ? (int) precision : -1;
  if (one || strcmp (wanted, "auto") == 0)
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED, _("This engine computes in precision f32, bf16 or int8 and has no \"%s\"; use one of them or auto."),
               wanted);
  return FALSE;
}

static gboolean
read_size (PmtJob *job, JsonNode *node, GError **error)
{
  int size[2];

  if (!pmt_parse_ints (node, "size", size, 2, error))
    return FALSE;
  if ((size[0] == 0) != (size[1] == 0))
    return pmt_parse_wrong (error, "size", "two sides in pixels");
  job->width = size[0];
  job->height = size[1];
  return TRUE;
}

/* A field that is in no parameter table. *known tells whether it was one. */
static gboolean
read_field (PmtJob *job, const char *name, JsonNode *node, gboolean *known, GError **error)
{
  g_autofree char *unused = NULL;

  *known = TRUE;
  if (strcmp (name, "pentimento") == 0 || strcmp (name, "task") == 0)
    return TRUE; /* read first */
  if (strcmp (name, "model") == 0)
    return pmt_parse_text (node, name, &job->model, error);
  if (strcmp (name, "model-hash") == 0)
    return pmt_parse_text (node, name, &job->model_hash, error);
  if (strcmp (name, "size") == 0)
    return read_size (job, node, error);
  if (strcmp (name, "region") == 0 && job->task != PMT_TASK_GENERATE)
    return pmt_parse_region (job, node, error);
  if (strcmp (name, "methods") == 0)
    return read_methods (job, node, error);
  if (strcmp (name, "precision") == 0)
    return read_precision (job, node, error);
  if (strcmp (name, "threads") == 0) {
    if (!pmt_parse_holds_int (node) || json_node_get_int (node) < 0 || json_node_get_int (node) > MOST_THREADS)
      return pmt_parse_wrong (error, name, "a whole number from 0 (all cores) to 1024");
    job->threads = (int) json_node_get_int (node);
    return TRUE;
  }
  if (strcmp (name, "engine") == 0 || strcmp (name, "cpu") == 0 || strcmp (name, "image") == 0 || strcmp (name, "mask") == 0)
    return pmt_parse_text (node, name, &unused, error);
  return pmt_parse_extra (job, name, node, known, error);
}

static gboolean
read_head (PmtJob *job, JsonObject *recipe, GError **error)
{
  JsonNode *version = json_object_get_member (recipe, "pentimento"), *task = json_object_get_member (recipe, "task");

  if (!version || !pmt_parse_holds_int (version)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The job has no field \"pentimento\"; a recipe begins with \"pentimento\": %d."),
                 PMT_RECIPE_VERSION);
    return FALSE;
  }
  if (json_node_get_int (version) != PMT_RECIPE_VERSION) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                 _("The job's recipe is of version %" PRId64 " and this engine knows version %d; use a newer engine."),
                 json_node_get_int (version), PMT_RECIPE_VERSION);
    return FALSE;
  }
  for (job->task = PMT_TASK_GENERATE; task && pmt_parse_holds_string (task) && job->task <= PMT_TASK_LAST; job->task++)
    if (strcmp (json_node_get_string (task), pmt_task_name (job->task)) == 0)
      return TRUE;
  return pmt_parse_wrong (error, "task", "generate, fill or edit");
}

/* What each mode begins with: as much of what is there as it can use. */
static const char *const mode_prefills[] = { [PMT_MODE_FILL] = "blur", [PMT_MODE_EXPAND] = "surroundings", [PMT_MODE_ADD] = "gray",
                                             [PMT_MODE_REMOVE] = "surroundings", [PMT_MODE_REPLACE] = "gray", [PMT_MODE_REFINE] = "none" };

static void
read_fill (PmtJob *job, const PmtParamValues *values)
{
  const char *prefill = pmt_param_text (values, "prefill");

  job->mode = (PmtFillMode) pmt_param_number (values, "mode");
  job->prefill = pmt_prefill_find (strcmp (prefill, "auto") == 0 ? mode_prefills[job->mode] : prefill);
  job->colour_match = pmt_param_number (values, "colour-match") != 0;
  job->colour_shift_only = pmt_param_number (values, "colour-match-by") != 0;
  job->gradient_seam = pmt_param_number (values, "seam") != 0;
}

static gboolean
read_all (PmtJob *job, PmtParamValues *values, JsonObject *recipe, GError **error)
{
  JsonObjectIter iter;
  const char *name, *sampler;
  JsonNode *node;

  json_object_iter_init_ordered (&iter, recipe);
  while (json_object_iter_next_ordered (&iter, &name, &node)) {
    gboolean known;
    if (!read_field (job, name, node, &known, error) || (!known && !pmt_param_values_set_json (values, name, node, "the job", error)))
      return FALSE;
  }
  job->prompt = g_strdup (pmt_param_text (values, "prompt"));
  job->negative = g_strdup (pmt_param_text (values, "negative-prompt"));
  if (job->task == PMT_TASK_EDIT) {
    job->strength = 1; /* it starts from noise */
    job->guidance = pmt_param_number (values, "text-guidance");
    job->image_guidance = pmt_param_number (values, "image-guidance");
  } else {
    job->strength = pmt_param_number (values, "strength");
    job->guidance = pmt_param_number (values, "guidance");
  }
  job->steps = (int) pmt_param_number (values, "steps");
  job->stop_after = (int) pmt_param_number (values, "stop-after");
  job->eta = pmt_param_number (values, "eta");
  job->syntax = pmt_param_number (values, "prompt-syntax") == 0 ? PMT_SYNTAX_A1111 : PMT_SYNTAX_PLAIN;
  job->long_prompts = pmt_param_number (values, "long-prompts") == 0 ? PMT_LONG_CHUNKS : PMT_LONG_TRUNCATE;
  job->has_prediction = pmt_param_number (values, "prediction") != 0;
  if (job->has_prediction) /* choices and enum are in one order */
    job->prediction = (PmtPrediction) (pmt_param_number (values, "prediction") - 1);
  job->refiner = g_strdup (pmt_param_text (values, "refiner"));
  job->refiner_start = pmt_param_number (values, "refiner-start");
  job->full_size = pmt_param_number (values, "full-size") != 0;
  job->full_size_strength = pmt_param_number (values, "full-size-strength");
  job->tiling = (PmtVaeTiling) pmt_param_number (values, "vae-tiling");
  job->taesd = g_strdup (pmt_param_text (values, "taesd"));
  job->unet = g_strdup (pmt_param_text (values, "unet"));
  job->vae = g_strdup (pmt_param_text (values, "vae"));
  job->seed = (gint64) pmt_param_number (values, "seed");
  job->variants = (int) pmt_param_number (values, "variants");
  if (job->task == PMT_TASK_FILL)
    read_fill (job, values);
  sampler = pmt_param_text (values, "sampler");
  return sampler[0] == '\0' || (job->sampler = pmt_sampler_find (sampler, error)) != NULL;
}

PmtJob *
pmt_job_parse (JsonObject *recipe, GError **error)
{
  PmtJob *job = g_new0 (PmtJob, 1);
  PmtParamValues values = { 0 };
  gboolean good;

  job->model = g_strdup ("");
  job->region.grow = job->region.feather = -1;
  job->precision = -1;
  good = read_head (job, recipe, error);
  if (good) {
    pmt_param_values_init (&values, pmt_job_params (job->task));
    good = read_all (job, &values, recipe, error);
    pmt_param_values_clear (&values);
  }
  if (!good)
    g_clear_pointer (&job, pmt_job_free);
  return job;
}

void
pmt_job_free (PmtJob *job)
{
  if (!job)
    return;
  for (int i = 0; i < job->n_methods; i++)
    pmt_param_values_clear (&job->methods[i].values);
  g_free (job->methods);
  pmt_job_extras_clear (&job->extras);
  g_free (job->model);
  g_free (job->model_hash);
  g_free (job->refiner);
  g_free (job->taesd);
  g_free (job->unet);
  g_free (job->vae);
  g_free (job->prompt);
  g_free (job->negative);
  g_free (job);
}
