/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What Pentimento painted, in the stack of layers. */
#pragma once

#include <libgimp/gimp.h>

/* A layer with a recipe, or a group of nothing but such layers. */
gboolean pmt_stack_is_painted (GimpItem *item);

/* The layer that a new result goes above so that none of what was painted above `layer` before covers it: the last of the painted layers
 * that follow one another directly above it, else `layer` itself. From a group of variants it goes up to what was painted above the group. */
GimpLayer *pmt_stack_top (GimpImage *image, GimpLayer *layer);
