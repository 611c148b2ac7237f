/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the engine knows of a kind (its samplers, its preprocessors), for choice fields. Asking also starts the engine while the user still
 * types. */
#pragma once

#include <gtk/gtk.h>

typedef struct PmtEngineList PmtEngineList;

/* kind: "samplers" or "preprocessors". Adds them to the n fields (ui/fields.h) as soon as the engine has answered. Without an answer the
 * fields keep what they have: the job itself will say what is wrong with the engine. */
PmtEngineList *pmt_engine_list_fill (const char *kind, GtkWidget *const *choices, int n);
void pmt_engine_list_free (PmtEngineList *list); /* NULL is fine */
