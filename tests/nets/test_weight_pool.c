/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Loading: what a pool holds is what reading the tensor whole and packing it gives, to the bit, for every stored type, layout and
 * precision, with any number of threads. */
#include <math.h>
#include <string.h>

#include <glib/gstdio.h>
#include <unistd.h>

#include "engine/base/threads.h"
#include "engine/kernels/packed.h"
#include "engine/nets/weight_pool.h"
#include "tests/nets/nets_case.h"

typedef struct Wanted {
  const char *name;
  PmtWeightLayout layout;
  PmtShape shape;
  bool product;
  const PmtConv2dParams *conv;
} Wanted;

static const PmtConv2dParams same = PMT_CONV_3X3, twice = { 1, 1, 1, 1, 1, .twice = true };

/* More rows than a panel and fewer, more values of k than a block, an odd number of them, kernels of one tap and of nine, and such that may be transformed. */
static const Wanted all[] = {
  { "wide.weight", PMT_LAYOUT_PLAIN, { 2, { 70, 1031 } }, true },   { "wide.bias", PMT_LAYOUT_PLAIN, { 1, { 70 } }, false },
  { "few.weight", PMT_LAYOUT_PLAIN, { 2, { 3, 200 } }, true },      { "conv.weight", PMT_LAYOUT_OHWI, { 4, { 65, 67, 3, 3 } }, true },
  { "point.weight", PMT_LAYOUT_OHWI, { 4, { 64, 96, 1, 1 } }, true }, { "table.weight", PMT_LAYOUT_PLAIN, { 2, { 501, 300 } }, false },
  { "same.weight", PMT_LAYOUT_OHWI, { 4, { 65, 301, 3, 3 } }, true, &same }, { "twice.weight", PMT_LAYOUT_OHWI, { 4, { 70, 67, 3, 3 } }, true, &twice },
};

static PmtWeightRef
declare (PmtWeightPool *pool, const Wanted *w)
{
  if (w->conv)
    return pmt_weight_pool_declare_conv (pool, NULL, w->name, w->shape, *w->conv);
  return (w->product ? pmt_weight_pool_declare_product : pmt_weight_pool_declare) (pool, NULL, w->name, w->layout, w->shape);
}

/* A file of them in `dtype`, by torch's order of dimensions. */
static char *
write_file (PmtDtype dtype)
{
  PmtSafetensorOut out[G_N_ELEMENTS (all)];
  char *path = NULL;
  GError *error = NULL;
  const int fd = g_file_open_tmp ("pmt-pool-XXXXXX.safetensors", &path, &error);
  g_assert_no_error (error);
  close (fd);
  for (guint i = 0; i < G_N_ELEMENTS (all); i++) {
    const int64_t n = pmt_shape_size (&all[i].shape);
    PmtWeights *random = pmt_weights_new_random (3);
    float *values = g_new (float, n);
    uint16_t *halves = g_new (uint16_t, n);
    g_assert_true (pmt_weights_read_packed (random, all[i].name, PMT_LAYOUT_PLAIN, all[i].shape.rank, all[i].shape.dim, values, NULL));
    pmt_weights_free (random);
    for (int64_t k = 0; k < n; k++)
      halves[k] = pmt_f16_from_f32 (values[k]);
    out[i] = (PmtSafetensorOut) { all[i].name, dtype, all[i].shape.rank, { 0 }, dtype == PMT_DTYPE_F16 ? (void *) halves : values };
    memcpy (out[i].dim, all[i].shape.dim, (size_t) all[i].shape.rank * sizeof (int64_t));
    g_free (dtype == PMT_DTYPE_F16 ? (void *) values : halves);
  }
  g_assert_true (pmt_safetensors_write (path, out, G_N_ELEMENTS (all), NULL, &error));
  for (guint i = 0; i < G_N_ELEMENTS (all); i++)
    g_free ((void *) out[i].data);
  return path;
}

