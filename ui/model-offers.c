/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ui/model-offers.h"

#include <string.h>

typedef struct Offer {
  char *kind, *path, *label;
} Offer;

typedef struct Watcher {
  void (*changed) (gpointer user);
  gpointer user;
} Watcher;

static GPtrArray *offers; /* Offer, by label; for the life of the process */
static GSList *watchers;
static guint idle;

static gboolean
on_idle (gpointer unused)
{
  idle = 0;
  for (GSList *link = watchers, *next; link; link = next) {
    Watcher *watcher = link->data;
    next = link->next;
    watcher->changed (watcher->user);
  }
  return G_SOURCE_REMOVE;
}

void
pmt_model_offers_add (const char *kind, const char *path, const char *label)
{
  Offer *offer;
  guint at = 0;

  if (!offers)
    offers = g_ptr_array_new ();
  for (guint i = 0; i < offers->len; i++)
    if (strcmp (((Offer *) offers->pdata[i])->path, path) == 0)
      return;
  while (at < offers->len && g_utf8_collate (((Offer *) offers->pdata[at])->label, label) <= 0)
    at++;
  offer = g_new (Offer, 1);
  *offer = (Offer) { g_strdup (kind), g_strdup (path), g_strdup (label) };
  g_ptr_array_insert (offers, (int) at, offer);
  if (!idle)
    idle = g_idle_add (on_idle, NULL);
}

void
pmt_model_offers_visit (const char *kinds, PmtModelOffersVisit *visit, gpointer user)
{
  g_auto (GStrv) wanted = g_strsplit (kinds, " ", -1);

  for (guint i = 0; offers && i < offers->len; i++) {
    const Offer *offer = offers->pdata[i];
    if (g_strv_contains ((const char *const *) wanted, offer->kind))
      visit (offer->path, offer->label, user);
  }
}

void
pmt_model_offers_watch (void (*changed) (gpointer user), gpointer user)
{
  Watcher *watcher = g_new (Watcher, 1);

  *watcher = (Watcher) { changed, user };
  watchers = g_slist_append (watchers, watcher);
}

void
pmt_model_offers_unwatch (gpointer user)
{
  for (GSList *link = watchers; link; link = link->next) {
    Watcher *watcher = link->data;
    if (watcher->user == user) {
      watchers = g_slist_delete_link (watchers, link);
      g_free (watcher);
      return;
    }
  }
}
