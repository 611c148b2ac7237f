/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/ops/attention_tiles.h"

#include <math.h>

enum {
  QUERIES_BYTES = 512 << 10,
  KEYS_BYTES = 128 << 10,    /* of a block of keys */
  MOST_PANELS = 8,           /* queries are blocks of at most so many panels */
  ROUND = 12,                /* rows of every level's tiles divide it */
  STRIP = 16                 /* channels of V that are transposed together */
};

typedef struct Tiles {
  const PmtProductKernels *p;
  const PmtAttendKernels *a;
  const PmtKernels *k;
  const PmtCancel *cancel;
  PmtHeads h;
  const float *q, *key, *v;
  float *out;
  size_t panels, block, blocks;   /* panels of queries in a block, queries in it, blocks of a head */
  size_t whole, keys;             /* keys that lie behind each other in V^T, a multiple of keys per step */
  size_t slabs;                   /* of V^T: s keys in pieces of whole */
  size_t panel_bytes, key_bytes;  /* of a panel of queries; of a key */
  size_t thread_bytes, values_bytes, keys_bytes; /* keys_bytes: of a head */
  char *values, *left, *scratch;
} Tiles;

/* Where a thread's scratch memory has what. */
typedef struct Scratch {
  char *queries, *packed;
  float *mixed, *logits, *top, *sum, *shrink;
} Scratch;

static size_t
aligned (size_t bytes)
{
  return (bytes + 63) & ~(size_t) 63;
}

static size_t
padded (size_t n, size_t unit)
{
  return (n + unit - 1) / unit * unit;
}

/* With base NULL: only how much there is. */
static size_t
lay_out (const Tiles *t, char *base, Scratch *s)
{
  const size_t columns = (size_t) t->p->columns, line = t->panels * columns * sizeof (float);
  const size_t keys = padded (t->keys, (size_t) t->p->rows);
  const size_t exponentials = t->p->value_size == sizeof (float) ? 0 : keys * columns * t->p->value_size;
  const size_t size[] = { t->panels * t->panel_bytes, keys * columns * sizeof (float), exponentials, line * t->h.d, line, line,
                          columns * sizeof (float) };
  size_t at[PMT_N (size) + 1] = { 0 };
  for (size_t i = 0; i < PMT_N (size); i++)
    at[i + 1] = at[i] + aligned (size[i]);
  if (base) {
    s->queries = base;
    s->logits = (float *) (base + at[1]);
    s->packed = exponentials ? base + at[2] : base + at[1];
    s->mixed = (float *) (base + at[3]);
    s->top = (float *) (base + at[4]);
    s->sum = (float *) (base + at[5]);
    s->shrink = (float *) (base + at[6]);
  }
  return at[PMT_N (size)];
}

static Tiles
tiles_of (const PmtOpCall *call)
{
  const PmtAttentionParams *params = call->params;
  const PmtKernels *k = call->ctx->kernels;
  const PmtPrecision precision = pmt_precision_wide (params->precision);
  const PmtProductKernels *p = k->product[precision];
  Tiles t = { .p = p, .a = k->attend[precision], .k = k, .cancel = call->ctx->cancel, .q = call->in[0].data,
              .key = call->in[1].data, .v = call->in[2].data, .out = call->out.data };
  t.h = pmt_heads (&call->in[0].shape, &call->in[1].shape, params);
  const size_t columns = (size_t) p->columns, depth = (size_t) p->depth;
  t.panel_bytes = padded (t.h.d, (size_t) p->unit) * columns * p->value_size;
  t.panels = CLAMP (QUERIES_BYTES / (t.panel_bytes + columns * t.h.d * sizeof (float)), 1, MOST_PANELS);
  t.panels = MIN (t.panels, (t.h.t + columns - 1) / columns);
  t.block = t.panels * columns;
  t.blocks = (t.h.t + t.block - 1) / t.block;
  /* Halves of what a line of V^T holds, until a step's keys are few enough. */
  t.whole = depth / (4 * ROUND) * (4 * ROUND);
  t.keys = t.whole;
  for (int i = 0; i < 2 && t.keys * t.h.d * p->value_size > KEYS_BYTES; i++)
    t.keys /= 2;
  t.slabs = (t.h.s + t.whole - 1) / t.whole;
  t.keys = MIN (t.keys, t.h.s);
  t.key_bytes = padded (t.h.d, (size_t) p->unit) * p->value_size;
  t.keys_bytes = padded (t.h.s, (size_t) p->rows) * t.key_bytes;
  t.thread_bytes = lay_out (&t, NULL, NULL) + aligned (STRIP * MIN (t.whole, t.h.s) * sizeof (float));
  t.values_bytes = aligned (t.h.rows * t.h.heads * t.slabs * t.h.d * p->stride);
  t.values = call->workspace;
  t.left = t.values + t.values_bytes;
  t.scratch = t.left + aligned (t.h.rows * t.h.heads * t.keys_bytes);
  return t;
}

