/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `inspect` shows of a file or folder, without reading weights. */
#include <string.h>

#include "engine/weights/derive.h"
#include "engine/weights/kinds.h"
#include "engine/weights/model.h"
#include "engine/weights/pickle.h"
#include "engine/weights/source_files.h"

typedef struct Report {
  JsonObject *object;
  JsonArray *components, *problems;
} Report;

static void
add_problem (Report *report, const char *sentence)
{
  json_array_add_string_element (report->problems, sentence);
}

/* Moves an error into the problems. */
static void
take_problem (Report *report, GError *error)
{
  add_problem (report, error->message);
  g_error_free (error);
}

/* One line per component: tensors, bytes, and the number formats in use. `prefix` selects a part of a single file. */
static void
add_component (Report *report, const char *name, const GPtrArray *files, const char *prefix)
{
  JsonObject *component = json_object_new ();
  g_autoptr (GPtrArray) dtypes = g_ptr_array_new ();
  guint64 bytes = 0;
  gint64 tensors = 0;

  for (guint k = 0; k < files->len; k++) {
    for (guint i = 0; i < pmt_safetensors_count (files->pdata[k]); i++) {
      const PmtSafetensor *t = pmt_safetensors_at (files->pdata[k], i);
      if (!g_str_has_prefix (t->name, prefix))
        continue;
      tensors++;
      bytes += t->bytes;
      if (!g_ptr_array_find_with_equal_func (dtypes, t->dtype_name, g_str_equal, NULL))
        g_ptr_array_add (dtypes, (gpointer) t->dtype_name);
    }
  }
  JsonArray *list = json_array_new ();
  for (guint i = 0; i < dtypes->len; i++)
    json_array_add_string_element (list, dtypes->pdata[i]);
  json_object_set_string_member (component, "name", name);
  json_object_set_int_member (component, "tensors", tensors);
  json_object_set_int_member (component, "bytes", (gint64) bytes);
  json_object_set_array_member (component, "dtypes", list);
  json_array_add_object_element (report->components, component);
}

static const char *
use_name (PmtUnetUse use)
{
  switch (use) {
    case PMT_UNET_PLAIN:
      return "text-to-image";
    case PMT_UNET_EDIT:
      return "edit";
    case PMT_UNET_INPAINT:
      return "inpaint";
    default:
      return "other";
  }
}

static void
set_family (Report *report, const PmtFamily *family)
{
  json_object_set_string_member (report->object, "family", family->id);
  json_object_set_string_member (report->object, "label", family->label);
}

/* SD 2 checkpoints do not say whether they predict noise or velocity; only running the UNet tells. */
static const char *
prediction_of (const PmtSafetensors *file, const PmtFamily *family)
{
  const char *stated = pmt_safetensors_metadata (file, "modelspec.prediction_type");
  if (stated)
    return stated;
  return strcmp (family->id, "sd2") == 0 ? "unknown" : "epsilon";
}

static void
inspect_model (Report *report, PmtModelFiles *files)
{
  const char *prediction = "epsilon";
  GError *error = NULL;

  set_family (report, pmt_model_files_family (files));
  if (pmt_model_files_has (files, PMT_COMPONENT_UNET))
    json_object_set_string_member (report->object, "use", use_name (pmt_model_files_use (files, PMT_COMPONENT_UNET)));
  json_object_set_int_member (report->object, "native_size", pmt_model_files_native_size (files));
  if (!pmt_config_string (pmt_model_files_scheduler (files), "prediction_type", "epsilon", &prediction, &error))
    take_problem (report, error);
  json_object_set_string_member (report->object, "prediction_type", prediction);
  json_object_set_string_member (report->object, "tokenizer", pmt_model_files_tokenizer (files) ? "its own" : "built in");
}

