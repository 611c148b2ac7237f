/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files of changes to a model's weights: LoRA (Hu et al. 2021) with convolutions, Tucker cores (LoCon), DoRA (Liu et al. 2024), LoHa, LoKr
 * and plain differences (LyCORIS), under the names of kohya, diffusers old and new, PEFT and LyCORIS (formats.md 7.9).
 *
 * The reader never guesses a module's name from a flattened one: it spells every weight of the model in all the ways that files use and
 * looks the file's keys up in that. Opening reads the header and small tensors (alpha); factors are read from the mapped file each time
 * they are applied. */
#pragma once

#include "engine/base/cancel.h"
#include "engine/weights/families.h"
#include "engine/weights/source.h"

typedef enum { PMT_LORA_UNET, PMT_LORA_TEXT, PMT_LORA_TEXT_2, PMT_LORA_N_PARTS } PmtLoraPart;

/* A weight of the model that a file is for. */
typedef struct PmtLoraWeight {
  PmtLoraPart part;
  const char *name;       /* canonical, "down_blocks.0.resnets.0.conv1.weight"; borrowed while opening */
  PmtWeightLayout layout; /* how its values lie when a change is applied */
  int rank;
  int64_t dim[4];         /* PyTorch order */
} PmtLoraWeight;

/* The model: its weights, and what sentences call it. */
typedef struct PmtLoraModel {
  const PmtLoraWeight *weights;
  guint n_weights;
  int layers_per_block, levels; /* of the UNet: LDM numbers blocks through */
  int context_width;            /* of the UNet's text */
  bool refiner;                 /* its one text encoder is the second one of its family */
  const char *path;
  const PmtFamily *family;
} PmtLoraModel;

typedef struct PmtLora PmtLora;

/* A safetensors file, or a folder with pytorch_lora_weights.safetensors or adapter_model.safetensors in it. Refused with a sentence that
 * says what it is and what fits: pickles; files of another kind; shapes or names of another base; files whose keys mostly match nothing.
 * `model` is used during the call only. */
PmtLora *pmt_lora_open (const char *path, const PmtLoraModel *model, GError **error);
void pmt_lora_free (PmtLora *lora); /* NULL is fine */
const char *pmt_lora_path (const PmtLora *lora);

/* Keys of the file that belong to nothing in the model (or to a kind of change that is not known here), NULL-terminated; owned by it. */
const char *const *pmt_lora_unmatched (const PmtLora *lora);

/* Which of the model's weights it changes: TRUE when there is a change to the i-th one that was given. */
gboolean pmt_lora_changes (const PmtLora *lora, guint weight);
/* How many modules of a part it changes. */
guint pmt_lora_count (const PmtLora *lora, PmtLoraPart part);

/* Adds `strength` times the change of weight i to `out`, both packed in the weight's layout: out += strength * scale * difference. `base`
 * are the model's own values, which a DoRA is relative to, so that several files add up in any order. In f32; the bytes depend on the
 * thread count alone. PMT_ERROR_CANCELLED, PMT_ERROR_UNSUPPORTED (a number format). */
gboolean pmt_lora_apply (const PmtLora *lora, guint weight, double strength, const float *base, float *out, const PmtCancel *cancel,
                         GError **error);
