/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/weights/model.h"

#include <string.h>

#include <glib/gstdio.h>

#include "engine/weights/derive.h"
#include "engine/weights/kinds.h"
#include "engine/weights/part.h"
#include "engine/weights/prediction.h"
#include "engine/weights/source_files.h"
#include "engine/weights/tensor_file.h"

#define RANDOM "random:"

struct PmtModelFiles {
  char *path;
  gboolean is_folder;
  gboolean is_random;
  guint64 seed;
  PmtSafetensors *file; /* of a single-file checkpoint */
  const PmtFamily *family;
  int native_size;
  char *tokenizer, *tokenizer_2; /* folders */
  gboolean force_zeros;
  gboolean prediction_known;
  JsonObject *scheduler;
  struct {
    JsonObject *config; /* NULL = the model has no such component */
    PmtWeights *weights; /* opened at first use */
    PmtUnetUse use;
    char *replaced; /* the file or folder of its own that it comes from; NULL = the model's */
  } component[PMT_N_COMPONENTS];
};

static const struct {
  const char *folder, *stem;
  PmtNames names;
} components[PMT_N_COMPONENTS] = {
  [PMT_COMPONENT_UNET] = { "unet", "diffusion_pytorch_model", PMT_NAMES_UNET },
  [PMT_COMPONENT_UNET_FILL] = { "unet_fill", "diffusion_pytorch_model", PMT_NAMES_UNET },
  [PMT_COMPONENT_UNET_EDIT] = { "unet_edit", "diffusion_pytorch_model", PMT_NAMES_UNET },
  [PMT_COMPONENT_VAE] = { "vae", "diffusion_pytorch_model", PMT_NAMES_VAE },
  [PMT_COMPONENT_TEXT] = { "text_encoder", "model", PMT_NAMES_CLIP_TEXT },
  [PMT_COMPONENT_TEXT_2] = { "text_encoder_2", "model", PMT_NAMES_CLIP_TEXT },
};

const char *
pmt_component_name (PmtComponent component)
{
  return components[component].folder;
}

void
pmt_model_files_free (PmtModelFiles *files)
{
  if (!files)
    return;
  for (int i = 0; i < PMT_N_COMPONENTS; i++) {
    pmt_weights_free (files->component[i].weights);
    g_clear_pointer (&files->component[i].config, json_object_unref);
    g_free (files->component[i].replaced);
  }
  g_clear_pointer (&files->scheduler, json_object_unref);
  pmt_safetensors_free (files->file);
  g_free (files->tokenizer);
  g_free (files->tokenizer_2);
  g_free (files->path);
  g_free (files);
}

/* ---- what it is ------------------------------------------------------------------------------------------------------- */

static gboolean
config_traits (JsonObject *config, PmtUnetTraits *traits, GError **error)
{
  static const int default_widths[] = { 320, 640, 1280, 1280 }, default_context[] = { 1280 };
  int widths[16], n_widths = 0, context[16], n_context = 0;
  const char *added, *mid;

  if (!pmt_config_int (config, "in_channels", 4, &traits->in_channels, error)
      || !pmt_config_int (config, "out_channels", 4, &traits->latent_channels, error)
      || !pmt_config_ints (config, "block_out_channels", default_widths, 4, widths, 16, &n_widths, error)
      || !pmt_config_ints (config, "cross_attention_dim", default_context, 1, context, 16, &n_context, error)
      || !pmt_config_string (config, "addition_embed_type", NULL, &added, error)
      || !pmt_config_string (config, "mid_block_type", "", &mid, error))
    return FALSE;
  traits->first_width = n_widths > 0 ? widths[0] : 0;
  traits->context_width = n_context > 0 ? context[0] : 0;
  traits->text_time = g_strcmp0 (added, "text_time") == 0;
  /* absent means the default, which has attention; null means no middle block */
  traits->mid_attention = *mid ? strcmp (mid, "UNetMidBlock2DCrossAttn") == 0 : !json_object_has_member (config, "mid_block_type");
  return TRUE;
}

