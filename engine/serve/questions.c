/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/serve/questions.h"

#include <string.h>

#include "engine/base/datadir.h"
#include "engine/image/preprocess.h"
#include "engine/job/learn-job.h"
#include "engine/job/prompt-names.h"
#include "engine/job/tokens.h"
#include "engine/sample/lists.h"
#include "engine/serve/jobs.h"
#include "engine/weights/library.h"
#include "engine/weights/model.h"
#include "pentimento/protocol.h"

/* So many, and of so many bytes, that they fit into one line whatever JSON makes of them. */
#define MOST_NAMES 2000
#define MOST_NAMES_BYTES (PMT_PROTOCOL_MAX_LINE / 8)

typedef struct Question {
  PmtConnection *connection;
  PmtMessage *message;
  GPtrArray *blobs; /* of PmtBlob, of the message's id; NULL for questions that need none */
} Question;

static JsonArray *
int_array (const int *values, int n)
{
  JsonArray *array = json_array_new ();

  for (int i = 0; i < n; i++)
    json_array_add_int_element (array, values[i]);
  return array;
}

static void
set_box (JsonObject *object, const char *name, const PmtBox *box)
{
  json_object_set_array_member (object, name, int_array ((int[]) { box->x, box->y, box->width, box->height }, 4));
}

static void
set_region (JsonObject *header, const PmtRegion *from)
{
  JsonObject *region = json_object_new ();

  set_box (region, "context", &from->context);
  set_box (region, "box", &from->box);
  json_object_set_double_member (region, "grow", from->grow);
  json_object_set_double_member (region, "feather", from->feather);
  json_object_set_double_member (region, "blend", from->blend);
  json_object_set_object_member (header, "region", region);
}

static void
set_seconds (JsonObject *header, double seconds)
{
  if (seconds >= 0)
    json_object_set_double_member (header, "seconds", seconds);
  else
    json_object_set_null_member (header, "seconds");
}

static gboolean
answer_learn_estimate (const Question *question, JsonObject *recipe, PmtModelCache *cache, GError **error)
{
  PmtLearnJob *job = pmt_learn_job_parse (recipe, error);
  PmtLearnEstimate estimate;
  const gboolean good = job && pmt_learn_job_estimate (job, cache, &estimate, error);

  if (good) {
    PmtMessage *answer = pmt_message_new ("estimate", question->message->id);
    json_object_set_int_member (answer->header, "memory-bytes", (gint64) estimate.memory_bytes);
    json_object_set_int_member (answer->header, "available-bytes", (gint64) estimate.available_bytes);
    json_object_set_boolean_member (answer->header, "fits", estimate.fits);
    set_seconds (answer->header, estimate.seconds);
    pmt_connection_send (question->connection, answer);
  }
  pmt_learn_job_free (job);
  return good;
}

static gboolean
answer_estimate (const Question *question, PmtModelCache *cache, GError **error)
{
  JsonObject *recipe = pmt_message_object (question->message->header, "job", error);
  if (recipe && pmt_learn_job_is (recipe))
    return answer_learn_estimate (question, recipe, cache, error);
  PmtJob *job = recipe ? pmt_job_parse (recipe, error) : NULL;
  PmtJobEstimate estimate = { 0 };
  PmtPreview preview;
  PmtMessage *answer;

  if (!job)
    return FALSE;
  if (!pmt_jobs_read_preview (question->message, &preview, error) || !pmt_job_estimate (job, cache, preview, &estimate, error)) {
    pmt_job_free (job);
    return FALSE;
  }
  answer = pmt_message_new ("estimate", question->message->id);
  json_object_set_int_member (answer->header, "memory-bytes", (gint64) estimate.memory_bytes);
  json_object_set_boolean_member (answer->header, "fits", estimate.fits);
  json_object_set_boolean_member (answer->header, "tiled", estimate.cost.vae_tiled);
  if (estimate.largest_width > 0)
    json_object_set_array_member (answer->header, "largest", int_array ((int[]) { estimate.largest_width, estimate.largest_height }, 2));
  json_object_set_int_member (answer->header, "available-bytes", (gint64) estimate.available_bytes);
  set_seconds (answer->header, estimate.seconds);
  json_object_set_array_member (answer->header, "size", int_array ((int[]) { estimate.width, estimate.height }, 2));
  json_object_set_int_member (answer->header, "evaluations", estimate.cost.evaluations);
  if (job->task != PMT_TASK_GENERATE)
    set_region (answer->header, &estimate.region);
  pmt_connection_send (question->connection, answer);
  pmt_job_free (job);
  return TRUE;
}

