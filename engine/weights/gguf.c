/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/weights/gguf.h"

#include <string.h>

#include "engine/weights/quant.h"
#include "engine/weights/safetensors_private.h"

#define MAX_TENSORS PMT_SAFETENSORS_MAX_TENSORS
#define MAX_PAIRS 65536
#define MAX_KEY 65535
#define MAX_NAME 1024
#define MAX_KEPT_VALUE 65536 /* longer strings are skipped: nothing here reads them */
#define MAX_ALIGNMENT 65536
#define MAX_DEPTH 4
#define SHAPE_KEY "comfy.gguf.orig_shape."

enum { TYPE_STRING = 8, TYPE_ARRAY = 9, TYPE_UINT32 = 4, TYPE_INT32 = 5, N_TYPES = 13 };

/* Bytes of a value by its type; strings and arrays say it themselves. */
static const uint8_t type_bytes[N_TYPES] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 };

typedef struct Shape {
  int rank;
  int64_t dim[PMT_SAFETENSORS_MAX_RANK];
} Shape;

typedef struct Reader {
  PmtSafetensors *file;
  size_t at;
  uint64_t alignment;
  GHashTable *keys;   /* seen so far (owned by the strings) */
  GHashTable *shapes; /* tensor name -> Shape: what it was before it was flattened */
  GError **error;
} Reader;

static gboolean refuse (Reader *r, const char *format, ...) G_GNUC_PRINTF (2, 3);

static gboolean
refuse (Reader *r, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *why = g_strdup_vprintf (format, args);
  va_end (args);
  pmt_tensor_table_tidy (why);
  g_set_error (r->error, PMT_ERROR, PMT_ERROR_FORMAT, _("'%s' is not a sound GGUF file: %s; get a fresh copy of it."), r->file->path, why);
  return FALSE;
}

/* ---- primitives ------------------------------------------------------------------------------------------------------- */

static gboolean
skip (Reader *r, uint64_t bytes)
{
  if (bytes > r->file->size - r->at)
    return refuse (r, "it ends in the middle of its header and is cut short");
  r->at += (size_t) bytes;
  return TRUE;
}

static gboolean
take (Reader *r, void *value, size_t bytes)
{
  const uint8_t *from = r->file->bytes + r->at;
  if (!skip (r, bytes))
    return FALSE;
  memcpy (value, from, bytes);
  return TRUE;
}

/* A string that is kept; `what` names it in messages. */
static gboolean
take_string (Reader *r, const char *what, uint64_t max, const char **value)
{
  uint64_t length;

  if (!take (r, &length, sizeof length))
    return FALSE;
  if (length > max)
    return refuse (r, "%s is %" G_GUINT64_FORMAT " bytes long", what, length);
  const char *text = (const char *) r->file->bytes + r->at;
  if (!skip (r, length))
    return FALSE;
  if (!g_utf8_validate_len (text, (gsize) length, NULL))
    return refuse (r, "%s is not valid UTF-8", what);
  *value = g_string_chunk_insert_len (r->file->header.strings, text, (gssize) length);
  return TRUE;
}

/* ---- key-value pairs --------------------------------------------------------------------------------------------------- */

static gboolean skip_value (Reader *r, uint32_t type, int depth);

static gboolean
skip_array (Reader *r, int depth)
{
  uint32_t type;
  uint64_t count, bytes;

  if (!take (r, &type, sizeof type) || !take (r, &count, sizeof count))
    return FALSE;
  if (type >= N_TYPES || depth >= MAX_DEPTH)
    return refuse (r, type >= N_TYPES ? "a list in its header has values of an unknown type" : "lists in its header are nested too deeply");
  if (type_bytes[type] > 0) {
    if (!g_uint64_checked_mul (&bytes, count, type_bytes[type]))
      return refuse (r, "a list in its header has more values than 64 bits can count");
    return skip (r, bytes);
  }
  /* each takes at least eight bytes, so that the count cannot run away */
  if (count > (r->file->size - r->at) / 8)
    return refuse (r, "it ends in the middle of its header and is cut short");
  for (uint64_t i = 0; i < count; i++)
    if (!skip_value (r, type, depth + 1))
      return FALSE;
  return TRUE;
}

