/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "engine/job/job.h"
#include "pentimento/protocol.h"

#define MOST_THREADS 1024
#define MOST_METHODS 32

static gboolean
wrong (GError **error, const char *field, const char *wanted)
{
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "The job's field \"%s\" has to be %s; change it.", field, wanted);
  return FALSE;
}

static gboolean
holds_int (JsonNode *node)
{
  return JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_INT64;
}

static gboolean
holds_number (JsonNode *node)
{
  return holds_int (node) || (JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_DOUBLE);
}

static gboolean
holds_string (JsonNode *node)
{
  return JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_STRING;
}

/* `n` integers in 0..65536. */
static gboolean
read_ints (JsonNode *node, const char *field, int *values, guint n, GError **error)
{
  JsonArray *array = JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
  g_autofree char *wanted = g_strdup_printf ("a list of %u whole numbers from 0 to %d", n, PMT_PICTURE_MAX_SIDE);

  if (!array || json_array_get_length (array) != n)
    return wrong (error, field, wanted);
  for (guint i = 0; i < n; i++) {
    JsonNode *element = json_array_get_element (array, i);
    gint64 value = holds_int (element) ? json_node_get_int (element) : -1;
    if (value < 0 || value > PMT_PICTURE_MAX_SIDE)
      return wrong (error, field, wanted);
    values[i] = (int) value;
  }
  return TRUE;
}

static gboolean
read_box (JsonNode *node, const char *field, PmtBox *box, GError **error)
{
  int v[4];

  if (!read_ints (node, field, v, 4, error))
    return FALSE;
  *box = (PmtBox) { v[0], v[1], v[2], v[3] };
  return TRUE;
}

static gboolean
read_pixels (JsonNode *node, const char *field, double *value, GError **error)
{
  if (!holds_number (node) || !(json_node_get_double (node) >= -1 && json_node_get_double (node) <= 1000))
    return wrong (error, field, "a number from 0 to 1000, or -1 for automatic");
  *value = json_node_get_double (node);
  return TRUE;
}

static gboolean
read_mode (JsonNode *node, PmtContextMode *mode, GError **error)
{
  static const char *const names[] = { "auto", "selection", "whole" };

  for (guint i = 0; holds_string (node) && i < G_N_ELEMENTS (names); i++)
    if (strcmp (json_node_get_string (node), names[i]) == 0) {
      *mode = (PmtContextMode) i;
      return TRUE;
    }
  return wrong (error, "region.mode", "auto, selection or whole");
}

static gboolean
read_region (PmtJob *job, JsonNode *node, GError **error)
{
  PmtRegionRequest *region = &job->region;
  JsonObjectIter iter;
  const char *name;
  JsonNode *value;
  int canvas[2];

  if (!JSON_NODE_HOLDS_OBJECT (node))
    return wrong (error, "region", "an object");
  json_object_iter_init_ordered (&iter, json_node_get_object (node));
  while (json_object_iter_next_ordered (&iter, &name, &value)) {
    g_autofree char *field = g_strdup_printf ("region.%s", name);
    gboolean good;
    double shown;

    if (strcmp (name, "canvas") == 0) {
      good = read_ints (value, field, canvas, 2, error);
      if (good && (canvas[0] < 1 || canvas[1] < 1))
        return wrong (error, field, "two sides of at least 1 pixel");
      if (good) {
        region->canvas_width = canvas[0];
        region->canvas_height = canvas[1];
      }
    } else if (strcmp (name, "selection") == 0) {
      good = read_box (value, field, &region->selection, error);
      job->has_selection = TRUE;
    } else if (strcmp (name, "mode") == 0)
      good = read_mode (value, &region->mode, error);
    else if (strcmp (name, "grow") == 0)
      good = read_pixels (value, field, &region->grow, error);
    else if (strcmp (name, "feather") == 0)
      good = read_pixels (value, field, &region->feather, error);
    else if (strcmp (name, "context") == 0)
      good = read_box (value, field, &region->context, error);
    else if (strcmp (name, "blend") == 0) /* written for the reader's information; it follows from the others */
      good = read_pixels (value, field, &shown, error);
    else {
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                   "The job has an unknown field \"region.%s\"; a region has canvas, selection, mode, grow, feather and context.", name);
      good = FALSE;
    }
    if (!good)
      return FALSE;
  }
  if (region->context.width > 0 && region->canvas_width == 0)
    return wrong (error, "region.canvas", "given when region.context is");
  return TRUE;
}

