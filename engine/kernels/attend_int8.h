/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Attention in 8 bits (PmtAttendInt8), compiled by level.c for levels with AVX-512 and VNNI.
 *
 * vpdpbusd multiplies an unsigned byte with a signed one. Queries are bytes around 128, keys signed ones; what 128 adds to a sum depends on the
 * key alone and is taken off where sums begin. They begin at MAGIC beside it, the bits of 1.5 2^23 as f32, so that a sum is a float as it stands.
 *
 * A weight is 2^-(y/64), y whole: two halves of a table of 64 values, moved down by y/64 places, in 16 bits; its upper byte is what is multiplied
 * with values. So per 64 logits (four keys, 16 queries) there are 25 instructions beside the 2 d + 1 of the products, of which bf16 has 4 d and 44
 * beside them. They mostly go through other pipes, and so they run while the products of the next block of keys do. */
#pragma once

#include "engine/kernels/attend.h"

#if defined(__AVX512VNNI__) && defined(__AVX512BW__)
#define PMT_HAVE_ATTEND_INT8 1

#include "engine/kernels/product_int8.h"

enum {
  EIGHT_BLOCK = 96,         /* keys in a block: 8 tiles */
  EIGHT_MAGIC = 0x4b400000,
  EIGHT_NEVER = -(1 << 22), /* in place of the sum of a key that is not there; others are larger while d is at most PMT_ATTEND_INT8_WIDEST */
  EIGHT_SCALE = 64          /* bytes before a block's bases */
};

G_STATIC_ASSERT ((int) TILE_COLUMNS == (int) PMT_ATTEND_INT8_COLUMNS);

PMT_INLINE int64_t
eight_quads (int64_t d)
{
  return (d + 3) / 4;
}

/* With base: of keys [EIGHT_BLOCK] as int32. */
static size_t
eight_keys_size (int64_t d)
{
  return EIGHT_SCALE + EIGHT_BLOCK * sizeof (int32_t) + (size_t) (EIGHT_BLOCK * 4 * eight_quads (d));
}

static size_t
eight_queries_size (int64_t d)
{
  return TILE_COLUMNS * sizeof (float) + (size_t) (TILE_COLUMNS * 4 * eight_quads (d));
}

/* Bytes of the scales of d channels and of the row of ones. */
PMT_INLINE size_t
eight_values_head (int64_t d)
{
  return ((size_t) (d + 1) * sizeof (float) + 63) / 64 * 64;
}

static size_t
eight_values_size (int64_t d)
{
  return eight_values_head (d) + (size_t) ((d + TILE_ROWS) / TILE_ROWS) * TILE_ROWS * EIGHT_BLOCK;
}

PMT_INLINE __mmask16
eight_some (int64_t n)
{
  return n < LANE ? (__mmask16) ((1u << n) - 1) : (__mmask16) 0xffff;
}

/* 127 / most, and the scale most / 127 of what was rounded with it: NaN where a value was NaN or infinite. */
PMT_INLINE float
eight_inverse (float most, bool strange, float *scale)
{
  const bool some = most > 1e-30f;
  *scale = strange || most > 3e38f ? __builtin_nanf ("") : some ? most / 127.0f : 0.0f;
  return some ? 127.0f / most : 0.0f;
}

/* The largest |x - about| of n values, about NULL for 0; true when one is NaN. */
PMT_INLINE bool
eight_largest (const float *x, const float *about, int64_t n, __m512 *largest)
{
  __mmask16 strange = 0;
  for (int64_t i = 0; i < n; i += LANE) {
    const __mmask16 some = eight_some (n - i);
    __m512 v = _mm512_maskz_loadu_ps (some, x + i);
    if (about)
      v = _mm512_sub_ps (v, _mm512_maskz_loadu_ps (some, about + i));
    strange |= _mm512_cmp_ps_mask (v, v, _CMP_UNORD_Q);
    *largest = _mm512_max_ps (_mm512_abs_ps (v), *largest);
  }
  return strange != 0;
}

