/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/cli/net-io.h"

#include <stdlib.h>
#include <string.h>

#include "engine/image/picture.h"

static void
missing (const PmtSafetensors *file, const char *name, GError **error)
{
  g_autoptr (GString) list = g_string_new (NULL);

  for (guint i = 0; i < MIN (pmt_safetensors_count (file), 12); i++)
    g_string_append_printf (list, "%s%s", i ? ", " : "", pmt_safetensors_at (file, i)->name);
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "The file '%s' has no tensor \"%s\" (it has: %s); name it so.",
               pmt_safetensors_path (file), name, list->len ? list->str : "none");
}

const PmtSafetensor *
pmt_net_find (const PmtSafetensors *file, const char *name, GError **error)
{
  const PmtSafetensor *tensor = pmt_safetensors_lookup (file, name);

  if (!tensor)
    missing (file, name, error);
  return tensor;
}

const PmtSafetensor *
pmt_net_find_any (const PmtSafetensors *file, const char *const *names, GError **error)
{
  for (const char *const *name = names; *name; name++) {
    const PmtSafetensor *tensor = pmt_safetensors_lookup (file, *name);
    if (tensor)
      return tensor;
  }
  if (pmt_safetensors_count (file) == 1)
    return pmt_safetensors_at (file, 0);
  missing (file, names[0], error);
  return NULL;
}

static char *
shape_text (int rank, const int64_t *dim)
{
  GString *text = g_string_new (NULL);

  for (int i = 0; i < rank; i++) {
    g_string_append (text, i ? "×" : "");
    if (dim[i] >= 0)
      g_string_append_printf (text, "%" G_GINT64_FORMAT, (gint64) dim[i]);
    else
      g_string_append (text, "any");
  }
  if (rank == 0)
    g_string_append (text, "scalar");
  return g_string_free (text, FALSE);
}

gboolean
pmt_net_check (const PmtSafetensors *file, const PmtSafetensor *tensor, int rank, const int64_t *dim, GError **error)
{
  bool good = tensor->rank == rank && tensor->count > 0;
  g_autofree char *has = shape_text (tensor->rank, tensor->dim), *wants = shape_text (rank, dim);

  for (int i = 0; good && i < rank; i++)
    good = dim[i] < 0 || dim[i] == tensor->dim[i];
  if (!good)
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "The tensor \"%s\" of '%s' has the shape %s and the network takes %s.",
                 tensor->name, pmt_safetensors_path (file), has, wants);
  return good;
}

PmtTensor
pmt_net_read (PmtContext *ctx, const PmtSafetensors *file, const PmtSafetensor *tensor)
{
  PmtShape shape = { .rank = tensor->rank };
  GError *error = NULL;
  PmtTensor read, turned;
  const int64_t *d = tensor->dim;

  for (int i = 0; i < tensor->rank; i++)
    shape.dim[i] = d[i];
  read = pmt_tensor_new (ctx, shape);
  if (!read.data)
    return PMT_NO_TENSOR;
  if (!pmt_safetensors_read_f32 (file, tensor, 0, tensor->count, read.data, &error)) {
    pmt_context_fail (ctx, (PmtError) error->code, "%s", error->message);
    g_error_free (error);
    return PMT_NO_TENSOR;
  }
  if (tensor->rank != 4)
    return read;
  turned = pmt_tensor_new (ctx, PMT_SHAPE4 (d[0], d[2], d[3], d[1]));
  if (turned.data)
    pmt_nchw_to_nhwc (read.data, turned.data, d[0], d[1], d[2], d[3]);
  return turned;
}

float *
pmt_net_read_timesteps (const PmtSafetensors *file, int64_t rows, GError **error)
{
  const PmtSafetensor *tensor = pmt_net_find (file, "timestep", error);
  float *values;

  if (!tensor)
    return NULL;
  if (tensor->rank > 1 || (tensor->count != 1 && tensor->count != (uint64_t) rows)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 "The tensor \"timestep\" of '%s' has %" G_GUINT64_FORMAT " values; give one, or one for each of the %" G_GINT64_FORMAT
                 " rows.", pmt_safetensors_path (file), tensor->count, (gint64) rows);
    return NULL;
  }
  values = pmt_pixels_new ((size_t) rows, error);
  if (values && !pmt_safetensors_read_f32 (file, tensor, 0, tensor->count, values, error))
    g_clear_pointer (&values, free);
  for (int64_t i = 1; values && tensor->count == 1 && i < rows; i++)
    values[i] = values[0];
  return values;
}

gboolean
pmt_net_add (PmtNetOut *out, const char *name, PmtTensor tensor, GError **error)
{
  const int64_t *d = tensor.shape.dim;
  PmtSafetensorOut *entry = &out->tensor[out->n];
  size_t count = (size_t) pmt_tensor_size (tensor);
  float *copy = pmt_pixels_new (count, error);

  g_assert (out->n < G_N_ELEMENTS (out->tensor));
  if (!copy)
    return FALSE;
  *entry = (PmtSafetensorOut) { .name = g_strdup (name), .dtype = PMT_DTYPE_F32, .rank = tensor.shape.rank, .data = copy };
  out->n++;
  for (int i = 0; i < tensor.shape.rank; i++)
    entry->dim[i] = d[i];
  if (tensor.shape.rank == 4) {
    pmt_nhwc_to_nchw (tensor.data, copy, d[0], d[3], d[1], d[2]);
    entry->dim[1] = d[3];
    entry->dim[2] = d[1];
    entry->dim[3] = d[2];
  } else
    memcpy (copy, tensor.data, count * sizeof (float));
  return TRUE;
}

gboolean
pmt_net_write (PmtNetOut *out, const char *path, GError **error)
{
  return pmt_safetensors_write (path, out->tensor, out->n, NULL, error);
}

void
pmt_net_clear (PmtNetOut *out)
{
  for (guint i = 0; i < out->n; i++) {
    free ((void *) out->tensor[i].data);
    g_free ((char *) out->tensor[i].name);
  }
  out->n = 0;
}
