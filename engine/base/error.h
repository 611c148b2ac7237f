/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The one error domain of engine and plug-in.
 *
 * Every message is a single sentence for the person at the screen: what happened, where (file, tensor, option), and what to do
 * next. It is shown as it stands, so it carries no function names and no line breaks. Sentences that reach the user of GIMP are
 * marked with _() and come out in that user's language (language.h); on the command line they are English. */
#pragma once

#include <glib.h>
#include <glib/gi18n-lib.h>

typedef enum {
  PMT_ERROR_INPUT,       /* an option, job field, mask or picture that cannot be used as given */
  PMT_ERROR_NOT_FOUND,   /* a file, folder, tensor or named thing does not exist */
  PMT_ERROR_FORMAT,      /* a file is damaged, truncated or not what its name says */
  PMT_ERROR_UNSUPPORTED, /* understood, but this build or family cannot do it */
  PMT_ERROR_MEMORY,      /* the text names how much was needed */
  PMT_ERROR_CANCELLED,   /* the user asked for it; never shown as a failure */
  PMT_ERROR_IO,          /* reading or writing failed below us */
  PMT_ERROR_ENGINE,      /* the engine process is missing, died, or spoke another protocol */
  PMT_ERROR_INTERNAL     /* our own bug */
} PmtError;

#define PMT_ERROR (pmt_error_quark ())
GQuark pmt_error_quark (void);

/* g_set_error in PMT_ERROR that gives back FALSE, for `return pmt_refuse (…)`. */
gboolean pmt_refuse (GError **error, PmtError code, const char *format, ...) G_GNUC_PRINTF (3, 4);

/* Stable lower-case name of a code, as the protocol and --json use it ("input", "not-found", …), and back.
 * An unknown name gives PMT_ERROR_INTERNAL. */
const char *pmt_error_name (PmtError code);
PmtError pmt_error_from_name (const char *name);

/* A sentence (a message, a note, what is wrong with a file) as it goes into JSON: names of files and of what is in them may be any bytes,
 * and of any length. Valid UTF-8 of 4 KiB at most. Newly allocated. */
char *pmt_error_shown (const char *sentence);
