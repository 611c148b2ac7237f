/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Attention's weights out of keys and queries in one pass, in bf16, behind attend.h: while the products of one tile of keys run, the logits of
 * the tile before become 2^(logit - about) in the very shape that the product with the values wants. Multiplications are what products leave no
 * room for, so of those a power of two has three; the rest goes through pipes that stand idle otherwise.
 *
 * `about` is a whole number per query, first the largest logit of the first tile. It need not be the largest of all: bf16 and f32 have room for
 * weights up to 2^100, and sums that go too far are made again in the careful way. */
#pragma once

#include <math.h>

#include "engine/kernels/product.h"

#ifdef PMT_HAVE_PRODUCTS_BF16

/* Per column: least and most exponent that is not cut off, and what makes the low bits of a sum with it a whole number relative to about. */
typedef struct Weigh {
  float least[TILE_COLUMNS], most[TILE_COLUMNS], whole[TILE_COLUMNS];
} Weigh;

#ifdef __AVX512BF16__ /* elsewhere logits and weights are made one after the other */
/* The bits of 2^(x - about) as f32, whose upper half is its bf16, rounded: half a step of bf16 is in the polynomial's last term, and 2^r is in
 * [1, 2). Least relative error of 2^r on [0, 1] in degree 3: 7.5e-5. What is cut off below becomes too small to be multiplied, which counts as 0;
 * NaN stays NaN. */
