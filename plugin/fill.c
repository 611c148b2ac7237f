/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/fill.h"

#include <glib/gi18n.h>
#include <math.h>

#include "plugin/modes.h"
#include "plugin/procedure.h"
#include "plugin/region-fields.h"
#include "plugin/wishes.h"
#include "ui/fields.h"
#include "ui/form.h"
#include "ui/model-chooser.h"

/* A strength that nobody has moved follows the mode. */
static void
on_mode (GObject *config, GParamSpec *spec, GtkWidget *field)
{
  const PmtMode *old = g_object_get_data (G_OBJECT (field), "pmt-mode"), *mode = pmt_mode_of (GIMP_PROCEDURE_CONFIG (config));
  double strength;

  g_object_get (config, "strength", &strength, NULL);
  if (old && mode && fabs (strength - old->strength) < 1e-6)
    g_object_set (config, "strength", mode->strength, NULL);
  g_object_set_data (G_OBJECT (field), "pmt-mode", (gpointer) mode);
}

static void
add_mode (GObject *config, GtkWidget *form)
{
  GtkWidget *field = pmt_choice_new (config, "mode");

  if (pmt_mode_of (GIMP_PROCEDURE_CONFIG (config))->uncovered)
    pmt_field_reset (config, "mode");
  /* how far the canvas grows is asked in a dialog of its own */
  for (const PmtMode *mode = pmt_modes; mode->id; mode++)
    if (!mode->uncovered)
      pmt_choice_add (field, mode->id, _(mode->label));
  g_object_set_data (G_OBJECT (field), "pmt-mode", (gpointer) pmt_mode_of (GIMP_PROCEDURE_CONFIG (config)));
  g_signal_connect_object (config, "notify::mode", G_CALLBACK (on_mode), field, 0);
  pmt_form_add (form, _("Mod_e"), field, _("What the fill is for: it decides what stands under the mask at first"));
}

/* A screen reader hears the argument's own name: the row's label is for two of them. */
static GtkWidget *
side_new (GObject *config, const char *name)
{
  GtkWidget *field = pmt_number_new (config, name, 0, 10000, 8, 0, NULL);
  g_auto (GStrv) parts = g_strsplit (g_param_spec_get_nick (g_object_class_find_property (G_OBJECT_GET_CLASS (config), name)), "_", 2);
  g_autofree char *plain = g_strjoinv ("", parts);

  atk_object_set_name (gtk_widget_get_accessible (field), plain);
  return field;
}

/* Two sides of the canvas in one row. */
static GtkWidget *
sides_new (GObject *config, const char *one, const char *two)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);

  gtk_box_pack_start (GTK_BOX (box), side_new (config, one), TRUE, TRUE, 0);
  gtk_box_pack_start (GTK_BOX (box), side_new (config, two), TRUE, TRUE, 0);
  gtk_widget_show (box);
  return box;
}

static void
add_growth (GObject *config, GtkWidget *form)
{
  GtkWidget *unit = pmt_choice_new (config, "grow-unit");

  pmt_choice_add (unit, "pixels", _("Pixels"));
  pmt_choice_add (unit, "percent", _("Per cent of the canvas"));
  pmt_form_add (form, _("L_eft, right"), sides_new (config, "grow-left", "grow-right"), _("By how much the canvas grows on these sides"));
  pmt_form_add (form, _("Top, bottom"), sides_new (config, "grow-top", "grow-bottom"), _("By how much the canvas grows on these sides"));
  pmt_form_add (form, _("Unit"), unit, _("What the sides are given in; with all at 0 the selection, or what is transparent, is painted"));
}

