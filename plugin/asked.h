/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a dialog was asked for, as far as a completed recipe no longer says it: by which procedure, which numbers were left to the engine, and
 * what kind of thing was the mask. No words of the user's are in it. Kept with a result's inputs (inputs.h).
 *
 * A JSON object: {procedure, automatic: [names of arguments], wished: [names of fields that said all of their method (wishes.h)], mask:
 * "channel"… (absent: the selection), protect: true (absent: nothing), forget: true (absent: the history may keep what was
 * written)}. */
#pragma once

#include <json-glib/json-glib.h>
#include <libgimp/gimp.h>

/* New reference. */
JsonObject *pmt_asked_new (GimpProcedureConfig *config);

/* For all of these asked may be NULL: it is not known then. Names are lent, and NULL where there is none. */
const char *pmt_asked_procedure (JsonObject *asked);
const char *pmt_asked_mask (JsonObject *asked);
gboolean pmt_asked_protects (JsonObject *asked);
/* Whether that field, and not the list of methods, asked for its method. */
gboolean pmt_asked_wished (JsonObject *asked, const char *field);
/* Puts the arguments that were left to the engine back to their defaults. */
void pmt_asked_leave (JsonObject *asked, GObject *config);
gboolean pmt_asked_forgets (JsonObject *asked);
/* Takes the reference; a new one to the same, but for that what was written is to be forgotten. */
JsonObject *pmt_asked_forget (JsonObject *asked);