/* Rounded bytes of n values, plus `zero`, up to the next multiple of LANE; the sum without it. */
PMT_INLINE int32_t
eight_round (const float *x, const float *about, int64_t n, float inverse, int zero, void *to)
{
  __m512i total = _mm512_setzero_si512 ();
  for (int64_t i = 0; i < n; i += LANE) {
    const __mmask16 some = eight_some (n - i);
    __m512 v = _mm512_maskz_loadu_ps (some, x + i);
    if (about)
      v = _mm512_sub_ps (v, _mm512_maskz_loadu_ps (some, about + i));
    v = _mm512_mul_ps (v, _mm512_set1_ps (inverse));
    const __m512i q = _mm512_maskz_cvtps_epi32 (_mm512_cmp_ps_mask (v, v, _CMP_ORD_Q), v); /* NaN is in the scale */
    _mm_storeu_si128 ((__m128i *) ((char *) to + i), _mm512_cvtepi32_epi8 (_mm512_add_epi32 (q, _mm512_set1_epi32 (zero))));
    total = _mm512_add_epi32 (total, q);
  }
  return _mm512_reduce_add_epi32 (total);
}

static void
eight_queries (const float *x, int64_t ldx, int64_t n, int64_t d, float factor, void *panel)
{
  float turned[TILE_COLUMNS][PMT_ATTEND_INT8_WIDEST / 4], *scale = panel; /* of bytes; moved as 32-bit values */
  for (int64_t j = 0; j < TILE_COLUMNS; j++) {
    __m512 largest = _mm512_setzero_ps ();
    if (j >= n) {
      scale[j] = 0;
      memset (turned[j], 0, sizeof turned[j]);
      continue;
    }
    const bool strange = eight_largest (x + j * ldx, NULL, d, &largest);
    const float inverse = eight_inverse (_mm512_reduce_max_ps (largest), strange, &scale[j]);
    scale[j] *= factor;
    eight_round (x + j * ldx, NULL, d, inverse, 128, turned[j]);
  }
  transpose (turned[0], PMT_ATTEND_INT8_WIDEST / 4, TILE_COLUMNS, eight_quads (d), scale + TILE_COLUMNS, TILE_COLUMNS);
}

static void
eight_keys (const float *x, int64_t ldx, int64_t keys, int64_t d, const float *mean, void *block)
{
  float turned[TILE_ROWS][PMT_ATTEND_INT8_WIDEST / 4], *scale = block;
  int32_t *base = (int32_t *) ((char *) block + EIGHT_SCALE);
  float *out = (float *) (base + EIGHT_BLOCK);
  __m512 largest = _mm512_setzero_ps ();
  bool strange = false;
  for (int64_t i = 0; i < keys; i++)
    strange |= eight_largest (x + i * ldx, mean, d, &largest);
  const float inverse = eight_inverse (_mm512_reduce_max_ps (largest), strange, scale);
  for (int64_t key = 0; key < keys; key += TILE_ROWS, out += TILE_ROWS * eight_quads (d)) {
    if (keys - key < TILE_ROWS)
      memset (turned, 0, sizeof turned);
    for (int64_t r = 0; r < TILE_ROWS; r++)
      base[key + r] = EIGHT_MAGIC
        + (key + r < keys ? -128 * eight_round (x + (key + r) * ldx, mean, d, inverse, 0, turned[r]) : EIGHT_NEVER);
    transpose (turned[0], PMT_ATTEND_INT8_WIDEST / 4, TILE_ROWS, eight_quads (d), out, TILE_ROWS);
  }
}

/* Four keys of up to LANE channels, a quad in each lane. */
PMT_INLINE __m512i
eight_quad (const float *x, int64_t ldx, int64_t keys, __mmask16 some, __m512 inverse)
{
  __m512i quad = _mm512_setzero_si512 ();
  for (int64_t i = MIN (keys, 4) - 1; i >= 0; i--) {
    const __m512i q = _mm512_cvtps_epi32 (_mm512_mul_ps (_mm512_maskz_loadu_ps (some, x + i * ldx), inverse));
    quad = _mm512_or_si512 (quad, _mm512_slli_epi32 (_mm512_and_si512 (q, _mm512_set1_epi32 (0xff)), 8 * (unsigned) i));
  }
  return quad;
}