/* Sets the use of a UNet, and with `main` the family. */
static gboolean
adopt_unet (PmtModelFiles *files, PmtComponent which, GError **error)
{
  PmtUnetTraits traits;
  const char *class;

  if (!pmt_config_string (files->component[which].config, "_class_name", "UNet2DConditionModel", &class, error))
    return FALSE;
  if (strcmp (class, "UNet2DConditionModel") != 0) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                 _("The network of '%s' is a %s, which is another architecture than this version runs; use a Stable Diffusion 1.x, 2.x or XL model."),
                 files->path, class);
    return FALSE;
  }
  if (!config_traits (files->component[which].config, &traits, error))
    return FALSE;
  const PmtFamily *family = pmt_family_detect (&traits);
  if (pmt_family_refuse (family, &traits, files->path, error))
    return FALSE;
  files->component[which].use = pmt_unet_use (traits.in_channels, traits.latent_channels);
  if (which == PMT_COMPONENT_UNET || !files->family)
    files->family = family;
  return TRUE;
}

/* The configuration that was derived for a file of SD 2 has the larger of its two sizes. */
static gboolean
is_small (const PmtModelFiles *files)
{
  JsonObject *unet = files->component[PMT_COMPONENT_UNET].config;
  const char *path = pmt_config_path (unet), *prediction = NULL;

  if (files->is_random || strcmp (files->family->id, "sd2") != 0 || g_str_has_suffix (path, ".json"))
    return FALSE;
  if (files->scheduler && files->prediction_known)
    prediction = json_object_get_string_member_with_default (files->scheduler, "prediction_type", NULL);
  return pmt_prediction_is_small_sd2 (path, files->component[PMT_COMPONENT_UNET].use, prediction);
}

static gboolean
find_native_size (PmtModelFiles *files, GError **error)
{
  JsonObject *unet = files->component[PMT_COMPONENT_UNET].config, *vae = files->component[PMT_COMPONENT_VAE].config;
  int sample[2], n_sample = 0, widths[16], n_widths = 0;
  static const int none[] = { 0 }, four[] = { 0, 0, 0, 0 };

  files->native_size = files->family->native_size ? files->family->native_size : 512;
  if (!unet)
    return TRUE;
  if (!pmt_config_ints (unet, "sample_size", none, 1, sample, 2, &n_sample, error))
    return FALSE;
  if (vae && !pmt_config_ints (vae, "block_out_channels", four, 4, widths, 16, &n_widths, error))
    return FALSE;
  if (is_small (files))
    files->native_size = 512;
  else if (n_sample > 0 && sample[0] > 0 && sample[0] <= 4096)
    files->native_size = sample[0] << (n_widths > 0 ? n_widths - 1 : 3);
  return TRUE;
}

/* ---- folders ---------------------------------------------------------------------------------------------------------- */

/* TRUE when model_index.json (may be NULL) lists the component with a class. */
static gboolean
is_listed (JsonObject *index, const char *name)
{
  JsonNode *node = index ? json_object_get_member (index, name) : NULL;
  if (!node || !JSON_NODE_HOLDS_ARRAY (node))
    return FALSE;
  JsonArray *array = json_node_get_array (node);
  return json_array_get_length (array) == 2 && !JSON_NODE_HOLDS_NULL (json_array_get_element (array, 1));
}

static gboolean
open_component (PmtModelFiles *files, JsonObject *index, PmtComponent which, GError **error)
{
  g_autofree char *folder = g_build_filename (files->path, components[which].folder, NULL);
  g_autofree char *config = g_build_filename (folder, "config.json", NULL);

  if (!g_file_test (folder, G_FILE_TEST_IS_DIR)) {
    if (!is_listed (index, components[which].folder))
      return TRUE;
    g_set_error (error, PMT_ERROR, PMT_ERROR_NOT_FOUND, _("The folder '%s' is missing in the model '%s'; download it too."),
                 components[which].folder, files->path);
    return FALSE;
  }
  files->component[which].config = pmt_config_load (config, error);
  return files->component[which].config != NULL;
}

