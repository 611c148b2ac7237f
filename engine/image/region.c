/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/image/region.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/image/mask.h"
#include "engine/image/picture.h"

/* Pixels of a network with 512 a side; others scale them. */
#define FEATHER_FLOOR 32.0
#define GROW_FLOOR 4.0
#define BLEND_CAP 25.0
#define RESULT_SIDE 256.0
#define RESULT_STEP 16
#define CONTEXT_STEP 8
#define MOST_PIXELS 1000.0 /* grow and feather, given or automatic */

static gboolean
check_box (const PmtBox *box, int width, int height, const char *what, GError **error)
{
  if (box->x >= 0 && box->y >= 0 && box->width >= 1 && box->height >= 1 && box->width <= width - box->x &&
      box->height <= height - box->y)
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
               _("The region's %s [%d, %d, %d, %d] does not lie inside the canvas of %d×%d pixels."), what, box->x, box->y,
               box->width, box->height, width, height);
  return FALSE;
}

static gboolean
check_request (const PmtRegionRequest *request, double strength, int native, GError **error)
{
  if (request->canvas_width < 1 || request->canvas_height < 1 || request->canvas_width > PMT_PICTURE_MAX_SIDE ||
      request->canvas_height > PMT_PICTURE_MAX_SIDE) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("A canvas of %d×%d pixels cannot be filled; sides go from 1 to %d pixels."),
                 request->canvas_width, request->canvas_height, PMT_PICTURE_MAX_SIDE);
    return FALSE;
  }
  if (!(strength > 0 && strength <= 1)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The strength %g is not above 0 and at most 1."), strength);
    return FALSE;
  }
  if (!(request->grow <= MOST_PIXELS) || !(request->feather <= MOST_PIXELS)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The region's grow and feather can be at most %g pixels; -1 chooses them."),
                 MOST_PIXELS);
    return FALSE;
  }
  if (native < 8) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The model's native size of %d pixels is too small."), native);
    return FALSE;
  }
  return (request->selection.width <= 0 ||
          check_box (&request->selection, request->canvas_width, request->canvas_height, "selection", error)) &&
         (request->context.width <= 0 ||
          check_box (&request->context, request->canvas_width, request->canvas_height, "context", error));
}

/* A side of at least `length` that starts at or before `begin` and ends at or after begin + inner, slid into [0, limit). */
static void
place (int begin, int inner, double length, int step, int limit, int *at, int *size)
{
  int wanted = (int) ceil (length / step) * step;
  int start;

  wanted = MIN (MAX (wanted, inner), limit);
  start = begin + inner / 2 - wanted / 2;
  start = CLAMP (start, begin + inner - wanted, begin);
  *at = CLAMP (start, 0, limit - wanted);
  *size = wanted;
}

/* The selection with room for the soft edge and a bit of surroundings. */
static PmtBox
result_box (const PmtRegionRequest *request, const PmtRegion *region, double k)
{
  const PmtBox *s = &request->selection;
  double diagonal = hypot (s->width, s->height);
  /* grow + feather / 2 is inside the pad when the numbers are automatic, and is seen to when they are not */
  double pad = MAX (region->feather + GROW_FLOOR * k + 0.06 * diagonal, ceil (region->grow + region->feather / 2));
  double least = RESULT_SIDE * k;
  int step = MAX (CONTEXT_STEP, (int) (RESULT_STEP * k));
  PmtBox box;

  place (region->box.x, region->box.width, MAX (s->width + 2 * pad, least), step, request->canvas_width, &box.x, &box.width);
  place (region->box.y, region->box.height, MAX (s->height + 2 * pad, least), step, request->canvas_height, &box.y,
         &box.height);
  return box;
}

/* The result box with surroundings for the network to go by. It squares up: both axes get the length that the shorter one wants (or
 * that the canvas leaves it), but at least half the pad. */
static PmtBox
auto_context (const PmtRegionRequest *request, PmtBox result, int native)
{
  double pad = MAX (MAX (request->canvas_width, request->canvas_height) / 16.0, (result.width + result.height) / 4.0);
  double square = MIN (MIN (result.width, result.height) + 2 * pad, MIN (request->canvas_width, request->canvas_height));
  PmtBox box;

  square = MAX (square, native);
  place (result.x, result.width, MAX (result.width + pad, square), CONTEXT_STEP, request->canvas_width, &box.x, &box.width);
  place (result.y, result.height, MAX (result.height + pad, square), CONTEXT_STEP, request->canvas_height, &box.y, &box.height);
  return box;
}

static void
choose_numbers (const PmtRegionRequest *request, double strength, double k, PmtRegion *region)
{
  double diagonal = hypot (request->selection.width, request->selection.height);

  region->feather = request->feather >= 0 ? request->feather : MIN (MAX (0.1 * strength * diagonal, FEATHER_FLOOR * k), MOST_PIXELS);
  if (request->grow >= 0)
    region->grow = request->grow;
  else
    region->grow = region->feather > 0 ? MIN (GROW_FLOOR * k + region->feather / 2, MOST_PIXELS) : 0;
  region->blend = MIN (BLEND_CAP * k, region->grow + region->feather / 2);
}

