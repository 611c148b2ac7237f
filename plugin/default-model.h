/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The model that a dialog starts with: the one in its kept settings (last-settings.h). */
#pragma once

#include <glib.h>

/* For Fill and Generate, or for Edit. FALSE + error when the settings cannot be written. */
gboolean pmt_default_model_set (const char *path, gboolean edit, GError **error);
