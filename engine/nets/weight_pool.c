/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/nets/weight_pool.h"

#include <stdlib.h>
#include <string.h>

#include "engine/nets/weight_batch.h"

/* How much is read before the source's pages are given back: keeps the peak near the packed size and what these take in the file. */
#define BATCH_VALUES ((size_t) 32 << 20)

enum { INT8_LEAST = 64, INT8_LEAST_CHANNELS = 16 }; /* products and outputs; channels that a convolution reads */
enum { WINOGRAD_LEAST = 32 }; /* inputs */

typedef struct Entry {
  char *name;
  PmtWeightLayout layout;
  PmtShape torch_shape;
  PmtTensor tensor; /* shape in the layout's order; data NULL until loaded */
  bool product;
  PmtPacked packed; /* kernels NULL: not packed */
  bool is_conv;     /* of pmt_conv2d, with these parameters */
  PmtConv2dParams conv;
} Entry;

struct PmtWeightPool {
  const char *label;
  PmtPrecision precision;
  const PmtProductKernels *kernels; /* NULL: products read plain weights */
  GArray *entries;   /* Entry */
  GHashTable *index; /* name (owned by its entry) -> handle */
  size_t bytes;
  PmtArena *arena;
  const PmtOverlay *set[PMT_WEIGHT_SETS]; /* sets 1.. */
  PmtLowRank *low_rank; /* by handle - 1; NULL = there are none. A down without data: not this weight */
};

struct PmtOverlay {
  PmtArena *arena;
  int n;          /* handles of the pool */
  Entry *entries; /* [n + 1] by handle; tensor.data NULL where the pool's own is used; names belong to the pool */
};

/* Stands for values that a dry context never reads. */
static float no_values[16];

static size_t
entry_bytes (const Entry *entry)
{
  const PmtPacked *p = &entry->packed;
  const size_t bytes = p->kernels ? pmt_packed_size (p) : (size_t) pmt_shape_size (&entry->torch_shape) * sizeof (float);
  return (bytes + 63) & ~(size_t) 63;
}

static const Entry *
entry_at (const PmtWeightPool *pool, PmtWeightRef ref)
{
  g_assert (ref > 0 && ref <= (PmtWeightRef) pool->entries->len);
  return &g_array_index (pool->entries, Entry, ref - 1);
}

PmtWeightPool *
pmt_weight_pool_new (const char *label, PmtPrecision precision)
{
  PmtWeightPool *pool = g_new0 (PmtWeightPool, 1);
  pool->label = label;
  pool->precision = precision;
  pool->kernels = pmt_product_kernels_here (precision);
  g_assert (pool->kernels || precision == PMT_PRECISION_F32);
  pool->entries = g_array_new (FALSE, TRUE, sizeof (Entry));
  pool->index = g_hash_table_new (g_str_hash, g_str_equal);
  return pool;
}

PmtPrecision
pmt_weight_pool_precision (const PmtWeightPool *pool)
{
  return pool->precision;
}

void
pmt_weight_pool_free (PmtWeightPool *pool)
{
  if (!pool)
    return;
  pmt_arena_free (pool->arena);
  g_hash_table_unref (pool->index);
  for (guint i = 0; i < pool->entries->len; i++)
    g_free (g_array_index (pool->entries, Entry, i).name);
  g_array_unref (pool->entries);
  g_free (pool->low_rank);
  g_free (pool);
}

/* In int8 the products with few outputs or inputs (a UNet's first and last convolution) stay in bf16: they cost next to nothing, and what
 * they lose every step would see. channels: of what is read, before a window makes k of them. */
static PmtPacked
packed_for (const PmtWeightPool *pool, int64_t n, int64_t k, int64_t channels)
{
  const bool small = n < INT8_LEAST || k < INT8_LEAST || channels < INT8_LEAST_CHANNELS;
  const PmtPrecision precision = small ? pmt_precision_wide (pool->precision) : pool->precision;
  const PmtProductKernels *kernels = precision == pool->precision ? pool->kernels : pmt_product_kernels_here (precision);
  return (PmtPacked) { .kernels = kernels, .precision = precision, .n = n, .k = k };
}

/* Convolutions of a map made twice as large have a quarter of the products and a weight of the same size.
 * Else transforming a window pays from so many inputs on. A transformed weight takes 16/9 of the memory: of a map with few positions more time goes into
 * reading it than into products, and its layer is left as it is. */