/* What such models are called in a single file is in kinds_table.c. */
static gboolean
check_scheduler (const PmtModelFiles *files, GError **error)
{
  const char *class;

  if (!pmt_config_string (files->scheduler, "_class_name", "", &class, error))
    return FALSE;
  if (!g_str_has_prefix (class, "EDM") && !g_str_has_prefix (class, "FlowMatch") && !pmt_config_has (files->scheduler, "sigma_data"))
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
               _("The model '%s' is made for the scheduler %s, which counts noise another way than this version's samplers do; use a Stable "
                 "Diffusion 1.x, 2.x or XL model."),
               files->path, *class ? class : "EDM");
  return FALSE;
}

static gboolean
open_scheduler (PmtModelFiles *files, GError **error)
{
  g_autofree char *path = g_build_filename (files->path, "scheduler", "scheduler_config.json", NULL);

  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    return pmt_prediction_adopt (NULL, files->family, NULL, &files->scheduler, &files->prediction_known, error);
  files->scheduler = pmt_config_load (path, error);
  return files->scheduler && check_scheduler (files, error);
}

static gboolean
open_folder (PmtModelFiles *files, GError **error)
{
  g_autofree char *index_path = g_build_filename (files->path, "model_index.json", NULL);
  g_autofree char *tokenizer = g_build_filename (files->path, "tokenizer", NULL);
  g_autofree char *tokenizer_2 = g_build_filename (files->path, "tokenizer_2", NULL);
  g_autoptr (JsonObject) index = NULL;

  files->is_folder = TRUE;
  if (g_file_test (index_path, G_FILE_TEST_EXISTS)) {
    index = pmt_config_load (index_path, error);
    if (!index)
      return FALSE;
  }
  for (int i = 0; i < PMT_N_COMPONENTS; i++)
    if (!open_component (files, index, (PmtComponent) i, error))
      return FALSE;
  if (!files->component[PMT_COMPONENT_UNET].config && !files->component[PMT_COMPONENT_VAE].config
      && !files->component[PMT_COMPONENT_TEXT].config) {
    g_autofree char *own = g_build_filename (files->path, "config.json", NULL);
    const char *class = NULL;
    if (index && pmt_config_string (index, "_class_name", NULL, &class, NULL) && class) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                   _("'%s' is a model for diffusers' %s without a UNet, which this version cannot run; use a Stable Diffusion 1.x, 2.x or XL model."),
                   files->path, class);
      return FALSE;
    }
    gboolean part = g_file_test (own, G_FILE_TEST_EXISTS);
    g_set_error (error, PMT_ERROR, PMT_ERROR_NOT_FOUND,
                 part ? _("The folder '%s' is one part of a model; give the folder above it.")
                      : _("The folder '%s' is no diffusers model (model_index.json and the folders unet, vae and text_encoder are "
                        "missing); give a model's folder or a .safetensors file."),
                 files->path);
    return FALSE;
  }
  for (int i = PMT_COMPONENT_UNET; i <= PMT_COMPONENT_UNET_EDIT; i++)
    if (files->component[i].config && !adopt_unet (files, (PmtComponent) i, error))
      return FALSE;
  if (!files->family)
    files->family = pmt_family_by_id ("custom");
  if (g_file_test (tokenizer, G_FILE_TEST_IS_DIR))
    files->tokenizer = g_steal_pointer (&tokenizer);
  if (g_file_test (tokenizer_2, G_FILE_TEST_IS_DIR))
    files->tokenizer_2 = g_steal_pointer (&tokenizer_2);
  files->force_zeros = files->family->force_zeros;
  if (index && !pmt_config_bool (index, "force_zeros_for_empty_prompt", files->force_zeros, &files->force_zeros, error))
    return FALSE;
  return open_scheduler (files, error);
}

/* ---- single files ----------------------------------------------------------------------------------------------------- */

