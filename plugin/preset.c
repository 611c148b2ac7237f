/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/preset.h"

#include <glib/gi18n.h>

#include "plugin/error.h"
#include "ui/fields.h"
#include "ui/preset-row.h"

/* Names in data/presets/presets.json, for translators. */
static const char *const shipped_names[] = { N_("Photograph"), N_("Oil painting"), N_("Watercolour"), N_("Pencil drawing"), N_("Ink drawing"),
                                             N_("Flat illustration"), N_("Quick draft") };

static const char *
shown_name (const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (shipped_names); i++)
    if (g_str_equal (name, shipped_names[i]))
      return _(shipped_names[i]);
  return name;
}

static PmtPresets *
open_presets (void)
{
  g_autofree char *folder = g_path_get_dirname (gimp_get_progname ());
  g_autofree char *shipped = g_build_filename (folder, "data", "presets", "presets.json", NULL);
  g_autofree char *own = g_build_filename (gimp_directory (), "pentimento", "presets.json", NULL);

  return pmt_presets_new (shipped, own);
}

void
pmt_preset_add_argument (GimpProcedure *procedure)
{
  gimp_procedure_add_string_argument (procedure, "preset", _("_Preset"),
                                      _("Name of a preset, whose style is written around the prompt and whose settings stand for arguments that "
                                        "are left at their defaults; empty: none"),
                                      "", G_PARAM_READWRITE);
}

GtkWidget *
pmt_preset_field_new (GObject *config)
{
  return pmt_preset_row_new (config, "preset", open_presets (), shown_name);
}

/* *preset is NULL where none is named; borrowed of presets. */
static gboolean
find (GimpProcedureConfig *config, PmtPresets *presets, JsonObject **preset, GError **error)
{
  g_autofree char *name = NULL, *known = NULL;
  g_auto (GStrv) names = NULL;

  *preset = NULL;
  if (pmt_field_exists (config, "preset"))
    g_object_get (config, "preset", &name, NULL);
  if (!name || !name[0])
    return TRUE;
  *preset = pmt_presets_get (presets, name);
  if (*preset)
    return TRUE;
  names = pmt_presets_names (presets);
  known = g_strjoinv ("”, “", names);
  if (pmt_presets_problem (presets))
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("There is no preset “%s”. %s"), name, pmt_presets_problem (presets));
  else
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("There is no preset “%s”: choose none, or one of “%s”."), name, known);
  return FALSE;
}

gboolean
pmt_preset_settle (GimpProcedureConfig *config, GError **error)
{
  PmtPresets *presets = open_presets ();
  JsonObject *preset;
  gboolean good = find (config, presets, &preset, error);

  if (preset)
    pmt_preset_apply (preset, G_OBJECT (config), TRUE);
  pmt_presets_free (presets);
  return good;
}

gboolean
pmt_preset_to_recipe (GimpProcedureConfig *config, JsonObject *recipe, GError **error)
{
  PmtPresets *presets = open_presets ();
  JsonObject *preset;
  gboolean good = find (config, presets, &preset, error);

  if (preset) {
    g_autofree char *prompt = pmt_preset_prompt (preset, json_object_get_string_member_with_default (recipe, "prompt", ""));
    g_autofree char *negative = pmt_preset_negative (preset, json_object_get_string_member_with_default (recipe, "negative-prompt", ""));
    json_object_set_string_member (recipe, "prompt", prompt);
    if (negative[0])
      json_object_set_string_member (recipe, "negative-prompt", negative);
  }
  pmt_presets_free (presets);
  return good;
}

char *
pmt_preset_styled (GObject *config, const char *member, const char *text)
{
  PmtPresets *presets = open_presets ();
  JsonObject *preset;
  char *styled;

  if (!find (GIMP_PROCEDURE_CONFIG (config), presets, &preset, NULL) || !preset)
    styled = g_strdup (text);
  else
    styled = g_str_equal (member, "prompt") ? pmt_preset_prompt (preset, text) : pmt_preset_negative (preset, text);
  pmt_presets_free (presets);
  return styled;
}
