/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/deliver.h"

#include <gegl.h>
#include <glib/gi18n.h>

#include "plugin/blend-space.h"
#include "plugin/capture.h"
#include "plugin/error.h"
#include "plugin/filters.h"
#include "plugin/recipe.h"
#include "plugin/stack.h"

/* Which layers or channels the user has selected; a new layer takes their place. (Paths keep their own selection.) */
typedef struct Selected {
  GimpLayer **layers;
  GimpChannel **channels;
  gboolean *edit_mask; /* per layer: its mask was being edited */
} Selected;

static void
selected_save (Selected *selected, GimpImage *image)
{
  gsize n;

  selected->layers = gimp_image_get_selected_layers (image);
  selected->channels = gimp_image_get_selected_channels (image);
  n = gimp_core_object_array_get_length ((GObject **) selected->layers);
  selected->edit_mask = g_new0 (gboolean, n + 1);
  for (gsize i = 0; i < n; i++)
    selected->edit_mask[i] = gimp_layer_get_mask (selected->layers[i]) && gimp_layer_get_edit_mask (selected->layers[i]);
}

static void
selected_restore (Selected *selected, GimpImage *image)
{
  /* Layers and channels are never selected together; GIMP takes no empty list. */
  if (selected->layers && selected->layers[0])
    gimp_image_set_selected_layers (image, (const GimpLayer **) selected->layers);
  for (gsize i = 0; selected->layers && selected->layers[i]; i++)
    if (gimp_layer_get_mask (selected->layers[i]) && gimp_layer_get_edit_mask (selected->layers[i]) != selected->edit_mask[i])
      gimp_layer_set_edit_mask (selected->layers[i], selected->edit_mask[i]);
  if (selected->channels && selected->channels[0])
    gimp_image_set_selected_channels (image, (const GimpChannel **) selected->channels);
}

static void
selected_clear (Selected *selected)
{
  g_free (selected->layers);
  g_free (selected->channels);
  g_free (selected->edit_mask);
}

static void
write_pixels (GimpDrawable *drawable, const PmtRect *box, const char *format, GBytes *pixels)
{
  g_autoptr (GeglBuffer) buffer = gimp_drawable_get_buffer (drawable);

  gegl_buffer_set (buffer, GEGL_RECTANGLE (0, 0, box->width, box->height), 0, babl_format (format), g_bytes_get_data (pixels, NULL),
                   GEGL_AUTO_ROWSTRIDE);
  /* the buffer is flushed to GIMP with its last reference */
}

/* A layer with pixels, not inserted yet: what is filled before it is in the image needs no undo step. */
static GimpLayer *
layer_new (GimpImage *image, const PmtResult *result)
{
  g_autofree char *name = pmt_recipe_layer_name (result->recipe, result->seed);
  GimpImageType type = gimp_image_get_base_type (image) == GIMP_GRAY ? GIMP_GRAYA_IMAGE : GIMP_RGBA_IMAGE;
  GimpLayer *layer = gimp_layer_new (image, name, result->box.width, result->box.height, type, 100, GIMP_LAYER_MODE_NORMAL);

  if (!layer)
    return NULL;
  write_pixels (GIMP_DRAWABLE (layer), &result->box, "R'G'B'A float", result->picture);
  gimp_layer_set_offsets (layer, result->box.x, result->box.y);
  return layer;
}

/* The mask comes first: unmasked, the layer would show for a moment. */
static gboolean
insert_result (GimpImage *image, GimpLayer *layer, const PmtResult *result, GimpLayer *parent, int position)
{
  GimpLayerMask *mask;

  if (!result->blend)
    return gimp_image_insert_layer (image, layer, parent, position);
  mask = gimp_layer_create_mask (layer, GIMP_ADD_MASK_BLACK);
  if (!mask)
    return FALSE;
  write_pixels (GIMP_DRAWABLE (mask), &result->box, "Y float", result->blend);
  return gimp_layer_add_mask (layer, mask) && gimp_image_insert_layer (image, layer, parent, position) &&
         gimp_layer_set_edit_mask (layer, FALSE);
}

