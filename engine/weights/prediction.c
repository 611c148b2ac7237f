/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/weights/prediction.h"

#include <string.h>

#include "engine/weights/config.h"

/* "prediction_type" of the metadata in diffusers' words; NULL when it is none that is known. */
static const char *
in_our_words (const char *stated)
{
  static const char *const words[][2] = { { "epsilon", "epsilon" }, { "eps", "epsilon" },          { "v", "v_prediction" },
                                          { "v_prediction", "v_prediction" }, { "velocity", "v_prediction" }, { "v-prediction", "v_prediction" } };
  for (size_t i = 0; i < G_N_ELEMENTS (words); i++)
    if (g_ascii_strcasecmp (stated, words[i][0]) == 0)
      return words[i][1];
  return NULL;
}

/* The two bases of SD 2 differ in this alone; what is trained further from the noise one (inpainting, depth) has other inputs. */
static gboolean
comes_as_both (const PmtFamily *family, const PmtUnetTraits *traits)
{
  return strcmp (family->id, "sd2") == 0 && (!traits || pmt_unet_use (traits->in_channels, traits->latent_channels) == PMT_UNET_PLAIN);
}

static gboolean
states (const PmtSafetensors *file)
{
  return file && (pmt_safetensors_metadata (file, "modelspec.prediction_type") || pmt_safetensors_lookup (file, "v_pred"));
}

gboolean
pmt_prediction_adopt (const PmtSafetensors *file, const PmtFamily *family, const PmtUnetTraits *traits, JsonObject **scheduler,
                      gboolean *known, GError **error)
{
  const char *stated = file ? pmt_safetensors_metadata (file, "modelspec.prediction_type") : NULL;
  const char *prediction = stated ? in_our_words (stated) : NULL;

  *known = TRUE;
  if (stated && !prediction) {
    g_autofree char *shown = g_utf8_substring (stated, 0, MIN (g_utf8_strlen (stated, -1), 40));
    g_strdelimit (shown, "\n\r\t", ' ');
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                 _("'%s' says that it predicts '%s', which this version cannot run; use a model that predicts epsilon or v."),
                 pmt_safetensors_path (file), shown);
    return FALSE;
  }
  if (!prediction && file && pmt_safetensors_lookup (file, "v_pred"))
    prediction = "v_prediction";
  *scheduler = pmt_config_from_text (family->scheduler_config, file ? pmt_safetensors_path (file) : family->label);
  if (!prediction)
    *known = !comes_as_both (family, traits);
  if (!prediction && *known && strcmp (family->id, "sd2") == 0)
    prediction = "epsilon"; /* whatever the plain one's config says */
  if (prediction)
    json_object_set_string_member (*scheduler, "prediction_type", prediction);
  if (file && pmt_safetensors_lookup (file, "ztsnr")) {
    json_object_set_boolean_member (*scheduler, "rescale_betas_zero_snr", TRUE);
    json_object_set_string_member (*scheduler, "timestep_spacing", "trailing");
  }
  return TRUE;
}

gboolean
pmt_prediction_replace (const PmtSafetensors *file, const PmtFamily *family, const PmtUnetTraits *traits, JsonObject *scheduler,
                        gboolean *known, GError **error)
{
  g_autoptr (JsonObject) told = NULL;
  gboolean now_known;

  /* a file that says nothing is of the model that it is put into, as far as anybody knows; of SD 2's two kinds running it tells */
  if (!states (file) && strcmp (family->id, "sd2") != 0)
    return TRUE;
  if (!pmt_prediction_adopt (file, family, traits, &told, &now_known, error))
    return FALSE;
  *known = now_known;
  json_object_set_string_member (scheduler, "prediction_type", json_object_get_string_member (told, "prediction_type"));
  if (json_object_has_member (told, "rescale_betas_zero_snr")) {
    json_object_set_boolean_member (scheduler, "rescale_betas_zero_snr", TRUE);
    json_object_set_string_member (scheduler, "timestep_spacing", "trailing");
  } else if (json_object_has_member (scheduler, "rescale_betas_zero_snr")) {
    json_object_set_boolean_member (scheduler, "rescale_betas_zero_snr", FALSE);
  }
  return TRUE;
}

gboolean
pmt_prediction_is_small_sd2 (const char *path, PmtUnetUse use, const char *prediction)
{
  g_autofree char *base = g_path_get_basename (path), *name = g_ascii_strdown (base, -1);

  if (use == PMT_UNET_INPAINT || use == PMT_UNET_DEPTH || strstr (name, "512") || strstr (name, "turbo"))
    return TRUE;
  return g_strcmp0 (prediction, "epsilon") == 0 && !strstr (name, "768");
}

static GMutex shown_lock;
static GHashTable *shown; /* identity -> whether it is noise */

void
pmt_prediction_remember (const char *identity, gboolean epsilon)
{
  g_mutex_lock (&shown_lock);
  if (!shown)
    shown = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_hash_table_replace (shown, g_strdup (identity), GINT_TO_POINTER (epsilon));
  g_mutex_unlock (&shown_lock);
}

gboolean
pmt_prediction_recall (const char *identity, gboolean *epsilon)
{
  gpointer value = NULL;
  g_mutex_lock (&shown_lock);
  gboolean found = shown && g_hash_table_lookup_extended (shown, identity, NULL, &value);
  g_mutex_unlock (&shown_lock);
  *epsilon = GPOINTER_TO_INT (value);
  return found;
}
