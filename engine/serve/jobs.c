/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/serve/jobs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/job/learn-job.h"

/* A client is told of progress at most this often within a step. */
#define PROGRESS_INTERVAL_US 100000

struct PmtJobs {
  PmtWorker *worker;
  GPtrArray *pending; /* Task; the worker's queue in order, the running one first */
  gboolean closing;   /* the worker is going, or gone */
  void (*changed) (void *user);
  void *user;
};

typedef struct Task {
  PmtJobs *jobs;
  PmtConnection *connection;
  gint64 id;
  PmtJob *job;        /* or */
  PmtLearnJob *learn; /* something to be learned */
  GPtrArray *blobs; /* PmtBlob */
  PmtCancel cancel;
  atomic_bool keep;
  atomic_bool pause; /* what is learned gives way to a job that is not */
  PmtPreview preview;
  gint64 last_progress;
  int last_step, last_stage;
} Task;

static void
task_free (Task *task)
{
  pmt_job_free (task->job);
  pmt_learn_job_free (task->learn);
  g_ptr_array_unref (task->blobs);
  pmt_connection_unref (task->connection);
  g_free (task);
}

/* Without memory for it, the message goes without a picture. */
static void
add_preview (PmtMessage *message, const PmtProgress *progress)
{
  size_t size = 3 * (size_t) progress->preview_width * (size_t) progress->preview_height;
  void *copy = malloc (size);
  JsonObject *preview;

  if (!copy)
    return;
  memcpy (copy, progress->preview, size);
  preview = json_object_new ();
  json_object_set_int_member (preview, "width", progress->preview_width);
  json_object_set_int_member (preview, "height", progress->preview_height);
  json_object_set_object_member (message->header, "preview", preview);
  pmt_message_take_payload (message, copy, size);
}

/* A progress message, unless one of that step was sent just now: then NULL. */
static PmtMessage *
progress_message (Task *task, int stage, const char *name, int step, int of, double fraction, double eta)
{
  gint64 now = g_get_monotonic_time ();
  PmtMessage *message;

  if (stage == task->last_stage && step == task->last_step && now - task->last_progress < PROGRESS_INTERVAL_US)
    return NULL;
  task->last_stage = stage;
  task->last_step = step;
  task->last_progress = now;

  message = pmt_message_new ("progress", task->id);
  json_object_set_string_member (message->header, "stage", name);
  json_object_set_int_member (message->header, "step", step);
  json_object_set_int_member (message->header, "of", of);
  json_object_set_double_member (message->header, "fraction", fraction);
  if (eta >= 0)
    json_object_set_double_member (message->header, "eta", eta);
  else
    json_object_set_null_member (message->header, "eta");
  return message;
}

static void
on_progress (void *user, const PmtProgress *progress, int variant, int variants)
{
  Task *task = user;
  PmtMessage *message = progress_message (task, progress->stage, pmt_stage_name (progress->stage), progress->step, progress->of, progress->fraction,
                                          progress->eta);

  if (!message)
    return;
  json_object_set_int_member (message->header, "variant", variant);
  json_object_set_int_member (message->header, "variants", variants);
  if (progress->preview)
    add_preview (message, progress);
  pmt_connection_send (task->connection, message);
}

static gboolean
send_picture (Task *task, PmtMessage *message, const PmtPicture *picture, GError **error)
{
  if (!pmt_message_set_picture (message, picture, error)) {
    pmt_message_free (message);
    return FALSE;
  }
  pmt_connection_send (task->connection, message);
  return TRUE;
}

/* The recipe goes to the main loop's thread, and JsonObject's counts are not made for two threads. */
static JsonNode *
copy_recipe (JsonObject *recipe)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  g_autofree char *text = NULL;

  json_node_set_object (node, recipe);
  text = json_to_string (node, FALSE);
  return json_from_string (text, NULL);
}

