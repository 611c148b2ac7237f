/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/job/learn-job.h"

#include <string.h>

#include "engine/base/memory.h"
#include "engine/base/threads.h"
#include "engine/job/parse.h"
#include "engine/job/private.h"
#include "pentimento/protocol.h"

enum { MOST_PICTURES = 200, MOST_SENTENCES = 200 };

typedef struct Picture {
  char *image, *caption; /* caption NULL = none */
} Picture;

struct PmtLearnJob {
  const PmtLearnKind *kind;
  PmtJob *base;
  GArray *pictures; /* Picture */
  char **sentences; /* NULL = the kind's own */
  char *out;
  PmtParamValues values;
};

/* ---- reading ------------------------------------------------------------------------------------------------------------- */

static void
picture_clear (void *data)
{
  Picture *picture = data;
  g_free (picture->image);
  g_free (picture->caption);
}

void
pmt_learn_job_free (PmtLearnJob *job)
{
  if (!job)
    return;
  pmt_job_free (job->base);
  g_array_unref (job->pictures);
  g_strfreev (job->sentences);
  g_free (job->out);
  pmt_param_values_clear (&job->values);
  g_free (job);
}

static gboolean
read_picture (PmtLearnJob *job, JsonNode *node, GError **error)
{
  JsonObject *object = JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
  JsonNode *image = object ? json_object_get_member (object, "image") : NULL, *caption = object ? json_object_get_member (object, "caption") : NULL;
  Picture picture = { 0 };
  if (!image || !pmt_parse_holds_string (image) || (caption && !pmt_parse_holds_string (caption)))
    return pmt_parse_wrong (error, "pictures", "a list of objects with an \"image\" and at most a \"caption\", both strings");
  picture.image = g_strdup (json_node_get_string (image));
  picture.caption = caption ? g_strdup (json_node_get_string (caption)) : NULL;
  g_array_append_val (job->pictures, picture);
  return TRUE;
}

static gboolean
read_pictures (PmtLearnJob *job, JsonNode *node, GError **error)
{
  JsonArray *array = JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
  const guint n = array ? json_array_get_length (array) : 0;
  if (n < 1 || n > MOST_PICTURES)
    return pmt_parse_wrong (error, "pictures", "a list of 1 to 200 pictures");
  for (guint i = 0; i < n; i++)
    if (!read_picture (job, json_array_get_element (array, i), error))
      return FALSE;
  return TRUE;
}

static gboolean
read_sentences (PmtLearnJob *job, JsonNode *node, GError **error)
{
  JsonArray *array = JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
  const guint n = array ? json_array_get_length (array) : 0;
  if (n < 1 || n > MOST_SENTENCES)
    return pmt_parse_wrong (error, "sentences", "a list of 1 to 200 strings");
  g_strfreev (job->sentences);
  job->sentences = g_new0 (char *, n + 1);
  for (guint i = 0; i < n; i++) {
    JsonNode *element = json_array_get_element (array, i);
    if (!pmt_parse_holds_string (element))
      return pmt_parse_wrong (error, "sentences", "a list of 1 to 200 strings");
    job->sentences[i] = g_strdup (json_node_get_string (element));
  }
  return TRUE;
}

/* The recipe inside: a plain one, for what it brings has no part in learning. */
static gboolean
read_base (PmtLearnJob *job, JsonNode *node, GError **error)
{
  if (!JSON_NODE_HOLDS_OBJECT (node))
    return pmt_parse_wrong (error, "base", "a recipe");
  pmt_job_free (job->base);
  job->base = pmt_job_parse (json_node_get_object (node), error);
  const PmtJob *base = job->base;
  const PmtJobExtras *extras = base ? &base->extras : NULL;
  if (base && (base->task != PMT_TASK_GENERATE || base->n_methods || base->refiner[0] || extras->n_controls || extras->n_references || extras->n_boxes ||
               extras->n_regions || extras->n_loras || extras->n_words))
    return pmt_parse_wrong (error, "base", "a recipe of the task \"generate\" that brings nothing beside its model and prompt");
  return base != NULL;
}

static bool
names_learn (JsonNode *task)
{
  return task && pmt_parse_holds_string (task) && strcmp (json_node_get_string (task), "learn") == 0;
}

bool
pmt_learn_job_is (JsonObject *object)
{
  return names_learn (json_object_get_member (object, "task"));
}