static PmtPackedForm
conv_form (const PmtPacked *packed, PmtShape shape, PmtConv2dParams p)
{
  if (!packed->kernels || !packed->kernels->winograd || shape.dim[2] != 3 || shape.dim[3] != 3 || p.stride != 1 || p.pad_top > 2 || p.pad_left > 2)
    return PMT_PACKED_ROWS;
  if (p.twice)
    return p.pad_top == 1 && p.pad_left == 1 && p.pad_bottom == 1 && p.pad_right == 1 ? PMT_PACKED_TWICE : PMT_PACKED_ROWS;
  return shape.dim[1] >= WINOGRAD_LEAST && !p.few ? PMT_PACKED_SAME : PMT_PACKED_ROWS;
}

/* How it will lie in memory. */
static void
plan (PmtWeightPool *pool, Entry *entry)
{
  const PmtShape *shape = &entry->torch_shape;
  entry->packed = (PmtPacked) { 0 };
  if (entry->product && pool->kernels) {
    const int64_t n = shape->dim[0], k = pmt_shape_size (shape) / n;
    entry->packed = packed_for (pool, n, k, entry->torch_shape.dim[1]);
  }
  if (entry->is_conv)
    entry->packed.form = conv_form (&entry->packed, *shape, entry->conv);
  pool->bytes += entry_bytes (entry);
}

void
pmt_weight_pool_set_precision (PmtWeightPool *pool, PmtPrecision precision)
{
  g_assert (!pool->arena);
  pool->precision = precision;
  pool->kernels = pmt_product_kernels_here (precision);
  g_assert (pool->kernels || precision == PMT_PRECISION_F32);
  pool->bytes = 0;
  for (guint i = 0; i < pool->entries->len; i++)
    plan (pool, &g_array_index (pool->entries, Entry, i));
}

static PmtWeightRef
declare (PmtWeightPool *pool, const char *prefix, const char *name, PmtWeightLayout layout, PmtShape shape, bool product,
         const PmtConv2dParams *conv)
{
  Entry entry = { 0 };
  g_assert (!pool->arena);
  entry.name = prefix && *prefix ? g_strconcat (prefix, ".", name, NULL) : g_strdup (name);
  entry.layout = layout;
  entry.torch_shape = shape;
  entry.tensor.shape = shape;
  if (layout == PMT_LAYOUT_OHWI) {
    g_assert (shape.rank == 4);
    entry.tensor.shape = PMT_SHAPE4 (shape.dim[0], shape.dim[2], shape.dim[3], shape.dim[1]);
  }
  entry.product = product;
  entry.is_conv = conv != NULL;
  if (conv)
    entry.conv = *conv;
  plan (pool, &entry);
  g_array_append_val (pool->entries, entry);
  gboolean fresh = g_hash_table_insert (pool->index, entry.name, GINT_TO_POINTER (pool->entries->len));
  g_assert (fresh);
  return (PmtWeightRef) pool->entries->len;
}

PmtWeightRef
pmt_weight_pool_declare (PmtWeightPool *pool, const char *prefix, const char *name, PmtWeightLayout layout, PmtShape shape)
{
  return declare (pool, prefix, name, layout, shape, false, NULL);
}

PmtWeightRef
pmt_weight_pool_declare_product (PmtWeightPool *pool, const char *prefix, const char *name, PmtWeightLayout layout, PmtShape shape)
{
  return declare (pool, prefix, name, layout, shape, true, NULL);
}

PmtWeightRef
pmt_weight_pool_declare_conv (PmtWeightPool *pool, const char *prefix, const char *name, PmtShape shape, PmtConv2dParams params)
{
  return declare (pool, prefix, name, PMT_LAYOUT_OHWI, shape, true, &params);
}

/* Memory for one weight; what reads it is set up. */
static bool
entry_allocate (Entry *entry, PmtArena *arena, GError **error)
{
  entry->tensor.data = pmt_arena_alloc (arena, entry_bytes (entry), error);
  entry->packed.data = entry->tensor.data;
  return entry->tensor.data != NULL;
}

static void
entry_write (Entry *entry, const float *values)
{
  if (entry->packed.kernels)
    pmt_packed_fill (&entry->packed, values);
  else
    memcpy (entry->tensor.data, values, (size_t) pmt_shape_size (&entry->torch_shape) * sizeof (float));
}

/* As operations are given it. */
static PmtTensor
entry_tensor (const Entry *entry)
{
  PmtTensor tensor = entry->tensor;
  tensor.packed = entry->packed.kernels ? &entry->packed : NULL;
  return tensor;
}

