/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Group normalisation (Wu & He 2018), with SiLU in the same pass when asked.
 *
 * A row's positions are cut into blocks whose size depends on the width alone. Each block gives, per group, its mean and the squares about it, in
 * one pass: sums are taken of what is left of the values without the mean of the block's first position, and where that lies so far off that
 * the difference of sums would lose more than four bits, the squares are taken again while the block is in cache. The blocks are then joined in
 * order, in double, by the pairwise formula of Chan, Golub & LeVeque (1979). So the map is read from memory twice, no large mean spoils
 * the variance, and neither threads nor the rest of the batch change a byte. */
#include <math.h>

#include "engine/ops/help.h"

/* 128 KB of floats per block. */
enum { BLOCK_VALUES = 32768 };

typedef struct Norm {
  const PmtKernels *k;
  const float *x, *gamma, *beta;
  float *y;
  size_t rows, positions, c, groups, width; /* width = c / groups */
  size_t block, blocks;                     /* positions per block, blocks per row */
  double *moments;                          /* [rows, blocks, groups, 2]: mean and sum of squares about it */
  double *rstd;                             /* [rows, groups] */
  float *scratch;                           /* [threads, 3 c] */
  float *mean, *factor;                     /* [rows, c] */
  double eps;
  bool silu;
} Norm;

static size_t
pad (size_t bytes)
{
  return (bytes + 63) / 64 * 64;
}

/* Sizes from the call; arrays placed one after another from `memory`. Returns the bytes they take. */
static size_t
norm_init (Norm *n, const PmtOpCall *call, unsigned char *memory)
{
  const PmtGroupNormParams *p = call->params;
  PmtTensor x = call->in[0];
  *n = (Norm) { .k = call->ctx->kernels, .x = x.data, .gamma = call->in[1].data, .beta = call->in[2].data,
                .y = call->out.data, .eps = p->eps, .silu = p->silu };
  n->rows = (size_t) x.shape.dim[0];
  n->c = pmt_width (x);
  n->positions = pmt_row_size (x) / n->c;
  n->groups = (size_t) p->groups;
  n->width = n->c / n->groups;
  n->block = MAX (1, BLOCK_VALUES / n->c);
  n->blocks = (n->positions + n->block - 1) / n->block;

  size_t at = 0;
  n->moments = (double *) (memory + at);
  at += pad (n->rows * n->blocks * n->groups * 2 * sizeof (double));
  n->rstd = (double *) (memory + at);
  at += pad (n->rows * n->groups * sizeof (double));
  n->scratch = (float *) (memory + at);
  at += pad ((size_t) pmt_threads () * 3 * n->c * sizeof (float));
  n->mean = (float *) (memory + at);
  at += pad (n->rows * n->c * sizeof (float));
  n->factor = (float *) (memory + at);
  at += pad (n->rows * n->c * sizeof (float));
  return at;
}

static gboolean
shape (const PmtOpCall *call, PmtShape *out, GError **error)
{
  PmtTensor x = call->in[0], gamma = call->in[1], beta = call->in[2];
  const PmtGroupNormParams *p = call->params;
  if (x.shape.rank < 2)
    return pmt_shape_error (call, "group_norm", "the input has rows and channels", error);
  int64_t c = pmt_tensor_dim (x, -1);
  if (p->groups < 1 || c < 1 || c % p->groups != 0)
    return pmt_shape_error (call, "group_norm", "the channels do not divide into the groups", error);
  if (gamma.shape.rank != 1 || gamma.shape.dim[0] != c || beta.shape.rank != 1 || beta.shape.dim[0] != c)
    return pmt_shape_error (call, "group_norm", "scale and shift are not one value per channel", error);
  *out = x.shape;
  return TRUE;
}

static size_t
workspace (const PmtOpCall *call)
{
  Norm n;
  return norm_init (&n, call, NULL);
}

static double
flops (const PmtOpCall *call)
{
  return 8.0 * (double) pmt_tensor_size (call->out);
}

/* Sum of the group's `width` channel sums. */
static double
group_total (const float *channel, size_t width)
{
  double total = 0;
  for (size_t i = 0; i < width; i++)
    total += channel[i];
  return total;
}

/* Sets the group's entries of about [c] to a value. */
static void
set_group (const Norm *n, size_t g, float value, float *about)
{
  for (size_t i = g * n->width; i < (g + 1) * n->width; i++)
    about[i] = value;
}

/* m [groups, 2] from the sums about `about`; false where one of them lies too far from its mean. */
static bool
moments_of (const Norm *n, size_t count, const float *about, const float *sum, const float *square, double *m)
{
  bool near = true;
  for (size_t g = 0; g < n->groups; g++) {
    const double values = (double) (count * n->width), off = group_total (sum + g * n->width, n->width);
    const double squares = group_total (square + g * n->width, n->width), lost = off * off / values;
    m[2 * g] = about[g * n->width] + off / values;
    m[2 * g + 1] = MAX (squares - lost, 0);
    if (lost > squares * (15.0 / 16))
      near = false;
    if (isnan (squares))
      m[2 * g + 1] = squares;
  }
  return near;
}

