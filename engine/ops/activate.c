/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pointwise functions that small added networks were trained with, chosen by name (torch.nn's definitions and default constants). The
 * ones of the big networks have operations and kernels of their own. */
#include <math.h>

#include "engine/ops/help.h"

typedef struct Function {
  const char *name;
  double (*value) (double x);
  double (*slope) (double x);
} Function;

static double
sigmoid (double x)
{
  return 1 / (1 + exp (-x));
}

static double
sigmoid_slope (double x)
{
  const double s = sigmoid (x);
  return s * (1 - s);
}

static double
tanh_slope (double x)
{
  const double t = tanh (x);
  return 1 - t * t;
}

static double
leaky (double x)
{
  return x > 0 ? x : 0.01 * x;
}

static double
leaky_slope (double x)
{
  return x > 0 ? 1 : 0.01;
}

static double
elu (double x)
{
  return x > 0 ? x : expm1 (x);
}

static double
elu_slope (double x)
{
  return x > 0 ? 1 : exp (x);
}

static double
hard_sigmoid (double x)
{
  return CLAMP (x / 6 + 0.5, 0, 1);
}

static double
hard_sigmoid_slope (double x)
{
  return x > -3 && x < 3 ? 1.0 / 6 : 0;
}

static double
hard_swish (double x)
{
  return x * hard_sigmoid (x);
}

static double
hard_swish_slope (double x)
{
  return hard_sigmoid (x) + x * hard_sigmoid_slope (x);
}

static double
softplus (double x)
{
  return x > 20 ? x : log1p (exp (x));
}

static double
mish (double x)
{
  return x * tanh (softplus (x));
}

static double
mish_slope (double x)
{
  const double t = tanh (softplus (x));
  return t + x * (1 - t * t) * sigmoid (x);
}

static double
softsign (double x)
{
  return x / (1 + fabs (x));
}

static double
softsign_slope (double x)
{
  const double d = 1 + fabs (x);
  return 1 / (d * d);
}

static double
relu6 (double x)
{
  return CLAMP (x, 0, 6);
}

static double
relu6_slope (double x)
{
  return x > 0 && x < 6;
}

#define SELU_SCALE 1.0507009873554804934193349852946
#define SELU_ALPHA 1.6732632423543772848170429916717

static double
selu (double x)
{
  return SELU_SCALE * (x > 0 ? x : SELU_ALPHA * expm1 (x));
}

static double
selu_slope (double x)
{
  return SELU_SCALE * (x > 0 ? 1 : SELU_ALPHA * exp (x));
}

static const Function functions[PMT_N_ACTIVATES] = {
  [PMT_ACTIVATE_LEAKY_RELU] = { "leakyrelu", leaky, leaky_slope },
  [PMT_ACTIVATE_ELU] = { "elu", elu, elu_slope },
  [PMT_ACTIVATE_HARD_SWISH] = { "hardswish", hard_swish, hard_swish_slope },
  [PMT_ACTIVATE_HARD_SIGMOID] = { "hardsigmoid", hard_sigmoid, hard_sigmoid_slope },
  [PMT_ACTIVATE_TANH] = { "tanh", tanh, tanh_slope },
  [PMT_ACTIVATE_SIGMOID] = { "sigmoid", sigmoid, sigmoid_slope },
  [PMT_ACTIVATE_SOFTPLUS] = { "softplus", softplus, sigmoid },
  [PMT_ACTIVATE_MISH] = { "mish", mish, mish_slope },
  [PMT_ACTIVATE_SOFTSIGN] = { "softsign", softsign, softsign_slope },
  [PMT_ACTIVATE_RELU6] = { "relu6", relu6, relu6_slope },
  [PMT_ACTIVATE_SELU] = { "selu", selu, selu_slope },
};

const char *
pmt_activate_name (PmtActivate function)
{
  return functions[function].name;
}

typedef struct Range {
  const Function *f;
  const float *x, *dy;
  float *y;
} Range;

static const Function *
function_of (const void *params)
{
  return &functions[*(const PmtActivate *) params];
}

static void
forward_range (void *user, size_t begin, size_t end)
{
  const Range *r = user;
  for (size_t i = begin; i < end; i++)
    r->y[i] = (float) r->f->value (r->x[i]);
}

static void
forward (PmtOpCall *call)
{
  Range r = { .f = function_of (call->params), .x = call->in[0].data, .y = call->out.data };
  pmt_op_parallel (call->ctx, (size_t) pmt_tensor_size (call->out), PMT_POINTWISE_GRAIN / 8, forward_range, &r);
}

static void
backward_range (void *user, size_t begin, size_t end)
{
  const Range *r = user;
  for (size_t i = begin; i < end; i++)
    r->y[i] += (float) (r->dy[i] * r->f->slope (r->x[i]));
}

static void
backward (PmtOpCall *call, PmtOpGrad *grad)
{
  Range r = { function_of (call->params), call->in[0].data, grad->out.data, grad->in[0].data };
  if (r.y)
    pmt_op_parallel (call->ctx, (size_t) pmt_tensor_size (call->out), PMT_POINTWISE_GRAIN / 8, backward_range, &r);
}

/* The same functions said another way, by their textbook formulas. */
static double
textbook (PmtActivate function, double x)
{
  switch (function) {
    case PMT_ACTIVATE_LEAKY_RELU:
      return fmax (x, 0) + 0.01 * fmin (x, 0);
    case PMT_ACTIVATE_ELU:
      return fmax (x, 0) + fmin (exp (x) - 1, 0);
    case PMT_ACTIVATE_HARD_SWISH:
      return x * fmin (fmax (x + 3, 0), 6) / 6;
    case PMT_ACTIVATE_HARD_SIGMOID:
      return fmin (fmax (x + 3, 0), 6) / 6;
    case PMT_ACTIVATE_TANH:
      return 1 - 2 / (exp (2 * x) + 1);
    case PMT_ACTIVATE_SIGMOID:
      return 0.5 + 0.5 * tanh (x / 2);
    case PMT_ACTIVATE_SOFTPLUS:
      return log (1 + exp (x));
    case PMT_ACTIVATE_MISH:
      return x * tanh (log (1 + exp (x)));
    case PMT_ACTIVATE_SOFTSIGN:
      return x < 0 ? x / (1 - x) : x / (1 + x);
    case PMT_ACTIVATE_RELU6:
      return fmin (fmax (x, 0), 6);
    default:
      return 1.0507009873554805 * (fmax (x, 0) + fmin (1.6732632423543772 * (exp (x) - 1), 0));
  }
}

static void
naive (const PmtOpNaive *call)
{
  for (int64_t i = 0, n = pmt_shape_size (&call->out_shape); i < n; i++)
    call->out[i] = textbook (*(const PmtActivate *) call->params, call->in[0][i]);
}

static const PmtActivate kinds[PMT_N_ACTIVATES] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 };

