/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/job.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

#include "plugin/asked.h"
#include "plugin/boxes.h"
#include "plugin/capture.h"
#include "plugin/conflicts.h"
#include "plugin/controls.h"
#include "plugin/describe.h"
#include "plugin/embeddings.h"
#include "plugin/engine-client.h"
#include "plugin/error.h"
#include "plugin/full-size.h"
#include "plugin/modes.h"
#include "plugin/place.h"
#include "plugin/recipe-method.h"
#include "plugin/recipe-settings.h"
#include "plugin/recipe.h"
#include "plugin/resample.h"
#include "plugin/wishes.h"
#include "ui/fields.h"

/* How often the region is asked for again because the picture changed in between. */
#define ESTIMATES 10
/* A picture is at most so many times as long or as short as the model's native size, and a multiple of this many pixels. */
#define LONGEST 4
#define SIZE_MULTIPLE 8
/* The engine may round a size by less than this. */
#define SIZE_SLACK 512
/* A side of what is looked at around a part, where the canvas is large enough. */
#define LEAST_SEEN 512
/* Previews have at most so many bytes. */
#define PREVIEW_BYTES (512 * 512 * 3)
/* A prompt has no more words. */
#define MOST_MAPS 512

struct PmtJob {
  GimpImage *image;
  GimpLayer *layer;  /* above which results go; NULL: on top */
  gboolean generate; /* a picture of its own, not a part of what is there */
  PmtBoxes *boxes;   /* NULL: none */
  gboolean again;    /* the recipe says all */
  PmtPlace place;    /* of a recipe's job: by how much the canvas is to grow on the left and above, and no more */
  gboolean whole;    /* a generated picture of what is there: all of the canvas, or what is around the selection, which is its mask */
  gboolean only_maps;
  gboolean wide;     /* longer than the model's own pictures */
  gboolean slim;     /* hardly any soft edge */
  guint hidden;      /* what came of these inputs (their origin) is not seen; 0: everything is */
  GHashTable *seen;  /* but for layers with these tattoos; NULL: none */
  gboolean continues; /* for the first time: the picture is another one than the recipe's */
  gboolean only_ask; /* what it takes */
  gboolean fixed;    /* a layer's recipe says the size */
  gboolean shrink;   /* to what fits into memory */
  gboolean shrunk;
  gboolean keeping;
  const char *preview; /* the engine's word for what is shown where somebody looks */
  gboolean new_words;  /* the prompts may say learned words whose files the recipe does not have yet */
  JsonArray *names;    /* those words, as the engine knows them; NULL: not asked for */
  PmtEstimate estimate;
  gboolean estimated;
  PmtInputs *inputs;
  gboolean sized;            /* the engine was told a size */
  int want_width, want_height; /* 0: as it comes */
  PmtJobHandlers handlers;
  gpointer user;
  gboolean over;

  PmtEngineClient *client;
  gint64 id; /* of the question that is open */
  JsonObject *recipe;
  int variants;
  PmtRect selection; /* as told to the engine, as was inputs->canvas; what was captured is inputs->area */
  GBytes *blend;             /* arrived before its result */
  PmtRect blend_size;        /* its width and height */
  GPtrArray *maps;           /* NULL, or those that arrived before their result */
  GPtrArray *results, *notes;
};

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

/* What it takes is asked by dialogs, in which somebody will look. */
static gboolean
is_shown (PmtJob *job)
{
  return job->handlers.preview || job->only_ask;
}

/* With the recipe as it is now, and what is shown meanwhile, which costs time and memory too. */
static JsonObject *
ask (PmtJob *job, const char *type)
{
  JsonObject *message = pmt_engine_message_new (type, ++job->id);

  if (job->names)
    pmt_embeddings_complete (job->recipe, job->names);
  json_object_set_object_member (message, "job", json_object_ref (job->recipe));
  json_object_set_string_member (message, "preview", is_shown (job) ? job->preview : "none");
  return message;
}

static void
estimate_with (PmtJob *job)
{
  pmt_engine_client_send (job->client, ask (job, "estimate"), NULL);
}

/* What is looked at where a part of the picture changes: as much again as the part has, and in no long shape. All of it where that is the
 * part. */
static PmtRect
around (const PmtRect *part, const PmtRect *canvas)
{
  const int width = MIN (MAX (MAX (2 * part->width, part->height), LEAST_SEEN), canvas->width);
  const int height = MIN (MAX (MAX (2 * part->height, part->width), LEAST_SEEN), canvas->height);
  const int x = CLAMP (part->x + (part->width - width) / 2, 0, canvas->width - width);
  const int y = CLAMP (part->y + (part->height - height) / 2, 0, canvas->height - height);

  return (PmtRect) { x, y, width, height };
}

