/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/job.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

#include "plugin/capture.h"
#include "plugin/engine-client.h"
#include "plugin/error.h"
#include "plugin/recipe.h"

/* How often the region is asked for again because the picture changed in between. */
#define ESTIMATES 5

struct PmtJob {
  GimpImage *image;
  GimpLayer *layer;  /* above which results go; NULL: on top */
  gboolean visible;  /* capture what is seen, not the layer */
  GimpProcedureConfig *config;
  PmtJobHandlers handlers;
  gpointer user;
  gboolean over;

  PmtEngineClient *client;
  gint64 id; /* of the question that is open */
  JsonObject *recipe;
  int variants;
  PmtRect canvas, selection; /* as told to the engine */
  PmtRect context;           /* what was captured */
  GBytes *blend;             /* arrived before its result */
  PmtRect blend_size;        /* its width and height */
  GPtrArray *results, *notes;
};

static void
result_free (gpointer data)
{
  PmtResult *result = data;

  g_clear_pointer (&result->picture, g_bytes_unref);
  g_clear_pointer (&result->blend, g_bytes_unref);
  g_clear_pointer (&result->recipe, json_object_unref);
  g_free (result);
}

static void
finish (PmtJob *job, const GError *error)
{
  if (job->over)
    return;
  job->over = TRUE;
  g_clear_pointer (&job->client, pmt_engine_client_free);
  job->handlers.finished (job->user, error);
}

static void
finish_with (PmtJob *job, PmtError code, const char *text)
{
  g_autoptr (GError) error = g_error_new_literal (PMT_ERROR, code, text);

  finish (job, error);
}

/* The engine broke the protocol. */
static void
finish_confused (PmtJob *job, const char *what)
{
  g_autofree char *text = g_strdup_printf (_("The engine answered with %s: start the job again, and install Pentimento again if it repeats."), what);

  finish_with (job, PMT_ERROR_ENGINE, text);
}

/* ---- asking ---- */

/* The image may have been closed meanwhile. */
static gboolean
image_is_there (PmtJob *job)
{
  if (gimp_image_is_valid (job->image))
    return TRUE;
  finish_with (job, PMT_ERROR_INPUT, _("The image was closed while the job ran: open it and start the job again."));
  return FALSE;
}

static JsonObject *
ask (PmtJob *job, const char *type)
{
  JsonObject *message = pmt_engine_message_new (type, ++job->id);

  json_object_set_object_member (message, "job", json_object_ref (job->recipe));
  return message;
}

static void
ask_estimate (PmtJob *job)
{
  if (!image_is_there (job))
    return;
  if (job->id >= ESTIMATES) {
    finish_with (job, PMT_ERROR_INPUT, _("The selection kept changing while the job began: start it again."));
    return;
  }
  pmt_capture_bounds (job->image, &job->canvas, &job->selection);
  pmt_recipe_set_region (job->recipe, job->config, &job->canvas, &job->selection, NULL);
  pmt_engine_client_send (job->client, ask (job, "estimate"), NULL);
}

static void
send_blob (PmtJob *job, const char *name, int channels, GBytes *pixels)
{
  JsonObject *message = pmt_engine_message_new ("blob", job->id);

  json_object_set_string_member (message, "name", name);
  json_object_set_int_member (message, "width", job->context.width);
  json_object_set_int_member (message, "height", job->context.height);
  json_object_set_int_member (message, "channels", channels);
  json_object_set_string_member (message, "dtype", "f32");
  pmt_engine_client_send (job->client, message, pixels);
}

static void
send_job (PmtJob *job)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) picture = NULL;
  g_autoptr (GBytes) mask = NULL;
  JsonObject *message;

  picture = pmt_capture_picture (job->image, job->visible ? NULL : job->layer, &job->context, &error);
  mask = picture ? pmt_capture_mask (job->image, &job->context, &error) : NULL;
  if (!mask) {
    finish (job, error);
    return;
  }
  pmt_recipe_set_region (job->recipe, job->config, &job->canvas, &job->selection, &job->context);
  pmt_engine_client_set_max_payload (job->client, g_bytes_get_size (picture)); /* no result is larger than its context */
  message = ask (job, "job");
  send_blob (job, "image", 4, picture);
  send_blob (job, "mask", 1, mask);
  pmt_engine_client_send (job->client, message, NULL);
}

/* ---- answers ---- */

static void
on_estimate (PmtJob *job, JsonObject *message)
{
  JsonNode *node = json_object_get_member (message, "region");
  PmtRect canvas, selection;

  if (!node || !JSON_NODE_HOLDS_OBJECT (node) || !pmt_recipe_get_rect (json_node_get_object (node), "context", &job->context) ||
      !pmt_rect_holds (&job->canvas, &job->context)) {
    finish_confused (job, _("a region that is not in the picture"));
    return;
  }
  if (!image_is_there (job))
    return;
  if (!job->visible && !gimp_item_is_valid (GIMP_ITEM (job->layer))) {
    finish_with (job, PMT_ERROR_INPUT, _("The layer was removed before it was read: select another one and start the job again."));
    return;
  }
  pmt_capture_bounds (job->image, &canvas, &selection);
  if (!pmt_rect_equal (&canvas, &job->canvas) || !pmt_rect_equal (&selection, &job->selection))
    ask_estimate (job);
  else
    send_job (job);
}

