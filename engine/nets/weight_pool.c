/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/nets/weight_pool.h"

/* How much is read before the source's pages are given back: keeps the peak near packed size + this. */
#define DROP_EVERY ((size_t) 256 << 20)

typedef struct Entry {
  char *name;
  PmtWeightLayout layout;
  PmtShape torch_shape;
  PmtTensor tensor; /* packed shape; data NULL until loaded */
} Entry;

struct PmtWeightPool {
  const char *label;
  GArray *entries;   /* Entry */
  GHashTable *index; /* name (owned by its entry) -> handle */
  size_t bytes;
  PmtArena *arena;
  const PmtOverlay *set[PMT_WEIGHT_SETS]; /* sets 1.. */
};

struct PmtOverlay {
  PmtArena *arena;
  int n;             /* handles of the pool */
  PmtTensor *tensor; /* [n + 1] by handle; data NULL where the pool's own is used */
};

/* Stands for values that a dry context never reads. */
static float no_values[16];

static size_t
padded_bytes (const PmtShape *shape)
{
  return ((size_t) pmt_shape_size (shape) * sizeof (float) + 63) & ~(size_t) 63;
}

PmtWeightPool *
pmt_weight_pool_new (const char *label)
{
  PmtWeightPool *pool = g_new0 (PmtWeightPool, 1);
  pool->label = label;
  pool->entries = g_array_new (FALSE, TRUE, sizeof (Entry));
  pool->index = g_hash_table_new (g_str_hash, g_str_equal);
  return pool;
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
  g_free (pool);
}

PmtWeightRef
pmt_weight_pool_declare (PmtWeightPool *pool, const char *prefix, const char *name, PmtWeightLayout layout, PmtShape shape)
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
  pool->bytes += padded_bytes (&shape);
  g_array_append_val (pool->entries, entry);
  gboolean fresh = g_hash_table_insert (pool->index, entry.name, GINT_TO_POINTER (pool->entries->len));
  g_assert (fresh);
  return (PmtWeightRef) pool->entries->len;
}

gboolean
pmt_weight_pool_load (PmtWeightPool *pool, PmtWeights *weights, const PmtCancel *cancel, GError **error)
{
  size_t since_drop = 0;
  g_assert (!pool->arena);
  pool->arena = pmt_arena_new (pool->label, pool->bytes + 64, error);
  if (!pool->arena)
    return FALSE;
  for (guint i = 0; i < pool->entries->len; i++) {
    Entry *entry = &g_array_index (pool->entries, Entry, i);
    size_t bytes = padded_bytes (&entry->torch_shape);
    if (pmt_cancelled (cancel)) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_CANCELLED, "Loading the %s was cancelled.", pool->label);
      return FALSE;
    }
    entry->tensor.data = pmt_arena_alloc (pool->arena, bytes, error);
    if (!entry->tensor.data)
      return FALSE;
    if (!pmt_weights_read_packed (weights, entry->name, entry->layout, entry->torch_shape.rank, entry->torch_shape.dim,
                                  entry->tensor.data, error))
      return FALSE;
    since_drop += bytes;
    if (since_drop >= DROP_EVERY) {
      pmt_weights_drop_pages (weights);
      since_drop = 0;
    }
  }
  pmt_weights_drop_pages (weights);
  return TRUE;
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

int
pmt_weight_pool_count (const PmtWeightPool *pool)
{
  return (int) pool->entries->len;
}

const char *
pmt_weight_pool_name (const PmtWeightPool *pool, PmtWeightRef ref)
{
  g_assert (ref > 0 && ref <= (PmtWeightRef) pool->entries->len);
  return g_array_index (pool->entries, Entry, ref - 1).name;
}

PmtWeightRef
pmt_weight_pool_find (const PmtWeightPool *pool, const char *name)
{
  return GPOINTER_TO_INT (g_hash_table_lookup (pool->index, name));
}

PmtShape
pmt_weight_pool_shape (const PmtWeightPool *pool, PmtWeightRef ref, PmtWeightLayout *layout)
{
  g_assert (ref > 0 && ref <= (PmtWeightRef) pool->entries->len);
  const Entry *entry = &g_array_index (pool->entries, Entry, ref - 1);
  if (layout)
    *layout = entry->layout;
  return entry->torch_shape;
}

PmtTensor
pmt_weight_pool_tensor (const PmtWeightPool *pool, PmtWeightRef ref)
{
  g_assert (ref > 0 && ref <= (PmtWeightRef) pool->entries->len);
  return g_array_index (pool->entries, Entry, ref - 1).tensor;
}

/* Weight sets */

size_t
pmt_overlay_bytes (const PmtWeightPool *pool, const PmtWeightRef *refs, int n)
{
  size_t bytes = 0;
  for (int i = 0; i < n; i++) {
    PmtShape shape = pmt_weight_pool_shape (pool, refs[i], NULL);
    bytes += padded_bytes (&shape);
  }
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
  overlay->tensor = g_new0 (PmtTensor, overlay->n + 1);
  for (int i = 0; i < n; i++) {
    PmtTensor tensor = pmt_weight_pool_tensor (pool, refs[i]);
    g_assert (!overlay->tensor[refs[i]].data);
    tensor.data = pmt_arena_alloc (arena, padded_bytes (&tensor.shape), error);
    if (!tensor.data) {
      pmt_overlay_free (overlay);
      return NULL;
    }
    overlay->tensor[refs[i]] = tensor;
  }
  return overlay;
}

void
pmt_overlay_free (PmtOverlay *overlay)
{
  if (!overlay)
    return;
  pmt_arena_free (overlay->arena);
  g_free (overlay->tensor);
  g_free (overlay);
}

PmtTensor
pmt_overlay_tensor (const PmtOverlay *overlay, PmtWeightRef ref)
{
  return ref > 0 && ref <= overlay->n && overlay->tensor[ref].data ? overlay->tensor[ref] : PMT_NO_TENSOR;
}

void
pmt_weight_pool_use (PmtWeightPool *pool, int set, const PmtOverlay *overlay)
{
  g_assert (set > 0 && set <= PMT_WEIGHT_SETS && (!overlay || overlay->n == pmt_weight_pool_count (pool)));
  pool->set[set - 1] = overlay;
}

PmtTensor
pmt_weight (PmtContext *ctx, const PmtWeightPool *pool, PmtWeightRef ref)
{
  if (ref == PMT_NO_WEIGHT)
    return PMT_NO_TENSOR;
  g_assert (ref > 0 && ref <= (PmtWeightRef) pool->entries->len);
  PmtTensor tensor = g_array_index (pool->entries, Entry, ref - 1).tensor;
  const PmtOverlay *overlay = ctx->weight_set > 0 ? pool->set[ctx->weight_set - 1] : NULL;
  if (overlay && overlay->tensor[ref].data)
    return overlay->tensor[ref];
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
