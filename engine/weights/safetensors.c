/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/weights/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/weights/quant.h"
#include "engine/weights/safetensors_private.h"

static gboolean
refuse (const PmtSafetensors *file, GError **error, const char *format, ...) G_GNUC_PRINTF (3, 4);

void
pmt_tensor_table_tidy (char *text)
{
  const size_t limit = 400;

  for (char *c = text; *c; c++)
    if ((unsigned char) *c < 0x20 || *c == 0x7f)
      *c = '?';
  if (strlen (text) > limit) {
    char *end = g_utf8_find_prev_char (text, text + limit);
    strcpy (end ? end : text, "..."); /* NULL: no character begins there */
  }
}

/* The middle of the sentence comes from `format`. */
static gboolean
refuse (const PmtSafetensors *file, GError **error, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *why = g_strdup_vprintf (format, args);
  va_end (args);
  pmt_tensor_table_tidy (why);
  g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT, _("'%s' is not a sound safetensors file: %s; get a fresh copy of it."), file->path,
               why);
  return FALSE;
}

static gboolean
refuse_short (const PmtSafetensors *file, const char *at_least, uint64_t missing, GError **error)
{
  g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT,
               _("'%s' is cut short: %s%" PRIu64 " bytes are missing at its end, as when a download has broken off; get a fresh copy "
                 "of it."),
               file->path, at_least, missing);
  return FALSE;
}

/* Downloads that went wrong often leave something else under the right name. */
static const char *
looks_like (const uint8_t *bytes, size_t size)
{
  static const struct {
    const char *start, *what;
  } known[] = {
    { "version https://git-lfs", N_("it is a Git LFS pointer, not the file itself") },
    { "<!DOCTYPE", N_("it is a web page") },
    { "<html", N_("it is a web page") },
    { "PK\003\004", N_("it is a zip archive, most likely a pickled checkpoint") },
    { "GGUF", N_("it is a GGUF file") },
    { "\211PNG", N_("it is a picture") },
    { "\377\330\377", N_("it is a picture") },
    { "gimp xcf", N_("it is a picture") },
  };
  for (size_t i = 0; i < G_N_ELEMENTS (known); i++) {
    size_t n = strlen (known[i].start);
    if (size >= n && memcmp (bytes, known[i].start, n) == 0)
      return known[i].what;
  }
  /* as a number, eight letters are more than any header has bytes */
  size_t letters = 0;
  while (letters < MIN (size, 8) && (g_ascii_isprint (bytes[letters]) || g_ascii_isspace (bytes[letters])))
    letters++;
  return letters == 8 ? N_("it is text") : NULL;
}

static gboolean
check_frame (PmtSafetensors *file, GError **error)
{
  uint64_t header_size;

  if (file->size < 8)
    return refuse (file, error, _("it has only %zu bytes"), file->size);
  const char *what = looks_like (file->bytes, file->size);
  if (what)
    return refuse (file, error, "%s", _(what));
  memcpy (&header_size, file->bytes, 8);
  if (header_size > PMT_SAFETENSORS_MAX_HEADER)
    return refuse (file, error, _("its header would be %" PRIu64 " bytes long, more than the format allows"), header_size);
  if (header_size > file->size - 8)
    return refuse_short (file, _("at least "), header_size - (file->size - 8), error);
  if (header_size < 2 || file->bytes[8] != '{')
    return refuse (file, error, _("its header does not begin with '{'"));
  file->header_offset = 8;
  file->header_size = header_size;
  return TRUE;
}

/* Fills `t` from an entry; offsets are still relative to the data. */
static gboolean
check_entry (const PmtSafetensors *file, const PmtHeaderEntry *entry, PmtSafetensor *t, GError **error)
{
  uint64_t count = 1, bytes = 0;
  gboolean fits = TRUE;

  *t = (PmtSafetensor) { .name = entry->name,
                         .dtype = pmt_dtype_from_name (entry->dtype),
                         .dtype_name = entry->dtype,
                         .rank = entry->rank };
  memcpy (t->dim, entry->dim, sizeof t->dim);
  /* Zeros first: a tensor with an empty dimension is empty however large the others are. */
  for (int i = 0; i < t->rank; i++)
    if (t->dim[i] == 0)
      count = 0;
  for (int i = 0; i < t->rank && count > 0; i++)
    fits = fits && g_uint64_checked_mul (&count, count, (uint64_t) t->dim[i]);
  fits = fits && g_uint64_checked_mul (&bytes, count, pmt_dtype_size (t->dtype));
  if (!fits)
    return refuse (file, error, _("the shape of tensor '%s' has more elements than 64 bits can count"), t->name);
  if (entry->end < entry->begin)
    return refuse (file, error, _("tensor '%s' ends before it begins"), t->name);
  if (t->dtype != PMT_DTYPE_OTHER && entry->end - entry->begin != bytes)
    return refuse (file, error,
                   _("tensor '%s' takes %" PRIu64 " bytes where its shape and dtype need %" PRIu64), t->name,
                   entry->end - entry->begin, bytes);
  t->count = count;
  t->bytes = entry->end - entry->begin;
  t->offset = entry->begin;
  return TRUE;
}

