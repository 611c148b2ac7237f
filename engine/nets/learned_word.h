/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files of learned words (textual inversion, Gal et al. 2022): one or more vectors per text encoder that stand in a prompt where a word
 * stands. Forms: diffusers (one tensor, named as the word), AUTOMATIC1111 (`emb_params`), SDXL (`clip_l` and `clip_g`), diffusers' pivotal tuning
 * (`text_encoders_0`, with SDXL `text_encoders_1` as well). */
#pragma once

#include "engine/nets/clip_text.h"
#include "engine/weights/safetensors.h"

#define PMT_LEARNED_MAX_ENCODERS 2

typedef struct PmtLearned {
  char *word;  /* what stands for it in prompts */
  int vectors; /* at least 1 */
  PmtSafetensors *file;
  const PmtSafetensor *rows[PMT_LEARNED_MAX_ENCODERS];
} PmtLearned;

/* Reads the header and checks that the file fits `n` text encoders of the model called `model`. `word` NULL or "" = the tensor's name
 * where it is a name, else the metadata's "word", else the file's name without its ending. Errors say what the file is and what fits; *learned is then cleared. */
gboolean pmt_learned_open (PmtLearned *learned, const char *path, const char *word, const char *model,
                           const PmtClipTextConfig *const *encoder, int n, GError **error);
/* The vectors for encoder `k`, [vectors, hidden]. PMT_ERROR_FORMAT where one is not finite. */
gboolean pmt_learned_read (const PmtLearned *learned, int k, float *dst, GError **error);
void pmt_learned_clear (PmtLearned *learned);
