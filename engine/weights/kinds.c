/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/weights/kinds.h"

#include <string.h>

#include "engine/weights/config.h"
#include "engine/weights/kinds_table.h"
#include "engine/weights/source_files.h"
#include "engine/weights/tensor_file.h"

static const struct {
  const char *id, *label, *short_label; /* both with an article: what it is found to be, and what to give */
} kinds[PMT_N_KINDS] = {
  [PMT_KIND_UNKNOWN] = { "unknown", N_("a file of tensors of a kind that is not known here"), N_("another file") },
  [PMT_KIND_CHECKPOINT] = { "checkpoint", N_("a checkpoint"), N_("a model") },
  [PMT_KIND_UNET] = { "unet", N_("a UNet alone"), N_("a UNet") },
  [PMT_KIND_VAE] = { "vae", N_("a VAE alone"), N_("a VAE") },
  [PMT_KIND_TAESD] = { "taesd", N_("a tiny autoencoder (TAESD)"), N_("a TAESD") },
  [PMT_KIND_TEXT_ENCODER] = { "text-encoder", N_("a text encoder alone"), N_("a text encoder") },
  [PMT_KIND_LORA] = { "lora", N_("a LoRA"), N_("a LoRA") },
  [PMT_KIND_CONTROLNET] = { "controlnet", N_("a ControlNet"), N_("a ControlNet") },
  [PMT_KIND_T2I_ADAPTER] = { "t2i-adapter", N_("a T2I-Adapter"), N_("a T2I-Adapter") },
  [PMT_KIND_IP_ADAPTER] = { "ip-adapter", N_("an IP-Adapter"), N_("an IP-Adapter") },
  [PMT_KIND_GLIGEN] = { "gligen", N_("a GLIGEN model"), N_("a GLIGEN model") },
  [PMT_KIND_EMBEDDING] = { "embedding", N_("a textual inversion embedding"), N_("an embedding") },
  [PMT_KIND_CLIP_VISION] = { "clip-vision", N_("a CLIP image encoder"), N_("a CLIP image encoder") },
  [PMT_KIND_HYPERNETWORK] = { "hypernetwork", N_("a hypernetwork"), N_("a hypernetwork") },
  [PMT_KIND_OTHER] = { "other", N_("something that this version has no use for"), N_("another file") },
};

/* ---- signs ------------------------------------------------------------------------------------------------------------ */

static gboolean
name_has_sign (const char *name, const char *sign, size_t n)
{
  if (*sign == '^')
    return strncmp (name, sign + 1, n - 1) == 0;
  if (sign[n - 1] != '$')
    return strstr (name, sign) != NULL;
  size_t length = strlen (name);
  return length >= n - 1 && strncmp (name + length - (n - 1), sign, n - 1) == 0;
}

gboolean
pmt_kind_has_sign (const PmtSafetensors *file, const char *sign)
{
  size_t n = strlen (sign);

  if (*sign == '=')
    return pmt_safetensors_lookup (file, sign + 1) != NULL;
  for (guint i = 0; i < pmt_safetensors_count (file); i++)
    if (name_has_sign (pmt_safetensors_at (file, i)->name, sign, n))
      return TRUE;
  return FALSE;
}

static gboolean
row_fits (const PmtSafetensors *file, const PmtKindRow *row)
{
  gboolean any = row->any[0] == NULL;

  for (int i = 0; i < PMT_KIND_SIGNS && row->any[i] && !any; i++)
    any = pmt_kind_has_sign (file, row->any[i]);
  if (!any)
    return FALSE;
  for (size_t i = 0; i < G_N_ELEMENTS (row->all) && row->all[i]; i++)
    if (!pmt_kind_has_sign (file, row->all[i]))
      return FALSE;
  for (size_t i = 0; i < G_N_ELEMENTS (row->none) && row->none[i]; i++)
    if (pmt_kind_has_sign (file, row->none[i]))
      return FALSE;
  return !row->fits || row->fits (file);
}

PmtKindInfo
pmt_kind_of_tensors (const PmtSafetensors *file)
{
  for (size_t i = 0; i < pmt_kind_n_rows; i++) {
    const PmtKindRow *row = &pmt_kind_rows[i];
    if (row_fits (file, row))
      return (PmtKindInfo) { row->kind, row->form, row->label, row->base ? row->base (file) : NULL, row->refusal };
  }
  return (PmtKindInfo) { PMT_KIND_UNKNOWN, "", kinds[PMT_KIND_UNKNOWN].label, NULL, NULL };
}

