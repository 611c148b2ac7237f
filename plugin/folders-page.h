/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Folders in which models are looked for: ours, those of other programs, added ones; each can be switched off. */
#pragma once

#include "plugin/models-dialog.h"

GtkWidget *pmt_folders_page_new (PmtModelsDialog *dialog);
void pmt_folders_page_clear (GtkWidget *page);
/* An object as the engine's command "models" prints it. */
void pmt_folders_page_add (GtkWidget *page, JsonObject *folder);
