/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/nets/time_embedding.h"

#include <math.h>

PmtTensor
pmt_time_embedding (PmtContext *ctx, const float *values, int64_t n, int width, bool flip_sin_to_cos, float freq_shift)
{
  int half = width / 2;
  PmtTensor out = pmt_tensor_new (ctx, PMT_SHAPE2 (n, width));
  if (!out.data || ctx->dry)
    return out;
  for (int64_t row = 0; row < n; row++) {
    float *at = out.data + row * width;
    float *sines = at + (flip_sin_to_cos ? half : 0);
    float *cosines = at + (flip_sin_to_cos ? 0 : half);
    for (int k = 0; k < half; k++) {
      /* The references round the frequency and the product to f32 before taking sine and cosine; t f reaches 1000, where a
       * rounding of f moves the angle by 6e-5. */
      float exponent = -logf (10000.0f) * (float) k / ((float) half - freq_shift);
      float angle = values[row] * expf (exponent);
      sines[k] = sinf (angle);
      cosines[k] = cosf (angle);
    }
    if (width & 1)
      at[width - 1] = 0.0f;
  }
  return out;
}

PmtTensor
pmt_guidance_embedding (PmtContext *ctx, const float *values, int64_t n, int width)
{
  const int half = width / 2;
  PmtTensor out = pmt_tensor_new (ctx, PMT_SHAPE2 (n, width));
  if (!out.data || ctx->dry)
    return out;
  /* Angles reach many thousands, so each is rounded where the reference rounds: the step of the exponent first, unlike above. */
  const float step = logf (10000.0f) / (float) (half - 1);
  for (int64_t row = 0; row < n; row++) {
    float *at = out.data + row * width;
    for (int k = 0; k < half; k++) {
      float angle = 1000.0f * values[row] * expf ((float) k * -step);
      at[k] = sinf (angle);
      at[half + k] = cosf (angle);
    }
    if (width & 1)
      at[width - 1] = 0.0f;
  }
  return out;
}
