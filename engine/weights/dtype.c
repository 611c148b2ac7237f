/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/weights/dtype.h"

#include <glib.h>
#include <string.h>

#include "engine/kernels/kernels.h"

G_STATIC_ASSERT (G_BYTE_ORDER == G_LITTLE_ENDIAN); /* files are little endian and read in place */

static const struct {
  const char *name;
  size_t size;
} dtypes[] = {
  [PMT_DTYPE_F32] = { "F32", 4 },         [PMT_DTYPE_F16] = { "F16", 2 },
  [PMT_DTYPE_BF16] = { "BF16", 2 },       [PMT_DTYPE_F64] = { "F64", 8 },
  [PMT_DTYPE_I64] = { "I64", 8 },         [PMT_DTYPE_I32] = { "I32", 4 },
  [PMT_DTYPE_I16] = { "I16", 2 },         [PMT_DTYPE_I8] = { "I8", 1 },
  [PMT_DTYPE_U64] = { "U64", 8 },         [PMT_DTYPE_U32] = { "U32", 4 },
  [PMT_DTYPE_U16] = { "U16", 2 },         [PMT_DTYPE_U8] = { "U8", 1 },
  [PMT_DTYPE_BOOL] = { "BOOL", 1 },       [PMT_DTYPE_F8_E4M3] = { "F8_E4M3", 1 },
  [PMT_DTYPE_F8_E5M2] = { "F8_E5M2", 1 }, [PMT_DTYPE_C64] = { "C64", 8 },
};

const char *
pmt_dtype_name (PmtDtype dtype)
{
  return (size_t) dtype < G_N_ELEMENTS (dtypes) ? dtypes[dtype].name : "?";
}

PmtDtype
pmt_dtype_from_name (const char *name)
{
  for (size_t i = 0; i < G_N_ELEMENTS (dtypes); i++)
    if (strcmp (dtypes[i].name, name) == 0)
      return (PmtDtype) i;
  return PMT_DTYPE_OTHER;
}

size_t
pmt_dtype_size (PmtDtype dtype)
{
  return (size_t) dtype < G_N_ELEMENTS (dtypes) ? dtypes[dtype].size : 0;
}

bool
pmt_dtype_is_readable (PmtDtype dtype)
{
  return dtype <= PMT_DTYPE_I32;
}

static inline float
float_from_bits (uint32_t bits)
{
  float f;
  memcpy (&f, &bits, sizeof f);
  return f;
}

static inline uint32_t
bits_from_float (float f)
{
  uint32_t bits;
  memcpy (&bits, &f, sizeof bits);
  return bits;
}

/* Of this process's level, which is asked for once: small tensors are many. */
static const PmtKernels *
kernels_here (void)
{
  static const PmtKernels *here;
  static gsize once;
  if (g_once_init_enter (&once)) {
    PmtCpuLevel level = PMT_CPU_PORTABLE;
    pmt_cpu_select (&level, NULL); /* programs have asked before, and told the user what was wrong */
    here = pmt_kernels_get (level);
    g_once_init_leave (&once, 1);
  }
  return here;
}

uint16_t
pmt_f16_from_f32 (float value)
{
  uint32_t bits = bits_from_float (value);
  uint16_t sign = (uint16_t) (bits >> 16 & 0x8000);
  uint32_t magnitude = bits & 0x7fffffffu;

  if (magnitude > 0x7f800000u)
    return sign | 0x7e00;
  if (magnitude >= 0x477ff000u) /* 65520 and above round to infinity */
    return sign | 0x7c00;
  if (magnitude < 0x38800000u) { /* below 2^-14: adding 0.5 leaves the value in units of 2^-24, rounded to even */
    float shifted = float_from_bits (magnitude) + 0.5f;
    return sign | (uint16_t) (bits_from_float (shifted) - 0x3f000000u);
  }
  magnitude += 0xfffu + (magnitude >> 13 & 1); /* half an ulp, ties to even */
  return sign | (uint16_t) ((magnitude - 0x38000000u) >> 13);
}

#define CONVERT(type, expression)                \
  for (size_t i = 0; i < n; i++) {               \
    type v;                                      \
    memcpy (&v, bytes + i * sizeof v, sizeof v); \
    dst[i] = (expression);                       \
  }                                              \
  break

void
pmt_dtype_to_f32 (PmtDtype dtype, const void *src, size_t n, float *dst)
{
  const uint8_t *bytes = src;

  switch (dtype) {
    case PMT_DTYPE_F32:
      memcpy (dst, src, n * sizeof *dst);
      break;
    case PMT_DTYPE_F16:
      kernels_here ()->widen_f16 (src, dst, n);
      break;
    case PMT_DTYPE_BF16:
      CONVERT (uint16_t, float_from_bits ((uint32_t) v << 16));
    case PMT_DTYPE_F64:
      CONVERT (double, (float) v);
    case PMT_DTYPE_I64:
      CONVERT (int64_t, (float) v);
    case PMT_DTYPE_I32:
      CONVERT (int32_t, (float) v);
    default:
      g_assert_not_reached (); /* callers ask pmt_dtype_is_readable first */
  }
}

#undef CONVERT
