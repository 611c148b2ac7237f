/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/weights/part.h"

#include <string.h>

#include "engine/weights/derive.h"
#include "engine/weights/kinds.h"
#include "engine/weights/source_files.h"
#include "engine/weights/tensor_file.h"

static const char *
what_is_wanted (PmtNames names)
{
  switch (names) {
    case PMT_NAMES_VAE:
      return "a VAE";
    case PMT_NAMES_CONTROLNET:
      return "a ControlNet";
    case PMT_NAMES_UNET:
      return "a UNet";
    default:
      return "a text encoder";
  }
}

/* The names alone do not tell a UNet from a ControlNet, which begins like one. */
static gboolean
kind_holds (PmtKind kind, PmtNames names)
{
  if (kind == PMT_KIND_CONTROLNET || names == PMT_NAMES_CONTROLNET)
    return kind == PMT_KIND_CONTROLNET && names == PMT_NAMES_CONTROLNET;
  if (names == PMT_NAMES_UNET)
    return kind == PMT_KIND_UNET || kind == PMT_KIND_CHECKPOINT || kind == PMT_KIND_GLIGEN;
  return kind != PMT_KIND_LORA && kind != PMT_KIND_OTHER;
}

static PmtWeights *
open_file (const char *path, PmtNames names, GError **error)
{
  const char *prefix;
  PmtSpelling spelling;
  PmtSafetensors *file = pmt_tensor_file_open (path, error);

  if (!file)
    return NULL;
  PmtKindInfo kind = pmt_kind_of_tensors (file);
  if (kind.refusal && kind_holds (kind.kind, names)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED, _("'%s' is %s, %s."), path, kind.label, kind.refusal);
  } else if (kind_holds (kind.kind, names) && pmt_derive_find (file, names, &prefix, &spelling)) {
    PmtWeights *weights = pmt_weights_new_view (file, prefix, &spelling);
    pmt_weights_own_file (weights, file);
    return weights;
  } else {
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED, _("'%s' is %s and holds no network that could serve as %s; give %s."), path,
                 kind.label, what_is_wanted (names), what_is_wanted (names));
  }
  pmt_safetensors_free (file);
  return NULL;
}

static PmtWeights *
open_folder (const char *path, PmtNames names, JsonObject **config, GError **error)
{
  const gboolean text = names == PMT_NAMES_CLIP_TEXT || names == PMT_NAMES_OPEN_CLIP;
  g_autofree char *config_path = g_build_filename (path, "config.json", NULL);
  g_autoptr (JsonObject) own = pmt_config_load (config_path, error);

  if (!own)
    return NULL;
  PmtWeights *weights = pmt_weights_new_folder (path, text ? "model" : "diffusion_pytorch_model", NULL, text ? PMT_NAMES_CLIP_TEXT : names, error);
  if (weights && config)
    *config = g_steal_pointer (&own);
  return weights;
}

static const PmtFamily *
base_of (PmtWeights *weights, PmtNames names)
{
  PmtUnetTraits traits;
  PmtWeightInfo tokens;

  if (names == PMT_NAMES_UNET || names == PMT_NAMES_CONTROLNET)
    return pmt_derive_traits (weights, &traits) ? pmt_family_detect (&traits) : NULL;
  if (names == PMT_NAMES_VAE || !pmt_weights_lookup (weights, "text_model.embeddings.token_embedding.weight", &tokens) || tokens.rank != 2)
    return NULL;
  return tokens.dim[1] == 1024 ? pmt_family_by_id ("sd2") : tokens.dim[1] == 1280 ? pmt_family_by_id ("sdxl") : NULL;
}

static JsonObject *
derive (PmtWeights *weights, PmtNames names, const PmtFamily *family)
{
  const char *text;

  switch (names) {
    case PMT_NAMES_VAE:
      return pmt_derive_vae (weights, family);
    case PMT_NAMES_UNET:
      return pmt_derive_unet (weights, family);
    case PMT_NAMES_CONTROLNET:
      return pmt_derive_controlnet (weights, family);
    default:
      text = pmt_weights_has (weights, "text_projection.weight") && family->text_2_config ? family->text_2_config : family->text_config;
      return pmt_derive_text (weights, text ? text : family->text_2_config, FALSE);
  }
}

PmtWeights *
pmt_weights_open_part (const char *path, PmtNames names, const PmtFamily *family, JsonObject **config, const PmtFamily **base,
                       GError **error)
{
  const gboolean folder = g_file_test (path, G_FILE_TEST_IS_DIR);
  PmtWeights *weights = folder ? open_folder (path, names, config, error) : open_file (path, names, error);

  if (!weights)
    return NULL;
  const PmtFamily *told = base_of (weights, names);
  if (base)
    *base = told;
  if (!family)
    family = told;
  if (!family || !family->unet_config)
    family = pmt_family_by_id ("sd1");
  if (config && !folder)
    *config = derive (weights, names, family);
  return weights;
}
