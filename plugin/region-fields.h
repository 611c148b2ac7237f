/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The arguments and fields of where a job works (place.h), and of how its result meets the picture. */
#pragma once

#include <gtk/gtk.h>
#include <libgimp/gimp.h>

/* mask, mask-channel, mask-path, protect, context, context-path, source, grow, feather. */
void pmt_region_add_arguments (GimpProcedure *procedure);
/* prefill, seam, colour-match. */
void pmt_region_add_finish_arguments (GimpProcedure *procedure);

/* An item that the last call had is not remembered: what asked for one is then at its first value. */
void pmt_region_settle (GObject *config);

/* Fields for those that the config has, in a fold that is open when one of them has another value than its first. */
GtkWidget *pmt_region_fold_new (GObject *config, GimpImage *image, GimpDrawable **drawables);
