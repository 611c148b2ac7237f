/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/inputs.h"

#include <gio/gio.h>
#include <glib/gi18n.h>
#include <json-glib/json-glib.h>
#include <string.h>

#include "plugin/controls.h"
#include "plugin/error.h"
#include "plugin/recipe.h"

static const char *const sources[] = { [PMT_SOURCE_NONE] = "none", [PMT_SOURCE_VISIBLE] = "visible", [PMT_SOURCE_LAYER] = "layer" };
static const char *const control_sources[] = { [PMT_CONTROL_LAYER] = "layer", [PMT_CONTROL_VISIBLE] = "visible",
                                               [PMT_CONTROL_STROKES] = "strokes" };

PmtInputs *
pmt_inputs_new (void)
{
  PmtInputs *inputs = g_new0 (PmtInputs, 1);

  inputs->source = PMT_SOURCE_VISIBLE;
  inputs->references = 1;
  inputs->controls = g_ptr_array_new_with_free_func ((GDestroyNotify) pmt_control_free);
  return inputs;
}

PmtInputs *
pmt_inputs_ref (PmtInputs *inputs)
{
  inputs->references++;
  return inputs;
}

PmtInputs *
pmt_inputs_copy (const PmtInputs *inputs)
{
  PmtInputs *copy = g_memdup2 (inputs, sizeof *inputs);

  copy->references = 1;
  copy->layer = inputs->layer ? g_object_ref (inputs->layer) : NULL;
  copy->layer_name = g_strdup (inputs->layer_name);
  copy->controls = g_ptr_array_ref (inputs->controls);
  copy->asked = inputs->asked ? json_object_ref (inputs->asked) : NULL;
  copy->mask = inputs->mask ? g_bytes_ref (inputs->mask) : NULL;
  return copy;
}

void
pmt_inputs_free (PmtInputs *inputs)
{
  if (!inputs || --inputs->references > 0)
    return;
  g_clear_object (&inputs->layer);
  g_free (inputs->layer_name);
  g_ptr_array_unref (inputs->controls);
  g_clear_pointer (&inputs->mask, g_bytes_unref);
  g_clear_pointer (&inputs->asked, json_object_unref);
  g_free (inputs);
}

PmtSource
pmt_source_from_name (const char *name)
{
  for (int i = 0; i < (int) G_N_ELEMENTS (sources); i++)
    if (g_strcmp0 (name, sources[i]) == 0)
      return (PmtSource) i;
  return PMT_SOURCE_VISIBLE;
}

const char *
pmt_source_name (PmtSource source)
{
  return sources[source];
}

/* ---- writing ---- */

/* All bytes through a converter; NULL when it refuses them. */
static GBytes *
convert (GBytes *bytes, GConverter *converter)
{
  g_autoptr (GInputStream) from = g_memory_input_stream_new_from_bytes (bytes);
  g_autoptr (GInputStream) through = g_converter_input_stream_new (from, converter);
  g_autoptr (GOutputStream) into = g_memory_output_stream_new_resizable ();

  if (g_output_stream_splice (into, through, G_OUTPUT_STREAM_SPLICE_CLOSE_TARGET, NULL, NULL) < 0)
    return NULL;
  return g_memory_output_stream_steal_as_bytes (G_MEMORY_OUTPUT_STREAM (into));
}

static char *
pack (GBytes *mask)
{
  g_autoptr (GZlibCompressor) compressor = g_zlib_compressor_new (G_ZLIB_COMPRESSOR_FORMAT_ZLIB, -1);
  g_autoptr (GBytes) packed = convert (mask, G_CONVERTER (compressor));

  return packed ? g_base64_encode (g_bytes_get_data (packed, NULL), g_bytes_get_size (packed)) : NULL;
}

static void
set_layer (JsonObject *object, GimpLayer *layer, const char *name)
{
  JsonObject *place = json_object_new ();

  if (layer && gimp_item_is_valid (GIMP_ITEM (layer)))
    json_object_set_int_member (place, "tattoo", gimp_item_get_tattoo (GIMP_ITEM (layer)));
  json_object_set_string_member (place, "name", name ? name : "");
  json_object_set_object_member (object, "layer", place);
}

static void
set_ints (JsonObject *object, const char *member, const int *values, int n)
{
  JsonArray *array = json_array_new ();

  for (int i = 0; i < n; i++)
    json_array_add_int_element (array, values[i]);
  json_object_set_array_member (object, member, array);
}

