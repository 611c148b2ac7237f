/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tiny models and diffusers' results of tests/data/edits (tests/reference/make_edits.py), for the methods that take further channels. */
#pragma once

#include "tests/sample/runs.h"

/* "edits/model": a plain UNet and one for instructions. Unref it. */
PmtModel *edits_model (void);
/* A model made of that one's parts with tests/data/edits/`unet` as its only UNet. */
PmtModel *edits_model_with (const char *unet);

/* Calls `fill` with each case of the task, so that it sets what the task needs in the request, and compares the run's latent (1e-3
 * relative; the whole picture where there is one). `depth` is the [height, width] map of the data. Returns how many cases there were. */
int edits_check (const Runs *runs, const char *task, PmtModel *model,
                 void (*fill) (PmtRequest *request, const Runs *runs, JsonObject *c, const float *depth));
float *edits_depth (const Runs *runs); /* g_free it */
