/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A loaded model: networks, tokenizer, schedule. Kept between jobs, so it is counted by references. One thread at a time. */
#pragma once

#include "engine/nets/clip_text.h"
#include "engine/nets/unet.h"
#include "engine/nets/vae.h"
#include "engine/sample/schedule.h"
#include "engine/text/clip_bpe.h"
#include "engine/weights/model.h"

typedef struct PmtModel PmtModel;

#define PMT_MODEL_MAX_TEXTS 2

/* Which of a model's UNets. A model that lacks the one for a task does it with its main one, which may be of that kind itself. */
typedef enum { PMT_UNET_MAIN, PMT_UNET_FOR_FILL, PMT_UNET_FOR_EDIT } PmtUnetChoice;
enum { PMT_N_UNETS = PMT_UNET_FOR_EDIT + 1 };

/* How a model's prompts become what its UNet takes (formats.md 3). */
typedef struct PmtTextUse {
  int skip;        /* layers of each encoder left out at the end */
  bool final_norm; /* the encoder's last layer norm is applied to what comes out */
  bool pooled;     /* the last encoder's projected pooled output goes to the UNet too (SDXL) */
  bool zeros_for_no_negative; /* an absent negative prompt is a conditioning of zeros, not an encoded "" */
} PmtTextUse;

/* Opens `path` (diffusers folder or single file; NULL or "" = the bundled model), reads configs, loads nothing heavy yet: networks load
 * at first use. Errors name the file and what to do. */
PmtModel *pmt_model_open (const char *path, GError **error);

/* Files that stand in for parts of a model: another VAE, another UNet (pmt_model_files_replace). NULL or "" = the model's own. */
typedef struct PmtModelParts {
  const char *unet, *vae;
} PmtModelParts;
/* pmt_model_open with those; PMT_ERROR_UNSUPPORTED where one does not fit the model. */
PmtModel *pmt_model_open_with (const char *path, const PmtModelParts *parts, GError **error);
/* The same from open files, which it takes over, on failure too. */
PmtModel *pmt_model_new (PmtModelFiles *files, GError **error);
PmtModel *pmt_model_ref (PmtModel *model);
void pmt_model_unref (PmtModel *model); /* NULL is fine */

const char *pmt_model_path (const PmtModel *model);
const char *pmt_model_family (const PmtModel *model); /* id in the families' table, as inspect prints */
const char *pmt_model_hash (const PmtModel *model);   /* quick hash: headers and sizes */
int pmt_model_native_size (const PmtModel *model);    /* pixels: 512 for SD 1.x, 128 for the bundled model */
int pmt_model_attention_divisor (const PmtModel *model); /* pixels per cell of the attention grid that methods address */
int pmt_model_size_multiple (const PmtModel *model);  /* picture sides are multiples of this: 8 */
/* What the networks' products compute in, f32 at first; with int8 only the UNets and ControlNets do, all others, extras among them,
 * stay in bf16 (they are a small part of the time and errors of the decoder are seen as they are). Changing it lets loaded networks and extras go. PMT_ERROR_UNSUPPORTED where the
 * processor lacks it. */
gboolean pmt_model_set_precision (PmtModel *model, PmtPrecision precision, GError **error);
PmtPrecision pmt_model_precision (const PmtModel *model);
/* The fastest that is good enough: bf16, where there is such, for a UNet of 100 million parameters or more (their files are in 16 bits
 * themselves), else f32. */
PmtPrecision pmt_model_auto_precision (PmtModel *model, GError **error);
const PmtScheduleConfig *pmt_model_schedule (const PmtModel *model);
const char *pmt_model_scheduler_class (const PmtModel *model); /* diffusers' class that was shipped with the UNet; NULL = not told */
/* False when the model's files don't say what the UNet predicts (a single file of SD 2): the schedule then holds a guess, until a run has
 * tried it out (pmt_run_learn_prediction before it, so that the size is known with it). */
