/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/sample/model.h"

#include <string.h>

#include "engine/base/datadir.h"
#include "engine/kernels/packed.h"
#include "engine/sample/extra.h"
#include "engine/weights/config.h"
#include "engine/weights/library.h"

/* A network and its twin without weights. */
typedef struct Slot {
  void *net, *dry;
} Slot;

static const PmtComponent unets[PMT_N_UNETS] = {
  [PMT_UNET_MAIN] = PMT_COMPONENT_UNET, [PMT_UNET_FOR_FILL] = PMT_COMPONENT_UNET_FILL, [PMT_UNET_FOR_EDIT] = PMT_COMPONENT_UNET_EDIT
};

struct PmtModel {
  int refs;
  PmtModelFiles *files;
  char *hash;
  PmtScheduleConfig schedule;
  bool prediction_known;
  PmtUnetConfig unet_config[PMT_N_UNETS];
  bool has_unet[PMT_N_UNETS];
  int64_t unet_values; /* parameters of the main one; 0 = not counted yet */
  PmtVaeConfig vae_config;
  int n_texts;
  PmtComponent text_component[PMT_MODEL_MAX_TEXTS];
  PmtClipTextConfig text_config[PMT_MODEL_MAX_TEXTS];
  PmtTextUse text_use;
  Slot unet[PMT_N_UNETS], vae, text[PMT_MODEL_MAX_TEXTS];
  PmtTokenizer *tokenizer[PMT_MODEL_MAX_TEXTS];
  PmtExtras *extras;
  size_t small; /* networks of fewer bytes stay in memory */
};

static gboolean
read_texts (PmtModel *model, GError **error)
{
  static const PmtComponent texts[] = { PMT_COMPONENT_TEXT, PMT_COMPONENT_TEXT_2 };
  for (size_t i = 0; i < G_N_ELEMENTS (texts); i++) {
    /* with none at all, the first one's absence is what is told */
    if (!pmt_model_files_has (model->files, texts[i]) && (i > 0 || pmt_model_files_has (model->files, PMT_COMPONENT_TEXT_2)))
      continue;
    JsonObject *text = pmt_model_files_config (model->files, texts[i], error);
    if (!text || !pmt_clip_text_config_parse (text, pmt_config_path (text), &model->text_config[model->n_texts], error))
      return FALSE;
    model->text_component[model->n_texts++] = texts[i];
  }
  const bool pooled = model->unet_config[0].added_dim > 0;
  model->text_use = (PmtTextUse) { .skip = pooled ? 1 : 0, .final_norm = !pooled, .pooled = pooled,
                                   .zeros_for_no_negative = pmt_model_files_force_zeros (model->files) };
  return TRUE;
}

static gboolean
read_configs (PmtModel *model, GError **error)
{
  for (int k = 0; k < PMT_N_UNETS; k++) {
    model->has_unet[k] = k == PMT_UNET_MAIN || pmt_model_files_has (model->files, unets[k]);
    JsonObject *unet = model->has_unet[k] ? pmt_model_files_config (model->files, unets[k], error) : NULL;
    if (model->has_unet[k] && (!unet || !pmt_unet_config_parse (unet, pmt_config_path (unet), &model->unet_config[k], error)))
      return FALSE;
  }
  JsonObject *vae = pmt_model_files_config (model->files, PMT_COMPONENT_VAE, error);
  if (!vae || !pmt_vae_config_parse (vae, pmt_config_path (vae), &model->vae_config, error))
    return FALSE;
  if (!read_texts (model, error))
    return FALSE;
  JsonObject *scheduler = pmt_model_files_scheduler (model->files);
  pmt_schedule_config_init_sd (&model->schedule);
  model->prediction_known = pmt_model_files_prediction_known (model->files);
  return pmt_schedule_config_parse (scheduler, pmt_config_path (scheduler), &model->schedule, error);
}