/* A weight that cannot be read in pieces: as a whole, in an arena of its own where it is to be packed. */
static gboolean
load_whole (Entry *entry, PmtWeights *weights, GError **error)
{
  const size_t bytes = (size_t) pmt_shape_size (&entry->torch_shape) * sizeof (float);
  PmtArena *arena = entry->packed.kernels ? pmt_arena_new ("the weight that is being loaded", bytes + 64, error) : NULL;
  if (entry->packed.kernels && !arena)
    return FALSE;
  float *to = arena ? pmt_arena_alloc (arena, bytes, NULL) : entry->tensor.data;
  const gboolean good = pmt_weights_read_packed (weights, entry->name, entry->layout, entry->torch_shape.rank, entry->torch_shape.dim, to, error);
  if (good && arena)
    entry_write (entry, to);
  pmt_arena_free (arena);
  return good;
}

static gboolean
load_batch (const PmtWeightPool *pool, PmtWeightBatch *batch, PmtWeights *weights, const PmtCancel *cancel, GError **error)
{
  if (!pmt_weight_batch_run (batch, cancel)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_CANCELLED, _("Loading the %s was cancelled."), pool->label);
    return FALSE;
  }
  pmt_weights_drop_pages (weights);
  return TRUE;
}

static gboolean
load_all (PmtWeightPool *pool, PmtWeightBatch *batch, PmtWeights *weights, const PmtCancel *cancel, GError **error)
{
  for (guint i = 0; i < pool->entries->len; i++) {
    Entry *entry = &g_array_index (pool->entries, Entry, i);
    const PmtShape *shape = &entry->torch_shape;
    PmtWeightSpan span;
    if (!pmt_weights_check (weights, entry->name, shape->rank, shape->dim, error) || !entry_allocate (entry, pool->arena, error))
      return FALSE;
    if (pmt_weights_span (weights, entry->name, shape->rank, shape->dim, &span))
      pmt_weight_batch_add (batch, &span, entry->layout, &entry->packed, entry->tensor.data);
    else if (!load_whole (entry, weights, error))
      return FALSE;
    if (pmt_weight_batch_values (batch) >= BATCH_VALUES && !load_batch (pool, batch, weights, cancel, error))
      return FALSE;
  }
  return load_batch (pool, batch, weights, cancel, error);
}

gboolean
pmt_weight_pool_load (PmtWeightPool *pool, PmtWeights *weights, const PmtCancel *cancel, GError **error)
{
  size_t most = 0;
  g_assert (!pool->arena);
  for (guint i = 0; i < pool->entries->len; i++) {
    const Entry *entry = &g_array_index (pool->entries, Entry, i);
    most = MAX (most, pmt_weight_batch_room (entry->packed.kernels, entry->torch_shape.rank, entry->torch_shape.dim));
  }
  PmtWeightBatch *batch = pmt_weight_batch_new (most, error);
  pool->arena = batch ? pmt_arena_new (pool->label, pool->bytes + 64, error) : NULL;
  if (pool->arena)
    pmt_arena_expect_full (pool->arena);
  const gboolean good = pool->arena && load_all (pool, batch, weights, cancel, error);
  pmt_weight_batch_free (batch);
  if (!good)
    pmt_weight_pool_unload (pool);
  return good;
}

void
pmt_weight_pool_unload (PmtWeightPool *pool)
{
  g_clear_pointer (&pool->arena, pmt_arena_free);
  for (guint i = 0; i < pool->entries->len; i++) {
    Entry *entry = &g_array_index (pool->entries, Entry, i);
    entry->tensor.data = NULL;
    entry->packed.data = NULL;
  }
}

bool
pmt_weight_pool_loaded (const PmtWeightPool *pool)
{
  return pool->arena != NULL;
}

size_t
pmt_weight_pool_bytes (const PmtWeightPool *pool)
{
  return pool->bytes;
}

int64_t
pmt_weight_pool_values (const PmtWeightPool *pool)
{
  int64_t values = 0;
  for (guint i = 0; i < pool->entries->len; i++)
    values += pmt_shape_size (&g_array_index (pool->entries, Entry, i).torch_shape);
  return values;
}

int
pmt_weight_pool_count (const PmtWeightPool *pool)
{
  return (int) pool->entries->len;
}

const char *
pmt_weight_pool_name (const PmtWeightPool *pool, PmtWeightRef ref)
{
  return entry_at (pool, ref)->name;
}

PmtWeightRef
pmt_weight_pool_find (const PmtWeightPool *pool, const char *name)
{
  return GPOINTER_TO_INT (g_hash_table_lookup (pool->index, name));
}

