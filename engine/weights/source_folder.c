/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which of a component folder's files are its weights (formats.md 1.2). */
#include <string.h>

#include "engine/weights/pickle.h"
#include "engine/weights/source_files.h"

/* The path if such a file exists. */
static char *
existing (const char *folder, const char *format, ...) G_GNUC_PRINTF (2, 3);

static char *
existing (const char *folder, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *name = g_strdup_vprintf (format, args);
  va_end (args);
  char *path = g_build_filename (folder, name, NULL);
  if (g_file_test (path, G_FILE_TEST_IS_REGULAR))
    return path;
  g_free (path);
  return NULL;
}

/* One variant ("" = plain): its file, else its index. *is_index says which. */
static char *
find_variant (const char *folder, const char *stem, const char *variant, gboolean *is_index)
{
  char *path;

  *is_index = FALSE;
  if (!*variant) {
    path = existing (folder, "%s.safetensors", stem);
    if (!path) {
      *is_index = TRUE;
      path = existing (folder, "%s.safetensors.index.json", stem);
    }
    return path;
  }
  path = existing (folder, "%s.%s.safetensors", stem, variant);
  if (path)
    return path;
  /* diffusers has written the index's name in several ways */
  *is_index = TRUE;
  path = existing (folder, "%s.%s.safetensors.index.json", stem, variant);
  if (!path)
    path = existing (folder, "%s.safetensors.index.%s.json", stem, variant);
  if (!path)
    path = existing (folder, "%s.safetensors.%s.index.json", stem, variant);
  return path;
}

/* "fp16" of "STEM.fp16.safetensors"; NULL for other names. Shards are not variants. */
static char *
variant_of (const char *name, const char *stem)
{
  size_t n = strlen (stem), length = strlen (name), tail = strlen (".safetensors");
  if (length <= n + 1 + tail || strncmp (name, stem, n) != 0 || name[n] != '.' || !g_str_has_suffix (name, ".safetensors"))
    return NULL;
  return g_strndup (name + n + 1, length - n - 1 - tail);
}

typedef struct Listing {
  GPtrArray *variants;
  char *pickle; /* a pickled file's path */
} Listing;

static gboolean
list_folder (const char *folder, const char *stem, Listing *listing, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (GDir) dir = g_dir_open (folder, 0, &local);
  const char *name;

  listing->variants = g_ptr_array_new_with_free_func (g_free);
  if (!dir) {
    gboolean missing = g_error_matches (local, G_FILE_ERROR, G_FILE_ERROR_NOENT);
    g_set_error (error, PMT_ERROR, missing ? PMT_ERROR_NOT_FOUND : PMT_ERROR_IO,
                 missing ? "There is no folder '%s'; the model is incomplete, download it again."
                         : "The folder '%s' cannot be read; check its permissions.",
                 folder);
    return FALSE;
  }
  while ((name = g_dir_read_name (dir))) {
    static const char *const pickles[] = { ".bin", ".ckpt", ".pt", ".pth" };
    char *variant = variant_of (name, stem);
    if (variant)
      g_ptr_array_add (listing->variants, variant);
    for (guint i = 0; i < G_N_ELEMENTS (pickles) && !listing->pickle; i++)
      if (g_str_has_suffix (name, pickles[i]))
        listing->pickle = g_build_filename (folder, name, NULL);
  }
  return TRUE;
}

static void
listing_clear (Listing *listing)
{
  g_clear_pointer (&listing->variants, g_ptr_array_unref);
  g_clear_pointer (&listing->pickle, g_free);
}

static void
nothing_found (const Listing *listing, const char *folder, const char *stem, const char *variant, GError **error)
{
  if (listing->pickle)
    pmt_pickle_refuse (listing->pickle, error);
  else if (listing->variants->len > 1 && !variant)
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 "Folder '%s' has %u variants of '%s' and neither a plain nor an fp16 one; keep the one you want.", folder,
                 listing->variants->len, stem);
  else
    g_set_error (error, PMT_ERROR, PMT_ERROR_NOT_FOUND, "The file '%s%s%s.safetensors' is missing in folder '%s'; download it too.",
                 stem, variant ? "." : "", variant ? variant : "", folder);
}

PmtWeights *
pmt_weights_new_folder (const char *folder, const char *stem, const char *variant, PmtNames names, GError **error)
{
  Listing listing = { NULL };
  gboolean is_index = FALSE;
  g_autofree char *path = NULL;
  PmtWeights *weights = NULL;

  if (variant) {
    path = find_variant (folder, stem, variant, &is_index);
  } else {
    path = find_variant (folder, stem, "", &is_index);
    if (!path)
      path = find_variant (folder, stem, "fp16", &is_index);
  }
  if (!path) {
    if (!list_folder (folder, stem, &listing, error)) {
      listing_clear (&listing);
      return NULL;
    }
    if (!variant && listing.variants->len == 1)
      path = find_variant (folder, stem, listing.variants->pdata[0], &is_index);
  }
  if (!path)
    nothing_found (&listing, folder, stem, variant, error);
  else if (is_index)
    weights = pmt_weights_new_sharded (path, names, error);
  else
    weights = pmt_weights_new_file (path, names, error);
  listing_clear (&listing);
  return weights;
}