static void
moments_range (void *user, size_t begin, size_t end)
{
  const Norm *n = user;
  float *about = n->scratch + (size_t) pmt_threads_index () * 3 * n->c, *sum = about + n->c, *square = sum + n->c;
  for (size_t item = begin; item < end; item++) {
    size_t row = item / n->blocks, first = item % n->blocks * n->block;
    size_t count = MIN (n->block, n->positions - first);
    const float *x = n->x + (row * n->positions + first) * n->c;
    double *m = n->moments + item * n->groups * 2;

    for (size_t g = 0; g < n->groups; g++)
      set_group (n, g, (float) (group_total (x + g * n->width, n->width) / (double) n->width), about);
    memset (sum, 0, 2 * n->c * sizeof (float));
    n->k->column_moments (x, about, sum, square, count, n->c);
    if (moments_of (n, count, about, sum, square, m))
      continue;
    for (size_t g = 0; g < n->groups; g++) {
      m[2 * g] = (float) m[2 * g];
      set_group (n, g, (float) m[2 * g], about);
    }
    memset (square, 0, n->c * sizeof (float));
    n->k->column_square (x, about, square, count, n->c);
    for (size_t g = 0; g < n->groups; g++)
      m[2 * g + 1] = group_total (square + g * n->width, n->width);
  }
}

/* Joins a row's blocks into 1/std per group, and the mean and the factor of each channel. */
static void
join (const Norm *n, size_t row)
{
  for (size_t g = 0; g < n->groups; g++) {
    double count = 0, mean = 0, squares = 0;
    for (size_t b = 0; b < n->blocks; b++) {
      const double *m = n->moments + ((row * n->blocks + b) * n->groups + g) * 2;
      double size = (double) (MIN (n->block, n->positions - b * n->block) * n->width);
      double delta = m[0] - mean, both = count + size;
      mean += delta * size / both;
      squares += m[1] + delta * delta * count * size / both;
      count = both;
    }
    double rstd = 1.0 / sqrt (squares / count + n->eps);
    n->rstd[row * n->groups + g] = rstd;
    for (size_t i = g * n->width; i < (g + 1) * n->width; i++) {
      n->mean[row * n->c + i] = (float) mean;
      n->factor[row * n->c + i] = (float) (rstd * n->gamma[i]);
    }
  }
}

static void
apply_range (void *user, size_t begin, size_t end)
{
  const Norm *n = user;
  for (size_t item = begin; item < end; item++) {
    size_t row = item / n->blocks, first = item % n->blocks * n->block;
    size_t count = MIN (n->block, n->positions - first), at = (row * n->positions + first) * n->c;
    n->k->normalize (n->x + at, n->mean + row * n->c, n->factor + row * n->c, n->beta, n->y + at, count, n->c, n->silu);
  }
}

static bool
statistics (PmtContext *ctx, Norm *n)
{
  if (!pmt_op_parallel (ctx, n->rows * n->blocks, 1, moments_range, n))
    return false;
  for (size_t row = 0; row < n->rows; row++)
    join (n, row);
  return true;
}

static void
forward (PmtOpCall *call)
{
  Norm n;
  norm_init (&n, call, call->workspace);
  if (statistics (call->ctx, &n))
    pmt_op_parallel (call->ctx, n.rows * n.blocks, 1, apply_range, &n);
}

/* With h = (x - mean) rstd and u = gamma h + beta: the gradient of SiLU first, du; then dgamma += sum du h, dbeta += sum du, and
 * dx += rstd (e - mean(e) - h mean(e h)), e = gamma du, means over the group. Plain doubles: gradients are not on the fast path. */
static void
backward_group (const Norm *n, PmtOpGrad *grad, size_t row, size_t g)
{
  double count = (double) (n->positions * n->width), total = 0, total_h = 0;
  for (int pass = 0; pass < 2; pass++)
    for (size_t p = 0; p < n->positions; p++)
      for (size_t i = g * n->width; i < (g + 1) * n->width; i++) {
        size_t at = (row * n->positions + p) * n->c + i;
        double gamma = n->gamma[i], rstd = n->rstd[row * n->groups + g];
        double h = (n->x[at] - (double) n->mean[row * n->c + i]) * rstd;
        double u = gamma * h + n->beta[i], du = grad->out.data[at];
        if (n->silu) {
          double s = 1.0 / (1.0 + exp (-u));
          du *= s * (1.0 + u * (1.0 - s));
        }
        if (pass == 0) {
          total += gamma * du;
          total_h += gamma * du * h;
          if (grad->in[1].data)
            grad->in[1].data[i] += (float) (du * h);
          if (grad->in[2].data)
            grad->in[2].data[i] += (float) du;
        } else if (grad->in[0].data) {
          grad->in[0].data[at] += (float) (rstd * (gamma * du - total / count - h * total_h / count));
        }
      }
}

