/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The plug-in's errors. Each message is one sentence for the person at the screen: what happened, where, and what to do next; GIMP and
 * the dialog show it as it stands. The engine's own sentences arrive under the codes of protocol.h and are passed on unchanged. */
#pragma once

#include <glib.h>

typedef enum {
  PMT_ERROR_INPUT,     /* the picture, the selection or an argument cannot be used as it is */
  PMT_ERROR_MEMORY,    /* the text names how much was needed */
  PMT_ERROR_CANCELLED, /* the user asked for it; never shown as a failure */
  PMT_ERROR_ENGINE,    /* the engine is missing, died, or speaks another protocol */
  PMT_ERROR_JOB,       /* the engine refused or failed the job and said why */
  PMT_ERROR_GIMP,      /* GIMP refused an edit that it should have done */
  PMT_ERROR_DOWNLOAD   /* a file could not be fetched */
} PmtError;

#define PMT_ERROR (pmt_error_quark ())
GQuark pmt_error_quark (void);