/* Parts of different models in one folder load and then fail in mid-run; here the sentence can say which part is wrong. */
static gboolean
check_fit (const PmtModel *model, GError **error)
{
  const char *path = pmt_model_path (model);
  const PmtClipTextConfig *last = &model->text_config[model->n_texts - 1];
  int text_width = 0;
  for (int i = 0; i < model->n_texts; i++)
    text_width += model->text_config[i].hidden;
  for (int k = 0; k < PMT_N_UNETS; k++) {
    const PmtUnetConfig *unet = &model->unet_config[k];
    const char *name = pmt_component_name (unets[k]);
    if (!model->has_unet[k])
      continue;
    if (unet->cross_attention_dim != text_width) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT,
                   _("In the model '%s' the %s expects text of width %d and the %s %d; fetch both from one model."), path, name,
                   unet->cross_attention_dim, model->n_texts > 1 ? "text encoders give" : "text_encoder gives", text_width);
      return FALSE;
    }
    const int ids = unet->added_dim - last->projection;
    if (unet->added_dim > 0 && (last->projection < 1 || (ids != 5 * unet->time_id_dim && ids != 6 * unet->time_id_dim))) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT,
                   _("In the model '%s' the %s expects %d added conditions, which are a pooled text and 5 or 6 numbers of %d each, and the "
                     "pooled text of the %s is %d wide; fetch both from one model."),
                   path, name, unet->added_dim, unet->time_id_dim,
                   pmt_component_name (model->text_component[model->n_texts - 1]), last->projection);
      return FALSE;
    }
    if (unet->out_channels != model->vae_config.latent_channels) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT,
                   _("In the model '%s' the %s makes latents of %d channels and the vae reads %d; fetch both from one model."), path, name,
                   unet->out_channels, model->vae_config.latent_channels);
      return FALSE;
    }
  }
  if (model->vae_config.in_channels != 3 || model->vae_config.out_channels != 3) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED, _("The vae of the model '%s' works on %d channels, not on RGB; use another model."),
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
  model->small = (size_t) 64 << 20;
  if (read_configs (model, error) && check_fit (model, error) && (model->hash = pmt_model_files_hash (files, error))) {
    pmt_model_settle (model);
    return model;
  }
  pmt_model_unref (model);
  return NULL;
}

PmtModel *
pmt_model_open (const char *path, GError **error)
{
  return pmt_model_open_with (path, &(PmtModelParts) { NULL, NULL }, error);
}

/* A bare name is one of the library's; anything else stays as it is. Newly allocated; NULL + error. */
static char *
resolve (const char *path, GError **error)
{
  const bool named = pmt_library_is_name (path) && !g_str_has_prefix (path, "random:"); /* that is no file at all */
  return named ? pmt_library_find (path, error) : g_strdup (path);
}

PmtModel *
pmt_model_open_with (const char *path, const PmtModelParts *parts, GError **error)
{
  g_autofree char *unet = resolve (parts->unet ? parts->unet : "", error), *vae = unet ? resolve (parts->vae ? parts->vae : "", error) : NULL;
  const struct {
    PmtComponent component;
    const char *path;
  } others[] = { { PMT_COMPONENT_UNET, unet }, { PMT_COMPONENT_VAE, vae } };
  g_autofree char *found = !vae ? NULL : path && *path ? resolve (path, error) : pmt_data_path ("models/sketch", error);
  PmtModelFiles *files = found ? pmt_model_files_open (found, error) : NULL;
  for (size_t i = 0; files && i < G_N_ELEMENTS (others); i++)
    if (others[i].path && others[i].path[0] && !pmt_model_files_replace (files, others[i].component, others[i].path, error))
      g_clear_pointer (&files, pmt_model_files_free);
  return files ? pmt_model_new (files, error) : NULL;
}

PmtModel *
pmt_model_ref (PmtModel *model)
{
  model->refs++;
  return model;
}

/* Networks, twins and extras. */
static void
free_networks (PmtModel *model)
{
  g_clear_pointer (&model->extras, pmt_extras_free); /* first: they may point into the networks */
  for (int k = 0; k < PMT_N_UNETS; k++) {
    pmt_unet_free (model->unet[k].net);
    pmt_unet_free (model->unet[k].dry);
    model->unet[k] = (Slot) { NULL, NULL };
  }
  pmt_vae_free (model->vae.net);
  pmt_vae_free (model->vae.dry);
  model->vae = (Slot) { NULL, NULL };
  for (int k = 0; k < PMT_MODEL_MAX_TEXTS; k++) {
    pmt_clip_text_free (model->text[k].net);
    pmt_clip_text_free (model->text[k].dry);
    model->text[k] = (Slot) { NULL, NULL };
  }
}

