/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A loaded model: networks, tokenizer, schedule. Kept between jobs, so it is counted by references. */
#pragma once

#include "engine/nets/clip_text.h"
#include "engine/nets/unet.h"
#include "engine/nets/vae.h"
#include "engine/sample/schedule.h"
#include "engine/text/clip_bpe.h"

typedef struct PmtModel PmtModel;

/* Opens `path` (diffusers folder or single file; NULL = the bundled model), reads configs, loads nothing heavy yet: networks load at
 * first use. Errors name the file and what to do. */
PmtModel *pmt_model_open (const char *path, GError **error);
PmtModel *pmt_model_ref (PmtModel *model);
void pmt_model_unref (PmtModel *model);

const char *pmt_model_path (const PmtModel *model);
const char *pmt_model_family (const PmtModel *model); /* "sd1", "bundled" … as inspect prints */
const char *pmt_model_hash (const PmtModel *model);   /* quick hash: header and size */
int pmt_model_native_size (const PmtModel *model);    /* pixels: 512 for SD 1.x, 128 for the bundled model */
int pmt_model_size_multiple (const PmtModel *model);  /* picture sides are multiples of this: 8 */
const PmtScheduleConfig *pmt_model_schedule (const PmtModel *model);
const PmtVaeConfig *pmt_model_vae_config (const PmtModel *model);

/* Which UNet serves a task: one trained for inpainting (9 channels) when `want_channels` is 9 and the model has one, else its only
 * one. *channels gets what it takes. NULL + error when loading fails. */
int pmt_model_unet_channels (const PmtModel *model, bool fill); /* without loading */
PmtUnet *pmt_model_unet (PmtModel *model, bool fill, const PmtCancel *cancel, GError **error);
PmtVae *pmt_model_vae (PmtModel *model, const PmtCancel *cancel, GError **error);
PmtClipText *pmt_model_text (PmtModel *model, const PmtCancel *cancel, GError **error);
PmtTokenizer *pmt_model_tokenizer (PmtModel *model, GError **error);

/* Structure-only twins of the networks for dry runs (memory and FLOPs in advance, nothing loaded). */
PmtUnet *pmt_model_unet_dry (PmtModel *model, bool fill, GError **error);
PmtVae *pmt_model_vae_dry (PmtModel *model, GError **error);
size_t pmt_model_resident_bytes (const PmtModel *model); /* packed weights in memory now */
