/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A model on disk: a diffusers folder or a single-file checkpoint. Says what it is and hands out weights and configs by component.
 *
 * Opening reads headers and JSON only. Everything returned belongs to the PmtModelFiles unless said otherwise. */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

#include "engine/weights/config.h"
#include "engine/weights/families.h"
#include "engine/weights/source.h"

typedef struct PmtModelFiles PmtModelFiles;

typedef enum {
  PMT_COMPONENT_UNET,
  PMT_COMPONENT_UNET_FILL, /* second UNet with 9 input channels, folder unet_fill/; the bundled model has one */
  PMT_COMPONENT_UNET_EDIT, /* a UNet with 8 input channels that follows instructions, folder unet_edit/ */
  PMT_COMPONENT_VAE,
  PMT_COMPONENT_TEXT,
  PMT_COMPONENT_TEXT_2,    /* SDXL's second text encoder; the refiner has only this one */
  PMT_N_COMPONENTS
} PmtComponent;

/* The component's folder name: "unet", "unet_fill", "unet_edit", "vae", "text_encoder", "text_encoder_2". */
const char *pmt_component_name (PmtComponent component);

/* NULL on failure: PMT_ERROR_NOT_FOUND (file and folder named), PMT_ERROR_FORMAT, PMT_ERROR_UNSUPPORTED (pickles, families that
 * this build cannot run, distilled networks). The path "random:sd15" stands for random weights of that family: measurements need no
 * files. */
PmtModelFiles *pmt_model_files_open (const char *path, GError **error);
/* Random weights in a family's full-size architecture; tests and bench. PMT_ERROR_INPUT for an unknown id. */
PmtModelFiles *pmt_model_files_new_random (const char *family_id, guint64 seed, GError **error);
void pmt_model_files_free (PmtModelFiles *files); /* NULL is fine */

const char *pmt_model_files_path (const PmtModelFiles *files);
const PmtFamily *pmt_model_files_family (const PmtModelFiles *files);
gboolean pmt_model_files_has (const PmtModelFiles *files, PmtComponent component);
/* Whether a model of its family is incomplete without the component. */
gboolean pmt_model_files_needs (const PmtModelFiles *files, PmtComponent component);
PmtUnetUse pmt_model_files_use (const PmtModelFiles *files, PmtComponent unet);
int pmt_model_files_native_size (const PmtModelFiles *files);       /* pixels */
int pmt_model_files_attention_divisor (const PmtModelFiles *files); /* image pixels per cell */

/* Takes a UNet or VAE from elsewhere in place of the model's own (a VAE file, a UNet-only file, another checkpoint, a component's folder): to
 * be called right after opening, before weights are asked for. PMT_ERROR_UNSUPPORTED where it does not fit the model, in one sentence; the
 * model is then as it was. The hash counts it. */
gboolean pmt_model_files_replace (PmtModelFiles *files, PmtComponent component, const char *path, GError **error);
/* The path that was given for a component there; NULL = it is the model's own. */
const char *pmt_model_files_replaced (const PmtModelFiles *files, PmtComponent component);

/* Opened at first use. NULL on failure, also when the model lacks the component (the message says so). */
PmtWeights *pmt_model_files_weights (PmtModelFiles *files, PmtComponent component, GError **error);
JsonObject *pmt_model_files_config (PmtModelFiles *files, PmtComponent component, GError **error);
/* scheduler_config.json, or the family's. Never NULL. */
JsonObject *pmt_model_files_scheduler (PmtModelFiles *files);
/* The scheduler's class that it states; NULL when it states none, or when the UNet is another than the one that it was stated for. */
const char *pmt_model_files_scheduler_class (const PmtModelFiles *files);
/* FALSE when nothing in the files says whether the UNet predicts noise or velocity (SD 2 checkpoints): the scheduler's prediction_type is
 * then the family's and only a guess; running the UNet once tells (formats.md 1.4). */
gboolean pmt_model_files_prediction_known (const PmtModelFiles *files);
/* What running it has told then. The size may be another one afterwards: to be called between runs. */
/* All of this process that open the same UNet's file share what one of them has found out. FALSE when none has. */
void pmt_model_files_remember_prediction (PmtModelFiles *files, gboolean epsilon);
gboolean pmt_model_files_recall_prediction (PmtModelFiles *files, gboolean *epsilon);
void pmt_model_files_settle_prediction (PmtModelFiles *files, gboolean epsilon);
/* Folder with the tokenizer's files; NULL = the built-in CLIP vocabulary. Pass it to pmt_tokenizer_new. */
const char *pmt_model_files_tokenizer (const PmtModelFiles *files);
/* The same for one of the text encoders. *pads_with_zero: with the built-in vocabulary, whether short prompts are filled up with id 0
 * (OpenCLIP's encoders) instead of the end-of-text token. */
const char *pmt_model_files_tokenizer_for (const PmtModelFiles *files, PmtComponent text, gboolean *pads_with_zero);
/* Whether an absent negative prompt stands for a conditioning of zeros instead of an encoded "" (model_index.json's
 * force_zeros_for_empty_prompt; SDXL base). */
gboolean pmt_model_files_force_zeros (const PmtModelFiles *files);

/* Hex SHA-256 over headers, configs and file sizes: fast, and changes with any file of the model but for equal-sized edits of the
 * values. Newly allocated. */
char *pmt_model_files_hash (PmtModelFiles *files, GError **error);

/* What `inspect` shows, for anything that a user may point at: {path, container, kind, form, what, family, label, use, prediction_type
 * ("unknown" where only running it tells), native_size, tokenizer, needs: [what must be beside it], components: [{name, tensors, bytes,
 * dtypes}], problems: [sentences]}; what does not apply is absent. Reads headers only. Never fails on content: what is wrong goes into
 * problems. Newly referenced; NULL only when there is nothing at the path. */
JsonObject *pmt_model_files_inspect (const char *path, GError **error);
