/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The results of this GIMP session, whether they went into a picture or not: a call's program ends, and with it what it did not deliver.
 *
 * They are in pentimento/history/SESSION/ below the user's cache folder, which nobody else may enter, since prompts are private. At most
 * 1000 MB (PENTIMENTO_HISTORY_MB) are kept, the oldest go first; a result that is larger than a quarter of that is not kept. When GIMP has
 * ended, its folder goes, unless the user has asked for keeping: an empty file "keep" beside the sessions. When that is taken back, the file
 * names the session, and all go when that one ends. */
#pragma once

#include <json-glib/json-glib.h>
#include <libgimp/gimp.h>

#include "plugin/result.h"

typedef struct PmtHistoryEntry {
  char *folder;
  char *id;          /* unique; sorts by time */
  gint64 time;       /* seconds since 1970 */
  gint64 seed;
  JsonObject *recipe;
  gboolean applied;  /* it went into a picture */
  char *look;        /* a small PNG of how it looks in the picture; the file may be missing */
} PmtHistoryEntry;

/* Keeps a result, of an image that may be closed by now, and notes in it where. What cannot be written is not kept: the picture is what
 * counts. Maps alone are not kept, nor what is painted of words that are to be forgotten. */
void pmt_history_add (GimpImage *image, PmtResult *result);
/* How many of the results it does not have, or no longer. */
guint pmt_history_lacks (GPtrArray *results);
/* What to say of results that could not be delivered into the image: why, and that they are kept, where they are. Newly allocated. */
char *pmt_history_explain (GimpImage *image, GPtrArray *results, const GError *error);
/* Results that were kept: they went into a picture; they are not wanted any more. */
void pmt_history_applied (GPtrArray *results);
void pmt_history_forget (GPtrArray *results);

/* The entries, the newest first, in an array that frees them. */
GPtrArray *pmt_history_list (void);
/* The result itself, to be delivered into the image. NULL + PMT_ERROR_INPUT when its files are gone or damaged. */
PmtResult *pmt_history_load (const PmtHistoryEntry *entry, GimpImage *image, GError **error);
/* What the result was given, with the layers looked for in the image; NULL when its file is gone or damaged. */
PmtInputs *pmt_history_inputs (const PmtHistoryEntry *entry, GimpImage *image);
void pmt_history_remove (const PmtHistoryEntry *entry);

/* Whether results stay when GIMP ends. Taking that back removes nothing before then. */
gboolean pmt_history_keeps (void);
void pmt_history_set_keeps (gboolean keeps);

/* Removes what a session that is over has left, and what was kept until its end; for the program that waits for that. */
void pmt_history_clean (const char *session);