/* Makes a component of what stands under `prefix`; nothing happens when there is no such thing. */
static void
adopt_part (PmtModelFiles *files, PmtComponent which, const char *prefix, const PmtSpelling *spelling)
{
  const PmtFamily *family = files->family;
  const gboolean open_clip = spelling->names == PMT_NAMES_OPEN_CLIP;
  PmtWeights *weights = pmt_weights_new_view (files->file, prefix, spelling);
  JsonObject *config;

  switch (which) {
    case PMT_COMPONENT_VAE:
      config = pmt_derive_vae (weights, family);
      break;
    case PMT_COMPONENT_TEXT:
      /* SD 2 takes the text from before OpenCLIP's last layer; some files have left that layer out already */
      config = pmt_derive_text (weights, family->text_config,
                                open_clip && !(strcmp (family->id, "sd2") == 0
                                               && !pmt_weights_has (weights, "text_model.encoder.layers.23.layer_norm1.weight")));
      if (open_clip)
        json_object_set_string_member (config, "hidden_act", "gelu");
      break;
    case PMT_COMPONENT_TEXT_2:
      config = pmt_derive_text (weights, family->text_2_config, FALSE);
      break;
    default:
      config = pmt_derive_unet (weights, family);
      break;
  }
  files->component[which].weights = weights;
  files->component[which].config = config;
}

static void
adopt_text (PmtModelFiles *files, PmtComponent which, const char *prefix)
{
  PmtSpelling spelling;
  if (prefix && pmt_derive_spelling (files->file, prefix, PMT_NAMES_CLIP_TEXT, &spelling))
    adopt_part (files, which, prefix, &spelling);
}

/* What a checkpoint may be made of: a UNet and anything beside it. */
static gboolean
is_model_kind (PmtKind kind)
{
  return kind == PMT_KIND_CHECKPOINT || kind == PMT_KIND_UNET || kind == PMT_KIND_GLIGEN;
}

static gboolean
open_file (PmtModelFiles *files, GError **error)
{
  const char *prefix;
  PmtSpelling spelling;
  PmtUnetTraits traits;

  files->file = pmt_tensor_file_open (files->path, error);
  if (!files->file)
    return FALSE;
  PmtKindInfo kind = pmt_kind_of_tensors (files->file);
  if (kind.refusal) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED, _("'%s' is %s, %s."), files->path, kind.label, kind.refusal);
    return FALSE;
  }
  if (!is_model_kind (kind.kind) || !pmt_derive_find (files->file, PMT_NAMES_UNET, &prefix, &spelling)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED, _("'%s' is %s, not a whole model; give a model's folder or checkpoint."),
                 files->path, kind.label);
    return FALSE;
  }
  PmtWeights *unet = pmt_weights_new_view (files->file, prefix, &spelling);
  pmt_derive_traits (unet, &traits);
  pmt_weights_free (unet);
  files->family = pmt_family_detect (&traits);
  if (pmt_family_refuse (files->family, &traits, files->path, error))
    return FALSE;
  files->force_zeros = files->family->force_zeros;
  files->component[PMT_COMPONENT_UNET].use = pmt_unet_use (traits.in_channels, traits.latent_channels);
  adopt_part (files, PMT_COMPONENT_UNET, prefix, &spelling);
  if (*prefix && pmt_derive_find (files->file, PMT_NAMES_VAE, &prefix, &spelling))
    adopt_part (files, PMT_COMPONENT_VAE, prefix, &spelling);
  adopt_text (files, PMT_COMPONENT_TEXT, files->family->text_prefix);
  adopt_text (files, PMT_COMPONENT_TEXT_2, files->family->text_2_prefix);
  return pmt_prediction_adopt (files->file, files->family, &traits, &files->scheduler, &files->prediction_known, error);
}

/* ---- the doors -------------------------------------------------------------------------------------------------------- */

static PmtModelFiles *
finish (PmtModelFiles *files, gboolean ok, GError **error)
{
  if (ok && find_native_size (files, error)) {
    if (!files->scheduler)
      files->scheduler = pmt_config_from_text (files->family->scheduler_config, files->path);
    return files;
  }
  pmt_model_files_free (files);
  return NULL;
}

