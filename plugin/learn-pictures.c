/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/learn-pictures.h"

#include <glib/gi18n.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/capture.h"
#include "plugin/error.h"
#include "plugin/resample.h"

/* The shorter side of what is sent where the size to learn at is the model's own, which no plug-in knows. */
#define LARGEST 1024
#define LAYER_KEY "layer:"
/* A text file beside a picture that is longer is none of captions. */
#define LONGEST_CAPTION 4000

static void
picture_free (gpointer data)
{
  PmtLearnPicture *picture = data;

  g_clear_object (&picture->layer);
  g_free (picture->path);
  g_free (picture->caption);
  g_free (picture);
}

GPtrArray *
pmt_learn_pictures_new (void)
{
  return g_ptr_array_new_with_free_func (picture_free);
}

void
pmt_learn_pictures_add (GPtrArray *pictures, GimpLayer *layer, const char *path, const char *caption)
{
  PmtLearnPicture *picture = g_new0 (PmtLearnPicture, 1);

  picture->layer = layer ? g_object_ref (layer) : NULL;
  picture->path = layer ? NULL : g_strdup (path);
  picture->caption = g_strdup (caption ? caption : "");
  g_ptr_array_add (pictures, picture);
}

/* ---- arguments ---- */

void
pmt_learn_pictures_add_arguments (GimpProcedure *procedure)
{
  gimp_procedure_add_boolean_argument (procedure, "layers", _("Learn from the selected layers"),
                                       _("The layers that are given, or selected, are pictures to learn from, each as a whole"), TRUE, G_PARAM_READWRITE);
  gimp_procedure_add_string_array_argument (procedure, "files", _("Files"), _("Paths of pictures to learn from, after those of layers"), G_PARAM_READWRITE);
  gimp_procedure_add_string_array_argument (procedure, "captions", _("Captions"),
                                            _("What each picture shows, in their order, layers first, with {} in place of the word; empty: a sentence is made"),
                                            G_PARAM_READWRITE);
}

static GimpLayer *
layer_of (GimpDrawable *drawable, GError **error)
{
  if (GIMP_IS_LAYER_MASK (drawable))
    return gimp_layer_from_mask (GIMP_LAYER_MASK (drawable));
  if (GIMP_IS_LAYER (drawable))
    return GIMP_LAYER (drawable);
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("A channel is selected, which is no picture to learn from: select layers, or give files."));
  return NULL;
}

GPtrArray *
pmt_learn_pictures_from_config (GObject *config, GimpDrawable **drawables, GError **error)
{
  g_autoptr (GPtrArray) pictures = pmt_learn_pictures_new ();
  g_auto (GStrv) files = NULL, captions = NULL;
  gboolean layers = TRUE;
  guint n_captions;

  g_object_get (config, "layers", &layers, "files", &files, "captions", &captions, NULL);
  n_captions = captions ? g_strv_length (captions) : 0;
  for (gsize i = 0; layers && drawables && drawables[i]; i++) {
    GimpLayer *layer = layer_of (drawables[i], error);
    if (!layer)
      return NULL;
    pmt_learn_pictures_add (pictures, layer, NULL, pictures->len < n_captions ? captions[pictures->len] : NULL);
  }
  for (char **file = files; file && *file; file++)
    pmt_learn_pictures_add (pictures, NULL, *file, pictures->len < n_captions ? captions[pictures->len] : NULL);
  return g_steal_pointer (&pictures);
}

