/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/cli/bench-scaling.h"

#include <stdio.h>

#include "engine/base/clock.h"
#include "engine/base/cpu.h"
#include "engine/base/error.h"
#include "engine/base/threads.h"
#include "engine/cli/cli.h"
#include "engine/kernels/packed.h"

static const int sides[] = { 256, 384, 512, 768, 1024 };
enum { SIDES = G_N_ELEMENTS (sides), QUICK_SIDES = 3, ROWS = 4, QUICK_ROWS = 2, TRIES = 3, ROUNDS = 3 };
/* What may be lost from one line to the next: less is noise. */
static const double tolerance = 0.10;

typedef struct Cell {
  int threads, side, rows;
  double seconds, flop, ceiling;
  bool fits, grows; /* grows: faster than its work, as against a smaller one */
} Cell;

/* Of the cells before, on as many threads, those that are one size or one row smaller. */
static bool
costs_more (const Cell *cells, const Cell *now)
{
  const Cell *before[2] = { NULL, NULL };
  bool more = false;
  for (const Cell *c = cells; c < now; c++) {
    if (c->threads != now->threads || !c->fits)
      continue;
    if (c->rows == now->rows && c->side < now->side)
      before[0] = c;
    if (c->side == now->side && c->rows == now->rows - 1)
      before[1] = c;
  }
  for (int i = 0; i < 2; i++)
    more = more || (before[i] && now->seconds / before[i]->seconds > (1 + tolerance) * now->flop / before[i]->flop);
  return more;
}

/* What looks too slow is timed again: only noise goes away so. */
static gboolean
measure_cell (PmtBench *b, const Cell *cells, Cell *now, GError **error)
{
  b->width = b->height = now->side;
  b->rows = now->rows;
  for (int i = 0; i < TRIES && (!now->fits || now->grows); i++) {
    GError *failed = NULL;
    if (!pmt_bench_time (b, PMT_BENCH_UNET, false, &failed)) {
      if (!g_error_matches (failed, PMT_ERROR, PMT_ERROR_MEMORY)) {
        g_propagate_error (error, failed);
        return FALSE;
      }
      g_error_free (failed);
      return TRUE;
    }
    const PmtBenchPart *all = &b->timing[PMT_BENCH_UNET].all;
    now->seconds = now->fits ? MIN (now->seconds, all->seconds) : all->seconds;
    now->flop = all->flop;
    now->fits = true;
    now->grows = costs_more (cells, now);
  }
  return TRUE;
}

/* A machine's neighbours stay for minutes, so that what still looks too slow is timed once more when everything else was. */
static gboolean
measure_again (PmtBench *b, Cell *cells, int first, int n, GError **error)
{
  bool left = true;
  for (int round = 0; round < ROUNDS && left; round++) {
    left = false;
    for (int i = first; i < n; i++) {
      cells[i].grows = cells[i].fits && costs_more (cells, &cells[i]); /* a smaller one may have become faster meanwhile */
      if (cells[i].grows && !measure_cell (b, cells, &cells[i], error))
        return FALSE;
      left = left || cells[i].grows;
    }
  }
  return TRUE;
}

/* All sizes and rows on the pool's present threads, between two ceilings. The first run, which is not kept, loads the weights. */
static gboolean
measure_threads (PmtBench *b, bool quick, Cell *cells, int *n, GError **error)
{
  const int first = *n, runs = b->runs;
  b->ceiling = (PmtCeiling) { 0 };
  b->width = b->height = sides[0];
  b->rows = b->runs = 1;
  const gboolean warm = pmt_bench_measure_ceiling (b, error) && pmt_bench_time (b, PMT_BENCH_UNET, false, error);
  b->runs = runs;
  if (!warm)
    return FALSE;
  for (int i = 0; i < (quick ? QUICK_SIDES : SIDES); i++)
    for (int rows = 1; rows <= (quick ? QUICK_ROWS : ROWS); rows++) {
      cells[*n] = (Cell) { .threads = pmt_threads (), .side = sides[i], .rows = rows };
      if (!measure_cell (b, cells, &cells[*n], error))
        return FALSE;
      (*n)++;
    }
  if (!measure_again (b, cells, first, *n, error) || !pmt_bench_measure_ceiling (b, error))
    return FALSE;
  for (int i = first; i < *n; i++)
    cells[i].ceiling = pmt_bench_ceiling_of (b, PMT_BENCH_UNET);
  return TRUE;
}

