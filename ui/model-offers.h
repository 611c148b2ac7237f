/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Models to choose from: one list for all choosers of the process (model-chooser.h), which follow it while it grows. */
#pragma once

#include <glib.h>

/* kind and family as `inspect` says them; label: what stands in a list. A path that is there already is left as it is. */
void pmt_model_offers_add (const char *kind, const char *path, const char *label);

/* Those whose kind is among `kinds` (words with blanks between), by label. */
typedef void PmtModelOffersVisit (const char *path, const char *label, gpointer user);
void pmt_model_offers_visit (const char *kinds, PmtModelOffersVisit *visit, gpointer user);

/* Called (soon, from the main loop) when offers were added, until it is unwatched. */
void pmt_model_offers_watch (void (*changed) (gpointer user), gpointer user);
void pmt_model_offers_unwatch (gpointer user);
