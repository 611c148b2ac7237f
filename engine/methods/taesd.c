/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Decoding with a tiny autoencoder (nets/taesd.h) that the request brings, in place of the model's own. */
#include "engine/nets/taesd.h"

#include "engine/sample/run.h"

static void *
open_extra (PmtModel *model, PmtUnetChoice choice, const char *path, GError **error)
{
  const PmtVaeConfig *vae = pmt_model_vae_config (model);
  PmtTaesd *taesd = pmt_taesd_open (path, vae->latent_channels, error);
  if (taesd && !pmt_taesd_has_decoder (taesd)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                 _("The tiny autoencoder '%s' holds the encoder alone; give the file with the decoder (taesd_decoder.safetensors)."), path);
    g_clear_pointer (&taesd, pmt_taesd_free);
  }
  if (taesd && pmt_taesd_factor (taesd) != pmt_vae_factor (vae)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                 _("The tiny autoencoder '%s' makes %d pixels of each latent one and the model's %d; use one that belongs to the model."), path,
                 pmt_taesd_factor (taesd), pmt_vae_factor (vae));
    g_clear_pointer (&taesd, pmt_taesd_free);
  }
  if (taesd)
    pmt_weight_pool_set_precision (pmt_taesd_weights (taesd), vae->precision);
  return taesd;
}

static gboolean
load_extra (void *extra, const PmtCancel *cancel, GError **error)
{
  return pmt_taesd_load (extra, cancel, error);
}

static size_t
extra_bytes (const void *extra)
{
  return pmt_taesd_weight_bytes (extra);
}

static void
free_extra (void *extra)
{
  pmt_taesd_free (extra);
}

static const PmtExtraClass extra_class = { "tiny autoencoder", open_extra, load_extra, extra_bytes, free_extra };

static bool
implied (const PmtRun *run)
{
  return run->request->taesd != NULL;
}

/* The state is the network itself, which the model owns. */
static void *
state_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  if (run->request->taesd)
    return pmt_run_extra (run, &extra_class, run->request->taesd, error);
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The method taesd needs a tiny autoencoder's file; give it."));
  return NULL;
}

static PmtTensor
decode (void *state, PmtRun *run, PmtTensor latent)
{
  return pmt_taesd_decode (&run->ctx, state, latent);
}

const PmtMethod pmt_method_taesd = {
  .id = "taesd",
  .label = N_("Decode with a tiny autoencoder"),
  .summary = N_("Makes the picture with a small, quick decoder that loses fine detail."),
  .order = 900,
  .internal = true,
  .implied = implied,
  .state_new = state_new,
  .decode = decode,
};
