/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/place.h"

#include <gegl.h>
#include <glib/gi18n.h>
#include <math.h>
#include <stdlib.h>

#include "plugin/capture.h"
#include "plugin/error.h"
#include "plugin/modes.h"
#include "plugin/paths.h"
#include "ui/fields.h"

/* Values that are looked at together for bounds. */
#define STRIP_VALUES (16 << 20)

static const char *const kinds[] = { [PMT_MASK_SELECTION] = "selection", [PMT_MASK_CHANNEL] = "channel", [PMT_MASK_PATH] = "path",
                                     [PMT_MASK_LAYER_MASK] = "layer-mask", [PMT_MASK_UNCOVERED] = "uncovered" };

/* ---- reading the arguments ---- */

/* An item of this image, or a sentence that names what was to be chosen. New reference. */
static gboolean
read_item (GimpProcedureConfig *config, const char *argument, GimpImage *image, const char *missing, gpointer item, GError **error)
{
  g_autoptr (GimpItem) found = NULL;

  g_object_get (config, argument, &found, NULL);
  if (!found && missing) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, missing);
    return FALSE;
  }
  if (found && (!gimp_item_is_valid (found) || gimp_item_get_image (found) != image)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("What was chosen for “%s” belongs to another image: choose something of this image."), argument);
    return FALSE;
  }
  *(GimpItem **) item = g_steal_pointer (&found);
  return TRUE;
}

static gboolean
read_layer_mask (PmtPlace *place, GimpImage *image, GimpDrawable **drawables, GError **error)
{
  GimpLayer *layer = pmt_capture_active_layer (image, drawables);

  if (!layer || !gimp_layer_get_mask (layer)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The active layer has no mask: add one, or choose another mask."));
    return FALSE;
  }
  place->item = g_object_ref (GIMP_ITEM (layer));
  return TRUE;
}

static gboolean
read_mask (PmtPlace *place, GimpProcedureConfig *config, GimpImage *image, GimpDrawable **drawables, GError **error)
{
  g_autofree char *name = NULL;

  g_object_get (config, "mask", &name, NULL);
  for (int i = 0; i < (int) G_N_ELEMENTS (kinds); i++)
    if (g_strcmp0 (name, kinds[i]) == 0)
      place->kind = (PmtMaskKind) i;
  switch (place->kind) {
    case PMT_MASK_CHANNEL:
      return read_item (config, "mask-channel", image, _("No channel is chosen as mask: choose one, or take the selection."), &place->item, error);
    case PMT_MASK_PATH:
      return read_item (config, "mask-path", image, _("No path is chosen as mask: choose one, or take the selection."), &place->item, error);
    case PMT_MASK_LAYER_MASK:
      return read_layer_mask (place, image, drawables, error);
    case PMT_MASK_SELECTION:
    case PMT_MASK_UNCOVERED:
      break;
  }
  return TRUE;
}

static void
read_growth (PmtPlace *place, GimpProcedureConfig *config, GimpImage *image)
{
  g_autofree char *unit = NULL;
  double left = 0, right = 0, top = 0, bottom = 0, across = 1, down = 1;

  g_object_get (config, "grow-left", &left, "grow-right", &right, "grow-top", &top, "grow-bottom", &bottom, "grow-unit", &unit, NULL);
  if (g_strcmp0 (unit, "percent") == 0) {
    across = gimp_image_get_width (image) / 100.0;
    down = gimp_image_get_height (image) / 100.0;
  }
  place->left = (int) lrint (left * across);
  place->right = (int) lrint (right * across);
  place->top = (int) lrint (top * down);
  place->bottom = (int) lrint (bottom * down);
}

static gboolean
grows (const PmtPlace *place)
{
  return place->left || place->right || place->top || place->bottom;
}

static gboolean
check_size (const PmtPlace *place, GimpImage *image, GError **error)
{
  const int width = gimp_image_get_width (image) + place->left + place->right;
  const int height = gimp_image_get_height (image) + place->top + place->bottom;

  if (width <= GIMP_MAX_IMAGE_SIZE && height <= GIMP_MAX_IMAGE_SIZE)
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("A canvas of %d×%d pixels is too large; sides can be at most %d pixels: expand by less."), width,
               height, GIMP_MAX_IMAGE_SIZE);
  return FALSE;
}

