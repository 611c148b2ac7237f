/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/weights/quant.h"

#include <glib.h>
#include <string.h>

#define BLOCK 32

static const PmtGgmlType types[] = {
  [0] = { "F32", PMT_DTYPE_F32, 1, 4 },        [1] = { "F16", PMT_DTYPE_F16, 1, 2 },         [2] = { "Q4_0", PMT_DTYPE_Q4_0, BLOCK, 18 },
  [3] = { "Q4_1", PMT_DTYPE_Q4_1, BLOCK, 20 }, [6] = { "Q5_0", PMT_DTYPE_Q5_0, BLOCK, 22 },  [7] = { "Q5_1", PMT_DTYPE_Q5_1, BLOCK, 24 },
  [8] = { "Q8_0", PMT_DTYPE_Q8_0, BLOCK, 34 }, [9] = { "Q8_1", PMT_DTYPE_OTHER, BLOCK, 40 }, [10] = { "Q2_K", PMT_DTYPE_OTHER, 256, 84 },
  [11] = { "Q3_K", PMT_DTYPE_OTHER, 256, 110 }, [12] = { "Q4_K", PMT_DTYPE_OTHER, 256, 144 }, [13] = { "Q5_K", PMT_DTYPE_OTHER, 256, 176 },
  [14] = { "Q6_K", PMT_DTYPE_OTHER, 256, 210 }, [15] = { "Q8_K", PMT_DTYPE_OTHER, 256, 292 }, [16] = { "IQ2_XXS", PMT_DTYPE_OTHER, 256, 66 },
  [17] = { "IQ2_XS", PMT_DTYPE_OTHER, 256, 74 }, [18] = { "IQ3_XXS", PMT_DTYPE_OTHER, 256, 98 }, [19] = { "IQ1_S", PMT_DTYPE_OTHER, 256, 50 },
  [20] = { "IQ4_NL", PMT_DTYPE_OTHER, BLOCK, 18 }, [21] = { "IQ3_S", PMT_DTYPE_OTHER, 256, 110 }, [22] = { "IQ2_S", PMT_DTYPE_OTHER, 256, 82 },
  [23] = { "IQ4_XS", PMT_DTYPE_OTHER, 256, 136 }, [24] = { "I8", PMT_DTYPE_I8, 1, 1 },        [25] = { "I16", PMT_DTYPE_I16, 1, 2 },
  [26] = { "I32", PMT_DTYPE_I32, 1, 4 },       [27] = { "I64", PMT_DTYPE_I64, 1, 8 },        [28] = { "F64", PMT_DTYPE_F64, 1, 8 },
  [29] = { "IQ1_M", PMT_DTYPE_OTHER, 256, 56 }, [30] = { "BF16", PMT_DTYPE_BF16, 1, 2 },      [34] = { "TQ1_0", PMT_DTYPE_OTHER, 256, 54 },
  [35] = { "TQ2_0", PMT_DTYPE_OTHER, 256, 66 }, [39] = { "MXFP4", PMT_DTYPE_OTHER, BLOCK, 17 },
};

const PmtGgmlType *
pmt_ggml_type (uint32_t number)
{
  return number < G_N_ELEMENTS (types) && types[number].name ? &types[number] : NULL;
}

bool
pmt_quant_is (PmtDtype dtype)
{
  return dtype >= PMT_DTYPE_Q4_0 && dtype <= PMT_DTYPE_Q8_0;
}

static const PmtGgmlType *
type_of (PmtDtype dtype)
{
  for (size_t i = 0; i < G_N_ELEMENTS (types); i++)
    if (types[i].name && types[i].dtype == dtype)
      return &types[i];
  return NULL;
}

const char *
pmt_quant_name (PmtDtype dtype)
{
  const PmtGgmlType *type = type_of (dtype);
  return type ? type->name : "?";
}

static float
half_at (const uint8_t *bytes)
{
  float value;
  pmt_dtype_to_f32 (PMT_DTYPE_F16, bytes, 1, &value);
  return value;
}

/* Four bits each: value i in the low half of byte i, value i + 16 in its high half. */
static void
nibbles (const uint8_t *packed, int *values)
{
  for (int i = 0; i < BLOCK / 2; i++) {
    values[i] = packed[i] & 15;
    values[i + BLOCK / 2] = packed[i] >> 4;
  }
}

/* The fifth bits of all values stand in four bytes of their own. */
static void
fifth_bits (const uint8_t *packed, int *values)
{
  uint32_t bits;
  memcpy (&bits, packed, sizeof bits);
  for (int i = 0; i < BLOCK; i++)
    values[i] |= (int) (bits >> i & 1) << 4;
}

static void
read_block (PmtDtype dtype, const uint8_t *block, float *dst)
{
  const float scale = half_at (block);
  float least = -0.0f; /* the number that changes none when it is added, not even -0 */
  int values[BLOCK], zero = 0;

  switch (dtype) {
    case PMT_DTYPE_Q4_0: /* scale, 16 bytes */
      nibbles (block + 2, values);
      zero = 8;
      break;
    case PMT_DTYPE_Q4_1: /* scale, least value, 16 bytes */
      least = half_at (block + 2);
      nibbles (block + 4, values);
      break;
    case PMT_DTYPE_Q5_0: /* scale, fifth bits, 16 bytes */
      nibbles (block + 6, values);
      fifth_bits (block + 2, values);
      zero = 16;
      break;
    case PMT_DTYPE_Q5_1: /* scale, least value, fifth bits, 16 bytes */
      least = half_at (block + 2);
      nibbles (block + 8, values);
      fifth_bits (block + 4, values);
      break;
    default: /* Q8_0: scale, 32 signed bytes */
      for (int i = 0; i < BLOCK; i++)
        values[i] = (int8_t) block[2 + i];
      break;
  }
  for (int i = 0; i < BLOCK; i++)
    dst[i] = (float) (values[i] - zero) * scale + least;
}

void
pmt_quant_to_f32 (PmtDtype dtype, const void *src, uint64_t begin, uint64_t count, float *dst)
{
  const PmtGgmlType *type = type_of (dtype);
  float values[BLOCK];

  while (count > 0) {
    const uint64_t skip = begin % BLOCK, n = MIN (BLOCK - skip, count);
    read_block (dtype, (const uint8_t *) src + begin / BLOCK * (uint64_t) type->bytes, values);
    memcpy (dst, values + skip, (size_t) n * sizeof *dst);
    begin += n;
    count -= n;
    dst += n;
  }
}
