/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What can be learned and how, as the engine's table says it: data/methods.json beside the program, which the build has asked the engine for. */
#pragma once

#include <json-glib/json-glib.h>
#include <libgimp/gimp.h>

/* {id, label, summary, steps, rate, text-rate} and {id, label, help, type, default, min, max}; the process's, empty in an installation that lacks
 * the file. */
JsonArray *pmt_learn_table_kinds (void);
JsonArray *pmt_learn_table_params (void);
/* NULL: there is none of that id. */
JsonObject *pmt_learn_table_kind (const char *id);
JsonObject *pmt_learn_table_param (const char *id);
/* A text of a kind or parameter, in the user's language; "" where it has none. */
const char *pmt_learn_table_text (JsonObject *entry, const char *member);

/* The arguments "kind" and all that the table has. */
void pmt_learn_table_add_arguments (GimpProcedure *procedure);
