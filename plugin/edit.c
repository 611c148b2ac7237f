/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/edit.h"

#include <glib/gi18n.h>

#include "plugin/procedure.h"
#include "plugin/region-fields.h"
#include "ui/fields.h"
#include "ui/form.h"
#include "ui/model-chooser.h"

static GtkWidget *
settings (PmtPaintDialog *dialog, GtkWidget **prompt)
{
  GObject *config = pmt_paint_dialog_config (dialog);
  GtkWidget *form = pmt_form_new (), *advanced = pmt_form_new (), *region, *box;

  *prompt = pmt_prompt_new (config, "instruction", _("_Instruction"), 3);
  pmt_form_add (form, _("M_odel"), pmt_model_chooser_new (config, "model"),
                _("A model that follows instructions (InstructPix2Pix): a safetensors file, or a folder in diffusers layout"));
  pmt_form_add (form, _("_Text guidance"), pmt_number_new (config, "text-guidance", 1, 50, 0.5, 1, NULL),
                _("How closely to follow the instruction"));
  pmt_form_add (form, _("Image g_uidance"), pmt_number_new (config, "image-guidance", 1, 50, 0.1, 1, NULL),
                _("How closely to keep to the picture: more changes less"));
  pmt_paint_dialog_add_seed (dialog, form);
  pmt_paint_dialog_add_steps (dialog, advanced);
  pmt_paint_dialog_add_sampling (dialog, advanced);
  box = pmt_paint_dialog_box (dialog, *prompt, form, advanced);
  region = pmt_region_fold_new (config, pmt_paint_dialog_image (dialog), pmt_paint_dialog_drawables (dialog));
  gtk_box_pack_start (GTK_BOX (box), region, FALSE, FALSE, 0);
  gtk_box_reorder_child (GTK_BOX (box), region, 3);
  return box;
}

static const PmtPaintForm form = { .title = N_("Edit by Instruction"), .settings = settings };

GimpProcedure *
pmt_edit_procedure_new (GimpPlugIn *plug_in, const char *name)
{
  GimpProcedure *procedure = pmt_procedure_new (plug_in, name, _("_Edit by Instruction…"), &form);

  gimp_procedure_set_documentation (procedure, _("Changes the picture, or the selected part, as an instruction says"),
                                    _("A diffusion model on this computer that was trained to follow instructions (InstructPix2Pix) sees the "
                                      "picture and changes it. The result is a new layer with a mask above the active layer; everything "
                                      "else stays as it is."),
                                    name);
  gimp_procedure_add_string_argument (procedure, "instruction", _("_Instruction"), _("What is to be changed, as in: make it winter"), "",
                                      G_PARAM_READWRITE);
  gimp_procedure_add_string_argument (procedure, "negative-prompt", _("_Negative prompt"), _("What the picture should not show"), "",
                                      G_PARAM_READWRITE);
  pmt_procedure_add_model (procedure);
  gimp_procedure_add_double_argument (procedure, "text-guidance", _("_Text guidance"), _("How closely to follow the instruction"), 1, 50, 7.5,
                                      G_PARAM_READWRITE);
  gimp_procedure_add_double_argument (procedure, "image-guidance", _("Image g_uidance"),
                                      _("How closely to keep to the picture: more changes less"), 1, 50, 1.5, G_PARAM_READWRITE);
  pmt_procedure_add_steps (procedure);
  pmt_procedure_add_sampling (procedure);
  pmt_region_add_arguments (procedure);
  pmt_procedure_add_result (procedure);
  return procedure;
}
