/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `inspect` shows of a file or folder, without reading weights. */
#include <string.h>

#include "engine/weights/kinds.h"
#include "engine/weights/model.h"
#include "engine/weights/pickle.h"
#include "engine/weights/source_files.h"
#include "engine/weights/tensor_file.h"

typedef struct Report {
  JsonObject *object;
  JsonArray *needs, *components, *problems;
} Report;

static void
add_problem (Report *report, const char *sentence)
{
  g_autofree char *shown = pmt_error_shown (sentence);
  json_array_add_string_element (report->problems, shown);
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
    case PMT_UNET_DEPTH:
      return "depth";
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

static void
add_sentence (JsonArray *list, const char *format, ...) G_GNUC_PRINTF (2, 3);

static void
add_sentence (JsonArray *list, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *sentence = g_strdup_vprintf (format, args), *shown = pmt_error_shown (sentence);
  va_end (args);
  json_array_add_string_element (list, shown);
}

/* What a file that is no whole model is used with. */
static void
add_needs (Report *report, const PmtKindInfo *kind)
{
  const char *base = kind->base ? kind->base->label : "matching";

  switch (kind->kind) {
    case PMT_KIND_UNET:
      add_sentence (report->needs, _("the VAE and the text encoders of a %s model"), base);
      break;
    case PMT_KIND_CONTROLNET:
    case PMT_KIND_T2I_ADAPTER:
      add_sentence (report->needs, _("a %s model"), base);
      json_array_add_string_element (report->needs, _("a control picture"));
      break;
    case PMT_KIND_IP_ADAPTER:
      add_sentence (report->needs, _("a %s model"), base);
      json_array_add_string_element (report->needs, _("its CLIP image encoder (folder image_encoder)"));
      json_array_add_string_element (report->needs, _("a reference picture"));
      break;
    case PMT_KIND_CLIP_VISION:
      json_array_add_string_element (report->needs, _("an IP-Adapter"));
      break;
    case PMT_KIND_LORA:
    case PMT_KIND_EMBEDDING:
    case PMT_KIND_HYPERNETWORK:
    case PMT_KIND_GLIGEN:
    case PMT_KIND_VAE:
    case PMT_KIND_TAESD:
    case PMT_KIND_TEXT_ENCODER:
      add_sentence (report->needs, _("a %s model"), base);
      break;
    default:
      break;
  }
}

static void
set_kind (Report *report, const PmtKindInfo *kind)
{
  json_object_set_string_member (report->object, "kind", pmt_kind_id (kind->kind));
  if (*kind->form)
    json_object_set_string_member (report->object, "form", kind->form);
  json_object_set_string_member (report->object, "what", kind->label);
  if (kind->base)
    set_family (report, kind->base);
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
  if (!pmt_model_files_prediction_known (files))
    prediction = "unknown";
  json_object_set_string_member (report->object, "prediction_type", prediction);
  json_object_set_string_member (report->object, "tokenizer", pmt_model_files_tokenizer (files) ? "its own" : "built in");
}

static gboolean
holds (const char *folder, const char *name)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  return g_file_test (path, G_FILE_TEST_IS_REGULAR);
}

/* A tokenizer's folder has one of two forms. */
static void
inspect_tokenizers (Report *report, PmtModelFiles *files)
{
  static const PmtComponent texts[] = { PMT_COMPONENT_TEXT, PMT_COMPONENT_TEXT_2 };
  gboolean zero;

  for (size_t i = 0; i < G_N_ELEMENTS (texts); i++) {
    const char *folder = pmt_model_files_tokenizer_for (files, texts[i], &zero);
    if (folder && !holds (folder, "tokenizer.json") && !(holds (folder, "vocab.json") && holds (folder, "merges.txt")))
      add_sentence (report->problems, _("The folder '%s' holds neither tokenizer.json nor vocab.json with merges.txt; download them too."), folder);
  }
}

/* Every component by itself: one that is damaged does not hide the others. `whole`: a missing one is a problem; a UNet alone says under
 * `needs` what it goes with. */
static void
inspect_components (Report *report, PmtModelFiles *files, gboolean whole)
{
  for (int i = 0; i < PMT_N_COMPONENTS; i++) {
    GError *error = NULL;
    const char *name = pmt_component_name ((PmtComponent) i);
    if (!pmt_model_files_has (files, (PmtComponent) i)) {
      if (whole && pmt_model_files_needs (files, (PmtComponent) i))
        add_sentence (report->problems, _("The model has no %s."), name);
      continue;
    }
    PmtWeights *weights = pmt_model_files_weights (files, (PmtComponent) i, &error);
    if (!weights) {
      take_problem (report, error);
      continue;
    }
    add_component (report, name, pmt_weights_files (weights), pmt_weights_prefix (weights));
  }
}