/* The message has a recipe's own fields. */
static PmtJob *
prompt_job (const JsonObject *header, GError **error)
{
  static const char *const fields[] = { "prompt", "prompt-syntax", "long-prompts", "embeddings" };
  JsonObject *recipe = json_object_new ();
  PmtJob *job;

  json_object_set_int_member (recipe, "pentimento", PMT_RECIPE_VERSION);
  json_object_set_string_member (recipe, "task", "generate");
  for (gsize i = 0; i < G_N_ELEMENTS (fields); i++) {
    JsonNode *node = json_object_get_member ((JsonObject *) header, fields[i]);
    if (node)
      json_object_set_member (recipe, fields[i], json_node_copy (node));
  }
  job = pmt_job_parse (recipe, error);
  json_object_unref (recipe);
  return job;
}

static gboolean
answer_tokens (const Question *question, PmtModelCache *cache, GError **error)
{
  const char *path;
  PmtModel *model = NULL;
  PmtJob *job = NULL;
  JsonObject *counted = NULL;

  if (pmt_message_string (question->message->header, "model", "", &path, error) && (job = prompt_job (question->message->header, error)) &&
      (model = pmt_model_cache_get (cache, path, NULL, error)))
    counted = pmt_job_tokens (job, model, FALSE, error);
  if (counted) {
    PmtMessage *answer = pmt_message_new ("tokens", question->message->id);
    JsonObjectIter iter;
    const char *name;
    JsonNode *node;
    json_object_iter_init_ordered (&iter, counted);
    while (json_object_iter_next_ordered (&iter, &name, &node))
      json_object_set_member (answer->header, name, json_node_copy (node));
    pmt_connection_send (question->connection, answer);
    json_object_unref (counted);
  }
  pmt_job_free (job);
  pmt_model_unref (model);
  return counted != NULL;
}

static void
add_model (JsonArray *models, const char *path, const char *file)
{
  g_autoptr (GError) error = NULL;
  JsonObject *entry = pmt_model_files_inspect (file, &error);

  if (!entry)
    return;
  json_object_set_string_member (entry, "path", path);
  json_array_add_object_element (models, entry);
}

/* A message is one line of limited length. */
#define MOST_MODELS_BYTES (768 * 1024)

typedef struct Listing {
  PmtConnection *connection;
  PmtLibraryCache *cache;
  JsonArray *models;
  gsize bytes;
  int left_off; /* files that the line has no room for */
} Listing;

static gboolean
list_file (const PmtLibraryFile *file, gpointer user)
{
  Listing *listing = user;
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  g_autofree char *text = NULL;

  json_node_take_object (node, pmt_library_cache_report (listing->cache, file));
  text = json_to_string (node, FALSE);
  if (listing->left_off || listing->bytes + strlen (text) > MOST_MODELS_BYTES) {
    listing->left_off++;
  } else {
    listing->bytes += strlen (text);
    json_array_add_element (listing->models, g_steal_pointer (&node));
  }
  return !pmt_connection_gone (listing->connection);
}

