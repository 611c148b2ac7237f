/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tiny models, the picture and the mask of tests/data/runs (tests/reference/make_runs.py), for tests of runs and methods. */
#pragma once

#include "engine/sample/run.h"
#include "engine/weights/safetensors.h"

typedef struct Runs {
  PmtSafetensors *tensors;
  int width, height;
  float *picture, *mask; /* [height, width, 3] and [height, width] */
} Runs;

void runs_open (Runs *runs);
void runs_close (Runs *runs);
char *runs_path (const char *folder, const char *name);      /* tests/data/FOLDER/NAME, absolute; g_free it */
PmtModel *runs_open_model (const char *path);               /* errors end the test; unref it */
PmtModel *runs_model (const char *name);                    /* "tiny", "tiny-v"; unref it */
float *runs_tensor (const Runs *runs, const char *name, size_t n); /* g_free it; the size is asserted */

/* A request that can be changed: DDIM, 4 steps, guidance 1, seed 5, no picture. */
PmtRequest runs_request (const Runs *runs, PmtModel *model);
/* The same with a negative prompt, guidance 4 and so many steps. */
PmtRequest runs_guided (const Runs *runs, PmtModel *model, int steps);
/* What it is told to cost with that method alone, or with none (NULL); errors end the test. */
PmtCost runs_cost (PmtRequest request, PmtMethodUse *use);
/* Runs it; errors end the test. */
PmtResult runs_do (const PmtRequest *request);
/* The run is refused with this code and one sentence that has `part` in it. */
void runs_refused (const PmtRequest *request, PmtError code, const char *part);
/* A use of a method with default values; pmt_param_values_clear it. */
PmtMethodUse runs_use (const char *id);

/* max |a - b| / max |b| */
double runs_distance (const float *a, const float *b, size_t n);
void runs_assert_equal (const PmtResult *a, const PmtResult *b);  /* pictures and latents, to the bit */
void runs_assert_differ (const PmtResult *a, const PmtResult *b);
size_t runs_latent_size (const PmtResult *result);

/* For main(): the tests of a table that ends with { 0 }, on the tiny model, which `runs` and `model` are set to meanwhile. */
typedef struct RunsTest {
  const char *path;
  void (*run) (void);
} RunsTest;
int runs_main (int argc, char **argv, Runs *runs, PmtModel **model, const RunsTest *tests);