static gboolean
skip_value (Reader *r, uint32_t type, int depth)
{
  uint64_t length;

  if (type == TYPE_ARRAY)
    return skip_array (r, depth);
  if (type == TYPE_STRING)
    return take (r, &length, sizeof length) && skip (r, length);
  return skip (r, type_bytes[type]);
}

/* "comfy.gguf.orig_shape.NAME": the shape of tensor NAME, outermost first. Other forms of value are left to skip_value. */
static gboolean
take_shape (Reader *r, const char *key, gboolean *taken)
{
  uint32_t type;
  uint64_t count;

  *taken = FALSE;
  if (r->file->size - r->at < 12)
    return TRUE;
  memcpy (&type, r->file->bytes + r->at, 4);
  memcpy (&count, r->file->bytes + r->at + 4, 8);
  if ((type != TYPE_INT32 && type != TYPE_UINT32) || count == 0 || count > PMT_SAFETENSORS_MAX_RANK)
    return TRUE;
  Shape *shape = g_new0 (Shape, 1);
  gboolean ok = skip (r, 12);
  for (uint64_t i = 0; ok && i < count; i++) {
    uint32_t extent;
    ok = take (r, &extent, sizeof extent);
    if (ok)
      shape->dim[shape->rank++] = extent;
  }
  g_hash_table_insert (r->shapes, (gpointer) (key + strlen (SHAPE_KEY)), shape);
  *taken = TRUE;
  return ok;
}

static gboolean
take_alignment (Reader *r, uint32_t type)
{
  uint32_t value;

  if (type != TYPE_UINT32)
    return refuse (r, "its alignment is not a whole number");
  if (!take (r, &value, sizeof value))
    return FALSE;
  if (value < 8 || value > MAX_ALIGNMENT || (value & (value - 1)) != 0)
    return refuse (r, "its alignment is %u, not a power of two from 8 to %d", value, MAX_ALIGNMENT);
  r->alignment = value;
  return TRUE;
}

/* Text values that are short enough are kept as metadata. */
static gboolean
take_text (Reader *r, const char *key)
{
  uint64_t length;
  PmtHeaderPair pair = { key, NULL };

  if (!take (r, &length, sizeof length))
    return FALSE;
  const char *text = (const char *) r->file->bytes + r->at;
  if (!skip (r, length))
    return FALSE;
  if (length > MAX_KEPT_VALUE || !g_utf8_validate_len (text, (gsize) length, NULL))
    return TRUE;
  pair.value = g_string_chunk_insert_len (r->file->header.strings, text, (gssize) length);
  g_array_append_val (r->file->header.metadata, pair);
  return TRUE;
}

static gboolean
take_pair (Reader *r)
{
  const char *key;
  uint32_t type;
  gboolean taken;

  if (!take_string (r, "a key", MAX_KEY, &key) || !take (r, &type, sizeof type))
    return FALSE;
  if (!g_hash_table_add (r->keys, (gpointer) key))
    return refuse (r, "the key '%s' occurs twice", key);
  if (type >= N_TYPES)
    return refuse (r, "the value of '%s' has an unknown type", key);
  if (strcmp (key, "general.alignment") == 0)
    return take_alignment (r, type);
  if (type == TYPE_ARRAY && g_str_has_prefix (key, SHAPE_KEY)) {
    if (!take_shape (r, key, &taken))
      return FALSE;
    if (taken)
      return TRUE;
  }
  return type == TYPE_STRING ? take_text (r, key) : skip_value (r, type, 0);
}

/* ---- tensors ---------------------------------------------------------------------------------------------------------- */

