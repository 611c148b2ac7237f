/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/controls.h"

#include <glib/gi18n.h>
#include <string.h>

#include "plugin/capture.h"
#include "plugin/error.h"
#include "plugin/paths.h"
#include "ui/fields.h"

/* The engine's types of control, in its order, and one of ours: a picture to take after is a reference in the recipe. */
const char *const pmt_control_types[][2] = {
  { "canny", N_("Canny edges") },
  { "scribble", N_("Scribble") },
  { "sketch", N_("Sketch") },
  { "lineart", N_("Line art") },
  { "softedge", N_("Soft edges") },
  { "mlsd", N_("Straight lines") },
  { "depth", N_("Depth") },
  { "normal", N_("Surface normals") },
  { "seg", N_("Segments") },
  { "openpose", N_("Pose") },
  { "color", N_("Colours") },
  { "inpaint", N_("Inpainting") },
  { "tile", N_("Tile") },
  { "shuffle", N_("Shuffle") },
  { "ip2p", N_("Instruction") },
  { "other", N_("Other") },
  { "reference", N_("Picture to take after") },
  { NULL, NULL },
};

static const char *const sources[] = { [PMT_CONTROL_LAYER] = "layer", [PMT_CONTROL_VISIBLE] = "visible", [PMT_CONTROL_STROKES] = "strokes" };

char *
pmt_controls_argument (const char *name, int n)
{
  return n ? g_strdup_printf ("control-%s-%d", name, n + 1) : g_strdup_printf ("control-%s", name);
}

const char *
pmt_controls_source (PmtControlSource source)
{
  return sources[source];
}

gboolean
pmt_controls_used (GObject *config, int n)
{
  g_autofree char *source_argument = pmt_controls_argument ("source", n), *layer_argument = pmt_controls_argument ("layer", n), *source = NULL;
  g_autoptr (GimpLayer) layer = NULL;

  if (!pmt_field_exists (config, layer_argument))
    return FALSE;
  g_object_get (config, source_argument, &source, layer_argument, &layer, NULL);
  return layer || g_strcmp0 (source, "visible") == 0 || g_strcmp0 (source, "strokes") == 0;
}

gboolean
pmt_controls_follow (GObject *config)
{
  for (int n = 0; n < PMT_CONTROLS; n++) {
    g_autofree char *argument = pmt_controls_argument ("type", n), *type = NULL;
    if (!pmt_controls_used (config, n))
      continue;
    g_object_get (config, argument, &type, NULL);
    if (g_strcmp0 (type, "reference") != 0)
      return TRUE;
  }
  return FALSE;
}

static void
add_arguments (GimpProcedure *procedure, int n)
{
  g_autofree char *source = pmt_controls_argument ("source", n), *layer = pmt_controls_argument ("layer", n);
  g_autofree char *type = pmt_controls_argument ("type", n), *model = pmt_controls_argument ("model", n);
  g_autofree char *preprocess = pmt_controls_argument ("preprocess", n), *strength = pmt_controls_argument ("strength", n);
  g_autofree char *start = pmt_controls_argument ("start", n), *end = pmt_controls_argument ("end", n);
  GimpChoice *types = gimp_choice_new ();

  for (gsize i = 0; pmt_control_types[i][0]; i++)
    gimp_choice_add (types, pmt_control_types[i][0], (int) i, _(pmt_control_types[i][1]), NULL);
  gimp_procedure_add_choice_argument (
      procedure, source, _("Control from"), _("Where the control picture comes from; without a layer, “layer” means none"),
      gimp_choice_new_with_values ("layer", PMT_CONTROL_LAYER, _("A layer"), NULL, "visible", PMT_CONTROL_VISIBLE, _("The visible picture"),
                                   NULL, "strokes", PMT_CONTROL_STROKES, _("The open paths"), NULL, NULL),
      "layer", G_PARAM_READWRITE);
  gimp_procedure_add_layer_argument (procedure, layer, _("Control layer"), _("A layer or group whose picture steers what is painted"), TRUE,
                                     G_PARAM_READWRITE);
  gimp_procedure_add_choice_argument (procedure, type, _("Control type"), _("What the control picture shows"), types, "scribble",
                                      G_PARAM_READWRITE);
  gimp_procedure_add_string_argument (procedure, model, _("Control network"), _("File or folder of a ControlNet, T2I-Adapter or IP-Adapter"), "",
                                      G_PARAM_READWRITE);
  gimp_procedure_add_string_argument (procedure, preprocess, _("Preprocess"),
                                      _("Makes the control picture out of an ordinary one, as ID or ID:key=value; empty: it is one already"), "",
                                      G_PARAM_READWRITE);
  gimp_procedure_add_double_argument (procedure, strength, _("Control strength"), _("How strongly the control picture steers"), 0, 10, 1,
                                      G_PARAM_READWRITE);
  gimp_procedure_add_double_argument (procedure, start, _("Control from step"), _("Part of the run after which it acts"), 0, 1, 0,
                                      G_PARAM_READWRITE);
  gimp_procedure_add_double_argument (procedure, end, _("Control until step"), _("Part of the run until which it acts"), 0, 1, 1,
                                      G_PARAM_READWRITE);
}

void
pmt_controls_add_arguments (GimpProcedure *procedure)
{
  for (int n = 0; n < PMT_CONTROLS; n++)
    add_arguments (procedure, n);
}

PmtControl *
pmt_control_new (const char *blob, PmtControlSource source, GimpLayer *layer)
{
  PmtControl *control = g_new0 (PmtControl, 1);

  control->blob = g_strdup (blob);
  control->source = source;
  if (layer) {
    control->layer = g_object_ref (layer);
    control->layer_name = gimp_item_get_name (GIMP_ITEM (layer));
  }
  return control;
}