/* A generated picture takes the selection's bounds. */
static gboolean
describe_place (PmtJob *job, GError **error)
{
  json_object_remove_member (job->recipe, "size");
  job->shrunk = FALSE;
  if (!job->generate) {
    if (job->slim)
      pmt_recipe_limit_feather (job->recipe, hypot (job->selection.width, job->selection.height) / 100);
    pmt_recipe_set_region (job->recipe, &job->inputs->canvas, &job->selection, NULL);
    return TRUE;
  }
  job->inputs->area = job->whole ? around (&job->selection, &job->inputs->canvas) : job->selection;
  job->sized = FALSE;
  return !job->boxes || pmt_boxes_place (job->boxes, job->recipe, job->image, &job->inputs->canvas, &job->inputs->area, error);
}

static void
ask_estimate (PmtJob *job)
{
  g_autoptr (GError) error = NULL;

  if (!image_is_there (job))
    return;
  if (job->id >= ESTIMATES) {
    finish_with (job, PMT_ERROR_INPUT, _("The selection kept changing while the job began: start it again."));
    return;
  }
  if (pmt_place_bounds (&job->place, job->image, &job->inputs->canvas, &job->selection, &error) && describe_place (job, &error))
    estimate_with (job);
  else
    finish (job, error);
}

static void
send_blob (PmtJob *job, const char *name, int channels, GBytes *pixels)
{
  JsonObject *message = pmt_engine_message_new ("blob", job->id);

  json_object_set_string_member (message, "name", name);
  json_object_set_int_member (message, "width", job->inputs->area.width);
  json_object_set_int_member (message, "height", job->inputs->area.height);
  json_object_set_int_member (message, "channels", channels);
  json_object_set_string_member (message, "dtype", "f32");
  pmt_engine_client_send (job->client, message, pixels);
}

static gboolean
comes_of_the_same (GimpItem *item, gpointer user)
{
  const PmtJob *job = user;

  return pmt_inputs_origin (item) == job->hidden && !(job->seen && g_hash_table_contains (job->seen, GUINT_TO_POINTER (gimp_item_get_tattoo (item))));
}

/* A recipe that runs again sees the picture without what it made before. */
static GBytes *
capture_visible (PmtJob *job, GError **error)
{
  const PmtRect area = pmt_place_in_image (&job->place, &job->inputs->area);

  if (job->hidden)
    return pmt_capture_without (job->image, comes_of_the_same, job, &area, error);
  return pmt_capture_picture (job->image, NULL, &area, error);
}

/* NULL without error: the job has no picture. */
static GBytes *
capture_picture (PmtJob *job, GError **error)
{
  PmtInputs *inputs = job->inputs;
  const PmtRect area = pmt_place_in_image (&job->place, &inputs->area);
  GBytes *picture;

  if (inputs->source == PMT_SOURCE_NONE)
    return NULL;
  picture = inputs->source == PMT_SOURCE_LAYER ? pmt_capture_picture (job->image, inputs->layer, &area, error) : capture_visible (job, error);
  if (picture && job->again && !job->continues && inputs->signed_picture && !pmt_capture_same_sign (picture, inputs->sign))
    g_ptr_array_add (job->notes, g_strdup (_("The picture has changed since this recipe ran, so the result may differ.")));
  inputs->signed_picture = picture != NULL;
  inputs->sign = picture ? pmt_capture_sign (picture) : 0;
  if (picture && pmt_capture_clips (job->image, inputs->source == PMT_SOURCE_LAYER ? inputs->layer : NULL, &area))
    g_ptr_array_add (job->notes, g_strdup (_("The picture has values brighter than white or colours more vivid than sRGB: the model saw them "
                                             "clipped, and the new layer has none.")));
  return picture;
}

/* inputs->mask stays NULL where everything is meant; a fill or edit sends a mask all the same. */
static GBytes *
capture_mask (PmtJob *job, GError **error)
{
  PmtInputs *inputs = job->inputs;
  gboolean everything;
  GBytes *mask;

  if (job->again)
    return inputs->mask ? g_bytes_ref (inputs->mask) : pmt_capture_everything (&inputs->area, error);
  mask = pmt_place_mask (&job->place, job->image, &inputs->area, &everything, error);
  g_clear_pointer (&inputs->mask, g_bytes_unref);
  if (mask && !everything)
    inputs->mask = g_bytes_ref (mask);
  return mask;
}

