/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the user's paths say: closed strokes are places with a name, open ones are lines of a drawing. Nothing here changes the image. */
#pragma once

#include <json-glib/json-glib.h>
#include <libgimp/gimp.h>

#include "plugin/rect.h"

/* Layout boxes of a recipe (layout-box.h): one per path with a closed stroke in area, around its closed curves. New reference.
 * PMT_ERROR_INPUT when there is none, and when there are more than a job takes. */
JsonArray *pmt_paths_boxes (GimpImage *image, const PmtRect *area, GError **error);

/* What the path's closed strokes enclose, by the even-odd rule as GIMP selects it, over box as f32 0..1 with smooth edges. FALSE +
 * PMT_ERROR_INPUT when it has none. */
gboolean pmt_path_fill (GimpPath *path, const PmtRect *box, float *values, GError **error);
/* Bounds of all its strokes in whole pixels; FALSE when it has none. */
gboolean pmt_path_bounds (GimpPath *path, PmtRect *bounds);

/* A drawing of all open strokes, white on black as scribble networks take it: area-sized RGBA f32. PMT_ERROR_INPUT when none of them is in
 * area. */
GBytes *pmt_paths_strokes (GimpImage *image, const PmtRect *area, GError **error);
