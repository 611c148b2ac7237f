/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Boxes of a picture with a phrase each, and the text that they are kept in:
 * [{"box": [x0, y0, x1, y1], "phrase": "a red fox"}, …], the sides as parts of the canvas from 0 to 1. */
#pragma once

#include <glib.h>

#define PMT_BOX_LIST_MOST 30
/* No box is narrower or lower than this part of the canvas. */
#define PMT_BOX_LEAST 0.01

typedef struct PmtBoxEntry {
  double x0, y0, x1, y1;
  char *phrase; /* may be empty while it is being written */
} PmtBoxEntry;

/* Of PmtBoxEntry, which it owns. */
GPtrArray *pmt_box_list_new (void);
/* The new entry, the list's. */
PmtBoxEntry *pmt_box_list_add (GPtrArray *boxes, double x0, double y0, double x1, double y1, const char *phrase);

/* Adds what the text says; "" and NULL say nothing. FALSE with a sentence in *problem (newly allocated) when it is no such text; boxes is as
 * it was then. */
gboolean pmt_box_list_parse (GPtrArray *boxes, const char *text, char **problem);
/* Newly allocated; "" for none. */
char *pmt_box_list_to_text (const GPtrArray *boxes);
