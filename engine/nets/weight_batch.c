/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/nets/weight_batch.h"

#include "engine/base/arena.h"
#include "engine/base/threads.h"

enum { PLAIN_VALUES = 1 << 16 }; /* of weights that are not packed, at a time */

typedef struct Item {
  PmtWeightSpan span;
  PmtWeightLayout layout;
  PmtPacked *packed;
  float *plain;
  int64_t row, rows; /* values of a row, and rows at a time */
  size_t before;     /* tasks of the items before */
} Item;

struct PmtWeightBatch {
  GArray *items; /* Item */
  size_t tasks, values;
  PmtArena *arena;
  float *room;   /* `each` values for each thread */
  size_t each;
};

static int64_t
row_values (int rank, const int64_t *dim)
{
  int64_t row = 1;
  for (int i = 1; i < rank; i++)
    row *= dim[i];
  return row;
}

size_t
pmt_weight_batch_room (const PmtProductKernels *kernels, int rank, const int64_t *dim)
{
  return (size_t) row_values (rank, dim) * (size_t) (1 + (kernels ? kernels->columns : 0));
}

PmtWeightBatch *
pmt_weight_batch_new (size_t most, GError **error)
{
  const size_t each = (most + 15) & ~(size_t) 15, bytes = each * (size_t) pmt_threads () * sizeof (float);
  PmtArena *arena = pmt_arena_new ("the weights that are being loaded", bytes, error);
  if (!arena)
    return NULL;
  PmtWeightBatch *batch = g_new0 (PmtWeightBatch, 1);
  batch->items = g_array_new (FALSE, FALSE, sizeof (Item));
  batch->arena = arena;
  batch->room = pmt_arena_alloc (arena, bytes, NULL);
  batch->each = each;
  return batch;
}

void
pmt_weight_batch_free (PmtWeightBatch *batch)
{
  if (!batch)
    return;
  g_array_unref (batch->items);
  pmt_arena_free (batch->arena);
  g_free (batch);
}

void
pmt_weight_batch_add (PmtWeightBatch *batch, const PmtWeightSpan *span, PmtWeightLayout layout, PmtPacked *packed, float *plain)
{
  const int64_t row = row_values (span->rank, span->dim), rows = span->rank > 0 ? span->dim[0] : 1;
  const int64_t band = packed->kernels ? packed->kernels->columns : MAX (PLAIN_VALUES / MAX (row, 1), 1);
  const Item item = { *span, layout, packed, plain, row, band, batch->tasks };
  g_assert (pmt_weight_batch_room (packed->kernels, span->rank, span->dim) <= batch->each);
  g_array_append_val (batch->items, item);
  batch->tasks += (size_t) ((rows + band - 1) / band);
  batch->values += (size_t) (row * rows);
}

size_t
pmt_weight_batch_values (const PmtWeightBatch *batch)
{
  return batch->values;
}

static void
run_item (const Item *item, int64_t task, float *room)
{
  const int64_t first = task * item->rows, all = item->span.rank > 0 ? item->span.dim[0] : 1, rows = MIN (item->rows, all - first);
  float *panel = room + item->row;
  if (!item->packed->kernels) {
    pmt_weight_span_rows (&item->span, item->layout, first, rows, room, item->plain + first * item->row);
    return;
  }
  pmt_weight_span_rows (&item->span, item->layout, first, rows, room, panel);
  pmt_packed_fill_panel (item->packed, task, panel);
}

static void
run_tasks (void *user, size_t begin, size_t end)
{
  const PmtWeightBatch *batch = user;
  float *room = batch->room + (size_t) pmt_threads_index () * batch->each;
  guint i = 0, after = batch->items->len; /* the item that `begin` is in lies in [i, after) */
  while (after - i > 1) {
    const guint middle = (i + after) / 2;
    if (g_array_index (batch->items, Item, middle).before <= begin)
      i = middle;
    else
      after = middle;
  }
  for (size_t task = begin; task < end; task++) {
    while (i + 1 < batch->items->len && g_array_index (batch->items, Item, i + 1).before <= task)
      i++;
    const Item *item = &g_array_index (batch->items, Item, i);
    run_item (item, (int64_t) (task - item->before), room);
  }
}

bool
pmt_weight_batch_run (PmtWeightBatch *batch, const PmtCancel *cancel)
{
  const bool done = pmt_parallel_for (cancel, batch->tasks, 1, run_tasks, batch);
  g_array_set_size (batch->items, 0);
  batch->tasks = batch->values = 0;
  return done;
}