bool
pmt_attention_tiles_exist (const PmtKernels *kernels, PmtPrecision precision)
{
  const PmtPrecision computed = pmt_precision_wide (precision);
  return kernels->product[computed] && kernels->attend[computed];
}

size_t
pmt_attention_tiles_workspace (const PmtOpCall *call)
{
  const Tiles t = tiles_of (call);
  return t.values_bytes + aligned (t.h.rows * t.h.heads * t.keys_bytes) + (size_t) pmt_threads () * t.thread_bytes;
}

static char *
thread_scratch (const Tiles *t, Scratch *s)
{
  char *base = t->scratch + (size_t) pmt_threads_index () * t->thread_bytes;
  return base + lay_out (t, base, s);
}

/* One slab of keys of one head, and its V^T: a left side with a row per channel. */
static void
slab_turn (const Tiles *t, size_t item)
{
  const PmtHeads *h = &t->h;
  Scratch s;
  float *strip = (float *) thread_scratch (t, &s);
  const size_t slab = item % t->slabs, head = item / t->slabs % h->heads, row = item / t->slabs / h->heads;
  const size_t first = slab * t->whole, keys = MIN (t->whole, h->s - first);
  const size_t at = (row * h->s + first) * h->c + head * h->d;
  const float *v = t->v + at;
  t->a->keys (t->key + at, (int64_t) h->c, (int64_t) keys, (int64_t) h->d,
              t->left + (row * h->heads + head) * t->keys_bytes + first * t->key_bytes);
  char *to = t->values + item * h->d * t->p->stride;
  for (size_t c = 0; c < h->d; c += STRIP) {
    const size_t count = MIN (STRIP, h->d - c);
    t->a->transpose (v + c, (int64_t) h->c, (int64_t) keys, (int64_t) count, strip, (int64_t) keys);
    for (size_t i = 0; i < count; i++, to += t->p->stride)
      t->p->convert (strip + i * keys, to, keys);
  }
}

static void
turn_range (void *user, size_t begin, size_t end)
{
  for (size_t item = begin; item < end; item++)
    slab_turn (user, item);
}

/* c [rows, columns] = or += a b, with a of `rows` rows in blocks of depth. */
static void
product (const PmtProductKernels *p, const char *a, size_t rows, const char *b, size_t k, bool first, float *c)
{
  for (size_t r = 0; r < rows; r += (size_t) p->rows)
    p->tile ((int) MIN ((size_t) p->rows, rows - r), a + r * p->stride, b, (int64_t) padded (k, (size_t) p->unit),
             c + r * (size_t) p->columns, p->columns, first, NULL);
}

/* Hidden keys of a causal mask: query `first` + j, in column j, sees key i only from i on. */
static void
hide (float *logits, size_t columns, size_t key, size_t keys, size_t first)
{
  for (size_t i = 0; i < keys; i++)
    for (size_t j = 0; j < columns && first + j < key + i; j++)
      logits[i * columns + j] = -INFINITY;
}

