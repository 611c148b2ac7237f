/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A dialog's settings, kept while they change: GIMP keeps them only after a job that succeeded, and would lose a prompt to Cancel, to the
 * window's close button and to a crash. They are in pentimento/ in GIMP's own folder, readable by the user alone. */
#pragma once

#include <libgimp/gimp.h>

/* The argument "forget-prompts", of dialogs alone: what the user wrote is kept nowhere but in recipes. */
void pmt_last_settings_add_argument (GimpProcedure *procedure);

/* A kept file that cannot be read is as good as none: the settings stay what GIMP remembered. */
void pmt_last_settings_load (GimpProcedureConfig *config);
/* FALSE + error when the file cannot be written. */
gboolean pmt_last_settings_save (GimpProcedureConfig *config, GError **error);

/* Saves a moment after each change, until it is freed, which saves what is left. A file that cannot be written is told by
 * pmt_last_settings_save when a job starts. */
typedef struct PmtLastSettings PmtLastSettings;
PmtLastSettings *pmt_last_settings_watch (GimpProcedureConfig *config);
void pmt_last_settings_free (PmtLastSettings *watch); /* NULL is fine */

/* Whether what the user wrote is to be forgotten. */
gboolean pmt_last_settings_forgets (GimpProcedureConfig *config);
/* Before the settings go back to GIMP, which keeps them too: takes out what the user wrote where it is to be forgotten. */
void pmt_last_settings_forget (GimpProcedureConfig *config);
/* The same for this once, because the words in it are not to be kept; whoever opens the dialog next finds the tick as it was. */
void pmt_last_settings_forget_once (GimpProcedureConfig *config);