/* Dimensions come innermost first; offsets stay relative to the data. */
static gboolean
take_tensor (Reader *r, PmtSafetensor *t)
{
  uint32_t rank, number;
  uint64_t dim[PMT_SAFETENSORS_MAX_RANK], count = 1, bytes, offset;
  gboolean fits = TRUE, empty = FALSE;

  if (!take_string (r, "the name of a tensor", MAX_NAME, &t->name) || !take (r, &rank, sizeof rank))
    return FALSE;
  if (!*t->name)
    return refuse (r, "a tensor has no name");
  if (rank > PMT_SAFETENSORS_MAX_RANK)
    return refuse (r, "tensor '%s' has %u dimensions", t->name, rank);
  for (uint32_t i = 0; i < rank; i++) {
    if (!take (r, &dim[i], sizeof dim[i]))
      return FALSE;
    if (dim[i] > G_MAXINT64)
      return refuse (r, "a dimension of tensor '%s' is larger than 63 bits", t->name);
    empty = empty || dim[i] == 0;
    t->dim[rank - 1 - i] = (int64_t) dim[i];
  }
  if (!take (r, &number, sizeof number) || !take (r, &offset, sizeof offset))
    return FALSE;
  const PmtGgmlType *type = pmt_ggml_type (number);
  if (!type)
    return refuse (r, "tensor '%s' has the number format %u, which is unknown", t->name, number);
  if (empty)
    count = 0;
  for (uint32_t i = 0; i < rank && count > 0; i++)
    fits = fits && g_uint64_checked_mul (&count, count, dim[i]);
  if ((rank > 0 ? dim[0] : 1) % (uint64_t) type->block != 0)
    return refuse (r, "rows of tensor '%s' do not fill whole blocks of %d values", t->name, type->block);
  fits = fits && g_uint64_checked_mul (&bytes, count / (uint64_t) type->block, (uint64_t) type->bytes);
  if (!fits)
    return refuse (r, "the shape of tensor '%s' has more elements than 64 bits can count", t->name);
  if (offset % r->alignment != 0)
    return refuse (r, "tensor '%s' does not begin at a multiple of %" G_GUINT64_FORMAT " bytes", t->name, r->alignment);
  t->dtype = type->dtype;
  t->dtype_name = type->name;
  t->rank = (int) rank;
  t->count = count;
  t->bytes = bytes;
  t->offset = offset;
  return TRUE;
}

/* Restores the shape that the tensor had before it was flattened. */
static gboolean
restore_shape (Reader *r, PmtSafetensor *t)
{
  const Shape *shape = g_hash_table_lookup (r->shapes, t->name);
  uint64_t count = 1;
  gboolean fits = TRUE;

  if (!shape)
    return TRUE;
  for (int i = 0; i < shape->rank && fits; i++)
    fits = g_uint64_checked_mul (&count, count, (uint64_t) shape->dim[i]);
  if (!fits || count != t->count)
    return refuse (r, "the shape noted for tensor '%s' does not have as many values as the tensor", t->name);
  t->rank = shape->rank;
  memcpy (t->dim, shape->dim, sizeof t->dim);
  return TRUE;
}