#define CASE(k, spread) { .name = #k, .n_in = 1, .in = { { 3, { 2, 13, 17 } } }, .params = &kinds[k], .rowwise = 1, .scale = { spread } }
static const PmtOpCase cases[] = {
  CASE (PMT_ACTIVATE_LEAKY_RELU, 2), CASE (PMT_ACTIVATE_ELU, 2),      CASE (PMT_ACTIVATE_HARD_SWISH, 2), CASE (PMT_ACTIVATE_HARD_SIGMOID, 2),
  CASE (PMT_ACTIVATE_TANH, 2),       CASE (PMT_ACTIVATE_SIGMOID, 2),  CASE (PMT_ACTIVATE_SOFTPLUS, 2),   CASE (PMT_ACTIVATE_MISH, 2),
  CASE (PMT_ACTIVATE_SOFTSIGN, 2),   CASE (PMT_ACTIVATE_RELU6, 4),    CASE (PMT_ACTIVATE_SELU, 2),
};
#undef CASE
G_STATIC_ASSERT (PMT_N (cases) == PMT_N_ACTIVATES);

const PmtOp pmt_op_activate = {
  .id = "activate",
  .min_in = 1,
  .max_in = 1,
  .shape = pmt_shape_same,
  .forward = forward,
  .naive = naive,
  .backward = backward,
  .cases = cases,
  .n_cases = PMT_N (cases),
  .tolerance = 2e-7,
  .params_size = sizeof (PmtActivate),
};

PmtTensor
pmt_activate (PmtContext *ctx, PmtTensor x, PmtActivate function)
{
  return pmt_op_run (ctx, &pmt_op_activate, &x, 1, &function);
}