/* The pictures of the controls, in their order. NULL + error. */
static GPtrArray *
capture_controls (PmtJob *job, GError **error)
{
  g_autoptr (GPtrArray) pictures = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  GPtrArray *controls = job->inputs->controls;

  for (guint i = 0; i < controls->len; i++) {
    const PmtControl *control = g_ptr_array_index (controls, i);
    GBytes *picture;
    if (control->source == PMT_CONTROL_VISIBLE)
      picture = capture_visible (job, error);
    else
      picture = pmt_control_capture (control, job->image, &job->inputs->area, error);
    if (!picture)
      return NULL;
    g_ptr_array_add (pictures, picture);
  }
  return g_steal_pointer (&pictures);
}

/* No result is larger than what it is for. */
static void
limit_results (PmtJob *job)
{
  gsize width = (gsize) job->inputs->area.width, height = (gsize) job->inputs->area.height;
  int run_width, run_height;

  if (job->generate && pmt_recipe_get_size (job->recipe, &run_width, &run_height)) {
    width = (gsize) run_width + SIZE_SLACK;
    height = (gsize) run_height + SIZE_SLACK;
  }
  pmt_engine_client_set_max_payload (job->client, MAX (width * height * 4 * sizeof (float), PREVIEW_BYTES));
}

/* Methods that go from a whole picture to noise and back: a mask is laid over what they make, and they are not told. */
static gboolean
inverts_whole (JsonObject *recipe)
{
  return pmt_recipe_method (recipe, "null-text") || pmt_recipe_method (recipe, "edict");
}

/* What was in the picture is there at the size of the run, too. */
static void
tell_of_enlarging (PmtJob *job)
{
  const PmtRect *area = &job->inputs->area;
  g_autofree char *size = NULL, *place = NULL;
  int width, height;

  if (!job->whole || job->only_maps || !pmt_recipe_get_size (job->recipe, &width, &height) ||
      !pmt_estimate_enlarges (width, height, area->width, area->height))
    return;
  size = pmt_estimate_size (width, height);
  place = pmt_estimate_size (area->width, area->height);
  g_ptr_array_add (job->notes, g_strdup_printf (_("This was painted at %s and enlarged to %s, so it is softer than the picture: select only the "
                                                  "place that changes, or go over it with Refine Selection."),
                                                size, place));
}

static void
send_job (PmtJob *job)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) picture = capture_picture (job, &error);
  g_autoptr (GBytes) mask = error ? NULL : capture_mask (job, &error);
  g_autoptr (GPtrArray) controls = error ? NULL : capture_controls (job, &error);
  JsonObject *message;

  if (error) {
    finish (job, error);
    return;
  }
  if (!job->generate && !job->again)
    pmt_recipe_set_region (job->recipe, &job->inputs->canvas, &job->selection, &job->inputs->area);
  tell_of_enlarging (job);
  limit_results (job);
  message = ask (job, "job");
  if (picture)
    send_blob (job, "image", 4, picture);
  if (picture && (!job->generate || (job->inputs->mask && !inverts_whole (job->recipe))))
    send_blob (job, "mask", 1, mask);
  for (guint i = 0; i < controls->len; i++)
    send_blob (job, ((const PmtControl *) g_ptr_array_index (job->inputs->controls, i))->blob, 4, g_ptr_array_index (controls, i));
  pmt_engine_client_send (job->client, message, NULL);
}

/* ---- answers ---- */

/* The layer that was to be read may be gone by now. */
static gboolean
source_is_there (PmtJob *job)
{
  if (job->inputs->source != PMT_SOURCE_LAYER || gimp_item_is_valid (GIMP_ITEM (job->inputs->layer)))
    return TRUE;
  finish_with (job, PMT_ERROR_INPUT, _("The layer was removed before it was read: select another one and start the job again."));
  return FALSE;
}

static int
whole_size (double size, int native)
{
  size = CLAMP (size, (double) native / LONGEST, (double) native * LONGEST);
  return MAX ((int) lrint (size / SIZE_MULTIPLE), 1) * SIZE_MULTIPLE;
}

/* As many pixels as the model likes, in the shape of the place; or what the user typed, one side or both. */
static void
choose_size (PmtJob *job, int native)
{
  const double shape = (double) job->inputs->area.width / job->inputs->area.height;
  int width = job->want_width, height = job->want_height;

  if (!width && !height && json_object_get_boolean_member_with_default (job->recipe, "full-size", FALSE)) {
    /* the place's own size; the engine knows how large the model begins */
    width = pmt_full_size_side (job->inputs->area.width);
    height = pmt_full_size_side (job->inputs->area.height);
  }
  if (!width && !height && job->wide)
    width = whole_size (native * fmax (shape, 1), native);
  else if (!width && !height)
    width = whole_size (native * sqrt (shape), native);
  if (!height)
    height = whole_size (job->want_width || job->wide ? width / shape : native / sqrt (shape), native);
  if (!width)
    width = whole_size (height * shape, native);
  pmt_recipe_set_size (job->recipe, width, height);
}

