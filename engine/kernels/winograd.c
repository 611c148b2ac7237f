/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/kernels/winograd.h"

#include <string.h>

#include "engine/base/threads.h"

enum {
  TAPS = 9,
  MOST_PRODUCTS = 16,
  LEAST_BLOCK = 24, MOST_BLOCK = 96, /* windows transformed together: more read a weight less often, fewer take less cache */
  WINDOWS_BYTES = 480 << 10,         /* of a block's transformed windows: half of a second-level cache */
  SUMS_BYTES = 2 << 20,              /* of a task's sums where inputs come in several parts */
  SHARED_MOST = 2 * MOST_BLOCK,      /* windows of a call that are transformed before all products: so few that each task would do it again, ... */
  SHARED_BYTES = 6 << 20,            /* ... and what they take then, as values without what is between rows */
  BAND = 4,                          /* rows of windows; a block is some columns of a band, so neighbours share what they read */
  SPLIT = 3,                         /* tasks per thread that are worth having */
  STRIP = PMT_WINOGRAD_BLOCK, STRIP_UNIT = 16, /* most inputs that lie together in a panel, and what their number is a multiple of: a register's values */
  MOST_COLUMNS = 32
};

typedef struct Kind {
  int window, lines, outputs; /* side of the window, of the products, of the outputs */
  int step;                   /* from one window to the next */
} Kind;
static const Kind kinds[] = { [PMT_WINOGRAD_SAME] = { 4, 4, 2, 2 }, [PMT_WINOGRAD_TWICE] = { 3, 3, 2, 1 }, [PMT_WINOGRAD_HALF] = { 4, 3, 1, 2 } };

static int64_t
round_up (int64_t value, int64_t unit)
{
  return (value + unit - 1) / unit * unit;
}

static int
products_of (PmtPackedForm form)
{
  return form == PMT_PACKED_TWICE ? 9 : 16;
}

/* ---- weights ------------------------------------------------------------------------------------------------------------ */

/* Inputs that lie together in a panel: a block where blocks have heads, which the number of inputs alone decides, as bytes depend on them. */
static int64_t
strip_of (const PmtProductKernels *kernels, int64_t c)
{
  if (!kernels->head)
    return STRIP;
  const int64_t blocks = MAX ((c + STRIP - 1) / STRIP, 1);
  return round_up ((c + blocks - 1) / blocks, STRIP_UNIT);
}

/* One product's part of a panel before input c0, which begins a strip, or is the number of inputs. */
static size_t
bytes_before (const PmtProductKernels *kernels, int64_t c, int64_t c0)
{
  const int64_t strip = strip_of (kernels, c);
  return (size_t) ((c0 + strip - 1) / strip) * kernels->head + (size_t) round_up (c0, kernels->unit) * (size_t) kernels->columns * kernels->value_size;
}

static size_t
part_bytes (const PmtPacked *packed)
{
  return bytes_before (packed->kernels, packed->k / TAPS, packed->k / TAPS);
}

/* Where product p of a panel has the strip that begins with input c0. */
static char *
strip_at (const PmtPacked *packed, int64_t panel, int p, int64_t c0)
{
  return (char *) packed->data + (size_t) (panel * products_of (packed->form) + p) * part_bytes (packed) + bytes_before (packed->kernels, packed->k / TAPS, c0);
}

/* Input i of product p of a panel, at `count` outputs. */
static void
read_input (const PmtPacked *packed, int64_t panel, int p, int64_t i, int64_t column, int64_t count, float *to)
{
  const int64_t within = i % strip_of (packed->kernels, packed->k / TAPS);
  packed->kernels->read (strip_at (packed, panel, p, i - within), within, column, count, to);
}

size_t
pmt_winograd_bytes (const PmtPacked *packed)
{
  return (size_t) pmt_packed_panels (packed) * (size_t) products_of (packed->form) * part_bytes (packed);
}

/* A line's transform of a weight, and back. PMT_PACKED_SAME has its sums halved, as windows have theirs whole. */
static const float same_lines[4][3] = { { 1, 0, 0 }, { 0.5f, 0.5f, 0.5f }, { 0.5f, -0.5f, 0.5f }, { 0, 0, 1 } };
static const float twice_lines[3][3] = { { 1, 0, 0 }, { 1, 1, 1 }, { 0, 0, 1 } };
static const float same_taps[3][4] = { { 1, 0, 0, 0 }, { 0, 1, -1, 0 }, { 0, 0, 0, 1 } };
static const float twice_taps[3][3] = { { 1, 0, 0 }, { -1, 1, -1 }, { 0, 0, 1 } };

