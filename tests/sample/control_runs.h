/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tiny models, control networks and diffusers' results of tests/data/controls (tests/reference/control_runs.py). */
#pragma once

#include "tests/sample/runs.h"

#define CONTROL_RUNS_TOLERANCE 1e-3

/* "sd" (with a second UNet for filling) or "xl"; unref it. */
PmtModel *control_runs_model (const char *name);
/* Path of a control network, as it is stored ("cn-ldm" is a file, "cn-bgr" a folder …). Newly allocated. */
char *control_runs_net (const char *name);
/* Picture "colours", "lines", "grey" or "holes" [height, width, 3] of 64x48 or 48x48; "mask" [height, width]. g_free it. */
float *control_runs_picture (const char *name, int width, int height);

/* A request of 64x48 with the model, DDIM, 4 steps, guidance 6, seed 7. */
PmtRequest control_runs_request (PmtModel *model);

/* Runs every case whose controls are all adapters (or, with false, that have a ControlNet among them), each under a test of its name:
 * latents within the tolerance; in one call and in single rows the same bytes. */
void control_runs_add_cases (bool adapters);
void control_runs_close (void);
