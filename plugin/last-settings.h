/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A dialog's settings, kept the moment a job starts: GIMP keeps them only after a job that succeeded, and would lose a prompt to
 * Cancel. They are in pentimento/ in GIMP's own folder, readable by the user alone. */
#pragma once

#include <libgimp/gimp.h>

/* A kept file that cannot be read is as good as none: the settings stay what GIMP remembered. */
void pmt_last_settings_load (GimpProcedureConfig *config);
/* FALSE + error when the file cannot be written. */
gboolean pmt_last_settings_save (GimpProcedureConfig *config, GError **error);
