/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/learn-job.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

#include "plugin/engine-client.h"
#include "plugin/error.h"
#include "plugin/learn-pictures.h"
#include "plugin/learn-recipe.h"
#include "plugin/recipe.h"

#define ID 1

struct PmtLearnJob {
  PmtEngineClient *client;
  JsonObject *recipe;
  GPtrArray *pictures; /* NULL: it only asks */
  PmtLearnHandlers handlers;
  gpointer user;
  gboolean over, learned;
  double fraction; /* done so far */
  char *path;
  PmtLearned result;
};

static void
finish (PmtLearnJob *job, const PmtLearned *learned, const GError *error)
{
  if (job->over)
    return;
  job->over = TRUE;
  g_clear_pointer (&job->client, pmt_engine_client_free);
  job->handlers.finished (job->user, learned, error);
}

static void
finish_with (PmtLearnJob *job, PmtError code, const char *text)
{
  g_autoptr (GError) error = g_error_new_literal (PMT_ERROR, code, text);

  finish (job, NULL, error);
}

/* ---- sending ---- */

static gboolean
send_picture (PmtLearnJob *job, guint i, GError **error)
{
  JsonObject *base = json_object_get_object_member (job->recipe, "base"), *message;
  int cover_width = 0, cover_height = 0, width, height;
  g_autofree char *name = pmt_learn_recipe_blob (i);
  g_autoptr (GBytes) pixels = NULL;

  if (!pmt_recipe_get_size (base, &cover_width, &cover_height))
    cover_width = cover_height = 0;
  pixels = pmt_learn_picture_read (job->pictures->pdata[i], cover_width, cover_height, &width, &height, error);
  if (!pixels)
    return FALSE;
  message = pmt_engine_message_new ("blob", ID);
  json_object_set_string_member (message, "name", name);
  json_object_set_int_member (message, "width", width);
  json_object_set_int_member (message, "height", height);
  json_object_set_int_member (message, "channels", 4);
  json_object_set_string_member (message, "dtype", "f32");
  pmt_engine_client_send (job->client, message, pixels);
  return TRUE;
}

static void
on_ready (gpointer user, JsonObject *hello)
{
  PmtLearnJob *job = user;
  JsonObject *message = pmt_engine_message_new (job->pictures ? "job" : "estimate", ID);
  g_autoptr (GError) error = NULL;

  json_object_set_object_member (message, "job", json_object_ref (job->recipe));
  for (guint i = 0; job->pictures && i < job->pictures->len; i++)
    if (!send_picture (job, i, &error)) {
      json_object_unref (message);
      finish (job, NULL, error);
      return;
    }
  pmt_engine_client_send (job->client, message, NULL);
}

/* ---- answers ---- */

static char *
stage_text (const char *stage, int step, int of)
{
  if (strcmp (stage, "prior") == 0)
    return g_strdup_printf (_("Painting pictures of the kind, %d of %d"), step, of);
  if (strcmp (stage, "load") == 0)
    return g_strdup (_("Loading the model"));
  if (strcmp (stage, "encode") == 0)
    return g_strdup_printf (_("Looking at the pictures, %d of %d"), step, of);
  if (strcmp (stage, "look") == 0)
    return g_strdup (_("Measuring how far off the model is"));
  return g_strdup_printf (_("Learning, step %d of %d"), step, of);
}

static double
number_of (JsonObject *message, const char *member)
{
  const double value = json_object_get_double_member_with_default (message, member, NAN);

  return isfinite (value) ? value : NAN;
}

static void
on_progress (PmtLearnJob *job, JsonObject *message)
{
  const char *stage = json_object_get_string_member_with_default (message, "stage", "");
  PmtLearnStep step = { .step = (int) json_object_get_int_member_with_default (message, "step", 0),
                        .of = (int) json_object_get_int_member_with_default (message, "of", 0),
                        .loss = number_of (message, "loss") };
  const double fraction = number_of (message, "fraction"), eta = number_of (message, "eta");
  g_autofree char *text = stage_text (stage, step.step, step.of);
  g_autoptr (GString) line = g_string_new (text);

  if (eta > 0 && eta < 1e7) {
    g_autofree char *left = pmt_estimate_left (eta);
    g_string_append_printf (line, " · %s", left);
  }
  step.fraction = job->fraction = isfinite (fraction) ? CLAMP (fraction, 0, 1) : 0;
  step.learning = strcmp (stage, "learn") == 0;
  step.text = line->str;
  job->handlers.progress (job->user, &step);
}

