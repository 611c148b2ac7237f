/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A picture in overlapping tiles, whose overlaps are blended into each other: what a network does with a whole picture, in the memory of
 * one tile. As diffusers' enable_tiling (formats.md 4.2). */
#pragma once

#include "engine/tensor/context.h"

typedef struct PmtTiling {
  int tile;          /* side of a tile, in cells of the input */
  int step;          /* from one tile to the next, in cells of the input */
  int blend;         /* cells of the output over which a tile fades into its neighbours */
  int channels;      /* of the output */
  int up, down;      /* output side = input side * up / down; tiles and steps are multiples of down */
} PmtTiling;

/* x [N, H, W, C] -> [N, H * up / down, W * up / down, channels]; `run` does one tile [N, h, w, C] and may use the arena freely. */
PmtTensor pmt_tiles_run (PmtContext *ctx, PmtTensor x, const PmtTiling *tiling, void *user,
                         PmtTensor (*run) (void *user, PmtContext *ctx, PmtTensor tile));
