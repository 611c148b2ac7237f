/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/sample/model.h"

#include <string.h>

#include "engine/base/datadir.h"
#include "engine/sample/extra.h"
#include "engine/weights/config.h"

/* A network and its twin without weights. */
typedef struct Slot {
  void *net, *dry;
} Slot;

struct PmtModel {
  int refs;
  PmtModelFiles *files;
  char *hash;
  PmtScheduleConfig schedule;
  PmtUnetConfig unet_config[2]; /* plain, fill */
  bool has_fill;
  PmtVaeConfig vae_config;
  PmtClipTextConfig text_config;
  Slot unet[2], vae, text;
  PmtTokenizer *tokenizer;
  PmtExtras *extras;
};

static gboolean
read_configs (PmtModel *model, GError **error)
{
  JsonObject *unet = pmt_model_files_config (model->files, PMT_COMPONENT_UNET, error);
  if (!unet || !pmt_unet_config_parse (unet, pmt_config_path (unet), &model->unet_config[0], error))
    return FALSE;
  model->has_fill = pmt_model_files_has (model->files, PMT_COMPONENT_UNET_FILL);
  if (model->has_fill) {
    JsonObject *fill = pmt_model_files_config (model->files, PMT_COMPONENT_UNET_FILL, error);
    if (!fill || !pmt_unet_config_parse (fill, pmt_config_path (fill), &model->unet_config[1], error))
      return FALSE;
  }
  JsonObject *vae = pmt_model_files_config (model->files, PMT_COMPONENT_VAE, error);
  if (!vae || !pmt_vae_config_parse (vae, pmt_config_path (vae), &model->vae_config, error))
    return FALSE;
  JsonObject *text = pmt_model_files_config (model->files, PMT_COMPONENT_TEXT, error);
  if (!text || !pmt_clip_text_config_parse (text, pmt_config_path (text), &model->text_config, error))
    return FALSE;
  JsonObject *scheduler = pmt_model_files_scheduler (model->files);
  pmt_schedule_config_init_sd (&model->schedule);
  return pmt_schedule_config_parse (scheduler, pmt_config_path (scheduler), &model->schedule, error);
}

/* Parts of different models in one folder load and then fail in mid-run; here the sentence can say which part is wrong. */
static gboolean
check_fit (const PmtModel *model, GError **error)
{
  const char *path = pmt_model_path (model);
  for (int k = 0; k <= model->has_fill; k++) {
    const PmtUnetConfig *unet = &model->unet_config[k];
    const char *name = pmt_component_name (k ? PMT_COMPONENT_UNET_FILL : PMT_COMPONENT_UNET);
    if (unet->cross_attention_dim != model->text_config.hidden) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT,
                   "In the model '%s' the %s expects text of width %d and the text_encoder gives %d; fetch both from one model.", path,
                   name, unet->cross_attention_dim, model->text_config.hidden);
      return FALSE;
    }
    if (unet->out_channels != model->vae_config.latent_channels) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT,
                   "In the model '%s' the %s makes latents of %d channels and the vae reads %d; fetch both from one model.", path, name,
                   unet->out_channels, model->vae_config.latent_channels);
      return FALSE;
    }
  }
  if (model->vae_config.in_channels != 3 || model->vae_config.out_channels != 3) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED, "The vae of the model '%s' works on %d channels, not on RGB; use another model.",
                 path, model->vae_config.in_channels);
    return FALSE;
  }
  return TRUE;
}

PmtModel *
pmt_model_new (PmtModelFiles *files, GError **error)
{
  PmtModel *model = g_new0 (PmtModel, 1);
  model->refs = 1;
  model->files = files;
  model->extras = pmt_extras_new ();
  if (read_configs (model, error) && check_fit (model, error) && (model->hash = pmt_model_files_hash (files, error)))
    return model;
  pmt_model_unref (model);
  return NULL;
}

PmtModel *
pmt_model_open (const char *path, GError **error)
{
  g_autofree char *bundled = NULL;
  if (!path || !*path) {
    path = bundled = pmt_data_path ("models/sketch", error);
    if (!path)
      return NULL;
  }
  PmtModelFiles *files = pmt_model_files_open (path, error);
  return files ? pmt_model_new (files, error) : NULL;
}

PmtModel *
pmt_model_ref (PmtModel *model)
{
  model->refs++;
  return model;
}

void
pmt_model_unref (PmtModel *model)
{
  if (!model || --model->refs > 0)
    return;
  pmt_extras_free (model->extras); /* first: they may point into the networks */
  for (int k = 0; k < 2; k++) {
    pmt_unet_free (model->unet[k].net);
    pmt_unet_free (model->unet[k].dry);
  }
  pmt_vae_free (model->vae.net);
  pmt_vae_free (model->vae.dry);
  pmt_clip_text_free (model->text.net);
  pmt_clip_text_free (model->text.dry);
  pmt_tokenizer_free (model->tokenizer);
  pmt_model_files_free (model->files);
  g_free (model->hash);
  g_free (model);
}

PmtExtras *
pmt_model_extras (PmtModel *model)
{
  return model->extras;
}

const char *
pmt_model_path (const PmtModel *model)
{
  return pmt_model_files_path (model->files);
}

const char *
pmt_model_family (const PmtModel *model)
{
  return pmt_model_files_family (model->files)->id;
}

const char *
pmt_model_hash (const PmtModel *model)
{
  return model->hash;
}

int
pmt_model_native_size (const PmtModel *model)
{
  return pmt_model_files_native_size (model->files);
}

