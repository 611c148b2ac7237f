/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The noise schedule a model was trained with (formats.md 6.1), from scheduler_config.json or the family's table. */
#pragma once

#include <stdbool.h>

#include <json-glib/json-glib.h>

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
  bool zero_terminal_snr;
  bool karras; /* use_karras_sigmas */
} PmtScheduleConfig;

/* Stable Diffusion 1.x as shipped. */
void pmt_schedule_config_init_sd (PmtScheduleConfig *config);
/* Keys absent from `object` keep what `config` holds. Unknown values: PMT_ERROR_UNSUPPORTED naming key and `file`. */
gboolean pmt_schedule_config_parse (JsonObject *object, const char *file, PmtScheduleConfig *config, GError **error);

typedef struct PmtSchedule {
  PmtScheduleConfig config;
  double *abar;  /* train_steps values: cumulative alpha products, descending */
  double *sigma; /* sqrt((1 - abar) / abar), ascending */
} PmtSchedule;

PmtSchedule *pmt_schedule_new (const PmtScheduleConfig *config);
void pmt_schedule_free (PmtSchedule *schedule);