void
pmt_learn_pictures_to_config (GPtrArray *pictures, GObject *config)
{
  g_autoptr (GStrvBuilder) files = g_strv_builder_new (), captions = g_strv_builder_new ();
  g_auto (GStrv) all_files = NULL, all_captions = NULL;
  gboolean layers = FALSE;

  for (int of_files = 0; of_files < 2; of_files++)
    for (guint i = 0; i < pictures->len; i++) {
      const PmtLearnPicture *picture = pictures->pdata[i];
      if ((picture->path != NULL) != of_files)
        continue;
      layers |= picture->layer != NULL;
      g_strv_builder_add (captions, picture->caption);
      if (picture->path)
        g_strv_builder_add (files, picture->path);
    }
  all_files = g_strv_builder_end (files);
  all_captions = g_strv_builder_end (captions);
  g_object_set (config, "layers", layers, "files", all_files, "captions", all_captions, NULL);
}

gboolean
pmt_learn_pictures_check (GPtrArray *pictures, GError **error)
{
  if (pictures->len == 0)
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("There are no pictures to learn from: add three to five of one thing or style, layers or files."));
  else if (pictures->len > PMT_LEARN_MOST_PICTURES)
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("%u pictures are more than the %d that can be learned from at once: take some out."), pictures->len,
                 PMT_LEARN_MOST_PICTURES);
  return pictures->len > 0 && pictures->len <= PMT_LEARN_MOST_PICTURES;
}

/* ---- pixels ---- */

/* By how much a picture is made smaller so that it still covers what it has to. */
static double
shrink_of (int width, int height, int cover_width, int cover_height)
{
  const int least_width = cover_width > 0 ? cover_width : LARGEST, least_height = cover_height > 0 ? cover_height : LARGEST;

  return MIN (MAX ((double) least_width / width, (double) least_height / height), 1);
}

static GBytes *
read_layer (GimpLayer *layer, int cover_width, int cover_height, int *width, int *height, GError **error)
{
  GimpDrawable *drawable = GIMP_DRAWABLE (layer);
  g_autoptr (GBytes) pixels = NULL;
  PmtRect box = { 0 };
  double by;

  if (!gimp_item_is_valid (GIMP_ITEM (layer))) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("A layer to learn from was removed: take it out of the list, or bring it back with Undo."));
    return NULL;
  }
  gimp_drawable_get_offsets (drawable, &box.x, &box.y);
  box.width = gimp_drawable_get_width (drawable);
  box.height = gimp_drawable_get_height (drawable);
  pixels = pmt_capture_picture (gimp_item_get_image (GIMP_ITEM (layer)), layer, &box, error);
  if (!pixels)
    return NULL;
  by = shrink_of (box.width, box.height, cover_width, cover_height);
  *width = MAX ((int) ceil (box.width * by), 1);
  *height = MAX ((int) ceil (box.height * by), 1);
  return pmt_resample (pixels, box.width, box.height, *width, *height, error);
}

static GBytes *
to_floats (GdkPixbuf *pixbuf, GError **error)
{
  const int width = gdk_pixbuf_get_width (pixbuf), height = gdk_pixbuf_get_height (pixbuf), channels = gdk_pixbuf_get_n_channels (pixbuf);
  const gsize size = (gsize) width * (gsize) height * 4 * sizeof (float), stride = (gsize) gdk_pixbuf_get_rowstride (pixbuf);
  const guchar *bytes = gdk_pixbuf_read_pixels (pixbuf);
  float *pixels = malloc (size), *to = pixels;

  if (!pixels) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_MEMORY, _("There is no memory for %d×%d pixels (%lu MB): learn from fewer or smaller pictures."), width, height,
                 (gulong) size >> 20);
    return NULL;
  }
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++, to += 4) {
      const guchar *from = bytes + (gsize) y * stride + (gsize) x * (gsize) channels;
      for (int c = 0; c < 3; c++)
        to[c] = (float) from[c] / 255;
      to[3] = channels == 4 ? (float) from[3] / 255 : 1;
    }
  return g_bytes_new_with_free_func (pixels, size, free, pixels);
}

/* As it is to be looked at: cameras write down how they were held. */
static GdkPixbuf *
upright (GdkPixbuf *taken)
{
  GdkPixbuf *pixbuf = taken ? gdk_pixbuf_apply_embedded_orientation (taken) : NULL;

  g_clear_object (&taken);
  return pixbuf;
}