PmtShape
pmt_weight_pool_shape (const PmtWeightPool *pool, PmtWeightRef ref, PmtWeightLayout *layout)
{
  if (layout)
    *layout = entry_at (pool, ref)->layout;
  return entry_at (pool, ref)->torch_shape;
}

void
pmt_weight_pool_read (const PmtWeightPool *pool, PmtWeightRef ref, float *values)
{
  const Entry *entry = entry_at (pool, ref);
  g_assert (entry->tensor.data);
  if (entry->packed.kernels)
    pmt_packed_read (&entry->packed, values);
  else
    memcpy (values, entry->tensor.data, (size_t) pmt_shape_size (&entry->torch_shape) * sizeof (float));
}

/* ---- weight sets -------------------------------------------------------------------------------------------------------- */

size_t
pmt_overlay_bytes (const PmtWeightPool *pool, const PmtWeightRef *refs, int n)
{
  size_t bytes = 0;
  for (int i = 0; i < n; i++)
    bytes += entry_bytes (entry_at (pool, refs[i]));
  return bytes;
}

PmtOverlay *
pmt_overlay_new (const PmtWeightPool *pool, const PmtWeightRef *refs, int n, GError **error)
{
  PmtArena *arena = pmt_arena_new ("changed weights", pmt_overlay_bytes (pool, refs, n) + 64, error);
  if (!arena)
    return NULL;
  PmtOverlay *overlay = g_new0 (PmtOverlay, 1);
  overlay->arena = arena;
  overlay->n = pmt_weight_pool_count (pool);
  overlay->entries = g_new0 (Entry, overlay->n + 1);
  for (int i = 0; i < n; i++) {
    Entry *entry = &overlay->entries[refs[i]];
    g_assert (!entry->tensor.data);
    *entry = *entry_at (pool, refs[i]);
    if (!entry_allocate (entry, arena, error)) {
      pmt_overlay_free (overlay);
      return NULL;
    }
  }
  return overlay;
}

void
pmt_overlay_free (PmtOverlay *overlay)
{
  if (!overlay)
    return;
  pmt_arena_free (overlay->arena);
  g_free (overlay->entries);
  g_free (overlay);
}

void
pmt_overlay_write (PmtOverlay *overlay, PmtWeightRef ref, const float *values)
{
  g_assert (ref > 0 && ref <= overlay->n && overlay->entries[ref].tensor.data);
  entry_write (&overlay->entries[ref], values);
}

void
pmt_weight_pool_use (PmtWeightPool *pool, int set, const PmtOverlay *overlay)
{
  g_assert (set > 0 && set <= PMT_WEIGHT_SETS && (!overlay || overlay->n == pmt_weight_pool_count (pool)));
  pool->set[set - 1] = overlay;
}

void
pmt_weight_pool_add_low_rank (PmtWeightPool *pool, PmtWeightRef ref, const PmtLowRank *low_rank)
{
  const Entry *entry = entry_at (pool, ref);
  g_assert (!low_rank || (low_rank->down.shape.dim[1] == entry->torch_shape.dim[1] && low_rank->up.shape.dim[0] == entry->torch_shape.dim[0]));
  if (!pool->low_rank)
    pool->low_rank = g_new0 (PmtLowRank, pool->entries->len);
  pool->low_rank[ref - 1] = low_rank ? *low_rank : (PmtLowRank) { 0 };
}

const PmtLowRank *
pmt_weight_low_rank (const PmtWeightPool *pool, PmtWeightRef ref)
{
  return pool->low_rank && pool->low_rank[ref - 1].down.data ? &pool->low_rank[ref - 1] : NULL;
}

PmtTensor
pmt_weight (PmtContext *ctx, const PmtWeightPool *pool, PmtWeightRef ref)
{
  if (ref == PMT_NO_WEIGHT)
    return PMT_NO_TENSOR;
  const PmtOverlay *overlay = ctx->weight_set > 0 ? pool->set[ctx->weight_set - 1] : NULL;
  if (overlay && overlay->entries[ref].tensor.data)
    return entry_tensor (&overlay->entries[ref]);
  PmtTensor tensor = entry_tensor (entry_at (pool, ref));
  if (!tensor.data) {
    if (!ctx->dry) {
      pmt_context_fail (ctx, PMT_ERROR_INTERNAL, "The %s was asked to compute before its weights were loaded; please report this.",
                        pool->label);
      return PMT_NO_TENSOR;
    }
    tensor.data = no_values;
  }
  return tensor;
}