/* The group of variants, in the picture and empty. Its content is mixed in as if the group were not there. */
static GimpLayer *
insert_group (GimpImage *image, GimpLayer *parent, int position, GimpLayerColorSpace space)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_local ();
  g_autofree char *day = g_date_time_format (now, "%Y-%m-%d %H:%M");
  g_autofree char *name = g_strdup_printf (_("Pentimento %s"), day);
  GimpGroupLayer *group = gimp_group_layer_new (image, name);

  /* GIMP mixes once more for the group itself */
  if (!group || !gimp_layer_set_mode (GIMP_LAYER (group), GIMP_LAYER_MODE_PASS_THROUGH) ||
      !gimp_layer_set_composite_space (GIMP_LAYER (group), space) ||
      !gimp_image_insert_layer (image, GIMP_LAYER (group), parent, position))
    return NULL;
  return GIMP_LAYER (group);
}

static gboolean
insert_all (GimpImage *image, GimpLayer *above, GPtrArray *results, GimpLayer **layers)
{
  GimpLayer *below = above ? pmt_stack_top (image, above) : NULL;
  GimpLayer *parent = below ? GIMP_LAYER (gimp_item_get_parent (GIMP_ITEM (below))) : NULL;
  int position = below ? gimp_image_get_item_position (image, GIMP_ITEM (below)) : 0;
  GimpLayerColorSpace space = pmt_blend_space_choose (image, parent, below);

  if (results->len > 1) {
    parent = insert_group (image, parent, position, space);
    position = 0;
    if (!parent)
      return FALSE;
  }
  for (guint i = 0; i < results->len; i++) {
    const PmtResult *result = g_ptr_array_index (results, i);
    layers[i] = layer_new (image, result);
    if (!layers[i] || !gimp_layer_set_composite_space (layers[i], space))
      return FALSE;
    /* the first on top, as in any list */
    if (i > 0 && !gimp_item_set_visible (GIMP_ITEM (layers[i]), FALSE))
      return FALSE;
    if (!insert_result (image, layers[i], result, parent, position + (results->len > 1 ? (int) i : 0)))
      return FALSE;
    pmt_recipe_attach (result->recipe, GIMP_ITEM (layers[i]));
    pmt_inputs_attach (result->inputs, GIMP_ITEM (layers[i]));
  }
  return TRUE;
}

/* Into made. FALSE: those that were made are gone again. */
static gboolean
insert_maps (GimpImage *image, GPtrArray *results, GPtrArray *made)
{
  for (guint i = 0; i < results->len; i++) {
    const PmtResult *result = g_ptr_array_index (results, i);
    for (guint k = 0; result->maps && k < result->maps->len; k++) {
      GimpChannel *channel = pmt_map_insert (g_ptr_array_index (result->maps, k), image);
      if (!channel) {
        for (guint j = 0; j < made->len; j++)
          gimp_image_remove_channel (image, g_ptr_array_index (made, j));
        return FALSE;
      }
      pmt_recipe_attach (result->recipe, GIMP_ITEM (channel));
      g_ptr_array_add (made, channel);
    }
  }
  return TRUE;
}

gboolean
pmt_deliver_check (GimpImage *image, gboolean convert_indexed, GError **error)
{
  if (!gimp_image_is_valid (image)) {
    pmt_capture_set_closed (error);
    return FALSE;
  }
  if (gimp_image_get_base_type (image) != GIMP_INDEXED || convert_indexed)
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
               _("The picture has a colour table, which cannot hold new colours: convert it to RGB under Image > Mode, or allow that where the "
                 "dialog offers it."));
  return FALSE;
}

/* A step of the list failed: what was done so far is taken back by hand, since no procedure undoes. */
static void
remove_all (GimpImage *image, GimpLayer **layers, guint n)
{
  GimpLayer *group = NULL;

  for (guint i = 0; i < n; i++) {
    GimpItem *parent;
    if (!layers[i] || !gimp_item_is_valid (GIMP_ITEM (layers[i])))
      continue;
    parent = gimp_item_get_parent (GIMP_ITEM (layers[i]));
    if (n > 1 && parent)
      group = GIMP_LAYER (parent);
    else
      gimp_image_remove_layer (image, layers[i]);
  }
  if (group)
    gimp_image_remove_layer (image, group);
}