/* One step's keys, which begin at key `key`, against one panel of queries, whose first is query `first`. */
static void
panel_step (const Tiles *t, const Scratch *s, size_t panel, size_t first, size_t key, size_t keys, const char *left, const char *values)
{
  const PmtHeads *h = &t->h;
  const size_t columns = (size_t) t->p->columns, at = panel * columns;
  const char *queries = s->queries + panel * t->panel_bytes;
  float *mixed = s->mixed + at * h->d;
  const int64_t n = (int64_t) keys, d = (int64_t) h->d, seen = h->causal ? (int64_t) first + 1 - (int64_t) key : n;
  if (!t->a->weigh || !t->a->weigh (n, seen, left, queries, d, s->top + at, s->sum + at, s->packed)) {
    t->a->logits (n, left, queries, d, s->logits);
    if (seen < n)
      hide (s->logits, columns, key, keys, first);
    if (t->a->attend (n, s->logits, s->top + at, s->sum + at, s->shrink, s->packed) && key > 0)
      t->a->scale_columns (mixed, d, s->shrink);
  }
  product (t->p, values, h->d, s->packed, keys, key == 0, mixed);
}

/* Queries as a right side, times 1/sqrt(d) and log2(e), since exponentials are powers of two. */
static void
block_open (const Tiles *t, const Scratch *s, const float *q, size_t count)
{
  const PmtHeads *h = &t->h;
  const size_t columns = (size_t) t->p->columns;
  const float factor = (float) (1.4426950408889634 / sqrt ((double) h->d));
  for (size_t i = 0; i < count; i++)
    t->k->scale (q + i * h->c, factor, s->mixed + i * h->d, h->d);
  for (size_t i = 0; i < count; i += columns)
    t->p->pack (s->mixed + i * h->d, (int64_t) MIN (columns, count - i), (int64_t) h->d, s->queries + i / columns * t->panel_bytes);
  for (size_t i = 0; i < padded (count, columns); i++) {
    s->top[i] = -INFINITY;
    s->sum[i] = 0;
  }
}

static void
block_close (const Tiles *t, const Scratch *s, float *out, size_t count)
{
  const PmtHeads *h = &t->h;
  const size_t columns = (size_t) t->p->columns;
  for (size_t i = 0; i < count; i += columns) {
    float *mixed = s->mixed + i * h->d;
    for (size_t j = 0; j < columns; j++)
      s->shrink[j] = 1.0f / s->sum[i + j];
    t->a->scale_columns (mixed, (int64_t) h->d, s->shrink);
    t->a->transpose (mixed, (int64_t) columns, (int64_t) h->d, (int64_t) MIN (columns, count - i), out + i * h->c, (int64_t) h->c);
  }
}

static void
block_run (const Tiles *t, size_t item)
{
  const PmtHeads *h = &t->h;
  const size_t columns = (size_t) t->p->columns;
  const size_t block = item % t->blocks, head = item / t->blocks % h->heads, row = item / t->blocks / h->heads;
  const size_t first = block * t->block, count = MIN (t->block, h->t - first), seen = pmt_heads_visible (h, first + count - 1);
  const size_t at = (row * h->t + first) * h->c + head * h->d;
  const char *left = t->left + (row * h->heads + head) * t->keys_bytes;
  const char *values = t->values + (row * h->heads + head) * t->slabs * h->d * t->p->stride;
  Scratch s;
  thread_scratch (t, &s);
  block_open (t, &s, t->q + at, count);
  for (size_t key = 0, keys; key < seen && !pmt_cancelled (t->cancel); key += keys) {
    const char *turned = values + key / t->whole * h->d * t->p->stride + key % t->whole * t->p->value_size;
    keys = MIN (t->keys, h->s - key);
    /* Keys that no query of a panel may see are left out. */
    for (size_t i = 0; i < count; i += columns) {
      const size_t visible = pmt_heads_visible (h, first + MIN (count, i + columns) - 1);
      if (key < visible)
        panel_step (t, &s, i / columns, first + i, key, MIN (keys, visible - key), left + key * t->key_bytes, turned);
    }
  }
  block_close (t, &s, t->out + at, count);
}

static void
block_range (void *user, size_t begin, size_t end)
{
  for (size_t item = begin; item < end; item++)
    block_run (user, item);
}

void
pmt_attention_tiles_forward (PmtOpCall *call)
{
  Tiles t = tiles_of (call);
  const size_t heads = t.h.rows * t.h.heads;
  if (pmt_op_parallel (call->ctx, heads * t.slabs, 1, turn_range, &t))
    pmt_op_parallel (call->ctx, heads * t.blocks, 1, block_range, &t);
}