static JsonArray *
controls_to_json (GPtrArray *controls)
{
  JsonArray *array = json_array_new ();

  for (guint i = 0; i < controls->len; i++) {
    const PmtControl *control = g_ptr_array_index (controls, i);
    JsonObject *object = json_object_new ();
    json_object_set_string_member (object, "image", control->blob);
    json_object_set_string_member (object, "source", control_sources[control->source]);
    if (control->source == PMT_CONTROL_LAYER)
      set_layer (object, control->layer, control->layer_name);
    json_array_add_object_element (array, object);
  }
  return array;
}

gboolean
pmt_inputs_grow (const PmtInputs *inputs, GimpImage *image)
{
  const PmtRect *before = &inputs->before;

  return before->width && gimp_image_get_width (image) == before->width && gimp_image_get_height (image) == before->height;
}

JsonObject *
pmt_inputs_to_json (PmtInputs *inputs)
{
  g_autofree char *mask = inputs->mask ? pack (inputs->mask) : NULL;
  const PmtRect *area = &inputs->area, *before = &inputs->before;
  JsonObject *object = json_object_new ();

  json_object_set_string_member (object, "source", sources[inputs->source]);
  if (inputs->source == PMT_SOURCE_LAYER || inputs->layer_name)
    set_layer (object, inputs->layer, inputs->layer_name);
  set_ints (object, "canvas", (int[]) { inputs->canvas.width, inputs->canvas.height }, 2);
  set_ints (object, "area", (int[]) { area->x, area->y, area->width, area->height }, 4);
  if (before->width)
    set_ints (object, "before", (int[]) { before->x, before->y, before->width, before->height }, 4);
  if (mask)
    json_object_set_string_member (object, "mask", mask);
  if (inputs->signed_picture)
    json_object_set_double_member (object, "sign", inputs->sign);
  json_object_set_int_member (object, "origin", inputs->origin);
  if (inputs->continued)
    json_object_set_int_member (object, "continued", inputs->continued);
  json_object_set_array_member (object, "controls", controls_to_json (inputs->controls));
  if (inputs->asked)
    json_object_set_object_member (object, "asked", json_object_ref (inputs->asked));
  return object;
}

void
pmt_inputs_attach (PmtInputs *inputs, GimpItem *item)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);

  if (!inputs->origin)
    inputs->origin = gimp_item_get_tattoo (item);
  json_node_take_object (node, pmt_inputs_to_json (inputs));
  pmt_recipe_attach_json (node, PMT_INPUTS_PARASITE, item);
}

/* ---- reading ---- */

/* By tattoo, which XCF keeps, else by name. New reference or NULL; *name is newly allocated. */
static GimpLayer *
find_layer (JsonObject *object, GimpImage *image, char **name)
{
  JsonNode *node = json_object_get_member (object, "layer");
  JsonObject *place = node && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
  gint64 tattoo = place ? json_object_get_int_member_with_default (place, "tattoo", 0) : 0;
  GimpLayer *layer = NULL;

  *name = g_strdup (place ? json_object_get_string_member_with_default (place, "name", "") : "");
  if (tattoo > 0 && tattoo <= G_MAXUINT32)
    layer = gimp_image_get_layer_by_tattoo (image, (guint) tattoo);
  if (!layer && (*name)[0])
    layer = gimp_image_get_layer_by_name (image, *name);
  return layer ? g_object_ref (layer) : NULL;
}

static void
read_controls (PmtInputs *inputs, JsonObject *object, GimpImage *image)
{
  JsonNode *node = json_object_get_member (object, "controls");
  JsonArray *array = node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;

  for (guint i = 0; array && i < json_array_get_length (array); i++) {
    JsonNode *element = json_array_get_element (array, i);
    JsonObject *entry = JSON_NODE_HOLDS_OBJECT (element) ? json_node_get_object (element) : NULL;
    const char *source = entry ? json_object_get_string_member_with_default (entry, "source", "") : "";
    for (int kind = 0; kind < (int) G_N_ELEMENTS (control_sources); kind++)
      if (g_strcmp0 (source, control_sources[kind]) == 0) {
        PmtControl *control = pmt_control_new (json_object_get_string_member_with_default (entry, "image", ""), (PmtControlSource) kind, NULL);
        if (kind == PMT_CONTROL_LAYER)
          control->layer = find_layer (entry, image, &control->layer_name);
        g_ptr_array_add (inputs->controls, control);
      }
  }
}

