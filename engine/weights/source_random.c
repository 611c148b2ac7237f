/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "engine/weights/source.h"

typedef struct RandomWeights {
  PmtWeights base;
  guint64 seed;
} RandomWeights;

static gboolean
lookup (PmtWeights *weights, const char *name, PmtWeightInfo *info)
{
  *info = (PmtWeightInfo) { .dtype = PMT_DTYPE_F32, .rank = -1, .file = weights->label, .stored = name };
  return TRUE;
}

static inline uint64_t
mix (uint64_t x)
{
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9u;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebu;
  return x ^ x >> 31;
}

static uint64_t
name_key (const char *name, guint64 seed)
{
  uint64_t hash = 0xcbf29ce484222325u;
  for (const char *c = name; *c; c++)
    hash = (hash ^ (unsigned char) *c) * 0x100000001b3u;
  return mix (hash ^ mix (seed + 0x9e3779b97f4a7c15u));
}

/* Sum of four uniform numbers, scaled to variance 1: near enough to a normal, one hash per value, and any range of a tensor can be
 * made without the values before it. */
static inline float
value_at (uint64_t key, uint64_t index)
{
  uint64_t r = mix (key + index * 0x9e3779b97f4a7c15u);
  int sum = (int) (r & 0xffff) + (int) (r >> 16 & 0xffff) + (int) (r >> 32 & 0xffff) + (int) (r >> 48);
  return (float) (sum - 131070) * (1.7320508f / 65536.0f);
}

static gboolean
read_values (PmtWeights *weights, const char *name, int rank, const int64_t *dim, uint64_t begin, uint64_t count, float *dst,
             GError **error)
{
  uint64_t key = name_key (name, ((RandomWeights *) weights)->seed);
  float scale = 0.02f, offset = 0.0f;

  (void) error;
  if (rank >= 2 && !strstr (name, "token_embedding") && !strstr (name, "position_embedding")) {
    double fan_in = 1;
    for (int i = 1; i < rank; i++)
      fan_in *= (double) dim[i];
    scale = (float) (1.0 / sqrt (fan_in));
  } else if (rank == 1 && g_str_has_suffix (name, ".weight")) { /* a norm's scale */
    scale = 0.1f;
    offset = 1.0f;
  }
  for (uint64_t i = 0; i < count; i++)
    dst[i] = offset + scale * value_at (key, begin + i);
  return TRUE;
}

static char **
names (PmtWeights *weights)
{
  (void) weights;
  return g_new0 (char *, 1);
}

static gboolean
span (PmtWeights *weights, PmtWeightSpan *s)
{
  (void) weights;
  (void) s;
  return TRUE;
}

static void
free_random (PmtWeights *weights)
{
  g_free (weights);
}

PmtWeights *
pmt_weights_new_random (guint64 seed)
{
  static const PmtWeightsClass class = { lookup, read_values, names, NULL, free_random, span };
  RandomWeights *random = g_new0 (RandomWeights, 1);

  random->base.class = &class;
  random->base.label = g_strdup ("random weights");
  random->seed = seed;
  return &random->base;
}
