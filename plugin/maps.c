/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/maps.h"

#include <gegl.h>
#include <glib/gi18n.h>
#include <stdlib.h>

#include "plugin/error.h"
#include "plugin/resample.h"

/* Of a channel that is made visible, in per cent. */
#define OPACITY 50

static void
map_free (gpointer data)
{
  PmtMap *map = data;

  g_free (map->name);
  g_bytes_unref (map->values);
  g_free (map);
}

PmtMap *
pmt_map_new (const char *name, int width, int height, GBytes *values, const PmtRect *area)
{
  PmtMap *map = g_new0 (PmtMap, 1);

  *map = (PmtMap) { .name = g_strdup (name), .width = width, .height = height, .values = g_bytes_ref (values), .area = *area };
  return map;
}

GPtrArray *
pmt_maps_new (void)
{
  return g_ptr_array_new_with_free_func (map_free);
}

static float
largest (const float *values, gsize n)
{
  float most = 0;

  for (gsize i = 0; i < n; i++)
    most = MAX (most, values[i]);
  return most;
}

/* A picture has four channels; the resampler takes pictures. */
static GBytes *
as_picture (const PmtMap *map, float factor)
{
  const gsize n = (gsize) map->width * (gsize) map->height;
  const float *values = g_bytes_get_data (map->values, NULL);
  float *pixels = g_new (float, 4 * n);

  for (gsize i = 0; i < 4 * n; i++)
    pixels[i] = i % 4 == 3 ? 1 : CLAMP (values[i / 4] * factor, 0, 1);
  return g_bytes_new_take (pixels, 4 * n * sizeof (float));
}

GBytes *
pmt_map_stretched (const PmtMap *map, gboolean scale, GError **error)
{
  const gsize n = (gsize) map->area.width * (gsize) map->area.height;
  const float most = largest (g_bytes_get_data (map->values, NULL), (gsize) map->width * (gsize) map->height);
  g_autoptr (GBytes) picture = as_picture (map, scale && most > 0 ? 1 / most : 1);
  g_autoptr (GBytes) large = pmt_resample (picture, map->width, map->height, map->area.width, map->area.height, error);
  const float *pixels = large ? g_bytes_get_data (large, NULL) : NULL;
  float *values = pixels ? malloc (n * sizeof (float)) : NULL;

  if (!values) {
    if (pixels)
      g_set_error (error, PMT_ERROR, PMT_ERROR_MEMORY, _("There is no memory for %d×%d pixels (%lu MB): select a smaller region."),
                   map->area.width, map->area.height, (gulong) (n * sizeof (float)) >> 20);
    return NULL;
  }
  for (gsize i = 0; i < n; i++)
    values[i] = pixels[4 * i];
  return g_bytes_new_with_free_func (values, n * sizeof (float), free, values);
}

static char *
channel_name (const PmtMap *map)
{
  if (g_str_equal (map->name, PMT_MAP_CHANGED))
    return g_strdup (_("What changes"));
  return g_strdup_printf (_("Word: %s"), map->name);
}

gboolean
pmt_map_names_word (const char *name)
{
  g_auto (GStrv) parts = g_strsplit (_("Word: %s"), "%s", 2);

  return g_str_has_prefix (name, parts[0]);
}

/* The numbers of a selection as they are, whatever encoding the channel's format claims (place.c reads them so). */
static const Babl *
format_of (GimpChannel *channel)
{
  const char *encoding = babl_format_get_encoding (gimp_drawable_get_format (GIMP_DRAWABLE (channel)));

  return babl_format (g_str_has_prefix (encoding, "Y'") ? "Y' float" : g_str_has_prefix (encoding, "Y~") ? "Y~ float" : "Y float");
}

static void
write_values (GimpChannel *channel, const PmtRect *area, GBytes *values)
{
  g_autoptr (GeglBuffer) buffer = gimp_drawable_get_buffer (GIMP_DRAWABLE (channel));

  gegl_buffer_set (buffer, GEGL_RECTANGLE (area->x, area->y, area->width, area->height), 0, format_of (channel), g_bytes_get_data (values, NULL),
                   GEGL_AUTO_ROWSTRIDE);
}

GimpChannel *
pmt_map_insert (const PmtMap *map, GimpImage *image)
{
  g_autofree char *name = channel_name (map);
  GeglColor *colour = gegl_color_new ("red");
  g_autoptr (GBytes) values = pmt_map_stretched (map, !g_str_equal (map->name, PMT_MAP_CHANGED), NULL);
  GimpChannel *channel =
    values ? gimp_channel_new (image, name, gimp_image_get_width (image), gimp_image_get_height (image), OPACITY, colour) : NULL;

  g_object_unref (colour);
  if (!channel)
    return NULL;
  write_values (channel, &map->area, values);
  gimp_item_set_visible (GIMP_ITEM (channel), FALSE);
  return gimp_image_insert_channel (image, channel, NULL, 0) ? channel : NULL;
}
