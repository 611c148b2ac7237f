/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The rows behind kinds.h. To teach the engine another kind of file, add a row (and a case in tests/weights). */
#pragma once

#include "engine/weights/kinds.h"

#define PMT_KIND_SIGNS 6

/* A sign is a part of a tensor's name; with '^' first it stands at the name's beginning, with '$' last at its end, with '=' first it is
 * the whole name. */
typedef struct PmtKindRow {
  PmtKind kind;
  const char *form;
  const char *label;
  const char *any[PMT_KIND_SIGNS]; /* at least one of these */
  const char *all[3];              /* and each of these */
  const char *none[2];             /* and none of these */
  gboolean (*fits) (const PmtSafetensors *file);          /* and this; NULL = nothing more */
  const PmtFamily *(*base) (const PmtSafetensors *file);  /* NULL = any base */
  const char *refusal;
} PmtKindRow;

/* Searched in order; the first row that fits decides. */
extern const PmtKindRow pmt_kind_rows[];
extern const size_t pmt_kind_n_rows;

gboolean pmt_kind_has_sign (const PmtSafetensors *file, const char *sign);

/* ---- kinds_base.c: which models a file is made for ---- */

/* By the width of the text context that it was made for; "custom" for a width that no published family has, NULL for 0. */
const PmtFamily *pmt_kind_base_of_context (int64_t width);
/* By cross-attention's key projections, or by SDXL's added conditions. */
const PmtFamily *pmt_kind_base_of_unet (const PmtSafetensors *file);
const PmtFamily *pmt_kind_base_of_lora (const PmtSafetensors *file);
const PmtFamily *pmt_kind_base_of_adapter (const PmtSafetensors *file);
const PmtFamily *pmt_kind_base_of_ip_adapter (const PmtSafetensors *file);
const PmtFamily *pmt_kind_base_of_embedding (const PmtSafetensors *file);
const PmtFamily *pmt_kind_base_of_hypernetwork (const PmtSafetensors *file);
const PmtFamily *pmt_kind_base_of_text_encoder (const PmtSafetensors *file);