/* to [count] = sum of factor[i] from[i * apart ..] over three, in order */
static void
combine (const float *factor, const float *from, int64_t apart, int64_t count, float *to)
{
  const float a = factor[0], b = factor[1], d = factor[2];
  const float *second = from + apart, *third = from + 2 * apart;
  if (b == 0)
    memcpy (to, a != 0 ? from : third, (size_t) count * sizeof (float)); /* the first and the last line have one tap, of 1 */
  else
    for (int64_t c = 0; c < count; c++)
      to[c] = a * from[c] + b * second[c] + d * third[c];
}

/* Values [c0, c0 + count) of products (i, j) of one output's weight [3, 3, c] for every i, `apart` from each other. */
static void
weight_products (PmtPackedForm form, const float *w, int64_t c, int j, int64_t count, float *to, int64_t apart)
{
  const bool twice = form == PMT_PACKED_TWICE;
  float rows[3][STRIP];
  for (int y = 0; y < 3; y++)
    combine (twice ? twice_lines[j] : same_lines[j], w + y * 3 * c, c, count, rows[y]);
  for (int i = 0; i < (twice ? 3 : 4); i++)
    combine (twice ? twice_lines[i] : same_lines[i], rows[0], STRIP, count, to + i * apart);
}

void
pmt_winograd_fill_panel (PmtPacked *packed, int64_t panel, const float *rows)
{
  const PmtProductKernels *kernels = packed->kernels;
  const int64_t c = packed->k / TAPS, columns = kernels->columns, n = MIN (columns, packed->n - panel * columns);
  const int side = packed->form == PMT_PACKED_TWICE ? 3 : 4;
  float strips[4][MOST_COLUMNS * STRIP]; /* of a column of products */
  g_assert (kernels->winograd && columns <= MOST_COLUMNS && STRIP % kernels->unit == 0);
  for (int64_t c0 = 0; c0 < c; c0 += strip_of (kernels, c))
    for (int j = 0; j < side; j++) {
      const int64_t count = MIN (strip_of (kernels, c), c - c0);
      for (int64_t r = 0; r < n; r++)
        weight_products (packed->form, rows + r * packed->k + c0, c, j, count, strips[0] + r * count, MOST_COLUMNS * STRIP);
      for (int i = 0; i < side; i++)
        kernels->pack (strips[i], n, count, strip_at (packed, panel, i * side + j, c0));
    }
}

/* Taps of `columns` outputs at input i, from that input of each product: [product][column] -> out of each. */
static void
read_taps (PmtPackedForm form, float product[MOST_PRODUCTS][MOST_COLUMNS], int64_t columns, int64_t c, float *to)
{
  const int side = form == PMT_PACKED_TWICE ? 3 : 4;
  for (int64_t r = 0; r < columns; r++)
    for (int y = 0; y < 3; y++)
      for (int x = 0; x < 3; x++) {
        const float *down = form == PMT_PACKED_TWICE ? twice_taps[y] : same_taps[y], *across = form == PMT_PACKED_TWICE ? twice_taps[x] : same_taps[x];
        float sum = 0;
        for (int p = 0; p < side * side; p++)
          if (down[p / side] * across[p % side] != 0)
            sum += down[p / side] * across[p % side] * product[p][r];
        to[(r * TAPS + y * 3 + x) * c] = sum;
      }
}

typedef struct Reading {
  const PmtPacked *packed;
  float *w;
} Reading;

static void
read_panels (void *user, size_t begin, size_t end)
{
  const Reading *f = user;
  const PmtPacked *packed = f->packed;
  const int64_t c = packed->k / TAPS, columns = packed->kernels->columns;
  const int products = products_of (packed->form);
  float product[MOST_PRODUCTS][MOST_COLUMNS];
  for (int64_t panel = (int64_t) begin; panel < (int64_t) end; panel++) {
    const int64_t rows = MIN (columns, packed->n - panel * columns);
    for (int64_t i = 0; i < c; i++) {
      for (int p = 0; p < products; p++)
        read_input (packed, panel, p, i, 0, rows, product[p]);
      read_taps (packed->form, product, rows, c, f->w + panel * columns * packed->k + i);
    }
  }
}

void
pmt_winograd_read (const PmtPacked *packed, float *w)
{
  Reading f = { packed, w };
  pmt_parallel_for (NULL, (size_t) pmt_packed_panels (packed), 1, read_panels, &f);
}

typedef struct Turning {
  const PmtPacked *w, *t;
} Turning;

