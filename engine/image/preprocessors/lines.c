/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Straight lines, in place of the trained detector M-LSD: Canny edges of a blurred picture, then the progressive probabilistic Hough
 * transform (Matas, Galambos & Kittler 2000): edge points vote for lines in random order; as soon as a line has enough votes its segment
 * is followed along the edges, drawn, and its points' votes are taken back. The order comes from a generator of fixed seed, so that
 * a picture always gives the same lines. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/rng.h"
#include "engine/image/gauss.h"
#include "engine/image/preprocessors/common.h"

#define ANGLES 180
#define GAP 5 /* pixels that a segment may jump over */
#define SHIFT 16

static const PmtParam params[] = {
  { "votes", N_("_Votes"), N_("Edge points that a line needs; lower finds more lines."), PMT_PARAM_INT, 5, 1000, 50 },
  { "length", N_("_Length"), N_("Shortest line in pixels; 0 takes a twentieth of the shorter side, at least 20."), PMT_PARAM_INT, 0, 4096, 0 },
  { 0 }
};

typedef struct Hough {
  int width, height, radii; /* distances from the origin: -radii/2 .. radii/2 */
  int votes, length;
  double cosine[ANGLES], sine[ANGLES];
  int *count;    /* [ANGLES, radii] */
  guint8 *edge;  /* [height, width]: still to be explained */
  guint8 *voted; /* [height, width] */
  guint8 *lines; /* [height, width]: the result */
} Hough;

static int *
ballot (const Hough *hough, int angle, int x, int y)
{
  const int radius = (int) lrint (x * hough->cosine[angle] + y * hough->sine[angle]) + hough->radii / 2;

  return hough->count + (size_t) angle * (size_t) hough->radii + radius;
}

/* Votes for all lines through the point, and returns the angle of the best of them. */
static int
vote (Hough *hough, int x, int y, int *most)
{
  int best = 0;

  *most = 0;
  hough->voted[y * hough->width + x] = 1;
  for (int angle = 0; angle < ANGLES; angle++) {
    const int votes = ++*ballot (hough, angle, x, y);
    if (votes > *most) {
      *most = votes;
      best = angle;
    }
  }
  return best;
}

/* A walk along a line in fixed point, one pixel per step along its longer axis. */
typedef struct Walk {
  gint64 x, y, dx, dy;
} Walk;

static Walk
walk_begin (const Hough *hough, int angle, int x, int y, int direction)
{
  const double a = -hough->sine[angle] * direction, b = hough->cosine[angle] * direction, longer = MAX (fabs (a), fabs (b));

  return (Walk) { ((gint64) x << SHIFT) + (1 << (SHIFT - 1)), ((gint64) y << SHIFT) + (1 << (SHIFT - 1)),
                  (gint64) lrint (a / longer * (1 << SHIFT)), (gint64) lrint (b / longer * (1 << SHIFT)) };
}

/* The present pixel; FALSE outside the picture. */
static bool
walk_at (const Hough *hough, const Walk *walk, int *x, int *y)
{
  *x = (int) (walk->x >> SHIFT);
  *y = (int) (walk->y >> SHIFT);
  return *x >= 0 && *x < hough->width && *y >= 0 && *y < hough->height;
}

/* How many steps in this direction there are edge points, with gaps of at most GAP. */
static int
reach (const Hough *hough, Walk walk)
{
  int x, y, steps = 0, last = 0;

  for (; walk_at (hough, &walk, &x, &y) && steps - last <= GAP; steps++, walk.x += walk.dx, walk.y += walk.dy)
    if (hough->edge[y * hough->width + x])
      last = steps;
  return last;
}

/* Takes `steps` and one pixels of the walk out of the edges, and their votes back; draws them when the line is kept. */
static void
consume (Hough *hough, Walk walk, int steps, bool draw)
{
  int x, y;

  for (int i = 0; i <= steps && walk_at (hough, &walk, &x, &y); i++, walk.x += walk.dx, walk.y += walk.dy) {
    const int at = y * hough->width + x;
    if (hough->edge[at] && hough->voted[at] && draw)
      for (int angle = 0; angle < ANGLES; angle++)
        --*ballot (hough, angle, x, y);
    hough->edge[at] = 0;
    if (draw)
      hough->lines[at] = 255;
  }
}

