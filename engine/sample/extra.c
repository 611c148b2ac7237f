/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/sample/extra.h"

#include <glib/gstdio.h>
#include <string.h>

#include "engine/sample/runner.h"

struct PmtExtra {
  const PmtExtraClass *class;
  PmtUnetChoice unet;
  char *path;
  GStatBuf status; /* what the file looked like when it was opened */
  void *data;
  bool loaded;
  unsigned round;  /* the last one that used it */
};

struct PmtExtras {
  GPtrArray *list; /* of PmtExtra */
  unsigned round;
};

static void
extra_free (gpointer data)
{
  PmtExtra *extra = data;
  extra->class->free (extra->data);
  g_free (extra->path);
  g_free (extra);
}

PmtExtras *
pmt_extras_new (void)
{
  PmtExtras *extras = g_new0 (PmtExtras, 1);
  extras->list = g_ptr_array_new_with_free_func (extra_free);
  return extras;
}

void
pmt_extras_free (PmtExtras *extras)
{
  if (!extras)
    return;
  g_ptr_array_unref (extras->list);
  g_free (extras);
}

static bool
unchanged (const GStatBuf *a, const GStatBuf *b)
{
  return a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
         a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

PmtExtra *
pmt_extras_get (PmtExtras *extras, PmtModel *model, PmtUnetChoice unet, const PmtExtraClass *class, const char *path, GError **error)
{
  unet = pmt_model_unet_chosen (model, unet);
  GStatBuf now = { 0 };
  g_stat (path, &now); /* what cannot be looked at, open() refuses with the reason */
  for (guint i = 0; i < extras->list->len; i++) {
    PmtExtra *extra = extras->list->pdata[i];
    if (extra->class != class || extra->unet != unet || strcmp (extra->path, path) != 0)
      continue;
    if (extra->round == extras->round || unchanged (&extra->status, &now)) {
      extra->round = extras->round;
      return extra;
    }
    g_ptr_array_remove_index (extras->list, i);
    break;
  }
  void *data = class->open (model, unet, path, error);
  if (!data)
    return NULL;
  PmtExtra *extra = g_new0 (PmtExtra, 1);
  *extra = (PmtExtra) { .class = class, .unet = unet, .path = g_strdup (path), .status = now, .data = data, .round = extras->round };
  g_ptr_array_add (extras->list, extra);
  return extra;
}

void *
pmt_extra_data (const PmtExtra *extra)
{
  return extra->data;
}

size_t
pmt_extra_bytes (const PmtExtra *extra)
{
  return extra->class->bytes (extra->data);
}

bool
pmt_extra_loaded (const PmtExtra *extra)
{
  return extra->loaded;
}

gboolean
pmt_extra_load (PmtExtra *extra, const PmtCancel *cancel, GError **error)
{
  if (!extra->loaded)
    extra->loaded = extra->class->load (extra->data, cancel, error);
  return extra->loaded;
}

void
pmt_extras_begin (PmtExtras *extras)
{
  extras->round++;
}

void
pmt_extras_sweep (PmtExtras *extras)
{
  for (guint i = extras->list->len; i-- > 0;)
    if (((PmtExtra *) extras->list->pdata[i])->round != extras->round)
      g_ptr_array_remove_index (extras->list, i);
}

size_t
pmt_extras_resident_bytes (const PmtExtras *extras)
{
  size_t bytes = 0;
  for (guint i = 0; i < extras->list->len; i++)
    bytes += pmt_extra_loaded (extras->list->pdata[i]) ? pmt_extra_bytes (extras->list->pdata[i]) : 0;
  return bytes;
}

void *
pmt_run_extra (PmtRun *run, const PmtExtraClass *class, const char *path, GError **error)
{
  PmtRunner *runner = (PmtRunner *) run;
  PmtExtra *extra = pmt_extras_get (pmt_model_extras (run->model), run->model, run->unet_choice, class, path, error);
  if (!extra)
    return NULL;
  if (!g_ptr_array_find (runner->extras, extra, NULL))
    g_ptr_array_add (runner->extras, extra);
  return pmt_extra_data (extra);
}