static gboolean
read_field (PmtLearnJob *job, const char *name, JsonNode *node, GError **error)
{
  if (strcmp (name, "pentimento") == 0)
    return (pmt_parse_holds_int (node) && json_node_get_int (node) == PMT_RECIPE_VERSION) || pmt_parse_wrong (error, name, G_STRINGIFY (PMT_RECIPE_VERSION));
  if (strcmp (name, "task") == 0)
    return names_learn (node) || pmt_parse_wrong (error, name, "\"learn\"");
  if (strcmp (name, "kind") == 0)
    return (pmt_parse_holds_string (node) || pmt_parse_wrong (error, name, "a string")) &&
           (job->kind = pmt_learn_kind_find (json_node_get_string (node), error)) != NULL;
  if (strcmp (name, "base") == 0)
    return read_base (job, node, error);
  if (strcmp (name, "pictures") == 0)
    return read_pictures (job, node, error);
  if (strcmp (name, "sentences") == 0)
    return read_sentences (job, node, error);
  if (strcmp (name, "out") == 0)
    return pmt_parse_text (node, name, &job->out, error);
  return pmt_param_values_set_json (&job->values, name, node, "what is to be learned", error);
}

PmtLearnJob *
pmt_learn_job_parse (JsonObject *object, GError **error)
{
  PmtLearnJob *job = g_new0 (PmtLearnJob, 1);
  JsonObjectIter iter;
  const char *name;
  JsonNode *node;
  gboolean good = TRUE;
  job->pictures = g_array_new (FALSE, TRUE, sizeof (Picture));
  g_array_set_clear_func (job->pictures, picture_clear);
  job->out = g_strdup ("");
  pmt_param_values_init (&job->values, pmt_learn_params);
  json_object_iter_init_ordered (&iter, object);
  while (good && json_object_iter_next_ordered (&iter, &name, &node))
    good = read_field (job, name, node, error);
  for (const char *const *needed = (const char *const[]) { "pentimento", "task", "kind", "base", "pictures", "out", NULL }; good && *needed; needed++)
    if (!json_object_has_member (object, *needed)) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("What is to be learned lacks the field \"%s\"; add it."), *needed);
      good = FALSE;
    }
  if (good && *job->out && !g_path_is_absolute (job->out))
    good = pmt_parse_wrong (error, "out", "the absolute path of the file to write");
  if (!good)
    g_clear_pointer (&job, pmt_learn_job_free);
  return job;
}

static const Picture *
picture_at (const PmtLearnJob *job, guint i)
{
  return &g_array_index (job->pictures, Picture, i);
}

GPtrArray *
pmt_learn_job_pictures (const PmtLearnJob *job)
{
  GPtrArray *names = g_ptr_array_new ();
  for (guint i = 0; i < job->pictures->len; i++)
    if (!g_ptr_array_find_with_equal_func (names, picture_at (job, i)->image, g_str_equal, NULL))
      g_ptr_array_add (names, picture_at (job, i)->image);
  return names;
}

const char *
pmt_learn_job_out (const PmtLearnJob *job)
{
  return job->out;
}

JsonNode *
pmt_learn_to_json (void)
{
  JsonNode *node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();
  JsonArray *kinds = json_array_new ();
  for (int i = 0; pmt_learn_kinds[i]; i++) {
    const PmtLearnKind *kind = pmt_learn_kinds[i];
    JsonObject *one = json_object_new ();
    json_object_set_string_member (one, "id", kind->id);
    json_object_set_string_member (one, "label", kind->label);
    json_object_set_string_member (one, "summary", kind->summary);
    json_object_set_int_member (one, "steps", kind->steps);
    json_object_set_double_member (one, "rate", kind->rate);
    json_object_set_double_member (one, "text-rate", kind->text_rate);
    json_array_add_object_element (kinds, one);
  }
  json_object_set_array_member (object, "kinds", kinds);
  json_object_set_member (object, "params", pmt_param_table_to_json (pmt_learn_params));
  json_node_take_object (node, object);
  return node;
}

/* ---- running ------------------------------------------------------------------------------------------------------------- */

/* A job with its model. Clear it, on failure too. */
typedef struct Ready {
  const PmtLearnJob *job;
  const PmtLearnHooks *hooks;
  PmtLearnRequest request;
  const char **captions;
  PmtModel *model;
  PmtJobPlan plan; /* of the class's pictures */
  PmtRequest prior;
  char *prompt;
} Ready;

static void
ready_clear (const PmtLearnJob *job, Ready *ready)
{
  g_free (ready->captions);
  g_free (ready->prompt);
  pmt_job_plan_clear (job->base, &ready->plan);
  pmt_model_unref (ready->model);
}

static gboolean
give_picture (void *user, int i, PmtPicture *picture, GError **error)
{
  const Ready *ready = user;
  return ready->hooks->picture (ready->hooks->user, picture_at (ready->job, (guint) i)->image, picture, error);
}

