/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/nets/control_files.h"

#include <string.h>

#include "engine/weights/config.h"
#include "engine/weights/derive.h"
#include "engine/weights/source_files.h"
#include "engine/weights/tensor_file.h"

/* A config.json in `folder` that is of the class; *config stays NULL when there is none. */
static gboolean
find_config (const char *folder, const char *class_name, JsonObject **config, GError **error)
{
  g_autofree char *path = g_build_filename (folder, "config.json", NULL);
  const char *is;
  *config = NULL;
  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    return TRUE;
  JsonObject *object = pmt_config_load (path, error);
  if (!object)
    return FALSE;
  if (pmt_config_string (object, "_class_name", class_name, &is, NULL) && strcmp (is, class_name) == 0)
    *config = object;
  else
    json_object_unref (object);
  return TRUE;
}

/* How many files of weights there are beside each other. */
static int
count_weights (const char *folder)
{
  static const char *const endings[] = { ".safetensors", ".sft", ".gguf", ".pth", ".pt", ".ckpt", ".bin" };
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;
  int n = 0;
  while (dir && (name = g_dir_read_name (dir)))
    for (gsize i = 0; i < G_N_ELEMENTS (endings); i++)
      n += g_str_has_suffix (name, endings[i]);
  return n;
}

/* The configuration of a file: its own, STEM.json; or config.json, where that cannot be another one's. */
static gboolean
find_file_config (const char *path, const char *class_name, JsonObject **config, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (path), *name = g_path_get_basename (path);
  const char *dot = strrchr (name, '.');
  g_autofree char *stem = g_strndup (name, dot ? (gsize) (dot - name) : strlen (name)), *own = g_strconcat (stem, ".json", NULL);
  g_autofree char *own_path = g_build_filename (folder, own, NULL);
  /* other programs keep notes of theirs under that name */
  g_autoptr (JsonObject) object = g_file_test (own_path, G_FILE_TEST_EXISTS) ? pmt_config_load (own_path, NULL) : NULL;
  const char *is;
  if (object && pmt_config_string (object, "_class_name", "", &is, NULL) && strcmp (is, class_name) == 0) {
    *config = g_steal_pointer (&object);
    return TRUE;
  }
  if (!g_str_has_prefix (name, "diffusion_pytorch_model") && count_weights (folder) > 1)
    return TRUE;
  return find_config (folder, class_name, config, error);
}

static PmtWeights *
open_file (const char *path, PmtNames names, GError **error)
{
  PmtSafetensors *file = pmt_tensor_file_open (path, error);
  const char *prefix = "";
  PmtSpelling spelling = { .names = PMT_NAMES_PLAIN };
  if (!file)
    return NULL;
  if (names != PMT_NAMES_PLAIN && !pmt_derive_find (file, names, &prefix, &spelling)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT, _("'%s' has not the tensors of a ControlNet that this version knows; get a fresh copy of it."),
                 path);
    pmt_safetensors_free (file);
    return NULL;
  }
  PmtWeights *weights = pmt_weights_new_view (file, prefix, &spelling);
  pmt_weights_own_file (weights, file);
  return weights;
}

static PmtWeights *
open_weights (const char *path, PmtNames names, const char *class_name, JsonObject **config, GError **error)
{
  const gboolean is_folder = g_file_test (path, G_FILE_TEST_IS_DIR);
  PmtWeights *weights = is_folder ? pmt_weights_new_folder (path, "diffusion_pytorch_model", NULL, names, error)
                                  : open_file (path, names, error);
  *config = NULL;
  if (weights && !(is_folder ? find_config (path, class_name, config, error)
                             : find_file_config (path, class_name, config, error)))
    g_clear_pointer (&weights, pmt_weights_free);
  return weights;
}

/* ---- ControlNet ------------------------------------------------------------------------------------------------------- */

/* ControlNet 1.1's files say so in their names, "control_v11e_sd15_shuffle". */
static bool
is_named_shuffle (const char *path)
{
  g_autofree char *name = g_path_get_basename (path), *small = g_ascii_strdown (name, -1);
  return strstr (small, "shuffle") != NULL;
}

/* The UNet of the family that the weights look made for. */
static gboolean
family_base (PmtWeights *weights, PmtUnetConfig *base, GError **error)
{
  PmtUnetTraits traits = { 0 };
  pmt_derive_traits (weights, &traits);
  const PmtFamily *family = pmt_family_detect (&traits);
  g_autoptr (JsonObject) object = pmt_config_from_text (family->unet_config ? family->unet_config : pmt_family_by_id ("sd1")->unet_config,
                                                        pmt_weights_label (weights));
  return pmt_unet_config_parse (object, pmt_weights_label (weights), base, error);
}

PmtWeights *
pmt_controlnet_open (const char *path, const PmtUnetConfig *base, PmtControlNetConfig *config, GError **error)
{
  g_autoptr (JsonObject) object = NULL;
  PmtUnetConfig of_family;
  PmtWeights *weights = open_weights (path, PMT_NAMES_CONTROLNET, "ControlNetModel", &object, error);
  gboolean good = weights != NULL;
  if (good && object) {
    good = pmt_controlnet_config_parse (object, pmt_config_path (object), config, error);
  } else if (good) {
    good = (base || family_base (weights, &of_family, error)) &&
           pmt_controlnet_config_derive (weights, base ? base : &of_family, config, error);
    config->global_pool = good && is_named_shuffle (path);
  }
  if (!good)
    g_clear_pointer (&weights, pmt_weights_free);
  return weights;
}

/* ---- T2I-Adapter ------------------------------------------------------------------------------------------------------ */

PmtWeights *
pmt_t2i_open (const char *path, PmtT2iConfig *config, GError **error)
{
  g_autoptr (JsonObject) object = NULL;
  PmtWeights *weights = open_weights (path, PMT_NAMES_PLAIN, "T2IAdapter", &object, error);
  gboolean good = weights && (object ? pmt_t2i_config_parse (object, pmt_config_path (object), config, error)
                                     : pmt_t2i_config_derive (weights, config, error));
  /* a folder may hold the authors' tensors too */
  if (good && object)
    config->original = !pmt_weights_has (weights, "adapter.body.0.resnets.0.block1.weight");
  if (!good)
    g_clear_pointer (&weights, pmt_weights_free);
  return weights;
}