PMT_INLINE __m512i
weight_bits (__m512 x, const Weigh *w, int h)
{
  x = _mm512_min_ps (_mm512_loadu_ps (w->most + h * LANE), _mm512_max_ps (_mm512_loadu_ps (w->least + h * LANE), x));
  const __m512 shift = _mm512_loadu_ps (w->whole + h * LANE), t = _mm512_add_round_ps (x, shift, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
  const __m512 r = _mm512_sub_ps (x, _mm512_sub_ps (t, shift));
  __m512 p = _mm512_fmadd_ps (_mm512_set1_ps (0.07802455f), r, _mm512_set1_ps (0.22606718f));
  p = _mm512_fmadd_ps (p, r, _mm512_set1_ps (0.69583349f));
  p = _mm512_fmadd_ps (p, r, _mm512_set1_ps (0.99992523f + 0x1p-8f));
  return _mm512_add_epi32 ((__m512i) p, _mm512_slli_epi32 ((__m512i) t, 23));
}

/* Two keys, whose weights stand beside each other, for one register of queries. The sum is that of the rounded weights. */
PMT_INLINE __m512
weigh_pair (const float *logits, const Weigh *w, int h, uint16_t *packed, __m512 sum)
{
  const __m512i a = weight_bits (_mm512_loadu_ps (logits + h * LANE), w, h);
  const __m512i b = weight_bits (_mm512_loadu_ps (logits + TILE_COLUMNS + h * LANE), w, h);
  const __m512i both = _mm512_mask_blend_epi16 (0xaaaaaaaau, _mm512_srli_epi32 (a, 16), b);
  _mm512_storeu_si512 (packed + h * 2 * LANE, both);
  return _mm512_dpbf16_ps (sum, (__m512bh) both, (__m512bh) _mm512_set1_epi32 (0x3f803f80));
}

#endif

/* A tile's products for pairs [from, to) of channels. */
#define WEIGH_STEPS(from, to)                                                                                                        \
  for (int64_t i = (from); i < (to); i++) {                                                                                          \
    const Pairs left = pairs_load (q + i * 2 * TILE_COLUMNS), right = pairs_load (q + i * 2 * TILE_COLUMNS + 2 * LANE);              \
    for (int r = 0; r < TILE_ROWS; r++) {                                                                                            \
      const Pairs value = pairs_fill (k[i * TILE_ROWS + r]);                                                                         \
      acc[r][0] = pairs_dot (acc[r][0], left, value);                                                                                \
      acc[r][1] = pairs_dot (acc[r][1], right, value);                                                                               \
    }                                                                                                                                \
  }

#define WEIGH_STORE(to)                                                                                                              \
  for (int r = 0; r < TILE_ROWS; r++) {                                                                                              \
    lane_store ((to) + r * TILE_COLUMNS, acc[r][0]);                                                                                 \
    lane_store ((to) + r * TILE_COLUMNS + LANE, acc[r][1]);                                                                          \
  }

/* One tile's logits. */
static void
weigh_tile (const int32_t *k, const uint16_t *q, int64_t pairs, float *to)
{
  Lane acc[TILE_ROWS][2];
  for (int r = 0; r < TILE_ROWS; r++)
    acc[r][0] = acc[r][1] = lane_zero ();
  WEIGH_STEPS (0, pairs)
  WEIGH_STORE (to)
}

#ifdef __AVX512BF16__
/* One tile's logits, and meanwhile the weights of the tile before. */
static void
weigh_both (const int32_t *k, const uint16_t *q, int64_t pairs, float *to, const float *before, const Weigh *w, uint16_t *packed, __m512 sum[2])
{
  __m512 acc[TILE_ROWS][2], left_sum = sum[0], right_sum = sum[1];
  for (int r = 0; r < TILE_ROWS; r++)
    acc[r][0] = acc[r][1] = _mm512_setzero_ps ();
  int64_t done = 0;
  for (int p = 0; p < TILE_ROWS; p += 2) {
    const int64_t until = pairs * (p + 2) / TILE_ROWS;
    left_sum = weigh_pair (before + p * TILE_COLUMNS, w, 0, packed + p * TILE_COLUMNS, left_sum);
    right_sum = weigh_pair (before + p * TILE_COLUMNS, w, 1, packed + p * TILE_COLUMNS, right_sum);
    WEIGH_STEPS (done, until)
    done = until;
  }
  WEIGH_STORE (to)
  sum[0] = left_sum;
  sum[1] = right_sum;
}

/* Keys of the tile that begins with key `key` which a column doesn't see, or which aren't there. */
static void
weigh_hide (float *logits, int64_t key, int64_t keys, int64_t seen)
{
  for (int64_t r = 0; r < TILE_ROWS; r++)
    for (int64_t j = 0; j < TILE_COLUMNS && (key + r >= keys || key + r >= seen + j); j++)
      logits[r * TILE_COLUMNS + j] = -INFINITY;
}

/* From the first tile, where nothing is known: top = the largest logit, rounded up. */
static void
weigh_begin (const float *logits, float *top)
{
  for (int h = 0; h < 2; h++) {
    __m512 max = _mm512_set1_ps (-INFINITY);
    for (int r = 0; r < TILE_ROWS; r++)
      max = _mm512_max_ps (_mm512_loadu_ps (logits + r * TILE_COLUMNS + h * LANE), max);
    _mm512_storeu_ps (top + h * LANE, _mm512_roundscale_ps (max, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC));
  }
}

/* False where a whole number and a fraction do not fit into one f32. */
static bool
weigh_limits (const float *top, Weigh *w)
{
  __mmask16 good = 0xffff;
  for (int h = 0; h < 2; h++) {
    const __m512 about = _mm512_loadu_ps (top + h * LANE);
    good &= _mm512_cmp_ps_mask (_mm512_abs_ps (about), _mm512_set1_ps (0x1p16f), _CMP_LE_OQ);
    _mm512_storeu_ps (w->least + h * LANE, _mm512_sub_ps (about, _mm512_set1_ps (127)));
    _mm512_storeu_ps (w->most + h * LANE, _mm512_add_ps (about, _mm512_set1_ps (100)));
    _mm512_storeu_ps (w->whole + h * LANE, _mm512_sub_ps (_mm512_set1_ps (0x1.8p23f), about));
  }
  return good == 0xffff;
}

static bool
weigh_bf16 (int64_t keys, int64_t seen, const void *left, const void *queries, int64_t d, float *top, float *sum, void *packed)
{
  const int64_t pairs = (d + 1) / 2, step = TILE_ROWS * TILE_COLUMNS;
  const int32_t *k = left;
  uint16_t *out = packed;
  float tile[2][TILE_ROWS * TILE_COLUMNS], about[TILE_COLUMNS], *now = tile[0], *next = tile[1];
  __m512 part[2] = { _mm512_loadu_ps (sum), _mm512_loadu_ps (sum + LANE) };
  Weigh w;
  memcpy (about, top, sizeof about);
  weigh_tile (k, queries, pairs, now);
  for (int64_t key = 0; key < keys; key += TILE_ROWS, out += step) {
    if (key + TILE_ROWS > MIN (keys, seen))
      weigh_hide (now, key, keys, seen);
    if (key == 0) {
      /* where some columns know a top and others none, weigh_limits refuses */
      bool fresh = true;
      for (int j = 0; j < TILE_COLUMNS; j++)
        fresh = fresh && about[j] == -INFINITY;
      if (fresh)
        weigh_begin (now, about);
      if (!weigh_limits (about, &w))
        return false;
    }
    if (key + TILE_ROWS < keys) {
      k += TILE_ROWS * pairs;
      weigh_both (k, queries, pairs, next, now, &w, out, part);
      float *swap = now;
      now = next;
      next = swap;
    } else {
      for (int r = 0; r < TILE_ROWS; r += 2)
        for (int h = 0; h < 2; h++)
          part[h] = weigh_pair (now + r * TILE_COLUMNS, &w, h, out + r * TILE_COLUMNS, part[h]);
    }
  }
  const __m512 limit = _mm512_set1_ps (0x1p60f);
  if (_mm512_cmp_ps_mask (part[0], limit, _CMP_GT_OQ) || _mm512_cmp_ps_mask (part[1], limit, _CMP_GT_OQ))
    return false;
  _mm512_storeu_ps (sum, part[0]);
  _mm512_storeu_ps (sum + LANE, part[1]);
  memcpy (top, about, sizeof about);
  return true;
}

#endif

static void
keys_bf16 (const float *x, int64_t ldx, int64_t keys, int64_t d, void *left)
{
  enum { STRIP = 128 };
  const int64_t pairs = (d + 1) / 2;
  float *out = left, turned[TILE_ROWS][STRIP / 2];
  for (int64_t key = 0; key < keys; key += TILE_ROWS, out += TILE_ROWS * pairs) {
    const int64_t rows = MIN (TILE_ROWS, keys - key);
    memset (turned, 0, sizeof turned);
    for (int64_t i = 0; i < d; i += STRIP) {
      const int64_t count = MIN (STRIP, d - i);
      for (int64_t r = 0; r < rows; r++)
        convert_bf16 (x + (key + r) * ldx + i, turned[r], (size_t) count);
      transpose (turned[0], STRIP / 2, TILE_ROWS, (count + 1) / 2, out + i / 2 * TILE_ROWS, TILE_ROWS);
    }
  }
}

static void
logits_bf16 (int64_t keys, const void *left, const void *queries, int64_t d, float *logits)
{
  const int64_t pairs = (d + 1) / 2;
  for (int64_t key = 0; key < keys; key += TILE_ROWS)
    weigh_tile ((const int32_t *) left + key * pairs, queries, pairs, logits + key * TILE_COLUMNS);
}
#endif
