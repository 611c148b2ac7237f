/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One tensor, several spellings: today's diffusers/transformers names (canonical here), their older forms, and those of LDM single-file
 * checkpoints (formats.md 1.3; the bijection is tested against diffusers' own converter). */
#pragma once

#include <glib.h>

#include "engine/weights/source.h"

#define PMT_NAME_SIZE 256
#define PMT_NAME_SPELLINGS 3

typedef struct PmtSpelling {
  PmtNames names;
  gboolean ldm;         /* single-file names rather than diffusers' */
  int layers_per_block; /* of the component; LDM numbers blocks through */
  int levels;
} PmtSpelling;

/* The spellings to look for, best first; returns how many (0 for a name that cannot occur). */
int pmt_spelling_candidates (const PmtSpelling *spelling, const char *canonical, char out[PMT_NAME_SPELLINGS][PMT_NAME_SIZE]);

/* The canonical names that a stored tensor stands for: none when it is nobody's, three for OpenCLIP's joined projections; returns how many. */
int pmt_spelling_canonical (const PmtSpelling *spelling, const char *stored, char out[PMT_NAME_SPELLINGS][PMT_NAME_SIZE]);

/* What of the stored tensor is meant: OpenCLIP keeps query, key and value in one tensor and its projection the other way round. */
typedef struct PmtStoredPart {
  int third;           /* 0, 1, 2: that third of the rows; -1 = all */
  gboolean transposed; /* a matrix whose rows are ours' columns */
} PmtStoredPart;
PmtStoredPart pmt_spelling_part (const PmtSpelling *spelling, const char *canonical, const char *stored);
