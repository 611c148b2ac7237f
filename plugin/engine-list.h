/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the engine knows of a kind (its samplers, methods, preprocessors). Asking also starts the engine while the user still
 * types. */
#pragma once

#include <gtk/gtk.h>
#include <json-glib/json-glib.h>

typedef struct PmtEngineList PmtEngineList;

/* kind: "samplers", "methods" or "preprocessors". `answer` is called with the entries as soon as the engine has answered, at most once, and
 * never after the list was freed. Without an answer nothing happens: the job itself will say what is wrong with the engine, and when that is
 * mended, pmt_engine_list_again asks once more. */
PmtEngineList *pmt_engine_list_ask (const char *kind, void (*answer) (gpointer user, JsonArray *entries), gpointer user);
/* The same for choice fields: adds them to the n fields (ui/fields.h) . Without an answer the fields keep what they have. */
PmtEngineList *pmt_engine_list_fill (const char *kind, GtkWidget *const *choices, int n);
/* The engine is there: whoever got no answer asks again. */
void pmt_engine_list_again (void);
void pmt_engine_list_free (PmtEngineList *list); /* NULL is fine */
