/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "engine/weights/library.h"
#include "engine/weights/model.h"

#define CHUNK (4 << 20)
#define SPARE (64 << 20) /* what a disk should have left */
#define DEEPEST 4

static const char *const places[][2] = {
  { "checkpoint", "checkpoints" }, { "diffusers-folder", "checkpoints" }, { "unet", "unet" },        { "vae", "vae" },
  { "taesd", "taesd" },            { "text-encoder", "text_encoders" },   { "lora", "loras" },       { "controlnet", "controlnet" },
  { "t2i-adapter", "controlnet" }, { "ip-adapter", "ipadapter" },         { "gligen", "gligen" },    { "embedding", "embeddings" },
  { "clip-vision", "clip_vision" }, { "hypernetwork", "hypernetworks" },
};

const char *
pmt_library_place (const char *kind)
{
  for (gsize i = 0; i < G_N_ELEMENTS (places); i++)
    if (strcmp (places[i][0], kind) == 0)
      return places[i][1];
  return NULL;
}

typedef struct Copy {
  const PmtLibraryImport *how;
  const char *target; /* for messages */
  gint64 done, of;
  char *chunk;
} Copy;

static gboolean
fail (GError **error, const char *path, int code)
{
  g_set_error (error, PMT_ERROR, PMT_ERROR_IO, _("The file '%s' cannot be copied (%s); check the folder and the disk."), path, g_strerror (code));
  return FALSE;
}

static gboolean
write_all (int out, const char *data, gssize size)
{
  while (size > 0) {
    gssize part = write (out, data, (size_t) size);
    if (part < 0 && errno == EINTR)
      continue;
    if (part <= 0)
      return FALSE;
    data += part;
    size -= part;
  }
  return TRUE;
}

static gboolean
pump (Copy *copy, int in, int out, const char *from, GError **error)
{
  gssize got;

  while ((got = read (in, copy->chunk, CHUNK)) != 0) {
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return fail (error, from, errno);
    if (!write_all (out, copy->chunk, got))
      return fail (error, copy->target, errno);
    copy->done += got;
    if (copy->how->progress)
      copy->how->progress (copy->how->user, copy->done, copy->of);
    if (pmt_cancelled (copy->how->cancel)) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_CANCELLED, _("The copy of '%s' was stopped; nothing of it is kept."), from);
      return FALSE;
    }
  }
  return TRUE;
}

static gboolean
copy_file (Copy *copy, const char *from, const char *to, GError **error)
{
  int in = g_open (from, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0), out; /* a pipe must not keep us waiting */
  struct stat info;
  gboolean good;

  if (in < 0)
    return fail (error, from, errno);
  if (fstat (in, &info) != 0 || !S_ISREG (info.st_mode)) {
    close (in);
    return fail (error, from, EINVAL);
  }
  out = g_open (to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (out < 0) {
    fail (error, to, errno);
    close (in);
    return FALSE;
  }
  good = pump (copy, in, out, from, error);
  close (in);
  if (close (out) != 0 && good)
    good = fail (error, to, errno);
  return good;
}

/* A file, or a folder with what is below it. Hidden files are not the model's. */
static gboolean
copy_tree (Copy *copy, const char *from, const char *to, int depth, GError **error)
{
  g_autoptr (GDir) dir = NULL;
  const char *name;

  if (!g_file_test (from, G_FILE_TEST_IS_DIR))
    return copy_file (copy, from, to, error);
  if (g_mkdir (to, 0755) != 0)
    return fail (error, to, errno);
  dir = g_dir_open (from, 0, NULL);
  while (dir && (name = g_dir_read_name (dir))) {
    g_autofree char *below = g_build_filename (from, name, NULL), *target = g_build_filename (to, name, NULL);
    if (name[0] == '.' || (g_file_test (below, G_FILE_TEST_IS_DIR) && depth == 0))
      continue;
    if (!copy_tree (copy, below, target, depth - 1, error))
      return FALSE;
  }
  return TRUE;
}

static void
remove_tree (const char *path)
{
  if (g_file_test (path, G_FILE_TEST_IS_DIR) && !g_file_test (path, G_FILE_TEST_IS_SYMLINK)) {
    g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
    const char *name;
    while (dir && (name = g_dir_read_name (dir))) {
      g_autofree char *below = g_build_filename (path, name, NULL);
      remove_tree (below);
    }
  }
  g_remove (path);
}

static gint64
size_of (const char *path, int depth)
{
  struct stat info;
  gint64 sum = 0;

  if (stat (path, &info) != 0)
    return 0;
  if (!S_ISDIR (info.st_mode))
    return info.st_size;
  g_autoptr (GDir) dir = depth >= 0 ? g_dir_open (path, 0, NULL) : NULL;
  const char *name;
  while (dir && (name = g_dir_read_name (dir))) {
    g_autofree char *below = g_build_filename (path, name, NULL);
    if (name[0] != '.')
      sum += size_of (below, depth - 1);
  }
  return sum;
}

static gboolean
check_space (const char *folder, gint64 bytes, GError **error)
{
  struct statvfs disk;
  guint64 free_bytes;

  if (statvfs (folder, &disk) != 0)
    return TRUE; /* then writing will tell */
  free_bytes = (guint64) disk.f_bavail * disk.f_frsize;
  if (free_bytes >= (guint64) bytes + SPARE)
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_IO, _("The disk of '%s' has %.1f GB free and %.1f GB are needed; make room, or link the file instead of copying it."),
               folder, (double) free_bytes / 1e9, (double) (bytes + SPARE) / 1e9);
  return FALSE;
}

