/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fields of a dialog that the engine refuses together. It would name methods, which the dialog does not show. */
#pragma once

#include <libgimp/gimp.h>

/* FALSE + PMT_ERROR_INPUT, which names the fields, for settings that no job can have together. */
gboolean pmt_conflicts_check (GimpProcedureConfig *config, GError **error);