static GBytes *
read_file (const char *path, int cover_width, int cover_height, int *width, int *height, GError **error)
{
  g_autoptr (GError) problem = NULL;
  g_autoptr (GdkPixbuf) pixbuf = upright (gdk_pixbuf_new_from_file (path, &problem)), smaller = NULL;
  double by;

  if (!pixbuf) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The picture %s cannot be read (%s): take it out of the list, or open it in GIMP and learn from the layer."),
                 path, problem ? problem->message : "");
    return NULL;
  }
  by = shrink_of (gdk_pixbuf_get_width (pixbuf), gdk_pixbuf_get_height (pixbuf), cover_width, cover_height);
  *width = MAX ((int) ceil (gdk_pixbuf_get_width (pixbuf) * by), 1);
  *height = MAX ((int) ceil (gdk_pixbuf_get_height (pixbuf) * by), 1);
  smaller = by < 1 ? gdk_pixbuf_scale_simple (pixbuf, *width, *height, GDK_INTERP_BILINEAR) : g_object_ref (pixbuf);
  if (!smaller)
    g_set_error (error, PMT_ERROR, PMT_ERROR_MEMORY, _("There is no memory for the picture %s: learn from fewer or smaller pictures."), path);
  return smaller ? to_floats (smaller, error) : NULL;
}

GBytes *
pmt_learn_picture_read (const PmtLearnPicture *picture, int cover_width, int cover_height, int *width, int *height, GError **error)
{
  if (picture->layer)
    return read_layer (picture->layer, cover_width, cover_height, width, height, error);
  return read_file (picture->path, cover_width, cover_height, width, height, error);
}

/* ---- for people ---- */

GdkPixbuf *
pmt_learn_picture_small (const PmtLearnPicture *picture, int side)
{
  if (picture->layer)
    return gimp_drawable_get_thumbnail (GIMP_DRAWABLE (picture->layer), side, side, GIMP_PIXBUF_SMALL_CHECKS);
  return upright (gdk_pixbuf_new_from_file_at_size (picture->path, side, side, NULL));
}

char *
pmt_learn_picture_name (const PmtLearnPicture *picture)
{
  return picture->layer ? gimp_item_get_name (GIMP_ITEM (picture->layer)) : g_filename_display_basename (picture->path);
}

char *
pmt_learn_picture_key (const PmtLearnPicture *picture)
{
  return picture->layer ? g_strdup_printf (LAYER_KEY "%d", gimp_item_get_id (GIMP_ITEM (picture->layer))) : g_strdup (picture->path);
}

void
pmt_learn_pictures_add_key (GPtrArray *pictures, const char *key, const char *caption)
{
  GimpLayer *layer = NULL;

  if (g_str_has_prefix (key, LAYER_KEY)) {
    layer = gimp_layer_get_by_id ((int) g_ascii_strtoll (key + strlen (LAYER_KEY), NULL, 10));
    if (!layer) /* removed meanwhile */
      return;
  }
  pmt_learn_pictures_add (pictures, layer, key, caption);
}

char *
pmt_learn_caption_beside (const char *path)
{
  g_autofree char *folder = g_path_get_dirname (path), *name = g_path_get_basename (path), *file = NULL, *text = NULL;
  char *dot = strrchr (name, '.');
  gsize length;

  if (dot && dot != name)
    *dot = '\0';
  file = g_strdup_printf ("%s%c%s.txt", folder, G_DIR_SEPARATOR, name);
  if (!g_file_get_contents (file, &text, &length, NULL) || length > LONGEST_CAPTION || !g_utf8_validate (text, (gssize) length, NULL))
    return NULL;
  g_strdelimit (text, "\r\n\t", ' ');
  g_strstrip (text);
  return text[0] ? g_steal_pointer (&text) : NULL;
}