/* What the pool should hold: an overlay of it takes whole tensors. */
static void
check (PmtWeights *weights, PmtPrecision precision)
{
  GError *error = NULL;
  PmtWeightPool *pool = pmt_weight_pool_new ("test", precision);
  PmtWeightRef refs[G_N_ELEMENTS (all)];
  for (guint i = 0; i < G_N_ELEMENTS (all); i++)
    refs[i] = declare (pool, &all[i]);
  pmt_weight_pool_load (pool, weights, NULL, &error);
  g_assert_no_error (error);
  PmtOverlay *overlay = pmt_overlay_new (pool, refs, G_N_ELEMENTS (all), &error);
  g_assert_no_error (error);
  pmt_weight_pool_use (pool, 1, overlay);
  PmtContext own = { 0 }, other = { .weight_set = 1 };
  for (guint i = 0; i < G_N_ELEMENTS (all); i++) {
    const int64_t n = pmt_shape_size (&all[i].shape);
    g_autofree float *values = g_new (float, n), *held = g_new (float, n), *rounded = g_new (float, n);
    g_assert_true (pmt_weights_read_packed (weights, all[i].name, all[i].layout, all[i].shape.rank, all[i].shape.dim, values, NULL));
    pmt_overlay_write (overlay, refs[i], values);
    const PmtTensor a = pmt_weight (&own, pool, refs[i]), b = pmt_weight (&other, pool, refs[i]);
    g_assert_true (a.data != b.data && !a.packed == !b.packed);
    if (a.packed)
      g_assert_cmpmem (a.packed->data, pmt_packed_size (a.packed), b.packed->data, pmt_packed_size (b.packed));
    else
      g_assert_cmpmem (a.data, (size_t) n * sizeof (float), b.data, (size_t) n * sizeof (float));
    pmt_weight_pool_read (pool, refs[i], held);
    for (int64_t k = 0; k < n; k++)
      g_assert_true (fabsf (held[k] - values[k]) <= (precision == PMT_PRECISION_F32 ? (all[i].conv ? 1e-6f : 0) : 0.02f));
    if (all[i].conv && a.packed)
      g_assert_true (a.packed->precision == precision && a.packed->form == (all[i].conv->twice ? PMT_PACKED_TWICE : PMT_PACKED_SAME));
  }
  pmt_weight_pool_use (pool, 1, NULL);
  pmt_overlay_free (overlay);
  pmt_weight_pool_free (pool);
}

static void
test_load (void)
{
  static const PmtDtype dtypes[] = { PMT_DTYPE_F32, PMT_DTYPE_F16 };
  for (int threads = 1; threads <= 3; threads++) {
    pmt_threads_set (threads);
    for (PmtPrecision precision = 0; precision < PMT_PRECISIONS; precision++) {
      if (!pmt_precision_available (precision))
        continue;
      for (guint i = 0; i < G_N_ELEMENTS (dtypes); i++) {
        GError *error = NULL;
        char *path = write_file (dtypes[i]);
        PmtWeights *file = pmt_weights_new_file (path, PMT_NAMES_PLAIN, &error), *random = pmt_weights_new_random (7);
        g_assert_no_error (error);
        check (file, precision);
        check (random, precision);
        pmt_weights_free (file);
        pmt_weights_free (random);
        g_unlink (path);
        g_free (path);
      }
    }
  }
}

/* A pool that gets its precision late is one that was made with it. */
static void
test_precision (void)
{
  for (PmtPrecision precision = 0; precision < PMT_PRECISIONS; precision++) {
    if (!pmt_precision_available (precision))
      continue;
    PmtWeightPool *early = pmt_weight_pool_new ("test", precision), *late = pmt_weight_pool_new ("test", PMT_PRECISION_F32);
    PmtWeights *random = pmt_weights_new_random (4);
    GError *error = NULL;
    for (guint i = 0; i < G_N_ELEMENTS (all); i++) {
      declare (early, &all[i]);
      declare (late, &all[i]);
    }
    pmt_weight_pool_set_precision (late, precision);
    g_assert_cmpint (pmt_weight_pool_precision (late), ==, precision);
    g_assert_cmpuint (pmt_weight_pool_bytes (early), ==, pmt_weight_pool_bytes (late));
    g_assert_true (pmt_weight_pool_load (early, random, NULL, &error) && pmt_weight_pool_load (late, random, NULL, &error));
    for (PmtWeightRef ref = 1; ref <= (PmtWeightRef) G_N_ELEMENTS (all); ref++) {
      PmtContext ctx = { 0 };
      const PmtTensor a = pmt_weight (&ctx, early, ref), b = pmt_weight (&ctx, late, ref);
      const size_t bytes = a.packed ? pmt_packed_size (a.packed)
                                    : (size_t) pmt_shape_size (&all[ref - 1].shape) * sizeof (float);
      g_assert_true ((a.packed ? a.packed->kernels : NULL) == (b.packed ? b.packed->kernels : NULL));
      g_assert_cmpmem (a.data, bytes, b.data, bytes);
    }
    pmt_weights_free (random);
    pmt_weight_pool_free (early);
    pmt_weight_pool_free (late);
  }
}