/* What a mode makes of the arguments. */
static void
follow_mode (PmtPlace *place, const PmtMode *mode, GimpImage *image)
{
  if (place->kind != PMT_MASK_SELECTION)
    return;
  if (mode->uncovered && (grows (place) || gimp_selection_is_empty (image)))
    place->kind = PMT_MASK_UNCOVERED;
}

static gboolean
read_context (PmtPlace *place, GimpProcedureConfig *config, GimpImage *image, GError **error)
{
  g_autofree char *context = NULL;

  g_object_get (config, "context", &context, NULL);
  return g_strcmp0 (context, "path") != 0 ||
         read_item (config, "context-path", image, _("No path is chosen for what is looked at: choose one, or take the automatic context."),
                    &place->context, error);
}

gboolean
pmt_place_from_config (PmtPlace *place, GimpProcedureConfig *config, GimpImage *image, GimpDrawable **drawables, GimpLayer *source, GError **error)
{
  const PmtMode *mode = pmt_mode_of (config);

  *place = (PmtPlace) { .kind = PMT_MASK_SELECTION };
  if (source)
    place->source = g_object_ref (source);
  if (pmt_field_exists (config, "grow-left"))
    read_growth (place, config, image);
  if ((pmt_field_exists (config, "mask") && !(read_mask (place, config, image, drawables, error) &&
                                 read_item (config, "protect", image, NULL, &place->protect, error) && read_context (place, config, image, error))) ||
      !check_size (place, image, error)) {
    pmt_place_clear (place);
    return FALSE;
  }
  if (mode) {
    follow_mode (place, mode, image);
    place->invert = mode->invert;
    place->unselected = mode->unselected;
  }
  return TRUE;
}

void
pmt_place_clear (PmtPlace *place)
{
  g_clear_object (&place->item);
  g_clear_object (&place->protect);
  g_clear_object (&place->source);
  g_clear_object (&place->context);
}

gboolean
pmt_place_is_plain (const PmtPlace *place)
{
  return place->kind == PMT_MASK_SELECTION && !place->protect && !place->invert && !grows (place);
}

gboolean
pmt_place_is_everything (const PmtPlace *place, GimpImage *image)
{
  return pmt_place_is_plain (place) && gimp_selection_is_empty (image);
}

PmtRect
pmt_place_in_image (const PmtPlace *place, const PmtRect *box)
{
  return (PmtRect) { box->x - place->left, box->y - place->top, box->width, box->height };
}

PmtRect
pmt_place_before (const PmtPlace *place, GimpImage *image)
{
  if (!grows (place))
    return (PmtRect) { 0 };
  return (PmtRect) { place->left, place->top, gimp_image_get_width (image), gimp_image_get_height (image) };
}

/* ---- pixels ---- */

static gboolean
is_there (gpointer item)
{
  return !item || gimp_item_is_valid (GIMP_ITEM (item));
}

static gboolean
check_items (const PmtPlace *place, GError **error)
{
  if (is_there (place->item) && is_there (place->protect) && is_there (place->source) && is_there (place->context))
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The mask, or the layer it was for, was removed before it was read: choose another one and start the job again."));
  return FALSE;
}

/* A saved channel holds the selection's numbers as they were, whatever encoding its format claims: those of an 8-bit picture say that they are
 * sRGB's. Converting them would make a half of them a fifth. */
static const Babl *
format_of (GimpDrawable *drawable)
{
  const char *encoding = babl_format_get_encoding (gimp_drawable_get_format (drawable));

  return babl_format (g_str_has_prefix (encoding, "Y'") ? "Y' float" : g_str_has_prefix (encoding, "Y~") ? "Y~ float" : "Y float");
}

