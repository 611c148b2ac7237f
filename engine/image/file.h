/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Image files, by way of gdk-pixbuf: 8 bits per channel, taken as sRGB. */
#pragma once

#include <glib.h>

#include "engine/base/error.h"
#include "engine/image/picture.h"

/* PNG, JPEG and whatever else the system's gdk-pixbuf reads, as RGBA (alpha 1 where the file has none); a camera's orientation mark
 * is obeyed. `has_alpha` may be NULL. PMT_ERROR_NOT_FOUND, PMT_ERROR_FORMAT, PMT_ERROR_MEMORY, naming the file. */
gboolean pmt_picture_load (const char *path, PmtPicture *picture, gboolean *has_alpha, GError **error);
/* The recipe in the chunk PMT_RECIPE_PARASITE of a PNG that pmt_picture_save wrote, newly allocated. NULL + error when the file cannot be read
 * (as pmt_picture_load) or has none (PMT_ERROR_INPUT). */
char *pmt_picture_recipe (const char *path, GError **error);

/* The same as a mask of one channel: luminance (Rec. 601 weights on the encoded values) times alpha. */
gboolean pmt_mask_load (const char *path, PmtPicture *mask, GError **error);

/* By the name's ending: .png, .jpg or .jpeg (quality 95); others are PMT_ERROR_INPUT. Values are clamped to 0..1 and rounded to 8 bits,
 * so a loaded file is written back with equal pixels (PNG). Alpha is written when `with_alpha` (JPEG has none: PMT_ERROR_INPUT).
 * `recipe`, when not NULL, is JSON text that goes into a PNG's tEXt chunk PMT_RECIPE_PARASITE, as pure ASCII. The file appears
 * under its name only when it is complete; an older one is replaced. PMT_ERROR_IO. */
gboolean pmt_picture_save (const PmtPicture *picture, gboolean with_alpha, const char *recipe, const char *path, GError **error);

/* Says before any work is done whether pmt_picture_save could write there: known ending, existing folder, writable. */
gboolean pmt_picture_check_save (const char *path, GError **error);
