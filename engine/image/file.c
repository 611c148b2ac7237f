/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/image/file.h"

#include <gdk-pixbuf/gdk-pixbuf.h>
#include <errno.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "pentimento/protocol.h"

#define JPEG_QUALITY "95"

static GdkPixbuf *
load (const char *path, GError **error)
{
  g_autoptr (GError) problem = NULL;
  GdkPixbuf *stored, *upright;

  if (!g_file_test (path, G_FILE_TEST_EXISTS)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_NOT_FOUND, _("There is no image file '%s'; check the name."), path);
    return NULL;
  }
  if (g_file_test (path, G_FILE_TEST_IS_DIR)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("'%s' is a folder; name an image file."), path);
    return NULL;
  }
  stored = gdk_pixbuf_new_from_file (path, &problem);
  if (!stored) {
    bool memory = g_error_matches (problem, GDK_PIXBUF_ERROR, GDK_PIXBUF_ERROR_INSUFFICIENT_MEMORY);
    g_set_error (error, PMT_ERROR, memory ? PMT_ERROR_MEMORY : PMT_ERROR_FORMAT,
                 _("The image file '%s' cannot be read (%s); give a PNG or JPEG file."), path, problem->message);
    return NULL;
  }
  upright = gdk_pixbuf_apply_embedded_orientation (stored);
  g_object_unref (stored);
  return upright;
}

gboolean
pmt_picture_load (const char *path, PmtPicture *picture, gboolean *has_alpha, GError **error)
{
  g_autoptr (GdkPixbuf) pixbuf = load (path, error);
  const guint8 *pixels;
  int width, height, channels;
  size_t stride;

  memset (picture, 0, sizeof *picture);
  if (!pixbuf)
    return FALSE;
  width = gdk_pixbuf_get_width (pixbuf);
  height = gdk_pixbuf_get_height (pixbuf);
  channels = gdk_pixbuf_get_n_channels (pixbuf);
  stride = (size_t) gdk_pixbuf_get_rowstride (pixbuf);
  pixels = gdk_pixbuf_read_pixels (pixbuf);
  if (has_alpha)
    *has_alpha = channels == 4;
  if (!pmt_picture_init (picture, width, height, 4, error))
    return FALSE;
  for (int y = 0; y < height; y++) {
    const guint8 *from = pixels + (size_t) y * stride;
    float *to = picture->data + (size_t) y * (size_t) width * 4;
    for (int x = 0; x < width; x++, from += channels, to += 4) {
      for (int c = 0; c < 3; c++)
        to[c] = from[c] / 255.0f;
      to[3] = channels == 4 ? from[3] / 255.0f : 1;
    }
  }
  return TRUE;
}

gboolean
pmt_mask_load (const char *path, PmtPicture *mask, GError **error)
{
  PmtPicture picture;
  size_t n;
  gboolean good;

  memset (mask, 0, sizeof *mask);
  if (!pmt_picture_load (path, &picture, NULL, error))
    return FALSE;
  n = (size_t) picture.width * (size_t) picture.height;
  good = pmt_picture_init (mask, picture.width, picture.height, 1, error);
  for (size_t i = 0; good && i < n; i++) {
    const float *p = picture.data + i * 4;
    /* equal parts stay what they were: black is exactly 0 and white exactly 1 */
    float grey = p[0] == p[1] && p[1] == p[2] ? p[0] : 0.299f * p[0] + 0.587f * p[1] + 0.114f * p[2];
    mask->data[i] = CLAMP (grey * p[3], 0, 1);
  }
  pmt_picture_clear (&picture);
  return good;
}

char *
pmt_picture_recipe (const char *path, GError **error)
{
  g_autoptr (GdkPixbuf) pixbuf = load (path, error);
  const char *recipe = pixbuf ? gdk_pixbuf_get_option (pixbuf, "tEXt::" PMT_RECIPE_PARASITE) : NULL;

  if (pixbuf && !recipe)
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The picture '%s' carries no recipe; name a PNG as this program wrote it, or a job file."),
                 path);
  return g_strdup (recipe);
}

/* gdk-pixbuf's name of the format that a file name's ending asks for; NULL + error. */
static const char *
format_of (const char *path, GError **error)
{
  const char *dot = strrchr (path, '.');

  if (dot && g_ascii_strcasecmp (dot, ".png") == 0)
    return "png";
  if (dot && (g_ascii_strcasecmp (dot, ".jpg") == 0 || g_ascii_strcasecmp (dot, ".jpeg") == 0))
    return "jpeg";
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("Pictures are written as PNG or JPEG; end the name '%s' with .png or .jpg."),
               path);
  return NULL;
}

