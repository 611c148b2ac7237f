/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Named tensors, wherever they come from: one file, shards, a single-file checkpoint under other names, or random numbers.
 *
 * Names are those of current diffusers/transformers modules ("down_blocks.0.resnets.0.conv1.weight"; text encoders with
 * "text_model."; VAE attention "to_q"). A source whose file spells them otherwise (older diffusers VAEs, flattened text encoders,
 * LDM checkpoints) translates, so that a network never probes for spellings. */
#pragma once

#include <glib.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/weights/dtype.h"
#include "engine/weights/safetensors.h"

#define PMT_WEIGHT_MAX_RANK PMT_SAFETENSORS_MAX_RANK

typedef struct PmtWeights PmtWeights;

typedef struct PmtWeightInfo {
  PmtDtype dtype;
  int rank;
  int64_t dim[PMT_WEIGHT_MAX_RANK];
  const char *file;   /* path of the file that holds it, for messages; lives as long as the set */
  const char *stored; /* the name in that file; lives until the next call on the same set */
} PmtWeightInfo;

typedef enum {
  PMT_LAYOUT_PLAIN, /* as stored: linear [out,in], vectors, embeddings [ids,width] */
  PMT_LAYOUT_OHWI   /* convolution [Cout,Cin,kh,kw] -> [Cout,kh,kw,Cin] */
} PmtWeightLayout;

void pmt_weights_free (PmtWeights *weights); /* NULL is fine */

/* What messages call it: a file or folder, or "random weights". */
const char *pmt_weights_label (const PmtWeights *weights);

/* FALSE when there is no such tensor. Random sources have every name, with rank -1: any shape that is asked for. */
gboolean pmt_weights_lookup (PmtWeights *weights, const char *name, PmtWeightInfo *info);
gboolean pmt_weights_has (PmtWeights *weights, const char *name);

/* Checks that a tensor exists with the wanted shape (PyTorch order). Trailing ones may be missing or more: [C,C,1,1] and [C,C] fit each
 * other. PMT_ERROR_NOT_FOUND or PMT_ERROR_FORMAT, naming tensor, file, both shapes. */
gboolean pmt_weights_check (PmtWeights *weights, const char *name, int rank, const int64_t *dim, GError **error);

/* pmt_weights_check, then all values as f32 in the layout that operations want. `dim` is the PyTorch shape; dst holds its product.
 * PMT_LAYOUT_OHWI needs rank 4. On failure dst is unspecified. */
gboolean pmt_weights_read_packed (PmtWeights *weights, const char *name, PmtWeightLayout layout, int rank, const int64_t *dim,
                                  float *dst, GError **error);

/* Rows [begin, begin+count) of a tensor of shape [rows, width] as f32: token tables, without reading all of them. */
gboolean pmt_weights_read_rows (PmtWeights *weights, const char *name, int64_t rows, int64_t width, int64_t begin,
                                int64_t count, float *dst, GError **error);

/* The values of one tensor, for reading by several threads at once. */
typedef struct PmtWeightSpan {
  PmtWeights *weights;
  const char *name;   /* as it was asked for, with its PyTorch shape; borrowed */
  int rank;
  const int64_t *dim;
  const PmtSafetensors *file; /* NULL: by the source's own read */
  const PmtSafetensor *tensor;
  uint64_t begin;             /* of the first value in the stored tensor */
} PmtWeightSpan;

/* For a tensor that pmt_weights_check found good. FALSE where its values are not there to be read so (transposed ones, quantised ones). */
gboolean pmt_weights_span (PmtWeights *weights, const char *name, int rank, const int64_t *dim, PmtWeightSpan *span);
/* Rows [first, first + count) along the first axis, as pmt_weights_read_packed has them; cannot fail. `room` holds one row's values. */
void pmt_weight_span_rows (const PmtWeightSpan *span, PmtWeightLayout layout, int64_t first, int64_t count, float *room, float *dst);

/* Gives the source's file pages back to the system, once a network has packed what it needs. */
void pmt_weights_drop_pages (PmtWeights *weights);

/* Canonical names that the set holds, sorted, NULL-terminated, newly allocated (g_strfreev). Empty for random sources. */
char **pmt_weights_names (PmtWeights *weights);

/* Which component a set belongs to: decides spellings. */
typedef enum {
  PMT_NAMES_PLAIN, /* take names as they are */
  PMT_NAMES_UNET,
  PMT_NAMES_VAE,
  PMT_NAMES_CLIP_TEXT,
  PMT_NAMES_CONTROLNET,
  PMT_NAMES_OPEN_CLIP /* a text encoder that is stored in OpenCLIP's names (single files only); asked for like PMT_NAMES_CLIP_TEXT */
} PmtNames;

/* One safetensors file whose names are diffusers' (or an older spelling of them). */
PmtWeights *pmt_weights_new_file (const char *path, PmtNames names, GError **error);

/* Component folder of a diffusers model: finds stem[.VARIANT].safetensors, or an index and its shards (formats.md 1.2). `stem` is
 * "diffusion_pytorch_model" or "model"; `variant` NULL takes the plain files, else fp16, else the only variant there is. A folder
 * with pickles only is PMT_ERROR_UNSUPPORTED with how to convert; an empty one PMT_ERROR_NOT_FOUND. */
PmtWeights *pmt_weights_new_folder (const char *folder, const char *stem, const char *variant, PmtNames names, GError **error);

/* View of an open single-file checkpoint (borrowed; must outlive the view). Asked for a canonical name, it looks up `prefix` + the LDM
 * spelling. layers_per_block and levels are those of the component (2 and 4 in SD 1.x). */
PmtWeights *pmt_weights_new_single_file (const PmtSafetensors *file, const char *prefix, PmtNames names, int layers_per_block,
                                         int levels);

/* Values made from a hash of seed and name: normal * 1/sqrt(fan_in) for matrices and kernels (activations keep their size), 0.02
 * normal for embeddings, norm scales 1 + small, biases small. The same name, shape and seed give the same values everywhere. */
PmtWeights *pmt_weights_new_random (guint64 seed);

/* For new kinds of source: the functions behind the calls above. */
typedef struct PmtWeightsClass {
  gboolean (*lookup) (PmtWeights *weights, const char *name, PmtWeightInfo *info);
  /* Values [begin, begin+count) in stored (C) order; `rank`/`dim` is the shape that was asked for. */
  gboolean (*read) (PmtWeights *weights, const char *name, int rank, const int64_t *dim, uint64_t begin, uint64_t count,
                    float *dst, GError **error);
  char **(*names) (PmtWeights *weights);
  void (*drop_pages) (PmtWeights *weights); /* may be NULL */
  void (*free) (PmtWeights *weights);       /* frees the struct and what it owns, not the label */
  /* Completes a span whose first four fields are set; NULL where no tensor has one. Without a file in it, `read` is called by several threads. */
  gboolean (*span) (PmtWeights *weights, PmtWeightSpan *span);
} PmtWeightsClass;

struct PmtWeights {
  const PmtWeightsClass *class;
  char *label; /* owned */
};
