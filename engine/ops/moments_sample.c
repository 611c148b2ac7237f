/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A draw from an autoencoder's moments (Kingma & Welling 2014): [mean | logvar] and unit noise -> mean + exp(logvar / 2) noise, or the mean
 * without noise. */
#include <math.h>

#include "engine/ops/help.h"

static gboolean
shape (const PmtOpCall *call, PmtShape *out, GError **error)
{
  PmtTensor moments = call->in[0], noise = call->in[1];
  const int last = moments.shape.rank - 1;
  bool fits = moments.shape.dim[last] % 2 == 0;
  *out = moments.shape;
  out->dim[last] /= 2;
  if (!fits || (call->n_in > 1 && noise.data && !pmt_shape_equal (&noise.shape, out)))
    return pmt_shape_error (call, "moments_sample", "the noise is not of the means' shape", error);
  return TRUE;
}

static void
forward (PmtOpCall *call)
{
  const size_t n = (size_t) pmt_tensor_size (call->out), c = pmt_width (call->out);
  const float *noise = call->n_in > 1 ? call->in[1].data : NULL;
  for (size_t i = 0; i < n; i++) {
    const float *mean = call->in[0].data + (i / c) * 2 * c + i % c;
    call->out.data[i] = noise ? mean[0] + expf (0.5f * mean[c]) * noise[i] : mean[0];
  }
}

static void
backward (PmtOpCall *call, PmtOpGrad *grad)
{
  const size_t n = (size_t) pmt_tensor_size (call->out), c = pmt_width (call->out);
  const bool noisy = call->n_in > 1 && call->in[1].data;
  for (size_t i = 0; i < n; i++) {
    const size_t at = (i / c) * 2 * c + i % c;
    const float dy = grad->out.data[i], spread = expf (0.5f * call->in[0].data[at + c]);
    if (grad->in[0].data) {
      grad->in[0].data[at] += dy;
      if (noisy)
        grad->in[0].data[at + c] += dy * 0.5f * spread * call->in[1].data[i];
    }
    if (noisy && grad->in[1].data)
      grad->in[1].data[i] += dy * spread;
  }
}

static void
naive (const PmtOpNaive *call)
{
  const PmtShape *s = &call->out_shape;
  const size_t c = (size_t) s->dim[s->rank - 1];
  for (size_t i = 0, n = (size_t) pmt_shape_size (s); i < n; i++) {
    const double *mean = call->in[0] + (i / c) * 2 * c + i % c;
    call->out[i] = mean[0] + (call->n_in > 1 && call->in[1] ? exp (0.5 * mean[c]) * call->in[1][i] : 0.0);
  }
}

static const PmtOpCase cases[] = {
  { .name = "drawn", .n_in = 2, .in = { { 4, { 2, 3, 5, 8 } }, { 4, { 2, 3, 5, 4 } } }, .rowwise = 3 },
  { .name = "odd", .n_in = 2, .in = { { 4, { 3, 1, 7, 6 } }, { 4, { 3, 1, 7, 3 } } }, .rowwise = 3 },
  { .name = "mean", .n_in = 1, .in = { { 4, { 2, 4, 3, 8 } } }, .rowwise = 1 },
};

const PmtOp pmt_op_moments_sample = {
  .id = "moments_sample",
  .min_in = 1,
  .max_in = 2,
  .shape = shape,
  .forward = forward,
  .naive = naive,
  .backward = backward,
  .cases = cases,
  .n_cases = PMT_N (cases),
  .tolerance = 2e-6,
};

PmtTensor
pmt_moments_sample (PmtContext *ctx, PmtTensor moments, PmtTensor noise)
{
  return pmt_op_run (ctx, &pmt_op_moments_sample, (PmtTensor[]) { moments, noise }, noise.data ? 2 : 1, NULL);
}