static char *
stage_text (const char *stage, int step, int of)
{
  if (strcmp (stage, "sample") == 0)
    return g_strdup_printf (_("Painting, step %d of %d"), step, of);
  if (strcmp (stage, "load") == 0)
    return g_strdup (_("Loading the model"));
  if (strcmp (stage, "text") == 0)
    return g_strdup (_("Reading the prompt"));
  if (strcmp (stage, "encode") == 0)
    return g_strdup (_("Looking at the picture"));
  return g_strdup (_("Finishing the picture"));
}

static char *
time_left (double seconds)
{
  int whole = (int) ceil (seconds);

  if (whole < 60)
    return g_strdup_printf (ngettext ("%d second left", "%d seconds left", whole), whole);
  return g_strdup_printf (_("%d min %02d s left"), whole / 60, whole % 60);
}

static void
on_progress (PmtJob *job, JsonObject *message)
{
  const char *stage = json_object_get_string_member_with_default (message, "stage", "");
  int step = (int) json_object_get_int_member_with_default (message, "step", 0);
  int of = (int) json_object_get_int_member_with_default (message, "of", 0);
  gint64 variant = json_object_get_int_member_with_default (message, "variant", 0);
  double fraction = json_object_get_double_member_with_default (message, "fraction", 0);
  double eta = json_object_get_double_member_with_default (message, "eta", -1);
  g_autofree char *text = stage_text (stage ? stage : "", step, of);
  g_autoptr (GString) line = g_string_new (text);

  if (job->variants > 1)
    g_string_append_printf (line, _(", picture %d of %d"), (int) CLAMP (variant + 1, 1, job->variants), job->variants);
  if (eta > 0 && eta < 86400) {
    g_autofree char *left = time_left (eta);
    g_string_append_printf (line, " · %s", left);
  }
  job->handlers.progress (job->user, isfinite (fraction) ? CLAMP (fraction, 0, 1) : 0, line->str);
}

static void
on_queued (PmtJob *job, JsonObject *message)
{
  int ahead = (int) json_object_get_int_member_with_default (message, "ahead", 1);
  g_autofree char *text = g_strdup_printf (ngettext ("Waiting for %d other job", "Waiting for %d other jobs", ahead), ahead);

  job->handlers.progress (job->user, 0, text);
}

static gboolean
all_numbers (GBytes *pixels)
{
  gsize size;
  const float *values = g_bytes_get_data (pixels, &size);

  for (gsize i = 0; i < size / sizeof (float); i++)
    if (!isfinite (values[i]))
      return FALSE;
  return TRUE;
}

/* Width, height and payload fit each other. */
static gboolean
pixels_fit (JsonObject *message, GBytes *payload, int channels, PmtRect *size)
{
  gint64 width = json_object_get_int_member_with_default (message, "width", 0);
  gint64 height = json_object_get_int_member_with_default (message, "height", 0);

  if (width < 1 || height < 1 || width > GIMP_MAX_IMAGE_SIZE || height > GIMP_MAX_IMAGE_SIZE || !payload ||
      json_object_get_int_member_with_default (message, "channels", 0) != channels ||
      g_bytes_get_size (payload) != (gsize) width * (gsize) height * (gsize) channels * sizeof (float))
    return FALSE;
  *size = (PmtRect) { 0, 0, (int) width, (int) height };
  return TRUE;
}

static void
on_blend (PmtJob *job, JsonObject *message, GBytes *payload)
{
  if (!pixels_fit (message, payload, 1, &job->blend_size) || !all_numbers (payload)) {
    finish_confused (job, _("a mask that does not fit its size"));
    return;
  }
  g_clear_pointer (&job->blend, g_bytes_unref);
  job->blend = g_bytes_ref (payload);
}

static void
collect_notes (PmtJob *job, JsonObject *message)
{
  JsonNode *node = json_object_get_member (message, "notes");
  JsonArray *notes = node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;

  for (guint i = 0; notes && i < json_array_get_length (notes); i++) {
    JsonNode *element = json_array_get_element (notes, i);
    const char *note = json_node_get_value_type (element) == G_TYPE_STRING ? json_node_get_string (element) : NULL;
    if (note && !g_ptr_array_find_with_equal_func (job->notes, note, g_str_equal, NULL))
      g_ptr_array_add (job->notes, g_strdup (note));
  }
}

