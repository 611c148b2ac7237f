/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/weights/source.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/threads.h"

void
pmt_weights_free (PmtWeights *weights)
{
  if (!weights)
    return;
  g_free (weights->label);
  weights->class->free (weights);
}

const char *
pmt_weights_label (const PmtWeights *weights)
{
  return weights->label;
}

gboolean
pmt_weights_lookup (PmtWeights *weights, const char *name, PmtWeightInfo *info)
{
  return weights->class->lookup (weights, name, info);
}

gboolean
pmt_weights_has (PmtWeights *weights, const char *name)
{
  PmtWeightInfo info;
  return pmt_weights_lookup (weights, name, &info);
}

void
pmt_weights_drop_pages (PmtWeights *weights)
{
  if (weights->class->drop_pages)
    weights->class->drop_pages (weights);
}

char **
pmt_weights_names (PmtWeights *weights)
{
  return weights->class->names (weights);
}

/* Two shapes hold the same rows of values when they differ in trailing ones only. */
static gboolean
shapes_fit (int rank_a, const int64_t *a, int rank_b, const int64_t *b)
{
  while (rank_a > 0 && a[rank_a - 1] == 1)
    rank_a--;
  while (rank_b > 0 && b[rank_b - 1] == 1)
    rank_b--;
  return rank_a == rank_b && memcmp (a, b, (size_t) rank_a * sizeof *a) == 0;
}

static char *
shape_text (int rank, const int64_t *dim)
{
  GString *text = g_string_new ("[");
  for (int i = 0; i < rank; i++)
    g_string_append_printf (text, "%s%" G_GINT64_FORMAT, i ? "," : "", dim[i]);
  g_string_append_c (text, ']');
  return g_string_free (text, FALSE);
}

gboolean
pmt_weights_check (PmtWeights *weights, const char *name, int rank, const int64_t *dim, GError **error)
{
  PmtWeightInfo info;

  if (!pmt_weights_lookup (weights, name, &info)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_NOT_FOUND,
                 _("Tensor '%s' is missing in '%s'; the model's files and its config.json do not belong together."), name,
                 weights->label);
    return FALSE;
  }
  if (info.rank < 0 || shapes_fit (rank, dim, info.rank, info.dim))
    return TRUE;
  g_autofree char *want = shape_text (rank, dim), *have = shape_text (info.rank, info.dim);
  g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT,
               _("Tensor '%s' of '%s' has the shape %s where %s is expected; the file belongs to another model."), info.stored, info.file,
               have, want);
  return FALSE;
}

static int64_t
product (int rank, const int64_t *dim)
{
  int64_t n = 1;
  for (int i = 0; i < rank; i++)
    n *= dim[i];
  return n;
}

/* Output channels of a kernel on their way from [Cin,taps] to [taps,Cin]. */
typedef struct Turn {
  const float *from;
  float *to;
  int64_t in, taps;
} Turn;

static void
turn_channel (const float *from, int64_t in, int64_t taps, float *to)
{
  for (int64_t t = 0; t < taps; t++)
    for (int64_t i = 0; i < in; i++)
      to[t * in + i] = from[i * taps + t];
}

static void
turn_channels (void *user, size_t begin, size_t end)
{
  const Turn *turn = user;
  const int64_t row = turn->in * turn->taps;
  for (int64_t o = (int64_t) begin; o < (int64_t) end; o++)
    turn_channel (turn->from + o * row, turn->in, turn->taps, turn->to + o * row);
}

/* [Cout,Cin,taps] -> [Cout,taps,Cin], some output channels at a time, so that the detour is small. */
static gboolean
read_ohwi (PmtWeights *weights, const char *name, const int64_t *dim, float *dst, GError **error)
{
  enum { BAND_VALUES = 1 << 20 };
  const int64_t in = dim[1], taps = dim[2] * dim[3], row = in * taps, band = CLAMP (BAND_VALUES / MAX (row, 1), 1, MAX (dim[0], 1));
  gboolean good = TRUE;

  if (taps == 1)
    return weights->class->read (weights, name, 4, dim, 0, (uint64_t) product (4, dim), dst, error);
  float *buffer = malloc ((size_t) MAX (band * row, 1) * sizeof *buffer);
  if (!buffer) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_MEMORY, _("Reading tensor '%s' needs %" PRId64 " bytes more; close other programs."),
                 name, band * row * (int64_t) sizeof *buffer);
    return FALSE;
  }
  for (int64_t o = 0; o < dim[0] && good; o += band) {
    const int64_t count = MIN (band, dim[0] - o);
    Turn turn = { buffer, dst + o * row, in, taps };
    good = weights->class->read (weights, name, 4, dim, (uint64_t) (o * row), (uint64_t) (count * row), buffer, error);
    if (good)
      pmt_parallel_for (NULL, (size_t) count, 4, turn_channels, &turn);
  }
  free (buffer);
  return good;
}

gboolean
pmt_weights_read_packed (PmtWeights *weights, const char *name, PmtWeightLayout layout, int rank, const int64_t *dim, float *dst,
                         GError **error)
{
  g_return_val_if_fail (rank >= 0 && rank <= PMT_WEIGHT_MAX_RANK && (layout != PMT_LAYOUT_OHWI || rank == 4), FALSE);
  if (!pmt_weights_check (weights, name, rank, dim, error))
    return FALSE;
  if (layout == PMT_LAYOUT_OHWI)
    return read_ohwi (weights, name, dim, dst, error);
  return weights->class->read (weights, name, rank, dim, 0, (uint64_t) product (rank, dim), dst, error);
}

gboolean
pmt_weights_span (PmtWeights *weights, const char *name, int rank, const int64_t *dim, PmtWeightSpan *span)
{
  *span = (PmtWeightSpan) { .weights = weights, .name = name, .rank = rank, .dim = dim };
  return weights->class->span && weights->class->span (weights, span);
}

static void
read_span (const PmtWeightSpan *span, int64_t begin, int64_t count, float *dst)
{
  if (span->file)
    pmt_safetensors_read_f32 (span->file, span->tensor, span->begin + (uint64_t) begin, (uint64_t) count, dst, NULL);
  else
    span->weights->class->read (span->weights, span->name, span->rank, span->dim, (uint64_t) begin, (uint64_t) count, dst, NULL);
}

void
pmt_weight_span_rows (const PmtWeightSpan *span, PmtWeightLayout layout, int64_t first, int64_t count, float *room, float *dst)
{
  const int64_t row = product (span->rank - 1, span->dim + 1), taps = layout == PMT_LAYOUT_OHWI ? span->dim[2] * span->dim[3] : 1;
  if (taps == 1) {
    read_span (span, first * row, count * row, dst);
    return;
  }
  for (int64_t r = 0; r < count; r++) {
    read_span (span, (first + r) * row, row, room);
    turn_channel (room, row / taps, taps, dst + r * row);
  }
}

gboolean
pmt_weights_read_rows (PmtWeights *weights, const char *name, int64_t rows, int64_t width, int64_t begin, int64_t count, float *dst,
                       GError **error)
{
  const int64_t dim[2] = { rows, width };

  g_return_val_if_fail (begin >= 0 && count >= 0 && begin + count <= rows, FALSE);
  return pmt_weights_check (weights, name, 2, dim, error)
         && weights->class->read (weights, name, 2, dim, (uint64_t) (begin * width), (uint64_t) (count * width), dst, error);
}
