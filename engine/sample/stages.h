/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A run of several stages, each with a request of its own that goes on from what the one before left; between the files run_stages.c,
 * run_refine.c, run_passes.c and run_full.c. A stage gets its request when the run begins, so that all are known to fit before anything is loaded. */
#pragma once

#include "engine/sample/runner.h"

/* run_refine.c: the base model to the request's refiner_start, and the refiner from there on, on its latents. */
gboolean pmt_refiner_split (const PmtRequest *q, PmtRequest *base, PmtRequest *rest, GError **error);

/* run_passes.c: the runs of a method that is several. */
typedef struct PmtPasses {
  const PmtMethodUse *use;
  int n;
  PmtRequest *request;    /* n; owned, as all below */
  char **prompt;          /* theirs */
  PmtMethodUse *methods;  /* the request's others; their values are the request's */
  float *canvas, *area;   /* [height, width, 3] what there is so far, [height, width] what the present pass paints; NULL before the first */
} PmtPasses;
bool pmt_passes_wanted (const PmtRequest *q);
/* Sizes and prompts alone. Clear it, on failure too. */
gboolean pmt_passes_open (PmtPasses *passes, const PmtRequest *q, GError **error);
gboolean pmt_passes_begin (PmtPasses *passes, const PmtRequest *q, int i, GError **error);
/* Lays the present pass's part of its picture into the canvas, which becomes its picture: nothing else changes, to the bit. */
void pmt_passes_paste (PmtPasses *passes, PmtResult *result);
void pmt_passes_clear (PmtPasses *passes);

/* run_full.c: img2img of the picture at full size. What the request of that stage points at. */
typedef struct PmtFullStage {
  PmtRequest request;
  int pad_width, pad_height; /* the stage's: the full size in multiples of what networks take */
  float *image, *mask, *depth; /* owned; NULL before pmt_full_stage_begin */
  PmtRegionPrompt *regions;    /* owned */
  GPtrArray *region_masks;     /* owned */
  PmtMethodUse windows;        /* method NULL: the picture is no larger than a window */
  char *words;                 /* of what was made, where they are not the prompt's; owned */
} PmtFullStage;
/* Sizes alone. Clear it, on failure too. */
gboolean pmt_full_stage_open (PmtFullStage *stage, const PmtRequest *q, GError **error);
/* The pixels: `made` is the picture that the stages before made. */
gboolean pmt_full_stage_begin (PmtFullStage *stage, const PmtRequest *q, const PmtResult *made, GError **error);
/* The stage's picture without what it was padded with. */
void pmt_full_stage_crop (const PmtRequest *q, PmtResult *result);
/* In place of the stage: the picture at full size as it is. */
gboolean pmt_full_stage_skip (const PmtRequest *q, PmtResult *made, GError **error);
void pmt_full_stage_clear (PmtFullStage *stage);