/* Rows [first, first + rows) of product p of t at values [k0, k0 + count): of w those inputs at those outputs. */
static void
turn_strip (const Turning *f, int p, int64_t first, int64_t rows, int64_t k0, int64_t count, float *strip)
{
  const PmtPacked *w = f->w;
  const int64_t columns = w->kernels->columns;
  for (int64_t at = 0; at < count;) {
    const int64_t o = k0 + at, run = MIN (count - at, columns - o % columns);
    for (int64_t r = 0; r < rows; r++)
      read_input (w, o / columns, p, first + r, o % columns, run, strip + r * count + at);
    at += run;
  }
}

/* With the taps in the opposite order the first and the last product of a line change places, and those between stay. */
static void
turn_panels (void *user, size_t begin, size_t end)
{
  const Turning *f = user;
  const PmtPacked *t = f->t;
  const int64_t columns = t->kernels->columns, k = t->k / TAPS;
  const int side = t->form == PMT_PACKED_TWICE ? 3 : 4;
  float strip[MOST_COLUMNS * STRIP];
  for (int64_t panel = (int64_t) begin; panel < (int64_t) end; panel++)
    for (int p = 0; p < side * side; p++) {
      const int y = p / side, x = p % side;
      const int from_y = y % (side - 1) == 0 ? side - 1 - y : y, from_x = x % (side - 1) == 0 ? side - 1 - x : x;
      const int64_t first = panel * columns, rows = MIN (columns, t->n - first);
      for (int64_t k0 = 0; k0 < k; k0 += strip_of (t->kernels, k)) {
        const int64_t count = MIN (strip_of (t->kernels, k), k - k0);
        turn_strip (f, from_y * side + from_x, first, rows, k0, count, strip);
        t->kernels->pack (strip, rows, count, strip_at (t, panel, p, k0));
      }
    }
}

void
pmt_winograd_turn (const PmtPacked *w, PmtPacked *t)
{
  Turning f = { w, t };
  g_assert (t->kernels == pmt_packed_back_kernels (w) && t->form == w->form && t->n * TAPS == w->k && t->k == TAPS * w->n);
  pmt_parallel_for (NULL, (size_t) pmt_packed_panels (t), 1, turn_panels, &f);
}

/* ---- products ----------------------------------------------------------------------------------------------------------- */

typedef struct Plan {
  const PmtWinograd *call;
  Kind kind;
  const PmtProductKernels *kernels;
  int products;
  int64_t c;             /* inputs */
  int64_t down, across;  /* windows of a map */
  int64_t block;         /* windows transformed together */
  int64_t rows;          /* windows whose sums stand together */
  int64_t blocks;        /* tasks over all windows */
  int64_t panels;        /* of a task */
  int64_t part, pieces;  /* inputs transformed together; in pieces of `piece` values, which a product takes at once */
  int64_t piece;
  bool shared;                      /* windows are transformed first, once for all threads; each task has all of them and some panels */
  size_t windows_bytes, sums_bytes; /* scratch of one thread; shared windows lie before it */
  char *scratch;
} Plan;

static Plan
plan_of (const PmtWinograd *call)
{
  const Kind kind = kinds[call->kind];
  const PmtProductKernels *kernels = call->w->kernels;
  Plan p = { .call = call, .kind = kind, .kernels = kernels, .products = kind.lines * kind.lines, .c = call->w->k / TAPS };
  p.down = (call->oh + kind.outputs - 1) / kind.outputs;
  p.across = (call->ow + kind.outputs - 1) / kind.outputs;
  const int64_t windows = call->rows * p.down * p.across, wanted = (int64_t) pmt_threads () * SPLIT;
  const int64_t input_bytes = p.products * (int64_t) kernels->value_size;
  p.shared = windows <= SHARED_MOST && windows * input_bytes * p.c > WINDOWS_BYTES && windows * input_bytes * p.c <= SHARED_BYTES;
  p.block = CLAMP (WINDOWS_BYTES / (input_bytes * p.c), LEAST_BLOCK, MOST_BLOCK) / kernels->rows * kernels->rows;
  /* Blocks of even size; where there are few of them the columns are shared out too. */
  p.blocks = MAX ((windows + p.block - 1) / p.block, 1);
  p.block = round_up ((windows + p.blocks - 1) / p.blocks, kernels->rows);
  p.blocks = MAX ((windows + p.block - 1) / p.block, 1);
  p.rows = p.block;
  if (p.shared) {
    p.block = windows;
    p.rows = round_up (windows > MOST_BLOCK ? (windows + 1) / 2 : windows, kernels->rows);
  }
  const int64_t parts = p.shared ? 1 : (p.c * input_bytes * p.block + WINDOWS_BYTES * 9 / 8 - 1) / (WINDOWS_BYTES * 9 / 8);
  p.part = round_up ((p.c + parts - 1) / parts, kernels->head ? strip_of (kernels, p.c) : kernels->unit);
  p.pieces = (p.part + kernels->depth - 1) / kernels->depth;
  p.piece = round_up ((p.part + p.pieces - 1) / p.pieces, kernels->unit);
  if (kernels->head) {
    p.piece = strip_of (kernels, p.c);
    p.pieces = p.part / p.piece;
  }
  const int64_t all = pmt_packed_panels (call->w), sums = p.products * p.rows * kernels->columns * (int64_t) sizeof (float);
  int64_t times = CLAMP ((wanted + p.blocks - 1) / p.blocks, 1, all);
  if (parts > 1)
    times = MAX (times, (all * sums + SUMS_BYTES - 1) / SUMS_BYTES);
  p.panels = (all + times - 1) / times;
  p.windows_bytes = (size_t) (p.pieces * p.products * p.block) * kernels->stride;
  p.sums_bytes = (size_t) (sums * (parts > 1 ? p.panels : 1));
  return p;
}

