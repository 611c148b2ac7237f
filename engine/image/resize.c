/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/image/resize.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/threads.h"
#include "engine/image/picture.h"
#include "engine/image/resize_axis.h"

typedef struct Pass {
  const PmtResizeAxis *axis;
  const float *src;
  float *dst;
  int src_width; /* pixels per row of src (along) or values per row (down) */
  int channels;
} Pass;

/* Rows [begin, end): along the row. */
static void
pass_along (void *user, size_t begin, size_t end)
{
  const Pass *p = user;
  const PmtResizeAxis *axis = p->axis;
  size_t channels = (size_t) p->channels;

  for (size_t y = begin; y < end; y++) {
    const float *src = p->src + y * (size_t) p->src_width * channels;
    float *dst = p->dst + y * (size_t) axis->n * channels;
    for (int i = 0; i < axis->n; i++) {
      const float *weight = axis->weight + (size_t) i * (size_t) axis->width;
      const float *at = src + (size_t) axis->first[i] * channels;
      float sum[4] = { 0, 0, 0, 0 };
      for (int k = 0; k < axis->count[i]; k++)
        for (size_t c = 0; c < channels; c++)
          sum[c] += weight[k] * at[(size_t) k * channels + c];
      memcpy (dst + (size_t) i * channels, sum, channels * sizeof (float));
    }
  }
}

/* Destination rows [begin, end): down the columns; src_width counts values. */
static void
pass_down (void *user, size_t begin, size_t end)
{
  const Pass *p = user;
  const PmtResizeAxis *axis = p->axis;
  size_t n = (size_t) p->src_width;

  for (size_t y = begin; y < end; y++) {
    const float *weight = axis->weight + y * (size_t) axis->width;
    float *dst = p->dst + y * n;
    memset (dst, 0, n * sizeof (float));
    for (int k = 0; k < axis->count[y]; k++) {
      const float *src = p->src + (size_t) (axis->first[y] + k) * n;
      for (size_t x = 0; x < n; x++)
        dst[x] += weight[k] * src[x];
    }
  }
}

gboolean
pmt_resize (PmtFilter filter, const float *src, int src_width, int src_height, int channels, float *dst, int dst_width,
            int dst_height, GError **error)
{
  PmtResizeAxis across = { 0 }, down = { 0 };
  size_t values = (size_t) dst_width * (size_t) dst_height * (size_t) channels;
  size_t row = (size_t) dst_width * (size_t) channels;
  float *middle = NULL;
  gboolean good;

  g_assert (channels >= 1 && channels <= 4);
  good = pmt_resize_axis_init (&across, filter, src_width, dst_width, error) && pmt_resize_axis_init (&down, filter, src_height, dst_height, error);
  if (good && !across.same && !down.same)
    good = (middle = pmt_pixels_new (row * (size_t) src_height, error)) != NULL;
  if (good) {
    const float *from = src;
    if (!across.same) {
      Pass pass = { &across, src, middle ? middle : dst, src_width, channels };
      pmt_parallel_for (NULL, (size_t) src_height, 16, pass_along, &pass);
      from = pass.dst;
    }
    if (!down.same) {
      Pass pass = { &down, from, dst, (int) row, channels };
      pmt_parallel_for (NULL, (size_t) dst_height, 16, pass_down, &pass);
    }
    if (across.same && down.same)
      memcpy (dst, src, values * sizeof (float));
    if (filter == PMT_FILTER_AUTO)
      for (size_t i = 0; i < values; i++)
        dst[i] = CLAMP (dst[i], 0, 1);
  }
  free (middle);
  pmt_resize_axis_clear (&across);
  pmt_resize_axis_clear (&down);
  return good;
}

/* RGB times alpha, or divided by it again. */
static void
weigh_by_alpha (PmtPicture *picture, bool back)
{
  for (size_t i = 0, n = (size_t) picture->width * (size_t) picture->height; i < n; i++) {
    float *p = picture->data + i * 4;
    const float alpha = back ? (p[3] > 0 ? 1 / p[3] : 0) : p[3];
    for (int c = 0; c < 3; c++)
      p[c] = back ? CLAMP (p[c] * alpha, 0, 1) : p[c] * alpha;
  }
}

gboolean
pmt_picture_scale (PmtPicture *picture, int width, int height, GError **error)
{
  const PmtFilter filter = picture->channels == 1 ? PMT_FILTER_LINEAR : PMT_FILTER_AUTO;
  const bool has_alpha = picture->channels == 4;
  PmtPicture scaled;

  if (picture->width == width && picture->height == height)
    return TRUE;
  if (!pmt_picture_init (&scaled, width, height, picture->channels, error)) {
    pmt_picture_clear (picture);
    return FALSE;
  }
  if (has_alpha)
    weigh_by_alpha (picture, false);
  const gboolean good = pmt_resize (filter, picture->data, picture->width, picture->height, picture->channels, scaled.data, width, height,
                                    error);
  pmt_picture_clear (picture);
  *picture = scaled;
  if (!good)
    pmt_picture_clear (picture);
  else if (has_alpha)
    weigh_by_alpha (picture, true);
  return good;
}