void
pmt_model_unref (PmtModel *model)
{
  if (!model || --model->refs > 0)
    return;
  free_networks (model);
  for (int k = 0; k < PMT_MODEL_MAX_TEXTS; k++)
    pmt_tokenizer_free (model->tokenizer[k]);
  pmt_model_files_free (model->files);
  g_free (model->hash);
  g_free (model);
}

gboolean
pmt_model_set_precision (PmtModel *model, PmtPrecision precision, GError **error)
{
  if (!pmt_precision_available (precision)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED, _("This computer's processor cannot compute in %s; use precision f32 or auto."),
                 pmt_precision_name (precision));
    return FALSE;
  }
  if (precision == pmt_model_precision (model))
    return TRUE;
  free_networks (model);
  model->extras = pmt_extras_new ();
  for (int k = 0; k < PMT_N_UNETS; k++)
    model->unet_config[k].precision = precision;
  const PmtPrecision others = pmt_precision_wide (precision);
  model->vae_config.precision = others;
  for (int k = 0; k < PMT_MODEL_MAX_TEXTS; k++)
    model->text_config[k].precision = others;
  return TRUE;
}

PmtPrecision
pmt_model_precision (const PmtModel *model)
{
  return model->unet_config[PMT_UNET_MAIN].precision;
}

PmtPrecision
pmt_model_auto_precision (PmtModel *model, GError **error)
{
  if (!pmt_precision_available (PMT_PRECISION_BF16))
    return PMT_PRECISION_F32;
  if (model->unet_values == 0) {
    PmtUnet *unet = pmt_model_unet_dry (model, PMT_UNET_MAIN, error);
    if (!unet)
      return PMT_PRECISION_F32;
    model->unet_values = pmt_weight_pool_values (pmt_unet_weights (unet));
  }
  return model->unet_values >= 100 * 1000 * 1000 ? PMT_PRECISION_BF16 : PMT_PRECISION_F32;
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

const char *
pmt_model_scheduler_class (const PmtModel *model)
{
  return pmt_model_files_scheduler_class (model->files);
}

bool
pmt_model_prediction_known (const PmtModel *model)
{
  return model->prediction_known;
}

void
pmt_model_set_prediction (PmtModel *model, PmtPrediction prediction)
{
  model->schedule.prediction = prediction;
  model->prediction_known = true;
  pmt_model_files_remember_prediction (model->files, prediction == PMT_PREDICT_EPSILON);
}

void
pmt_model_settle (PmtModel *model)
{
  gboolean epsilon;
  if (!model->prediction_known && pmt_model_files_recall_prediction (model->files, &epsilon)) {
    model->schedule.prediction = epsilon ? PMT_PREDICT_EPSILON : PMT_PREDICT_V;
    model->prediction_known = true;
  }
  if (model->prediction_known)
    pmt_model_files_settle_prediction (model->files, model->schedule.prediction == PMT_PREDICT_EPSILON);
}

PmtUnetChoice
pmt_model_unet_chosen (const PmtModel *model, PmtUnetChoice choice)
{
  return model->has_unet[choice] ? choice : PMT_UNET_MAIN;
}

const char *
pmt_model_unet_path (const PmtModel *model, PmtUnetChoice choice)
{
  return pmt_model_files_replaced (model->files, unets[pmt_model_unet_chosen (model, choice)]);
}

const PmtUnetConfig *
pmt_model_unet_config (const PmtModel *model, PmtUnetChoice choice)
{
  return &model->unet_config[pmt_model_unet_chosen (model, choice)];
}

const PmtVaeConfig *
pmt_model_vae_config (const PmtModel *model)
{
  return &model->vae_config;
}

const PmtClipTextConfig *
pmt_model_text_config (const PmtModel *model)
{
  return &model->text_config[0];
}

int
pmt_model_n_texts (const PmtModel *model)
{
  return model->n_texts;
}

PmtComponent
pmt_model_text_component (const PmtModel *model, int k)
{
  return model->text_component[k];
}

const PmtClipTextConfig *
pmt_model_text_config_at (const PmtModel *model, int k)
{
  return &model->text_config[k];
}

PmtTextUse
pmt_model_text_use (const PmtModel *model)
{
  return model->text_use;
}

int
pmt_model_n_time_ids (const PmtModel *model)
{
  const PmtUnetConfig *unet = &model->unet_config[0];
  return unet->added_dim > 0 ? (unet->added_dim - model->text_config[model->n_texts - 1].projection) / unet->time_id_dim : 0;
}

int
pmt_model_unet_channels (const PmtModel *model, PmtUnetChoice choice)
{
  return pmt_model_unet_config (model, choice)->in_channels;
}

/* Reads what a network at rest had let go. */
static gboolean
wake (PmtModel *model, PmtWeightPool *pool, PmtComponent component, const PmtCancel *cancel, GError **error)
{
  if (pmt_weight_pool_loaded (pool))
    return TRUE;
  PmtWeights *weights = pmt_model_files_weights (model->files, component, error);
  return weights && pmt_weight_pool_load (pool, weights, cancel, error);
}

PmtUnet *
pmt_model_unet (PmtModel *model, PmtUnetChoice choice, const PmtCancel *cancel, GError **error)
{
  choice = pmt_model_unet_chosen (model, choice);
  Slot *slot = &model->unet[choice];
  if (slot->net)
    return wake (model, pmt_unet_weights (slot->net), unets[choice], cancel, error) ? slot->net : NULL;
  PmtWeights *weights = pmt_model_files_weights (model->files, unets[choice], error);
  if (!weights)
    return NULL;
  slot->net = pmt_unet_new (&model->unet_config[choice], weights, cancel, error);
  pmt_weights_drop_pages (weights);
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
pmt_model_text_at (PmtModel *model, int k, const PmtCancel *cancel, GError **error)
{
  Slot *slot = &model->text[k];
  if (slot->net)
    return wake (model, pmt_clip_text_weights (slot->net), model->text_component[k], cancel, error) ? slot->net : NULL;
  PmtWeights *weights = pmt_model_files_weights (model->files, model->text_component[k], error);
  if (!weights)
    return NULL;
  slot->net = pmt_clip_text_new (&model->text_config[k], weights, cancel, error);
  pmt_weights_drop_pages (weights);
  return slot->net;
}

PmtClipText *
pmt_model_text (PmtModel *model, const PmtCancel *cancel, GError **error)
{
  return pmt_model_text_at (model, 0, cancel, error);
}

PmtTokenizer *
pmt_model_tokenizer_at (PmtModel *model, int k, GError **error)
{
  if (model->tokenizer[k])
    return model->tokenizer[k];
  const char *encoder = pmt_component_name (model->text_component[k]);
  gboolean pads_with_zero;
  const char *folder = pmt_model_files_tokenizer_for (model->files, model->text_component[k], &pads_with_zero);
  PmtTokenizer *tokenizer = pmt_tokenizer_new (folder, error);
  if (tokenizer && !folder && pads_with_zero)
    pmt_tokenizer_set_pad (tokenizer, 0);
  if (tokenizer && pmt_tokenizer_size (tokenizer) > model->text_config[k].vocab_size) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT,
                 _("%s%s%s has %d words and the %s of '%s' knows %d; fetch tokenizer and %s from one model."),
                 folder ? "The tokenizer '" : "The built-in vocabulary", folder ? folder : "", folder ? "'" : "",
                 pmt_tokenizer_size (tokenizer), encoder, pmt_model_path (model), model->text_config[k].vocab_size, encoder);
    g_clear_pointer (&tokenizer, pmt_tokenizer_free);
  }
  return model->tokenizer[k] = tokenizer;
}