static int
compare_offsets (const void *a, const void *b)
{
  const PmtSafetensor *x = a, *y = b;
  if (x->offset != y->offset)
    return x->offset < y->offset ? -1 : 1;
  if (x->bytes != y->bytes) /* empty tensors stand before the one that begins at the same place */
    return x->bytes < y->bytes ? -1 : 1;
  return strcmp (x->name, y->name);
}

static int
compare_names (const void *a, const void *b, void *tensors)
{
  const PmtSafetensor *t = tensors;
  return strcmp (t[*(const guint *) a].name, t[*(const guint *) b].name);
}

void
pmt_tensor_table_sort (PmtSafetensors *file)
{
  if (file->n_tensors > 0)
    qsort (file->tensors, file->n_tensors, sizeof *file->tensors, compare_offsets);
}

void
pmt_tensor_table_sort_names (PmtSafetensors *file)
{
  for (guint i = 0; i < file->n_tensors; i++)
    file->by_name[i] = i;
  g_qsort_with_data (file->by_name, (gint) file->n_tensors, sizeof (guint), compare_names, file->tensors);
}

static gboolean
check_tensors (PmtSafetensors *file, GError **error)
{
  const GArray *entries = file->header.entries;
  uint64_t data_size = file->size - 8 - file->header_size, needed = 0, at = 0;

  file->n_tensors = entries->len;
  file->tensors = g_new (PmtSafetensor, entries->len);
  file->by_name = g_new (guint, entries->len);
  for (guint i = 0; i < entries->len; i++) {
    const PmtHeaderEntry *entry = &g_array_index (entries, PmtHeaderEntry, i);
    if (!check_entry (file, entry, &file->tensors[i], error))
      return FALSE;
    needed = MAX (needed, entry->end);
  }
  if (needed > data_size)
    return refuse_short (file, "", needed - data_size, error);
  pmt_tensor_table_sort (file);
  for (guint i = 0; i < entries->len; i++) {
    PmtSafetensor *t = &file->tensors[i];
    if (t->offset < at)
      return refuse (file, error, _("tensors '%s' and '%s' overlap"), t[-1].name, t->name);
    if (t->offset > at)
      return refuse (file, error, _("%" PRIu64 " bytes before tensor '%s' belong to no tensor"), t->offset - at, t->name);
    at = t->offset + t->bytes;
    t->offset += 8 + file->header_size;
    t->data = file->bytes + t->offset;
  }
  if (at < data_size)
    return refuse (file, error, _("%" PRIu64 " bytes at its end belong to no tensor"), data_size - at);
  pmt_tensor_table_sort_names (file);
  return TRUE;
}

/* Takes ownership of `file`, whose bytes are set. */
static PmtSafetensors *
check_all (PmtSafetensors *file, GError **error)
{
  char *why = NULL;

  if (!check_frame (file, error))
    goto fail;
  if (!pmt_header_parse (&file->header, (const char *) file->bytes + 8, file->header_size, &why)) {
    refuse (file, error, "%s", why);
    g_free (why);
    goto fail;
  }
  if (!check_tensors (file, error))
    goto fail;
  return file;

fail:
  pmt_safetensors_free (file);
  return NULL;
}

PmtSafetensors *
pmt_safetensors_open_memory (const void *bytes, size_t size, const char *label, GError **error)
{
  PmtSafetensors *file = g_new0 (PmtSafetensors, 1);

  file->path = g_strdup (label);
  file->bytes = bytes;
  file->size = size;
  return check_all (file, error);
}

