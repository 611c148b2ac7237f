/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/image/resize_axis.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double
sinc (double x)
{
  return x == 0 ? 1 : sin (G_PI * x) / (G_PI * x);
}

static double
filter_value (PmtFilter filter, double x)
{
  double a = fabs (x);

  switch (filter) {
  case PMT_FILTER_BOX:
    return x > -0.5 && x <= 0.5 ? 1 : 0; /* half open, so that a pixel on the edge counts once */
  case PMT_FILTER_LINEAR:
    return a < 1 ? 1 - a : 0;
  case PMT_FILTER_CUBIC:
    if (a < 1)
      return (1.5 * a - 2.5) * a * a + 1;
    return a < 2 ? ((-0.5 * a + 2.5) * a - 4) * a + 2 : 0;
  case PMT_FILTER_LANCZOS:
  case PMT_FILTER_AUTO:
    return a < 3 ? sinc (x) * sinc (x / 3) : 0;
  }
  g_assert_not_reached ();
}

static double
filter_support (PmtFilter filter)
{
  switch (filter) {
  case PMT_FILTER_BOX:
    return 0.5;
  case PMT_FILTER_LINEAR:
    return 1;
  case PMT_FILTER_CUBIC:
    return 2;
  case PMT_FILTER_LANCZOS:
  case PMT_FILTER_AUTO:
    return 3;
  }
  g_assert_not_reached ();
}

void
pmt_resize_axis_clear (PmtResizeAxis *axis)
{
  free (axis->first);
  free (axis->count);
  free (axis->weight);
}

gboolean
pmt_resize_axis_init (PmtResizeAxis *axis, PmtFilter filter, int from, int to, GError **error)
{
  double scale = (double) from / to, stretch = MAX (scale, 1), support;

  memset (axis, 0, sizeof *axis);
  axis->n = to;
  axis->same = from == to;
  if (filter == PMT_FILTER_AUTO)
    filter = from > to ? PMT_FILTER_BOX : PMT_FILTER_LANCZOS;
  support = filter_support (filter) * stretch;
  axis->width = (int) ceil (support) * 2 + 1;
  axis->first = calloc ((size_t) to, sizeof (int));
  axis->count = calloc ((size_t) to, sizeof (int));
  axis->weight = pmt_pixels_new ((size_t) to * (size_t) axis->width, error);
  if (!axis->weight)
    return FALSE;
  if (!axis->first || !axis->count) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_MEMORY, _("There is no memory to resize a picture; close other programs."));
    return FALSE;
  }
  for (int i = 0; i < to; i++) {
    double centre = (i + 0.5) * scale, sum = 0;
    int begin = MAX ((int) (centre - support + 0.5), 0), end = MIN ((int) (centre + support + 0.5), from);
    float *weight = axis->weight + (size_t) i * (size_t) axis->width;

    for (int k = begin; k < end; k++)
      sum += filter_value (filter, (k - centre + 0.5) / stretch);
    for (int k = begin; k < end; k++)
      weight[k - begin] = (float) (filter_value (filter, (k - centre + 0.5) / stretch) / sum);
    axis->first[i] = begin;
    axis->count[i] = end - begin;
  }
  return TRUE;
}
