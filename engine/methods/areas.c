/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/methods/areas.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/image/resize.h"

static gboolean
add (PmtAreas *areas, const char *phrases, const char *where, PmtArea area, GError **error)
{
  g_autofree char *place = g_strdup_printf ("%s, area %d", where, areas->n + 1);
  const PmtWordsRule rule = { .where = place };
  if (!pmt_words_parse (phrases, &rule, &area.words, error))
    return FALSE;
  areas->area[areas->n++] = area;
  if (area.words.n == 0) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("In %s, no words are named; name those of the prompt that belong there."), place);
    return FALSE;
  }
  if (area.mask || (area.x0 >= 0 && area.y0 >= 0 && area.x1 <= 1 && area.y1 <= 1 && area.x0 < area.x1 && area.y0 < area.y1))
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
               _("The box for \"%s\" is %g,%g,%g,%g; give left, top, right and bottom as parts of the picture, from 0 to 1."), phrases, area.x0,
               area.y0, area.x1, area.y1);
  return FALSE;
}

gboolean
pmt_areas_read (PmtAreas *areas, const PmtRun *run, const char *where, GError **error)
{
  const PmtRequest *q = run->request;
  *areas = (PmtAreas) { g_new0 (PmtArea, q->layout.n_boxes + q->n_regions + 1), 0 };
  gboolean good = TRUE;
  for (int i = 0; good && i < q->layout.n_boxes; i++) {
    const PmtLayoutBox *box = &q->layout.boxes[i];
    good = add (areas, box->phrase, where, (PmtArea) { .x0 = box->x0, .y0 = box->y0, .x1 = box->x1, .y1 = box->y1, .weight = 1 }, error);
  }
  for (int i = 0; good && i < q->n_regions; i++) {
    const PmtRegionPrompt *r = &q->regions[i];
    const PmtArea area = { .x0 = r->x0, .y0 = r->y0, .x1 = r->x1, .y1 = r->y1, .mask = r->mask, .weight = r->weight };
    good = add (areas, r->prompt, where, area, error);
  }
  if (good && areas->n == 0) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The %s puts words into places and there are none; give boxes or regions with words of the prompt."),
                 where);
    good = FALSE;
  }
  if (!good)
    pmt_areas_clear (areas);
  return good;
}

static void
area_clear (PmtArea *area)
{
  pmt_words_clear (&area->words);
  g_free (area->columns);
  if (area->also)
    area_clear (area->also);
  g_free (area->also);
}

void
pmt_areas_clear (PmtAreas *areas)
{
  for (int i = 0; i < areas->n; i++)
    area_clear (&areas->area[i]);
  g_free (areas->area);
  *areas = (PmtAreas) { NULL, 0 };
}

/* ---- words ------------------------------------------------------------------------------------------------------------ */

static int
by_number (const void *a, const void *b)
{
  const int x = *(const int *) a, y = *(const int *) b;
  return (x > y) - (x < y);
}

/* Phrases of one area may share words: each counts once. */
static gboolean
find_columns (PmtArea *area, PmtRun *run, const char *where, GError **error)
{
  g_autoptr (GArray) all = g_array_new (FALSE, FALSE, sizeof (int));
  for (int k = 0; k < area->words.n; k++) {
    g_autoptr (GArray) columns = pmt_words_columns_or_fail (run, run->prompt, area->words.word[k].text, where, error);
    if (!columns)
      return FALSE;
    g_array_append_vals (all, columns->data, columns->len);
  }
  g_array_sort (all, by_number);
  area->columns = g_new (int, all->len);
  for (guint i = 0; i < all->len; i++) {
    const int column = g_array_index (all, int, i);
    if (i == 0 || column != area->columns[area->n_columns - 1])
      area->columns[area->n_columns++] = column;
  }
  return TRUE;
}

/* A dry run reads no pixels. */
static gboolean
check_painted (const PmtArea *area, const PmtRun *run, const char *where, GError **error)
{
  const size_t n = (size_t) run->request->height * (size_t) run->request->width;
  if (!area->mask || run->ctx.dry)
    return TRUE;
  for (size_t i = 0; i < n; i++)
    if (area->mask[i] >= 0.5f)
      return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("In %s, the region of \"%s\" is empty; paint some of it."), where, area->words.word[0].text);
  return FALSE;
}

static bool
same_words (const PmtArea *a, const PmtArea *b)
{
  return a->n_columns == b->n_columns && memcmp (a->columns, b->columns, (size_t) a->n_columns * sizeof (int)) == 0;
}

/* Two boxes of one phrase are one thing in two places: as two things each would take from the other what it gets. */
static void
join_same (PmtAreas *areas)
{
  int n = 0;
  for (int i = 0; i < areas->n; i++) {
    int k = 0;
    while (k < n && !same_words (&areas->area[k], &areas->area[i]))
      k++;
    if (k == n) {
      areas->area[n++] = areas->area[i];
      continue;
    }
    PmtArea *last = &areas->area[k];
    while (last->also)
      last = last->also;
    last->also = g_memdup2 (&areas->area[i], sizeof (PmtArea));
  }
  areas->n = n;
}

gboolean
pmt_areas_find (PmtAreas *areas, PmtRun *run, const char *where, GError **error)
{
  for (int i = 0; i < areas->n; i++)
    if (!find_columns (&areas->area[i], run, where, error) || !check_painted (&areas->area[i], run, where, error))
      return FALSE;
  join_same (areas);
  return TRUE;
}

/* ---- places ----------------------------------------------------------------------------------------------------------- */

static void
draw (const PmtArea *place, int h, int w, float value, float *pixels)
{
  const int left = (int) rint (place->x0 * w), right = (int) rint (place->x1 * w);
  const int top = (int) rint (place->y0 * h), bottom = (int) rint (place->y1 * h);
  for (int y = 0; y < h; y++)
    for (int x = 0; x < w; x++) {
      const size_t at = (size_t) y * (size_t) w + (size_t) x;
      if (place->mask ? place->mask[at] >= 0.5f : x >= left && x < right && y >= top && y < bottom)
        pixels[at] = MAX (pixels[at], value);
    }
}

static gboolean
cover (const PmtArea *area, bool all, const PmtRun *run, int height, int width, float *out, GError **error)
{
  const int h = run->request->height, w = run->request->width;
  float *pixels = pmt_pixels_new ((size_t) h * (size_t) w, error);
  if (!pixels)
    return FALSE;
  for (const PmtArea *place = area; place; place = all ? place->also : NULL)
    draw (place, h, w, all ? (float) place->weight : 1.0f, pixels);
  const gboolean good = pmt_resize (PMT_FILTER_LINEAR, pixels, w, h, 1, out, width, height, error);
  free (pixels);
  return good;
}

gboolean
pmt_area_cover (const PmtArea *area, const PmtRun *run, int height, int width, float *out, GError **error)
{
  return cover (area, false, run, height, width, out, error);
}

gboolean
pmt_area_cover_all (const PmtArea *area, const PmtRun *run, int height, int width, float *out, GError **error)
{
  return cover (area, true, run, height, width, out, error);
}