static gboolean
on_result (void *user, const PmtJobResult *result, GError **error)
{
  Task *task = user;
  JsonArray *box = json_array_new ();
  JsonArray *notes = json_array_new ();
  PmtMessage *message;

  if (result->blend.data) {
    message = pmt_message_new ("blob", task->id);
    json_object_set_string_member (message->header, "name", "blend");
    if (!send_picture (task, message, &result->blend, error)) {
      json_array_unref (box);
      json_array_unref (notes);
      return FALSE;
    }
  }

  for (int i = 0; i < result->n_maps; i++) {
    const PmtMap *map = &result->maps[i];
    const PmtPicture values = { map->width, map->height, 1, map->values };
    message = pmt_message_new ("map", task->id);
    json_object_set_string_member (message->header, "name", map->name);
    if (!send_picture (task, message, &values, error)) {
      json_array_unref (box);
      json_array_unref (notes);
      return FALSE;
    }
  }

  json_array_add_int_element (box, result->box.x);
  json_array_add_int_element (box, result->box.y);
  json_array_add_int_element (box, result->box.width);
  json_array_add_int_element (box, result->box.height);
  for (guint i = 0; result->notes && i < result->notes->len; i++) {
    g_autofree char *shown = pmt_error_shown (g_ptr_array_index (result->notes, i));
    json_array_add_string_element (notes, shown);
  }

  message = pmt_message_new ("result", task->id);
  json_object_set_int_member (message->header, "variant", result->variant);
  json_object_set_int_member (message->header, "variants", result->variants);
  json_object_set_int_member (message->header, "seed", (gint64) result->seed);
  json_object_set_array_member (message->header, "box", box);
  json_object_set_array_member (message->header, "notes", notes);
  json_object_set_member (message->header, "recipe", copy_recipe (result->recipe));
  return send_picture (task, message, &result->picture, error);
}

/* Back on the main loop: the task leaves the list. */
static gboolean
on_ended (gpointer user)
{
  Task *task = user;
  PmtJobs *jobs = task->jobs;

  g_ptr_array_remove (jobs->pending, task);
  task_free (task);
  jobs->changed (jobs->user);
  return G_SOURCE_REMOVE;
}

/* `pictures` has room for one per blob. */
static PmtJobInputs
inputs_of (const Task *task, PmtNamedPicture *pictures)
{
  PmtJobInputs inputs = { .pictures = pictures };

  for (guint i = 0; i < task->blobs->len; i++) {
    const PmtBlob *blob = g_ptr_array_index (task->blobs, i);
    if (g_str_equal (blob->name, "image"))
      inputs.image = &blob->picture;
    else if (g_str_equal (blob->name, "mask"))
      inputs.mask = &blob->picture;
    else
      pictures[inputs.n_pictures++] = (PmtNamedPicture) { blob->name, &blob->picture };
  }
  return inputs;
}

static void
on_learning (void *user, const PmtLearnProgress *progress)
{
  Task *task = user;
  PmtMessage *message = progress_message (task, progress->stage, pmt_learn_stage_name (progress->stage), progress->step, progress->of, progress->fraction,
                                          progress->eta);

  if (!message)
    return;
  if (isfinite (progress->loss))
    json_object_set_double_member (message->header, "loss", progress->loss);
  pmt_connection_send (task->connection, message);
}

/* A copy: a task that paused asks for its pictures again. */
static gboolean
give_picture (void *user, const char *name, PmtPicture *picture, GError **error)
{
  const Task *task = user;

  for (guint i = 0; i < task->blobs->len; i++) {
    const PmtBlob *blob = g_ptr_array_index (task->blobs, i);
    const PmtPicture *from = &blob->picture;
    if (!g_str_equal (blob->name, name) || from->channels != 4)
      continue;
    return pmt_picture_crop (from, &(PmtBox) { 0, 0, from->width, from->height }, picture, error);
  }
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The picture \"%s\" that is to be learned from did not come; send it first."), name);
  return FALSE;
}

static gboolean
run_learn (Task *task, PmtModelCache *cache, PmtJobStats *stats, bool *paused, GError **error)
{
  const PmtLearnHooks hooks = { &task->cancel, &task->pause, give_picture, on_learning, task };
  PmtLearnResult result;
  PmtMessage *message;

  if (!pmt_learn_job_run (task->learn, cache, &hooks, &result, error))
    return FALSE;
  *paused = result.paused;
  if (result.paused)
    return TRUE;
  message = pmt_message_new ("learned", task->id);
  json_object_set_string_member (message->header, "out", pmt_learn_job_out (task->learn));
  json_object_set_int_member (message->header, "steps", result.steps);
  json_object_set_int_member (message->header, "values", result.parameters);
  json_object_set_double_member (message->header, "loss-before", result.loss_before);
  json_object_set_double_member (message->header, "loss-after", result.loss_after);
  pmt_connection_send (task->connection, message);
  stats->seconds = result.seconds;
  stats->peak_bytes = result.peak_bytes;
  return TRUE;
}

