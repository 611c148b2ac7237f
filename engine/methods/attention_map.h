/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where the network looks for a word: cross-attention probabilities of its tokens at one resolution (methods.md A12; Hertz et al. 2022,
 * section 3), summed over sites and steps. For masks, losses and heat maps.
 *
 * Resolutions are levels of the UNet: level 0 has the latent's size, each further one half of it, rounded up. The level that methods
 * address is the family's (image / 32 for SD 1.x); of networks without attention there, the nearest that has it. */
#pragma once

#include "engine/sample/run.h"

typedef struct PmtAttnLevel {
  int level; /* the one that methods address */
  int last;  /* the coarsest that the network has */
} PmtAttnLevel;

/* From state_new on. */
PmtAttnLevel pmt_attention_level (const PmtRun *run);
/* Size of its grid, for latents of the run's size. */
void pmt_attention_grid (const PmtRun *run, PmtAttnLevel level, int *height, int *width);
/* The level that a site is at; the middle block is at the last one. */
int pmt_attention_site_level (PmtAttnLevel level, const PmtAttnSite *site);
/* Cross-attention at this level, outside the middle block: the sites that maps are made of. */
bool pmt_attention_maps_here (PmtAttnLevel level, const PmtAttnSite *site);

/* The row of the present network call that is `track`'s with the prompt; -1 = it is not in this call. */
int pmt_attention_row (const PmtStep *step, int track);

/* Whether a row is the prompt's own on the whole picture: other texts have other words at the same places. */
bool pmt_attention_reads_prompt (const PmtRun *run, const PmtRow *row);

/* Adds to sum[T] the mean over heads of the probabilities, [N, heads, T, S], that row `row` gives to the columns, added up. */
void pmt_attention_add (PmtTensor probs, int row, const int *columns, int n, float *sum);

/* The mean map of one phrase over all sites and steps that were shown to it: the part of each cell's attention, 0..1, that all its tokens
 * get together. */
typedef struct PmtPhraseMap {
  int *columns;
  int n_columns;
  float *sum; /* [cells] in the run's memory */
  int cells, seen;
} PmtPhraseMap;

/* From text hooks on; columns (copied) as pmt_words_columns says. FALSE + error when memory is full. */
gboolean pmt_phrase_map_init (PmtPhraseMap *map, PmtRun *run, PmtAttnLevel level, const int *columns, int n_columns, GError **error);
void pmt_phrase_map_clear (PmtPhraseMap *map);
/* One site's probabilities, for row `row` of the call; not in a dry run. */
void pmt_phrase_map_see (PmtPhraseMap *map, PmtTensor probs, int row);
/* The mean so far into out [cells]; false when nothing was seen. */
bool pmt_phrase_map_mean (const PmtPhraseMap *map, float *out);

/* A map [height, width] at another size, nearest (source index floor (i * in / out)). */
void pmt_attention_resize (const float *map, int height, int width, float *out, int out_height, int out_width);
/* The largest of each cell and its neighbours. in != out. */
void pmt_attention_max_pool (const float *map, int height, int width, float *out);