static GBytes *
unpack (const char *text, const PmtRect *area)
{
  g_autoptr (GZlibDecompressor) decompressor = g_zlib_decompressor_new (G_ZLIB_COMPRESSOR_FORMAT_ZLIB);
  gsize length;
  guchar *data = g_base64_decode (text, &length);
  g_autoptr (GBytes) packed = g_bytes_new_take (data, length);
  GBytes *mask = convert (packed, G_CONVERTER (decompressor));

  if (mask && g_bytes_get_size (mask) != (gsize) area->width * (gsize) area->height * sizeof (float))
    g_clear_pointer (&mask, g_bytes_unref);
  return mask;
}

static JsonNode *
parse (GimpItem *item)
{
  g_autofree char *text = pmt_recipe_parasite_text (item, PMT_INPUTS_PARASITE);
  JsonNode *node = text ? json_from_string (text, NULL) : NULL;

  if (node && !JSON_NODE_HOLDS_OBJECT (node))
    g_clear_pointer (&node, json_node_unref);
  return node;
}

static guint
read_tattoo (JsonObject *object, const char *member)
{
  gint64 tattoo = json_object_get_int_member_with_default (object, member, 0);

  return tattoo > 0 && tattoo <= G_MAXUINT32 ? (guint) tattoo : 0;
}

static guint
tattoo_of (GimpItem *item, const char *member)
{
  g_autoptr (JsonNode) node = parse (item);

  return node ? read_tattoo (json_node_get_object (node), member) : 0;
}

guint
pmt_inputs_origin (GimpItem *item)
{
  return tattoo_of (item, "origin");
}

guint
pmt_inputs_continued (GimpItem *item)
{
  return tattoo_of (item, "continued");
}

/* The canvas's origin is 0, 0. */
static gboolean
read_canvas (JsonObject *object, PmtRect *canvas)
{
  JsonNode *node = json_object_get_member (object, "canvas");
  JsonArray *array = node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;

  if (!array || json_array_get_length (array) != 2)
    return FALSE;
  *canvas = (PmtRect) { 0, 0, (int) json_array_get_int_element (array, 0), (int) json_array_get_int_element (array, 1) };
  return canvas->width > 0 && canvas->height > 0 && canvas->width <= GIMP_MAX_IMAGE_SIZE && canvas->height <= GIMP_MAX_IMAGE_SIZE;
}

static JsonObject *
read_asked (JsonObject *object)
{
  JsonNode *node = json_object_get_member (object, "asked");

  return node && JSON_NODE_HOLDS_OBJECT (node) ? json_node_dup_object (node) : NULL;
}

static void
set_unknown (const char *name, GError **error)
{
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
               _("The layer “%s” does not say which parts of the picture its recipe worked on: make it anew with the same prompt and seed."), name);
}

PmtInputs *
pmt_inputs_from_json (JsonObject *object, GimpImage *image, const char *name, GError **error)
{
  PmtInputs *inputs = pmt_inputs_new ();
  const char *mask;

  if (!read_canvas (object, &inputs->canvas) || !pmt_recipe_get_rect (object, "area", &inputs->area) ||
      !pmt_rect_holds (&inputs->canvas, &inputs->area)) {
    set_unknown (name, error);
    pmt_inputs_free (inputs);
    return NULL;
  }
  if (!pmt_recipe_get_rect (object, "before", &inputs->before) || !pmt_rect_holds (&inputs->canvas, &inputs->before))
    inputs->before = (PmtRect) { 0 };
  inputs->source = pmt_source_from_name (json_object_get_string_member_with_default (object, "source", ""));
  if (inputs->source == PMT_SOURCE_LAYER || json_object_has_member (object, "layer"))
    inputs->layer = find_layer (object, image, &inputs->layer_name);
  inputs->signed_picture = json_object_has_member (object, "sign");
  inputs->sign = json_object_get_double_member_with_default (object, "sign", 0);
  inputs->origin = read_tattoo (object, "origin");
  inputs->continued = read_tattoo (object, "continued");
  read_controls (inputs, object, image);
  inputs->asked = read_asked (object);
  mask = json_object_get_string_member_with_default (object, "mask", NULL);
  inputs->mask = mask ? unpack (mask, &inputs->area) : NULL;
  if (mask && !inputs->mask) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The selection kept with the layer “%s” is damaged: select the place and make the job anew."),
                 name);
    g_clear_pointer (&inputs, pmt_inputs_free);
  }
  return inputs;
}

PmtInputs *
pmt_inputs_read (GimpLayer *layer, GError **error)
{
  g_autoptr (JsonNode) node = parse (GIMP_ITEM (layer));
  g_autofree char *name = gimp_item_get_name (GIMP_ITEM (layer));

  if (node)
    return pmt_inputs_from_json (json_node_get_object (node), gimp_item_get_image (GIMP_ITEM (layer)), name, error);
  set_unknown (name, error);
  return NULL;
}