static const char *
text_of (JsonObject *report, const char *member)
{
  return json_object_get_string_member_with_default (report, member, "");
}

/* Folder below our own where it goes; NULL + the reason why it cannot be used. */
static const char *
place_of (const char *path, JsonObject *report, GError **error)
{
  JsonArray *problems = json_object_get_array_member (report, "problems");
  const char *kind = text_of (report, "kind"), *place = pmt_library_place (kind);
  const char *dot = strrchr (path, '.');
  gboolean by_name = g_file_test (path, G_FILE_TEST_IS_DIR) || (dot && (g_ascii_strcasecmp (dot, ".safetensors") == 0 ||
                                                                       g_ascii_strcasecmp (dot, ".sft") == 0 || g_ascii_strcasecmp (dot, ".gguf") == 0));

  /* of a text or a picture nobody wants to know what its header would be */
  if (json_array_get_length (problems) > 0 && (by_name || strcmp (kind, "unknown") != 0)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED, "%s", json_array_get_string_element (problems, 0));
    return NULL;
  }
  if (!place)
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED, _("'%s' is no model that this version can use; choose a .safetensors or .gguf file, or a folder in diffusers layout."),
                 path);
  return place;
}

static gboolean
check_outside (const char *real, GError **error)
{
  g_autoptr (GPtrArray) folders = pmt_library_folders (error);

  for (guint i = 0; folders && i < folders->len; i++) {
    const PmtLibraryFolder *folder = folders->pdata[i];
    char *there = realpath (folder->path, NULL);
    gsize n = there ? strlen (there) : 0;
    gboolean inside = n > 0 && strncmp (real, there, n) == 0 && real[n] == '/';
    free (there);
    if (inside && folder->used) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("'%s' is in the folder '%s', where models are looked for already; there is nothing to do."), real,
                   folder->path);
      return FALSE;
    }
  }
  return folders != NULL;
}

/* NAME, or "NAME 2" where another file has that name. NULL + error when the same file is there. `path` is as it was given: what a link leads
 * to may have a name that says nothing, as in Hugging Face's cache. */
static char *
free_target (const char *folder, const char *path, gint64 bytes, GError **error)
{
  g_autofree char *plain = g_canonicalize_filename (path, NULL), *base = g_path_get_basename (plain);
  const char *dot = g_file_test (path, G_FILE_TEST_IS_DIR) ? NULL : strrchr (base, '.');
  g_autofree char *stem = dot ? g_strndup (base, (gsize) (dot - base)) : g_strdup (base);
  char *target = g_build_filename (folder, base, NULL);

  for (int n = 2; g_file_test (target, G_FILE_TEST_EXISTS) || g_file_test (target, G_FILE_TEST_IS_SYMLINK); n++) {
    g_autofree char *name = g_strdup_printf ("%s %d%s", stem, n, dot ? dot : "");
    if (size_of (target, DEEPEST) == bytes) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("A file of that name and size is there already, '%s'; remove it first if it is another one."), target);
      g_free (target);
      return NULL;
    }
    g_free (target);
    target = g_build_filename (folder, name, NULL);
  }
  return target;
}

static gboolean
put (const char *real, const char *target, gint64 bytes, const PmtLibraryImport *how, GError **error)
{
  g_autofree char *part = g_strconcat (target, ".part", NULL), *chunk = NULL;
  Copy copy = { how, target, 0, bytes, NULL };

  if (how->link) {
    if (symlink (real, target) == 0)
      return TRUE;
    g_set_error (error, PMT_ERROR, PMT_ERROR_IO, _("The link '%s' cannot be made (%s); copy the file instead."), target, g_strerror (errno));
    return FALSE;
  }
  copy.chunk = chunk = g_malloc (CHUNK);
  remove_tree (part);
  if (copy_tree (&copy, real, part, DEEPEST, error)) {
    if (g_rename (part, target) == 0)
      return TRUE;
    fail (error, target, errno);
  }
  remove_tree (part);
  return FALSE;
}

char *
pmt_library_import (const char *path, const PmtLibraryImport *how, JsonObject **told, GError **error)
{
  g_autoptr (JsonObject) report = pmt_model_files_inspect (path, error);
  const char *place = report ? place_of (path, report, error) : NULL;
  g_autofree char *own = pmt_library_own_folder (), *real = NULL, *folder = NULL;
  g_autofree char *target = NULL;
  char *resolved = place ? realpath (path, NULL) : NULL;
  gint64 bytes;

  if (!resolved)
    return NULL;
  real = g_strdup (resolved);
  free (resolved);
  if (!check_outside (real, error))
    return NULL;
  folder = g_build_filename (own, place, NULL);
  if (g_mkdir_with_parents (folder, 0755) != 0) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_IO, _("The folder '%s' cannot be made (%s); check who may write there."), folder, g_strerror (errno));
    return NULL;
  }
  bytes = size_of (real, DEEPEST);
  target = free_target (folder, path, bytes, error);
  if (!target || (!how->link && !check_space (folder, bytes, error)) || !put (real, target, bytes, how, error))
    return NULL;
  if (told)
    *told = g_steal_pointer (&report);
  return g_steal_pointer (&target);
}
