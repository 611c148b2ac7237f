/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/methods/areas.h"

#include <math.h>
#include <stdlib.h>

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

void
pmt_areas_clear (PmtAreas *areas)
{
  for (int i = 0; i < areas->n; i++) {
    pmt_words_clear (&areas->area[i].words);
    g_free (areas->area[i].columns);
  }
  g_free (areas->area);
  *areas = (PmtAreas) { NULL, 0 };
}

gboolean
pmt_areas_find (PmtAreas *areas, PmtRun *run, const char *where, GError **error)
{
  for (int i = 0; i < areas->n; i++) {
    PmtArea *area = &areas->area[i];
    GArray *all = g_array_new (FALSE, FALSE, sizeof (int));
    gboolean good = TRUE;
    for (int k = 0; good && k < area->words.n; k++) {
      GArray *columns = pmt_words_columns_or_fail (run, run->prompt, area->words.word[k].text, where, error);
      good = columns != NULL;
      if (good)
        g_array_append_vals (all, columns->data, columns->len);
      g_clear_pointer (&columns, g_array_unref);
    }
    area->n_columns = (int) all->len;
    area->columns = (int *) g_array_free (all, FALSE);
    if (!good)
      return FALSE;
  }
  return TRUE;
}

gboolean
pmt_area_cover (const PmtArea *area, const PmtRun *run, int height, int width, float *out, GError **error)
{
  const int h = run->request->height, w = run->request->width;
  float *pixels = pmt_pixels_new ((size_t) h * (size_t) w, error);
  if (!pixels)
    return FALSE;
  const int left = (int) rint (area->x0 * w), right = (int) rint (area->x1 * w);
  const int top = (int) rint (area->y0 * h), bottom = (int) rint (area->y1 * h);
  for (int y = 0; y < h; y++)
    for (int x = 0; x < w; x++) {
      const size_t at = (size_t) y * (size_t) w + (size_t) x;
      pixels[at] = area->mask ? area->mask[at] >= 0.5f : x >= left && x < right && y >= top && y < bottom;
    }
  const gboolean good = pmt_resize (PMT_FILTER_LINEAR, pixels, w, h, 1, out, width, height, error);
  free (pixels);
  return good;
}