gboolean
pmt_picture_check_save (const char *path, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (path);

  if (!format_of (path, error))
    return FALSE;
  if (g_file_test (path, G_FILE_TEST_IS_DIR))
    g_set_error (error, PMT_ERROR, PMT_ERROR_IO, _("'%s' is a folder; name a file to write."), path);
  else if (!g_file_test (folder, G_FILE_TEST_IS_DIR))
    g_set_error (error, PMT_ERROR, PMT_ERROR_IO, _("There is no folder '%s' to write '%s' in; make it first."), folder, path);
  else if (access (folder, W_OK) != 0)
    g_set_error (error, PMT_ERROR, PMT_ERROR_IO, _("The folder '%s' cannot be written to (%s); choose another one."), folder,
                 g_strerror (errno));
  else
    return TRUE;
  return FALSE;
}

/* JSON says \uXXXX for what a tEXt chunk, which is Latin-1, cannot hold; outside strings JSON is ASCII anyway. */
static char *
ascii_json (const char *text)
{
  GString *out = g_string_new (NULL);

  for (const char *p = text; *p; p = g_utf8_next_char (p)) {
    gunichar c = g_utf8_get_char (p);
    if (c < 0x80)
      g_string_append_c (out, (char) c);
    else if (c < 0x10000)
      g_string_append_printf (out, "\\u%04x", c);
    else
      g_string_append_printf (out, "\\u%04x\\u%04x", 0xd800 + ((c - 0x10000) >> 10), 0xdc00 + ((c - 0x10000) & 0x3ff));
  }
  return g_string_free (out, FALSE);
}

static GdkPixbuf *
to_pixbuf (const PmtPicture *picture, gboolean with_alpha)
{
  GdkPixbuf *pixbuf = gdk_pixbuf_new (GDK_COLORSPACE_RGB, with_alpha, 8, picture->width, picture->height);
  int channels = with_alpha ? 4 : 3;
  size_t stride;
  guint8 *pixels;

  if (!pixbuf)
    return NULL;
  stride = (size_t) gdk_pixbuf_get_rowstride (pixbuf);
  pixels = gdk_pixbuf_get_pixels (pixbuf);
  for (int y = 0; y < picture->height; y++) {
    const float *from = picture->data + (size_t) y * (size_t) picture->width * (size_t) picture->channels;
    guint8 *to = pixels + (size_t) y * stride;
    for (int x = 0; x < picture->width; x++, from += picture->channels, to += channels)
      for (int c = 0; c < channels; c++) {
        float value = picture->channels == 1 ? (c < 3 ? from[0] : 1) : c < picture->channels ? from[c] : 1;
        to[c] = (guint8) lrintf (CLAMP (value, 0, 1) * 255);
      }
  }
  return pixbuf;
}

gboolean
pmt_picture_save (const PmtPicture *picture, gboolean with_alpha, const char *recipe, const char *path, GError **error)
{
  g_autoptr (GError) problem = NULL;
  g_autoptr (GdkPixbuf) pixbuf = NULL;
  g_autofree char *bytes = NULL, *text = NULL;
  const char *format = format_of (path, error);
  char *keys[2] = { NULL, NULL }, *values[2] = { NULL, NULL };
  gsize size;

  if (!format)
    return FALSE;
  if (strcmp (format, "jpeg") == 0) {
    if (with_alpha) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("A JPEG file has no transparency; end the name '%s' with .png."), path);
      return FALSE;
    }
    keys[0] = (char *) "quality";
    values[0] = (char *) JPEG_QUALITY;
  } else if (recipe) {
    text = ascii_json (recipe);
    keys[0] = (char *) "tEXt::" PMT_RECIPE_PARASITE;
    values[0] = text;
  }

  pixbuf = to_pixbuf (picture, with_alpha);
  if (!pixbuf) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_MEMORY, _("There is no memory to write '%s'; close other programs."), path);
    return FALSE;
  }
  /* in memory first: g_file_set_contents puts a finished file in place of the old one */
  if (gdk_pixbuf_save_to_bufferv (pixbuf, &bytes, &size, format, keys, values, &problem) &&
      g_file_set_contents (path, bytes, (gssize) size, &problem))
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_IO, _("The picture '%s' could not be written (%s)."), path, problem->message);
  return FALSE;
}
