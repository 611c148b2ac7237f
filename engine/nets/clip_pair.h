/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A whole CLIP in transformers' form (openai/clip-vit-large-patch14 and its kin), for how well a picture goes with a text: the cosine between
 * their embeddings (Radford et al. 2021). */
#pragma once

#include "engine/base/cancel.h"
#include "engine/nets/clip_vision.h"
#include "engine/tensor/context.h"

typedef struct PmtClipPair PmtClipPair;

/* `folder` has config.json, weights and the tokenizer's files. Reads headers only. PMT_ERROR_UNSUPPORTED for anything else, and for encoders of
 * which one cannot be compared with the other. */
PmtClipPair *pmt_clip_pair_open (const char *folder, GError **error);
/* Reads the image encoder's weights; once. */
gboolean pmt_clip_pair_load (PmtClipPair *pair, const PmtCancel *cancel, GError **error);
void pmt_clip_pair_free (PmtClipPair *pair); /* NULL is fine */
PmtClipVision *pmt_clip_pair_vision (PmtClipPair *pair);
int pmt_clip_pair_width (const PmtClipPair *pair); /* of embeddings */
/* Memory of the image encoder, and of the text encoder while pmt_clip_pair_text is at work. */
size_t pmt_clip_pair_bytes (const PmtClipPair *pair);
/* The text's embedding, of length 1, into to [width]: the text encoder is read for it and forgotten. In a dry run zeros. */
gboolean pmt_clip_pair_text (PmtClipPair *pair, PmtContext *ctx, const char *text, float *to, GError **error);

/* The cosine between picture's embedding x and the text's, both [n]. With `gradient` [n] not NULL its gradient by x is added there, times factor. */
double pmt_clip_pair_cosine (const float *x, const float *text, int n, double factor, float *gradient);
