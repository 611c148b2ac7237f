/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/generate.h"

#include <glib/gi18n.h>
#include <string.h>

#include "plugin/boxes.h"
#include "plugin/control-fields.h"
#include "plugin/controls.h"
#include "plugin/procedure.h"
#include "plugin/wishes.h"
#include "ui/fields.h"
#include "ui/form.h"
#include "ui/model-chooser.h"

#define MOST_PIXELS 8192

/* Strength says something only where there is a picture to start from. */
static gboolean
to_sensitive (GBinding *binding, const GValue *from, GValue *to, gpointer unused)
{
  g_value_set_boolean (to, g_strcmp0 (g_value_get_string (from), "none") != 0);
  return TRUE;
}

static void
add_start (GObject *config, GtkWidget *form)
{
  GtkWidget *source = pmt_choice_new (config, "source");
  GtkWidget *strength = pmt_percent_new (config, "strength", 0.01);

  pmt_choice_add (source, "none", _("Nothing but the prompt"));
  pmt_choice_add (source, "visible", _("The visible picture"));
  pmt_choice_add (source, "layer", _("The active layer"));
  pmt_form_add (form, _("Start from"), source, _("A picture to start from is painted over, as much as the strength says"));
  pmt_form_add (form, _("S_trength"), strength, _("How much of the picture to start from is painted anew"));
  g_object_bind_property_full (config, "source", strength, "sensitive", G_BINDING_SYNC_CREATE, to_sensitive, NULL, NULL, NULL);
}

static GtkWidget *
settings (PmtPaintDialog *dialog, GtkWidget **prompt)
{
  GObject *config = pmt_paint_dialog_config (dialog);
  GtkWidget *form = pmt_form_new (), *advanced = pmt_form_new (), *box;
  GtkWidget *preprocess[PMT_CONTROLS], *controls, *boxes;
  const char *automatic = _("automatic");
  gboolean any_box;

  *prompt = pmt_prompt_new (config, "prompt", _("_Prompt"), 3);
  pmt_form_add (form, _("M_odel"), pmt_model_chooser_new (config, "model"),
                _("The model that paints: the bundled one, a safetensors file, or a folder in diffusers layout"));
  pmt_wishes_add_fields (config, form);
  add_start (config, form);
  pmt_paint_dialog_add_seed (dialog, form);
  pmt_form_add (advanced, _("_Width"), pmt_number_new (config, "width", 0, MOST_PIXELS, 8, 0, automatic),
                _("Pixels that the model paints; the result is brought to the size of canvas or selection"));
  pmt_form_add (advanced, _("Height"), pmt_number_new (config, "height", 0, MOST_PIXELS, 8, 0, automatic),
                _("Pixels that the model paints; the result is brought to the size of canvas or selection"));
  pmt_paint_dialog_add_steps (dialog, advanced);
  pmt_form_add (advanced, _("Gu_idance"), pmt_number_new (config, "guidance", -1, 100, 0.5, 1, _("model's default")),
                _("How closely to follow the prompt"));
  pmt_paint_dialog_add_sampling (dialog, advanced);
  controls = pmt_control_fields_new (config, pmt_paint_dialog_image (dialog), preprocess);
  pmt_paint_dialog_list_preprocessors (dialog, preprocess, PMT_CONTROLS);

  boxes = pmt_boxes_fields_new (config, pmt_paint_dialog_image (dialog), &any_box);

  box = pmt_paint_dialog_box (dialog, *prompt, form, advanced);
  controls = pmt_fold_new (_("_Follow pictures"), controls, pmt_control_fields_used (config));
  boxes = pmt_fold_new (_("Layout bo_xes"), boxes, any_box);
  gtk_box_pack_start (GTK_BOX (box), controls, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box), boxes, FALSE, FALSE, 0);
  /* before the advanced ones, which are few people's */
  gtk_box_reorder_child (GTK_BOX (box), controls, 3);
  gtk_box_reorder_child (GTK_BOX (box), boxes, 4);
  return box;
}

static const PmtPaintForm form = { .title = N_("Generate"), .settings = settings };

static void
add_start_arguments (GimpProcedure *procedure)
{
  gimp_procedure_add_choice_argument (procedure, "source", _("Start from"), _("The picture to start from"),
                                      gimp_choice_new_with_values ("none", 0, _("Nothing but the prompt"), NULL, "visible", 1,
                                                                   _("The visible picture"), NULL, "layer", 2, _("The active layer"), NULL,
                                                                   NULL),
                                      "none", G_PARAM_READWRITE);
  gimp_procedure_add_double_argument (procedure, "strength", _("S_trength"),
                                      _("How much of the picture to start from is painted anew; 1 ignores it"), 0.01, 1.0, 0.6, G_PARAM_READWRITE);
  gimp_procedure_add_int_argument (procedure, "width", _("_Width"),
                                   _("Pixels that the model paints; 0: its native size in the shape of canvas or selection"), 0, MOST_PIXELS, 0,
                                   G_PARAM_READWRITE);
  gimp_procedure_add_int_argument (procedure, "height", _("_Height"),
                                   _("Pixels that the model paints; 0: its native size in the shape of canvas or selection"), 0, MOST_PIXELS, 0,
                                   G_PARAM_READWRITE);
}

GimpProcedure *
pmt_generate_procedure_new (GimpPlugIn *plug_in, const char *name)
{
  GimpProcedure *procedure = pmt_procedure_new (plug_in, name, _("_Generate…"), &form);

  gimp_procedure_set_documentation (procedure, _("Paints what a text says as a new layer"),
                                    _("A diffusion model on this computer paints a picture for the canvas or the selection: from the prompt "
                                      "alone, or from what is there. Layers, groups and open paths can steer it as control pictures, and closed "
                                      "paths as boxes whose name says what goes there. The result is a new layer above the active layer; "
                                      "everything else stays as it is."),
                                    name);
  gimp_procedure_add_string_argument (procedure, "prompt", _("_Prompt"), _("What to paint"), "", G_PARAM_READWRITE);
  gimp_procedure_add_string_argument (procedure, "negative-prompt", _("_Negative prompt"), _("What the picture should not show"), "",
                                      G_PARAM_READWRITE);
  pmt_procedure_add_model (procedure);
  add_start_arguments (procedure);
  pmt_procedure_add_steps (procedure);
  gimp_procedure_add_double_argument (procedure, "guidance", _("_Guidance"), _("How closely to follow the prompt; -1: the model's default"), -1,
                                      100, -1, G_PARAM_READWRITE);
  pmt_procedure_add_sampling (procedure);
  pmt_controls_add_arguments (procedure);
  pmt_boxes_add_arguments (procedure);
  pmt_wishes_add_arguments (procedure, TRUE);
  pmt_procedure_add_result (procedure);
  return procedure;
}
