/* SPDX-License-Identifier: GPL-3.0-or-later */
/* TAESD (O. Boer Bohan, 2023): a tiny autoencoder that was distilled from Stable Diffusion's, for quick looks and small memories
 * (formats.md 4.4). It takes latents as the UNet has them, scaled. */
#pragma once

#include "engine/base/cancel.h"
#include "engine/nets/weight_pool.h"
#include "engine/tensor/context.h"

typedef struct PmtTaesd PmtTaesd;

/* Reads headers and makes the structure. `path`: a file with decoder, encoder or both, in diffusers' or the author's names, or a folder of
 * diffusers. PMT_ERROR_UNSUPPORTED when it is something else or has not `latent_channels`; PMT_ERROR_FORMAT when it is incomplete. */
PmtTaesd *pmt_taesd_open (const char *path, int latent_channels, GError **error);
gboolean pmt_taesd_load (PmtTaesd *taesd, const PmtCancel *cancel, GError **error);
void pmt_taesd_free (PmtTaesd *taesd); /* NULL is fine */
size_t pmt_taesd_weight_bytes (const PmtTaesd *taesd);
PmtWeightPool *pmt_taesd_weights (const PmtTaesd *taesd);
bool pmt_taesd_has_decoder (const PmtTaesd *taesd);
bool pmt_taesd_has_encoder (const PmtTaesd *taesd);
int pmt_taesd_factor (const PmtTaesd *taesd); /* pixels per latent pixel: 8 */

/* latents [N, h, w, c] -> pictures [N, f h, f w, 3] around [-1, 1], as pmt_vae_decode. Needs a decoder. */
PmtTensor pmt_taesd_decode (PmtContext *ctx, PmtTaesd *taesd, PmtTensor latents);
/* pictures [N, H, W, 3] in [-1, 1], sides multiples of the factor -> latents [N, H/f, W/f, c]. Needs an encoder. */
PmtTensor pmt_taesd_encode (PmtContext *ctx, PmtTaesd *taesd, PmtTensor pictures);