static void
eight_values (const float *x, int64_t ldx, int64_t keys, int64_t d, void *block)
{
  float *scale = block, inverse[LANE];
  int32_t *out = (int32_t *) ((char *) block + eight_values_head (d));
  const int64_t quads = (keys + TILE_ROWS - 1) / TILE_ROWS * (TILE_ROWS / 4);
  for (int64_t c = 0; c <= d; c += TILE_ROWS, out += TILE_ROWS * EIGHT_BLOCK / 4) {
    const int64_t channels = MIN (TILE_ROWS, d - c);
    const __mmask16 some = eight_some (channels);
    __m512 largest = _mm512_setzero_ps ();
    __mmask16 strange = 0;
    for (int64_t i = 0; i < keys; i++) {
      const __m512 v = _mm512_maskz_loadu_ps (some, x + i * ldx + c);
      strange |= _mm512_cmp_ps_mask (v, v, _CMP_UNORD_Q);
      largest = _mm512_max_ps (_mm512_abs_ps (v), largest);
    }
    _mm512_storeu_ps (inverse, largest);
    for (int64_t r = 0; r < channels; r++)
      inverse[r] = eight_inverse (inverse[r], strange >> r & 1, &scale[c + r]);
    const __m512 factor = _mm512_loadu_ps (inverse);
    for (int64_t i = 0; i < quads; i++) {
      const int64_t there = CLAMP (keys - 4 * i, 0, 4);
      _mm512_mask_storeu_epi32 (out + i * TILE_ROWS, 0xfff, eight_quad (x + 4 * i * ldx + c, ldx, there, some, factor));
      if (channels < TILE_ROWS)
        out[i * TILE_ROWS + channels] = 0x01010101 & (int32_t) ((1ll << 8 * there) - 1);
    }
  }
  scale[d] = 1;
}

/* round (65280 2^(-j/64)): 255 in the upper byte. */
static const uint16_t eight_powers[64] = {
  65280, 64577, 63881, 63193, 62512, 61839, 61173, 60514, 59862, 59217, 58579, 57948, 57324, 56707, 56096, 55491,
  54894, 54302, 53717, 53139, 52566, 52000, 51440, 50886, 50338, 49796, 49259, 48729, 48204, 47684, 47171, 46663,
  46160, 45663, 45171, 44684, 44203, 43727, 43256, 42790, 42329, 41873, 41422, 40976, 40534, 40098, 39666, 39238,
  38816, 38398, 37984, 37575, 37170, 36770, 36374, 35982, 35594, 35211, 34831, 34456, 34085, 33718, 33355, 32995,
};

/* What is added before the lower byte is cut off, for 16 keys in turn: on the average a half, but not the same for neighbours, since many small
 * weights would all become 0 otherwise beside a large one. */
#define FOUR_OF(a, b) a, a, a, a, b, b, b, b
#define PAIR(a, b) FOUR_OF (a, b), FOUR_OF (a, b), FOUR_OF (a, b), FOUR_OF (a, b)
static const uint16_t eight_dither[4][2][2 * LANE] = {
  { { PAIR (8, 72) }, { PAIR (136, 200) } },
  { { PAIR (40, 104) }, { PAIR (168, 232) } },
  { { PAIR (24, 88) }, { PAIR (152, 216) } },
  { { PAIR (56, 120) }, { PAIR (184, 248) } },
};
#undef PAIR
#undef FOUR_OF

/* Of 16-bit values the upper byte; and of each four 16-bit values and the next four the same ones beside each other. */
#define FOUR_TIMES(...) __VA_ARGS__, __VA_ARGS__, __VA_ARGS__, __VA_ARGS__
static const uint16_t eight_upper[2 * LANE] = { FOUR_TIMES (0xff00, 0xff00, 0xff00, 0xff00, 0xff00, 0xff00, 0xff00, 0xff00) };
static const uint8_t eight_order[4 * LANE] = { FOUR_TIMES (0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15) };
#undef FOUR_TIMES

/* y of two keys -> weights in 8.8 bits. Of y beyond 15 64, and of one too large for an integer, nothing is left. */
PMT_INLINE __m512i
eight_power (__m512i y, __m512i even, __m512i odd)
{
  return _mm512_srlv_epi16 (_mm512_permutex2var_epi16 (even, y, odd), _mm512_srli_epi16 (y, 6));
}

PMT_INLINE __m512i
eight_exponents (const float *logits, const float *top, const float *scale)
{
  const __m512 below = _mm512_sub_ps (_mm512_loadu_ps (logits), _mm512_loadu_ps (top));
  return _mm512_cvtps_epi32 (_mm512_mul_ps (below, _mm512_loadu_ps (scale)));
}

/* Two keys that stand two apart. */
PMT_INLINE __m512i
eight_two (const float *logits, const float *top, const float *scale, const uint16_t *dither)
{
  const __m512i first = eight_exponents (logits, top, scale), second = eight_exponents (logits + 2 * TILE_COLUMNS, top, scale);
  const __m512i power = eight_power (_mm512_packs_epi32 (first, second), _mm512_loadu_si512 (eight_powers), _mm512_loadu_si512 (eight_powers + 32));
  return _mm512_add_epi16 (power, _mm512_loadu_si512 (dither));
}

