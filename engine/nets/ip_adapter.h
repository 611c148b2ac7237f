/* SPDX-License-Identifier: GPL-3.0-or-later */
/* IP-Adapter (Ye et al. 2023; formats.md 7.8): a picture as further tokens, with keys and values of their own in every cross-attention.
 * Three forms: base (one linear layer on the picture's embedding), plus (a resampler of the encoder's last states but one), full (a
 * small perceptron on the same states). Sizes are read from the file's shapes. */
#pragma once

#include "engine/nets/clip_vision.h"
#include "engine/nets/unet.h"
#include "engine/nets/weight_pool.h"

typedef enum { PMT_IP_BASE, PMT_IP_PLUS, PMT_IP_FULL } PmtIpKind;

typedef struct PmtIpAdapterConfig {
  PmtIpKind kind;
  int image_width;   /* base: of the encoder's projected embedding; else: of the encoder's states */
  int context_width; /* of the text beside which its tokens stand */
  int tokens;        /* per picture; full: 0, one per state of the encoder */
  int hidden, inner, heads, ff, depth; /* plus */
  int sites;         /* cross-attentions that it has weights for */
} PmtIpAdapterConfig;

typedef struct PmtIpAdapter PmtIpAdapter;

/* Reads the header of a safetensors file. Other kinds of file and the FaceID forms are PMT_ERROR_UNSUPPORTED, by name. */
PmtIpAdapter *pmt_ip_adapter_open (const char *path, GError **error);
gboolean pmt_ip_adapter_load (PmtIpAdapter *adapter, const PmtCancel *cancel, GError **error); /* once */
void pmt_ip_adapter_free (PmtIpAdapter *adapter); /* NULL is fine */
const PmtIpAdapterConfig *pmt_ip_adapter_config (const PmtIpAdapter *adapter);
size_t pmt_ip_adapter_weight_bytes (const PmtIpAdapter *adapter);
PmtWeightPool *pmt_ip_adapter_weights (const PmtIpAdapter *adapter);

/* Whether it was made for a UNet like this one; PMT_ERROR_UNSUPPORTED saying what it is for and what `model` (a path) is. */
gboolean pmt_ip_adapter_check_unet (const PmtIpAdapter *adapter, const PmtUnetConfig *unet, const char *model, GError **error);
/* Whether an image encoder gives what it takes. */
bool pmt_ip_adapter_takes (const PmtIpAdapter *adapter, const PmtClipVisionConfig *vision);
/* "with a projection to 1024 (ViT-H)": the encoder it needs, for messages. Newly allocated. */
char *pmt_ip_adapter_encoder_text (const PmtIpAdapter *adapter);

/* pixels [N, S, S, 3] as pmt_clip_pixels makes them -> tokens [N, T, context_width]. With `none`, the tokens that stand for no picture:
 * base projects zeros, the others encode a picture of zeros; pixels then only give the shape. */
PmtTensor pmt_ip_adapter_tokens (PmtContext *ctx, PmtIpAdapter *adapter, PmtClipVision *vision, PmtTensor pixels, bool none);
/* The part after the encoder: base [N, image_width], else [N, S, image_width] -> [N, T, context_width]. */
PmtTensor pmt_ip_adapter_project (PmtContext *ctx, PmtIpAdapter *adapter, PmtTensor features);
/* Keys and values of cross-attention `site` (in the order of pmt_unet_site_processor): tokens [N, T, context_width] -> [N, T, C]. */
void pmt_ip_adapter_keys (PmtContext *ctx, PmtIpAdapter *adapter, int site, PmtTensor tokens, PmtTensor *k, PmtTensor *v);
