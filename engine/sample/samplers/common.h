/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What several samplers share: timestep spacing, grids, and the two ways of writing a noised latent. */
#pragma once

#include "engine/sample/sampler.h"

/* Spacing as formats.md 6.1: `points` values are spaced over the training steps and the first `keep` (highest) of them go into t,
 * descending. DPM++ spaces one point more than it keeps. `fractional`: linspace values are not rounded (Euler). */
gboolean pmt_spacing_fill (const PmtSchedule *schedule, int points, int keep, bool fractional, double *t, GError **error);

/* A grid with room for n evaluations, sigma and timestep zeroed. PMT_ERROR_INPUT when `steps` is out of [1, training steps]. */
PmtGrid *pmt_grid_new (const PmtSchedule *schedule, int steps, int n, GError **error);

/* sigma(t) from the schedule's table, linear between whole timesteps. */
double pmt_sigma_at (const PmtSchedule *schedule, double t);
/* The timestep whose sigma this is, by linear interpolation in log sigma. */
double pmt_timestep_of (const PmtSchedule *schedule, double sigma);
/* Karras et al. 2022, eq. 5, rho 7: n values from high to low. */
void pmt_karras_sigmas (double high, double low, int n, double *sigma);

/* Samplers on x = clean + sigma * noise (Euler and its kin). */
PmtGrid *pmt_sigma_grid (const PmtSchedule *schedule, int steps, GError **error);
void pmt_sigma_scale_input (const PmtSolver *s, int i, const float *x, float *out);
void pmt_sigma_add_noise (const PmtSolver *s, int i, const float *clean, const float *noise, float *out);
void pmt_sigma_denoised (const PmtSolver *s, int i, const float *output, const float *x, float *out);

/* DPM-Solver++ (2M), shared by the plain and the Karras grid. */
PmtGrid *pmt_dpmpp_grid (const PmtSchedule *schedule, int steps, bool karras, GError **error);
size_t pmt_dpmpp_state_size (size_t n);
void pmt_dpmpp_add_noise (const PmtSolver *s, int i, const float *clean, const float *noise, float *out);
void pmt_dpmpp_step (PmtSolver *s, int i, const float *output, float *x);
void pmt_dpmpp_denoised (const PmtSolver *s, int i, const float *output, const float *x, float *out);