/* They go in together: the canvas can grow once, and what lies on it moves once. */
static gboolean
have_one_canvas (GPtrArray *results, GimpImage *image)
{
  const PmtInputs *first = ((const PmtResult *) g_ptr_array_index (results, 0))->inputs;

  for (guint i = 1; i < results->len; i++) {
    const PmtInputs *inputs = ((const PmtResult *) g_ptr_array_index (results, i))->inputs;
    if (pmt_inputs_grow (first, image) != pmt_inputs_grow (inputs, image) ||
        (pmt_inputs_grow (first, image) && (!pmt_rect_equal (&first->before, &inputs->before) || !pmt_rect_equal (&first->canvas, &inputs->canvas))))
      return FALSE;
  }
  return TRUE;
}

/* The canvas that they were painted for is another one now. */
static gboolean
lie_elsewhere (GPtrArray *results, GimpImage *image)
{
  for (guint i = 0; i < results->len; i++) {
    const PmtInputs *inputs = ((const PmtResult *) g_ptr_array_index (results, i))->inputs;
    if (!pmt_inputs_grow (inputs, image) &&
        (gimp_image_get_width (image) != inputs->canvas.width || gimp_image_get_height (image) != inputs->canvas.height))
      return TRUE;
  }
  return FALSE;
}

/* Takes the layers. */
static PmtDelivered *
delivered_new (GimpLayer **layers, GPtrArray *channels)
{
  PmtDelivered *delivered = g_new (PmtDelivered, 1);

  g_ptr_array_add (channels, NULL);
  delivered->layers = layers;
  delivered->channels = g_memdup2 (channels->pdata, channels->len * sizeof (gpointer));
  return delivered;
}

void
pmt_delivered_free (PmtDelivered *delivered)
{
  if (!delivered)
    return;
  g_free (delivered->layers);
  g_free (delivered->channels);
  g_free (delivered);
}

/* ---- what is not seen ---- */

/* The outermost group around it that is hidden; NULL: none. */
static GimpItem *
hidden_around (GimpItem *item)
{
  GimpItem *hidden = NULL;

  while ((item = gimp_item_get_parent (item)))
    if (!gimp_item_get_visible (item))
      hidden = item;
  return hidden;
}

static PmtRect
place_of (GimpItem *item)
{
  PmtRect place = { 0, 0, gimp_drawable_get_width (GIMP_DRAWABLE (item)), gimp_drawable_get_height (GIMP_DRAWABLE (item)) };

  gimp_drawable_get_offsets (GIMP_DRAWABLE (item), &place.x, &place.y);
  return place;
}

/* Nothing shines through, as far as that is known without a look at the pixels. */
static gboolean
is_opaque (GimpItem *item)
{
  GimpLayer *layer = GIMP_LAYER (item);
  const GimpLayerMode mode = gimp_layer_get_mode (layer);

  return gimp_item_get_visible (item) && !gimp_item_is_group (item) && !gimp_drawable_has_alpha (GIMP_DRAWABLE (item)) &&
         gimp_layer_get_opacity (layer) >= 100 && (mode == GIMP_LAYER_MODE_NORMAL || mode == GIMP_LAYER_MODE_NORMAL_LEGACY) &&
         !(gimp_layer_get_mask (layer) && gimp_layer_get_apply_mask (layer)) && !pmt_filters_any (layer);
}

