/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/nets/nets_case.h"

#include <math.h>
#include <string.h>

#include "engine/base/cpu.h"
#include "engine/base/rng.h"
#include "engine/kernels/kernels.h"

#define ARENA_LIMIT ((size_t) 1 << 30)

NetsCase *
nets_case_open (const char *name, const char *stem, PmtNames names)
{
  GError *error = NULL;
  const char *root = g_getenv ("PMT_TEST_DATA");
  g_assert_nonnull (root);
  NetsCase *nets = g_new0 (NetsCase, 1);
  g_autofree char *folder = g_build_filename (root, "nets", name, NULL);
  g_autofree char *io = g_build_filename (folder, "io.safetensors", NULL);
  nets->name = g_strdup (name);
  nets->file = g_build_filename (folder, "config.json", NULL);
  nets->config = pmt_config_load (nets->file, &error);
  g_assert_no_error (error);
  nets->weights = pmt_weights_new_folder (folder, stem, NULL, names, &error);
  g_assert_no_error (error);
  nets->io = pmt_safetensors_open (io, &error);
  g_assert_no_error (error);
  return nets;
}

void
nets_case_close (NetsCase *nets)
{
  pmt_safetensors_free (nets->io);
  pmt_weights_free (nets->weights);
  json_object_unref (nets->config);
  g_free (nets->file);
  g_free (nets->name);
  g_free (nets);
}

PmtContext *
nets_context_new (bool dry)
{
  GError *error = NULL;
  PmtCpuLevel level;
  pmt_cpu_select (&level, &error);
  g_assert_no_error (error);
  PmtContext *ctx = g_new0 (PmtContext, 1);
  ctx->step = pmt_arena_new ("test", ARENA_LIMIT, &error);
  g_assert_no_error (error);
  ctx->kernels = pmt_kernels_get (level);
  ctx->dry = dry;
  return ctx;
}

void
nets_context_free (PmtContext *ctx)
{
  g_clear_error (&ctx->error);
  pmt_arena_free (ctx->step);
  g_free (ctx);
}

void
nets_context_check (PmtContext *ctx)
{
  GError *error = NULL;
  pmt_context_take_error (ctx, &error);
  g_assert_no_error (error);
}

static const PmtSafetensor *
stored (const NetsCase *nets, const char *tensor)
{
  const PmtSafetensor *found = pmt_safetensors_lookup (nets->io, tensor);
  if (!found)
    g_error ("%s has no %s", pmt_safetensors_path (nets->io), tensor);
  return found;
}

bool
nets_has (const NetsCase *nets, const char *tensor)
{
  return pmt_safetensors_lookup (nets->io, tensor) != NULL;
}

PmtTensor
nets_read (PmtContext *ctx, const NetsCase *nets, const char *tensor)
{
  GError *error = NULL;
  const PmtSafetensor *found = stored (nets, tensor);
  PmtShape shape = { .rank = found->rank };
  g_assert_cmpint (found->rank, <=, PMT_MAX_RANK);
  for (int i = 0; i < found->rank; i++)
    shape.dim[i] = found->dim[i];
  PmtTensor read = pmt_tensor_new (ctx, shape);
  nets_context_check (ctx);
  if (ctx->dry)
    return found->rank == 4 ? pmt_tensor_view (read, PMT_SHAPE4 (shape.dim[0], shape.dim[2], shape.dim[3], shape.dim[1])) : read;
  pmt_safetensors_read_f32 (nets->io, found, 0, found->count, read.data, &error);
  g_assert_no_error (error);
  if (found->rank != 4)
    return read;
  PmtTensor turned = pmt_tensor_new (ctx, PMT_SHAPE4 (shape.dim[0], shape.dim[2], shape.dim[3], shape.dim[1]));
  nets_context_check (ctx);
  pmt_nchw_to_nhwc (read.data, turned.data, shape.dim[0], shape.dim[1], shape.dim[2], shape.dim[3]);
  return turned;
}

int32_t *
nets_read_ids (const NetsCase *nets, const char *tensor, int64_t *rows, int64_t *tokens)
{
  GError *error = NULL;
  const PmtSafetensor *found = stored (nets, tensor);
  g_assert_cmpint (found->rank, ==, 2);
  *rows = found->dim[0];
  *tokens = found->dim[1];
  g_autofree float *values = g_new (float, found->count);
  pmt_safetensors_read_f32 (nets->io, found, 0, found->count, values, &error);
  g_assert_no_error (error);
  int32_t *ids = g_new (int32_t, found->count);
  for (uint64_t i = 0; i < found->count; i++)
    ids[i] = (int32_t) values[i];
  return ids;
}

PmtTensor
nets_random (PmtContext *ctx, PmtShape shape, uint64_t seed)
{
  PmtRng rng;
  PmtTensor made = pmt_tensor_new (ctx, shape);
  nets_context_check (ctx);
  pmt_rng_seed (&rng, seed);
  pmt_rng_normal (&rng, (size_t) pmt_tensor_size (made), made.data);
  return made;
}

double
nets_difference (PmtTensor a, PmtTensor b)
{
  double most = 0.0, size = 0.0;
  if (!a.data || !b.data || !pmt_shape_equal (&a.shape, &b.shape))
    return INFINITY;
  for (int64_t i = 0; i < pmt_tensor_size (a); i++) {
    if (!isfinite (a.data[i]) || !isfinite (b.data[i]))
      return INFINITY;
    most = fmax (most, fabs ((double) a.data[i] - (double) b.data[i]));
    size = fmax (size, fabs ((double) b.data[i]));
  }
  return most / size;
}

bool
nets_same_bytes (PmtTensor a, PmtTensor b)
{
  return a.data && b.data && pmt_shape_equal (&a.shape, &b.shape)
         && memcmp (a.data, b.data, (size_t) pmt_tensor_size (a) * sizeof (float)) == 0;
}

void
nets_compare (PmtContext *ctx, const NetsCase *nets, const char *tensor, PmtTensor got)
{
  nets_context_check (ctx);
  double difference = nets_difference (got, nets_read (ctx, nets, tensor));
  g_test_message ("%s: %s differs by %.2e", nets->name, tensor, difference);
  g_assert_cmpfloat (difference, <=, NETS_TOLERANCE);
}