static void
inspect_folder (Report *report, const char *path)
{
  GError *error = NULL;
  PmtModelFiles *files = pmt_model_files_open (path, &error);

  json_object_set_string_member (report->object, "kind", "diffusers-folder");
  if (!files) {
    take_problem (report, error);
    return;
  }
  inspect_model (report, files);
  for (int i = 0; i < PMT_N_COMPONENTS; i++) {
    if (!pmt_model_files_has (files, (PmtComponent) i)) {
      if (pmt_model_files_needs (files, (PmtComponent) i)) {
        g_autofree char *sentence = g_strdup_printf ("The model has no %s.", pmt_component_name ((PmtComponent) i));
        add_problem (report, sentence);
      }
      continue;
    }
    PmtWeights *weights = pmt_model_files_weights (files, (PmtComponent) i, &error);
    if (!weights) {
      take_problem (report, error);
      error = NULL;
      continue;
    }
    add_component (report, pmt_component_name ((PmtComponent) i), pmt_weights_files (weights), "");
  }
  pmt_model_files_free (files);
}

static void
inspect_checkpoint (Report *report, const PmtSafetensors *file)
{
  const PmtFamily *common = pmt_family_by_id ("custom");
  const char *path = pmt_safetensors_path (file);
  g_autoptr (GPtrArray) files = g_ptr_array_new ();
  GError *error = NULL;
  PmtUnetTraits traits;

  g_ptr_array_add (files, (gpointer) file);
  if (!pmt_derive_traits (file, common->unet_prefix, &traits))
    return;
  const PmtFamily *family = pmt_family_detect (&traits);
  set_family (report, family);
  json_object_set_string_member (report->object, "use", use_name (pmt_unet_use (traits.in_channels, traits.latent_channels)));
  json_object_set_string_member (report->object, "prediction_type", prediction_of (file, family));
  json_object_set_int_member (report->object, "native_size", family->native_size ? family->native_size : 512);
  json_object_set_string_member (report->object, "tokenizer", "built in");
  add_component (report, "unet", files, common->unet_prefix);
  add_component (report, "vae", files, common->vae_prefix);
  if (pmt_family_refuse (family, &traits, path, &error)) {
    take_problem (report, error);
    return;
  }
  add_component (report, "text_encoder", files, family->text_prefix);
  for (guint i = 0; i < json_array_get_length (report->components); i++) {
    JsonObject *component = json_array_get_object_element (report->components, i);
    if (json_object_get_int_member (component, "tensors") == 0) {
      g_autofree char *sentence = g_strdup_printf ("The file has no %s.", json_object_get_string_member (component, "name"));
      add_problem (report, sentence);
    }
  }
}

static void
inspect_safetensors (Report *report, const char *path)
{
  GError *error = NULL;
  PmtSafetensors *file = pmt_safetensors_open (path, &error);

  if (!file) {
    json_object_set_string_member (report->object, "kind", "unknown");
    take_problem (report, error);
    return;
  }
  PmtKind kind = pmt_kind_detect (file);
  json_object_set_string_member (report->object, "kind", pmt_kind_id (kind));
  if (kind == PMT_KIND_CHECKPOINT) {
    inspect_checkpoint (report, file);
  } else {
    g_autoptr (GPtrArray) files = g_ptr_array_new ();
    g_autofree char *sentence = g_strdup_printf ("The file is %s, not a whole model.", pmt_kind_label (kind));
    g_ptr_array_add (files, file);
    add_component (report, pmt_kind_id (kind), files, "");
    add_problem (report, sentence);
  }
  pmt_safetensors_free (file);
}

JsonObject *
pmt_model_files_inspect (const char *path, GError **error)
{
  GError *local = NULL;

  if (!g_file_test (path, G_FILE_TEST_EXISTS)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_NOT_FOUND, "There is nothing at '%s'; give a model's folder or a file.", path);
    return NULL;
  }
  Report report = { json_object_new (), json_array_new (), json_array_new () };
  json_object_set_string_member (report.object, "path", path);
  if (g_file_test (path, G_FILE_TEST_IS_DIR)) {
    inspect_folder (&report, path);
  } else if (pmt_content_of (path) == PMT_CONTENT_PICKLE) {
    json_object_set_string_member (report.object, "kind", "pickle");
    pmt_pickle_refuse (path, &local);
    take_problem (&report, local);
  } else if (pmt_content_of (path) == PMT_CONTENT_GGUF) {
    json_object_set_string_member (report.object, "kind", "gguf");
    add_problem (&report, "The file is a GGUF file, which this version does not read.");
  } else {
    inspect_safetensors (&report, path);
  }
  json_object_set_array_member (report.object, "components", report.components);
  json_object_set_array_member (report.object, "problems", report.problems);
  return report.object;
}