/* All is known: the job itself, a smaller one, or none. */
static void
go_on (PmtJob *job)
{
  const PmtEstimate *estimate = &job->estimate;

  job->estimated = TRUE;
  if (!pmt_estimate_fits (estimate) && job->shrink && !job->shrunk && estimate->most_width > 0) {
    job->shrunk = TRUE;
    pmt_recipe_set_size (job->recipe, estimate->most_width, estimate->most_height);
    estimate_with (job);
  } else if (job->only_ask) {
    finish (job, NULL);
  } else if (!pmt_estimate_fits (estimate)) {
    g_autofree char *text = pmt_estimate_refusal (estimate);
    finish_with (job, PMT_ERROR_MEMORY, text);
  } else {
    send_job (job);
  }
}

/* The first answer is the model's native size, the second the size that it takes instead of ours. */
static void
on_size (PmtJob *job, JsonObject *message)
{
  int width, height;

  if (!pmt_recipe_get_size (message, &width, &height)) {
    finish_confused (job, _("a size that no picture has"));
  } else if (!job->sized) {
    choose_size (job, MIN (width, height));
    job->sized = TRUE;
    estimate_with (job);
  } else {
    pmt_recipe_set_size (job->recipe, width, height);
    go_on (job);
  }
}

/* What is to be captured: the engine's choice, or the bounds of the path that the user chose. */
static gboolean
read_area (PmtJob *job, JsonObject *message)
{
  JsonNode *node = json_object_get_member (message, "region");
  JsonObject *region = node && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
  PmtRect box, context;

  if (!region || !pmt_recipe_get_rect (region, "context", &job->inputs->area) || !pmt_rect_holds (&job->inputs->canvas, &job->inputs->area))
    return FALSE;
  if (!job->place.context)
    return TRUE;
  if (!pmt_recipe_get_rect (region, "box", &box) || !pmt_rect_holds (&job->inputs->canvas, &box))
    return FALSE;
  if (pmt_place_context (&job->place, &job->inputs->canvas, &box, &context))
    job->inputs->area = context;
  return TRUE;
}