/* A convolution of few channels keeps bf16 in an int8 pool, however many products its windows make of them: 9 of an inpainting UNet. */
static void
test_few_channels (void)
{
  static const struct {
    int64_t channels;
    PmtPrecision precision;
  } rows[] = { { 4, PMT_PRECISION_BF16 }, { 8, PMT_PRECISION_BF16 }, { 9, PMT_PRECISION_BF16 }, { 64, PMT_PRECISION_INT8 } };
  if (!pmt_precision_available (PMT_PRECISION_INT8))
    return;
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    PmtWeightPool *pool = pmt_weight_pool_new ("test", PMT_PRECISION_INT8);
    PmtWeights *random = pmt_weights_new_random (2);
    GError *error = NULL;
    const PmtWeightRef ref = pmt_weight_pool_declare_conv (pool, NULL, "conv_in.weight", PMT_SHAPE4 (320, rows[i].channels, 3, 3), same);
    g_assert_true (pmt_weight_pool_load (pool, random, NULL, &error));
    PmtContext ctx = { 0 };
    g_assert_cmpint (pmt_weight (&ctx, pool, ref).packed->precision, ==, rows[i].precision);
    pmt_weights_free (random);
    pmt_weight_pool_free (pool);
  }
}

/* What was let go comes back as it was, and another set of values stays where it was put. */
static void
test_unload (void)
{
  GError *error = NULL;
  float before[5], after[5];
  const float others[5] = { 1, 2, 3, 4, 5 };
  PmtWeights *random = pmt_weights_new_random (1);
  PmtWeightPool *pool = pmt_weight_pool_new ("test", PMT_PRECISION_F32);
  const PmtWeightRef ref = pmt_weight_pool_declare (pool, NULL, "a", PMT_LAYOUT_PLAIN, PMT_SHAPE1 (5));
  g_assert_true (pmt_weight_pool_load (pool, random, NULL, &error));
  PmtOverlay *overlay = pmt_overlay_new (pool, &ref, 1, &error);
  pmt_overlay_write (overlay, ref, others);
  pmt_weight_pool_use (pool, 1, overlay);
  pmt_weight_pool_read (pool, ref, before);
  for (int i = 0; i < 2; i++) {
    pmt_weight_pool_unload (pool);
    g_assert_false (pmt_weight_pool_loaded (pool));
    g_assert_true (pmt_weight_pool_load (pool, random, NULL, &error));
    g_assert_true (pmt_weight_pool_loaded (pool));
    pmt_weight_pool_read (pool, ref, after);
    g_assert_cmpmem (before, sizeof before, after, sizeof after);
    PmtContext other = { .weight_set = 1 };
    g_assert_cmpmem (pmt_weight (&other, pool, ref).data, sizeof others, others, sizeof others);
  }
  pmt_weight_pool_free (pool);
  pmt_overlay_free (overlay);
  pmt_weights_free (random);
}

static void
test_refusals (void)
{
  GError *error = NULL;
  PmtCancel cancel = { 0 };
  PmtWeights *random = pmt_weights_new_random (1);
  PmtWeightPool *pool = pmt_weight_pool_new ("test", PMT_PRECISION_F32);
  pmt_weight_pool_declare (pool, NULL, "a", PMT_LAYOUT_PLAIN, PMT_SHAPE1 (5));
  pmt_cancel_request (&cancel);
  g_assert_false (pmt_weight_pool_load (pool, random, &cancel, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_false (pmt_weight_pool_loaded (pool));
  g_assert_true (pmt_weight_pool_load (pool, random, NULL, &error)); /* another try */
  pmt_weight_pool_free (pool);
  pmt_weights_free (random);
}

int
main (int argc, char **argv)
{
  PmtCpuLevel level;
  GError *error = NULL;
  if (!pmt_cpu_select (&level, &error))
    g_error ("%s", error->message);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/weight-pool/load", test_load);
  g_test_add_func ("/weight-pool/precision", test_precision);
  g_test_add_func ("/weight-pool/few-channels", test_few_channels);
  g_test_add_func ("/weight-pool/unload", test_unload);
  g_test_add_func ("/weight-pool/refusals", test_refusals);
  return g_test_run ();
}
