/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <glib/gstdio.h>
#include <string.h>

#include "engine/job/private.h"
#include "engine/weights/library.h"

typedef struct Slot {
  char *path, *unet, *vae;     /* as they were asked for; "" = bundled, the model's own */
  char *unet_path, *vae_path;  /* where the latter lie */
  PmtModel *model;
  char *stamp; /* what the files looked like when the model was opened */
} Slot;

struct PmtModelCache {
  Slot slot, refiner;
};

PmtModelCache *
pmt_model_cache_new (void)
{
  pmt_job_note_process ();
  return g_new0 (PmtModelCache, 1);
}

static void
forget (Slot *slot)
{
  g_clear_pointer (&slot->model, pmt_model_unref);
  g_clear_pointer (&slot->path, g_free);
  g_clear_pointer (&slot->unet, g_free);
  g_clear_pointer (&slot->vae, g_free);
  g_clear_pointer (&slot->unet_path, g_free);
  g_clear_pointer (&slot->vae_path, g_free);
  g_clear_pointer (&slot->stamp, g_free);
}

void
pmt_model_cache_free (PmtModelCache *cache)
{
  if (!cache)
    return;
  forget (&cache->slot);
  forget (&cache->refiner);
  g_free (cache);
}

/* Inode, size and time of the model's file, or of all files one and two levels down in its folder: a model that was replaced on
 * disk must not be answered from memory. */
static void
stamp_path (GString *stamp, const char *path, int levels)
{
  GStatBuf status;
  GDir *dir;
  const char *name;

  if (g_stat (path, &status) != 0)
    return;
  g_string_append_printf (stamp, "%llu:%lld:%lld.%09ld ", (unsigned long long) status.st_ino, (long long) status.st_size,
                          (long long) status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
  dir = levels > 0 && S_ISDIR (status.st_mode) ? g_dir_open (path, 0, NULL) : NULL;
  while (dir && (name = g_dir_read_name (dir))) {
    g_autofree char *child = g_build_filename (path, name, NULL);
    stamp_path (stamp, child, levels - 1);
  }
  if (dir)
    g_dir_close (dir);
}

static char *
stamp_slot (const Slot *slot)
{
  const char *const paths[] = { pmt_model_path (slot->model), slot->unet_path, slot->vae_path };
  GString *stamp = g_string_new (NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (paths); i++)
    stamp_path (stamp, paths[i], 2);
  return g_string_free (stamp, FALSE);
}

/* A name of the library becomes a path: names cannot be looked at for changes. Newly allocated; NULL + error. */
static char *
path_of (const char *part, GError **error)
{
  return pmt_library_is_name (part) ? pmt_library_find (part, error) : g_strdup (part);
}

static PmtModel *
get (Slot *slot, const char *path, const PmtModelParts *parts, GError **error)
{
  const char *unet = parts && parts->unet ? parts->unet : "", *vae = parts && parts->vae ? parts->vae : "";

  if (slot->model && strcmp (slot->path, path) == 0 && (!parts || (strcmp (slot->unet, unet) == 0 && strcmp (slot->vae, vae) == 0))) {
    g_autofree char *now = stamp_slot (slot);
    if (strcmp (now, slot->stamp) == 0) {
      pmt_model_settle (slot->model);
      return pmt_model_ref (slot->model);
    }
  }
  /* the old one goes first: two models may not fit */
  forget (slot);
  slot->unet_path = path_of (unet, error);
  slot->vae_path = slot->unet_path ? path_of (vae, error) : NULL;
  if (slot->vae_path)
    slot->model = pmt_model_open_with (path, &(PmtModelParts) { slot->unet_path, slot->vae_path }, error);
  if (!slot->model) {
    forget (slot);
    return NULL;
  }
  slot->path = g_strdup (path);
  slot->unet = g_strdup (unet);
  slot->vae = g_strdup (vae);
  slot->stamp = stamp_slot (slot);
  return pmt_model_ref (slot->model);
}

PmtModel *
pmt_model_cache_get (PmtModelCache *cache, const char *path, const PmtModelParts *parts, GError **error)
{
  return get (&cache->slot, path ? path : "", parts, error);
}

gboolean
pmt_model_cache_get_refiner (PmtModelCache *cache, const char *path, PmtModel **model, GError **error)
{
  *model = NULL;
  if (path[0])
    return (*model = get (&cache->refiner, path, NULL, error)) != NULL;
  forget (&cache->refiner);
  return TRUE;
}
