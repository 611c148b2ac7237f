/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An autoencoder's moments [.., 2C] = [mean | logvar], with the log-variances held within [-30, 20] (Rombach et al. 2022). */
#include <math.h>

#include "engine/ops/help.h"

#define LEAST -30.0f
#define MOST 20.0f

static gboolean
shape (const PmtOpCall *call, PmtShape *out, GError **error)
{
  *out = call->in[0].shape;
  if (pmt_width (call->in[0]) % 2 != 0)
    return pmt_shape_error (call, "moments_clamp", "the last dimension is no pair of means and log-variances", error);
  return TRUE;
}

static void
forward (PmtOpCall *call)
{
  const size_t n = (size_t) pmt_tensor_size (call->out), c = pmt_width (call->out) / 2;
  const float *x = call->in[0].data;
  for (size_t i = 0; i < n; i++)
    call->out.data[i] = i / c % 2 == 0 ? x[i] : fminf (fmaxf (x[i], LEAST), MOST);
}

/* At the bounds themselves the gradient passes, as in torch. */
static void
backward (PmtOpCall *call, PmtOpGrad *grad)
{
  const size_t n = (size_t) pmt_tensor_size (call->out), c = pmt_width (call->out) / 2;
  const float *x = call->in[0].data;
  for (size_t i = 0; i < n && grad->in[0].data; i++)
    if (i / c % 2 == 0 || (x[i] >= LEAST && x[i] <= MOST))
      grad->in[0].data[i] += grad->out.data[i];
}

static void
naive (const PmtOpNaive *call)
{
  const PmtShape *s = &call->in_shape[0];
  const size_t c = (size_t) s->dim[s->rank - 1] / 2;
  for (size_t i = 0, n = (size_t) pmt_shape_size (s); i < n; i++)
    call->out[i] = i / c % 2 == 0 ? call->in[0][i] : fmin (fmax (call->in[0][i], (double) LEAST), (double) MOST);
}

static const PmtOpCase cases[] = {
  { .name = "usual", .n_in = 1, .in = { { 4, { 2, 3, 5, 8 } } }, .rowwise = 1 },
  { .name = "beyond", .n_in = 1, .in = { { 4, { 3, 5, 7, 6 } } }, .rowwise = 1, .scale = { 40 } },
};

const PmtOp pmt_op_moments_clamp = {
  .id = "moments_clamp",
  .min_in = 1,
  .max_in = 1,
  .shape = shape,
  .forward = forward,
  .naive = naive,
  .backward = backward,
  .cases = cases,
  .n_cases = PMT_N (cases),
  .tolerance = 0,
};

PmtTensor
pmt_moments_clamp (PmtContext *ctx, PmtTensor moments)
{
  return pmt_op_run (ctx, &pmt_op_moments_clamp, &moments, 1, NULL);
}