PmtTokenizer *
pmt_model_tokenizer (PmtModel *model, GError **error)
{
  return pmt_model_tokenizer_at (model, 0, error);
}

PmtUnet *
pmt_model_unet_dry (PmtModel *model, PmtUnetChoice choice, GError **error)
{
  choice = pmt_model_unet_chosen (model, choice);
  Slot *slot = &model->unet[choice];
  if (!slot->dry)
    slot->dry = pmt_unet_new (&model->unet_config[choice], NULL, NULL, error);
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
pmt_model_text_dry_at (PmtModel *model, int k, GError **error)
{
  if (!model->text[k].dry)
    model->text[k].dry = pmt_clip_text_new (&model->text_config[k], NULL, NULL, error);
  return model->text[k].dry;
}

PmtClipText *
pmt_model_text_dry (PmtModel *model, GError **error)
{
  return pmt_model_text_dry_at (model, 0, error);
}

static size_t
bytes_in_memory (PmtWeightPool *pool)
{
  return pmt_weight_pool_loaded (pool) ? pmt_weight_pool_bytes (pool) : 0;
}

static size_t
unet_in_memory (const PmtModel *model, int k)
{
  return model->unet[k].net ? bytes_in_memory (pmt_unet_weights (model->unet[k].net)) : 0;
}

static size_t
text_in_memory (const PmtModel *model, int k)
{
  return model->text[k].net ? bytes_in_memory (pmt_clip_text_weights (model->text[k].net)) : 0;
}

void
pmt_model_set_small (PmtModel *model, size_t bytes)
{
  model->small = bytes;
}

void
pmt_model_rest_texts (PmtModel *model)
{
  for (int k = 0; k < model->n_texts; k++)
    if (text_in_memory (model, k) > model->small)
      pmt_weight_pool_unload (pmt_clip_text_weights (model->text[k].net));
}

void
pmt_model_rest_unet (PmtModel *model, PmtUnetChoice choice)
{
  choice = pmt_model_unet_chosen (model, choice);
  if (unet_in_memory (model, (int) choice) > model->small)
    pmt_weight_pool_unload (pmt_unet_weights (model->unet[choice].net));
}

size_t
pmt_model_idle_bytes (const PmtModel *model, int keep)
{
  const int stays = keep < 0 ? keep : (int) pmt_model_unet_chosen (model, (PmtUnetChoice) keep);
  size_t bytes = 0;
  for (int k = 0; k < PMT_N_UNETS; k++)
    if (k != stays && unet_in_memory (model, k) > model->small)
      bytes += unet_in_memory (model, k);
  for (int k = 0; keep < 0 && k < model->n_texts; k++)
    if (text_in_memory (model, k) > model->small)
      bytes += text_in_memory (model, k);
  return bytes;
}

void
pmt_model_rest_idle (PmtModel *model, int keep)
{
  const int stays = keep < 0 ? keep : (int) pmt_model_unet_chosen (model, (PmtUnetChoice) keep);
  for (int k = 0; k < PMT_N_UNETS; k++)
    if (k != stays && model->has_unet[k])
      pmt_model_rest_unet (model, (PmtUnetChoice) k);
  if (keep < 0)
    pmt_model_rest_texts (model);
}

gboolean
pmt_model_rest_bytes (PmtModel *model, PmtUnetChoice choice, size_t *texts, size_t *unet, GError **error)
{
  PmtUnet *dry = pmt_model_unet_dry (model, choice, error);
  if (!dry)
    return FALSE;
  *unet = pmt_unet_weight_bytes (dry) > model->small ? pmt_unet_weight_bytes (dry) : 0;
  *texts = 0;
  for (int k = 0; k < model->n_texts; k++) {
    PmtClipText *text = pmt_model_text_dry_at (model, k, error);
    if (!text)
      return FALSE;
    *texts += pmt_clip_text_weight_bytes (text) > model->small ? pmt_clip_text_weight_bytes (text) : 0;
  }
  return TRUE;
}

size_t
pmt_model_resident_bytes (const PmtModel *model)
{
  size_t bytes = pmt_extras_resident_bytes (model->extras);
  for (int k = 0; k < PMT_N_UNETS; k++)
    bytes += unet_in_memory (model, k);
  bytes += model->vae.net ? pmt_vae_weight_bytes (model->vae.net) : 0;
  for (int k = 0; k < model->n_texts; k++)
    bytes += text_in_memory (model, k);
  return bytes;
}

gboolean
pmt_model_run_bytes (PmtModel *model, PmtUnetChoice choice, bool with_vae, size_t *total, size_t *missing, GError **error)
{
  choice = pmt_model_unet_chosen (model, choice);
  PmtUnet *unet = pmt_model_unet_dry (model, choice, error);
  PmtVae *vae = unet ? pmt_model_vae_dry (model, error) : NULL;
  if (!vae)
    return FALSE;
  const size_t vae_bytes = with_vae ? pmt_vae_weight_bytes (vae) : 0;
  *total = pmt_unet_weight_bytes (unet) + vae_bytes;
  *missing = pmt_unet_weight_bytes (unet) - unet_in_memory (model, (int) choice) + (model->vae.net ? 0 : vae_bytes);
  for (int k = 0; k < model->n_texts; k++) {
    PmtClipText *text = pmt_model_text_dry_at (model, k, error);
    if (!text)
      return FALSE;
    *total += pmt_clip_text_weight_bytes (text);
    *missing += pmt_clip_text_weight_bytes (text) - text_in_memory (model, k);
  }
  return TRUE;
}
