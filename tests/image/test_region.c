/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The region's numbers, and the promises of region.h over random selections, against distances found by looking at every pixel. */
#include <math.h>
#include <string.h>

#include "engine/image/picture.h"
#include "engine/image/region.h"

#define CASES 800
#define PROBES 160

static PmtRegion
plan (int canvas_width, int canvas_height, PmtBox selection, double strength, int native)
{
  PmtRegionRequest request = { canvas_width, canvas_height, selection, PMT_CONTEXT_AUTO, -1, -1, { 0 } };
  PmtRegion region;
  GError *error = NULL;

  pmt_region_plan (&request, strength, native, &region, &error);
  g_assert_no_error (error);
  return region;
}

/* A side of the context is a multiple of 8 unless the canvas ends it; these are the figures of the design notes. */
static void
test_worked_examples (void)
{
  int width, height;
  PmtRegion r = plan (3000, 2000, (PmtBox) { 1000, 800, 200, 100 }, 1, 512);

  g_assert_cmpfloat (r.feather, ==, 32);
  g_assert_cmpfloat (r.grow, ==, 20);
  g_assert_cmpfloat (r.blend, ==, 25);
  g_assert_cmpint (r.context.width, ==, 632);
  g_assert_cmpint (r.context.height, ==, 632);
  g_assert_cmpint (r.box.width, ==, 200 + 2 * 36);
  pmt_region_run_size (&r.context, 512, 8, &width, &height);
  g_assert_cmpint (width, ==, 512);
  g_assert_cmpint (height, ==, 512);

  r = plan (6000, 4000, (PmtBox) { 2000, 1500, 600, 400 }, 1, 512);
  g_assert_cmpint (r.context.width, ==, 1392);
  g_assert_cmpint (r.context.height, ==, 1392);

  r = plan (3000, 2000, (PmtBox) { 700, 500, 1500, 1000 }, 1, 512);
  g_assert_cmpint (r.context.width, ==, 3000);
  g_assert_cmpint (r.context.height, ==, 2000);

  /* what is chosen for a huge selection can be asked for again */
  r = plan (30000, 20000, (PmtBox) { 1000, 1000, 20000, 15000 }, 1, 512);
  g_assert_cmpfloat (r.feather, ==, 1000);
  g_assert_cmpfloat (r.grow, ==, 504);

  /* the result box alone when the picture shines through anyway */
  r = plan (3000, 2000, (PmtBox) { 1000, 800, 200, 100 }, 0.999, 512);
  g_assert_cmpint (r.context.width, ==, 304);
  g_assert_cmpint (r.context.height, ==, 256);

  /* a network of a quarter of the side: a quarter of the floors; the canvas ends the short side and the long one follows it */
  r = plan (320, 240, (PmtBox) { 100, 80, 40, 30 }, 1, 128);
  g_assert_cmpfloat (r.feather, ==, 8);
  g_assert_cmpfloat (r.grow, ==, 5);
  g_assert_cmpfloat (r.blend, ==, 6.25);
  r = plan (320, 240, (PmtBox) { 100, 60, 90, 90 }, 1, 128);
  g_assert_cmpint (r.context.width, ==, 240);
  g_assert_cmpint (r.context.height, ==, 240);
}

static void
test_nothing_selected_is_everything (void)
{
  PmtRegion r = plan (70, 50, (PmtBox) { 0 }, 1, 512);
  g_autofree float *selection = g_new0 (float, 70 * 50), *denoise = g_new0 (float, 70 * 50), *blend = g_new0 (float, 70 * 50);
  GError *error = NULL;

  g_assert_true (r.everything);
  g_assert_cmpint (r.box.width * r.box.height, ==, 70 * 50);
  g_assert_cmpint (r.context.width * r.context.height, ==, 70 * 50);
  pmt_region_masks (&r, selection, denoise, blend, &error);
  g_assert_no_error (error);
  for (int i = 0; i < 70 * 50; i++)
    g_assert_true (denoise[i] == 1 && blend[i] == 1);
}