static double
speed_of (const Cell *c)
{
  return pmt_bench_speed (&(PmtBenchPart) { .seconds = c->seconds, .flop = c->flop });
}

static void
print_text (const PmtBench *b, const Cell *cells, int n)
{
  printf ("%s, %s, UNet, products in %s; seconds on one thread are the processor's\n", pmt_cpu_model (), pmt_model_path (b->model),
          pmt_precision_name (pmt_model_precision (b->model)));
  printf ("%7s %10s %5s %10s %10s %9s %8s\n", "threads", "size", "rows", "seconds", "GFLOP", "GFLOP/s", "of best");
  for (const Cell *c = cells; c < cells + n; c++) {
    printf ("%7d %5dx%-4d %5d ", c->threads, c->side, c->side, c->rows);
    if (c->fits)
      printf ("%10.4f %10.2f %9.1f %7.0f%%%s\n", c->seconds, c->flop * 1e-9, speed_of (c), 100 * speed_of (c) / c->ceiling, c->grows ? "   grows faster than its work" : "");
    else
      printf ("does not fit into memory\n");
  }
}

static void
print_json (const PmtBench *b, const Cell *cells, int n, bool grows)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();
  JsonArray *array = json_array_new ();
  json_object_set_string_member (object, "cpu", pmt_cpu_model ());
  json_object_set_string_member (object, "model", pmt_model_path (b->model));
  json_object_set_string_member (object, "precision", pmt_precision_name (pmt_model_precision (b->model)));
  for (const Cell *c = cells; c < cells + n; c++) {
    JsonObject *cell = json_object_new ();
    json_object_set_int_member (cell, "threads", c->threads);
    json_object_set_int_member (cell, "width", c->side);
    json_object_set_int_member (cell, "height", c->side);
    json_object_set_int_member (cell, "rows", c->rows);
    json_object_set_boolean_member (cell, "fits", c->fits);
    if (c->fits) {
      json_object_set_double_member (cell, "seconds", c->seconds);
      json_object_set_double_member (cell, "gflop", c->flop * 1e-9);
      json_object_set_double_member (cell, "gflops", speed_of (c));
      json_object_set_double_member (cell, "of_ceiling", speed_of (c) / c->ceiling);
      json_object_set_boolean_member (cell, "grows_faster_than_work", c->grows);
    }
    json_array_add_object_element (array, cell);
  }
  json_object_set_array_member (object, "scaling", array);
  json_object_set_boolean_member (object, "grows_faster_than_work", grows);
  json_node_take_object (node, object);
  pmt_cli_print_json (node);
}

/* The last line, or the error. */
static gboolean
judge (const Cell *cells, int n, bool json, GError **error)
{
  g_autoptr (GString) where = g_string_new (NULL);
  for (const Cell *c = cells; c < cells + n; c++)
    if (c->grows)
      g_string_append_printf (where, "%s%dx%d with %d rows on %d threads", where->len ? ", " : "", c->side, c->side, c->rows, c->threads);
  if (where->len) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED, "Time grows faster than work: %s; measure again with nothing else running before you look for the reason.", where->str);
    return FALSE;
  }
  if (!json)
    printf ("OK: time grows no faster than work\n");
  return TRUE;
}

gboolean
pmt_bench_scaling (PmtBench *b, bool quick, bool json, GError **error)
{
  const int all = pmt_threads (), counts[] = { 1, all };
  Cell cells[2 * SIDES * ROWS];
  int n = 0;
  gboolean good = pmt_bench_open (b, error);
  for (int i = 0; i < (all > 1 ? 2 : 1) && good; i++) {
    pmt_threads_set (counts[i]);
    good = measure_threads (b, quick, cells, &n, error);
  }
  bool grows = false;
  for (int i = 0; i < n; i++)
    grows = grows || cells[i].grows;
  if (good && json)
    print_json (b, cells, n, grows);
  else if (good)
    print_text (b, cells, n);
  return good && judge (cells, n, json, error);
}
