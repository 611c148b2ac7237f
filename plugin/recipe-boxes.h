/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a recipe says of boxes, back in the arguments that boxes.h reads. */
#pragma once

#include <json-glib/json-glib.h>
#include <libgimp/gimp.h>

/* Its layout boxes or regions, where the next picture goes: the selection of image, or else the canvas. Without any the arguments get their
 * defaults; regions that masks gave are layers of the image they were made in and do not come back. Nothing where the procedure has no boxes. */
void pmt_recipe_boxes_to_config (JsonObject *recipe, GimpImage *image, GObject *config);
