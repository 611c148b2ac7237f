/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What lies in the library's folders, and the file that a name means. */
#include <string.h>
#include <sys/stat.h>

#include "engine/weights/library.h"

#define DEEPEST 8

typedef struct Walk {
  const PmtLibraryFolder *folder;
  GHashTable *seen; /* folders, by device and inode: links may lead in circles */
  int entries, most; /* of this folder of the list */
  const PmtLibraryFolder *cut;
  gboolean stopped;
  PmtLibraryVisit *visit;
  gpointer user;
} Walk;

static gboolean
has_ending (const char *name, const char *const *endings)
{
  for (; *endings; endings++) {
    gsize n = strlen (name), k = strlen (*endings);
    if (n > k && g_ascii_strcasecmp (name + n - k, *endings) == 0)
      return TRUE;
  }
  return FALSE;
}

static const char *const readable[] = { ".safetensors", ".sft", ".gguf", NULL };
static const char *const pickles[] = { ".ckpt", ".pt", ".pth", ".bin", NULL };

static int
by_name (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

static GPtrArray *
names_in (const char *path)
{
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name (dir)))
    if (name[0] != '.')
      g_ptr_array_add (names, g_strdup (name));
  g_ptr_array_sort (names, by_name);
  return names;
}

static gint64
changed_at (const struct stat *info)
{
  return (gint64) info->st_mtim.tv_sec * 1000000000 + info->st_mtim.tv_nsec;
}

/* Of a model's folder: all that says whether it is still the same. */
static void
sum_up (const char *path, int depth, gint64 *bytes, gint64 *changed)
{
  g_autoptr (GPtrArray) names = names_in (path);

  for (guint i = 0; i < names->len; i++) {
    g_autofree char *child = g_build_filename (path, names->pdata[i], NULL);
    struct stat info;
    if (stat (child, &info) != 0)
      continue;
    *changed = MAX (*changed, changed_at (&info));
    if (S_ISDIR (info.st_mode) && depth > 0)
      sum_up (child, depth - 1, bytes, changed);
    else if (S_ISREG (info.st_mode))
      *bytes += info.st_size;
  }
}

/* A model in diffusers layout, or one of its networks by itself. */
static gboolean
is_model_folder (GPtrArray *names)
{
  gboolean config = FALSE, weights = FALSE;

  for (guint i = 0; i < names->len; i++) {
    const char *name = names->pdata[i];
    if (strcmp (name, "model_index.json") == 0)
      return TRUE;
    config |= strcmp (name, "config.json") == 0;
    weights |= g_str_has_prefix (name, "diffusion_pytorch_model.") || g_str_has_prefix (name, "model.safetensors") ||
               g_str_has_prefix (name, "model.fp16.safetensors");
  }
  return config && weights;
}

static void
tell (Walk *walk, const char *path, const struct stat *info, gboolean is_folder)
{
  PmtLibraryFile file = { .folder = walk->folder, .path = path, .is_folder = is_folder, .bytes = info->st_size, .changed = changed_at (info) };

  file.name = path + strlen (walk->folder->path);
  while (*file.name == '/')
    file.name++;
  if (is_folder) {
    file.bytes = 0;
    sum_up (path, 2, &file.bytes, &file.changed);
  }
  walk->stopped = !walk->visit (&file, walk->user);
}

static void
walk_folder (Walk *walk, const char *path, int depth)
{
  g_autoptr (GPtrArray) names = NULL;
  struct stat info;
  char *key;

  if (stat (path, &info) != 0)
    return;
  key = g_strdup_printf ("%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT, (guint64) info.st_dev, (guint64) info.st_ino);
  if (!g_hash_table_add (walk->seen, key))
    return;
  names = names_in (path);
  if (depth > 0 && is_model_folder (names)) {
    tell (walk, path, &info, TRUE);
    return;
  }
  for (guint i = 0; i < names->len && !walk->stopped; i++) {
    if (walk->entries++ >= walk->most) {
      walk->cut = walk->cut ? walk->cut : walk->folder;
      return;
    }
    g_autofree char *child = g_build_filename (path, names->pdata[i], NULL);
    if (stat (child, &info) != 0)
      continue;
    if (S_ISDIR (info.st_mode)) {
      if (depth < DEEPEST)
        walk_folder (walk, child, depth + 1);
    } else if (S_ISREG (info.st_mode) && (has_ending (child, readable) || has_ending (child, pickles)))
      tell (walk, child, &info, FALSE);
  }
}

const PmtLibraryFolder *
pmt_library_walk_most (GPtrArray *folders, int most, PmtLibraryVisit *visit, gpointer user)
{
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  Walk walk = { .seen = seen, .most = most, .visit = visit, .user = user };

  for (guint i = 0; i < folders->len && !walk.stopped; i++) {
    walk.folder = folders->pdata[i];
    walk.entries = 0; /* a large one leaves the others their share */
    if (walk.folder->used)
      walk_folder (&walk, walk.folder->path, 0);
  }
  return walk.cut;
}

const PmtLibraryFolder *
pmt_library_walk (GPtrArray *folders, PmtLibraryVisit *visit, gpointer user)
{
  return pmt_library_walk_most (folders, PMT_LIBRARY_MOST_ENTRIES, visit, user);
}

/* ---- names ---- */

typedef struct Find {
  const char *name;
  GPtrArray *paths, *pickled;
} Find;

static char *
without_ending (const char *name)
{
  const char *dot = strrchr (name, '.');

  return dot && (has_ending (name, readable) || has_ending (name, pickles)) ? g_strndup (name, (gsize) (dot - name)) : g_strdup (name);
}

gboolean
pmt_library_same_file (const char *a, const char *b)
{
  struct stat one, other;

  return stat (a, &one) == 0 && stat (b, &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

static gboolean
on_file (const PmtLibraryFile *file, gpointer user)
{
  Find *find = user;
  g_autofree char *base = g_path_get_basename (file->path), *stem = without_ending (base), *below = without_ending (file->name);
  GPtrArray *list = !file->is_folder && has_ending (file->path, pickles) ? find->pickled : find->paths;

  if (strcmp (find->name, base) != 0 && strcmp (find->name, stem) != 0 && strcmp (find->name, file->name) != 0 && strcmp (find->name, below) != 0)
    return TRUE;
  for (guint i = 0; i < list->len; i++)
    if (pmt_library_same_file (list->pdata[i], file->path))
      return TRUE;
  g_ptr_array_add (list, g_strdup (file->path));
  return TRUE;
}

char *
pmt_library_find (const char *name, GError **error)
{
  g_autoptr (GPtrArray) folders = pmt_library_folders (error);
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free), pickled = g_ptr_array_new_with_free_func (g_free);
  Find find = { name, paths, pickled };
  GPtrArray *list;

  if (!folders)
    return NULL;
  pmt_library_walk (folders, on_file, &find);
  list = paths->len ? paths : pickled; /* a pickle is refused with how to convert it */
  if (list->len == 1)
    return g_strdup (list->pdata[0]);
  if (list->len == 0)
    g_set_error (error, PMT_ERROR, PMT_ERROR_NOT_FOUND,
                 _("There is nothing at '%s', neither here nor in the folders of models; 'pentimento-engine models' lists what is there."), name);
  else
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The name '%s' fits more than one file, '%s' and '%s'; give the path of the one that is meant."), name,
                 (char *) list->pdata[0], (char *) list->pdata[1]);
  return NULL;
}

gboolean
pmt_library_is_name (const char *text)
{
  return text && *text && !strchr (text, '/') && !g_file_test (text, G_FILE_TEST_EXISTS);
}