static void
on_estimate (PmtJob *job, JsonObject *message)
{
  g_autoptr (GError) error = NULL;
  PmtRect canvas, selection;

  if (job->again) { /* all of the place is in the recipe */
    pmt_estimate_read (message, &job->estimate);
    job->estimate.fixed = job->fixed;
    job->estimated = TRUE;
    finish (job, NULL);
    return;
  }
  if (!job->generate && !read_area (job, message)) {
    finish_confused (job, _("a region that is not in the picture"));
    return;
  }
  if (!image_is_there (job) || !source_is_there (job))
    return;
  pmt_estimate_read (message, &job->estimate);
  job->estimate.shrunk = job->shrunk;
  job->estimate.fixed = job->fixed;
  if (job->generate) {
    job->estimate.place_width = job->inputs->area.width;
    job->estimate.place_height = job->inputs->area.height;
  }
  job->estimate.everything = !job->generate && pmt_place_is_everything (&job->place, job->image);
  if (!pmt_place_bounds (&job->place, job->image, &canvas, &selection, &error))
    finish (job, error);
  else if (!pmt_rect_equal (&canvas, &job->inputs->canvas) || !pmt_rect_equal (&selection, &job->selection))
    ask_estimate (job);
  else if (job->generate)
    on_size (job, message);
  else
    go_on (job);
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

static void
show_preview (PmtJob *job, JsonObject *message, GBytes *payload, gboolean can_keep)
{
  JsonNode *node = json_object_get_member (message, "preview");
  JsonObject *size = node && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
  PmtJobPreview preview = { .can_keep = can_keep && !job->keeping };
  gint64 width = size ? json_object_get_int_member_with_default (size, "width", 0) : 0;
  gint64 height = size ? json_object_get_int_member_with_default (size, "height", 0) : 0;

  if (!job->handlers.preview)
    return;
  if (payload && width > 0 && height > 0 && width <= PREVIEW_BYTES && height <= PREVIEW_BYTES &&
      g_bytes_get_size (payload) == (gsize) (width * height * 3)) {
    preview.rgb = payload;
    preview.width = (int) width;
    preview.height = (int) height;
    preview.shape = (double) job->inputs->area.width / MAX (job->inputs->area.height, 1);
  }
  job->handlers.preview (job->user, &preview);
}

static void
on_progress (PmtJob *job, JsonObject *message, GBytes *payload)
{
  const char *stage = json_object_get_string_member_with_default (message, "stage", "");
  int step = (int) json_object_get_int_member_with_default (message, "step", 0);
  int of = (int) json_object_get_int_member_with_default (message, "of", 0);
  gint64 variant = json_object_get_int_member_with_default (message, "variant", 0);
  double fraction = json_object_get_double_member_with_default (message, "fraction", 0);
  double eta = json_object_get_double_member_with_default (message, "eta", -1);
  g_autofree char *text = stage_text (stage ? stage : "", step, of);
  g_autoptr (GString) line = g_string_new (text);

  if (job->keeping)
    g_string_append (line, _(", which is the last"));
  else if (job->variants > 1)
    g_string_append_printf (line, _(", picture %d of %d"), (int) CLAMP (variant + 1, 1, job->variants), job->variants);
  if (eta > 0 && eta < 86400) {
    g_autofree char *left = pmt_estimate_left (eta);
    g_string_append_printf (line, " · %s", left);
  }
  show_preview (job, message, payload, g_strcmp0 (stage, "sample") == 0 && step > 0);
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

/* Of those that DiffEdit makes, the one that it went by is shown. */
static void
on_map (PmtJob *job, JsonObject *message, GBytes *payload)
{
  const char *name = json_object_get_string_member_with_default (message, "name", NULL);
  PmtRect size;

  if (!name || !pixels_fit (message, payload, 1, &size) || !all_numbers (payload)) {
    finish_confused (job, _("a map that does not fit its size"));
    return;
  }
  if (g_str_equal (name, "diffedit"))
    return;
  if (!job->maps)
    job->maps = pmt_maps_new ();
  if (job->maps->len >= MOST_MAPS)
    finish_confused (job, _("more maps than a picture has"));
  else
    g_ptr_array_add (job->maps, pmt_map_new (name, size.width, size.height, payload, &job->inputs->area));
}

/* Where the picture was found to change becomes its layer's mask, unless the user gave one or wants it by itself. */
static gboolean
take_found_mask (PmtJob *job, GBytes **blend, GError **error)
{
  for (guint i = 0; job->maps && i < job->maps->len; i++) {
    const PmtMap *map = g_ptr_array_index (job->maps, i);
    if (!g_str_equal (map->name, PMT_MAP_CHANGED) || !job->generate || job->only_maps || *blend)
      continue;
    *blend = pmt_map_stretched (map, FALSE, error);
    g_ptr_array_remove_index (job->maps, i);
    return *blend != NULL;
  }
  return TRUE;
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

/* A generated picture has the run's size and is brought to its place's. NULL + error. */
static GBytes *
fitted (PmtJob *job, GBytes *payload, const PmtRect *size, PmtRect *box, GError **error)
{
  if (!job->generate)
    return g_bytes_ref (payload);
  *box = job->inputs->area;
  return pmt_resample (payload, size->width, size->height, box->width, box->height, error);
}

/* Where the picture says it belongs: in what was captured, or in a picture of its own. */
static gboolean
is_in_place (PmtJob *job, JsonObject *message, const PmtRect *size, PmtRect *box)
{
  return pmt_recipe_get_rect (message, "box", box) && box->width == size->width && box->height == size->height &&
         pmt_rect_holds (job->generate ? size : &job->inputs->area, box);
}

static gboolean
has_blend (PmtJob *job, const PmtRect *box)
{
  return job->generate || (job->blend && job->blend_size.width == box->width && job->blend_size.height == box->height);
}

static void
on_result (PmtJob *job, JsonObject *message, GBytes *payload)
{
  JsonNode *recipe = json_object_get_member (message, "recipe");
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) picture = NULL, blend = NULL;
  PmtResult *result;
  PmtRect size, box;

  if (!pixels_fit (message, payload, 4, &size) || !is_in_place (job, message, &size, &box) || !all_numbers (payload)) {
    finish_confused (job, _("a picture that does not fit its place"));
    return;
  }
  if (!has_blend (job, &box) || !recipe || !JSON_NODE_HOLDS_OBJECT (recipe)) {
    finish_confused (job, _("a picture without its mask or recipe"));
    return;
  }
  if (job->results->len >= (guint) job->variants) {
    finish_confused (job, _("more pictures than were asked for"));
    return;
  }
  picture = fitted (job, payload, &size, &box, &error);
  if (job->generate ? job->inputs->mask : job->blend)
    blend = g_bytes_ref (job->generate ? job->inputs->mask : job->blend);
  if (!picture || !take_found_mask (job, &blend, &error)) {
    finish (job, error);
    return;
  }
  result = pmt_result_new (&box, picture, blend, json_object_get_int_member_with_default (message, "seed", 0), json_node_get_object (recipe),
                           job->inputs);
  result->maps = g_steal_pointer (&job->maps);
  result->only_maps = job->only_maps;
  g_ptr_array_add (job->results, result);
  g_clear_pointer (&job->blend, g_bytes_unref);
  collect_notes (job, message);
  if (job->handlers.result)
    job->handlers.result (job->user, result, pmt_job_variants (job));
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
  if (job->results->len != (guint) job->variants && !(job->keeping && job->results->len > 0))
    finish_confused (job, _("fewer pictures than were asked for"));
  else
    finish (job, NULL);
}

static void
begin (PmtJob *job)
{
  if (!job->again)
    ask_estimate (job);
  else if (!image_is_there (job) || !source_is_there (job))
    return; /* which has been said */
  else if (job->only_ask)
    estimate_with (job);
  else
    send_job (job);
}

static void
on_names (PmtJob *job, JsonObject *message)
{
  JsonNode *node = json_object_get_member (message, "names");

  if (job->names)
    return;
  job->names = node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_dup_array (node) : json_array_new ();
  begin (job);
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
    on_progress (job, message, payload);
  else if (strcmp (type, "queued") == 0)
    on_queued (job, message);
  else if (strcmp (type, "names") == 0)
    on_names (job, message);
  else if (strcmp (type, "blob") == 0)
    on_blend (job, message, payload);
  else if (strcmp (type, "map") == 0)
    on_map (job, message, payload);
  else if (strcmp (type, "result") == 0)
    on_result (job, message, payload);
  else if (strcmp (type, "error") == 0)
    on_error (job, message);
  else if (strcmp (type, "done") == 0)
    on_done (job);
}

/* Learned words cost no more than others, so they do not matter to what is only asked. */
static void
on_ready (gpointer user, JsonObject *hello)
{
  PmtJob *job = user;
  JsonObject *message;

  if (!job->new_words || job->only_ask) {
    begin (job);
    return;
  }
  message = pmt_engine_message_new ("names", job->id);
  json_object_set_string_member (message, "kind", "embeddings");
  pmt_engine_client_send (job->client, message, NULL);
}

static void
on_failed (gpointer user, const GError *error)
{
  finish (user, error);
}

/* ---- the job ---- */

/* Takes recipe and inputs. */
static PmtJob *
job_new (GimpImage *image, GimpLayer *layer, JsonObject *recipe, PmtInputs *inputs, const PmtJobHandlers *handlers, gpointer user)
{
  const PmtEngineHandlers engine_handlers = { on_ready, on_message, on_failed };
  PmtJob *job = g_new0 (PmtJob, 1);

  job->image = g_object_ref (image);
  job->layer = layer ? g_object_ref (layer) : NULL;
  job->inputs = inputs;
  job->recipe = recipe;
  job->generate = g_strcmp0 (json_object_get_string_member_with_default (recipe, "task", ""), "generate") == 0;
  job->variants = (int) json_object_get_int_member (recipe, "variants");
  job->handlers = *handlers;
  job->preview = "linear";
  job->user = user;
  job->results = pmt_results_new ();
  job->notes = g_ptr_array_new_with_free_func (g_free);
  job->client = pmt_engine_client_new (&engine_handlers, job);
  return job;
}

void
pmt_job_show_as (PmtJob *job, GimpProcedureConfig *config)
{
  g_autofree char *preview = NULL;

  if (pmt_field_exists (config, "preview"))
    g_object_get (config, "preview", &preview, NULL);
  if (g_strcmp0 (preview, "off") == 0)
    job->preview = "none";
  else if (g_strcmp0 (preview, "exact") == 0)
    job->preview = "decoded";
}

/* How it is done, and shown. */
static void
read_manner (PmtJob *job, GimpProcedureConfig *config)
{
  if (pmt_field_exists (config, "shrink-to-fit"))
    g_object_get (config, "shrink-to-fit", &job->shrink, NULL);
  pmt_job_show_as (job, config);
}

PmtJob *
pmt_job_start (GimpImage *image, GimpDrawable **drawables, GimpProcedureConfig *config, const PmtJobHandlers *handlers, gpointer user,
               GError **error)
{
  g_autofree char *source_name = NULL;
  const gboolean generate = pmt_field_exists (config, "boxes-from-paths");
  GPtrArray *controls = NULL;
  PmtBoxes *boxes = NULL;
  PmtPlace place;
  JsonObject *recipe;
  PmtInputs *inputs;
  PmtSource source;
  PmtJob *job;

  g_object_get (config, "source", &source_name, NULL);
  source = pmt_source_from_name (source_name);
  if (!pmt_capture_check (image, drawables, source == PMT_SOURCE_LAYER, error) || !pmt_conflicts_check (config, error))
    return NULL;
  if (!pmt_place_from_config (&place, config, image, drawables, source == PMT_SOURCE_LAYER ? pmt_capture_active_layer (image, drawables) : NULL,
                              error))
    return NULL;
  recipe = pmt_recipe_from_config (config, error);
  if (!recipe) {
    pmt_place_clear (&place);
    return NULL;
  }
  if (generate && (!pmt_boxes_read (config, image, &boxes, error) || !(controls = pmt_controls_from_config (config, image, recipe, error)))) {
    pmt_boxes_free (boxes);
    pmt_place_clear (&place);
    json_object_unref (recipe);
    return NULL;
  }

  inputs = pmt_inputs_new ();
  inputs->source = source;
  inputs->asked = pmt_asked_new (config);
  if (source == PMT_SOURCE_LAYER || place.kind == PMT_MASK_LAYER_MASK) {
    inputs->layer = g_object_ref (pmt_capture_active_layer (image, drawables));
    inputs->layer_name = gimp_item_get_name (GIMP_ITEM (inputs->layer));
  }
  if (controls) {
    g_ptr_array_unref (inputs->controls);
    inputs->controls = controls;
  }
  job = job_new (image, pmt_capture_active_layer (image, drawables), recipe, inputs, handlers, user);
  read_manner (job, config);
  job->new_words = TRUE;
  job->boxes = boxes;
  job->place = place;
  job->slim = pmt_mode_of (config) && pmt_mode_of (config)->slim;
  inputs->before = pmt_place_before (&place, image);
  job->wide = pmt_wishes_wide (config);
  if (generate)
    g_object_get (config, "width", &job->want_width, "height", &job->want_height, NULL);
  return job;
}

/* What a recipe needs of the image before it runs again. */
static gboolean
check_again (GimpImage *image, const PmtInputs *inputs, const PmtAgain *how, GError **error)
{
  PmtRect canvas, selection;

  if (!gimp_image_is_valid (image))
    return pmt_capture_check (image, NULL, FALSE, error); /* which says so */
  if (inputs->source == PMT_SOURCE_LAYER && !inputs->layer) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("The layer “%s” that the recipe worked on is no longer in the image: bring back a layer of that name, or make the job anew."),
                 inputs->layer_name);
    return FALSE;
  }
  if (how->here || pmt_inputs_grow (inputs, image))
    return pmt_capture_check (image, NULL, FALSE, error);
  pmt_capture_bounds (image, &canvas, &selection);
  if (!pmt_rect_equal (&canvas, &inputs->canvas)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("The recipe was made when the image was %d×%d pixels and it is %d×%d now: make the job anew, or undo the change of size."),
                 inputs->canvas.width, inputs->canvas.height, canvas.width, canvas.height);
    return FALSE;
  }
  return TRUE;
}