static void run_task (void *user, PmtModelCache *cache);

/* Back on the main loop: what paused goes behind those that it gave way to. */
static gboolean
on_paused (gpointer user)
{
  Task *task = user;
  PmtJobs *jobs = task->jobs;
  PmtMessage *message;

  if (jobs->closing)
    return on_ended (task);
  atomic_store (&task->pause, false);
  g_ptr_array_remove (jobs->pending, task);
  g_ptr_array_add (jobs->pending, task);
  message = pmt_message_new ("queued", task->id);
  json_object_set_int_member (message->header, "ahead", jobs->pending->len - 1);
  pmt_connection_send (task->connection, message);
  pmt_worker_push (jobs->worker, run_task, task);
  return G_SOURCE_REMOVE;
}

static void
run_task (void *user, PmtModelCache *cache)
{
  Task *task = user;
  bool paused = false;
  g_autofree PmtNamedPicture *pictures = g_new0 (PmtNamedPicture, task->blobs->len + 1);
  const PmtJobInputs inputs = inputs_of (task, pictures);
  PmtJobHooks hooks = { .cancel = &task->cancel, .keep = &task->keep, .preview = task->preview, .progress = on_progress, .result = on_result, .user = task };
  PmtJobStats stats = { 0 };
  g_autoptr (GError) error = NULL;

  if (task->learn && atomic_load (&task->pause) && !pmt_cancelled (&task->cancel)) {
    g_idle_add_full (G_PRIORITY_DEFAULT, on_paused, task, NULL);
    return;
  }
  if (pmt_cancelled (&task->cancel)) {
    error = g_error_new_literal (PMT_ERROR, PMT_ERROR_CANCELLED, "The job was cancelled before it began.");
  } else if (task->learn ? run_learn (task, cache, &stats, &paused, &error) : pmt_job_run (task->job, cache, &inputs, &hooks, &stats, &error)) {
    if (paused) {
      g_idle_add_full (G_PRIORITY_DEFAULT, on_paused, task, NULL);
      return;
    }
    PmtMessage *message = pmt_message_new ("done", task->id);
    json_object_set_double_member (message->header, "seconds", stats.seconds);
    json_object_set_int_member (message->header, "peak-bytes", (gint64) stats.peak_bytes);
    pmt_connection_send (task->connection, message);
  }
  if (error)
    pmt_connection_send_error (task->connection, task->id, error);
  g_idle_add_full (G_PRIORITY_DEFAULT, on_ended, task, NULL);
}

PmtJobs *
pmt_jobs_new (void (*changed) (void *user), void *user)
{
  PmtJobs *jobs = g_new0 (PmtJobs, 1);

  jobs->worker = pmt_worker_new ("jobs");
  jobs->pending = g_ptr_array_new ();
  jobs->changed = changed;
  jobs->user = user;
  return jobs;
}

void
pmt_jobs_free (PmtJobs *jobs)
{
  if (!jobs)
    return;
  jobs->closing = TRUE; /* the loop below may bring messages */
  for (guint i = 0; i < jobs->pending->len; i++)
    pmt_cancel_request (&((Task *) g_ptr_array_index (jobs->pending, i))->cancel);
  g_clear_pointer (&jobs->worker, pmt_worker_free);
  /* The ends that the worker posted have not run yet, and will find their tasks here. */
  while (jobs->pending->len > 0)
    g_main_context_iteration (NULL, TRUE);
  g_ptr_array_unref (jobs->pending);
  g_free (jobs);
}

static Task *
find (PmtJobs *jobs, PmtConnection *connection, gint64 id)
{
  for (guint i = 0; i < jobs->pending->len; i++) {
    Task *task = g_ptr_array_index (jobs->pending, i);
    if (task->connection == connection && task->id == id)
      return task;
  }
  return NULL;
}