/* In the middle of it too: learning gives way to jobs that paint. */
static void
on_queued (PmtLearnJob *job, JsonObject *message)
{
  const int ahead = (int) json_object_get_int_member_with_default (message, "ahead", 1);
  g_autofree char *text = g_strdup_printf (ngettext ("Waiting for %d other job", "Waiting for %d other jobs", ahead), ahead);
  const PmtLearnStep step = { .fraction = job->fraction, .text = text, .loss = NAN };

  job->handlers.progress (job->user, &step);
}

static void
on_learned (PmtLearnJob *job, JsonObject *message)
{
  g_free (job->path);
  job->path = g_strdup (json_object_get_string_member_with_default (job->recipe, "out", ""));
  job->result = (PmtLearned) { job->path, (int) json_object_get_int_member_with_default (message, "steps", 0), number_of (message, "loss-before"),
                               number_of (message, "loss-after") };
  job->learned = TRUE;
}

static void
on_estimate (PmtLearnJob *job, JsonObject *message)
{
  PmtEstimate estimate;

  pmt_estimate_read (message, &estimate);
  job->over = TRUE;
  g_clear_pointer (&job->client, pmt_engine_client_free);
  job->handlers.estimated (job->user, &estimate);
}

static void
on_error (PmtLearnJob *job, JsonObject *message)
{
  const char *code = json_object_get_string_member_with_default (message, "code", "");
  const char *text = json_object_get_string_member_with_default (message, "message", NULL);

  finish_with (job, strcmp (code, "cancelled") == 0 ? PMT_ERROR_CANCELLED : PMT_ERROR_JOB,
               text && text[0] ? text : _("The engine failed and gave no reason: start the job again."));
}

static void
on_done (PmtLearnJob *job)
{
  if (job->learned)
    finish (job, &job->result, NULL);
  else
    finish_with (job, PMT_ERROR_ENGINE,
                 _("The engine says that it is done and has learned nothing: start again, and install Pentimento again if it repeats."));
}

static void
on_message (gpointer user, JsonObject *message, GBytes *payload)
{
  PmtLearnJob *job = user;
  const char *type = json_object_get_string_member (message, "type");

  if (json_object_get_int_member_with_default (message, "id", -1) != ID)
    return;
  if (strcmp (type, "progress") == 0 && job->pictures)
    on_progress (job, message);
  else if (strcmp (type, "queued") == 0 && job->pictures)
    on_queued (job, message);
  else if (strcmp (type, "learned") == 0)
    on_learned (job, message);
  else if (strcmp (type, "estimate") == 0 && !job->pictures)
    on_estimate (job, message);
  else if (strcmp (type, "error") == 0)
    on_error (job, message);
  else if (strcmp (type, "done") == 0)
    on_done (job);
}

static void
on_failed (gpointer user, const GError *error)
{
  finish (user, NULL, error);
}

/* ---- the job ---- */

static PmtLearnJob *
job_new (JsonObject *recipe, GPtrArray *pictures, const PmtLearnHandlers *handlers, gpointer user)
{
  const PmtEngineHandlers engine_handlers = { on_ready, on_message, on_failed };
  PmtLearnJob *job = g_new0 (PmtLearnJob, 1);

  job->recipe = recipe;
  job->pictures = pictures ? g_ptr_array_ref (pictures) : NULL;
  job->handlers = *handlers;
  job->user = user;
  job->client = pmt_engine_client_new (&engine_handlers, job);
  return job;
}

PmtLearnJob *
pmt_learn_job_start (JsonObject *recipe, GPtrArray *pictures, const PmtLearnHandlers *handlers, gpointer user)
{
  return job_new (recipe, pictures, handlers, user);
}

PmtLearnJob *
pmt_learn_job_ask (JsonObject *recipe, const PmtLearnHandlers *handlers, gpointer user)
{
  return job_new (recipe, NULL, handlers, user);
}

void
pmt_learn_job_free (PmtLearnJob *job)
{
  if (!job)
    return;
  job->over = TRUE;
  g_clear_pointer (&job->client, pmt_engine_client_free);
  g_clear_pointer (&job->pictures, g_ptr_array_unref);
  json_object_unref (job->recipe);
  g_free (job->path);
  g_free (job);
}
