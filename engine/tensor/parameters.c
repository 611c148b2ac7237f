/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/tensor/parameters.h"

#include <math.h>
#include <string.h>

#include "engine/base/arena.h"

typedef struct Parameter {
  char *name;
  int group;
  PmtTensor value, gradient;
  float *moment[2];
} Parameter;

struct PmtParameters {
  PmtArena *arena;
  GArray *all; /* Parameter; the i-th one's node is -(i + 1) */
};

static void
clear (void *parameter)
{
  g_free (((Parameter *) parameter)->name);
}

PmtParameters *
pmt_parameters_new (size_t limit, GError **error)
{
  PmtArena *arena = limit ? pmt_arena_new ("what is learned", limit, error) : pmt_arena_new_dry ("what is learned", error);
  if (!arena)
    return NULL;
  PmtParameters *parameters = g_new0 (PmtParameters, 1);
  parameters->arena = arena;
  parameters->all = g_array_new (FALSE, TRUE, sizeof (Parameter));
  g_array_set_clear_func (parameters->all, clear);
  return parameters;
}

void
pmt_parameters_free (PmtParameters *parameters)
{
  if (!parameters)
    return;
  g_array_unref (parameters->all);
  pmt_arena_free (parameters->arena);
  g_free (parameters);
}

static Parameter *
at (const PmtParameters *parameters, int i)
{
  g_assert (i >= 0 && (guint) i < parameters->all->len);
  return &g_array_index (parameters->all, Parameter, i);
}

static size_t
bytes_of (PmtTensor t)
{
  return (size_t) pmt_tensor_size (t) * sizeof (float);
}

PmtTensor
pmt_parameters_add (PmtParameters *parameters, const char *name, PmtShape shape, int group, GError **error)
{
  const size_t bytes = (size_t) pmt_shape_size (&shape) * sizeof (float);
  Parameter parameter = { .group = group, .value = { .shape = shape }, .gradient = { .shape = shape } };
  float **const places[] = { &parameter.value.data, &parameter.gradient.data, &parameter.moment[0], &parameter.moment[1] };
  /* The system's pages are zeros, and nothing was given back to this arena. */
  for (gsize k = 0; k < G_N_ELEMENTS (places); k++)
    if (!(*places[k] = pmt_arena_alloc (parameters->arena, bytes, error)))
      return PMT_NO_TENSOR;
  parameter.name = g_strdup (name);
  parameter.value.node = -(int32_t) parameters->all->len - 1;
  g_array_append_val (parameters->all, parameter);
  return parameter.value;
}

int
pmt_parameters_count (const PmtParameters *parameters)
{
  return (int) parameters->all->len;
}

const char *
pmt_parameters_name (const PmtParameters *parameters, int i)
{
  return at (parameters, i)->name;
}

int
pmt_parameters_group (const PmtParameters *parameters, int i)
{
  return at (parameters, i)->group;
}

PmtTensor
pmt_parameters_value (const PmtParameters *parameters, int i)
{
  return at (parameters, i)->value;
}

float *
pmt_parameters_moment (const PmtParameters *parameters, int i, int k)
{
  return at (parameters, i)->moment[k];
}

size_t
pmt_parameters_bytes (const PmtParameters *parameters)
{
  return pmt_arena_used (parameters->arena);
}

int64_t
pmt_parameters_size (const PmtParameters *parameters)
{
  int64_t size = 0;
  for (guint i = 0; i < parameters->all->len; i++)
    size += pmt_tensor_size (at (parameters, (int) i)->value);
  return size;
}

PmtTensor
pmt_parameters_gradient (const PmtParameters *parameters, PmtTensor t)
{
  const Parameter *parameter = at (parameters, -t.node - 1);
  const ptrdiff_t offset = t.data - parameter->value.data;
  g_assert (offset >= 0 && offset + pmt_tensor_size (t) <= pmt_tensor_size (parameter->value));
  return (PmtTensor) { parameter->gradient.data + offset, t.shape, 0, NULL };
}

void
pmt_parameters_clear_gradients (PmtParameters *parameters)
{
  for (guint i = 0; i < parameters->all->len; i++) {
    const PmtTensor gradient = at (parameters, (int) i)->gradient;
    memset (gradient.data, 0, bytes_of (gradient));
  }
}

void
pmt_parameters_scale_gradients (PmtParameters *parameters, float factor)
{
  for (guint i = 0; i < parameters->all->len; i++) {
    const PmtTensor gradient = at (parameters, (int) i)->gradient;
    for (int64_t k = 0; k < pmt_tensor_size (gradient); k++)
      gradient.data[k] *= factor;
  }
}

double
pmt_parameters_gradient_norm (const PmtParameters *parameters)
{
  double sum = 0;
  for (guint i = 0; i < parameters->all->len; i++) {
    const PmtTensor gradient = at (parameters, (int) i)->gradient;
    for (int64_t k = 0; k < pmt_tensor_size (gradient); k++)
      sum += (double) gradient.data[k] * (double) gradient.data[k];
  }
  return sqrt (sum);
}
