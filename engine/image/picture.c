/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/image/picture.h"

#include <stdlib.h>
#include <string.h>

#include "engine/image/resize.h"

static void *
zeroed (size_t count, size_t size, GError **error)
{
  /* calloc of a large block is fresh pages: they cost nothing until touched */
  void *data = calloc (count ? count : 1, size);

  if (!data)
    g_set_error (error, PMT_ERROR, PMT_ERROR_MEMORY,
                 _("There is no memory for %zu MB of pixels; close other programs or use a smaller picture."),
                 (count * size) >> 20);
  return data;
}

float *
pmt_pixels_new (size_t count, GError **error)
{
  return zeroed (count, sizeof (float), error);
}

uint8_t *
pmt_marks_new (size_t count, GError **error)
{
  return zeroed (count, sizeof (uint8_t), error);
}

gboolean
pmt_picture_init (PmtPicture *picture, int width, int height, int channels, GError **error)
{
  memset (picture, 0, sizeof *picture);
  if (width < 1 || height < 1 || width > PMT_PICTURE_MAX_SIDE || height > PMT_PICTURE_MAX_SIDE || channels < 1 || channels > 4) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("A picture of %d×%d pixels with %d channels cannot be used; sides go from 1 to %d pixels."), width, height,
                 channels, PMT_PICTURE_MAX_SIDE);
    return FALSE;
  }
  picture->data = pmt_pixels_new ((size_t) width * (size_t) height * (size_t) channels, error);
  if (!picture->data)
    return FALSE;
  picture->width = width;
  picture->height = height;
  picture->channels = channels;
  return TRUE;
}

void
pmt_picture_clear (PmtPicture *picture)
{
  free (picture->data);
  memset (picture, 0, sizeof *picture);
}

gboolean
pmt_picture_crop (const PmtPicture *source, const PmtBox *box, PmtPicture *out, GError **error)
{
  size_t pixel = (size_t) source->channels;

  g_assert (box->x >= 0 && box->y >= 0 && box->x + box->width <= source->width && box->y + box->height <= source->height);
  if (!pmt_picture_init (out, box->width, box->height, source->channels, error))
    return FALSE;
  for (int y = 0; y < box->height; y++)
    memcpy (out->data + (size_t) y * (size_t) box->width * pixel,
            source->data + ((size_t) (box->y + y) * (size_t) source->width + (size_t) box->x) * pixel,
            (size_t) box->width * pixel * sizeof (float));
  return TRUE;
}

PmtBox
pmt_mask_bounds (const float *mask, int width, int height)
{
  int left = width, right = -1, top = height, bottom = -1;

  for (int y = 0; y < height; y++) {
    const float *row = mask + (size_t) y * (size_t) width;
    int x = 0, last = width - 1;

    while (x < width && !(row[x] > 0))
      x++;
    if (x == width)
      continue;
    while (!(row[last] > 0))
      last--;
    left = MIN (left, x);
    right = MAX (right, last);
    top = MIN (top, y);
    bottom = y;
  }
  if (right < 0)
    return (PmtBox) { 0, 0, 0, 0 };
  return (PmtBox) { left, top, right - left + 1, bottom - top + 1 };
}

bool
pmt_picture_opaque (const PmtPicture *picture)
{
  size_t n = (size_t) picture->width * (size_t) picture->height;

  for (size_t i = 0; i < n; i++)
    if (picture->data[i * 4 + 3] < 1)
      return false;
  return true;
}

/* Colours of `level` (premultiplied RGBA) spread into its holes from ever coarser copies of itself, so that every pixel ends with full
 * colour; nearer colours win because a coarser copy is only asked where a finer one has nothing. */
static gboolean
spread (float *level, int width, int height, GError **error)
{
  int half_width = (width + 1) / 2, half_height = (height + 1) / 2;
  PmtPicture coarse = { 0 };
  gboolean good = TRUE;

  if (width > 1 || height > 1) {
    if (!pmt_picture_init (&coarse, half_width, half_height, 4, error))
      return FALSE;
    for (int y = 0; y < height; y++)
      for (int x = 0; x < width; x++)
        for (int c = 0; c < 4; c++)
          coarse.data[((size_t) (y / 2) * (size_t) half_width + (size_t) (x / 2)) * 4 + (size_t) c] +=
            level[((size_t) y * (size_t) width + (size_t) x) * 4 + (size_t) c] / 4;
    good = spread (coarse.data, half_width, half_height, error);
  }
  for (int y = 0; good && y < height; y++)
    for (int x = 0; x < width; x++) {
      float *p = level + ((size_t) y * (size_t) width + (size_t) x) * 4;
      float missing = 1 - p[3];
      const float *from = coarse.data ? coarse.data + ((size_t) (y / 2) * (size_t) half_width + (size_t) (x / 2)) * 4 : NULL;

      if (missing <= 0)
        continue;
      for (int c = 0; c < 3; c++)
        p[c] += missing * (from ? from[c] : p[3] > 0 ? p[c] / p[3] : 0.5f);
      p[3] = 1;
    }
  pmt_picture_clear (&coarse);
  return good;
}

gboolean
pmt_picture_flatten (const PmtPicture *rgba, float *rgb, GError **error)
{
  size_t n = (size_t) rgba->width * (size_t) rgba->height;
  float *work = NULL;
  gboolean good = TRUE;

  g_assert (rgba->channels == 4);
  if (!pmt_picture_opaque (rgba)) {
    work = pmt_pixels_new (n * 4, error);
    if (!work)
      return FALSE;
    for (size_t i = 0; i < n; i++) {
      float alpha = CLAMP (rgba->data[i * 4 + 3], 0, 1);
      for (int c = 0; c < 3; c++)
        work[i * 4 + (size_t) c] = alpha * rgba->data[i * 4 + (size_t) c];
      work[i * 4 + 3] = alpha;
    }
    good = spread (work, rgba->width, rgba->height, error);
  }
  for (size_t i = 0; good && i < n; i++)
    for (size_t c = 0; c < 3; c++)
      rgb[i * 3 + c] = CLAMP ((work ? work : rgba->data)[i * 4 + c], 0, 1);
  free (work);
  return good;
}

void
pmt_picture_lay_over (PmtPicture *picture, const PmtPicture *layer, const PmtPicture *blend, int x, int y)
{
  g_assert (picture->channels == 4 && layer->channels == 4 && blend->channels == 1);
  g_assert (blend->width == layer->width && blend->height == layer->height);
  for (int j = MAX (0, -y); j < MIN (layer->height, picture->height - y); j++)
    for (int i = MAX (0, -x); i < MIN (layer->width, picture->width - x); i++) {
      size_t at = (size_t) j * (size_t) layer->width + (size_t) i;
      const float *from = layer->data + at * 4;
      float *to = picture->data + ((size_t) (y + j) * (size_t) picture->width + (size_t) (x + i)) * 4;
      float cover = blend->data[at] * from[3], rest = to[3] * (1 - cover), alpha = cover + rest;

      if (cover <= 0)
        continue;
      for (int c = 0; c < 3; c++)
        to[c] = (cover * from[c] + rest * to[c]) / alpha;
      to[3] = alpha;
    }
}