static gboolean
place_tensors (Reader *r)
{
  PmtSafetensors *file = r->file;
  const uint64_t start = (r->at + r->alignment - 1) / r->alignment * r->alignment;
  const uint64_t room = file->size > start ? file->size - start : 0;
  uint64_t at = 0;

  file->header_size = r->at;
  pmt_tensor_table_sort (file);
  for (guint i = 0; i < file->n_tensors; i++) {
    PmtSafetensor *t = &file->tensors[i];
    if (t->offset > room || t->bytes > room - t->offset)
      return refuse (r, "tensor '%s' ends after the end of the file, which is cut short", t->name);
    if (t->offset < at)
      return refuse (r, "tensors '%s' and '%s' overlap", t[-1].name, t->name);
    if (t->offset - at >= r->alignment)
      return refuse (r, "%" G_GUINT64_FORMAT " bytes before tensor '%s' belong to no tensor", t->offset - at, t->name);
    at = t->offset + t->bytes;
    t->offset = MIN (start + t->offset, file->size); /* an empty one may stand behind the end's padding */
    t->data = file->bytes + t->offset;
    if (!restore_shape (r, t))
      return FALSE;
  }
  pmt_tensor_table_sort_names (file);
  for (guint i = 1; i < file->n_tensors; i++)
    if (strcmp (file->tensors[file->by_name[i - 1]].name, file->tensors[file->by_name[i]].name) == 0)
      return refuse (r, "tensor '%s' occurs twice", file->tensors[file->by_name[i]].name);
  return TRUE;
}

/* ---- the whole file --------------------------------------------------------------------------------------------------- */

static gboolean
read_all (Reader *r)
{
  char magic[4];
  uint32_t version;
  uint64_t n_tensors, n_pairs;

  if (!take (r, magic, 4) || !take (r, &version, sizeof version))
    return FALSE;
  if (memcmp (magic, "GGUF", 4) != 0)
    return refuse (r, "it does not begin with 'GGUF'");
  if (version < 2 || version > 3)
    return refuse (r, "it is of version %u, and only 2 and 3 are known", version);
  if (!take (r, &n_tensors, sizeof n_tensors) || !take (r, &n_pairs, sizeof n_pairs))
    return FALSE;
  if (n_tensors > MAX_TENSORS || n_pairs > MAX_PAIRS)
    return refuse (r, "it would hold %" G_GUINT64_FORMAT " %s", n_tensors > MAX_TENSORS ? n_tensors : n_pairs,
                   n_tensors > MAX_TENSORS ? "tensors" : "keys");
  for (uint64_t i = 0; i < n_pairs; i++)
    if (!take_pair (r))
      return FALSE;
  /* a tensor's entry takes 24 bytes or more: a file without them is refused before the table is made */
  if (n_tensors > (r->file->size - r->at) / 24)
    return refuse (r, "it ends in the middle of its header and is cut short");
  r->file->n_tensors = (guint) n_tensors;
  r->file->tensors = g_new0 (PmtSafetensor, n_tensors);
  r->file->by_name = g_new (guint, n_tensors);
  for (uint64_t i = 0; i < n_tensors; i++)
    if (!take_tensor (r, &r->file->tensors[i]))
      return FALSE;
  return place_tensors (r);
}

/* Takes ownership of `file`, whose bytes are set. */
static PmtSafetensors *
read_file (PmtSafetensors *file, GError **error)
{
  Reader r = { .file = file, .alignment = 32, .error = error };

  file->header.strings = g_string_chunk_new (4096);
  file->header.metadata = g_array_new (FALSE, FALSE, sizeof (PmtHeaderPair));
  r.keys = g_hash_table_new (g_str_hash, g_str_equal);
  r.shapes = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
  gboolean ok = read_all (&r);
  g_hash_table_unref (r.keys);
  g_hash_table_unref (r.shapes);
  if (ok)
    return file;
  pmt_safetensors_free (file);
  return NULL;
}

PmtSafetensors *
pmt_gguf_open_memory (const void *bytes, size_t size, const char *label, GError **error)
{
  PmtSafetensors *file = g_new0 (PmtSafetensors, 1);

  file->path = g_strdup (label);
  file->bytes = bytes;
  file->size = size;
  return read_file (file, error);
}

PmtSafetensors *
pmt_gguf_open (const char *path, GError **error)
{
  PmtSafetensors *file = g_new0 (PmtSafetensors, 1);

  file->path = g_strdup (path);
  if (!pmt_tensor_table_map (file, error)) {
    pmt_safetensors_free (file);
    return NULL;
  }
  return read_file (file, error);
}
