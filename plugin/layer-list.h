/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rows of a list to choose a layer of the image from. */
#pragma once

#include <gtk/gtk.h>
#include <libgimp/gimp.h>

/* Adds layers and groups, or groups alone, from top to bottom, what is in groups shifted; a row's id is the layer's number. How many there are. */
int pmt_layer_list_add (GtkComboBoxText *combo, GimpImage *image, gboolean groups_only);
/* The layer of a row's id; NULL for an id that is no number. Owned by libgimp. */
GimpLayer *pmt_layer_list_find (const char *id);
/* The id of a layer's row; "" for NULL. Newly allocated. */
char *pmt_layer_list_id (GimpLayer *layer);