static void
search (Hough *hough, int *points, int n, PmtRng *rng)
{
  while (n > 0) {
    const int pick = (int) (pmt_rng_u32 (rng) % (guint32) n), at = points[pick], x = at % hough->width, y = at / hough->width;
    int most;
    points[pick] = points[--n];
    if (!hough->edge[at])
      continue;
    const int angle = vote (hough, x, y, &most);
    if (most < hough->votes)
      continue;
    const Walk forth = walk_begin (hough, angle, x, y, 1), back = walk_begin (hough, angle, x, y, -1);
    const int steps[2] = { reach (hough, forth), reach (hough, back) };
    const bool keep = steps[0] + steps[1] >= hough->length;
    consume (hough, forth, steps[0], keep);
    consume (hough, back, steps[1], keep);
  }
}

static guint8 *
blurred_edges (const PmtPicture *image, GError **error)
{
  const int w = image->width, h = image->height, n = w * h * 3;
  float *rgb = pmt_preprocess_floats (image, error), *soft = rgb ? pmt_pixels_new ((size_t) n, error) : NULL;
  guint8 *edges = NULL, *bytes = soft ? malloc ((size_t) n) : NULL;

  if (bytes && pmt_gauss_blur (rgb, w, h, 3, 1, 0, soft, error)) {
    for (int i = 0; i < n; i++)
      bytes[i] = (guint8) lrintf (CLAMP (soft[i], 0, 255));
    edges = pmt_canny (bytes, w, h, 3, 50, 150, error);
  } else if (soft && !bytes)
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_MEMORY, _("There is no memory to find lines; make the control picture smaller."));
  free (bytes);
  free (soft);
  free (rgb);
  return edges;
}

static void
hough_clear (Hough *hough)
{
  free (hough->count);
  free (hough->voted);
  free (hough->lines);
  free (hough->edge);
}

static gboolean
run (const PmtPicture *image, const PmtPicture *mask, const PmtParamValues *values, PmtPicture *out, GError **error)
{
  const int w = image->width, h = image->height, length = (int) pmt_param_number (values, "length");
  Hough hough = { .width = w, .height = h, .radii = 2 * (w + h) + 1, .votes = (int) pmt_param_number (values, "votes"),
                  .length = length ? length : MAX (20, MIN (w, h) / 20), .edge = blurred_edges (image, error) };
  if (!hough.edge)
    return FALSE;
  int *points = malloc ((size_t) w * (size_t) h * sizeof (int)), n = 0;
  hough.count = calloc ((size_t) ANGLES * (size_t) hough.radii, sizeof (int));
  hough.voted = calloc ((size_t) w * (size_t) h, 1);
  hough.lines = calloc ((size_t) w * (size_t) h, 1);
  gboolean good = points && hough.count && hough.voted && hough.lines;
  if (good) {
    PmtRng rng;
    pmt_rng_seed (&rng, 1);
    for (int angle = 0; angle < ANGLES; angle++) {
      hough.cosine[angle] = cos (angle * G_PI / ANGLES);
      hough.sine[angle] = sin (angle * G_PI / ANGLES);
    }
    for (int i = 0; i < w * h; i++)
      if (hough.edge[i])
        points[n++] = i;
    search (&hough, points, n, &rng);
    good = pmt_preprocess_from_bytes (hough.lines, image, out, error);
  } else
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_MEMORY, _("There is no memory to find lines; make the control picture smaller."));
  free (points);
  hough_clear (&hough);
  return good;
}

const PmtPreprocessor pmt_preprocessor_lines = {
  .id = "lines",
  .label = N_("Straight lines"),
  .summary = N_("White straight lines along the long edges of buildings and rooms."),
  .controls = "mlsd",
  .params = params,
  .run = run,
};