/* The bundled model, then what lies in the folders of the library. */
static gboolean
answer_models (const Question *question, PmtModelCache *cache, GError **error)
{
  g_autofree char *bundled = pmt_data_path ("models/sketch", NULL), *own = pmt_library_own_folder ();
  g_autoptr (GPtrArray) folders = pmt_library_folders (error);
  PmtMessage *answer = folders ? pmt_message_new ("models", question->message->id) : NULL;
  Listing listing = { .connection = question->connection };
  const PmtLibraryFolder *cut;

  if (!folders)
    return FALSE;
  listing.models = json_array_new ();
  listing.cache = pmt_library_cache_new ();
  if (bundled)
    add_model (listing.models, "", bundled);
  cut = pmt_library_walk (folders, list_file, &listing);
  pmt_library_cache_save (listing.cache, FALSE);
  pmt_library_cache_free (listing.cache);
  g_autofree char *folder = g_utf8_make_valid (own, -1);
  json_object_set_string_member (answer->header, "folder", folder);
  json_object_set_array_member (answer->header, "models", listing.models);
  json_object_set_int_member (answer->header, "left-off", listing.left_off);
  if (cut) {
    g_autofree char *path = g_utf8_make_valid (cut->path, -1);
    json_object_set_string_member (answer->header, "cut", path);
  }
  pmt_connection_send (question->connection, answer);
  return TRUE;
}

/* Names for the prompt, of files in the folders of models. */
static gboolean
answer_names (const Question *question, PmtModelCache *cache, GError **error)
{
  g_autoptr (GPtrArray) names = NULL;
  JsonArray *array;
  PmtMessage *answer;
  PmtNameKind kind;
  const char *id;
  gsize size = 0;

  if (!pmt_message_string (question->message->header, "kind", "", &id, error))
    return FALSE;
  if (!pmt_names_parse (id, &kind)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "There are no names of the kind '%s'; ask for loras, hypernetworks or embeddings.", id);
    return FALSE;
  }
  names = pmt_names_list (kind, MOST_NAMES);
  answer = pmt_message_new ("names", question->message->id);
  array = json_array_new ();
  for (guint i = 0; i < names->len && size < MOST_NAMES_BYTES; i++) {
    const PmtName *name = names->pdata[i];
    JsonObject *entry = json_object_new ();
    json_object_set_string_member (entry, "name", name->name);
    json_object_set_string_member (entry, "path", name->path);
    json_array_add_object_element (array, entry);
    size += strlen (name->name) + strlen (name->path);
  }
  json_object_set_string_member (answer->header, "kind", id);
  json_object_set_array_member (answer->header, "names", array);
  pmt_connection_send (question->connection, answer);
  return TRUE;
}

static gboolean
answer_list (const Question *question, PmtModelCache *cache, GError **error)
{
  static const struct {
    const char *type;
    JsonNode *(*list) (void);
  } lists[] = { { "methods", pmt_methods_to_json }, { "samplers", pmt_samplers_to_json }, { "preprocessors", pmt_preprocessors_to_json } };
  PmtMessage *answer = pmt_message_new (question->message->type, question->message->id);

  for (gsize i = 0; i < G_N_ELEMENTS (lists); i++)
    if (g_str_equal (answer->type, lists[i].type))
      json_object_set_member (answer->header, lists[i].type, lists[i].list ());
  pmt_connection_send (question->connection, answer);
  return TRUE;
}

static const PmtPicture *
picture_of (const Question *question, const char *name)
{
  for (guint i = 0; i < question->blobs->len; i++) {
    const PmtBlob *blob = g_ptr_array_index (question->blobs, i);
    if (g_str_equal (blob->name, name))
      return &blob->picture;
  }
  return NULL;
}