gboolean
pmt_region_plan (const PmtRegionRequest *request, double strength, int native, PmtRegion *region, GError **error)
{
  const PmtBox *s = &request->selection;
  PmtBox canvas = { 0, 0, request->canvas_width, request->canvas_height }, result;
  double k = native / 512.0;
  int reach, right, bottom;

  memset (region, 0, sizeof *region);
  if (!check_request (request, strength, native, error))
    return FALSE;
  if (s->width <= 0) {
    region->everything = true;
    region->box = region->context = canvas;
  } else {
    choose_numbers (request, strength, k, region);
    reach = (int) ceil (region->grow + region->feather / 2);
    region->box.x = MAX (s->x - reach, 0);
    region->box.y = MAX (s->y - reach, 0);
    right = MIN (s->x + s->width + reach, canvas.width);
    bottom = MIN (s->y + s->height + reach, canvas.height);
    region->box.width = right - region->box.x;
    region->box.height = bottom - region->box.y;
    result = result_box (request, region, k);
    region->context = canvas;
    if (request->mode == PMT_CONTEXT_SELECTION || (request->mode == PMT_CONTEXT_AUTO && strength < 1))
      region->context = result;
    else if (request->mode == PMT_CONTEXT_AUTO)
      region->context = auto_context (request, result, native);
  }
  if (request->context.width > 0) {
    const PmtBox *c = &request->context, *b = &region->box;
    if (c->x > b->x || c->y > b->y || c->x + c->width < b->x + b->width || c->y + c->height < b->y + b->height) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                   _("The region's context [%d, %d, %d, %d] does not cover what will be changed, [%d, %d, %d, %d]; enlarge it or "
                     "lower grow and feather."),
                   c->x, c->y, c->width, c->height, b->x, b->y, b->width, b->height);
      return FALSE;
    }
    region->context = *c;
  }
  return TRUE;
}

/* Sides in multiples of m; false when that bends the aspect by more than 3 % or breaks a cap. */
static bool
round_to (double w, double h, int m, double area_cap, double side_cap, int least, int *width, int *height)
{
  double rw = MAX (floor (w / m + 0.5), 1) * m, rh = MAX (floor (h / m + 0.5), 1) * m;

  if (rw * rh > area_cap || MAX (rw, rh) > side_cap || MIN (rw, rh) < least || fabs (log (rw / rh * h / w)) > 0.03)
    return false;
  *width = (int) rw;
  *height = (int) rh;
  return true;
}

void
pmt_region_run_size (const PmtBox *context, int native, int multiple, int *width, int *height)
{
  double w = context->width, h = context->height, area = w * h, unit = (double) native * native;
  double side_cap = 1.5 * native, area_cap = 1.5 * unit, scale;
  int least = MAX (multiple, native / 4 / multiple * multiple), coarse = native / 8 / multiple * multiple;

  if (area < unit || area > area_cap || MAX (w, h) > side_cap) {
    scale = MIN (sqrt (unit / area), side_cap / MAX (w, h));
    w *= scale;
    h *= scale;
  }
  if (coarse > multiple && round_to (w, h, coarse, area_cap, side_cap, least, width, height))
    return;
  if (round_to (w, h, multiple, area_cap, side_cap, least, width, height))
    return;
  *width = MAX ((int) (w / multiple) * multiple, least);
  *height = MAX ((int) (h / multiple) * multiple, least);
}

gboolean
pmt_region_masks (const PmtRegion *region, const float *selection, float *denoise, float *blend, GError **error)
{
  int width = region->context.width, height = region->context.height;
  size_t n = (size_t) width * (size_t) height;
  double support = region->grow + region->feather / 2;
  gint32 *squared;
  gboolean good;

  if (region->everything) {
    for (size_t i = 0; i < n; i++)
      denoise[i] = blend[i] = 1;
    return TRUE;
  }
  if (support <= 0) {
    for (size_t i = 0; i < n; i++)
      denoise[i] = blend[i] = selection[i] > 0.99f ? 1 : CLAMP (selection[i], 0, 1);
    return TRUE;
  }

  /* The blur's square reaches 2 sqrt(2) half at its corners; that stays within feather / 2. */
  good = pmt_mask_dilate (selection, width, height, region->grow, denoise, error) &&
         pmt_mask_blur (denoise, width, height, (int) (region->feather / (4 * G_SQRT2)), error);
  if (!good)
    return FALSE;
  for (size_t i = 0; i < n; i++)
    denoise[i] = denoise[i] > 0.99f ? 1 : CLAMP (denoise[i], 0, 1);

  squared = malloc (n * sizeof (gint32));
  if (!squared) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_MEMORY, _("There is no memory for the blend mask (%zu MB); close other programs."),
                 (n * sizeof (gint32)) >> 20);
    return FALSE;
  }
  good = pmt_mask_distance (selection, width, height, 0, squared, error);
  for (size_t i = 0; good && i < n; i++) {
    double x = (support - sqrt (squared[i])) / region->blend;
    x = CLAMP (x, 0, 1);
    blend[i] = squared[i] == 0 ? 1 : (float) (x * x * (3 - 2 * x));
  }
  free (squared);
  return good;
}