/* box in image coordinates; 0 beyond the drawable's edges. */
static void
read_values (GimpDrawable *drawable, const PmtRect *box, float *values)
{
  g_autoptr (GeglBuffer) buffer = gimp_drawable_get_buffer (drawable);
  int x = 0, y = 0;

  gimp_drawable_get_offsets (drawable, &x, &y);
  gegl_buffer_get (buffer, GEGL_RECTANGLE (box->x - x, box->y - y, box->width, box->height), 1.0, format_of (drawable), values,
                   GEGL_AUTO_ROWSTRIDE, GEGL_ABYSS_NONE);
}

/* 1 - alpha of what is seen. */
static gboolean
read_uncovered (const PmtPlace *place, GimpImage *image, const PmtRect *box, float *values, GError **error)
{
  g_autoptr (GBytes) picture = pmt_capture_picture (image, place->source, box, error);
  const float *pixels = picture ? g_bytes_get_data (picture, NULL) : NULL;

  for (gsize i = 0; picture && i < (gsize) box->width * (gsize) box->height; i++)
    values[i] = 1 - pixels[4 * i + 3];
  return picture != NULL;
}

static gboolean
read_kind (const PmtPlace *place, GimpImage *image, const PmtRect *box, float *values, GError **error)
{
  switch (place->kind) {
    case PMT_MASK_SELECTION:
      if (gimp_selection_is_empty (image))
        for (gsize i = 0; i < (gsize) box->width * (gsize) box->height; i++)
          values[i] = 1;
      else
        read_values (GIMP_DRAWABLE (gimp_image_get_selection (image)), box, values);
      return TRUE;
    case PMT_MASK_CHANNEL:
      read_values (GIMP_DRAWABLE (place->item), box, values);
      return TRUE;
    case PMT_MASK_LAYER_MASK:
      if (gimp_layer_get_mask (GIMP_LAYER (place->item)))
        read_values (GIMP_DRAWABLE (gimp_layer_get_mask (GIMP_LAYER (place->item))), box, values);
      return TRUE;
    case PMT_MASK_PATH:
      return pmt_path_fill (GIMP_PATH (place->item), box, values, error);
    case PMT_MASK_UNCOVERED:
      break;
  }
  return read_uncovered (place, image, box, values, error);
}

static gboolean
read_place (const PmtPlace *place, GimpImage *image, const PmtRect *canvas_box, float *values, GError **error)
{
  const PmtRect box = pmt_place_in_image (place, canvas_box);
  const gsize n = (gsize) box.width * (gsize) box.height;
  float *kept = NULL;

  if (!read_kind (place, image, &box, values, error))
    return FALSE;
  if (place->protect) {
    kept = malloc (n * sizeof (float));
    if (!kept) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_MEMORY, _("There is no memory for %d×%d pixels (%lu MB): select a smaller region."), box.width,
                   box.height, (gulong) (n * sizeof (float)) >> 20);
      return FALSE;
    }
    read_values (GIMP_DRAWABLE (place->protect), &box, kept);
  }
  for (gsize i = 0; i < n; i++) {
    float value = values[i] > 0 ? fminf (values[i], 1) : 0; /* a value that is no number becomes 0 too */
    if (place->invert)
      value = 1 - value;
    if (kept)
      value *= 1 - (kept[i] > 0 ? fminf (kept[i], 1) : 0);
    values[i] = value;
  }
  free (kept);
  return TRUE;
}

static float *
values_new (const PmtRect *box, GError **error)
{
  const gsize size = (gsize) box->width * (gsize) box->height * sizeof (float);
  float *values = calloc (1, size);

  if (!values)
    g_set_error (error, PMT_ERROR, PMT_ERROR_MEMORY, _("There is no memory for %d×%d pixels (%lu MB): select a smaller region."), box->width,
                 box->height, (gulong) size >> 20);
  return values;
}

GBytes *
pmt_place_mask (const PmtPlace *place, GimpImage *image, const PmtRect *box, gboolean *everything, GError **error)
{
  float *values;

  *everything = pmt_place_is_everything (place, image);
  if (!check_items (place, error) || !(values = values_new (box, error)))
    return NULL;
  if (!read_place (place, image, box, values, error)) {
    free (values);
    return NULL;
  }
  return g_bytes_new_with_free_func (values, (gsize) box->width * (gsize) box->height * sizeof (float), free, values);
}