int
pmt_model_attention_divisor (const PmtModel *model)
{
  return pmt_model_files_attention_divisor (model->files);
}

int
pmt_model_size_multiple (const PmtModel *model)
{
  return pmt_vae_factor (&model->vae_config);
}

const PmtScheduleConfig *
pmt_model_schedule (const PmtModel *model)
{
  return &model->schedule;
}

const PmtUnetConfig *
pmt_model_unet_config (const PmtModel *model, bool fill)
{
  return &model->unet_config[fill && model->has_fill];
}

const PmtVaeConfig *
pmt_model_vae_config (const PmtModel *model)
{
  return &model->vae_config;
}

const PmtClipTextConfig *
pmt_model_text_config (const PmtModel *model)
{
  return &model->text_config;
}

int
pmt_model_unet_channels (const PmtModel *model, bool fill)
{
  return pmt_model_unet_config (model, fill)->in_channels;
}

PmtUnet *
pmt_model_unet (PmtModel *model, bool fill, const PmtCancel *cancel, GError **error)
{
  const bool second = fill && model->has_fill;
  Slot *slot = &model->unet[second];
  if (!slot->net) {
    PmtWeights *weights = pmt_model_files_weights (model->files, second ? PMT_COMPONENT_UNET_FILL : PMT_COMPONENT_UNET, error);
    if (!weights)
      return NULL;
    slot->net = pmt_unet_new (&model->unet_config[second], weights, cancel, error);
    pmt_weights_drop_pages (weights);
  }
  return slot->net;
}

PmtVae *
pmt_model_vae (PmtModel *model, const PmtCancel *cancel, GError **error)
{
  if (!model->vae.net) {
    PmtWeights *weights = pmt_model_files_weights (model->files, PMT_COMPONENT_VAE, error);
    if (!weights)
      return NULL;
    model->vae.net = pmt_vae_new (&model->vae_config, weights, cancel, error);
    pmt_weights_drop_pages (weights);
  }
  return model->vae.net;
}

PmtClipText *
pmt_model_text (PmtModel *model, const PmtCancel *cancel, GError **error)
{
  if (!model->text.net) {
    PmtWeights *weights = pmt_model_files_weights (model->files, PMT_COMPONENT_TEXT, error);
    if (!weights)
      return NULL;
    model->text.net = pmt_clip_text_new (&model->text_config, weights, cancel, error);
    pmt_weights_drop_pages (weights);
  }
  return model->text.net;
}

PmtTokenizer *
pmt_model_tokenizer (PmtModel *model, GError **error)
{
  if (model->tokenizer)
    return model->tokenizer;
  const char *folder = pmt_model_files_tokenizer (model->files);
  PmtTokenizer *tokenizer = pmt_tokenizer_new (folder, error);
  if (tokenizer && pmt_tokenizer_size (tokenizer) > model->text_config.vocab_size) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT,
                 "%s%s%s has %d words and the text_encoder of '%s' knows %d; fetch tokenizer and text_encoder from one model.",
                 folder ? "The tokenizer '" : "The built-in vocabulary", folder ? folder : "", folder ? "'" : "",
                 pmt_tokenizer_size (tokenizer), pmt_model_path (model), model->text_config.vocab_size);
    g_clear_pointer (&tokenizer, pmt_tokenizer_free);
  }
  return model->tokenizer = tokenizer;
}

PmtUnet *
pmt_model_unet_dry (PmtModel *model, bool fill, GError **error)
{
  const bool second = fill && model->has_fill;
  Slot *slot = &model->unet[second];
  if (!slot->dry)
    slot->dry = pmt_unet_new (&model->unet_config[second], NULL, NULL, error);
  return slot->dry;
}

PmtVae *
pmt_model_vae_dry (PmtModel *model, GError **error)
{
  if (!model->vae.dry)
    model->vae.dry = pmt_vae_new (&model->vae_config, NULL, NULL, error);
  return model->vae.dry;
}

PmtClipText *
pmt_model_text_dry (PmtModel *model, GError **error)
{
  if (!model->text.dry)
    model->text.dry = pmt_clip_text_new (&model->text_config, NULL, NULL, error);
  return model->text.dry;
}

size_t
pmt_model_resident_bytes (const PmtModel *model)
{
  size_t bytes = pmt_extras_resident_bytes (model->extras);
  for (int k = 0; k < 2; k++)
    bytes += model->unet[k].net ? pmt_unet_weight_bytes (model->unet[k].net) : 0;
  bytes += model->vae.net ? pmt_vae_weight_bytes (model->vae.net) : 0;
  bytes += model->text.net ? pmt_clip_text_weight_bytes (model->text.net) : 0;
  return bytes;
}

gboolean
pmt_model_run_bytes (PmtModel *model, bool fill, size_t *total, size_t *missing, GError **error)
{
  const bool second = fill && model->has_fill;
  PmtUnet *unet = pmt_model_unet_dry (model, fill, error);
  PmtVae *vae = unet ? pmt_model_vae_dry (model, error) : NULL;
  PmtClipText *text = vae ? pmt_model_text_dry (model, error) : NULL;
  if (!text)
    return FALSE;
  const size_t bytes[3] = { pmt_unet_weight_bytes (unet), pmt_vae_weight_bytes (vae), pmt_clip_text_weight_bytes (text) };
  *total = bytes[0] + bytes[1] + bytes[2];
  *missing = (model->unet[second].net ? 0 : bytes[0]) + (model->vae.net ? 0 : bytes[1]) + (model->text.net ? 0 : bytes[2]);
  return TRUE;
}