gboolean
pmt_tensor_table_map (PmtSafetensors *file, GError **error)
{
  struct stat st;
  int fd = open (file->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* a pipe must not keep us waiting */

  if (fd < 0 || fstat (fd, &st) != 0) {
    int code = errno;
    if (fd >= 0)
      close (fd);
    g_set_error (error, PMT_ERROR, code == ENOENT ? PMT_ERROR_NOT_FOUND : PMT_ERROR_IO,
                 _("The file '%s' cannot be opened (%s); check the path and its permissions."), file->path, g_strerror (code));
    return FALSE;
  }
  if (!S_ISREG (st.st_mode)) {
    close (fd);
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("'%s' is not a regular file; give a .safetensors file."), file->path);
    return FALSE;
  }
  file->size = (size_t) st.st_size;
  if (file->size > 0) {
    void *map = mmap (NULL, file->size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) {
      int code = errno;
      close (fd);
      g_set_error (error, PMT_ERROR, code == ENOMEM ? PMT_ERROR_MEMORY : PMT_ERROR_IO,
                   _("The file '%s' (%zu bytes) cannot be mapped into memory (%s); close other programs and try again."),
                   file->path, file->size, g_strerror (code));
      return FALSE;
    }
    file->bytes = map;
    file->mapped = TRUE;
  }
  close (fd);
  return TRUE;
}

PmtSafetensors *
pmt_safetensors_open (const char *path, GError **error)
{
  PmtSafetensors *file = g_new0 (PmtSafetensors, 1);

  file->path = g_strdup (path);
  if (!pmt_tensor_table_map (file, error)) {
    pmt_safetensors_free (file);
    return NULL;
  }
  return check_all (file, error);
}

void
pmt_safetensors_free (PmtSafetensors *file)
{
  if (!file)
    return;
  if (file->mapped)
    munmap ((void *) file->bytes, file->size);
  pmt_header_clear (&file->header);
  g_free (file->tensors);
  g_free (file->by_name);
  g_free (file->path);
  g_free (file);
}

const char *
pmt_safetensors_path (const PmtSafetensors *file)
{
  return file->path;
}

uint64_t
pmt_safetensors_size (const PmtSafetensors *file)
{
  return file->size;
}

const char *
pmt_safetensors_header (const PmtSafetensors *file, size_t *length)
{
  *length = file->header_size;
  return (const char *) file->bytes + file->header_offset;
}

guint
pmt_safetensors_count (const PmtSafetensors *file)
{
  return file->n_tensors;
}

const PmtSafetensor *
pmt_safetensors_at (const PmtSafetensors *file, guint index)
{
  g_return_val_if_fail (index < file->n_tensors, NULL);
  return &file->tensors[index];
}

const PmtSafetensor *
pmt_safetensors_lookup (const PmtSafetensors *file, const char *name)
{
  guint low = 0, high = file->n_tensors;

  while (low < high) {
    guint middle = low + (high - low) / 2;
    const PmtSafetensor *t = &file->tensors[file->by_name[middle]];
    int order = strcmp (name, t->name);
    if (order == 0)
      return t;
    if (order < 0)
      high = middle;
    else
      low = middle + 1;
  }
  return NULL;
}

const char *
pmt_safetensors_metadata (const PmtSafetensors *file, const char *key)
{
  for (guint i = 0; i < file->header.metadata->len; i++) {
    const PmtHeaderPair *pair = &g_array_index (file->header.metadata, PmtHeaderPair, i);
    if (strcmp (pair->key, key) == 0)
      return pair->value;
  }
  return NULL;
}

gboolean
pmt_safetensors_read_f32 (const PmtSafetensors *file, const PmtSafetensor *tensor, uint64_t begin, uint64_t count, float *dst,
                          GError **error)
{
  g_return_val_if_fail (begin <= tensor->count && count <= tensor->count - begin, FALSE);
  if (pmt_quant_is (tensor->dtype)) {
    pmt_quant_to_f32 (tensor->dtype, tensor->data, begin, count, dst);
    return TRUE;
  }
  if (!pmt_dtype_is_readable (tensor->dtype)) {
    g_autofree char *name = g_strdup (tensor->name), *dtype = g_strdup (tensor->dtype_name);
    pmt_tensor_table_tidy (name);
    pmt_tensor_table_tidy (dtype);
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                 _("'%s' cannot be used: its tensor '%s' is stored as %s, which is not supported; convert the file to F16 or F32."), file->path,
                 name, dtype);
    return FALSE;
  }
  const uint8_t *src = tensor->data;
  pmt_dtype_to_f32 (tensor->dtype, src + begin * pmt_dtype_size (tensor->dtype), count, dst);
  return TRUE;
}

void
pmt_safetensors_drop_pages (const PmtSafetensors *file)
{
  if (file->mapped)
    madvise ((void *) file->bytes, file->size, MADV_DONTNEED);
}
