/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/tensor/tensor.h"

#include <glib.h>
#include <inttypes.h>

bool
pmt_shape_equal (const PmtShape *a, const PmtShape *b)
{
  if (a->rank != b->rank)
    return false;
  for (int i = 0; i < a->rank; i++)
    if (a->dim[i] != b->dim[i])
      return false;
  return true;
}

const char *
pmt_shape_text (const PmtShape *s, char *buf, size_t size)
{
  g_strlcpy (buf, s->rank == 0 ? "none" : "", size);
  for (int i = 0; i < s->rank; i++) {
    char part[24];
    g_snprintf (part, sizeof part, "%s%" PRId64, i ? "x" : "", s->dim[i]);
    g_strlcat (buf, part, size);
  }
  return buf;
}

PmtTensor
pmt_tensor_view (PmtTensor t, PmtShape shape)
{
  if (!t.data)
    return PMT_NO_TENSOR;
  g_assert (pmt_shape_size (&shape) == pmt_shape_size (&t.shape));
  t.shape = shape;
  return t;
}

PmtTensor
pmt_tensor_rows (PmtTensor t, int64_t begin, int64_t count)
{
  if (!t.data)
    return PMT_NO_TENSOR;
  g_assert (!t.packed && t.shape.rank >= 1 && begin >= 0 && count >= 0 && begin <= t.shape.dim[0] - count);
  int64_t row = 1;
  for (int i = 1; i < t.shape.rank; i++)
    row *= t.shape.dim[i];
  t.data += begin * row;
  t.shape.dim[0] = count;
  return t;
}

void
pmt_nchw_to_nhwc (const float *src, float *dst, int64_t n, int64_t c, int64_t h, int64_t w)
{
  for (int64_t i = 0; i < n; i++)
    for (int64_t p = 0; p < h * w; p++)
      for (int64_t j = 0; j < c; j++)
        dst[(i * h * w + p) * c + j] = src[(i * c + j) * h * w + p];
}

void
pmt_nhwc_to_nchw (const float *src, float *dst, int64_t n, int64_t c, int64_t h, int64_t w)
{
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < c; j++)
      for (int64_t p = 0; p < h * w; p++)
        dst[(i * c + j) * h * w + p] = src[(i * h * w + p) * c + j];
}
