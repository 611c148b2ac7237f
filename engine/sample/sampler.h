/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A sampler is one file in engine/sample/samplers and one line of its meson.build. It turns model outputs into the next latent; it
 * knows neither networks nor methods. One PmtSolver is the state of one sampler on one track. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/rng.h"
#include "engine/sample/schedule.h"

/* Where a run evaluates the network, in order. */
typedef struct PmtGrid {
  int n;             /* evaluations (more than the steps asked for in order-2 samplers and PNDM) */
  int order;         /* evaluations per step of img2img's "skip the first steps" rule (1; Heun 2) */
  int steps;         /* steps that were asked for */
  double strength;   /* the part of the noise that this grid covers: 1, unless the sampler spaces its steps over less (LCM, TCD) */
  double *timestep;  /* n values given to the network, may be fractional */
  double *sigma;     /* n + 1 values; the last one 0 (or the final sigma). In samplers that work on abar: that level's sigma */
  double init_sigma; /* initial noise is multiplied by this */
} PmtGrid;
void pmt_grid_free (PmtGrid *grid); /* NULL is fine */
/* First evaluation of a run of that strength (formats.md 6.3): the last int(steps * strength) steps are kept, or as many as that is of
 * what the grid covers. grid->n when none is left. */
int pmt_grid_first (const PmtGrid *grid, double strength);

typedef struct PmtSampler PmtSampler;

typedef struct PmtSolver {
  const PmtSampler *sampler;
  const PmtSchedule *schedule;
  const PmtGrid *grid;
  int first;         /* the first evaluation that is done */
  size_t n;          /* values in a latent */
  double eta;        /* fresh noise: DDIM's eta, TCD's gamma */
  PmtRng *noise;     /* per-step noise is drawn here, in NCHW order; not owned */
  int64_t channels;  /* of the NHWC latent, to reorder drawn noise */
  void *state;       /* the sampler's own, zeroed at the start */
  float *drawn;      /* for pmt_solver_draw: the noise as it is drawn, and as it is given */
  int64_t window[6]; /* pmt_solver_set_window; all 0 = the solver steps a whole latent */
} PmtSolver;

struct PmtSampler {
  const char *id;    /* the file's name with dashes: "ddim", "euler-a", "dpmpp-2m-karras" */
  const char *label; /* N_() */
  bool stochastic;   /* draws noise in step() even at eta 0 */
  bool uses_eta;
  double eta;        /* what its inventors advise; taken where a request has none of its own (< 0) */
  /* Numbers for networks that were distilled for this sampler, since those of ordinary sampling fail there; 0 = it has none. */
  int advised_steps;
  double advised_guidance;
  /* Grid for `steps` steps. Nearly all make that of a full run and pmt_grid_first skips what `strength` leaves out; the few that space all
   * steps over the part of the noise that `strength` leaves say so in grid->strength. Out of range steps: PMT_ERROR_INPUT. */
  PmtGrid *(*grid) (const PmtSchedule *schedule, int steps, double strength, GError **error);
  /* How many steps fit into the part of the noise that `strength` leaves, of those whose grid does them all there; NULL = any number. */
  int (*most_steps) (double strength);
  size_t (*state_size) (size_t n); /* bytes; NULL = none; zeroed at start */
  /* What the network is shown at evaluation i: out = x scaled (NULL: x itself). */
  void (*scale_input) (const PmtSolver *s, int i, const float *x, float *out);
  /* x at grid point i from a clean latent and unit noise (img2img, inpainting); i == grid->n gives the clean latent. */
  void (*add_noise) (const PmtSolver *s, int i, const float *clean, const float *noise, float *out);
  /* x (in place) from grid point i to i + 1. `output` is the network's raw output. */
  void (*step) (PmtSolver *s, int i, const float *output, float *x);
  /* The clean latent that the output implies at i (previews, "keep this", methods). `out` may alias neither. */
  void (*denoised) (const PmtSolver *s, int i, const float *output, const float *x, float *out);
};

extern const PmtSampler *const pmt_samplers[]; /* generated from the build's list, NULL-terminated */
const PmtSampler *pmt_sampler_find (const char *id, GError **error); /* unknown: the sentence lists those that exist */

/* NULL + PMT_ERROR_MEMORY on failure. `eta` below 0: the sampler's own. `first` is the first evaluation that will be done (img2img starts later). */
PmtSolver *pmt_solver_new (const PmtSampler *sampler, const PmtSchedule *schedule, const PmtGrid *grid, int first,
                           size_t n, int64_t channels, double eta, PmtRng *noise, GError **error);
void pmt_solver_free (PmtSolver *solver); /* NULL is fine */
/* The solver steps the part [height, width] at (y, x) of a latent [whole_height, whole_width]; its columns go on at the left edge where they
 * leave the right one. What it draws is the whole latent's noise, cut out: solvers whose generators stand alike agree where their parts
 * overlap. PMT_ERROR_MEMORY. */
gboolean pmt_solver_set_window (PmtSolver *solver, int64_t whole_height, int64_t whole_width, int64_t y, int64_t x, int64_t height,
                                int64_t width, GError **error);
/* Unit noise for one step, NHWC, valid until the next call. */
const float *pmt_solver_draw (PmtSolver *solver);