static void
on_result (PmtJob *job, JsonObject *message, GBytes *payload)
{
  JsonNode *recipe = json_object_get_member (message, "recipe");
  PmtRect size, box;
  PmtResult *result;

  if (!pixels_fit (message, payload, 4, &size) || !pmt_recipe_get_rect (message, "box", &box) || box.width != size.width ||
      box.height != size.height || !pmt_rect_holds (&job->context, &box) || !all_numbers (payload)) {
    finish_confused (job, _("a picture that does not fit its place"));
    return;
  }
  if (!job->blend || job->blend_size.width != box.width || job->blend_size.height != box.height || !recipe || !JSON_NODE_HOLDS_OBJECT (recipe)) {
    finish_confused (job, _("a picture without its mask or recipe"));
    return;
  }
  if (job->results->len >= (guint) job->variants) {
    finish_confused (job, _("more pictures than were asked for"));
    return;
  }
  result = g_new0 (PmtResult, 1);
  result->box = box;
  result->picture = g_bytes_ref (payload);
  result->blend = g_steal_pointer (&job->blend);
  result->seed = json_object_get_int_member_with_default (message, "seed", 0);
  result->recipe = json_node_dup_object (recipe);
  g_ptr_array_add (job->results, result);
  collect_notes (job, message);
}

static void
on_error (PmtJob *job, JsonObject *message)
{
  const char *code = json_object_get_string_member_with_default (message, "code", "");
  const char *text = json_object_get_string_member_with_default (message, "message", NULL);

  finish_with (job, g_strcmp0 (code, "cancelled") == 0 ? PMT_ERROR_CANCELLED : PMT_ERROR_JOB,
               text && text[0] ? text : _("The engine failed and gave no reason: start the job again."));
}

static void
on_done (PmtJob *job)
{
  if (job->results->len != (guint) job->variants)
    finish_confused (job, _("fewer pictures than were asked for"));
  else
    finish (job, NULL);
}

static void
on_message (gpointer user, JsonObject *message, GBytes *payload)
{
  PmtJob *job = user;
  const char *type = json_object_get_string_member (message, "type");

  if (json_object_get_int_member_with_default (message, "id", -1) != job->id)
    return; /* an answer to an earlier question */
  if (strcmp (type, "estimate") == 0)
    on_estimate (job, message);
  else if (strcmp (type, "progress") == 0)
    on_progress (job, message);
  else if (strcmp (type, "queued") == 0)
    on_queued (job, message);
  else if (strcmp (type, "blob") == 0)
    on_blend (job, message, payload);
  else if (strcmp (type, "result") == 0)
    on_result (job, message, payload);
  else if (strcmp (type, "error") == 0)
    on_error (job, message);
  else if (strcmp (type, "done") == 0)
    on_done (job);
}

static void
on_ready (gpointer user, JsonObject *hello)
{
  ask_estimate (user);
}

static void
on_failed (gpointer user, const GError *error)
{
  finish (user, error);
}

/* ---- the job ---- */

PmtJob *
pmt_job_start (GimpImage *image, GimpDrawable **drawables, GimpProcedureConfig *config, const PmtJobHandlers *handlers, gpointer user,
               GError **error)
{
  const PmtEngineHandlers engine_handlers = { on_ready, on_message, on_failed };
  g_autofree char *source = NULL;
  JsonObject *recipe;
  gboolean visible;
  PmtJob *job;

  g_object_get (config, "source", &source, NULL);
  visible = g_strcmp0 (source, "layer") != 0;
  if (!pmt_capture_check (image, drawables, !visible, error))
    return NULL;
  recipe = pmt_recipe_from_config (config, error);
  if (!recipe)
    return NULL;

  job = g_new0 (PmtJob, 1);
  job->image = g_object_ref (image);
  job->layer = pmt_capture_active_layer (image, drawables);
  if (job->layer)
    g_object_ref (job->layer);
  job->visible = visible;
  job->config = g_object_ref (config);
  job->handlers = *handlers;
  job->user = user;
  job->recipe = recipe;
  job->variants = (int) json_object_get_int_member (recipe, "variants");
  job->results = g_ptr_array_new_with_free_func (result_free);
  job->notes = g_ptr_array_new_with_free_func (g_free);
  job->client = pmt_engine_client_new (&engine_handlers, job);
  return job;
}

void
pmt_job_free (PmtJob *job)
{
  if (!job)
    return;
  job->over = TRUE;
  g_clear_pointer (&job->client, pmt_engine_client_free);
  g_clear_pointer (&job->blend, g_bytes_unref);
  g_ptr_array_unref (job->results);
  g_ptr_array_unref (job->notes);
  json_object_unref (job->recipe);
  g_object_unref (job->config);
  g_clear_object (&job->layer);
  g_object_unref (job->image);
  g_free (job);
}

GPtrArray *
pmt_job_results (PmtJob *job)
{
  return job->results;
}

GPtrArray *
pmt_job_notes (PmtJob *job)
{
  return job->notes;
}

GimpLayer *
pmt_job_layer (PmtJob *job)
{
  return job->layer;
}