/* The layer above it, or above a group around it, that covers all of it; NULL: none is known to. */
static GimpItem *
covering (GimpItem *item)
{
  GimpImage *image = gimp_item_get_image (item);
  const PmtRect place = place_of (item);

  for (; item; item = gimp_item_get_parent (item)) {
    GimpItem *parent = gimp_item_get_parent (item);
    g_autofree GimpItem **siblings = parent ? gimp_item_get_children (parent) : (GimpItem **) gimp_image_get_layers (image);
    const int at = gimp_image_get_item_position (image, item);
    for (int i = 0; i < at; i++) {
      const PmtRect over = place_of (siblings[i]);
      if (pmt_rect_holds (&over, &place) && is_opaque (siblings[i]))
        return siblings[i];
    }
  }
  return NULL;
}

/* The first is the one that is shown. */
static void
tell_of_layer (GimpLayer *layer)
{
  GimpItem *hidden = hidden_around (GIMP_ITEM (layer)), *over = hidden ? NULL : covering (GIMP_ITEM (layer));
  g_autofree char *name = hidden || over ? gimp_item_get_name (hidden ? hidden : over) : NULL, *text = NULL;

  if (hidden)
    text = g_strdup_printf (_("The new layer is not seen, since the group “%s” is hidden: show the group."), name);
  else if (over)
    text = g_strdup_printf (_("The new layer is not seen, since “%s” lies above it: hide that layer, or move the new one up."), name);
  if (text)
    gimp_message (text);
}

static void
tell_of_channels (guint n)
{
  g_autofree char *text = g_strdup_printf (ngettext ("%u channel was added: see the Channels dialog.",
                                                     "%u channels were added: see the Channels dialog.", n),
                                           n);

  gimp_message (text);
}

void
pmt_delivered_tell (const PmtDelivered *delivered)
{
  const guint n = (guint) gimp_core_object_array_get_length ((GObject **) delivered->channels);

  if (delivered->layers[0])
    tell_of_layer (delivered->layers[0]);
  if (n > 0)
    tell_of_channels (n);
}

PmtDelivered *
pmt_deliver (GimpImage *image, GimpLayer *above, GPtrArray *results, gboolean convert_indexed, GError **error)
{
  const PmtInputs *inputs = ((const PmtResult *) g_ptr_array_index (results, 0))->inputs;
  Selected selected = { 0 };
  const gboolean only_maps = ((const PmtResult *) g_ptr_array_index (results, 0))->only_maps;
  g_autoptr (GPtrArray) channels = g_ptr_array_new ();
  GimpLayer **layers;
  gboolean good, grown, elsewhere;

  if (!gimp_image_is_valid (image)) {
    pmt_capture_set_closed (error);
    return NULL;
  }
  if (!only_maps && !pmt_deliver_check (image, convert_indexed, error))
    return NULL;
  if (!have_one_canvas (results, image)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("These results belong to canvases of different sizes: apply them one after the other."));
    return NULL;
  }
  if (above && (!gimp_item_is_valid (GIMP_ITEM (above)) || gimp_item_get_image (GIMP_ITEM (above)) != image))
    above = NULL;

  elsewhere = !only_maps && lie_elsewhere (results, image);
  layers = g_new0 (GimpLayer *, results->len + 1);
  selected_save (&selected, image);
  gimp_image_undo_group_start (image);
  if (!only_maps && gimp_image_get_base_type (image) == GIMP_INDEXED)
    gimp_image_convert_rgb (image);
  grown = pmt_inputs_grow (inputs, image);
  good = (!grown || gimp_image_resize (image, inputs->canvas.width, inputs->canvas.height, inputs->before.x, inputs->before.y)) &&
         (only_maps || insert_all (image, above, results, layers)) && insert_maps (image, results, channels);
  if (!good)
    remove_all (image, layers, results->len);
  if (!good && grown)
    gimp_image_resize (image, inputs->before.width, inputs->before.height, -inputs->before.x, -inputs->before.y);
  selected_restore (&selected, image);
  gimp_image_undo_group_end (image);
  selected_clear (&selected);
  gimp_displays_flush ();
  if (!good) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_GIMP, _("GIMP refused the new layer: undo once, check that the layer's group is not locked, and try again."));
    g_free (layers);
    return NULL;
  }
  if (elsewhere)
    gimp_message (_("The canvas has changed since this was painted: move the new layer to its place."));
  return delivered_new (layers, channels);
}
