/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tiny model with GLIGEN's gates, the image encoders, the adapters and the runs of tests/data/grounding
 * (tests/reference/make_grounding.py). */
#pragma once

#include <json-glib/json-glib.h>

#include "tests/sample/runs.h"

/* Path of something in that folder; g_free it. */
char *grounding_path (const char *name);
PmtModel *grounding_model (void);         /* "sd"; unref it */
/* The same model with the inpainting UNet, in a folder of links; remove it with grounding_remove. */
char *grounding_inpaint_folder (void);
void grounding_remove (char *folder);     /* files, links and the folder; frees the path */

typedef struct GroundingPicture {
  float *data; /* [height, width, 3] */
  int width, height;
} GroundingPicture;
GroundingPicture grounding_picture (const char *tensor); /* of runs.safetensors; g_free the data */

/* A reference with that adapter and picture: strength 1, the whole run. */
PmtReference grounding_reference (const char *adapter_path, const GroundingPicture *picture);

/* Runs every stored case whose name begins so and compares latents; ends the test above 1e-3 relative or when there is none. */
void grounding_check (const char *prefix);
