/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Options out of tables of parameters, and what several commands write into JSON. */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

#include "engine/base/param.h"

/* "How it is followed (1 to 50, default 7)"; newly allocated. */
char *pmt_cli_param_help (const PmtParam *p);
const char *pmt_cli_param_placeholder (const PmtParam *p); /* "N", "TEXT" … */
/* To an array of GOptionEntry. */
void pmt_cli_add_entry (GArray *entries, const char *name, GOptionArg arg, gpointer data, const char *help, const char *what);

/* A table's values as members: those of `texts` [as many as params] that are not NULL, defaults for the others. `names` [as many] are the options', NULL:
 * the parameters' own. PMT_ERROR_INPUT. */
gboolean pmt_cli_set_values (JsonObject *to, const PmtParam *params, const char *const *names, char *const *texts, GError **error);
/* "WxH" as the member "size". PMT_ERROR_INPUT. */
gboolean pmt_cli_set_size (const char *text, JsonObject *recipe, GError **error);
/* A number up to `most`, from 0 if it is to be whole and from -1 otherwise. PMT_ERROR_INPUT that names `option`. */
gboolean pmt_cli_set_number (const char *option, const char *text, double most, JsonObject *object, const char *name, gboolean whole, GError **error);
/* Recipes are run elsewhere too, so files are named from the root; a library's names and "random:…" stay as they are. */
void pmt_cli_set_model (JsonObject *recipe, const char *name, const char *text);
