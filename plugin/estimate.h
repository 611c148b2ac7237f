/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a job will take, as the engine says before it starts. */
#pragma once

#include <json-glib/json-glib.h>

typedef struct PmtEstimate {
  int width, height;           /* of the network's picture */
  double memory, available;    /* bytes: what the engine will hold at most, and what it could have */
  double seconds;              /* < 0: not known */
  gboolean tiled;              /* the autoencoder works in tiles */
  int place_width, place_height; /* what a picture of its own is brought to; 0: it is painted at its size */
  gboolean everything;         /* nothing is selected, so all of the picture is painted */
  gboolean shrunk;             /* smaller than was asked for, so that it fits into memory */
  gboolean fixed;              /* a layer's recipe says the size, and nobody can choose another */
  int most_width, most_height; /* the largest picture of this shape that fits, where this one does not; 0: none */
} PmtEstimate;

/* From an "estimate" message; what is missing there is 0. */
void pmt_estimate_read (JsonObject *message, PmtEstimate *estimate);
gboolean pmt_estimate_fits (const PmtEstimate *estimate);

/* A picture of that size is enlarged by so much for its place that it is seen. */
gboolean pmt_estimate_enlarges (int width, int height, int place_width, int place_height);

/* "640 × 640, 2.8 GB, about 95 s", with what else there is to know before. Newly allocated, as are the others. */
char *pmt_estimate_line (const PmtEstimate *estimate);
/* The sentence for a job that does not fit. */
char *pmt_estimate_refusal (const PmtEstimate *estimate);
/* The same of something that is learned: "2.8 GB, about 3.2 h". */
char *pmt_estimate_learning_line (const PmtEstimate *estimate);
char *pmt_estimate_learning_refusal (const PmtEstimate *estimate);
/* "3 min 20 s left" */
char *pmt_estimate_left (double seconds);
/* "640 × 640" */
char *pmt_estimate_size (int width, int height);
