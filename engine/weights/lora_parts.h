/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The inside of a LoRA file, shared by lora*.c. */
#pragma once

#include "engine/weights/lora.h"

/* What a key's ending says. */
typedef enum {
  PMT_LORA_DOWN,
  PMT_LORA_UP,
  PMT_LORA_MID,
  PMT_LORA_UP_BIAS,
  PMT_LORA_ALPHA,
  PMT_LORA_DORA,      /* of LyCORIS: per output row or per input column, told by the shape */
  PMT_LORA_MAGNITUDE, /* of PEFT: per output row */
  PMT_LORA_HADA_W1_A,
  PMT_LORA_HADA_W1_B,
  PMT_LORA_HADA_W2_A,
  PMT_LORA_HADA_W2_B,
  PMT_LORA_HADA_T1,
  PMT_LORA_HADA_T2,
  PMT_LORA_LOKR_W1,
  PMT_LORA_LOKR_W1_A,
  PMT_LORA_LOKR_W1_B,
  PMT_LORA_LOKR_W2,
  PMT_LORA_LOKR_W2_A,
  PMT_LORA_LOKR_W2_B,
  PMT_LORA_LOKR_T2,
  PMT_LORA_DIFF,
  PMT_LORA_DIFF_BIAS,
  PMT_LORA_N_ROLES
} PmtLoraRole;

/* Length of the stem that `key` ends with a known role on; 0 when it does not. */
size_t pmt_lora_role_of (const char *key, PmtLoraRole *role);

typedef enum { PMT_LORA_PAIR, PMT_LORA_HADA, PMT_LORA_KRON, PMT_LORA_FULL } PmtLoraKind;

/* One module's tensors, as the file has them. */
typedef struct PmtLoraModule {
  const char *stem; /* owned by the names table */
  const PmtSafetensor *tensor[PMT_LORA_N_ROLES];
  PmtLoraKind kind;
  float scale;      /* alpha / rank, or what stands for it; without the user's strength */
} PmtLoraModule;

/* Rows [row, row + rows) of a module's change belong to a weight; for all but OpenCLIP's joined projections that is all of them. */
typedef struct PmtLoraPatch {
  guint weight;
  const PmtLoraModule *module;
  bool bias; /* the module's bias difference, not its main change */
  int64_t row, rows, all_rows;
} PmtLoraPatch;

struct PmtLora {
  PmtSafetensors *file;
  char *path;
  GPtrArray *modules;       /* of PmtLoraModule, owned */
  GArray *patches;          /* of PmtLoraPatch, sorted by weight */
  GPtrArray *unmatched;     /* of char *, NULL-terminated */
  PmtLoraWeight *weights;   /* copies; names are owned */
  guint n_weights;
  guint count[PMT_LORA_N_PARTS];
};

/* lora_names.c: which modules a file's stems mean. */
typedef struct PmtLoraTarget {
  PmtLoraPart part;
  guint weight, bias;       /* index + 1 in the model's weights; 0 = it has none */
  int64_t part_row, all;    /* this is slice part_row of `all` equal ones of a joined module; 0 of 1 otherwise */
} PmtLoraTarget;

typedef struct PmtLoraNames PmtLoraNames;
PmtLoraNames *pmt_lora_names_new (const PmtLoraModel *model);
void pmt_lora_names_free (PmtLoraNames *names);
/* The targets of a stem (of PmtLoraTarget; one, or three for a joined projection); NULL when it names nothing. */
const GArray *pmt_lora_names_find (const PmtLoraNames *names, const char *stem, size_t length);

/* lora_meta.c: what the file's metadata, or adapter_config.json beside it, says about scales. */
typedef struct PmtLoraMeta PmtLoraMeta;
PmtLoraMeta *pmt_lora_meta_new (const PmtSafetensors *file);
void pmt_lora_meta_free (PmtLoraMeta *meta);
/* FALSE when nothing is said about the module called `stem`. */
gboolean pmt_lora_meta_alpha (const PmtLoraMeta *meta, const char *stem, double *alpha);
gboolean pmt_lora_meta_root_rank (const PmtLoraMeta *meta, const char *stem); /* rs-LoRA: alpha / sqrt (rank) */

/* lora_fits.c: checks a module's tensors against a weight's shape (rows, and values per row). FALSE when they do not fit. */
gboolean pmt_lora_fits (const PmtLoraModule *module, int64_t rows, const PmtLoraWeight *weight);
