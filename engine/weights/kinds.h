/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a file is and which models it is made for, told by the names and shapes of its tensors alone (formats.md 1.4).
 *
 * One table row per thing that can be recognised (kinds_table.c): kind, form, the names that give it away, how to tell its base, and
 * what to do instead where this version cannot use it. */
#pragma once

#include "engine/weights/families.h"
#include "engine/weights/safetensors.h"

typedef enum {
  PMT_KIND_UNKNOWN,
  PMT_KIND_CHECKPOINT,   /* UNet under "model.diffusion_model.", whatever else is with it */
  PMT_KIND_UNET,         /* a UNet alone */
  PMT_KIND_VAE,
  PMT_KIND_TAESD,
  PMT_KIND_TEXT_ENCODER,
  PMT_KIND_LORA,
  PMT_KIND_CONTROLNET,
  PMT_KIND_T2I_ADAPTER,
  PMT_KIND_IP_ADAPTER,
  PMT_KIND_GLIGEN,
  PMT_KIND_EMBEDDING,    /* textual inversion */
  PMT_KIND_CLIP_VISION,  /* image encoder of IP-Adapters */
  PMT_KIND_HYPERNETWORK,
  PMT_KIND_OTHER,        /* recognised, and nothing that this engine has a use for: `label` names it */
  PMT_N_KINDS
} PmtKind;

typedef struct PmtKindInfo {
  PmtKind kind;
  const char *form;      /* which of the kind: "kohya", "lokr", "small", "plus", "emb_params" …; "" = there is only one. Static. */
  const char *label;     /* with its article, as the middle of a sentence: "a LoRA (LoKr)". Static. */
  const PmtFamily *base; /* the family whose models it is made for; NULL = any, or it cannot be told; "custom" = of no known size */
  const char *refusal;   /* NULL = usable; else the end of "'FILE' is LABEL, ….": what is in the way and what to use. Static. */
} PmtKindInfo;

PmtKindInfo pmt_kind_of_tensors (const PmtSafetensors *file);
/* Only the kind of it. */
PmtKind pmt_kind_detect (const PmtSafetensors *file);

/* The same for a path: a .safetensors or GGUF file, or a component's diffusers folder (config.json and weights). Reads headers only. FALSE
 * when it cannot be opened or is no container of tensors: missing, pickled, cut short, a web page … (the error says which and what to
 * do). A file of an unknown kind or one with a refusal is no error here. */
gboolean pmt_kind_of_file (const char *path, PmtKindInfo *info, GError **error);

/* pmt_kind_of_file, then checks that the file is what it is given as and belongs to the model: for methods that open extras. `model` is the
 * model's path and `family` its family (both for the message); NULL family = any. PMT_ERROR_UNSUPPORTED in one sentence for another
 * kind, another base, or a form that cannot be used. Where either side is of no known size, shapes must decide and this says yes.
 * `info` may be NULL. */
gboolean pmt_kind_require (const char *path, PmtKind wanted, const char *model, const PmtFamily *family, PmtKindInfo *info,
                           GError **error);

/* Stable identifier for --json: "checkpoint", "lora". */
const char *pmt_kind_id (PmtKind kind);
/* With its article, as the middle of a sentence: "a LoRA". */
const char *pmt_kind_label (PmtKind kind);
