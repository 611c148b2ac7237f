/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/nets/vae_tiles.h"

#include <string.h>

/* What is kept of finished tiles for the next ones to fade from: the last rows of each tile of the row above, and the last columns of the
 * tile to the left. */
typedef struct Strips {
  PmtTensor above; /* [columns * N, blend, tile out, C] */
  PmtTensor left;  /* [N, tile out, blend, C] */
  int64_t above_rows, left_columns; /* used of `blend`: tiles at the far edges may be smaller */
} Strips;

typedef struct Tile {
  int64_t row, column; /* number of the tile */
  int64_t y, x;        /* where it begins, cells of the input */
  int64_t height, width;
} Tile;

static float *
at (PmtTensor t, int64_t n, int64_t y, int64_t x)
{
  return t.data + ((n * t.shape.dim[1] + y) * t.shape.dim[2] + x) * t.shape.dim[3];
}

static PmtTensor
cut (PmtContext *ctx, PmtTensor from, const Tile *tile)
{
  const int64_t n = from.shape.dim[0], c = from.shape.dim[3];
  PmtTensor out = pmt_tensor_new (ctx, PMT_SHAPE4 (n, tile->height, tile->width, c));
  for (int64_t b = 0; b < n && out.data && !ctx->dry; b++)
    for (int64_t y = 0; y < tile->height; y++)
      memcpy (at (out, b, y, 0), at (from, b, tile->y + y, tile->x), (size_t) (tile->width * c) * sizeof (float));
  return out;
}

/* to[k] = from[k] (1 - w) + to[k] w */
static void
fade (float *to, const float *from, int64_t n, float w)
{
  for (int64_t k = 0; k < n; k++)
    to[k] = from[k] * (1.0f - w) + to[k] * w;
}

/* First from above, then from the left: both neighbours are finished, blended tiles. */
static void
blend (const Strips *strips, const PmtTiling *tiling, const Tile *tile, PmtTensor out)
{
  const int64_t n = out.shape.dim[0], h = out.shape.dim[1], w = out.shape.dim[2], c = out.shape.dim[3];
  if (tile->row > 0) {
    const int64_t extent = MIN (strips->above_rows, h);
    for (int64_t b = 0; b < n; b++)
      for (int64_t y = 0; y < extent; y++)
        fade (at (out, b, y, 0), at (strips->above, tile->column * n + b, strips->above_rows - extent + y, 0), w * c,
              (float) ((double) y / extent));
  }
  if (tile->column > 0) {
    const int64_t extent = MIN (strips->left_columns, w);
    for (int64_t b = 0; b < n; b++)
      for (int64_t y = 0; y < h; y++)
        for (int64_t x = 0; x < extent; x++)
          fade (at (out, b, y, x), at (strips->left, b, y, strips->left_columns - extent + x), c, (float) ((double) x / extent));
  }
}

static void
keep_strips (Strips *strips, const PmtTiling *tiling, const Tile *tile, PmtTensor out)
{
  const int64_t n = out.shape.dim[0], h = out.shape.dim[1], w = out.shape.dim[2], c = out.shape.dim[3];
  const int64_t rows = MIN (h, tiling->blend), columns = MIN (w, tiling->blend);
  for (int64_t b = 0; b < n; b++) {
    for (int64_t y = 0; y < rows; y++)
      memcpy (at (strips->above, tile->column * n + b, y, 0), at (out, b, h - rows + y, 0), (size_t) (w * c) * sizeof (float));
    for (int64_t y = 0; y < h; y++)
      memcpy (at (strips->left, b, y, 0), at (out, b, y, w - columns), (size_t) (columns * c) * sizeof (float));
  }
  strips->left_columns = columns;
}

/* The part that later tiles don't cover goes into the whole. */
static void
place (PmtTensor whole, const PmtTiling *tiling, const Tile *tile, PmtTensor out)
{
  const int64_t up = tiling->up, down = tiling->down, limit = tiling->step * up / down;
  const int64_t y0 = tile->y * up / down, x0 = tile->x * up / down;
  const int64_t h = MIN (limit, out.shape.dim[1]), w = MIN (limit, out.shape.dim[2]), c = whole.shape.dim[3];
  for (int64_t b = 0; b < whole.shape.dim[0]; b++)
    for (int64_t y = 0; y < h; y++)
      memcpy (at (whole, b, y0 + y, x0), at (out, b, y, 0), (size_t) (w * c) * sizeof (float));
}

PmtTensor
pmt_tiles_run (PmtContext *ctx, PmtTensor x, const PmtTiling *tiling, void *user,
               PmtTensor (*run) (void *user, PmtContext *ctx, PmtTensor tile))
{
  const int64_t n = x.shape.dim[0], height = x.shape.dim[1], width = x.shape.dim[2], c = tiling->channels;
  const int64_t up = tiling->up, down = tiling->down, side = tiling->tile * up / down;
  const int64_t columns = (width + tiling->step - 1) / tiling->step;
  PmtTensor whole = pmt_tensor_new (ctx, PMT_SHAPE4 (n, height * up / down, width * up / down, c));
  PmtFrame all = pmt_frame_open (ctx);
  Strips strips = { .above = pmt_tensor_new (ctx, PMT_SHAPE4 (columns * n, tiling->blend, side, c)),
                    .left = pmt_tensor_new (ctx, PMT_SHAPE4 (n, side, tiling->blend, c)) };
  for (int64_t y = 0, row = 0; y < height && !pmt_context_failed (ctx); y += tiling->step, row++) {
    for (int64_t at_x = 0, column = 0; at_x < width && !pmt_context_failed (ctx); at_x += tiling->step, column++) {
      const Tile tile = { row, column, y, at_x, MIN (tiling->tile, height - y), MIN (tiling->tile, width - at_x) };
      PmtFrame frame = pmt_frame_open (ctx);
      PmtTensor out = run (user, ctx, cut (ctx, x, &tile));
      if (out.data && !ctx->dry) {
        blend (&strips, tiling, &tile, out);
        keep_strips (&strips, tiling, &tile, out);
        place (whole, tiling, &tile, out);
      }
      pmt_frame_close (ctx, frame, PMT_NO_TENSOR);
      pmt_context_poll (ctx);
    }
    strips.above_rows = MIN (MIN (tiling->tile, height - y) * up / down, tiling->blend);
  }
  pmt_frame_close (ctx, all, PMT_NO_TENSOR);
  return pmt_context_failed (ctx) ? PMT_NO_TENSOR : whole;
}
