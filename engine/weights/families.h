/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The one table of model families: what is fixed by convention rather than written in a model's files. */
#pragma once

#include <glib.h>

#include "engine/base/error.h"
#include "engine/weights/safetensors.h"

typedef struct PmtFamily {
  const char *id;             /* "sd1"; stable, used in recipes */
  const char *size_id;        /* "sd15": its full-size architecture, for bench --weights random:ID; NULL = same as id */
  const char *label;          /* "Stable Diffusion 1.x" */
  gboolean supported;         /* FALSE: recognised, so that the refusal can name it */
  int context_width;          /* cross-attention width that tells it from others; 0 = told otherwise */
  int native_size;            /* pixels of a square picture that it was trained on; 0 = from the UNet's config */
  int attention_divisor;      /* image pixels per cell of the attention grid that methods address; 0 = native size / 16 */
  const char *unet_prefix;    /* in single files */
  const char *vae_prefix;
  const char *text_prefix;    /* what stands before "text_model."; NULL = it has only the second text encoder */
  const char *text_2_prefix;  /* SDXL's second text encoder, in OpenCLIP's names; NULL = none */
  const char *unet_config;    /* JSON texts in diffusers' keys, used for single files and random weights */
  const char *vae_config;
  const char *text_config;
  const char *text_2_config;
  const char *scheduler_config;
  gboolean text_pads_with_zero; /* with the built-in vocabulary the first encoder's prompts are filled up with id 0 */
  gboolean force_zeros;         /* an absent negative prompt is a conditioning of zeros */
} PmtFamily;

/* NULL-terminated. */
extern const PmtFamily *const pmt_families[];
/* By id or size_id; NULL for an unknown one. */
const PmtFamily *pmt_family_by_id (const char *id);

/* What a UNet is used for; read off its input channels. */
typedef enum {
  PMT_UNET_PLAIN,   /* 4: text to image */
  PMT_UNET_EDIT,    /* 8: InstructPix2Pix [latent | image] */
  PMT_UNET_INPAINT, /* 9: [latent | mask | masked image] */
  PMT_UNET_DEPTH,   /* 5: [latent | depth] */
  PMT_UNET_OTHER
} PmtUnetUse;
PmtUnetUse pmt_unet_use (int in_channels, int latent_channels);

/* What tells families apart, read off a config or off shapes (formats.md 1.4). */
typedef struct PmtUnetTraits {
  int in_channels;
  int latent_channels; /* = out_channels */
  int first_width;     /* output channels of the first convolution */
  int context_width;   /* last dimension of attn2.to_k */
  gboolean text_time;  /* has SDXL's added conditions */
  gboolean mid_attention;
} PmtUnetTraits;

/* Never NULL: what matches nothing else is "custom". */
const PmtFamily *pmt_family_detect (const PmtUnetTraits *traits);
/* TRUE and an error (PMT_ERROR_UNSUPPORTED) when this version cannot run such a model. */
gboolean pmt_family_refuse (const PmtFamily *family, const PmtUnetTraits *traits, const char *path, GError **error);
