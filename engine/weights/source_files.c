/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Weights in safetensors files: one, several shards, or a part of a single-file checkpoint. */
#include "engine/weights/source_files.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/threads.h"
#include "engine/weights/safetensors_private.h"
#include "engine/weights/tensor_file.h"

typedef struct FileWeights {
  PmtWeights base;
  GPtrArray *owned;      /* PmtSafetensors; empty for a view */
  GPtrArray *files;      /* the same and the borrowed one */
  GHashTable *shards;    /* stored name -> PmtSafetensors, for sharded sets; NULL = look everywhere */
  char *prefix;          /* before every stored name; "" for folders */
  PmtSpelling spelling;
  char stored[2 * PMT_NAME_SIZE];
} FileWeights;

/* The tensor behind a canonical name; *file is where it is, *part what of it is meant. */
static const PmtSafetensor *
find (FileWeights *set, const char *name, const PmtSafetensors **file, PmtStoredPart *part)
{
  char candidates[PMT_NAME_SPELLINGS][PMT_NAME_SIZE];
  int n = pmt_spelling_candidates (&set->spelling, name, candidates);

  for (int i = 0; i < n; i++) {
    g_snprintf (set->stored, sizeof set->stored, "%s%s", set->prefix, candidates[i]);
    *part = pmt_spelling_part (&set->spelling, name, candidates[i]);
    if (set->shards) {
      *file = g_hash_table_lookup (set->shards, set->stored);
      if (*file)
        return pmt_safetensors_lookup (*file, set->stored);
      continue;
    }
    for (guint k = 0; k < set->files->len; k++) {
      *file = set->files->pdata[k];
      const PmtSafetensor *t = pmt_safetensors_lookup (*file, set->stored);
      if (t)
        return t;
    }
  }
  return NULL;
}

/* A part whose shape cannot be taken apart is shown as it is stored, so that the check of shapes refuses it. */
static gboolean
can_split (const PmtSafetensor *t)
{
  return t->rank > 0 && t->dim[0] % 3 == 0;
}

static gboolean
lookup (PmtWeights *weights, const char *name, PmtWeightInfo *info)
{
  const PmtSafetensors *file;
  PmtStoredPart part;
  const PmtSafetensor *t = find ((FileWeights *) weights, name, &file, &part);

  if (!t)
    return FALSE;
  *info = (PmtWeightInfo) { .dtype = t->dtype, .rank = t->rank, .file = pmt_safetensors_path (file), .stored = t->name };
  memcpy (info->dim, t->dim, sizeof info->dim);
  if (part.third >= 0 && can_split (t))
    info->dim[0] /= 3;
  if (part.transposed && t->rank == 2) {
    info->dim[0] = t->dim[1];
    info->dim[1] = t->dim[0];
  }
  return TRUE;
}

/* Values [begin, begin + count) of the transpose of `t`. */
static gboolean
read_transposed (const PmtSafetensors *file, const PmtSafetensor *t, uint64_t begin, uint64_t count, float *dst, GError **error)
{
  const uint64_t rows = (uint64_t) t->dim[1], columns = (uint64_t) t->dim[0]; /* of the result */
  float *all = malloc (MAX (t->count, 1) * sizeof *all);

  if (!all) {
    g_autofree char *name = g_strdup (t->name);
    pmt_tensor_table_tidy (name);
    g_set_error (error, PMT_ERROR, PMT_ERROR_MEMORY, _("Reading tensor '%s' needs %" PRIu64 " bytes more; close other programs."), name,
                 t->count * sizeof *all);
    return FALSE;
  }
  gboolean ok = pmt_safetensors_read_f32 (file, t, 0, t->count, all, error);
  for (uint64_t i = 0; ok && i < count; i++) {
    const uint64_t row = (begin + i) / columns, column = (begin + i) % columns;
    dst[i] = all[column * rows + row];
  }
  free (all);
  return ok;
}

/* Values of a type that reading cannot fail for. Threads share the waiting for pages of the file as well as the work. */
typedef struct Values {
  const PmtSafetensors *file;
  const PmtSafetensor *tensor;
  uint64_t begin;
  float *dst;
} Values;
enum { VALUES_GRAIN = 1 << 16 };