/* As wide as was right for the size of the other place. */
static void
forget_edge (JsonObject *region)
{
  json_object_set_double_member (region, "grow", -1);
  json_object_set_double_member (region, "feather", -1);
}

/* What belongs to the place where the recipe ran. */
static void
forget_place (JsonObject *recipe)
{
  static const char *const members[] = { "size", "image-hash", "mask-hash" };
  JsonNode *region = json_object_get_member (recipe, "region");

  for (gsize i = 0; i < G_N_ELEMENTS (members); i++)
    json_object_remove_member (recipe, members[i]);
  if (g_strcmp0 (json_object_get_string_member_with_default (recipe, "task", ""), "generate") == 0)
    json_object_remove_member (recipe, "region"); /* a picture of its own has none */
  else if (!region || !JSON_NODE_HOLDS_OBJECT (region))
    json_object_set_object_member (recipe, "region", json_object_new ());
  else
    forget_edge (json_node_get_object (region));
}

/* The layer that a picture continues, and those that this one continued in its turn. */
static GHashTable *
seen_layers (GimpImage *image, guint tattoo)
{
  GHashTable *seen = tattoo ? g_hash_table_new (NULL, NULL) : NULL;

  while (tattoo && g_hash_table_add (seen, GUINT_TO_POINTER (tattoo))) {
    GimpLayer *layer = gimp_image_get_layer_by_tattoo (image, tattoo);
    tattoo = layer ? pmt_inputs_continued (GIMP_ITEM (layer)) : 0;
  }
  return seen;
}

