/* SPDX-License-Identifier: GPL-3.0-or-later */
/* T2IAdapter (Mou et al. 2023): a small convolutional network that makes of a picture a feature map for each level of a UNet, once per
 * run; they are added inside the way down (formats.md 7.6; where: methods/t2i_adapter.c).
 *
 * Three builds: "full" (Stable Diffusion 1.x and 2.x), "full XL" (SDXL: starts at a sixteenth, only its third block halves) and "light". */
#pragma once

#include <json-glib/json-glib.h>

#include "engine/nets/weight_pool.h"
#include "engine/weights/source.h"

#define PMT_T2I_MAX_BLOCKS 8

typedef enum { PMT_T2I_FULL, PMT_T2I_FULL_XL, PMT_T2I_LIGHT } PmtT2iType;

typedef struct PmtT2iConfig {
  PmtT2iType type;
  int in_channels;  /* of the picture: 3, or 1 for line drawings */
  int n_blocks;     /* feature maps */
  int channels[PMT_T2I_MAX_BLOCKS]; /* of each feature map */
  int n_resnets;    /* per block */
  int downscale;    /* pixels per side of the first map's cells: 8 or 16 */
  bool original;    /* tensors named as the authors' files have them ("body.7.block1.weight"), not as diffusers does */
} PmtT2iConfig;

/* Reads config.json's object with diffusers' constructor defaults. PMT_ERROR_UNSUPPORTED or PMT_ERROR_FORMAT naming `file`. */
gboolean pmt_t2i_config_parse (JsonObject *object, const char *file, PmtT2iConfig *config, GError **error);
/* From the shapes of the tensors, in either spelling. PMT_ERROR_FORMAT where they are not those of a T2I-Adapter. */
gboolean pmt_t2i_config_derive (PmtWeights *weights, PmtT2iConfig *config, GError **error);
/* Whether block k halves its input. */
bool pmt_t2i_halves (const PmtT2iConfig *config, int block);
/* Pixels per side of a cell of feature map k. */
int pmt_t2i_cell (const PmtT2iConfig *config, int block);

typedef struct PmtT2iAdapter PmtT2iAdapter;

/* With weights == NULL only the structure is made: usable in dry contexts, and loadable later. */
PmtT2iAdapter *pmt_t2i_new (const PmtT2iConfig *config, PmtWeights *weights, const PmtCancel *cancel, GError **error);
gboolean pmt_t2i_load (PmtT2iAdapter *net, PmtWeights *weights, const PmtCancel *cancel, GError **error);
void pmt_t2i_free (PmtT2iAdapter *net); /* NULL is fine */
const PmtT2iConfig *pmt_t2i_config (const PmtT2iAdapter *net);
PmtWeightPool *pmt_t2i_weights (const PmtT2iAdapter *net); /* owned by the network */

/* picture [N, H, W, in_channels], 0..1, sides multiples of `downscale`, to feature[n_blocks], map k of [N, H/c, W/c, channels[k]] with
 * c = pmt_t2i_cell (k), sides rounded up. False, with the features cleared, when ctx has failed. */
bool pmt_t2i_forward (PmtContext *ctx, const PmtT2iAdapter *net, PmtTensor picture, PmtTensor *feature);
