/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The fill procedure's dialog. It runs the job itself, so that a failure leaves the settings on the screen for another try. */
#pragma once

#include <libgimp/gimp.h>

/* Needs gimp_ui_init. Returns the new layers (NULL-terminated, free with g_free), or NULL when the user closed the dialog. */
GimpLayer **pmt_fill_dialog_run (GimpProcedure *procedure, GimpProcedureConfig *config, GimpImage *image, GimpDrawable **drawables);