static gboolean
answer_preprocess (const Question *question, PmtModelCache *cache, GError **error)
{
  const PmtPicture *image = picture_of (question, "image");
  PmtMessage *answer = pmt_message_new ("preprocess", question->message->id);
  PmtPicture rgb = { 0 }, rgba = { 0 };
  PmtParamValues values = { 0 };
  const PmtPreprocessor *preprocessor;
  const char *id;
  gboolean good;

  good = pmt_message_string (question->message->header, "preprocess", "", &id, error) &&
         (preprocessor = pmt_preprocessor_parse (id, &values, error)) != NULL;
  if (good && !image) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, "There is no picture to prepare; send a blob \"image\" with the same id first.");
    good = FALSE;
  }
  good = good && pmt_preprocess (preprocessor, image, picture_of (question, "mask"), &values, &rgb, error) &&
         pmt_preprocessed_to_rgba (&rgb, &rgba, error) && pmt_message_set_picture (answer, &rgba, error);
  if (good)
    pmt_connection_send (question->connection, answer);
  else
    pmt_message_free (answer);
  pmt_param_values_clear (&values);
  pmt_picture_clear (&rgb);
  pmt_picture_clear (&rgba);
  return good;
}

static gboolean
send_mask (const Question *question, const char *name, const PmtPicture *mask, GError **error)
{
  PmtMessage *message = pmt_message_new ("blob", question->message->id);

  json_object_set_string_member (message->header, "name", name);
  if (!pmt_message_set_picture (message, mask, error)) {
    pmt_message_free (message);
    return FALSE;
  }
  pmt_connection_send (question->connection, message);
  return TRUE;
}

static gboolean
answer_masks (const Question *question, PmtModelCache *cache, GError **error)
{
  JsonObject *recipe = pmt_message_object (question->message->header, "job", error);
  PmtJob *job = recipe ? pmt_job_parse (recipe, error) : NULL;
  PmtJobMasks masks = { 0 };
  gint64 most;
  gboolean good;

  good = job && pmt_message_int (question->message->header, "most-side", 1, PMT_PICTURE_MAX_SIDE, 512, &most, error) &&
         pmt_job_masks (job, cache, picture_of (question, "mask"), (int) most, &masks, error) &&
         send_mask (question, "denoise", &masks.denoise, error) && send_mask (question, "blend", &masks.blend, error);
  if (good) {
    PmtMessage *answer = pmt_message_new ("masks", question->message->id);
    set_region (answer->header, &masks.region);
    json_object_set_array_member (answer->header, "size", int_array ((int[]) { masks.run_width, masks.run_height }, 2));
    pmt_connection_send (question->connection, answer);
  }
  pmt_job_masks_clear (&masks);
  pmt_job_free (job);
  return good;
}

static const struct {
  const char *type;
  gboolean (*answer) (const Question *question, PmtModelCache *cache, GError **error);
  gboolean takes_blobs;
} kinds[] = {
  { "estimate", answer_estimate },
  { "tokens", answer_tokens },
  { "models", answer_models },
  { "names", answer_names },
  { "methods", answer_list },
  { "samplers", answer_list },
  { "preprocessors", answer_list },
  { "preprocess", answer_preprocess, TRUE },
  { "masks", answer_masks, TRUE },
};

static void
answer (void *task, PmtModelCache *cache)
{
  Question *question = task;
  g_autoptr (GError) error = NULL;

  for (size_t i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (g_str_equal (question->message->type, kinds[i].type) && !kinds[i].answer (question, cache, &error))
      pmt_connection_send_error (question->connection, question->message->id, error);
  pmt_message_free (question->message);
  g_clear_pointer (&question->blobs, g_ptr_array_unref);
  pmt_connection_unref (question->connection);
  g_free (question);
}

gboolean
pmt_question_answer (PmtWorker *worker, PmtConnection *connection, PmtMessage *message, PmtBlobs *blobs)
{
  for (size_t i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (g_str_equal (message->type, kinds[i].type)) {
      Question *question = g_new (Question, 1);
      question->connection = pmt_connection_ref (connection);
      question->message = message;
      question->blobs = kinds[i].takes_blobs ? pmt_blobs_remove (blobs, message->id) : NULL;
      pmt_worker_push (worker, answer, question);
      return TRUE;
    }
  return FALSE;
}