/* A component's own folder is no model, and may be a ControlNet's or an adapter's. */
static void
inspect_folder (Report *report, const char *path)
{
  g_autofree char *own = g_build_filename (path, "config.json", NULL), *index = g_build_filename (path, "model_index.json", NULL);
  GError *error = NULL;
  PmtKindInfo kind;

  json_object_set_string_member (report->object, "container", "folder");
  if (g_file_test (own, G_FILE_TEST_EXISTS) && !g_file_test (index, G_FILE_TEST_EXISTS)) {
    if (!pmt_kind_of_file (path, &kind, &error)) {
      json_object_set_string_member (report->object, "kind", "unknown");
      take_problem (report, error);
      return;
    }
    set_kind (report, &kind);
    add_needs (report, &kind);
    if (kind.refusal)
      add_sentence (report->problems, _("'%s' is %s, %s."), path, _(kind.label), _(kind.refusal));
    return;
  }
  json_object_set_string_member (report->object, "kind", "diffusers-folder");
  PmtModelFiles *files = pmt_model_files_open (path, &error);
  if (!files) {
    take_problem (report, error);
    return;
  }
  inspect_model (report, files);
  inspect_tokenizers (report, files);
  inspect_components (report, files, TRUE);
  pmt_model_files_free (files);
}

/* A checkpoint that cannot be run: what can be said of it all the same. */
static void
inspect_refused (Report *report, const PmtSafetensors *file, GError *why)
{
  static const char *const prefixes[][2] = { { "unet", "model.diffusion_model." }, { "vae", "first_stage_model." } };
  g_autoptr (GPtrArray) files = g_ptr_array_new ();

  g_ptr_array_add (files, (gpointer) file);
  for (size_t i = 0; i < G_N_ELEMENTS (prefixes); i++)
    add_component (report, prefixes[i][0], files, prefixes[i][1]);
  take_problem (report, why);
}

static void
inspect_file (Report *report, const char *path)
{
  GError *error = NULL;
  PmtSafetensors *file = pmt_tensor_file_open (path, &error);

  if (!file) {
    json_object_set_string_member (report->object, "kind", pmt_content_of (path) == PMT_CONTENT_PICKLE ? "pickle" : "unknown");
    take_problem (report, error);
    return;
  }
  json_object_set_string_member (report->object, "container", pmt_content_of (path) == PMT_CONTENT_GGUF ? "gguf" : "safetensors");
  PmtKindInfo kind = pmt_kind_of_tensors (file);
  set_kind (report, &kind);
  add_needs (report, &kind);
  PmtModelFiles *files = NULL;
  if (kind.kind == PMT_KIND_CHECKPOINT || kind.kind == PMT_KIND_UNET) {
    files = pmt_model_files_open (path, &error);
    if (files) {
      inspect_model (report, files);
      inspect_components (report, files, kind.kind == PMT_KIND_CHECKPOINT);
    } else
      inspect_refused (report, file, error);
  } else {
    g_autoptr (GPtrArray) all = g_ptr_array_new ();
    g_ptr_array_add (all, file);
    add_component (report, pmt_kind_id (kind.kind), all, "");
    if (kind.refusal)
      add_sentence (report->problems, _("'%s' is %s, %s."), path, _(kind.label), _(kind.refusal));
    else if (kind.kind == PMT_KIND_UNKNOWN)
      add_sentence (report->problems, _("'%s' is %s; give a file that this version knows."), path, _(kind.label));
  }
  pmt_model_files_free (files);
  pmt_safetensors_free (file);
}

JsonObject *
pmt_model_files_inspect (const char *path, GError **error)
{
  if (!g_file_test (path, G_FILE_TEST_EXISTS)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_NOT_FOUND, _("There is nothing at '%s'; give a model's folder or a file."), path);
    return NULL;
  }
  Report report = { json_object_new (), json_array_new (), json_array_new (), json_array_new () };
  g_autofree char *valid = g_utf8_make_valid (path, -1);
  json_object_set_string_member (report.object, "path", valid);
  if (g_file_test (path, G_FILE_TEST_IS_DIR))
    inspect_folder (&report, path);
  else
    inspect_file (&report, path);
  json_object_set_array_member (report.object, "needs", report.needs);
  json_object_set_array_member (report.object, "components", report.components);
  json_object_set_array_member (report.object, "problems", report.problems);
  return report.object;
}