/* The mode says what of the mask is painted, and how; a panorama is longer than the model's own pictures, and who edits by description looks at what is
 * around the place. */
static void
follow_recipe (PmtJob *job)
{
  const PmtMode *mode = pmt_mode_find (json_object_get_string_member_with_default (job->recipe, "mode", NULL));

  job->place.invert = mode && mode->invert;
  job->slim = mode && mode->slim;
  job->wide = job->generate && pmt_recipe_method (job->recipe, "multidiffusion");
  job->whole = strcmp (pmt_recipe_procedure (job->recipe, job->inputs), PMT_PROCEDURE_DESCRIBE) == 0;
}

PmtJob *
pmt_job_start_recipe (GimpImage *image, GimpLayer *above, JsonObject *recipe, PmtInputs *inputs, const PmtAgain *how,
                      const PmtJobHandlers *handlers, gpointer user, GError **error)
{
  PmtJob *job;

  if (!check_again (image, inputs, how, error)) {
    pmt_inputs_free (inputs);
    json_object_unref (recipe);
    return NULL;
  }
  if (how->seed >= 0)
    json_object_set_int_member (recipe, "seed", how->seed);
  json_object_set_int_member (recipe, "variants", how->variants);
  if (how->here) {
    forget_place (recipe);
    inputs->before = (PmtRect) { 0 }; /* the canvas grew for the place that it had */
  }
  job = job_new (image, above, recipe, inputs, handlers, user);
  job->again = !how->here;
  job->fixed = TRUE;
  job->new_words = how->new_words;
  if (how->here)
    follow_recipe (job);
  if (job->again && pmt_inputs_grow (inputs, image)) {
    job->place.left = inputs->before.x;
    job->place.top = inputs->before.y;
  }
  job->hidden = inputs->origin;
  job->continues = how->seen != NULL;
  if (how->seen)
    inputs->continued = gimp_item_get_tattoo (GIMP_ITEM (how->seen));
  job->seen = seen_layers (image, inputs->continued);
  return job;
}

