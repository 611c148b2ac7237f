/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/image/membrane.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/threads.h"
#include "engine/image/picture.h"

enum { LEVELS = 20, SMOOTHINGS = 2, LAST_SMOOTHINGS = 40, MOST_ROUNDS = 300, LEAST_SIDE = 3 };
#define DAMPING 0.8f
#define TOLERANCE 1e-5
#define ROWS_PER_TASK 16

/* The operator on a level is A u = sum over the neighbours inside the picture of (u - neighbour), where closed cells are 0. A coarser cell
 * stands for four; it is closed when one of them is. In two dimensions the coarser operator is the same one, with the four right sides
 * added up. */
typedef struct Level {
  int width, height;
  uint8_t *open;
  float *u, *f, *spare;
} Level;

typedef struct Grid {
  Level level[LEVELS];
  int n;
} Grid;

/* ---- one level ---- */

typedef struct Sweep {
  const Level *level;
  const float *u, *f;
  float *out;
  int what; /* 0: A u; 1: f - A u; 2: a damped Jacobi step */
} Sweep;

static void
sweep_rows (void *user, size_t begin, size_t end)
{
  const Sweep *s = user;
  const int w = s->level->width, h = s->level->height;

  for (size_t row = begin; row < end; row++)
    for (int x = 0; x < w; x++) {
      const int y = (int) row;
      const size_t i = row * (size_t) w + (size_t) x;
      float sum = 0, n = 0, product;
      if (!s->level->open[i]) {
        s->out[i] = 0;
        continue;
      }
      if (x > 0)
        sum += s->u[i - 1], n++;
      if (x + 1 < w)
        sum += s->u[i + 1], n++;
      if (y > 0)
        sum += s->u[i - (size_t) w], n++;
      if (y + 1 < h)
        sum += s->u[i + (size_t) w], n++;
      product = n * s->u[i] - sum;
      if (s->what == 0)
        s->out[i] = product;
      else if (s->what == 1)
        s->out[i] = s->f[i] - product;
      else
        s->out[i] = s->u[i] + (n > 0 ? DAMPING / n * (s->f[i] - product) : 0);
    }
}

static void
sweep (const Level *level, const float *u, const float *f, float *out, int what)
{
  Sweep s = { level, u, f, out, what };

  pmt_parallel_for (NULL, (size_t) level->height, ROWS_PER_TASK, sweep_rows, &s);
}

static void
smooth (Level *level, int times)
{
  for (int i = 0; i < times; i++) {
    float *old = level->u;
    sweep (level, level->u, level->f, level->spare, 2);
    level->u = level->spare;
    level->spare = old;
  }
}

/* ---- between levels: a fine cell is 9/16 of its coarse one, 3/16 of the nearer neighbours on both axes and 1/16 of the one between; and
 * the transpose of that downwards, which keeps the cycle symmetric. Beyond the picture the cell itself stands for its neighbour. ---- */

static void
near_cells (const Level *coarse, int x, int y, size_t at[4])
{
  const int cx = x / 2, cy = y / 2;
  const int nx = CLAMP (x % 2 ? cx + 1 : cx - 1, 0, coarse->width - 1), ny = CLAMP (y % 2 ? cy + 1 : cy - 1, 0, coarse->height - 1);
  const size_t w = (size_t) coarse->width;

  at[0] = (size_t) cy * w + (size_t) cx;
  at[1] = (size_t) cy * w + (size_t) nx;
  at[2] = (size_t) ny * w + (size_t) cx;
  at[3] = (size_t) ny * w + (size_t) nx;
}

static const float near_weight[4] = { 9 / 16.0f, 3 / 16.0f, 3 / 16.0f, 1 / 16.0f };

static void
restrict_to (const Level *fine, const float *residual, Level *coarse)
{
  memset (coarse->f, 0, (size_t) coarse->width * (size_t) coarse->height * sizeof (float));
  for (int y = 0; y < fine->height; y++)
    for (int x = 0; x < fine->width; x++) {
      const float r = residual[(size_t) y * (size_t) fine->width + (size_t) x];
      size_t at[4];
      if (r == 0)
        continue;
      near_cells (coarse, x, y, at);
      for (int k = 0; k < 4; k++)
        if (coarse->open[at[k]])
          coarse->f[at[k]] += near_weight[k] * r;
    }
}

typedef struct Lift {
  const Level *coarse;
  Level *fine;
} Lift;

