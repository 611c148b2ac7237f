/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Windows of a canvas of latents, for methods that go over a large picture in parts. */
#pragma once

#include "engine/sample/run.h"

/* Part [height, width] at (y, x); its columns go on at the canvas's left edge where they leave the right one. In cells. */
typedef struct PmtWindow {
  int y, x, height, width;
} PmtWindow;

/* Windows of at most `size` cells a side, `stride` apart, the last ones flush with the canvas's end; with `wrap` columns go round. From the
 * top left, rows first. g_free it. */
PmtWindow *pmt_windows_new (int canvas_height, int canvas_width, int size, int stride, bool wrap, int *n);

/* `out` [height, width, channels] out of `canvas` [canvas_height, canvas_width, channels]. */
void pmt_window_cut (const PmtWindow *window, const float *canvas, int canvas_width, int channels, float *out);
/* Adds weight * part to `sum` and weight to `total`. weight [canvas_height, canvas_width], sum [.., .., channels] and total [.., ..] are
 * the canvas's, part [height, width, channels] the window's. */
void pmt_window_add (const PmtWindow *window, const float *part, const float *weight, int canvas_width, int channels, double *sum,
                     double *total);
