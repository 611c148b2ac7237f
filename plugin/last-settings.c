/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/last-settings.h"

#include <glib/gi18n.h>
#include <glib/gstdio.h>

#include "plugin/error.h"
#include "ui/fields.h"

/* After the last change, in milliseconds. */
#define WAIT_MS 700
/* Marks a config whose words are forgotten for this once. */
#define ONCE "pmt-forget-once"

static char *
settings_path (GimpProcedureConfig *config)
{
  const char *name = gimp_procedure_get_name (gimp_procedure_config_get_procedure (config));
  g_autofree char *file = g_strconcat (name, ".last", NULL);

  return g_build_filename (gimp_directory (), "pentimento", file, NULL);
}

void
pmt_last_settings_load (GimpProcedureConfig *config)
{
  g_autofree char *path = settings_path (config);
  g_autofree char *text = NULL;
  gsize length;

  if (g_file_get_contents (path, &text, &length, NULL))
    gimp_config_deserialize_string (GIMP_CONFIG (config), text, (int) length, NULL, NULL);
}

gboolean
pmt_last_settings_forgets (GimpProcedureConfig *config)
{
  gboolean forget = FALSE;

  if (pmt_field_exists (config, "forget-prompts"))
    g_object_get (config, "forget-prompts", &forget, NULL);
  return forget;
}

static void
blank (GObject *config)
{
  static const char *const written[] = { "prompt", "negative-prompt", "instruction", "boxes",   "embeddings", "shows",
                                         "words",  "make-sure",       "methods",     "weights", "blend" };

  for (gsize i = 0; i < G_N_ELEMENTS (written); i++)
    if (pmt_field_exists (config, written[i]))
      g_object_set (config, written[i], "", NULL);
}

/* Newly allocated. */
static char *
text_of (GimpProcedureConfig *config)
{
  g_autoptr (GObject) copy = NULL;

  if (!pmt_last_settings_forgets (config))
    return gimp_config_serialize_to_string (GIMP_CONFIG (config), NULL);
  copy = G_OBJECT (gimp_config_duplicate (GIMP_CONFIG (config)));
  blank (copy);
  return gimp_config_serialize_to_string (GIMP_CONFIG (copy), NULL);
}

gboolean
pmt_last_settings_save (GimpProcedureConfig *config, GError **error)
{
  g_autofree char *path = settings_path (config);
  g_autofree char *folder = g_path_get_dirname (path);
  g_autofree char *text = text_of (config);
  g_autoptr (GError) problem = NULL;

  g_mkdir_with_parents (folder, 0700);
  if (text && g_file_set_contents_full (path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT, 0600, &problem))
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The prompt cannot be kept in %s (%s): check who may write there."), path,
               problem ? problem->message : "");
  return FALSE;
}

void
pmt_last_settings_forget_once (GimpProcedureConfig *config)
{
  if (pmt_last_settings_forgets (config))
    return;
  g_object_set (config, "forget-prompts", TRUE, NULL);
  g_object_set_data (G_OBJECT (config), ONCE, config);
}

void
pmt_last_settings_forget (GimpProcedureConfig *config)
{
  if (!pmt_last_settings_forgets (config))
    return;
  blank (G_OBJECT (config));
  if (!g_object_get_data (G_OBJECT (config), ONCE))
    return;
  g_object_set (config, "forget-prompts", FALSE, NULL);
  pmt_last_settings_save (config, NULL);
}

/* ---- while they change ---- */

struct PmtLastSettings {
  GimpProcedureConfig *config;
  char *kept; /* what they were when it began, or was last saved */
  guint timer;
};

/* Making the fields tells of values that are as they were. */
static void
save_changed (PmtLastSettings *watch)
{
  g_autofree char *text = text_of (watch->config);

  if (g_strcmp0 (text, watch->kept) == 0 || !pmt_last_settings_save (watch->config, NULL))
    return;
  g_free (watch->kept);
  watch->kept = g_steal_pointer (&text);
}

static gboolean
on_timer (gpointer user)
{
  PmtLastSettings *watch = user;

  watch->timer = 0;
  save_changed (watch);
  return G_SOURCE_REMOVE;
}

static void
on_notify (GObject *config, GParamSpec *spec, PmtLastSettings *watch)
{
  g_clear_handle_id (&watch->timer, g_source_remove);
  watch->timer = g_timeout_add (WAIT_MS, on_timer, watch);
}

PmtLastSettings *
pmt_last_settings_watch (GimpProcedureConfig *config)
{
  PmtLastSettings *watch = g_new0 (PmtLastSettings, 1);

  watch->config = g_object_ref (config);
  watch->kept = text_of (config);
  g_signal_connect (config, "notify", G_CALLBACK (on_notify), watch);
  return watch;
}

void
pmt_last_settings_free (PmtLastSettings *watch)
{
  if (!watch)
    return;
  g_signal_handlers_disconnect_by_data (watch->config, watch);
  if (watch->timer) {
    g_source_remove (watch->timer);
    save_changed (watch);
  }
  g_free (watch->kept);
  g_object_unref (watch->config);
  g_free (watch);
}

void
pmt_last_settings_add_argument (GimpProcedure *procedure)
{
  gimp_procedure_add_boolean_aux_argument (procedure, "forget-prompts", _("Do not keep prompts"),
                                           _("What is written here is forgotten with the dialog; it stays in the recipes of the layers"), FALSE,
                                           G_PARAM_READWRITE);
}