static void
read_part (void *user, size_t begin, size_t end)
{
  const Values *v = user;
  pmt_safetensors_read_f32 (v->file, v->tensor, v->begin + begin, end - begin, v->dst + begin, NULL);
}

static gboolean
read_values (PmtWeights *weights, const char *name, int rank, const int64_t *dim, uint64_t begin, uint64_t count, float *dst,
             GError **error)
{
  const PmtSafetensors *file;
  PmtStoredPart part;
  const PmtSafetensor *t = find ((FileWeights *) weights, name, &file, &part);

  (void) rank;
  (void) dim;
  g_return_val_if_fail (t != NULL, FALSE); /* pmt_weights_check came first */
  if (part.transposed && t->rank == 2)
    return read_transposed (file, t, begin, count, dst, error);
  if (part.third >= 0 && can_split (t))
    begin += t->count / 3 * (uint64_t) part.third;
  Values values = { file, t, begin, dst };
  if (!pmt_dtype_is_readable (t->dtype) || count < VALUES_GRAIN)
    return pmt_safetensors_read_f32 (file, t, begin, count, dst, error);
  pmt_parallel_for (NULL, count, VALUES_GRAIN, read_part, &values);
  return TRUE;
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static char **
names (PmtWeights *weights)
{
  FileWeights *set = (FileWeights *) weights;
  GPtrArray *found = g_ptr_array_new ();
  size_t skip = strlen (set->prefix);
  char canonical[PMT_NAME_SPELLINGS][PMT_NAME_SIZE];

  for (guint k = 0; k < set->files->len; k++) {
    const PmtSafetensors *file = set->files->pdata[k];
    for (guint i = 0; i < pmt_safetensors_count (file); i++) {
      const char *stored = pmt_safetensors_at (file, i)->name;
      if (!g_str_has_prefix (stored, set->prefix) || (set->shards && g_hash_table_lookup (set->shards, stored) != file))
        continue;
      int n = pmt_spelling_canonical (&set->spelling, stored + skip, canonical);
      for (int c = 0; c < n; c++)
        g_ptr_array_add (found, g_strdup (canonical[c]));
    }
  }
  g_ptr_array_sort (found, compare_names);
  g_ptr_array_add (found, NULL);
  return (char **) g_ptr_array_free (found, FALSE);
}

static void
drop_pages (PmtWeights *weights)
{
  FileWeights *set = (FileWeights *) weights;
  for (guint k = 0; k < set->files->len; k++)
    pmt_safetensors_drop_pages (set->files->pdata[k]);
}

static void
free_files (PmtWeights *weights)
{
  FileWeights *set = (FileWeights *) weights;
  g_clear_pointer (&set->shards, g_hash_table_unref);
  g_ptr_array_unref (set->files);
  g_ptr_array_unref (set->owned);
  g_free (set->prefix);
  g_free (set);
}

static gboolean
span (PmtWeights *weights, PmtWeightSpan *s)
{
  PmtStoredPart part;
  s->tensor = find ((FileWeights *) weights, s->name, &s->file, &part);
  g_return_val_if_fail (s->tensor != NULL, FALSE); /* pmt_weights_check came first */
  if (part.third >= 0 && can_split (s->tensor))
    s->begin = s->tensor->count / 3 * (uint64_t) part.third;
  return pmt_dtype_is_readable (s->tensor->dtype) && !(part.transposed && s->tensor->rank == 2);
}

static const PmtWeightsClass file_class = { lookup, read_values, names, drop_pages, free_files, span };

const GPtrArray *
pmt_weights_files (const PmtWeights *weights)
{
  return weights->class == &file_class ? ((const FileWeights *) weights)->files : NULL;
}

const char *
pmt_weights_prefix (const PmtWeights *weights)
{
  return weights->class == &file_class ? ((const FileWeights *) weights)->prefix : "";
}

static FileWeights *
new_set (const char *label, PmtNames spelled)
{
  FileWeights *set = g_new0 (FileWeights, 1);

  set->base.class = &file_class;
  set->base.label = g_strdup (label);
  set->owned = g_ptr_array_new_with_free_func ((GDestroyNotify) pmt_safetensors_free);
  set->files = g_ptr_array_new ();
  set->prefix = g_strdup ("");
  set->spelling.names = spelled;
  return set;
}

static PmtSafetensors *
add_file (FileWeights *set, const char *path, GError **error)
{
  PmtSafetensors *file = pmt_tensor_file_open (path, error);
  if (file) {
    g_ptr_array_add (set->owned, file);
    g_ptr_array_add (set->files, file);
  }
  return file;
}

PmtWeights *
pmt_weights_new_file (const char *path, PmtNames spelled, GError **error)
{
  FileWeights *set = new_set (path, spelled);
  if (add_file (set, path, error))
    return &set->base;
  pmt_weights_free (&set->base);
  return NULL;
}

PmtWeights *
pmt_weights_new_view (const PmtSafetensors *file, const char *prefix, const PmtSpelling *spelling)
{
  FileWeights *set = new_set (pmt_safetensors_path (file), spelling->names);

  g_ptr_array_add (set->files, (gpointer) file);
  g_free (set->prefix);
  set->prefix = g_strdup (prefix);
  set->spelling = *spelling;
  return &set->base;
}

void
pmt_weights_own_file (PmtWeights *weights, PmtSafetensors *file)
{
  g_ptr_array_add (((FileWeights *) weights)->owned, file);
}

PmtWeights *
pmt_weights_new_single_file (const PmtSafetensors *file, const char *prefix, PmtNames spelled, int layers_per_block, int levels)
{
  const PmtSpelling spelling = { spelled, TRUE, layers_per_block, levels };
  return pmt_weights_new_view (file, prefix, &spelling);
}

/* One entry of weight_map: shards are opened as they are met. */
static gboolean
add_mapped (FileWeights *set, const char *index, const char *folder, GHashTable *open, const char *tensor, JsonNode *node,
            GError **error)
{
  const char *shard = node && json_node_get_value_type (node) == G_TYPE_STRING ? json_node_get_string (node) : NULL;

  if (!shard || !*shard || strpbrk (shard, "/\\") || strstr (shard, "..")) {
    g_autofree char *named = g_strdup (shard ? shard : "(not a string)"), *of = g_strdup (tensor);
    pmt_tensor_table_tidy (named);
    pmt_tensor_table_tidy (of);
    g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT,
                 _("'%s' names '%s' as the file of tensor '%s', which is not a plain file name; get a fresh copy of the model."), index, named, of);
    return FALSE;
  }
  PmtSafetensors *file = g_hash_table_lookup (open, shard);
  if (!file) {
    g_autofree char *path = g_build_filename (folder, shard, NULL);
    if (!g_file_test (path, G_FILE_TEST_EXISTS)) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_NOT_FOUND, _("The file '%s', which '%s' names, is missing in folder '%s'; download it too."),
                   shard, index, folder);
      return FALSE;
    }
    file = add_file (set, path, error);
    if (!file)
      return FALSE;
    g_hash_table_insert (open, g_strdup (shard), file);
  }
  if (!pmt_safetensors_lookup (file, tensor)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT,
                 _("'%s' says that tensor '%s' is in '%s', but it is not; the files belong to different models."), index, tensor, shard);
    return FALSE;
  }
  g_hash_table_insert (set->shards, g_strdup (tensor), file);
  return TRUE;
}

PmtWeights *
pmt_weights_new_sharded (const char *index, PmtNames spelled, GError **error)
{
  g_autoptr (JsonObject) object = pmt_config_load (index, error);
  if (!object)
    return NULL;
  JsonNode *node = json_object_get_member (object, "weight_map");
  if (!node || !JSON_NODE_HOLDS_OBJECT (node) || json_object_get_size (json_node_get_object (node)) == 0) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT, _("'%s' has no weight_map that names the tensors' files; get a fresh copy of it."),
                 index);
    return NULL;
  }

  g_autofree char *folder = g_path_get_dirname (index);
  g_autoptr (GHashTable) open = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  FileWeights *set = new_set (index, spelled);
  set->shards = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  JsonObjectIter iter;
  const char *tensor;
  JsonNode *value;
  json_object_iter_init (&iter, json_node_get_object (node));
  while (json_object_iter_next (&iter, &tensor, &value)) {
    if (!add_mapped (set, index, folder, open, tensor, value, error)) {
      pmt_weights_free (&set->base);
      return NULL;
    }
  }
  return &set->base;
}