/* ---- bounds ---- */

static void
extend (PmtRect *bounds, const PmtRect *strip, const float *values)
{
  for (int y = 0; y < strip->height; y++) {
    const float *row = values + (gsize) y * (gsize) strip->width;
    int first = 0, last = strip->width - 1, right;
    while (first < strip->width && !(row[first] > 0))
      first++;
    if (first == strip->width)
      continue;
    while (!(row[last] > 0))
      last--;
    if (!bounds->width) {
      *bounds = (PmtRect) { first, strip->y + y, last - first + 1, 1 };
      continue;
    }
    right = MAX (bounds->x + bounds->width, last + 1);
    bounds->x = MIN (bounds->x, first);
    bounds->width = right - bounds->x;
    bounds->height = strip->y + y + 1 - bounds->y;
  }
}

static gboolean
find_bounds (const PmtPlace *place, GimpImage *image, const PmtRect *canvas, PmtRect *bounds, GError **error)
{
  const int rows = CLAMP (STRIP_VALUES / canvas->width, 1, canvas->height);
  PmtRect strip = { 0, 0, canvas->width, rows };
  float *values = values_new (&strip, error);
  gboolean good = values != NULL;

  *bounds = (PmtRect) { 0 };
  for (; good && strip.y < canvas->height; strip.y += rows) {
    strip.height = MIN (rows, canvas->height - strip.y);
    good = read_place (place, image, &strip, values, error);
    if (good)
      extend (bounds, &strip, values);
  }
  free (values);
  return good;
}

static void
say_nothing_left (const PmtPlace *place, GimpImage *image, GError **error)
{
  const char *said;

  if (place->kind == PMT_MASK_UNCOVERED)
    said = _("The picture is opaque everywhere, so there is nowhere to expand to: say by how much each side shall grow, or select a part.");
  else if (place->invert && gimp_selection_is_empty (image) && place->kind == PMT_MASK_SELECTION)
    said = _("Nothing is selected: select what shall stay, then all the rest is replaced.");
  else if (place->invert)
    said = _("The mask covers the whole picture, so no background is left: select less.");
  else if (place->protect)
    said = _("What is to be painted is empty or protected as a whole: choose another mask, or another channel to protect.");
  else
    said = _("The mask is empty: paint in it, or choose another mask.");
  g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, said);
}

gboolean
pmt_place_bounds (const PmtPlace *place, GimpImage *image, PmtRect *canvas, PmtRect *bounds, GError **error)
{
  pmt_capture_bounds (image, canvas, bounds);
  if (place->unselected && pmt_place_is_everything (place, image)) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, _(place->unselected));
    return FALSE;
  }
  if (pmt_place_is_plain (place))
    return TRUE;
  if (!check_items (place, error))
    return FALSE;
  canvas->width += place->left + place->right;
  canvas->height += place->top + place->bottom;
  if (!find_bounds (place, image, canvas, bounds, error))
    return FALSE;
  if (!bounds->width)
    say_nothing_left (place, image, error);
  return bounds->width > 0;
}

gboolean
pmt_place_context (const PmtPlace *place, const PmtRect *canvas, const PmtRect *box, PmtRect *context)
{
  PmtRect path;
  int right, bottom;

  if (!place->context || !gimp_item_is_valid (GIMP_ITEM (place->context)) || !pmt_path_bounds (place->context, &path))
    return FALSE;
  path.x += place->left;
  path.y += place->top;
  right = MIN (MAX (path.x + path.width, box->x + box->width), canvas->width);
  bottom = MIN (MAX (path.y + path.height, box->y + box->height), canvas->height);
  context->x = CLAMP (path.x, 0, box->x);
  context->y = CLAMP (path.y, 0, box->y);
  context->width = right - context->x;
  context->height = bottom - context->y;
  return TRUE;
}