static void
lift_rows (void *user, size_t begin, size_t end)
{
  const Lift *lift = user;
  const int w = lift->fine->width;

  for (size_t y = begin; y < end; y++)
    for (int x = 0; x < w; x++) {
      const size_t i = y * (size_t) w + (size_t) x;
      size_t at[4];
      if (!lift->fine->open[i])
        continue;
      near_cells (lift->coarse, x, (int) y, at);
      for (int k = 0; k < 4; k++)
        lift->fine->u[i] += near_weight[k] * lift->coarse->u[at[k]];
    }
}

/* The level's u, from its f. */
static void
cycle (Grid *grid, int n)
{
  Level *level = &grid->level[n];

  memset (level->u, 0, (size_t) level->width * (size_t) level->height * sizeof (float));
  if (n + 1 == grid->n) {
    smooth (level, LAST_SMOOTHINGS);
    return;
  }
  smooth (level, SMOOTHINGS);
  sweep (level, level->u, level->f, level->spare, 1);
  restrict_to (level, level->spare, &grid->level[n + 1]);
  cycle (grid, n + 1);
  Lift lift = { &grid->level[n + 1], level };
  pmt_parallel_for (NULL, (size_t) level->height, ROWS_PER_TASK, lift_rows, &lift);
  smooth (level, SMOOTHINGS);
}

/* ---- conjugate gradients ---- */

static double
dot (const float *a, const float *b, size_t n)
{
  double sum = 0;

  for (size_t i = 0; i < n; i++)
    sum += (double) a[i] * b[i];
  return sum;
}

/* x solves A x = r; r is used up. direction, product: scratch. */
static void
solve (Grid *grid, float *x, float *r, float *direction, float *product)
{
  Level *top = &grid->level[0];
  const size_t n = (size_t) top->width * (size_t) top->height;
  const double enough = TOLERANCE * TOLERANCE * dot (r, r, n);
  double rho = 0;

  memset (x, 0, n * sizeof (float));
  memset (direction, 0, n * sizeof (float));
  for (int round = 0; round < MOST_ROUNDS && dot (r, r, n) > enough; round++) {
    double last = rho, curve, step;
    memcpy (top->f, r, n * sizeof (float));
    cycle (grid, 0);
    rho = dot (r, top->u, n);
    for (size_t i = 0; i < n; i++)
      direction[i] = (float) (top->u[i] + (round ? rho / last : 0) * direction[i]);
    sweep (top, direction, NULL, product, 0);
    curve = dot (direction, product, n);
    if (!(curve > 0))
      break;
    step = rho / curve;
    for (size_t i = 0; i < n; i++) {
      x[i] += (float) (step * direction[i]);
      r[i] -= (float) (step * product[i]);
    }
  }
}

/* ---- a part of a picture ---- */

static void
grid_clear (Grid *grid)
{
  for (int i = 0; i < grid->n; i++) {
    free (grid->level[i].open);
    free (grid->level[i].u);
    free (grid->level[i].f);
    free (grid->level[i].spare);
  }
}

static gboolean
add_level (Grid *grid, int width, int height, GError **error)
{
  Level *level = &grid->level[grid->n++];
  const size_t n = (size_t) width * (size_t) height;

  level->width = width;
  level->height = height;
  return (level->open = pmt_marks_new (n, error)) && (level->u = pmt_pixels_new (n, error)) && (level->f = pmt_pixels_new (n, error)) &&
         (level->spare = pmt_pixels_new (n, error));
}

static gboolean
add_coarser (Grid *grid, GError **error)
{
  while (grid->n < LEVELS) {
    const Level *fine = &grid->level[grid->n - 1];
    bool any = false;
    Level *coarse;
    if (MIN (fine->width, fine->height) < 2 * LEAST_SIDE)
      return TRUE;
    if (!add_level (grid, (fine->width + 1) / 2, (fine->height + 1) / 2, error))
      return FALSE;
    coarse = &grid->level[grid->n - 1];
    memset (coarse->open, 1, (size_t) coarse->width * (size_t) coarse->height);
    for (int y = 0; y < fine->height; y++)
      for (int x = 0; x < fine->width; x++)
        if (!fine->open[(size_t) y * (size_t) fine->width + (size_t) x])
          coarse->open[(size_t) (y / 2) * (size_t) coarse->width + (size_t) (x / 2)] = 0;
    for (size_t i = 0; !any && i < (size_t) coarse->width * (size_t) coarse->height; i++)
      any = coarse->open[i];
    if (!any)
      return TRUE;
  }
  return TRUE;
}

