/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/image/preprocessors/common.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/image/gauss.h"

static gboolean
no_memory (GError **error)
{
  g_set_error_literal (error, PMT_ERROR, PMT_ERROR_MEMORY,
                       _("There is no memory to prepare the control picture; make it smaller or close other programs."));
  return FALSE;
}

guint8 *
pmt_preprocess_bytes (const PmtPicture *image, GError **error)
{
  const size_t n = (size_t) image->width * (size_t) image->height;
  guint8 *bytes = malloc (n * 3);

  if (!bytes) {
    no_memory (error);
    return NULL;
  }
  for (size_t i = 0; i < n; i++) {
    const float *p = image->data + i * 4, alpha = CLAMP (p[3], 0, 1);
    for (int c = 0; c < 3; c++)
      bytes[i * 3 + (size_t) c] = (guint8) lrintf (255 * (CLAMP (p[c], 0, 1) * alpha + 1 - alpha));
  }
  return bytes;
}

float *
pmt_preprocess_floats (const PmtPicture *image, GError **error)
{
  const size_t n = (size_t) image->width * (size_t) image->height * 3;
  guint8 *bytes = pmt_preprocess_bytes (image, error);
  float *floats = bytes ? pmt_pixels_new (n, error) : NULL;

  for (size_t i = 0; floats && i < n; i++)
    floats[i] = bytes[i];
  free (bytes);
  return floats;
}

float *
pmt_preprocess_grey (const PmtPicture *image, GError **error)
{
  const size_t n = (size_t) image->width * (size_t) image->height;
  guint8 *bytes = pmt_preprocess_bytes (image, error);
  float *grey = bytes ? pmt_pixels_new (n, error) : NULL;

  for (size_t i = 0; grey && i < n; i++)
    grey[i] = (299.0f * bytes[i * 3] + 587.0f * bytes[i * 3 + 1] + 114.0f * bytes[i * 3 + 2]) / 1000;
  free (bytes);
  return grey;
}

gboolean
pmt_preprocess_from_grey (const float *grey, const PmtPicture *image, PmtPicture *out, GError **error)
{
  const size_t n = (size_t) image->width * (size_t) image->height;

  if (!pmt_picture_init (out, image->width, image->height, 3, error))
    return FALSE;
  for (size_t i = 0; i < n; i++)
    for (int c = 0; c < 3; c++)
      out->data[i * 3 + (size_t) c] = floorf (CLAMP (grey[i], 0, 255)) / 255;
  return TRUE;
}

gboolean
pmt_preprocess_from_bytes (const guint8 *grey, const PmtPicture *image, PmtPicture *out, GError **error)
{
  const size_t n = (size_t) image->width * (size_t) image->height;

  if (!pmt_picture_init (out, image->width, image->height, 3, error))
    return FALSE;
  for (size_t i = 0; i < n; i++)
    for (int c = 0; c < 3; c++)
      out->data[i * 3 + (size_t) c] = (float) grey[i] / 255;
  return TRUE;
}

static int
compare (gconstpointer a, gconstpointer b)
{
  const float x = *(const float *) a, y = *(const float *) b;

  return (x > y) - (x < y);
}

/* Gradient lengths of a grey picture, border pixels repeated. */
static void
sobel_lengths (const float *grey, int width, int height, float *out)
{
  for (int y = 0; y < height; y++) {
    const float *up = grey + (size_t) MAX (y - 1, 0) * (size_t) width, *here = grey + (size_t) y * (size_t) width;
    const float *down = grey + (size_t) MIN (y + 1, height - 1) * (size_t) width;
    for (int x = 0; x < width; x++) {
      const int l = MAX (x - 1, 0), r = MIN (x + 1, width - 1);
      const float dx = up[r] - up[l] + 2 * (here[r] - here[l]) + down[r] - down[l];
      const float dy = down[l] - up[l] + 2 * (down[x] - up[x]) + down[r] - up[r];
      out[(size_t) y * (size_t) width + (size_t) x] = sqrtf (dx * dx + dy * dy);
    }
  }
}

gboolean
pmt_stretch_bright (float *values, size_t n, float least, GError **error)
{
  float *sorted = pmt_pixels_new (n, error);

  if (!sorted)
    return FALSE;
  memcpy (sorted, values, n * sizeof (float));
  qsort (sorted, n, sizeof (float), compare);
  const float most = MAX (sorted[(size_t) ((double) (n - 1) * 0.99)], least);
  free (sorted);
  for (size_t i = 0; i < n; i++)
    values[i] = MIN (values[i] * 255 / most, 255);
  return TRUE;
}

float *
pmt_soft_edges (const PmtPicture *image, GError **error)
{
  const int w = image->width, h = image->height;
  const size_t n = (size_t) w * (size_t) h;
  float *grey = pmt_preprocess_grey (image, error), *soft = grey ? pmt_pixels_new (n, error) : NULL;
  float *blurred = soft ? pmt_pixels_new (n, error) : NULL;
  gboolean good = blurred && pmt_gauss_blur (grey, w, h, 1, 1.5, 0, blurred, error);

  if (good) {
    sobel_lengths (blurred, w, h, soft);
    /* faint gradients of an almost even picture are noise, not edges: they are not blown up */
    good = pmt_stretch_bright (soft, n, 32, error);
  }
  if (!good)
    g_clear_pointer (&soft, free);
  free (blurred);
  free (grey);
  return soft;
}
