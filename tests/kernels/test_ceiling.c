/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <glib.h>

#include "engine/base/threads.h"
#include "engine/kernels/ceiling.h"
#include "engine/kernels/ceiling_dnnl.h"
#include "engine/kernels/packed.h"
#include "engine/kernels/pmt-kernel-levels.h"
#include "tests/base/patience.h"

static PmtCpuLevel level;

#ifdef PMT_HAVE_DNNL
/* Threads of this process. */
static int
count_tasks (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/task", 0, NULL);
  int n = 0;
  g_assert_nonnull (dir);
  while (g_dir_read_name (dir))
    n++;
  return n;
}

static void
nothing (void *user, size_t begin, size_t end)
{
}

/* oneDNN works on our pool: it makes no threads beside it, with one thread none at all. Prepared twice, as each shape does. */
static void
test_library (void)
{
  for (int threads = 1; threads <= 2; threads++) {
    pmt_threads_set (threads);
    pmt_parallel_for (NULL, 64, 1, nothing, NULL);
    const int before = count_tasks ();
    PmtDnnl *dnnl = pmt_dnnl_new ();
    g_assert_nonnull (dnnl);
    g_assert_true (g_str_has_prefix (pmt_dnnl_version (dnnl), "3."));
    g_assert_false (pmt_dnnl_ready (dnnl));
    for (int twice = 0; twice < 2; twice++) {
      g_assert_true (pmt_dnnl_prepare (dnnl, PMT_PRECISION_F32, 256, 320, 640));
      pmt_dnnl_run (dnnl);
      g_assert_true (pmt_dnnl_ready (dnnl));
    }
    g_assert_cmpint (count_tasks (), ==, before);
    pmt_dnnl_free (dnnl);
  }
}
#else
static void
test_library (void)
{
  g_assert_null (pmt_dnnl_new ());
}
#endif

/* The best of each kind, never less than before, and that of OpenBLAS for f32 alone. */
static void
test_best (void)
{
  const PmtKernels *kernels = pmt_kernels_get (level);
  PmtCeiling c = { 0 };
  GError *error = NULL;
  if (pmt_test_patience () > 1) {
    g_test_skip ("an emulator has no speed to be measured");
    return;
  }
  pmt_threads_set (1);
  g_assert_true (pmt_ceiling_measure (&c, kernels, true, NULL, &error));
  g_assert_no_error (error);
  const PmtCeiling first = c;
  g_assert_cmpfloat (c.openblas, >, 0);
  g_assert_cmpfloat (c.copy, >, 0);
  for (PmtPrecision p = 0; p < PMT_PRECISIONS; p++)
    g_assert_cmpint (c.tiles[p] > 0, ==, pmt_product_kernels (kernels, p) != NULL);
  g_assert_true (pmt_ceiling_measure (&c, kernels, false, NULL, &error));
  g_assert_no_error (error);
  for (PmtPrecision p = 0; p < PMT_PRECISIONS; p++) {
    g_assert_cmpfloat (c.tiles[p], >=, first.tiles[p]);
    g_assert_cmpfloat (c.dnnl[p], >=, first.dnnl[p]);
  }
  g_assert_cmpfloat (c.copy, ==, first.copy);
  c = (PmtCeiling) { .openblas = 5, .tiles = { 3, 4, 2 }, .dnnl = { 4, 3, 6 } };
  g_assert_cmpfloat (pmt_ceiling_product (&c, PMT_PRECISION_F32), ==, 5);
  g_assert_cmpfloat (pmt_ceiling_product (&c, PMT_PRECISION_BF16), ==, 4);
  g_assert_cmpfloat (pmt_ceiling_product (&c, PMT_PRECISION_INT8), ==, 6);
}

static void
test_cancel (void)
{
  PmtCancel cancel = { false };
  PmtCeiling c = { 0 };
  GError *error = NULL;

  pmt_cancel_request (&cancel);
  g_assert_false (pmt_ceiling_measure (&c, pmt_kernels_get (level), true, &cancel, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_CANCELLED);
  g_error_free (error);
}

int
main (int argc, char **argv)
{
  GError *error = NULL;
  if (!pmt_cpu_select (&level, &error))
    g_error ("%s", error->message);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ceiling/library", test_library);
  g_test_add_func ("/ceiling/best", test_best);
  g_test_add_func ("/ceiling/cancel", test_cancel);
  return g_test_run ();
}
