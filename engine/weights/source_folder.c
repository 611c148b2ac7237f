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

/* What stands between `before` and `after` in a name; NULL when it is not of that form. Newly allocated. */
static char *
between (const char *name, const char *stem, const char *before, const char *after)
{
  size_t n = strlen (stem), m = strlen (before), length = strlen (name), tail = strlen (after);
  if (length <= n + m + tail || strncmp (name, stem, n) != 0 || strncmp (name + n, before, m) != 0 || !g_str_has_suffix (name, after))
    return NULL;
  return g_strndup (name + n + m, length - n - m - tail);
}

static gboolean
is_shard (const char *name, const char *stem)
{
  return g_str_has_prefix (name, stem) && strstr (name, "-of-") && g_str_has_suffix (name, ".safetensors");
}

/* "fp16" of "STEM.fp16.safetensors", or of an index of such a variant; NULL for other names. */
static char *
variant_of (const char *name, const char *stem)
{
  static const char *const forms[][2] = { { ".", ".safetensors.index.json" }, { ".safetensors.index.", ".json" },
                                          { ".safetensors.", ".index.json" }, { ".", ".safetensors" } };
  if (is_shard (name, stem))
    return NULL;
  for (guint i = 0; i < G_N_ELEMENTS (forms); i++) {
    char *variant = between (name, stem, forms[i][0], forms[i][1]);
    if (variant && !strchr (variant, '.'))
      return variant;
    g_free (variant);
  }
  return NULL;
}

typedef struct Listing {
  GPtrArray *variants;
  char *pickle; /* a pickled file's path */
  gboolean shards; /* parts of a split file */
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
                 missing ? _("There is no folder '%s'; the model is incomplete, download it again.")
                         : _("The folder '%s' cannot be read; check its permissions."),
                 folder);
    return FALSE;
  }
  while ((name = g_dir_read_name (dir))) {
    static const char *const pickles[] = { ".bin", ".ckpt", ".pt", ".pth" };
    char *variant = variant_of (name, stem);
    if (variant && !g_ptr_array_find_with_equal_func (listing->variants, variant, g_str_equal, NULL))
      g_ptr_array_add (listing->variants, g_steal_pointer (&variant));
    g_free (variant);
    listing->shards = listing->shards || is_shard (name, stem);
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
  if (listing->shards && !variant)
    g_set_error (error, PMT_ERROR, PMT_ERROR_NOT_FOUND,
                 _("Folder '%s' holds the parts of a split file without their index, '%s.safetensors.index.json'; download it too."), folder, stem);
  else if (listing->pickle)
    pmt_pickle_refuse (listing->pickle, error);
  else if (listing->variants->len > 1 && !variant)
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("Folder '%s' has %u variants of '%s' and neither a plain nor an fp16 one; keep the one you want."), folder,
                 listing->variants->len, stem);
  else
    g_set_error (error, PMT_ERROR, PMT_ERROR_NOT_FOUND, _("The file '%s%s%s.safetensors' is missing in folder '%s'; download it too."),
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
