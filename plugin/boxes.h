/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Layout boxes of a procedure: what is to be painted where. They come from its argument "boxes" (ui/box-list.h), from closed paths
 * (paths.h), from the layers of a group (layer-boxes.h), or from all of these, and go into the recipe in the way that "boxes-method" names. Nothing here changes the image. */
#pragma once

#include <gtk/gtk.h>
#include <json-glib/json-glib.h>
#include <libgimp/gimp.h>

#include "plugin/rect.h"

void pmt_boxes_add_arguments (GimpProcedure *procedure);
/* The fields; `open` says whether any box is there already. */
GtkWidget *pmt_boxes_fields_new (GObject *config, GimpImage *image, gboolean *open);

/* The way in which boxes act: "boxes-method", with "auto" resolved as below. NULL: no boxes are asked for, or none can be. */
const char *pmt_boxes_way (GimpProcedureConfig *config);

typedef struct PmtBoxes PmtBoxes;

/* *boxes is NULL where the arguments ask for none. FALSE + PMT_ERROR_INPUT for what cannot be read, for
 * boxes without a phrase, and for a group that is not in the image. */
gboolean pmt_boxes_read (GimpProcedureConfig *config, GimpImage *image, PmtBoxes **boxes, GError **error);
void pmt_boxes_free (PmtBoxes *boxes); /* NULL is fine */

/* Writes them into a recipe for a picture that goes to area of the canvas. May be called again when area changes.
 *
 * "auto" is GLIGEN where a network for it is given, else layout-forward, which any model can do. That and layout-backward lead the
 * prompt's own words: a phrase that the prompt does not say is put behind it. "regions" paints each box from its phrase (MultiDiffusion).
 * PMT_ERROR_INPUT when no box lies in area, and for more than a job takes. */
gboolean pmt_boxes_place (PmtBoxes *boxes, JsonObject *recipe, GimpImage *image, const PmtRect *canvas, const PmtRect *area, GError **error);
