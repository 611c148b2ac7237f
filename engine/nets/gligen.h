/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GLIGEN (Li et al. 2023; formats.md 7.7): things with places. A small network makes a token of each phrase and box; a gated
 * self-attention in every transformer block of the UNet, between its own two attentions, lets the picture look at those tokens. */
#pragma once

#include "engine/nets/unet.h"
#include "engine/nets/weight_pool.h"

#define PMT_GLIGEN_OBJECTS 30 /* tokens; places without an object hold the null token */

typedef struct PmtGligen PmtGligen;

/* Reads the header of what holds the weights: a diffusers model's folder, a UNet's folder, a whole checkpoint, or a file with the
 * grounding weights alone; names as in diffusers or as in LDM. They must fit `unet`. PMT_ERROR_UNSUPPORTED, with what is needed, for
 * a model without them, for the text-image form and for another base; PMT_ERROR_FORMAT for an incomplete file. */
PmtGligen *pmt_gligen_open (const char *path, const PmtUnetConfig *unet, GError **error);
gboolean pmt_gligen_load (PmtGligen *gligen, const PmtCancel *cancel, GError **error); /* once */
void pmt_gligen_free (PmtGligen *gligen); /* NULL is fine */
size_t pmt_gligen_weight_bytes (const PmtGligen *gligen);
PmtWeightPool *pmt_gligen_weights (const PmtGligen *gligen);
int pmt_gligen_phrase_width (const PmtGligen *gligen); /* of a phrase's pooled text */
int pmt_gligen_blocks (const PmtGligen *gligen);       /* transformer blocks of the UNet */

/* boxes: n of x0, y0, x1, y1 in 0..1; phrases [n, phrase_width], pooled text; n from 0 (null tokens only) to PMT_GLIGEN_OBJECTS
 * -> [1, PMT_GLIGEN_OBJECTS, width]. Not differentiated towards phrases. */
PmtTensor pmt_gligen_objects (PmtContext *ctx, PmtGligen *gligen, const double (*boxes)[4], PmtTensor phrases, int n);
/* What block `block` (in forward order) makes of the objects, the same in every step: keys and values [1, PMT_GLIGEN_OBJECTS, C]. */
void pmt_gligen_keys (PmtContext *ctx, PmtGligen *gligen, int block, PmtTensor objects, PmtTensor *k, PmtTensor *v);
/* The block's gated attention and feed-forward, residuals included: x [N, T, C], k and v [N, PMT_GLIGEN_OBJECTS, C] -> [N, T, C]. */
PmtTensor pmt_gligen_fuse (PmtContext *ctx, PmtGligen *gligen, int block, PmtTensor x, PmtTensor k, PmtTensor v);