PmtJob *
pmt_job_start_again (GimpLayer *layer, const PmtAgain *how, const PmtJobHandlers *handlers, gpointer user, GError **error)
{
  JsonObject *recipe = pmt_recipe_of_layer (layer, error);
  PmtInputs *inputs = recipe ? pmt_inputs_read (layer, error) : NULL;

  if (inputs)
    return pmt_job_start_recipe (gimp_item_get_image (GIMP_ITEM (layer)), layer, recipe, inputs, how, handlers, user, error);
  g_clear_pointer (&recipe, json_object_unref);
  return NULL;
}

void
pmt_job_forget (PmtJob *job)
{
  job->inputs->asked = pmt_asked_forget (job->inputs->asked);
}

void
pmt_job_only_ask (PmtJob *job)
{
  job->only_ask = TRUE;
}

void
pmt_job_set_aim (PmtJob *job, gboolean whole, gboolean only_maps)
{
  job->whole = whole;
  job->only_maps = only_maps;
  job->fixed = job->fixed && !whole; /* the size follows from the canvas */
}

void
pmt_job_shrink (PmtJob *job)
{
  job->shrink = !job->fixed;
}

const PmtEstimate *
pmt_job_estimate (PmtJob *job)
{
  return job->estimated ? &job->estimate : NULL;
}

void
pmt_job_keep (PmtJob *job)
{
  if (job->over || job->keeping)
    return;
  job->keeping = TRUE;
  pmt_engine_client_send (job->client, pmt_engine_message_new ("keep", job->id), NULL);
}

void
pmt_job_free (PmtJob *job)
{
  if (!job)
    return;
  job->over = TRUE;
  g_clear_pointer (&job->client, pmt_engine_client_free);
  g_clear_pointer (&job->blend, g_bytes_unref);
  g_clear_pointer (&job->maps, g_ptr_array_unref);
  g_clear_pointer (&job->names, json_array_unref);
  g_ptr_array_unref (job->results);
  g_ptr_array_unref (job->notes);
  json_object_unref (job->recipe);
  pmt_boxes_free (job->boxes);
  pmt_place_clear (&job->place);
  g_clear_pointer (&job->seen, g_hash_table_unref);
  pmt_inputs_free (job->inputs);
  g_clear_object (&job->layer);
  g_object_unref (job->image);
  g_free (job);
}

GPtrArray *
pmt_job_results (PmtJob *job)
{
  return job->results;
}

int
pmt_job_variants (PmtJob *job)
{
  return job->keeping ? (int) job->results->len : job->variants;
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