typedef struct Part {
  PmtBox box; /* the open cells and their neighbours */
  float *values;
  int width, channels;
} Part;

static float *
value_at (const Part *part, int x, int y, int channel)
{
  return part->values + (((size_t) (part->box.y + y) * (size_t) part->width + (size_t) (part->box.x + x)) * (size_t) part->channels +
                         (size_t) channel);
}

/* The right side: what the closed neighbours give. */
static void
gather (const Part *part, const Level *level, int channel, float *r)
{
  for (int y = 0; y < level->height; y++)
    for (int x = 0; x < level->width; x++) {
      const int across[] = { -1, 1, 0, 0 }, down[] = { 0, 0, -1, 1 };
      const size_t i = (size_t) y * (size_t) level->width + (size_t) x;
      float sum = 0;
      for (int k = 0; level->open[i] && k < 4; k++) {
        const int nx = x + across[k], ny = y + down[k];
        if (nx >= 0 && ny >= 0 && nx < level->width && ny < level->height && !level->open[(size_t) ny * (size_t) level->width + (size_t) nx])
          sum += *value_at (part, nx, ny, channel);
      }
      r[i] = sum;
    }
}

static gboolean
solve_part (const Part *part, const uint8_t *open, GError **error)
{
  const size_t n = (size_t) part->box.width * (size_t) part->box.height;
  Grid grid = { .n = 0 };
  float *work = pmt_pixels_new (n * 4, error);
  gboolean good = work && add_level (&grid, part->box.width, part->box.height, error);

  for (int y = 0; good && y < part->box.height; y++)
    for (int x = 0; x < part->box.width; x++)
      grid.level[0].open[(size_t) y * (size_t) part->box.width + (size_t) x] =
        open[(size_t) (part->box.y + y) * (size_t) part->width + (size_t) (part->box.x + x)] != 0;
  good = good && add_coarser (&grid, error);
  for (int c = 0; good && c < part->channels; c++) {
    float *x = work, *r = work + n;
    gather (part, &grid.level[0], c, r);
    solve (&grid, x, r, work + 2 * n, work + 3 * n);
    for (int y = 0; y < part->box.height; y++)
      for (int k = 0; k < part->box.width; k++) {
        const size_t i = (size_t) y * (size_t) part->box.width + (size_t) k;
        if (grid.level[0].open[i])
          *value_at (part, k, y, c) = x[i];
      }
  }
  grid_clear (&grid);
  free (work);
  return good;
}

gboolean
pmt_membrane (float *values, int width, int height, int channels, const uint8_t *open, GError **error)
{
  int left = width, right = -1, top = height, bottom = -1;
  bool closed = false;
  Part part = { .values = values, .width = width, .channels = channels };

  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++) {
      if (!open[(size_t) y * (size_t) width + (size_t) x]) {
        closed = true;
        continue;
      }
      left = MIN (left, x);
      right = MAX (right, x);
      top = MIN (top, y);
      bottom = y;
    }
  if (!closed || right < 0)
    return TRUE;
  left = MAX (left - 1, 0);
  top = MAX (top - 1, 0);
  part.box = (PmtBox) { left, top, MIN (right + 2, width) - left, MIN (bottom + 2, height) - top };
  return solve_part (&part, open, error);
}

gboolean
pmt_membrane_blend (float *patch, const float *picture, const float *blend, int width, int height, GError **error)
{
  const size_t n = (size_t) width * (size_t) height;
  float *difference = pmt_pixels_new (n * 3, error);
  uint8_t *open = difference ? pmt_marks_new (n, error) : NULL;
  bool closed = false;
  gboolean good;

  if (!open) {
    free (difference);
    return FALSE;
  }
  for (size_t i = 0; i < n; i++) {
    open[i] = blend[i] > 0;
    closed = closed || !open[i];
    for (size_t c = 0; !open[i] && c < 3; c++)
      difference[i * 3 + c] = picture[i * 3 + c] - patch[i * 3 + c];
  }
  good = pmt_membrane (difference, width, height, 3, open, error);
  for (size_t i = 0; good && closed && i < n; i++)
    for (size_t c = 0; c < 3; c++)
      patch[i * 3 + c] = open[i] ? CLAMP (patch[i * 3 + c] + difference[i * 3 + c], 0, 1) : picture[i * 3 + c];
  free (difference);
  free (open);
  return good;
}
