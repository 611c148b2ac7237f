/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Imports of the user's files, one after the other: asks once whether to copy or to link, lets the engine do it (it looks at each file and
 * knows its place), and says how it goes. */
#pragma once

#include <gtk/gtk.h>

typedef struct PmtModelsImport PmtModelsImport;

typedef struct PmtModelsImportHandlers {
  void (*said) (gpointer user, double fraction, const char *text, gboolean error); /* fraction -1: a sentence */
  void (*imported) (gpointer user, const char *path);                             /* where it is now */
} PmtModelsImportHandlers;

PmtModelsImport *pmt_models_import_new (GtkWindow *parent, const PmtModelsImportHandlers *handlers, gpointer user);
/* NULL-terminated; copied. */
void pmt_models_import_add (PmtModelsImport *import, char **paths);
/* Stops; a copy that was begun is removed. NULL is fine. */
void pmt_models_import_free (PmtModelsImport *import);
/* A file is being copied or linked; NULL: none. */
gboolean pmt_models_import_runs (const PmtModelsImport *import);