PmtModelFiles *
pmt_model_files_open (const char *path, GError **error)
{
  if (g_str_has_prefix (path, RANDOM))
    return pmt_model_files_new_random (path + strlen (RANDOM), 1, error);
  if (!g_file_test (path, G_FILE_TEST_EXISTS)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_NOT_FOUND, _("There is no model at '%s'; give a model's folder or a .safetensors file."),
                 path);
    return NULL;
  }
  PmtModelFiles *files = g_new0 (PmtModelFiles, 1);
  files->path = g_strdup (path);
  files->prediction_known = TRUE;
  if (g_file_test (path, G_FILE_TEST_IS_DIR))
    return finish (files, open_folder (files, error), error);
  return finish (files, open_file (files, error), error);
}

PmtModelFiles *
pmt_model_files_new_random (const char *family_id, guint64 seed, GError **error)
{
  const PmtFamily *family = pmt_family_by_id (family_id);

  if (!family || !family->unet_config) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("There are no random weights for '%s'; use sd15, sd21, sdxl or sdxl-refiner."), family_id);
    return NULL;
  }
  PmtModelFiles *files = g_new0 (PmtModelFiles, 1);
  files->path = g_strdup_printf (RANDOM "%s", family_id);
  files->is_random = TRUE;
  files->prediction_known = TRUE;
  files->seed = seed;
  files->family = family;
  files->component[PMT_COMPONENT_UNET].config = pmt_config_from_text (family->unet_config, files->path);
  files->component[PMT_COMPONENT_VAE].config = pmt_config_from_text (family->vae_config, files->path);
  if (family->text_config)
    files->component[PMT_COMPONENT_TEXT].config = pmt_config_from_text (family->text_config, files->path);
  if (family->text_2_config)
    files->component[PMT_COMPONENT_TEXT_2].config = pmt_config_from_text (family->text_2_config, files->path);
  files->force_zeros = family->force_zeros;
  return finish (files, TRUE, error);
}

const char *
pmt_model_files_path (const PmtModelFiles *files)
{
  return files->path;
}

const PmtFamily *
pmt_model_files_family (const PmtModelFiles *files)
{
  return files->family;
}

gboolean
pmt_model_files_has (const PmtModelFiles *files, PmtComponent component)
{
  return files->component[component].config != NULL;
}

gboolean
pmt_model_files_needs (const PmtModelFiles *files, PmtComponent component)
{
  const PmtFamily *family = files->family;
  if (component == PMT_COMPONENT_TEXT_2)
    return family->text_2_config != NULL;
  if (component == PMT_COMPONENT_TEXT)
    return family->text_config != NULL;
  return component != PMT_COMPONENT_UNET_FILL && component != PMT_COMPONENT_UNET_EDIT;
}

const char *
pmt_model_files_replaced (const PmtModelFiles *files, PmtComponent component)
{
  return files->component[component].replaced;
}

PmtUnetUse
pmt_model_files_use (const PmtModelFiles *files, PmtComponent unet)
{
  return files->component[unet].use;
}

int
pmt_model_files_native_size (const PmtModelFiles *files)
{
  return files->native_size;
}

int
pmt_model_files_attention_divisor (const PmtModelFiles *files)
{
  return files->family->attention_divisor ? files->family->attention_divisor : MAX (files->native_size / 16, 1);
}

static gboolean
require (const PmtModelFiles *files, PmtComponent component, GError **error)
{
  if (files->component[component].config)
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_NOT_FOUND, _("The model '%s' has no %s; use a complete model."), files->path,
               components[component].folder);
  return FALSE;
}

JsonObject *
pmt_model_files_config (PmtModelFiles *files, PmtComponent component, GError **error)
{
  return require (files, component, error) ? files->component[component].config : NULL;
}

PmtWeights *
pmt_model_files_weights (PmtModelFiles *files, PmtComponent component, GError **error)
{
  PmtWeights **weights = &files->component[component].weights;

  if (*weights || !require (files, component, error))
    return *weights;
  if (files->is_random) {
    /* components must not share values of tensors that happen to have the same name */
    *weights = pmt_weights_new_random (files->seed * PMT_N_COMPONENTS + (guint64) component);
  } else if (files->is_folder) {
    g_autofree char *folder = g_build_filename (files->path, components[component].folder, NULL);
    *weights = pmt_weights_new_folder (folder, components[component].stem, NULL, components[component].names, error);
  }
  return *weights;
}

