/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <glib/gstdio.h>
#include <string.h>

#include "engine/job/job.h"

typedef struct Slot {
  char *path;
  PmtModel *model;
  char *stamp; /* what the files looked like when the model was opened */
} Slot;

struct PmtModelCache {
  Slot slot, refiner;
};

PmtModelCache *
pmt_model_cache_new (void)
{
  return g_new0 (PmtModelCache, 1);
}

static void
forget (Slot *slot)
{
  g_clear_pointer (&slot->model, pmt_model_unref);
  g_clear_pointer (&slot->path, g_free);
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
stamp_model (PmtModel *model)
{
  GString *stamp = g_string_new (NULL);

  stamp_path (stamp, pmt_model_path (model), 2);
  return g_string_free (stamp, FALSE);
}

static PmtModel *
get (Slot *slot, const char *path, GError **error)
{
  if (slot->model && strcmp (slot->path, path) == 0) {
    g_autofree char *now = stamp_model (slot->model);
    if (strcmp (now, slot->stamp) == 0)
      return pmt_model_ref (slot->model);
  }
  /* the old one goes first: two models may not fit */
  forget (slot);
  slot->model = pmt_model_open (path[0] ? path : NULL, error);
  if (!slot->model)
    return NULL;
  slot->path = g_strdup (path);
  slot->stamp = stamp_model (slot->model);
  return pmt_model_ref (slot->model);
}

PmtModel *
pmt_model_cache_get (PmtModelCache *cache, const char *path, GError **error)
{
  return get (&cache->slot, path ? path : "", error);
}

gboolean
pmt_model_cache_get_refiner (PmtModelCache *cache, const char *path, PmtModel **model, GError **error)
{
  *model = NULL;
  if (path[0])
    return (*model = get (&cache->refiner, path, error)) != NULL;
  forget (&cache->refiner);
  return TRUE;
}
