/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Number formats against their definitions, computed in double precision. */
#include <math.h>
#include <string.h>

#include <glib.h>

#include "engine/weights/dtype.h"

static double
f16_value (uint16_t bits)
{
  int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  double sign = bits & 0x8000 ? -1 : 1;

  if (exponent == 31)
    return mantissa ? NAN : sign * INFINITY;
  return sign * (exponent ? ldexp (1024 + mantissa, exponent - 25) : ldexp (mantissa, -24));
}

static void
test_f16 (void)
{
  static uint8_t bytes[1 + 2 * 65536];
  static float got[65536];

  for (int i = 0; i < 65536; i++) {
    uint16_t bits = (uint16_t) i;
    memcpy (bytes + 1 + 2 * i, &bits, 2);
  }
  pmt_dtype_to_f32 (PMT_DTYPE_F16, bytes + 1, 65536, got);
  for (int i = 0; i < 65536; i++) {
    double want = f16_value ((uint16_t) i);
    if (isnan (want))
      g_assert_true (isnan (got[i]));
    else
      g_assert_true ((double) got[i] == want && !signbit (got[i]) == !signbit (want));
    if (!isnan (want))
      g_assert_cmpuint (pmt_f16_from_f32 (got[i]), ==, (guint) i);
  }
}

/* Between two neighbours of f16, the nearer one; in the middle, the even one. */
static void
test_f16_rounding (void)
{
  for (int i = 0; i < 0x7bff; i++) {
    double low = f16_value ((uint16_t) i), high = f16_value ((uint16_t) (i + 1)), middle = (low + high) / 2;
    float m = (float) middle; /* exact: one bit more */
    g_assert_true ((double) m == middle);
    g_assert_cmpuint (pmt_f16_from_f32 (m), ==, (guint) (i & 1 ? i + 1 : i));
    g_assert_cmpuint (pmt_f16_from_f32 (nextafterf (m, INFINITY)), ==, (guint) (i + 1));
    g_assert_cmpuint (pmt_f16_from_f32 (nextafterf (m, 0)), ==, (guint) i);
    g_assert_cmpuint (pmt_f16_from_f32 (-m), ==, 0x8000u | (guint) (i & 1 ? i + 1 : i));
  }
  g_assert_cmpuint (pmt_f16_from_f32 (65519.996f), ==, 0x7bff);
  g_assert_cmpuint (pmt_f16_from_f32 (65520.0f), ==, 0x7c00);
  g_assert_cmpuint (pmt_f16_from_f32 (1e30f), ==, 0x7c00);
  g_assert_cmpuint (pmt_f16_from_f32 (-INFINITY), ==, 0xfc00);
  g_assert_cmpuint (pmt_f16_from_f32 (NAN) & 0x7fff, >, 0x7c00);
  g_assert_cmpuint (pmt_f16_from_f32 (1e-30f), ==, 0);
}

static void
test_bf16 (void)
{
  for (int i = 0; i < 65536; i++) {
    uint16_t bits = (uint16_t) i;
    int exponent = bits >> 7 & 255, mantissa = bits & 127;
    double sign = bits & 0x8000 ? -1 : 1;
    double want = exponent == 255 ? (mantissa ? NAN : sign * INFINITY)
                  : exponent      ? sign * ldexp (128 + mantissa, exponent - 134)
                                  : sign * ldexp (mantissa, -133);
    float got;
    pmt_dtype_to_f32 (PMT_DTYPE_BF16, &bits, 1, &got);
    g_assert_true (isnan (want) ? isnan (got) : (double) got == want);
  }
}

static void
test_wide (void)
{
  const double doubles[] = { 0.1, -1e300, 1e-300, 16777217.0, NAN };
  const int64_t longs[] = { G_MAXINT64, -5, 16777217 };
  const int32_t ints[] = { -2147483647 - 1, 3 };
  float out[5];

  pmt_dtype_to_f32 (PMT_DTYPE_F64, doubles, 5, out);
  g_assert_true (out[0] == 0.1f && out[1] == -INFINITY && out[2] == 0.0f && out[3] == 16777216.0f && isnan (out[4]));
  pmt_dtype_to_f32 (PMT_DTYPE_I64, longs, 3, out);
  g_assert_true (out[0] == 0x1p63f && out[1] == -5.0f && out[2] == 16777216.0f);
  pmt_dtype_to_f32 (PMT_DTYPE_I32, ints, 2, out);
  g_assert_true (out[0] == -0x1p31f && out[1] == 3.0f);
}

static void
test_names (void)
{
  for (int d = 0; d < PMT_DTYPE_OTHER; d++) {
    g_assert_cmpint (pmt_dtype_from_name (pmt_dtype_name ((PmtDtype) d)), ==, d);
    g_assert_cmpuint (pmt_dtype_size ((PmtDtype) d), >, 0);
  }
  g_assert_cmpint (pmt_dtype_from_name ("f32"), ==, PMT_DTYPE_OTHER);
  g_assert_cmpuint (pmt_dtype_size (PMT_DTYPE_OTHER), ==, 0);
  g_assert_true (pmt_dtype_is_readable (PMT_DTYPE_BF16) && !pmt_dtype_is_readable (PMT_DTYPE_U8));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dtype/f16", test_f16);
  g_test_add_func ("/dtype/f16-rounding", test_f16_rounding);
  g_test_add_func ("/dtype/bf16", test_bf16);
  g_test_add_func ("/dtype/wide", test_wide);
  g_test_add_func ("/dtype/names", test_names);
  return g_test_run ();
}
