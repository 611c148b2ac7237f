/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One thing after the other (Cho et al. 2023, "Diagnostic benchmark and iterative inpainting for layout-guided image generation"): each box
 * or region is a run of its own that paints its words there and nothing elsewhere; the last run paints what lies outside them all. So the
 * count of things and their places are what was asked for, at the price of a run for each. */
#include <math.h>

#include "engine/sample/run.h"

static const PmtParamChoice orders[] = {
  { "given", N_("As given") },
  { "top-down", N_("From the top down") },
  { "bottom-up", N_("From the bottom up") },
  { NULL, NULL },
};
enum { GIVEN, TOP_DOWN, BOTTOM_UP };

static const PmtParam params[] = {
  { .id = "order", .label = N_("_Order"), .help = N_("Which thing is painted first"), .type = PMT_PARAM_CHOICE, .text = "given", .choices = orders },
  { .id = "say", .label = N_("_Say first"),
    .help = N_("Words before each thing's own, for models that were taught to add things, as in: Add"), .type = PMT_PARAM_STRING, .text = "" },
  { .id = "background", .label = N_("_Background"), .help = N_("What is painted around the things; empty: what the prompt says"),
    .type = PMT_PARAM_STRING, .text = "" },
  { 0 }
};

/* The request's boxes, then its regions. */
static PmtRegionPrompt
thing (const PmtRequest *q, int i)
{
  if (i >= q->layout.n_boxes)
    return q->regions[i - q->layout.n_boxes];
  const PmtLayoutBox *box = &q->layout.boxes[i];
  return (PmtRegionPrompt) { .x0 = box->x0, .y0 = box->y0, .x1 = box->x1, .y1 = box->y1, .prompt = box->phrase };
}

static bool
holds (const PmtRequest *q, const PmtRegionPrompt *r, int y, int x)
{
  if (r->mask)
    return r->mask[(size_t) y * (size_t) q->width + (size_t) x] >= 0.5f;
  const double v = (y + 0.5) / q->height, u = (x + 0.5) / q->width;
  return u >= r->x0 && u < r->x1 && v >= r->y0 && v < r->y1;
}

/* A latent cell of every model that loads is so many pixels wide: less than one is not painted. */
enum { CELL = 8 };

static gboolean
check (const PmtRequest *q, const PmtRegionPrompt *r, int number, GError **error)
{
  g_autofree char *words = g_strstrip (g_strdup (r->prompt ? r->prompt : ""));
  if (!*words) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("In the method iterative-inpaint, area %d has no words; say what shall be in it."), number);
    return FALSE;
  }
  if (r->mask)
    return TRUE;
  if (r->x0 >= 0 && r->y0 >= 0 && r->x1 <= 1 && r->y1 <= 1 && r->x0 < r->x1 && r->y0 < r->y1) {
    if ((r->x1 - r->x0) * q->width >= CELL && (r->y1 - r->y0) * q->height >= CELL)
      return TRUE;
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("The box for \"%s\" is less than %d pixels wide or high, too small to paint in; make it larger, or leave it out."), words, CELL);
    return FALSE;
  }
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
               _("The box for \"%s\" is %g,%g,%g,%g; give left, top, right and bottom as parts of the picture, from 0 to 1."), words, r->x0, r->y0,
               r->x1, r->y1);
  return FALSE;
}

static int
passes (const PmtRequest *q, const PmtParamValues *values, GError **error)
{
  const int n = q->layout.n_boxes + q->n_regions;
  if (n == 0) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT,
                         _("The method iterative-inpaint paints things in their places and there are none; give boxes or regions."));
    return -1;
  }
  for (int i = 0; i < n; i++) {
    const PmtRegionPrompt r = thing (q, i);
    if (!check (q, &r, i + 1, error))
      return -1;
  }
  return n + 1;
}

/* Where the thing's middle is, from the top. */
static double
height_of (const PmtRequest *q, const PmtRegionPrompt *r, bool dry)
{
  double sum = 0, n = 0;
  if (!r->mask || dry)
    return (r->y0 + r->y1) / 2;
  for (int y = 0; y < q->height; y++)
    for (int x = 0; x < q->width; x++)
      if (holds (q, r, y, x)) {
        sum += (y + 0.5) / q->height;
        n++;
      }
  return n > 0 ? sum / n : 0;
}

/* Which thing is the i-th; of two at one height the earlier one. */
static int
in_order (const PmtRequest *q, int order, int i, bool dry)
{
  const int n = q->layout.n_boxes + q->n_regions;
  g_autofree double *key = g_new (double, n);
  for (int k = 0; k < n; k++) {
    const PmtRegionPrompt r = thing (q, k);
    key[k] = order == GIVEN ? 0 : height_of (q, &r, dry) * (order == TOP_DOWN ? 1 : -1);
  }
  for (int k = 0; k < n; k++) {
    int before = 0;
    for (int m = 0; m < n; m++)
      before += key[m] < key[k] || (key[m] == key[k] && m < k);
    if (before == i)
      return k;
  }
  g_assert_not_reached ();
}

static void
pass (const PmtRequest *q, const PmtParamValues *values, int i, char **prompt, float *area)
{
  const int n = q->layout.n_boxes + q->n_regions;
  const char *say = pmt_param_text (values, "say"), *background = pmt_param_text (values, "background");
  if (i == n) {
    *prompt = g_strdup (background[0] ? background : q->prompt ? q->prompt : "");
    for (int y = 0; area && y < q->height; y++)
      for (int x = 0; x < q->width; x++) {
        bool free_here = true;
        for (int k = 0; k < n && free_here; k++) {
          const PmtRegionPrompt r = thing (q, k);
          free_here = !holds (q, &r, y, x);
        }
        area[(size_t) y * (size_t) q->width + (size_t) x] = free_here;
      }
    return;
  }
  const PmtRegionPrompt r = thing (q, in_order (q, (int) pmt_param_number (values, "order"), i, area == NULL));
  *prompt = say[0] ? g_strdup_printf ("%s %s", say, r.prompt) : g_strdup (r.prompt);
  for (int y = 0; area && y < q->height; y++)
    for (int x = 0; x < q->width; x++)
      area[(size_t) y * (size_t) q->width + (size_t) x] = holds (q, &r, y, x);
}

const PmtMethod pmt_method_iterative_inpaint = {
  .id = "iterative-inpaint",
  .label = N_("One thing after the other"),
  .summary = N_("Paints each boxed thing in a run of its own and then what is around them, so that all are there and in their places."),
  .params = params,
  .order = 0,
  .passes = passes,
  .pass = pass,
};
