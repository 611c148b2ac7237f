/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Words of the prompt and where in the picture they belong: the request's boxes and regions, for methods that lead attention there. A box's
 * phrase, or a region's prompt, is words of the prompt, or several with semicolons between. */
#pragma once

#include "engine/methods/words.h"

typedef struct PmtArea {
  PmtWords words;
  double x0, y0, x1, y1; /* 0..1 of the picture */
  const float *mask;     /* [height, width] of the run's size, from 0.5 on = inside, in place of the edges; or NULL. Borrowed */
  double weight;
  int *columns;          /* of all its words, ascending and each once; from pmt_areas_find on */
  int n_columns;
  struct PmtArea *also;  /* a further place of the same words, with edges, mask and weight of its own; NULL = none. Owned */
} PmtArea;

typedef struct PmtAreas {
  PmtArea *area;
  int n;
} PmtAreas;

/* From state_new. None at all is PMT_ERROR_INPUT, as are empty or outlying ones. `where` ("method layout-forward") goes into messages. */
gboolean pmt_areas_read (PmtAreas *areas, const PmtRun *run, const char *where, GError **error);
void pmt_areas_clear (PmtAreas *areas);
/* From text hooks: the columns. Areas of the same words become one that has several places. A phrase that is not in the run's prompt is
 * PMT_ERROR_INPUT, as is a mask without a pixel inside. */
gboolean pmt_areas_find (PmtAreas *areas, PmtRun *run, const char *where, GError **error);
/* How much of each cell of a grid is inside the area's first place, 0..1: the pixels' mask resized with a linear filter. */
gboolean pmt_area_cover (const PmtArea *area, const PmtRun *run, int height, int width, float *out, GError **error);
/* The same of all its places, each pixel with the most that a place there weighs. */
gboolean pmt_area_cover_all (const PmtArea *area, const PmtRun *run, int height, int width, float *out, GError **error);
