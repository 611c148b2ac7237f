/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The dialog of models: what there is (models-page.h), what can be had (catalogue-page.h), and where is looked (folders-page.h). It runs the
 * search and the imports, and tells the pages. */
#pragma once

#include <gtk/gtk.h>
#include <json-glib/json-glib.h>

typedef struct PmtModelsDialog PmtModelsDialog;

/* Runs until it is closed. */
void pmt_models_dialog_run (void);

/* For the pages. */
GtkWindow *pmt_models_dialog_window (PmtModelsDialog *dialog);
/* Says something in the line at the bottom. */
void pmt_models_dialog_say (PmtModelsDialog *dialog, const char *sentence, gboolean error);
/* Searches the folders again; `words`: NULL, or further words of the engine's command, such as "--add" and a folder. */
void pmt_models_dialog_search (PmtModelsDialog *dialog, const char *const *words);
/* Asks whether to copy or to link, and imports these paths (NULL-terminated) one after the other. */
void pmt_models_dialog_import (PmtModelsDialog *dialog, char **paths);
/* What was found so far: objects as the engine's command "models" prints them; the dialog's. */
GPtrArray *pmt_models_dialog_models (PmtModelsDialog *dialog);
/* Folder that is our own; NULL before it was told. */
const char *pmt_models_dialog_own_folder (PmtModelsDialog *dialog);
/* Opens a folder in the file manager. */
void pmt_models_dialog_open_folder (PmtModelsDialog *dialog, const char *path);