JsonObject *
pmt_model_files_scheduler (PmtModelFiles *files)
{
  return files->scheduler;
}

const char *
pmt_model_files_scheduler_class (const PmtModelFiles *files)
{
  const char *class = NULL;
  if (files->component[PMT_COMPONENT_UNET].replaced || !pmt_config_string (files->scheduler, "_class_name", NULL, &class, NULL))
    return NULL;
  return class;
}

gboolean
pmt_model_files_prediction_known (const PmtModelFiles *files)
{
  return files->prediction_known;
}

void
pmt_model_files_settle_prediction (PmtModelFiles *files, gboolean epsilon)
{
  if (files->prediction_known)
    return;
  files->prediction_known = TRUE;
  json_object_set_string_member (files->scheduler, "prediction_type", epsilon ? "epsilon" : "v_prediction");
  find_native_size (files, NULL); /* its configurations were read before */
}

/* What the UNet's weights are read from, which another file in its place would not be called. Newly allocated; NULL when it has no file. */
static char *
unet_identity (PmtModelFiles *files)
{
  PmtWeights *weights = pmt_model_files_weights (files, PMT_COMPONENT_UNET, NULL);
  const GPtrArray *opened = weights ? pmt_weights_files (weights) : NULL;
  GStatBuf status;

  if (!opened || opened->len == 0 || g_stat (pmt_safetensors_path (opened->pdata[0]), &status) != 0)
    return NULL;
  return g_strdup_printf ("%llu:%llu:%lld:%lld.%09ld", (unsigned long long) status.st_dev, (unsigned long long) status.st_ino,
                          (long long) status.st_size, (long long) status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
}

void
pmt_model_files_remember_prediction (PmtModelFiles *files, gboolean epsilon)
{
  g_autofree char *identity = unet_identity (files);
  if (identity)
    pmt_prediction_remember (identity, epsilon);
}

gboolean
pmt_model_files_recall_prediction (PmtModelFiles *files, gboolean *epsilon)
{
  g_autofree char *identity = unet_identity (files);
  return identity && pmt_prediction_recall (identity, epsilon);
}

const char *
pmt_model_files_tokenizer (const PmtModelFiles *files)
{
  return files->tokenizer;
}

const char *
pmt_model_files_tokenizer_for (const PmtModelFiles *files, PmtComponent text, gboolean *pads_with_zero)
{
  *pads_with_zero = text == PMT_COMPONENT_TEXT_2 || files->family->text_pads_with_zero;
  return text == PMT_COMPONENT_TEXT_2 ? files->tokenizer_2 : files->tokenizer;
}

gboolean
pmt_model_files_force_zeros (const PmtModelFiles *files)
{
  return files->force_zeros;
}

/* ---- replaced parts --------------------------------------------------------------------------------------------------- */

/* TRUE when a UNet or VAE with this config can stand in for the model's. */
static gboolean
fits_in (const PmtModelFiles *files, PmtComponent component, const char *path, JsonObject *config, PmtUnetTraits *traits, GError **error)
{
  JsonObject *unet = files->component[PMT_COMPONENT_UNET].config;
  int latent = 4, wanted = 4;

  if (component == PMT_COMPONENT_UNET) {
    if (!config_traits (config, traits, error) || pmt_family_refuse (pmt_family_detect (traits), traits, path, error))
      return FALSE;
    const PmtFamily *family = pmt_family_detect (traits);
    if (family == files->family)
      return TRUE;
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED, _("'%s' is a UNet for %s, and the model '%s' is %s; use a %s model with it."), path,
                 family->label, files->path, files->family->label, family->label);
    return FALSE;
  }
  if (!pmt_config_int (config, "latent_channels", 4, &latent, error)
      || (unet && !pmt_config_int (unet, "out_channels", 4, &wanted, error)))
    return FALSE;
  if (latent == wanted)
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
               _("The VAE '%s' has %d latent channels where the model '%s' needs %d; use a VAE made for such models."), path, latent,
               files->path, wanted);
  return FALSE;
}

