/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/fill.h"

#include <glib/gi18n.h>

#include "plugin/procedure.h"
#include "ui/fields.h"
#include "ui/form.h"
#include "ui/model-chooser.h"

static GtkWidget *
settings (PmtPaintDialog *dialog, GtkWidget **prompt)
{
  GObject *config = pmt_paint_dialog_config (dialog);
  GtkWidget *form = pmt_form_new (), *advanced = pmt_form_new ();

  *prompt = pmt_prompt_new (config, "prompt", _("_Prompt"), 3);
  pmt_form_add (form, _("M_odel"), pmt_model_chooser_new (config, "model"),
                _("The network that paints: the bundled one, a safetensors file, or a folder in diffusers layout"));
  pmt_form_add (form, _("S_trength"), pmt_percent_new (config, "strength", 0.01),
                /* xgettext:no-c-format */
                _("How much is painted anew: 100 % ignores what is there, less keeps more of it"));
  pmt_paint_dialog_add_seed (dialog, form);
  pmt_paint_dialog_add_region (dialog, advanced);
  pmt_paint_dialog_add_steps (dialog, advanced);
  pmt_form_add (advanced, _("G_uidance"), pmt_number_new (config, "guidance", -1, 100, 0.5, 1, _("model's default")),
                _("How closely to follow the prompt"));
  pmt_paint_dialog_add_sampling (dialog, advanced);
  return pmt_paint_dialog_box (dialog, *prompt, form, advanced);
}

static const PmtPaintForm form = { N_("Fill Selection"), settings };

GimpProcedure *
pmt_fill_procedure_new (GimpPlugIn *plug_in, const char *name)
{
  GimpProcedure *procedure = pmt_procedure_new (plug_in, name, _("_Fill Selection…"), &form);

  gimp_procedure_set_documentation (procedure, _("Paints what a text says into the selection"),
                                    _("A diffusion model on this computer paints the selection anew, to fit the prompt and its surroundings. "
                                      "The result is a new layer with a mask above the active layer; everything else stays as it is."),
                                    NULL);
  gimp_procedure_add_string_argument (procedure, "prompt", _("_Prompt"), _("What to paint into the selection"), "", G_PARAM_READWRITE);
  gimp_procedure_add_string_argument (procedure, "negative-prompt", _("_Negative prompt"), _("What the picture should not show"), "",
                                      G_PARAM_READWRITE);
  pmt_procedure_add_model (procedure);
  gimp_procedure_add_double_argument (procedure, "strength", _("S_trength"), _("How much is painted anew: 1 ignores what is there"), 0.01, 1.0,
                                      1.0, G_PARAM_READWRITE);
  pmt_procedure_add_steps (procedure);
  gimp_procedure_add_double_argument (procedure, "guidance", _("_Guidance"), _("How closely to follow the prompt; -1: the model's default"), -1,
                                      100, -1, G_PARAM_READWRITE);
  pmt_procedure_add_sampling (procedure);
  pmt_procedure_add_region (procedure);
  pmt_procedure_add_result (procedure);
  return procedure;
}