/* What the class's pictures are made with. */
static gboolean
plan_prior (const PmtLearnJob *job, Ready *ready, GError **error)
{
  const PmtJob *base = job->base;
  const char *thing = ready->request.thing;
  if (!pmt_job_plan_sizes (base, ready->model, NULL, &ready->plan, error))
    return FALSE;
  pmt_job_request (base, ready->model, &ready->plan, &ready->prior);
  if (!base->prompt[0])
    ready->prior.prompt = ready->prompt = g_strconcat ("a picture of ", thing, NULL);
  /* as captions are read when it is learned from */
  ready->prior.prompt_syntax = PMT_SYNTAX_PLAIN;
  ready->prior.long_prompts = PMT_LONG_TRUNCATE;
  ready->prior.seed = base->seed >= 0 ? (uint64_t) base->seed : ready->request.seed;
  if (!base->prompt[0] && !*thing) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, _("Pictures of the kind were asked for, and not said of which; name the kind of thing."));
    return FALSE;
  }
  ready->request.prior = &ready->prior;
  return TRUE;
}

static void
take_values (const PmtLearnJob *job, PmtLearnRequest *q)
{
  const PmtParamValues *v = &job->values;
  const double rate = pmt_param_number (v, "rate"), text_rate = pmt_param_number (v, "text-rate");
  const int steps = (int) pmt_param_number (v, "steps");
  q->word = pmt_param_text (v, "word");
  q->thing = pmt_param_text (v, "thing");
  q->style = pmt_param_number (v, "style") != 0;
  q->steps = steps > 0 ? steps : q->steps;
  q->accumulate = (int) pmt_param_number (v, "accumulate");
  q->rate = rate > 0 ? rate : q->rate;
  q->text_rate = text_rate > 0 ? text_rate : q->text_rate;
  q->vectors = (int) pmt_param_number (v, "vectors");
  q->rank = (int) pmt_param_number (v, "rank");
  q->alpha = pmt_param_number (v, "alpha");
  q->texts = pmt_param_number (v, "texts") != 0;
  q->flip = pmt_param_number (v, "flip") != 0;
  q->min_snr = pmt_param_number (v, "min-snr");
  q->n_prior = (int) pmt_param_number (v, "prior");
  q->prior_weight = pmt_param_number (v, "prior-weight");
  q->seed = (uint64_t) pmt_param_number (v, "seed");
}

static gboolean
make_ready (const PmtLearnJob *job, PmtModelCache *cache, const PmtLearnHooks *hooks, Ready *ready, GError **error)
{
  const PmtJob *base = job->base;
  PmtModel *refiner;
  memset (ready, 0, sizeof *ready);
  ready->job = job;
  ready->hooks = hooks;
  pmt_threads_set (base->threads);
  ready->model = pmt_model_cache_get (cache, base->model, &(PmtModelParts) { base->unet, base->vae }, error);
  /* one that an earlier job had is let go */
  if (!ready->model || !pmt_model_cache_get_refiner (cache, "", &refiner, error) || !pmt_job_set_precision (base, ready->model, NULL, error))
    return FALSE;
  PmtLearnRequest *q = &ready->request;
  pmt_learn_request_init (q, ready->model, job->kind);
  take_values (job, q);
  q->prediction = base->has_prediction ? &base->prediction : NULL;
  q->width = base->width;
  q->height = base->height;
  q->clip_skip = base->extras.clip_skip;
  q->sentences = (const char *const *) job->sentences;
  q->out = job->out;
  q->cancel = hooks->cancel;
  q->pause = hooks->pause;
  q->progress = hooks->progress;
  q->progress_user = hooks->user;
  q->picture = give_picture;
  q->picture_user = ready;
  q->n_pictures = (int) job->pictures->len;
  ready->captions = g_new0 (const char *, job->pictures->len);
  for (guint i = 0; i < job->pictures->len; i++)
    ready->captions[i] = picture_at (job, i)->caption;
  q->captions = ready->captions;
  return q->n_prior == 0 || plan_prior (job, ready, error);
}

gboolean
pmt_learn_job_run (const PmtLearnJob *job, PmtModelCache *cache, const PmtLearnHooks *hooks, PmtLearnResult *result, GError **error)
{
  Ready ready;
  pmt_speed_job (TRUE);
  const gboolean good = make_ready (job, cache, hooks, &ready, error) && pmt_learn (&ready.request, result, error);
  pmt_speed_job (FALSE);
  ready_clear (job, &ready);
  return good;
}

gboolean
pmt_learn_job_estimate (const PmtLearnJob *job, PmtModelCache *cache, PmtLearnEstimate *estimate, GError **error)
{
  static const PmtLearnHooks none;
  PmtLearnCost cost;
  Ready ready;
  *estimate = (PmtLearnEstimate) { .seconds = -1 };
  const gboolean good = make_ready (job, cache, &none, &ready, error) && pmt_learn_cost (&ready.request, &cost, error);
  if (good) {
    estimate->memory_bytes = pmt_job_process_bytes () + cost.memory_bytes;
    estimate->available_bytes = pmt_memory_available () + pmt_memory_resident ();
    estimate->fits = estimate->memory_bytes <= estimate->available_bytes;
    estimate->seconds = pmt_speed_seconds (ready.model, cost.work);
  }
  ready_clear (job, &ready);
  return good;
}
