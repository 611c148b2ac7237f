/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Models that there are: search, kinds, what each is and whether it works. */
#pragma once

#include "plugin/models-dialog.h"

GtkWidget *pmt_models_page_new (PmtModelsDialog *dialog);
/* A search begins: rows go. */
void pmt_models_page_clear (GtkWidget *page);
void pmt_models_page_add (GtkWidget *page, JsonObject *model);
/* Selects one; NULL: the first. */
void pmt_models_page_select (GtkWidget *page, const char *path);
