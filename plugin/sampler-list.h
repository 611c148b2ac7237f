/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The samplers that the engine knows, for a choice field. Asking also starts the engine while the user still types. */
#pragma once

#include <gtk/gtk.h>

typedef struct PmtSamplerList PmtSamplerList;

/* Adds them to the field (ui/fields.h) as soon as the engine has answered. Without an answer the field keeps what it has: the job
 * itself will say what is wrong with the engine. */
PmtSamplerList *pmt_sampler_list_fill (GtkWidget *choice);
void pmt_sampler_list_free (PmtSamplerList *list);