static GtkWidget *
settings (PmtPaintDialog *dialog, GtkWidget **prompt)
{
  GObject *config = pmt_paint_dialog_config (dialog);
  GtkWidget *form = pmt_form_new (), *advanced = pmt_form_new (), *region, *box;

  *prompt = pmt_prompt_new (config, "prompt", _("_Prompt"), 3);
  gtk_widget_set_tooltip_text (pmt_prompt_text (*prompt), _(pmt_mode_of (GIMP_PROCEDURE_CONFIG (config))->prompt_tip));
  if (pmt_field_exists (config, "mode"))
    add_mode (config, form);
  if (pmt_field_exists (config, "grow-left"))
    add_growth (config, form);
  pmt_form_add (form, _("M_odel"), pmt_model_chooser_new (config, "model"),
                _("The model that paints: the bundled one, a safetensors file, or a folder in diffusers layout"));
  pmt_wishes_add_fields (config, form);
  pmt_form_add (form, _("S_trength"), pmt_percent_new (config, "strength", 0.01),
                /* xgettext:no-c-format */
                _("How much is painted anew: 100 % ignores what is there, less keeps more of it"));
  pmt_paint_dialog_add_seed (dialog, form);
  pmt_paint_dialog_add_steps (dialog, advanced);
  pmt_form_add (advanced, _("G_uidance"), pmt_number_new (config, "guidance", -1, 100, 0.5, 1, _("model's default")),
                _("How closely to follow the prompt"));
  pmt_paint_dialog_add_sampling (dialog, advanced);
  box = pmt_paint_dialog_box (dialog, *prompt, form, advanced);
  region = pmt_region_fold_new (config, pmt_paint_dialog_image (dialog), pmt_paint_dialog_drawables (dialog));
  gtk_box_pack_start (GTK_BOX (box), region, FALSE, FALSE, 0);
  gtk_box_reorder_child (GTK_BOX (box), region, 3);
  return box;
}

/* A form is its title; in the order of pmt_modes. */
static const PmtPaintForm forms[] = {
  { .title = N_("Fill Selection"), .settings = settings },
  { .title = N_("Expand Canvas"), .settings = settings },
  { .title = N_("Add Something"), .settings = settings },
  { .title = N_("Remove Something"), .settings = settings },
  { .title = N_("Replace Background"), .settings = settings },
  { .title = N_("Refine Selection"), .settings = settings },
};

GimpProcedure *
pmt_fill_procedure_new (GimpPlugIn *plug_in, const char *name)
{
  const PmtMode *mode = pmt_mode_find_procedure (name);
  const gboolean open = g_str_equal (name, PMT_PROCEDURE_FILL);
  GimpProcedure *procedure = pmt_procedure_new (plug_in, name, _(mode->menu), &forms[mode - pmt_modes]);

  gimp_procedure_set_documentation (procedure, _(mode->summary), _(mode->help), name);
  gimp_procedure_add_string_argument (procedure, "prompt", _("_Prompt"), _(mode->prompt_tip), "", G_PARAM_READWRITE);
  gimp_procedure_add_string_argument (procedure, "negative-prompt", _("_Negative prompt"), _("What the picture should not show"), "",
                                      G_PARAM_READWRITE);
  if (open)
    pmt_mode_add_argument (procedure);
  if (mode->uncovered)
    pmt_mode_add_growth (procedure);
  pmt_procedure_add_model (procedure);
  gimp_procedure_add_double_argument (procedure, "strength", _("S_trength"), _("How much is painted anew: 1 ignores what is there"), 0.01, 1.0,
                                      mode->strength, G_PARAM_READWRITE);
  pmt_procedure_add_steps (procedure);
  gimp_procedure_add_double_argument (procedure, "guidance", _("_Guidance"), _("How closely to follow the prompt; -1: the model's default"), -1,
                                      100, -1, G_PARAM_READWRITE);
  pmt_procedure_add_sampling (procedure);
  pmt_region_add_arguments (procedure);
  pmt_region_add_finish_arguments (procedure);
  pmt_wishes_add_arguments (procedure, FALSE);
  pmt_procedure_add_result (procedure);
  return procedure;
}