PmtKind
pmt_kind_detect (const PmtSafetensors *file)
{
  return pmt_kind_of_tensors (file).kind;
}

/* ---- files and folders ------------------------------------------------------------------------------------------------- */

/* A component's folder. Shards each hold a part of the names: the first that says something decides. */
static gboolean
kind_of_folder (const char *path, PmtKindInfo *info, GError **error)
{
  static const char *const stems[] = { "diffusion_pytorch_model", "model" };
  g_autofree char *index = g_build_filename (path, "model_index.json", NULL), *unet = g_build_filename (path, "unet", NULL);
  PmtWeights *weights = NULL;

  if (g_file_test (index, G_FILE_TEST_EXISTS)) {
    g_autoptr (GError) ignored = NULL;
    if (!kind_of_folder (unet, info, &ignored))
      *info = (PmtKindInfo) { .base = NULL };
    info->kind = PMT_KIND_CHECKPOINT;
    info->form = "folder";
    info->label = N_("a whole model");
    return TRUE;
  }
  for (size_t i = 0; i < G_N_ELEMENTS (stems) && !weights; i++) {
    g_clear_error (error);
    weights = pmt_weights_new_folder (path, stems[i], NULL, PMT_NAMES_PLAIN, error);
    if (!weights && error && !g_error_matches (*error, PMT_ERROR, PMT_ERROR_NOT_FOUND))
      return FALSE;
  }
  if (!weights)
    return FALSE;
  const GPtrArray *files = pmt_weights_files (weights);
  *info = (PmtKindInfo) { .kind = PMT_KIND_UNKNOWN };
  for (guint i = 0; i < files->len && (info->kind == PMT_KIND_UNKNOWN || !info->base); i++) {
    PmtKindInfo one = pmt_kind_of_tensors (files->pdata[i]);
    if (i == 0 || one.kind == info->kind || info->kind == PMT_KIND_UNKNOWN)
      *info = one;
  }
  pmt_weights_free (weights);
  return TRUE;
}

gboolean
pmt_kind_of_file (const char *path, PmtKindInfo *info, GError **error)
{
  if (g_file_test (path, G_FILE_TEST_IS_DIR)) {
    g_autoptr (GError) local = NULL;
    if (kind_of_folder (path, info, &local))
      return TRUE;
    g_propagate_error (error, g_steal_pointer (&local));
    return FALSE;
  }
  PmtSafetensors *file = pmt_tensor_file_open (path, error);
  if (!file)
    return FALSE;
  *info = pmt_kind_of_tensors (file);
  pmt_safetensors_free (file);
  return TRUE;
}

static gboolean
is_known (const PmtFamily *family)
{
  return family && family->id && strcmp (family->id, "custom") != 0;
}

gboolean
pmt_kind_require (const char *path, PmtKind wanted, const char *model, const PmtFamily *family, PmtKindInfo *info, GError **error)
{
  PmtKindInfo found;

  if (!pmt_kind_of_file (path, &found, error))
    return FALSE;
  if (found.kind != wanted) {
    if (is_known (family))
      g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED, _("'%s' is %s, not %s; give %s for %s instead."), path, _(found.label),
                   _(kinds[wanted].label), _(kinds[wanted].short_label), family->label);
    else
      g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED, _("'%s' is %s, not %s; give %s instead."), path, _(found.label), _(kinds[wanted].label),
                   _(kinds[wanted].short_label));
    return FALSE;
  }
  if (found.refusal) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED, _("'%s' is %s, %s."), path, _(found.label), _(found.refusal));
    return FALSE;
  }
  if (is_known (found.base) && is_known (family) && found.base != family) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED, _("'%s' is %s for %s, and the model '%s' is %s; use %s made for that, or a %s model."),
                 path, _(found.label), found.base->label, model, family->label, _(kinds[wanted].short_label), found.base->label);
    return FALSE;
  }
  if (info)
    *info = found;
  return TRUE;
}

const char *
pmt_kind_id (PmtKind kind)
{
  return kinds[kind].id;
}

const char *
pmt_kind_label (PmtKind kind)
{
  return kinds[kind].label;
}
