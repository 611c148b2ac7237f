/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The report that goes with a complaint: versions, processor, memory, the engine's last lines, the recipe. English, as its readers are
 * the makers. Procedure plug-in-pentimento-diagnostics returns it too. */
#pragma once

#include <json-glib/json-glib.h>
#include <libgimp/gimp.h>

#define PMT_PROCEDURE_DIAGNOSTICS "plug-in-pentimento-diagnostics"

/* problem, recipe: what went wrong and at what, or NULL. With `everything` prompts and file names are in it, else they are not
 * (redact.h). Asks the engine's program for its part and waits three seconds for it at most. Newly allocated. */
char *pmt_diagnostics_new (const char *problem, JsonObject *recipe, gboolean everything);

GimpProcedure *pmt_diagnostics_procedure_new (GimpPlugIn *plug_in, const char *name);
