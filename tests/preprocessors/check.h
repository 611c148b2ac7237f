/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the preprocessors' tests share. */
#pragma once

#include "engine/image/preprocess.h"

/* Runs `text` ("canny:low=50") on the picture, all inputs checked; ends the test on an error. The result is to be cleared. */
PmtPicture check_run (const char *text, const PmtPicture *image, const PmtPicture *mask);
/* An RGBA picture, opaque, of one colour. */
PmtPicture check_picture (int width, int height, float red, float green, float blue);
void check_fill (PmtPicture *picture, int x, int y, int width, int height, float red, float green, float blue);

/* Every case of tests/data/preprocess/NAME.json (made by tests/reference/make_preprocess.py): a picture, the preprocessor with its
 * parameters, what the reference made of it. At most `fraction` of the values may be off by more than `levels` of 255. */
void check_oracle (const char *name, double levels, double fraction);

/* One pixel, one row, one column, all black, all white, half transparent: it runs and stays within 0..1 (or is -1). */
void check_extremes (const char *text);