/* Four keys of one register of queries. */
PMT_INLINE void
eight_weights (const float *logits, const PmtAttendInt8Step *s, int h, int64_t quad, char *packed)
{
  const float *top = s->top + h * LANE, *scale = s->scale + h * LANE;
  const uint16_t (*dither)[2 * LANE] = eight_dither[quad % 4];
  const __m512i even = _mm512_srli_epi16 (eight_two (logits + h * LANE, top, scale, dither[0]), 8);
  const __m512i odd = eight_two (logits + TILE_COLUMNS + h * LANE, top, scale, dither[1]);
  /* the upper bytes of both */
  const __m512i bytes = _mm512_ternarylogic_epi32 (even, odd, _mm512_loadu_si512 (eight_upper), 0xf8);
  _mm512_storeu_si512 (packed + (2 * quad + h) * 4 * LANE, _mm512_shuffle_epi8 (bytes, _mm512_loadu_si512 (eight_order)));
}

#define EIGHT_STEPS(from, to)                                                                                                        \
  for (int64_t i = (from); i < (to); i++) {                                                                                          \
    const Sums left = sums_load (q + i * 4 * TILE_COLUMNS), right = sums_load (q + i * 4 * TILE_COLUMNS + 4 * LANE);                 \
    _Pragma ("GCC unroll 12")                                                                                                        \
    for (int r = 0; r < TILE_ROWS; r++) {                                                                                            \
      const Sums value = sums_fill (k[i * TILE_ROWS + r]);                                                                           \
      acc[r][0] = dot_int8 (acc[r][0], left, value);                                                                                 \
      acc[r][1] = dot_int8 (acc[r][1], right, value);                                                                                \
    }                                                                                                                                \
  }

/* A tile's sums, and the largest so far of each column; meanwhile the weights of what stood there `before` (NULL: nothing). */
PMT_INLINE void
eight_tile (const int32_t *k, const int32_t *base, const char *q, int64_t quads, float *logits, __m512i top[2], const PmtAttendInt8Step *before,
            int64_t quad, char *packed)
{
  Sums acc[TILE_ROWS][2];
#pragma GCC unroll 12
  for (int r = 0; r < TILE_ROWS; r++)
    acc[r][0] = acc[r][1] = sums_fill (base[r]);
  if (before) {
    int64_t done = 0;
#pragma GCC unroll 6
    for (int p = 0; p < TILE_ROWS / 2; p++) {
      const int64_t until = quads * (p + 1) / (TILE_ROWS / 2);
      eight_weights (logits + p / 2 * 4 * TILE_COLUMNS, before, p % 2, quad + p / 2, packed);
      EIGHT_STEPS (done, until)
      done = until;
    }
  } else
    EIGHT_STEPS (0, quads)
  __m512i most_left = top[0], most_right = top[1];
#pragma GCC unroll 12
  for (int r = 0; r < TILE_ROWS; r++) {
    _mm512_storeu_si512 (logits + r * TILE_COLUMNS, acc[r][0]);
    _mm512_storeu_si512 (logits + r * TILE_COLUMNS + LANE, acc[r][1]);
    most_left = _mm512_max_epi32 (most_left, acc[r][0]);
    most_right = _mm512_max_epi32 (most_right, acc[r][1]);
    __asm__ volatile ("" : "+v"(most_left), "+v"(most_right)); /* in this order, in which no sum leaves its register twice */
  }
  top[0] = most_left;
  top[1] = most_right;
}

/* What is known of a block's logits once all are there. */
PMT_INLINE void
eight_end (const float *scale, float block, const __m512i most[2], float *about, PmtAttendInt8Step *s)
{
  const __m512 far = _mm512_set1_ps (64);
  __mmask16 raised = 0;
  for (int h = 0; h < 2; h++) {
    const __m512 top = _mm512_castsi512_ps (most[h]), step = _mm512_mul_ps (_mm512_loadu_ps (scale + h * LANE), _mm512_set1_ps (block));
    const __m512 best = _mm512_mul_ps (_mm512_sub_ps (top, _mm512_set1_ps (0x1.8p23f)), step), before = _mm512_loadu_ps (about + h * LANE);
    const __mmask16 more = _mm512_cmp_ps_mask (best, _mm512_add_ps (before, far), _CMP_GT_OQ);
    const __m512 now = _mm512_mask_mov_ps (before, more, best);
    _mm512_storeu_ps (s->top + h * LANE, top);
    _mm512_storeu_ps (s->scale + h * LANE, _mm512_mul_ps (step, _mm512_set1_ps (-64)));
    _mm512_storeu_ps (about + h * LANE, now);
    _mm512_storeu_ps (s->shrink + h * LANE, _mm512_mask_mov_ps (_mm512_set1_ps (1), more, lane_exp2 (_mm512_sub_ps (before, now), false)));
    _mm512_storeu_ps (s->factor + h * LANE, lane_exp2 (_mm512_sub_ps (best, now), false));
    raised |= more;
  }
  s->raised = raised != 0;
}