typedef struct Backward {
  Norm n;
  PmtOpGrad *grad;
  size_t row;
} Backward;

static void
backward_range (void *user, size_t begin, size_t end)
{
  Backward *b = user;
  for (size_t g = begin; g < end; g++)
    backward_group (&b->n, b->grad, b->row, g);
}

static void
backward (PmtOpCall *call, PmtOpGrad *grad)
{
  Backward b = { .grad = grad };
  norm_init (&b.n, call, call->workspace);
  if (!statistics (call->ctx, &b.n))
    return;
  /* Groups share no channel, so they may run side by side; rows add to the same dgamma and run in order. */
  for (b.row = 0; b.row < b.n.rows; b.row++)
    if (!pmt_op_parallel (call->ctx, b.n.groups, 1, backward_range, &b))
      return;
}

static void
naive_group (const PmtOpNaive *call, size_t row, size_t g)
{
  const PmtGroupNormParams *p = call->params;
  const PmtShape *s = &call->in_shape[0];
  size_t c = (size_t) s->dim[s->rank - 1], width = c / (size_t) p->groups;
  size_t positions = (size_t) pmt_shape_size (s) / (size_t) s->dim[0] / c;
  const double *x = call->in[0] + row * positions * c;
  double count = (double) (positions * width), mean = 0, var = 0;
  for (size_t at = 0; at < positions * c; at++)
    if (at % c / width == g)
      mean += x[at] / count;
  for (size_t at = 0; at < positions * c; at++)
    if (at % c / width == g)
      var += (x[at] - mean) * (x[at] - mean) / count;
  for (size_t at = 0; at < positions * c; at++)
    if (at % c / width == g) {
      double u = (x[at] - mean) / sqrt (var + p->eps) * call->in[1][at % c] + call->in[2][at % c];
      call->out[row * positions * c + at] = p->silu ? u / (1.0 + exp (-u)) : u;
    }
}

static void
naive (const PmtOpNaive *call)
{
  const PmtGroupNormParams *p = call->params;
  for (size_t row = 0; row < (size_t) call->in_shape[0].dim[0]; row++)
    for (size_t g = 0; g < (size_t) p->groups; g++)
      naive_group (call, row, g);
}

static const PmtGroupNormParams plain = { 4, 1e-6f, false }, silu = { 8, 1e-5f, true }, one = { 1, 1e-5f, false };

static const PmtOpCase cases[] = {
  { .name = "map", .n_in = 3, .in = { { 4, { 2, 7, 5, 12 } }, { 1, { 12 } }, { 1, { 12 } } }, .params = &plain, .rowwise = 1 },
  { .name = "silu", .n_in = 3, .in = { { 4, { 2, 6, 6, 40 } }, { 1, { 40 } }, { 1, { 40 } } }, .params = &silu, .rowwise = 1 },
  { .name = "one-group", .n_in = 3, .in = { { 3, { 3, 11, 9 } }, { 1, { 9 } }, { 1, { 9 } } }, .params = &one, .rowwise = 1 },
  { .name = "vectors", .n_in = 3, .in = { { 2, { 2, 16 } }, { 1, { 16 } }, { 1, { 16 } } }, .params = &plain, .rowwise = 1, .scale = { 2 } },
  /* several blocks, the last one short */
  { .name = "blocks", .n_in = 3, .in = { { 4, { 2, 33, 41, 64 } }, { 1, { 64 } }, { 1, { 64 } } }, .params = &silu, .rowwise = 1 },
};

const PmtOp pmt_op_group_norm = {
  .id = "group_norm",
  .min_in = 3,
  .max_in = 3,
  .shape = shape,
  .workspace = workspace,
  .flops = flops,
  .forward = forward,
  .naive = naive,
  .backward = backward,
  .backward_workspace = workspace,
  .over = 1,
  .cases = cases,
  .n_cases = PMT_N (cases),
  .tolerance = 1e-6,
  .params_size = sizeof (PmtGroupNormParams),
};

PmtTensor
pmt_group_norm (PmtContext *ctx, PmtTensor x, PmtTensor gamma, PmtTensor beta, PmtGroupNormParams p)
{
  return pmt_group_norm_over (ctx, PMT_NO_TENSOR, x, gamma, beta, p);
}

PmtTensor
pmt_group_norm_over (PmtContext *ctx, PmtTensor place, PmtTensor x, PmtTensor gamma, PmtTensor beta, PmtGroupNormParams p)
{
  return pmt_op_run_over (ctx, &pmt_op_group_norm, place, (PmtTensor[]) { x, gamma, beta }, 3, &p);
}
