/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The noise schedule a model was trained with (formats.md 6.1), from scheduler_config.json or the family's table, and the
 * conversions between what a network may predict. */
#pragma once

#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stddef.h>

#include "engine/base/error.h"

typedef enum { PMT_PREDICT_EPSILON, PMT_PREDICT_V, PMT_PREDICT_SAMPLE } PmtPrediction;
typedef enum { PMT_SPACING_LEADING, PMT_SPACING_TRAILING, PMT_SPACING_LINSPACE } PmtSpacing;
typedef enum { PMT_BETAS_SCALED_LINEAR, PMT_BETAS_LINEAR } PmtBetas;

typedef struct PmtScheduleConfig {
  int train_steps;
  PmtBetas betas;
  double beta_start, beta_end;
  PmtPrediction prediction;
  PmtSpacing spacing;
  int steps_offset;
  bool set_alpha_to_one;
  bool final_sigma_min; /* the last step goes to the lowest noise level of the table, not to none (final_sigmas_type "sigma_min") */
  bool zero_terminal_snr;
  bool karras; /* use_karras_sigmas, as the file says; a sampler's id decides, so this is only told */
} PmtScheduleConfig;

/* Stable Diffusion 1.x as shipped. */
void pmt_schedule_config_init_sd (PmtScheduleConfig *config);
/* Keys absent from `object` keep what `config` holds. Unknown values: PMT_ERROR_UNSUPPORTED naming key and `file`; values of the
 * wrong type: PMT_ERROR_FORMAT. */
gboolean pmt_schedule_config_parse (JsonObject *object, const char *file, PmtScheduleConfig *config, GError **error);

typedef struct PmtSchedule {
  PmtScheduleConfig config;
  double *abar;  /* train_steps values: cumulative alpha products, descending; rounded to f32 as torch has them */
  double *sigma; /* sqrt((1 - abar) / abar), ascending, f32 too; finite also where abar is 0 */
} PmtSchedule;

/* NULL + PMT_ERROR_INPUT when the numbers of `config` make no schedule. */
PmtSchedule *pmt_schedule_new (const PmtScheduleConfig *config, GError **error);
void pmt_schedule_free (PmtSchedule *schedule); /* NULL is fine */

/* A noise level: x = a * clean + s * noise with a^2 + s^2 = 1. */
typedef struct PmtLevel {
  double a, s;
} PmtLevel;
PmtLevel pmt_level_from_abar (double abar);
PmtLevel pmt_level_from_sigma (double sigma); /* sigma = s / a */

/* What a network output says about the latent x (in x = a clean + s noise form; x_scale brings x there first), over n values. Either
 * of `clean` and `noise` may be NULL; they may alias `x`. */
void pmt_predict_split (PmtPrediction prediction, PmtLevel level, const float *output, const float *x, double x_scale, size_t n,
                        float *clean, float *noise);
/* out = a * clean + s * noise. May alias. */
void pmt_level_mix (PmtLevel level, const float *clean, const float *noise, size_t n, float *out);