static void
eight_weigh (int64_t keys, const void *left, const void *panel, int64_t d, float *logits, float *about, PmtAttendInt8Step *now,
             const PmtAttendInt8Step *before, void *packed)
{
  const float *scale = panel;
  const char *q = (const char *) (scale + TILE_COLUMNS);
  const int32_t *base = (const int32_t *) ((const char *) left + EIGHT_SCALE), *k = base + EIGHT_BLOCK;
  const int64_t quads = eight_quads (d), both = before ? MIN (keys, before->keys) : 0;
  __m512i most[2] = { _mm512_set1_epi32 (EIGHT_MAGIC + EIGHT_NEVER), _mm512_set1_epi32 (EIGHT_MAGIC + EIGHT_NEVER) };
  int64_t i = 0;
  for (; i < both; i += TILE_ROWS)
    eight_tile (k + i * quads, base + i, q, quads, logits + i * TILE_COLUMNS, most, before, i / 4, packed);
  for (int64_t j = i; before && j < before->keys; j += 4)
    for (int h = 0; h < 2; h++)
      eight_weights (logits + j * TILE_COLUMNS, before, h, j / 4, packed);
  for (; i < keys; i += TILE_ROWS)
    eight_tile (k + i * quads, base + i, q, quads, logits + i * TILE_COLUMNS, most, NULL, 0, NULL);
  if (keys > 0)
    eight_end (scale, *(const float *) left, most, about, now);
  now->keys = (keys + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS;
}

PMT_INLINE void
eight_mix_rows (int rows, const int32_t *v, const float *scale, const char *w, int64_t quads, const float *factor, float *c)
{
  Sums acc[TILE_ROWS][2];
#pragma GCC unroll 12
  for (int r = 0; r < rows; r++)
    acc[r][0] = acc[r][1] = sums_zero ();
  for (int64_t i = 0; i < quads; i++) {
    const Sums left = sums_load (w + i * 4 * TILE_COLUMNS), right = sums_load (w + i * 4 * TILE_COLUMNS + 4 * LANE);
#pragma GCC unroll 12
    for (int r = 0; r < rows; r++) {
      const Sums value = sums_fill (v[i * TILE_ROWS + r]);
      acc[r][0] = dot_int8 (acc[r][0], left, value);
      acc[r][1] = dot_int8 (acc[r][1], right, value);
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
    for (int h = 0; h < 2; h++) {
      float *to = c + r * TILE_COLUMNS + h * LANE;
      const Lane part = lane_mul (sums_lane (acc[r][h]), lane_fill (scale[r]));
      lane_store (to, lane_fma (part, lane_load (factor + h * LANE), lane_load (to)));
    }
}

static void
eight_mix (int64_t keys, const void *values, int64_t d, const void *packed, const float *factor, float *c)
{
  const float *scale = values;
  const int32_t *v = (const int32_t *) ((const char *) values + eight_values_head (d));
  const int64_t quads = (keys + TILE_ROWS - 1) / TILE_ROWS * (TILE_ROWS / 4);
  for (int64_t r = 0; r <= d; r += TILE_ROWS, v += TILE_ROWS * EIGHT_BLOCK / 4, c += TILE_ROWS * TILE_COLUMNS) {
    const int rows = (int) MIN (TILE_ROWS, d + 1 - r);
    TILE_SWITCH (eight_mix_rows, v, scale + r, packed, quads, factor, c)
  }
}

static const PmtAttendInt8 attend_int8 = {
  .rows = TILE_ROWS, .columns = TILE_COLUMNS, .block = EIGHT_BLOCK,
  .keys_size = eight_keys_size, .queries_size = eight_queries_size, .values_size = eight_values_size,
  .queries = eight_queries, .keys = eight_keys, .values = eight_values, .weigh = eight_weigh, .mix = eight_mix,
  .scale_columns = scale_columns, .transpose = transpose,
};
#endif
