/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/job/prompt-names.h"

#include <string.h>

#include "engine/weights/library.h"

#define DEEPEST 8
#define LONGEST_NAME 200

static const char *const ids[PMT_N_NAMES] = { "loras", "hypernetworks", "embeddings" };
/* What programs call the folder for each kind, below their folder of models. */
static const char *const places[PMT_N_NAMES][6] = { { "loras", "lora", "Lora", "LyCORIS" }, { "hypernetworks" }, { "embeddings", "embedding" } };

gboolean
pmt_names_parse (const char *id, PmtNameKind *kind)
{
  for (int i = 0; i < PMT_N_NAMES; i++)
    if (strcmp (id, ids[i]) == 0) {
      *kind = (PmtNameKind) i;
      return TRUE;
    }
  return FALSE;
}

/* Another program's folder may be one that was added too, or lead to it by a link. */
static void
add_folder (GPtrArray *all, char *path)
{
  for (guint i = 0; i < all->len; i++)
    if (strcmp (all->pdata[i], path) == 0 || pmt_library_same_file (all->pdata[i], path)) {
      g_free (path);
      return;
    }
  g_ptr_array_add (all, path);
}

char **
pmt_names_folders (PmtNameKind kind, char *const *first)
{
  g_autoptr (GPtrArray) folders = pmt_library_folders (NULL); /* a list that cannot be read is told by who lists it */
  GPtrArray *all = g_ptr_array_new ();

  for (; first && *first; first++)
    add_folder (all, g_strdup (*first));
  add_folder (all, g_build_filename (g_get_user_data_dir (), "pentimento", ids[kind], NULL));
  for (guint i = 0; folders && i < folders->len; i++) {
    const PmtLibraryFolder *folder = folders->pdata[i];
    g_autofree char *own = g_path_get_basename (folder->path); /* a folder of this kind alone may be on the list */
    for (const char *const *place = places[kind]; folder->used && *place; place++) {
      g_autofree char *path = strcmp (own, *place) == 0 ? g_strdup (folder->path) : g_build_filename (folder->path, *place, NULL);
      if (g_file_test (path, G_FILE_TEST_IS_DIR)) /* sentences name the folders that can be looked into */
        add_folder (all, g_steal_pointer (&path));
    }
  }
  g_ptr_array_add (all, NULL);
  return (char **) g_ptr_array_free (all, FALSE);
}

typedef struct Listing {
  GHashTable *seen; /* names, borrowed from the list */
  GPtrArray *names;
  int files; /* in this folder of the list */
} Listing;

static void
name_free (gpointer data)
{
  PmtName *name = data;

  g_free (name->name);
  g_free (name->path);
  g_free (name);
}

/* The part before the ending; NULL for what is no file of weights or cannot be said. */
static char *
name_of (const char *file)
{
  const char *dot = strrchr (file, '.');
  gsize length = dot ? (gsize) (dot - file) : 0;

  if (length == 0 || length > LONGEST_NAME || file[0] == '.' || !g_utf8_validate (file, -1, NULL) || strpbrk (file, "<>:\n\r") ||
      (g_ascii_strcasecmp (dot, ".safetensors") != 0 && g_ascii_strcasecmp (dot, ".sft") != 0 && g_ascii_strcasecmp (dot, ".gguf") != 0))
    return NULL;
  return g_strndup (file, length);
}

static void
list_folder (Listing *listing, const char *folder, int depth)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *file;

  while (dir && (file = g_dir_read_name (dir)) && listing->files++ < PMT_NAMES_MOST_FILES) {
    g_autofree char *path = g_build_filename (folder, file, NULL), *text = name_of (file);
    if (text && g_utf8_validate (path, -1, NULL) && !g_hash_table_contains (listing->seen, text)) {
      PmtName *name = g_new (PmtName, 1);
      *name = (PmtName) { g_steal_pointer (&text), g_steal_pointer (&path) };
      g_ptr_array_add (listing->names, name);
      g_hash_table_add (listing->seen, name->name);
    } else if (!text && depth < DEEPEST && g_file_test (path, G_FILE_TEST_IS_DIR) && !g_file_test (path, G_FILE_TEST_IS_SYMLINK)) {
      list_folder (listing, path, depth + 1);
    }
  }
}

static int
compare (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(const PmtName *const *) a)->name, (*(const PmtName *const *) b)->name);
}

GPtrArray *
pmt_names_list (PmtNameKind kind, guint most)
{
  g_auto (GStrv) folders = pmt_names_folders (kind, NULL);
  Listing listing = { g_hash_table_new (g_str_hash, g_str_equal), g_ptr_array_new_with_free_func (name_free), 0 };

  for (char **folder = folders; *folder; folder++) {
    listing.files = 0; /* a large one leaves the others their share */
    list_folder (&listing, *folder, 0);
  }
  g_hash_table_unref (listing.seen);
  g_ptr_array_sort (listing.names, compare);
  if (listing.names->len > most)
    g_ptr_array_set_size (listing.names, (int) most);
  return listing.names;
}