size_t
pmt_winograd_scratch (const PmtWinograd *call)
{
  const Plan p = plan_of (call);
  return p.shared ? p.windows_bytes + p.sums_bytes * (size_t) pmt_threads () : (p.windows_bytes + p.sums_bytes) * (size_t) pmt_threads ();
}

typedef struct Place {
  int64_t row, y, x; /* of a window */
} Place;

/* Windows are counted along columns of a band, bands down a map, maps one after the other. */
static Place
place_of (const Plan *p, int64_t window)
{
  const int64_t of_map = p->down * p->across, row = window / of_map, rest = window % of_map, band = rest / (BAND * p->across);
  const int64_t height = MIN (BAND, p->down - band * BAND), within = rest - band * BAND * p->across;
  return (Place) { row, band * BAND + within % height, within / height };
}

static const float zeros[PMT_PRODUCT_DEPTH_BF16];

/* The rows of a window, from input c0 on. */
static void
window_rows (const Plan *p, Place at, int64_t c0, const float **from)
{
  const PmtWinograd *call = p->call;
  const float *map = call->x + at.row * call->h * call->width * p->c + c0;
  for (int i = 0; i < p->kind.window; i++)
    for (int j = 0; j < p->kind.window; j++) {
      const int64_t y = at.y * p->kind.step + i - call->pad_top, x = at.x * p->kind.step + j - call->pad_left;
      from[i * p->kind.window + j] = y < 0 || y >= call->h || x < 0 || x >= call->width ? zeros : map + (y * call->width + x) * p->c;
    }
}

/* Inputs [c0, c0 + count) of windows [first, first + n) -> left sides [piece][product][window]. */
static void
transform_windows (const Plan *p, int64_t first, int64_t n, int64_t c0, int64_t count, char *to)
{
  const size_t apart = (size_t) p->block * p->kernels->stride;
  const float *from[16];
  for (int64_t w = 0; w < n; w++) {
    const Place at = place_of (p, first + w);
    for (int64_t k = 0; k < count; k += p->piece) {
      window_rows (p, at, c0 + k, from);
      p->kernels->winograd->window[p->call->kind](from, MIN (p->piece, count - k),
                                                  to + (size_t) (k / p->piece * p->products) * apart + (size_t) w * p->kernels->stride, apart);
    }
  }
}

/* Adds the products of inputs [c0, c0 + count) to one panel's sums [product][window][columns]. */
static void
multiply_panel (const Plan *p, int64_t panel, int64_t n, int64_t c0, int64_t count, const char *windows, float *sums)
{
  const PmtProductKernels *kernels = p->kernels;
  const size_t apart = (size_t) p->block * kernels->stride;
  for (int product = 0; product < p->products; product++)
    for (int64_t k = 0; k < count; k += p->piece) {
      const char *a = windows + (size_t) (k / p->piece * p->products + product) * apart;
      const char *b = strip_at (p->call->w, panel, product, c0 + k);
      for (int64_t r = 0; r < n; r += kernels->rows)
        kernels->tile ((int) MIN (kernels->rows, n - r), a + (size_t) r * kernels->stride, b, round_up (MIN (p->piece, count - k), kernels->unit),
                       sums + (product * p->rows + r) * kernels->columns, kernels->columns, c0 + k == 0, NULL);
    }
}