/* A misspelt name is told here, not by a job that lacks its picture or does without. */
static gboolean
check_blobs (const Task *task, GPtrArray *blobs, GError **error)
{
  g_autoptr (GPtrArray) names = task->learn ? pmt_learn_job_pictures (task->learn) : pmt_job_picture_names (task->job);
  gboolean good = TRUE;

  for (guint i = 0; good && i < blobs->len; i++) {
    const char *name = ((const PmtBlob *) g_ptr_array_index (blobs, i))->name;
    good = (task->job && (g_str_equal (name, "image") || g_str_equal (name, "mask"))) || g_ptr_array_find_with_equal_func (names, name, g_str_equal, NULL);
    if (!good && task->learn)
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "What is to be learned does not speak of the input \"%s\" that came for it; name it among its pictures, or leave it out.", name);
    else if (!good)
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                   "The job does not speak of the input \"%s\" that came for it; name it in a control or reference, or leave it out.", name);
  }
  return good;
}

gboolean
pmt_jobs_read_preview (const PmtMessage *message, PmtPreview *preview, GError **error)
{
  static const char *const names[] = { [PMT_PREVIEW_LINEAR] = "linear", [PMT_PREVIEW_NONE] = "none", [PMT_PREVIEW_DECODED] = "decoded" };
  const char *name;

  *preview = PMT_PREVIEW_LINEAR;
  if (!pmt_message_string (message->header, "preview", "linear", &name, error))
    return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    if (g_str_equal (name, names[i])) {
      *preview = (PmtPreview) i;
      return TRUE;
    }
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The job's \"preview\" is \"%s\" and can be linear, none or decoded; choose one of them."), name);
  return FALSE;
}

/* What the message wants done. FALSE + error. */
static gboolean
read_task (PmtJobs *jobs, Task *task, const PmtMessage *message, GError **error)
{
  JsonObject *recipe = pmt_message_object (message->header, "job", error);

  if (!recipe)
    return FALSE;
  if (pmt_learn_job_is (recipe))
    task->learn = pmt_learn_job_parse (recipe, error);
  else
    task->job = pmt_job_parse (recipe, error);
  if (!task->learn && !task->job)
    return FALSE;
  if (jobs->closing) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_CANCELLED, "The engine is ending, so the job was cancelled; start it again.");
    return FALSE;
  }
  if (find (jobs, task->connection, task->id)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "A job with the id %" G_GINT64_FORMAT " is already running for this client.", task->id);
    return FALSE;
  }
  return pmt_jobs_read_preview (message, &task->preview, error) && check_blobs (task, task->blobs, error);
}

void
pmt_jobs_submit (PmtJobs *jobs, PmtConnection *connection, const PmtMessage *message, GPtrArray *blobs)
{
  g_autoptr (GError) error = NULL;
  Task *task = g_new0 (Task, 1);

  task->jobs = jobs;
  task->connection = pmt_connection_ref (connection);
  task->id = message->id;
  task->last_step = -1;
  task->blobs = blobs;
  if (!read_task (jobs, task, message, &error)) {
    pmt_connection_send_error (connection, message->id, error);
    task_free (task);
    return;
  }
  for (guint i = 0; task->job && i < jobs->pending->len; i++) {
    Task *other = g_ptr_array_index (jobs->pending, i);
    if (other->learn)
      atomic_store (&other->pause, true);
  }
  if (jobs->pending->len > 0) {
    PmtMessage *queued = pmt_message_new ("queued", message->id);
    json_object_set_int_member (queued->header, "ahead", jobs->pending->len);
    pmt_connection_send (connection, queued);
  }
  g_ptr_array_add (jobs->pending, task);
  pmt_worker_push (jobs->worker, run_task, task);
}

gboolean
pmt_jobs_cancel (PmtJobs *jobs, PmtConnection *connection, gint64 id)
{
  Task *task = find (jobs, connection, id);

  if (task)
    pmt_cancel_request (&task->cancel);
  return task != NULL;
}

gboolean
pmt_jobs_keep (PmtJobs *jobs, PmtConnection *connection, gint64 id)
{
  Task *task = find (jobs, connection, id);

  if (task)
    atomic_store (&task->keep, true);
  return task != NULL;
}

void
pmt_jobs_drop (PmtJobs *jobs, PmtConnection *connection)
{
  for (guint i = 0; i < jobs->pending->len; i++) {
    Task *task = g_ptr_array_index (jobs->pending, i);
    if (task->connection == connection)
      pmt_cancel_request (&task->cancel);
  }
}

int
pmt_jobs_pending (const PmtJobs *jobs)
{
  return (int) jobs->pending->len;
}
