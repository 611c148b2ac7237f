/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files that were dropped on a widget. */
#pragma once

#include <gtk/gtk.h>

/* Paths of those on this machine, NULL-terminated, maybe none; ends the drag. Free with g_strfreev. */
char **pmt_dropped_files (GdkDragContext *context, GtkSelectionData *data, guint time);
