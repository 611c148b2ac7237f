/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a safetensors file holds, told by its tensors' names alone (formats.md 1.4). */
#pragma once

#include "engine/weights/safetensors.h"

typedef enum {
  PMT_KIND_UNKNOWN,
  PMT_KIND_CHECKPOINT,
  PMT_KIND_UNET,
  PMT_KIND_VAE,
  PMT_KIND_TAESD,
  PMT_KIND_TEXT_ENCODER,
  PMT_KIND_LORA,
  PMT_KIND_CONTROLNET,
  PMT_KIND_T2I_ADAPTER,
  PMT_KIND_IP_ADAPTER,
  PMT_KIND_GLIGEN,
  PMT_KIND_EMBEDDING
} PmtKind;

PmtKind pmt_kind_detect (const PmtSafetensors *file);
/* Stable identifier for --json: "checkpoint", "lora". */
const char *pmt_kind_id (PmtKind kind);
/* With its article, as the middle of a sentence: "a LoRA". */
const char *pmt_kind_label (PmtKind kind);
