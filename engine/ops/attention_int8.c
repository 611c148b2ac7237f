/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/ops/attention_int8.h"

#include <math.h>

enum {
  LEAST_KEYS = 192,
  PANELS = 4, /* of queries that go through a block of keys together */
  SLAB = 512  /* keys whose sum is one part of their mean */
};

typedef struct Eight {
  const PmtAttendInt8 *a;
  const PmtKernels *k;
  const PmtCancel *cancel;
  PmtHeads h;
  const float *q, *key, *v;
  float *out;
  size_t panels, block, blocks; /* panels of queries in a block, queries in it, blocks of a head */
  size_t keys, groups, slabs;   /* keys in a block of keys, such blocks of a head, slabs of a row */
  size_t key_bytes, value_bytes, query_bytes; /* of a block of keys, of values; of a panel */
  size_t mixed_bytes;           /* of a panel's sums */
  size_t thread_bytes;
  float *sums;                  /* [rows, slabs, c] */
  char *left, *values, *scratch;
} Eight;

/* Where a thread's scratch memory has what. */
typedef struct Scratch {
  char *queries, *packed;
  float *mixed, *logits, *about, *inverse;
} Scratch;

static size_t
aligned (size_t bytes)
{
  return (bytes + 63) & ~(size_t) 63;
}

/* With base NULL: only how much there is. */
static size_t
lay_out (const Eight *t, char *base, Scratch *s)
{
  const size_t columns = (size_t) t->a->columns, line = columns * sizeof (float);
  const size_t size[] = { t->panels * t->query_bytes, t->keys * columns, t->panels * t->mixed_bytes, t->keys * line, t->panels * line, line };
  size_t at[PMT_N (size) + 1] = { 0 };
  for (size_t i = 0; i < PMT_N (size); i++)
    at[i + 1] = at[i] + aligned (size[i]);
  if (base) {
    s->queries = base;
    s->packed = base + at[1];
    s->mixed = (float *) (base + at[2]);
    s->logits = (float *) (base + at[3]);
    s->about = (float *) (base + at[4]);
    s->inverse = (float *) (base + at[5]);
  }
  return at[PMT_N (size)];
}

static Eight
eight_of (const PmtOpCall *call)
{
  const PmtKernels *k = call->ctx->kernels;
  const PmtAttendInt8 *a = k->attend_int8;
  Eight t = { .a = a, .k = k, .cancel = call->ctx->cancel, .q = call->in[0].data, .key = call->in[1].data, .v = call->in[2].data,
              .out = call->out.data };
  t.h = pmt_heads (&call->in[0].shape, &call->in[1].shape, call->params);
  const PmtHeads *h = &t.h;
  const size_t columns = (size_t) a->columns;
  t.panels = MIN (PANELS, (h->t + columns - 1) / columns);
  t.block = t.panels * columns;
  t.blocks = (h->t + t.block - 1) / t.block;
  t.keys = (size_t) a->block;
  t.groups = (h->s + t.keys - 1) / t.keys;
  t.slabs = (h->s + SLAB - 1) / SLAB;
  t.key_bytes = a->keys_size ((int64_t) h->d);
  t.value_bytes = a->values_size ((int64_t) h->d);
  t.query_bytes = a->queries_size ((int64_t) h->d);
  t.mixed_bytes = (h->d + 1) * columns * sizeof (float);
  t.thread_bytes = lay_out (&t, NULL, NULL);
  t.sums = call->workspace;
  t.left = (char *) call->workspace + aligned (h->rows * t.slabs * h->c * sizeof (float));
  t.values = t.left + h->rows * h->heads * t.groups * t.key_bytes;
  t.scratch = t.values + h->rows * h->heads * t.groups * t.value_bytes;
  return t;
}

bool
pmt_attention_int8_fits (const PmtOpCall *call)
{
  const PmtAttentionParams *p = call->params;
  const PmtHeads h = pmt_heads (&call->in[0].shape, &call->in[1].shape, p);
  return p->precision == PMT_PRECISION_INT8 && call->ctx->kernels->attend_int8 && !p->causal && h.d <= PMT_ATTEND_INT8_WIDEST && h.s >= LEAST_KEYS;
}

size_t
pmt_attention_int8_workspace (const PmtOpCall *call)
{
  const Eight t = eight_of (call);
  return (size_t) (t.scratch - (char *) call->workspace) + (size_t) pmt_threads () * t.thread_bytes;
}

static void
sum_range (void *user, size_t begin, size_t end)
{
  const Eight *t = user;
  const PmtHeads *h = &t->h;
  for (size_t item = begin; item < end; item++) {
    const size_t row = item / t->slabs, first = item % t->slabs * SLAB;
    float *sum = t->sums + item * h->c;
    memset (sum, 0, h->c * sizeof (float));
    t->k->column_sum (t->key + (row * h->s + first) * h->c, sum, MIN (SLAB, h->s - first), h->c);
  }
}

