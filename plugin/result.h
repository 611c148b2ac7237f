/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One picture that a job painted, with all that is needed to bring it into the image, now or later. */
#pragma once

#include <json-glib/json-glib.h>

#include "plugin/inputs.h"
#include "plugin/maps.h"
#include "plugin/rect.h"

typedef struct PmtResult {
  PmtRect box;        /* where it goes, in canvas pixels */
  GBytes *picture;    /* box-sized RGBA f32, sRGB-encoded, 0..1 */
  GBytes *blend;      /* box-sized f32, 0..1: the layer's mask; NULL: none */
  gint64 seed;
  JsonObject *recipe; /* complete: makes this picture again */
  PmtInputs *inputs;  /* shared by the results of one job */
  GPtrArray *maps;    /* PmtMap, to become channels; NULL: none */
  gboolean only_maps; /* they are all that is wanted of it */
  char *kept;         /* where the history has it (history.h); NULL: nowhere */
  int references;
} PmtResult;

/* Takes a reference to each; blend may be NULL. */
PmtResult *pmt_result_new (const PmtRect *box, GBytes *picture, GBytes *blend, gint64 seed, JsonObject *recipe, PmtInputs *inputs);
PmtResult *pmt_result_ref (PmtResult *result);
void pmt_result_unref (PmtResult *result);
/* An array that unrefs its results. */
GPtrArray *pmt_results_new (void);
