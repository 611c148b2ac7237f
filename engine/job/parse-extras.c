/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Controls, references, layout boxes, LoRAs and learned words of a recipe, checked by their tables. */
#include <string.h>

#include "engine/image/preprocess.h"
#include "engine/job/parse.h"

#define MOST_CLIP_SKIP 12
#define MOST_FOLDERS 32

/* One object by its table. `other` names a field that is read elsewhere (NULL = none). *values is init'ed, on failure too. */
static gboolean
read_values (JsonNode *node, PmtExtraKind kind, const char *where, const char *other, PmtParamValues *values, GError **error)
{
  JsonObjectIter iter;
  const char *name;
  JsonNode *value;

  pmt_param_values_init (values, pmt_job_extra_params (kind));
  if (!JSON_NODE_HOLDS_OBJECT (node))
    return pmt_parse_wrong (error, pmt_job_extra_name (kind), kind == PMT_EXTRA_LAYOUT ? "an object" : "a list of objects");
  json_object_iter_init_ordered (&iter, json_node_get_object (node));
  while (json_object_iter_next_ordered (&iter, &name, &value))
    if (g_strcmp0 (name, other) != 0 && !pmt_param_values_set_json (values, name, value, where, error))
      return FALSE;
  return TRUE;
}

static gboolean
need (const char *where, const char *field, const char *value, const char *what, GError **error)
{
  if (value[0])
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("In %s there is no \"%s\"; give %s."), where, field, what);
  return FALSE;
}

static gboolean
check_span (const char *where, double start, double end, GError **error)
{
  if (start < end)
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("In %s, \"start\" is %g and has to be below \"end\", which is %g; change one of them."),
               where, start, end);
  return FALSE;
}

/* The field "image-hash", which recipes have and no table. */
static gboolean
read_hash (JsonNode *node, const char *where, char **hash, GError **error)
{
  JsonNode *value = json_object_get_member (json_node_get_object (node), "image-hash");
  g_autofree char *field = g_strdup_printf ("image-hash (%s)", where);

  return !value || pmt_parse_text (value, field, hash, error);
}

static gboolean
read_control (PmtJobExtras *extras, JsonNode *node, const char *where, GError **error)
{
  PmtJobControl *control = &extras->controls[extras->n_controls++];
  PmtParamValues values, detector = { 0 };
  gboolean good = read_values (node, PMT_EXTRA_CONTROLS, where, "image-hash", &values, error);

  *control = (PmtJobControl) {
    .model = g_strdup (pmt_param_text (&values, "model")),
    .type = g_strdup (pmt_param_text (&values, "type")),
    .image = g_strdup (pmt_param_text (&values, "image")),
    .image_hash = g_strdup (""),
    .preprocess = g_strdup (pmt_param_text (&values, "preprocess")),
    .strength = pmt_param_number (&values, "strength"),
    .start = pmt_param_number (&values, "start"),
    .end = pmt_param_number (&values, "end"),
    .guess = pmt_param_number (&values, "guess") != 0,
  };
  pmt_param_values_clear (&values);
  if (!good || !read_hash (node, where, &control->image_hash, error) || !check_span (where, control->start, control->end, error))
    return FALSE;
  if (control->preprocess[0]) {
    good = pmt_preprocessor_parse (control->preprocess, &detector, error) != NULL;
    pmt_param_values_clear (&detector);
    if (!good)
      return FALSE;
  }
  return strcmp (control->type, "depth") == 0 || need (where, "model", control->model, "the file or folder of a ControlNet or T2I-Adapter", error);
}

static gboolean
read_reference (PmtJobExtras *extras, JsonNode *node, const char *where, GError **error)
{
  PmtJobReference *reference = &extras->references[extras->n_references++];
  PmtParamValues values;
  gboolean good = read_values (node, PMT_EXTRA_REFERENCES, where, "image-hash", &values, error);

  *reference = (PmtJobReference) {
    .model = g_strdup (pmt_param_text (&values, "model")),
    .encoder = g_strdup (pmt_param_text (&values, "encoder")),
    .image = g_strdup (pmt_param_text (&values, "image")),
    .image_hash = g_strdup (""),
    .strength = pmt_param_number (&values, "strength"),
    .start = pmt_param_number (&values, "start"),
    .end = pmt_param_number (&values, "end"),
  };
  pmt_param_values_clear (&values);
  return good && read_hash (node, where, &reference->image_hash, error) && check_span (where, reference->start, reference->end, error) &&
         need (where, "image", reference->image, "the picture to take after", error) &&
         need (where, "model", reference->model, "the file of an IP-Adapter", error);
}

