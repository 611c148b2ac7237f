/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What several samplers share: timestep spacing, grids, and the two ways of writing a noised latent. */
#pragma once

#include "engine/sample/sampler.h"

/* Spacing as formats.md 6.1: `points` values are spaced over the training steps and the first `keep` (highest) of them go into t,
 * descending. DPM++ spaces one point more than it keeps. `fractional`: linspace values are not rounded (Euler). */
gboolean pmt_spacing_fill (const PmtSchedule *schedule, int points, int keep, bool fractional, double *t, GError **error);

/* The same levels with trailing spacing, for a grid made of it; its tables are the other's. */
PmtSchedule pmt_schedule_trailing (const PmtSchedule *schedule);

/* A grid with room for n evaluations, sigma and timestep zeroed. PMT_ERROR_INPUT when `steps` is out of [1, training steps]. */
PmtGrid *pmt_grid_new (const PmtSchedule *schedule, int steps, int n, GError **error);

/* sigma(t) from the schedule's table, linear between whole timesteps. */
double pmt_sigma_at (const PmtSchedule *schedule, double t);
/* The timestep whose sigma this is, by linear interpolation in log sigma. */
double pmt_timestep_of (const PmtSchedule *schedule, double sigma);
/* Karras et al. 2022, eq. 5, rho 7: n values from high to low. */
void pmt_karras_sigmas (double high, double low, int n, double *sigma);
/* Where the last step goes: 0, or the table's lowest sigma if the schedule says so. */
double pmt_final_sigma (const PmtSchedule *schedule);

/* Samplers on x = clean + sigma * noise (Euler and its kin). */
/* `steps` timesteps and sigmas; the Karras form keeps the range of the spaced sigmas, not of the table. */
gboolean pmt_sigma_fill (const PmtSchedule *schedule, int steps, bool karras, double *timestep, double *sigma, GError **error);
/* What initial noise is multiplied by. */
double pmt_sigma_start (const PmtSchedule *schedule, double highest);
/* One evaluation a step, ending at sigma 0. */
PmtGrid *pmt_sigma_grid (const PmtSchedule *schedule, int steps, bool karras, GError **error);
void pmt_sigma_scale_input (const PmtSolver *s, int i, const float *x, float *out);
void pmt_sigma_add_noise (const PmtSolver *s, int i, const float *clean, const float *noise, float *out);
void pmt_sigma_denoised (const PmtSolver *s, int i, const float *output, const float *x, float *out);

/* Samplers on x = sqrt(abar) clean + sqrt(1 - abar) noise at whole timesteps. */
double pmt_abar_at (const PmtSchedule *schedule, double t); /* t < 0: where DDIM and its kin end */
PmtGrid *pmt_abar_grid (const PmtSchedule *schedule, int steps, GError **error);
void pmt_abar_add_noise (const PmtSolver *s, int i, const float *clean, const float *noise, float *out);
void pmt_abar_denoised (const PmtSolver *s, int i, const float *output, const float *x, float *out);

/* euler.c */
PmtGrid *pmt_euler_grid (const PmtSchedule *schedule, int steps, bool karras, GError **error);
void pmt_euler_step (PmtSolver *s, int i, const float *output, float *x);

/* euler_a.c */
void pmt_euler_a_step (PmtSolver *s, int i, const float *output, float *x);

/* heun.c */
PmtGrid *pmt_heun_grid (const PmtSchedule *schedule, int steps, bool karras, GError **error);
size_t pmt_heun_state_size (size_t n);
void pmt_heun_step (PmtSolver *s, int i, const float *output, float *x);

/* dpmpp.c: DPM-Solver++ (2M), as an equation with noise or without; its grid and noised latents are UniPC's too. */
PmtGrid *pmt_dpmpp_grid (const PmtSchedule *schedule, int steps, bool karras, GError **error);
size_t pmt_dpmpp_state_size (size_t n);
void pmt_dpmpp_add_noise (const PmtSolver *s, int i, const float *clean, const float *noise, float *out);
void pmt_dpmpp_step (PmtSolver *s, int i, const float *output, float *x);
void pmt_dpmpp_sde_step (PmtSolver *s, int i, const float *output, float *x);
void pmt_dpmpp_denoised (const PmtSolver *s, int i, const float *output, const float *x, float *out);

/* unipc.c */
size_t pmt_unipc_state_size (size_t n);
void pmt_unipc_step (PmtSolver *s, int i, const float *output, float *x);

/* few_steps.c: for networks that were distilled from one sampling of 50 steps: steps are chosen among those, from the part of them that
 * the strength leaves. */
PmtGrid *pmt_few_steps_grid (const PmtSchedule *schedule, int steps, double strength, GError **error);
int pmt_few_steps_most (double strength);