static gboolean
read_method (PmtMethodUse *use, JsonNode *node, GError **error)
{
  JsonObject *object = JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
  JsonNode *id = object ? json_object_get_member (object, "id") : NULL;
  g_autofree char *where = NULL;
  JsonObjectIter iter;
  const char *name;
  JsonNode *value;

  if (!id || !holds_string (id))
    return wrong (error, "methods", "a list of objects that have an \"id\"");
  use->method = pmt_method_find (json_node_get_string (id), error);
  if (!use->method)
    return FALSE;
  if (use->method->internal) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "The method \"%s\" follows from the job's other fields; leave it out of \"methods\".",
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
    return wrong (error, "methods", "a list of at most 32 objects");
  job->methods = g_new0 (PmtMethodUse, n + 1);
  for (guint i = 0; i < n; i++) {
    job->n_methods++;
    if (!read_method (&job->methods[i], json_array_get_element (array, i), error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
read_text (JsonNode *node, const char *field, char **text, GError **error)
{
  if (!holds_string (node))
    return wrong (error, field, "a string");
  g_free (*text);
  *text = g_strdup (json_node_get_string (node));
  return TRUE;
}

static gboolean
read_precision (JsonNode *node, GError **error)
{
  if (!holds_string (node))
    return wrong (error, "precision", "a string");
  if (strcmp (json_node_get_string (node), "f32") == 0 || strcmp (json_node_get_string (node), "auto") == 0)
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED, "This engine computes in precision f32 and has no \"%s\"; use f32 or auto.",
               json_node_get_string (node));
  return FALSE;
}

static gboolean
read_size (PmtJob *job, JsonNode *node, GError **error)
{
  int size[2];

  if (!read_ints (node, "size", size, 2, error))
    return FALSE;
  if ((size[0] == 0) != (size[1] == 0))
    return wrong (error, "size", "two sides in pixels");
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
    return read_text (node, name, &job->model, error);
  if (strcmp (name, "model-hash") == 0)
    return read_text (node, name, &job->model_hash, error);
  if (strcmp (name, "size") == 0)
    return read_size (job, node, error);
  if (strcmp (name, "region") == 0 && job->task == PMT_TASK_FILL)
    return read_region (job, node, error);
  if (strcmp (name, "methods") == 0)
    return read_methods (job, node, error);
  if (strcmp (name, "precision") == 0)
    return read_precision (node, error);
  if (strcmp (name, "threads") == 0) {
    if (!holds_int (node) || json_node_get_int (node) < 0 || json_node_get_int (node) > MOST_THREADS)
      return wrong (error, name, "a whole number from 0 (all cores) to 1024");
    job->threads = (int) json_node_get_int (node);
    return TRUE;
  }
  if (strcmp (name, "engine") == 0 || strcmp (name, "cpu") == 0 || strcmp (name, "image") == 0 || strcmp (name, "mask") == 0)
    return read_text (node, name, &unused, error);
  *known = FALSE;
  return TRUE;
}

static gboolean
read_head (PmtJob *job, JsonObject *recipe, GError **error)
{
  JsonNode *version = json_object_get_member (recipe, "pentimento"), *task = json_object_get_member (recipe, "task");

  if (!version || !holds_int (version)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "The job has no field \"pentimento\"; a recipe begins with \"pentimento\": %d.",
                 PMT_RECIPE_VERSION);
    return FALSE;
  }
  if (json_node_get_int (version) != PMT_RECIPE_VERSION) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                 "The job's recipe is of version %" G_GINT64_FORMAT " and this engine knows version %d; use a newer engine.",
                 json_node_get_int (version), PMT_RECIPE_VERSION);
    return FALSE;
  }
  for (job->task = PMT_TASK_GENERATE; task && holds_string (task) && job->task <= PMT_TASK_FILL; job->task++)
    if (strcmp (json_node_get_string (task), pmt_task_name (job->task)) == 0)
      return TRUE;
  return wrong (error, "task", "generate or fill");
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
  job->strength = pmt_param_number (values, "strength");
  job->steps = (int) pmt_param_number (values, "steps");
  job->guidance = pmt_param_number (values, "guidance");
  job->eta = pmt_param_number (values, "eta");
  job->seed = (gint64) pmt_param_number (values, "seed");
  job->variants = (int) pmt_param_number (values, "variants");
  job->colour_match = job->task == PMT_TASK_FILL && pmt_param_number (values, "colour-match") != 0;
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
  g_free (job->model);
  g_free (job->model_hash);
  g_free (job->prompt);
  g_free (job->negative);
  g_free (job);
}