typedef struct Refusal {
  PmtRegionRequest request;
  double strength;
  int native;
  const char *names; /* must be in the sentence */
} Refusal;

static void
test_refusals (void)
{
  const Refusal cases[] = {
    { { 0, 10, { 0 }, PMT_CONTEXT_AUTO, -1, -1, { 0 } }, 1, 512, "canvas" },
    { { 10, 70000, { 0 }, PMT_CONTEXT_AUTO, -1, -1, { 0 } }, 1, 512, "canvas" },
    { { 10, 10, { 5, 5, 6, 1 }, PMT_CONTEXT_AUTO, -1, -1, { 0 } }, 1, 512, "selection" },
    { { 10, 10, { -1, 0, 3, 3 }, PMT_CONTEXT_AUTO, -1, -1, { 0 } }, 1, 512, "selection" },
    { { 10, 10, { 1, 1, 2147483647, 3 }, PMT_CONTEXT_AUTO, -1, -1, { 0 } }, 1, 512, "selection" },
    { { 10, 10, { 1, 1, 3, 3 }, PMT_CONTEXT_AUTO, -1, -1, { 0, 0, 11, 3 } }, 1, 512, "context" },
    { { 99, 99, { 9, 9, 3, 3 }, PMT_CONTEXT_AUTO, 1, 4, { 8, 8, 5, 5 } }, 1, 512, "context" },
    { { 99, 99, { 9, 9, 3, 3 }, PMT_CONTEXT_AUTO, 1001, 4, { 0 } }, 1, 512, "grow" },
    { { 99, 99, { 9, 9, 3, 3 }, PMT_CONTEXT_AUTO, NAN, 4, { 0 } }, 1, 512, "grow" },
    { { 99, 99, { 9, 9, 3, 3 }, PMT_CONTEXT_AUTO, 1, INFINITY, { 0 } }, 1, 512, "feather" },
    { { 99, 99, { 9, 9, 3, 3 }, PMT_CONTEXT_AUTO, 1, 4, { 0 } }, 0, 512, "strength" },
    { { 99, 99, { 9, 9, 3, 3 }, PMT_CONTEXT_AUTO, 1, 4, { 0 } }, NAN, 512, "strength" },
    { { 99, 99, { 9, 9, 3, 3 }, PMT_CONTEXT_AUTO, 1, 4, { 0 } }, 1, 0, "native" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    PmtRegion region;
    g_autoptr (GError) error = NULL;

    g_assert_false (pmt_region_plan (&cases[i].request, cases[i].strength, cases[i].native, &region, &error));
    g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
    g_assert_nonnull (strstr (error->message, cases[i].names));
  }
}

static void
test_run_sizes (void)
{
  GRand *rand = g_rand_new_with_seed (11);

  for (int i = 0; i < 3000; i++) {
    int native = (const int[]) { 64, 128, 256, 512, 768 }[g_rand_int_range (rand, 0, 5)];
    PmtBox box = { 0, 0, g_rand_int_range (rand, 1, 4000), g_rand_int_range (rand, 1, 4000) };
    int width = 0, height = 0, multiple = 8;
    double aspect = (double) box.width / box.height, area, unit = (double) native * native;

    pmt_region_run_size (&box, native, multiple, &width, &height);
    area = (double) width * height;
    g_assert_true (width % multiple == 0 && height % multiple == 0 && width > 0 && height > 0);
    g_assert_cmpint (MAX (width, height), <=, native * 3 / 2);
    g_assert_cmpfloat (area, <=, 1.5 * unit);
    /* wide aspects lose area to the cap on the long side */
    if (aspect < 2 && aspect > 0.5) {
      g_assert_cmpfloat (area, >=, 0.75 * unit);
      g_assert_cmpfloat (fabs (log ((double) width / height / aspect)), <, 1.5 * multiple / MIN (width, height) + 0.03);
    }
  }
  g_rand_free (rand);

  const struct {
    int w, h, native, width, height;
  } fixed[] = {
    { 512, 512, 512, 512, 512 }, { 510, 515, 512, 512, 512 },  { 768, 512, 512, 768, 512 }, { 608, 608, 512, 608, 608 },
    { 100, 100, 512, 512, 512 }, { 3000, 2000, 512, 624, 416 }, { 240, 240, 128, 128, 128 }, { 128, 128, 128, 128, 128 },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (fixed); i++) {
    PmtBox box = { 0, 0, fixed[i].w, fixed[i].h };
    int width, height;

    pmt_region_run_size (&box, fixed[i].native, 8, &width, &height);
    g_test_message ("%dx%d at %d: %dx%d", fixed[i].w, fixed[i].h, fixed[i].native, width, height);
    g_assert_cmpint (width, ==, fixed[i].width);
    g_assert_cmpint (height, ==, fixed[i].height);
  }
}

/* A random selection: some rectangles and ovals, hard, soft or speckled. */
static void
draw_selection (GRand *rand, float *selection, int width, int height)
{
  int shapes = g_rand_int_range (rand, 1, 4);

  memset (selection, 0, (gsize) width * height * sizeof (float));
  for (int s = 0; s < shapes; s++) {
    double cx = g_rand_double_range (rand, 0, width), cy = g_rand_double_range (rand, 0, height);
    double rx = g_rand_double_range (rand, 0.6, width / 3.0), ry = g_rand_double_range (rand, 0.6, height / 3.0);
    int kind = g_rand_int_range (rand, 0, 4);

    for (int y = 0; y < height; y++)
      for (int x = 0; x < width; x++) {
        double u = fabs (x - cx) / rx, v = fabs (y - cy) / ry, d = kind == 0 ? MAX (u, v) : hypot (u, v);
        float value = d < 1 ? 1 : 0;

        if (kind == 2)
          value = (float) CLAMP (2 - 2 * d, 0, 1);
        else if (kind == 3 && g_rand_double (rand) < 0.9)
          value = 0;
        selection[y * width + x] = MAX (selection[y * width + x], value);
      }
  }
}

/* Distance from (x, y) to the nearest selected pixel, looking at all of them. */
static double
nearest (const float *selection, int width, int height, int x, int y)
{
  double best = 1e18;

  for (int j = 0; j < height; j++)
    for (int i = 0; i < width; i++)
      if (selection[j * width + i] > 0)
        best = MIN (best, (double) (i - x) * (i - x) + (double) (j - y) * (j - y));
  return sqrt (best);
}

static void
check_boxes (const PmtRegionRequest *q, const PmtRegion *r)
{
  const PmtBox *s = &q->selection, *b = &r->box, *c = &r->context;

  g_assert_true (c->x >= 0 && c->y >= 0 && c->x + c->width <= q->canvas_width && c->y + c->height <= q->canvas_height);
  g_assert_true (b->x >= c->x && b->y >= c->y && b->x + b->width <= c->x + c->width && b->y + b->height <= c->y + c->height);
  g_assert_true (s->x >= b->x && s->y >= b->y && s->x + s->width <= b->x + b->width && s->y + s->height <= b->y + b->height);
  if (q->mode == PMT_CONTEXT_WHOLE && q->context.width == 0)
    g_assert_true (c->width == q->canvas_width && c->height == q->canvas_height);
}

/* One random request and its masks; returns how many blend values between 0 and 1 were met. */
static int
check_case (GRand *rand, int number)
{
  int width = g_rand_int_range (rand, 1, 97), height = g_rand_int_range (rand, 1, 81), soft = 0;
  int native = (const int[]) { 64, 128, 256, 512 }[g_rand_int_range (rand, 0, 4)];
  double strength = g_rand_boolean (rand) ? 1 : g_rand_double_range (rand, 0.05, 1), support;
  g_autofree float *canvas = g_new0 (float, (gsize) width * height), *selection = NULL, *denoise = NULL, *blend = NULL;
  PmtRegionRequest request = { .canvas_width = width, .canvas_height = height, .mode = g_rand_int_range (rand, 0, 3) };
  gboolean automatic = g_rand_boolean (rand);
  PmtRegion r;
  GError *error = NULL;
  gsize n;

  draw_selection (rand, canvas, width, height);
  request.selection = pmt_mask_bounds (canvas, width, height);
  if (!request.selection.width)
    return 0;
  request.grow = automatic ? -1 : g_rand_double_range (rand, 0, 15);
  request.feather = automatic ? -1 : g_rand_boolean (rand) ? 0 : g_rand_double_range (rand, 0, 40);
  pmt_region_plan (&request, strength, native, &r, &error);
  g_assert_no_error (error);
  check_boxes (&request, &r);
  g_assert_false (r.everything);

  n = (gsize) r.context.width * (gsize) r.context.height;
  selection = g_new0 (float, n);
  denoise = g_new0 (float, n);
  blend = g_new0 (float, n);
  for (int y = 0; y < r.context.height; y++)
    memcpy (selection + y * r.context.width, canvas + (r.context.y + y) * width + r.context.x,
            (gsize) r.context.width * sizeof (float));
  pmt_region_masks (&r, selection, denoise, blend, &error);
  g_assert_no_error (error);

  support = r.grow + r.feather / 2;
  for (int p = 0; p < PROBES; p++) {
    int x = g_rand_int_range (rand, 0, width), y = g_rand_int_range (rand, 0, height);
    int cx = x - r.context.x, cy = y - r.context.y;
    gboolean inside = cx >= 0 && cy >= 0 && cx < r.context.width && cy < r.context.height;
    double d = nearest (canvas, width, height, x, y);
    float chosen = canvas[y * width + x];
    float den = inside ? denoise[cy * r.context.width + cx] : 0, mix = inside ? blend[cy * r.context.width + cx] : 0;

    gboolean good = den >= 0 && den <= 1 && mix >= 0 && mix <= 1;

    /* what is asked of everyone is nothing beyond grow + feather; the header promises half of that feather */
    if (d > r.grow + r.feather || d > support)
      good = good && den == 0 && mix == 0;
    if (chosen == 1)
      good = good && mix == 1;
    if (chosen == 1 && r.grow >= r.feather / 2)
      good = good && den == 1;
    if (support > 0 && d <= support - r.blend)
      good = good && mix == 1;
    if (support == 0)
      good = good && mix == den && (mix == chosen || (chosen > 0.99f && mix == 1));
    if (!good)
      g_error ("case %d at %d,%d: distance %g, grow %g, feather %g, blend %g, selection %g, denoise %g, blend %g", number, x, y, d,
               r.grow, r.feather, r.blend, chosen, den, mix);
    if (mix > 0) {
      g_assert_true (x >= r.box.x && y >= r.box.y && x < r.box.x + r.box.width && y < r.box.y + r.box.height);
      soft += mix < 1;
    }
  }
  return soft;
}

static void
test_promises_over_random_selections (void)
{
  GRand *rand = g_rand_new_with_seed (20260101);
  int soft = 0;

  for (int i = 0; i < CASES; i++)
    soft += check_case (rand, i);
  /* the probes did meet the soft border, not only 0 and 1 */
  g_assert_cmpint (soft, >, CASES);
  g_rand_free (rand);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/image/region/worked-examples", test_worked_examples);
  g_test_add_func ("/image/region/nothing-selected-is-everything", test_nothing_selected_is_everything);
  g_test_add_func ("/image/region/refusals", test_refusals);
  g_test_add_func ("/image/region/run-sizes", test_run_sizes);
  g_test_add_func ("/image/region/promises-over-random-selections", test_promises_over_random_selections);
  return g_test_run ();
}
