/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a request may bring beside prompt and picture: control pictures, references, layout boxes, LoRAs, learned words. Plain data;
 * paths and pictures are borrowed from whoever made the request. Strength 0 anywhere means "load nothing, change nothing" only where
 * the struct says so; elsewhere the network runs and its output is multiplied by 0. */
#pragma once

#include <stdbool.h>

/* A picture that steers the network through a ControlNet (Zhang et al. 2023) or a T2I-Adapter (Mou et al. 2023); the file says which. */
typedef struct PmtControl {
  const char *model;  /* file or diffusers folder of the control network */
  const float *image; /* [height, width, 3] of the run's size, RGB 0..1 (-1 in all channels under the mask of an inpaint ControlNet) */
  double strength;    /* conditioning scale, 0..10 */
  double start, end;  /* part of the run, 0..1, in which it acts */
  bool pool;          /* ControlNet only: it is a "shuffle" one, unless its configuration says otherwise */
  bool guess;         /* ControlNet only: on the prompt's half only, weaker towards the outer blocks */
} PmtControl;

/* A picture that stands beside the prompt (IP-Adapter, Ye et al. 2023). Those of one adapter with the same encoder, strength and times share
 * one attention; others have one each. At strength 0 the networks are loaded and change nothing. */
typedef struct PmtReference {
  const char *model;   /* the adapter's file */
  const char *encoder; /* folder or file of its CLIP image encoder; NULL = looked for beside the adapter and in the model's folder */
  const float *image;  /* [height, width, 3] of its own size, RGB 0..1 */
  int width, height;
  double strength;     /* 0..10 */
  double start, end;
} PmtReference;

/* A thing in its place (GLIGEN, Li et al. 2023). */
typedef struct PmtLayoutBox {
  double x0, y0, x1, y1; /* 0..1 of the picture, x1 > x0, y1 > y0 */
  const char *phrase;
} PmtLayoutBox;

typedef struct PmtLayout {
  const char *model; /* file or folder of GLIGEN's weights; NULL = the base model has them itself */
  const PmtLayoutBox *boxes;
  int n_boxes;       /* at most 30 */
  double beta;       /* part of the run in which the boxes act, 0..1 */
} PmtLayout;

/* A prompt of its own for a part of the picture (methods/multidiffusion.c). */
typedef struct PmtRegionPrompt {
  double x0, y0, x1, y1; /* 0..1 of the picture, x1 > x0, y1 > y0; without meaning where there is a mask */
  const float *mask;     /* [height, width] of the run's size, 0..1, from 0.5 on = inside; or NULL */
  const char *prompt;
  double weight;         /* beside other regions where they overlap, above 0, at most 100 */
} PmtRegionPrompt;

/* A LoRA, LoCon or DoRA file, or a hypernetwork: changed weights. */
typedef struct PmtWeightEdit {
  const char *path;
  double strength;      /* on the UNet; 0 and text_strength 0 = not loaded */
  double text_strength; /* on the text encoders */
} PmtWeightEdit;

/* A textual-inversion embedding (Gal et al. 2022). */
typedef struct PmtLearnedWord {
  const char *path;
  const char *word; /* what stands for it in prompts; NULL = the file's own name for it, else its file name without extension */
} PmtLearnedWord;