/* Where the larger map of PMT_WINOGRAD_TWICE ends in the middle of a window's outputs, its last row or column is missing. */
static int
outputs_at (const Plan *p, Place at)
{
  static const int ending[2][2] = { { PMT_WINOGRAD_TWICE, PMT_WINOGRAD_TWICE_RIGHT }, { PMT_WINOGRAD_TWICE_BOTTOM, PMT_WINOGRAD_TWICE_CORNER } };
  if (p->call->kind != PMT_WINOGRAD_TWICE)
    return (int) p->call->kind;
  return ending[2 * at.y + 1 == p->call->oh][2 * at.x + 1 == p->call->ow];
}

static void
write_panel (const Plan *p, int64_t panel, int64_t first, int64_t n, const float *sums)
{
  const PmtWinograd *call = p->call;
  const int64_t columns = p->kernels->columns, j = panel * columns, side = p->kind.outputs;
  for (int64_t w = 0; w < n; w++) {
    const Place at = place_of (p, first + w);
    float *to[4];
    for (int64_t i = 0; i < side * side; i++) {
      const int64_t y = at.y * side + i / side, x = at.x * side + i % side;
      to[i] = y < call->oh && x < call->ow ? call->y + ((at.row * call->oh + y) * call->ow + x) * call->w->n + j : NULL;
    }
    p->kernels->winograd->outputs[outputs_at (p, at)](sums + w * columns, p->rows * columns, call->bias ? call->bias + j : NULL, call->add, to,
                                              MIN (columns, call->w->n - j));
  }
}

/* Windows [first, first + n) and panels [j0, j1). */
static void
run_task (const Plan *p, int64_t first, int64_t n, int64_t j0, int64_t j1, char *scratch)
{
  float *sums = (float *) (void *) (scratch + p->windows_bytes);
  const int64_t of_panel = p->part < p->c ? p->products * p->rows * p->kernels->columns : 0; /* in one part each panel is done at once */
  for (int64_t c0 = 0; c0 < p->c; c0 += p->part) {
    const int64_t count = MIN (p->part, p->c - c0);
    transform_windows (p, first, n, c0, count, scratch);
    for (int64_t j = j0; j < j1; j++) {
      multiply_panel (p, j, n, c0, count, scratch, sums + (j - j0) * of_panel);
      if (c0 + count == p->c)
        write_panel (p, j, first, n, sums + (j - j0) * of_panel);
    }
  }
}

static void
run_tasks (void *user, size_t begin, size_t end)
{
  const Plan *p = user;
  const int64_t windows = p->call->rows * p->down * p->across;
  char *scratch = p->scratch + (size_t) pmt_threads_index () * (p->windows_bytes + p->sums_bytes);
  for (int64_t task = (int64_t) begin; task < (int64_t) end; task++) {
    /* Tasks with the same columns follow each other: they read the same part of the weight. */
    const int64_t first = task % p->blocks * p->block, j0 = task / p->blocks * p->panels;
    run_task (p, first, MIN (p->block, windows - first), j0, MIN (j0 + p->panels, pmt_packed_panels (p->call->w)), scratch);
  }
}

static void
transform_shared (void *user, size_t begin, size_t end)
{
  const Plan *p = user;
  transform_windows (p, (int64_t) begin, (int64_t) (end - begin), 0, p->c, p->scratch + begin * p->kernels->stride);
}

static void
multiply_shared (void *user, size_t begin, size_t end)
{
  const Plan *p = user;
  const int64_t windows = p->call->rows * p->down * p->across;
  float *sums = (float *) (void *) (p->scratch + p->windows_bytes + (size_t) pmt_threads_index () * p->sums_bytes);
  for (int64_t j = (int64_t) begin; j < (int64_t) end; j++)
    for (int64_t w = 0; w < windows; w += p->rows) {
      const int64_t n = MIN (p->rows, windows - w);
      multiply_panel (p, j, n, 0, p->c, p->scratch + (size_t) w * p->kernels->stride, sums);
      write_panel (p, j, w, n, sums);
    }
}

bool
pmt_winograd (const PmtCancel *cancel, const PmtWinograd *call, void *scratch)
{
  Plan p = plan_of (call);
  p.scratch = scratch;
  if (call->rows == 0 || call->w->n == 0)
    return !pmt_cancelled (cancel);
  if (p.shared)
    return pmt_parallel_for (cancel, (size_t) (call->rows * p.down * p.across), 1, transform_shared, &p) &&
           pmt_parallel_for (cancel, (size_t) pmt_packed_panels (call->w), 1, multiply_shared, &p);
  const int64_t beside = (pmt_packed_panels (call->w) + p.panels - 1) / p.panels;
  return pmt_parallel_for (cancel, (size_t) (p.blocks * beside), 1, run_tasks, &p);
}