void
pmt_control_free (PmtControl *control)
{
  if (!control)
    return;
  g_clear_object (&control->layer);
  g_free (control->layer_name);
  g_free (control->blob);
  g_free (control);
}

/* The n-th control's entry in the recipe. New reference. */
static JsonObject *
describe (GimpProcedureConfig *config, int n, const char *blob, gboolean reference)
{
  static const char *const numbers[] = { "strength", "start", "end" };
  static const char *const strings[] = { "type", "model", "preprocess" };
  JsonObject *object = json_object_new ();

  json_object_set_string_member (object, "image", blob);
  for (gsize i = 0; i < G_N_ELEMENTS (strings); i++) {
    g_autofree char *argument = pmt_controls_argument (strings[i], n), *value = NULL;
    g_object_get (config, argument, &value, NULL);
    if (value && value[0] && (!reference || strcmp (strings[i], "model") == 0))
      json_object_set_string_member (object, strings[i], value);
  }
  for (gsize i = 0; i < G_N_ELEMENTS (numbers); i++) {
    g_autofree char *argument = pmt_controls_argument (numbers[i], n);
    double value = 0;
    g_object_get (config, argument, &value, NULL);
    json_object_set_double_member (object, numbers[i], value);
  }
  return object;
}

/* *control is NULL when the n-th one is off. */
static gboolean
read_control (GimpProcedureConfig *config, GimpImage *image, int n, JsonArray *controls, JsonArray *references, PmtControl **control, GError **error)
{
  g_autofree char *source_argument = pmt_controls_argument ("source", n), *layer_argument = pmt_controls_argument ("layer", n);
  g_autofree char *type_argument = pmt_controls_argument ("type", n), *source = NULL, *type = NULL, *blob = NULL;
  g_autoptr (GimpLayer) layer = NULL;
  gboolean reference;
  JsonArray *array;
  int kind = 0;

  *control = NULL;
  g_object_get (config, source_argument, &source, layer_argument, &layer, type_argument, &type, NULL);
  for (int i = 0; i < (int) G_N_ELEMENTS (sources); i++)
    if (g_strcmp0 (source, sources[i]) == 0)
      kind = i;
  if (kind == PMT_CONTROL_LAYER && !layer)
    return TRUE;
  if (kind == PMT_CONTROL_LAYER && !gimp_item_is_valid (GIMP_ITEM (layer))) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The layer was removed: select another one and start again."));
    return FALSE;
  }
  if (kind == PMT_CONTROL_LAYER && gimp_item_get_image (GIMP_ITEM (layer)) != image) {
    g_autofree char *name = gimp_item_get_name (GIMP_ITEM (layer));
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The control layer “%s” belongs to another image: choose one of this image."), name);
    return FALSE;
  }
  reference = g_strcmp0 (type, "reference") == 0;
  array = reference ? references : controls;
  blob = g_strdup_printf ("%s-%u", reference ? "reference" : "control", json_array_get_length (array));
  *control = pmt_control_new (blob, (PmtControlSource) kind, kind == PMT_CONTROL_LAYER ? layer : NULL);
  json_array_add_object_element (array, describe (config, n, blob, reference));
  return TRUE;
}

GPtrArray *
pmt_controls_from_config (GimpProcedureConfig *config, GimpImage *image, JsonObject *recipe, GError **error)
{
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func ((GDestroyNotify) pmt_control_free);
  g_autoptr (JsonArray) controls = json_array_new (), references = json_array_new ();

  for (int n = 0; n < PMT_CONTROLS; n++) {
    PmtControl *control;
    if (!read_control (config, image, n, controls, references, &control, error))
      return NULL;
    if (control)
      g_ptr_array_add (found, control);
  }
  if (json_array_get_length (controls))
    json_object_set_array_member (recipe, "controls", g_steal_pointer (&controls));
  if (json_array_get_length (references))
    json_object_set_array_member (recipe, "references", g_steal_pointer (&references));
  return g_steal_pointer (&found);
}

static gboolean
check_layer (const PmtControl *control, GimpImage *image, const PmtRect *area, GError **error)
{
  int x = 0, y = 0;

  if (!control->layer || !gimp_item_is_valid (GIMP_ITEM (control->layer)) || gimp_item_get_image (GIMP_ITEM (control->layer)) != image) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("The control picture “%s” is no longer in the image: bring back a layer of that name, or make the job anew."),
                 control->layer_name ? control->layer_name : "");
    return FALSE;
  }
  gimp_drawable_get_offsets (GIMP_DRAWABLE (control->layer), &x, &y);
  if (x >= area->x + area->width || y >= area->y + area->height || x + gimp_drawable_get_width (GIMP_DRAWABLE (control->layer)) <= area->x ||
      y + gimp_drawable_get_height (GIMP_DRAWABLE (control->layer)) <= area->y) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The control layer “%s” is nowhere in the region: move it there, or choose another layer."),
                 control->layer_name);
    return FALSE;
  }
  return TRUE;
}

GBytes *
pmt_control_capture (const PmtControl *control, GimpImage *image, const PmtRect *area, GError **error)
{
  if (control->source == PMT_CONTROL_STROKES)
    return pmt_paths_strokes (image, area, error);
  if (control->source == PMT_CONTROL_VISIBLE)
    return pmt_capture_picture (image, NULL, area, error);
  return check_layer (control, image, area, error) ? pmt_capture_picture (image, control->layer, area, error) : NULL;
}