gboolean
pmt_model_files_replace (PmtModelFiles *files, PmtComponent component, const char *path, GError **error)
{
  g_autoptr (JsonObject) config = NULL;
  PmtUnetTraits traits = { 0 };

  if (component != PMT_COMPONENT_UNET && component != PMT_COMPONENT_VAE) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("A model's %s cannot be replaced; only its UNet and its VAE can."),
                 components[component].folder);
    return FALSE;
  }
  PmtWeights *weights = pmt_weights_open_part (path, components[component].names, files->family, &config, NULL, error);
  if (!weights)
    return FALSE;
  const GPtrArray *opened = pmt_weights_files (weights);
  const PmtSafetensors *file = opened && opened->len ? opened->pdata[0] : NULL;
  if (!fits_in (files, component, path, config, &traits, error)
      || (component == PMT_COMPONENT_UNET
          && !pmt_prediction_replace (file, files->family, &traits, files->scheduler, &files->prediction_known, error))) {
    pmt_weights_free (weights);
    return FALSE;
  }
  pmt_weights_free (files->component[component].weights);
  g_clear_pointer (&files->component[component].config, json_object_unref);
  files->component[component].weights = weights;
  files->component[component].config = g_steal_pointer (&config);
  g_free (files->component[component].replaced);
  files->component[component].replaced = g_strdup (path);
  if (component != PMT_COMPONENT_UNET)
    return TRUE;
  files->component[component].use = pmt_unet_use (traits.in_channels, traits.latent_channels);
  /* of the other families all have one size */
  return strcmp (files->family->id, "sd2") != 0 || find_native_size (files, error);
}

/* ---- identity --------------------------------------------------------------------------------------------------------- */

static void
hash_file (GChecksum *sum, const PmtSafetensors *file)
{
  g_autofree char *name = g_path_get_basename (pmt_safetensors_path (file));
  uint64_t size = pmt_safetensors_size (file);
  size_t length;
  const char *header = pmt_safetensors_header (file, &length);

  g_checksum_update (sum, (const guchar *) name, (gssize) strlen (name) + 1);
  g_checksum_update (sum, (const guchar *) &size, sizeof size);
  g_checksum_update (sum, (const guchar *) header, (gssize) length);
}

static void
hash_text_file (GChecksum *sum, const char *path)
{
  g_autofree char *text = NULL;
  gsize length;

  if (g_file_get_contents (path, &text, &length, NULL)) {
    g_checksum_update (sum, (const guchar *) &length, sizeof length);
    g_checksum_update (sum, (const guchar *) text, (gssize) length);
  }
}

char *
pmt_model_files_hash (PmtModelFiles *files, GError **error)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);

  if (files->is_random) {
    g_autofree char *text = g_strdup_printf ("%s %" G_GUINT64_FORMAT, files->path, files->seed);
    g_checksum_update (sum, (const guchar *) text, -1);
  } else if (files->file) {
    hash_file (sum, files->file);
  } else {
    for (int i = 0; i < PMT_N_COMPONENTS; i++) {
      if (!files->component[i].config || files->component[i].replaced)
        continue;
      PmtWeights *weights = pmt_model_files_weights (files, (PmtComponent) i, error);
      if (!weights)
        return NULL;
      g_checksum_update (sum, (const guchar *) components[i].folder, -1);
      hash_text_file (sum, pmt_config_path (files->component[i].config));
      const GPtrArray *opened = pmt_weights_files (weights);
      for (guint k = 0; k < opened->len; k++)
        hash_file (sum, opened->pdata[k]);
    }
    hash_text_file (sum, pmt_config_path (files->scheduler));
  }
  for (int i = 0; i < PMT_N_COMPONENTS; i++) {
    if (!files->component[i].replaced)
      continue;
    const GPtrArray *own = pmt_weights_files (files->component[i].weights);
    const char *config = pmt_config_path (files->component[i].config);
    g_checksum_update (sum, (const guchar *) components[i].folder, -1);
    if (g_str_has_suffix (config, ".json")) /* a single file's config is derived, and its path the weights' own */
      hash_text_file (sum, config);
    for (guint k = 0; k < own->len; k++)
      hash_file (sum, own->pdata[k]);
  }
  return g_strdup (g_checksum_get_string (sum));
}
