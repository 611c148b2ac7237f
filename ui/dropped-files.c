/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ui/dropped-files.h"

char **
pmt_dropped_files (GdkDragContext *context, GtkSelectionData *data, guint time)
{
  g_auto (GStrv) uris = gtk_selection_data_get_uris (data);
  GPtrArray *paths = g_ptr_array_new ();

  for (char **uri = uris; uri && *uri; uri++) {
    char *path = g_filename_from_uri (*uri, NULL, NULL);
    if (path)
      g_ptr_array_add (paths, path);
  }
  gtk_drag_finish (context, paths->len > 0, FALSE, time);
  g_ptr_array_add (paths, NULL);
  return (char **) g_ptr_array_free (paths, FALSE);
}