static gboolean
read_lora (PmtJobExtras *extras, JsonNode *node, const char *where, GError **error)
{
  PmtJobLora *lora = &extras->loras[extras->n_loras++];
  PmtParamValues values;
  gboolean good = read_values (node, PMT_EXTRA_LORAS, where, NULL, &values, error);

  *lora = (PmtJobLora) {
    .path = g_strdup (pmt_param_text (&values, "path")),
    .strength = pmt_param_number (&values, "strength"),
    .text_strength = pmt_param_number (&values, "text-strength"),
  };
  pmt_param_values_clear (&values);
  if (good && !json_object_has_member (json_node_get_object (node), "text-strength"))
    lora->text_strength = lora->strength;
  return good && need (where, "path", lora->path, "the file of a LoRA", error);
}

static gboolean
read_word (PmtJobExtras *extras, JsonNode *node, const char *where, GError **error)
{
  PmtJobWord *word = &extras->words[extras->n_words++];
  PmtParamValues values;
  gboolean good = read_values (node, PMT_EXTRA_EMBEDDINGS, where, NULL, &values, error);

  *word = (PmtJobWord) { g_strdup (pmt_param_text (&values, "path")), g_strdup (pmt_param_text (&values, "word")) };
  pmt_param_values_clear (&values);
  return good && need (where, "path", word->path, "the file of a learned word", error);
}

static gboolean
read_box (PmtJobExtras *extras, JsonNode *node, int number, GError **error)
{
  PmtJobBox *box = &extras->boxes[extras->n_boxes++];
  JsonObject *object = JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
  JsonNode *sides = object ? json_object_get_member (object, "box") : NULL;
  JsonNode *phrase = object ? json_object_get_member (object, "phrase") : NULL;
  JsonArray *array = sides && JSON_NODE_HOLDS_ARRAY (sides) ? json_node_get_array (sides) : NULL;
  double v[4];

  if (!object || !array || json_array_get_length (array) != 4 || !phrase || !pmt_parse_holds_string (phrase) ||
      json_object_get_size (object) != 2)
    return pmt_parse_wrong (error, "layout.boxes", "a list of {\"box\": [x0, y0, x1, y1], \"phrase\": text}");
  for (guint i = 0; i < 4; i++) {
    JsonNode *side = json_array_get_element (array, i);
    if (!pmt_parse_holds_number (side))
      return pmt_parse_wrong (error, "layout.boxes", "boxes of four numbers");
    v[i] = json_node_get_double (side);
  }
  *box = (PmtJobBox) { v[0], v[1], v[2], v[3], g_strdup (json_node_get_string (phrase)) };
  for (int i = 0; i < 4; i++)
    if (!(v[i] >= 0 && v[i] <= 1)) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                   _("Box %d of the layout reaches to %g, outside the picture; its sides are parts of the picture, from 0 to 1."), number, v[i]);
      return FALSE;
    }
  if (v[0] < v[2] && v[1] < v[3])
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
               _("Box %d of the layout, [%g, %g, %g, %g], is empty; give left, top, right and bottom in this order."), number, v[0], v[1], v[2],
               v[3]);
  return FALSE;
}

static gboolean
read_layout (PmtJobExtras *extras, JsonNode *node, GError **error)
{
  PmtParamValues values;
  gboolean good = read_values (node, PMT_EXTRA_LAYOUT, "the layout", "boxes", &values, error);
  JsonNode *boxes = good ? json_object_get_member (json_node_get_object (node), "boxes") : NULL;
  JsonArray *array = boxes && JSON_NODE_HOLDS_ARRAY (boxes) ? json_node_get_array (boxes) : NULL;
  guint n = array ? json_array_get_length (array) : 0;

  extras->layout_model = g_strdup (pmt_param_text (&values, "model"));
  extras->layout_beta = pmt_param_number (&values, "beta");
  pmt_param_values_clear (&values);
  if (!good)
    return FALSE;
  if (n == 0)
    return pmt_parse_wrong (error, "layout.boxes", "a list of at least one box");
  if (n > PMT_JOB_MAX_BOXES) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The layout has %u boxes, and its networks know at most %d; leave %u out."), n,
                 PMT_JOB_MAX_BOXES, n - PMT_JOB_MAX_BOXES);
    return FALSE;
  }
  extras->boxes = g_new0 (PmtJobBox, n);
  for (guint i = 0; i < n; i++)
    if (!read_box (extras, json_array_get_element (array, i), (int) i + 1, error))
      return FALSE;
  return TRUE;
}