/* One block of keys and values of one head. */
static void
group_turn (const Eight *t, size_t item)
{
  const PmtHeads *h = &t->h;
  const size_t group = item % t->groups, head = item / t->groups % h->heads, row = item / t->groups / h->heads;
  const size_t first = group * t->keys, at = (row * h->s + first) * h->c + head * h->d;
  const int64_t keys = (int64_t) MIN (t->keys, h->s - first), c = (int64_t) h->c, d = (int64_t) h->d;
  float mean[PMT_ATTEND_INT8_WIDEST] = { 0 };
  for (size_t slab = 0; slab < t->slabs; slab++)
    t->k->axpy (1.0f / (float) h->s, t->sums + (row * t->slabs + slab) * h->c + head * h->d, mean, h->d);
  t->a->keys (t->key + at, c, keys, d, mean, t->left + item * t->key_bytes);
  t->a->values (t->v + at, c, keys, d, t->values + item * t->value_bytes);
}

static void
turn_range (void *user, size_t begin, size_t end)
{
  for (size_t item = begin; item < end; item++)
    group_turn (user, item);
}

/* A panel of queries and a block of keys, whose weights are made while the next one's logits are. */
typedef struct Turn {
  PmtAttendInt8Step step;
  size_t panel, group;
} Turn;

static void
turn_end (const Eight *t, const Scratch *s, const Turn *turn, size_t head)
{
  float *mixed = (float *) ((char *) s->mixed + turn->panel * t->mixed_bytes);
  const int64_t d = (int64_t) t->h.d;
  if (turn->step.raised && turn->group > 0)
    t->a->scale_columns (mixed, d + 1, turn->step.shrink);
  t->a->mix (turn->step.keys, t->values + (head * t->groups + turn->group) * t->value_bytes, d, s->packed, turn->step.factor, mixed);
}

/* All keys of a head, each block of them against all panels. */
static void
turns_run (const Eight *t, const Scratch *s, size_t head, size_t panels)
{
  Turn turns[2] = { 0 }, *now = &turns[0], *before = &turns[1];
  for (size_t i = 0; i < t->groups * panels && !pmt_cancelled (t->cancel); i++) {
    now->panel = i % panels;
    now->group = i / panels;
    t->a->weigh ((int64_t) MIN (t->keys, t->h.s - now->group * t->keys), t->left + (head * t->groups + now->group) * t->key_bytes,
                 s->queries + now->panel * t->query_bytes, (int64_t) t->h.d, s->logits, s->about + now->panel * (size_t) t->a->columns, &now->step,
                 &before->step, s->packed);
    if (i > 0)
      turn_end (t, s, before, head);
    Turn *done = before;
    before = now;
    now = done;
  }
  t->a->weigh (0, t->left, s->queries, (int64_t) t->h.d, s->logits, s->about, &now->step, &before->step, s->packed);
  turn_end (t, s, before, head);
}

static void
block_run (const Eight *t, size_t item)
{
  const PmtHeads *h = &t->h;
  const size_t columns = (size_t) t->a->columns, block = item % t->blocks, head = item / t->blocks; /* of all rows */
  const size_t first = block * t->block, count = MIN (t->block, h->t - first);
  const size_t at = (head / h->heads * h->t + first) * h->c + head % h->heads * h->d;
  const float factor = (float) (1.4426950408889634 / sqrt ((double) h->d)); /* exponentials are powers of two */
  const int64_t c = (int64_t) h->c, d = (int64_t) h->d;
  Scratch s;
  lay_out (t, t->scratch + (size_t) pmt_threads_index () * t->thread_bytes, &s);
  for (size_t i = 0; i < count; i += columns)
    t->a->queries (t->q + at + i * h->c, c, (int64_t) MIN (columns, count - i), d, factor, s.queries + i / columns * t->query_bytes);
  memset (s.mixed, 0, t->panels * t->mixed_bytes);
  for (size_t i = 0; i < t->block; i++)
    s.about[i] = -INFINITY;
  turns_run (t, &s, head, (count + columns - 1) / columns);
  for (size_t i = 0; i < count; i += columns) {
    float *mixed = (float *) ((char *) s.mixed + i / columns * t->mixed_bytes);
    for (size_t j = 0; j < columns; j++)
      s.inverse[j] = 1.0f / mixed[h->d * columns + j];
    t->a->scale_columns (mixed, d, s.inverse);
    t->a->transpose (mixed, (int64_t) columns, d, (int64_t) MIN (columns, count - i), t->out + at + i * h->c, c);
  }
}

static void
block_range (void *user, size_t begin, size_t end)
{
  for (size_t item = begin; item < end; item++)
    block_run (user, item);
}

void
pmt_attention_int8_forward (PmtOpCall *call)
{
  Eight t = eight_of (call);
  const size_t heads = t.h.rows * t.h.heads;
  if (pmt_op_parallel (call->ctx, t.h.rows * t.slabs, 1, sum_range, &t)
      && pmt_op_parallel (call->ctx, heads * t.groups, 1, turn_range, &t))
    pmt_op_parallel (call->ctx, heads * t.blocks, 1, block_range, &t);
}