bool pmt_model_prediction_known (const PmtModel *model);
void pmt_model_set_prediction (PmtModel *model, PmtPrediction prediction); /* what trying it out has shown */
/* Between runs: takes what a run has shown, one of another model of the same files too; the size may be another one then. */
void pmt_model_settle (PmtModel *model);
PmtUnetChoice pmt_model_unet_chosen (const PmtModel *model, PmtUnetChoice choice); /* the asked one, or the main one where it lacks that */
/* The file or folder that a UNet comes from where it stands in for the model's own; else NULL. */
const char *pmt_model_unet_path (const PmtModel *model, PmtUnetChoice choice);
const PmtUnetConfig *pmt_model_unet_config (const PmtModel *model, PmtUnetChoice choice);
const PmtVaeConfig *pmt_model_vae_config (const PmtModel *model);
/* Of the first text encoder. SDXL has two, whose outputs stand side by side in the context; its refiner only the second of them, which
 * is then its first here. */
const PmtClipTextConfig *pmt_model_text_config (const PmtModel *model);
int pmt_model_n_texts (const PmtModel *model); /* 1 or 2 */
PmtComponent pmt_model_text_component (const PmtModel *model, int k); /* PMT_COMPONENT_TEXT or PMT_COMPONENT_TEXT_2 */
const PmtClipTextConfig *pmt_model_text_config_at (const PmtModel *model, int k);
PmtTextUse pmt_model_text_use (const PmtModel *model);
/* Numbers that the UNet is told about the picture: 6 (height and width before scaling, top and left of the crop, height and width), 5 with
 * an aesthetic score in place of the last two (the SDXL refiner), 0 outside SDXL. */
int pmt_model_n_time_ids (const PmtModel *model);

/* What the UNet takes is known without loading. */
int pmt_model_unet_channels (const PmtModel *model, PmtUnetChoice choice);
/* The networks, loaded at first use; NULL + error when that fails. Owned by the model. */
PmtUnet *pmt_model_unet (PmtModel *model, PmtUnetChoice choice, const PmtCancel *cancel, GError **error);
PmtVae *pmt_model_vae (PmtModel *model, const PmtCancel *cancel, GError **error);
PmtClipText *pmt_model_text (PmtModel *model, const PmtCancel *cancel, GError **error);
PmtTokenizer *pmt_model_tokenizer (PmtModel *model, GError **error);
/* The same for text encoder `k` of pmt_model_n_texts. */
PmtClipText *pmt_model_text_at (PmtModel *model, int k, const PmtCancel *cancel, GError **error);
PmtTokenizer *pmt_model_tokenizer_at (PmtModel *model, int k, GError **error);

/* Structure-only twins of the networks for dry runs (memory and FLOPs in advance, nothing loaded). */
PmtUnet *pmt_model_unet_dry (PmtModel *model, PmtUnetChoice choice, GError **error);
PmtVae *pmt_model_vae_dry (PmtModel *model, GError **error);
PmtClipText *pmt_model_text_dry (PmtModel *model, GError **error);
PmtClipText *pmt_model_text_dry_at (PmtModel *model, int k, GError **error);
/* Networks whose part in a run is over may let their weights go; asked for again they are read again. Small ones stay, which no run's memory
 * would feel: those below pmt_model_set_small's bytes, 64 MB at first. */
void pmt_model_rest_texts (PmtModel *model);
void pmt_model_rest_unet (PmtModel *model, PmtUnetChoice choice);
/* The bytes that these two let go. */
gboolean pmt_model_rest_bytes (PmtModel *model, PmtUnetChoice choice, size_t *texts, size_t *unet, GError **error);
/* What nobody needs while this model's UNet `keep` works: the weights of its other UNets. Where another model works, `keep` is -1: those of
 * all its UNets and text encoders. How many bytes of them are in memory and can go, and letting them go. */
size_t pmt_model_idle_bytes (const PmtModel *model, int keep);
void pmt_model_rest_idle (PmtModel *model, int keep);
void pmt_model_set_small (PmtModel *model, size_t bytes);
size_t pmt_model_resident_bytes (const PmtModel *model); /* packed weights in memory now */
/* Packed weights of all that a run uses, with the autoencoder's or without, and what of them is not in memory yet. */
gboolean pmt_model_run_bytes (PmtModel *model, PmtUnetChoice choice, bool with_vae, size_t *total, size_t *missing, GError **error);