typedef gboolean ReadOne (PmtJobExtras *extras, JsonNode *node, const char *where, GError **error);

/* The list's length. */
static gboolean
count (JsonNode *node, PmtExtraKind kind, guint most, guint *n, GError **error)
{
  g_autofree char *wanted = g_strdup_printf ("a list of at most %u objects", most);

  *n = JSON_NODE_HOLDS_ARRAY (node) ? json_array_get_length (json_node_get_array (node)) : G_MAXUINT;
  return *n <= most || pmt_parse_wrong (error, pmt_job_extra_name (kind), wanted);
}

static gboolean
read_each (PmtJobExtras *extras, JsonNode *node, const char *one, ReadOne *read, GError **error)
{
  JsonArray *array = json_node_get_array (node);

  for (guint i = 0; i < json_array_get_length (array); i++) {
    g_autofree char *where = g_strdup_printf ("%s %u", one, i + 1);
    if (!read (extras, json_array_get_element (array, i), where, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
read_clip_skip (PmtJobExtras *extras, JsonNode *node, GError **error)
{
  if (!pmt_parse_holds_int (node) || json_node_get_int (node) < 0 || json_node_get_int (node) > MOST_CLIP_SKIP)
    return pmt_parse_wrong (error, "clip-skip", "a whole number from 0 to 12");
  extras->clip_skip = (int) json_node_get_int (node);
  return TRUE;
}

/* Folders, for the tags in prompts. */
static gboolean
read_folders (PmtJobExtras *extras, JsonNode *node, GError **error)
{
  JsonArray *array = JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
  const guint n = array ? json_array_get_length (array) : 0;

  if (!array || n > MOST_FOLDERS)
    return pmt_parse_wrong (error, "lora-folders", "a list of at most 32 folders");
  g_strfreev (extras->lora_folders);
  extras->lora_folders = g_new0 (char *, n + 1);
  for (guint i = 0; i < n; i++) {
    JsonNode *folder = json_array_get_element (array, i);
    if (!JSON_NODE_HOLDS_VALUE (folder) || json_node_get_value_type (folder) != G_TYPE_STRING)
      return pmt_parse_wrong (error, "lora-folders", "a list of folders");
    extras->lora_folders[i] = g_strdup (json_node_get_string (folder));
  }
  return TRUE;
}

gboolean
pmt_parse_extra (PmtJob *job, const char *name, JsonNode *node, gboolean *known, GError **error)
{
  PmtJobExtras *extras = &job->extras;
  guint n;

  *known = TRUE;
  if (strcmp (name, "clip-skip") == 0)
    return read_clip_skip (extras, node, error);
  if (strcmp (name, "lora-folders") == 0)
    return read_folders (extras, node, error);
  if (strcmp (name, "layout") == 0)
    return read_layout (extras, node, error);
  if (strcmp (name, "region-prompts") == 0)
    return pmt_parse_region_prompts (extras, node, error);
  if (strcmp (name, "controls") == 0) {
    if (!count (node, PMT_EXTRA_CONTROLS, PMT_JOB_MAX_CONTROLS, &n, error))
      return FALSE;
    extras->controls = g_new0 (PmtJobControl, n + 1);
    return read_each (extras, node, "control", read_control, error);
  }
  if (strcmp (name, "references") == 0) {
    if (!count (node, PMT_EXTRA_REFERENCES, PMT_JOB_MAX_REFERENCES, &n, error))
      return FALSE;
    extras->references = g_new0 (PmtJobReference, n + 1);
    return read_each (extras, node, "reference", read_reference, error);
  }
  if (strcmp (name, "loras") == 0) {
    if (!count (node, PMT_EXTRA_LORAS, PMT_JOB_MAX_LORAS, &n, error))
      return FALSE;
    extras->loras = g_new0 (PmtJobLora, n + 1);
    return read_each (extras, node, "lora", read_lora, error);
  }
  if (strcmp (name, "embeddings") == 0) {
    if (!count (node, PMT_EXTRA_EMBEDDINGS, PMT_JOB_MAX_WORDS, &n, error))
      return FALSE;
    extras->words = g_new0 (PmtJobWord, n + 1);
    return read_each (extras, node, "embedding", read_word, error);
  }
  *known = FALSE;
  return TRUE;
}
