/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/modes.h"

#include <glib/gi18n.h>

#include "plugin/fill.h"
#include "ui/fields.h"

/* clang-format off */
const PmtMode pmt_modes[] = {
  { .id = "fill", .label = N_("Fill"), .procedure = PMT_PROCEDURE_FILL, .menu = N_("_Fill Selection…"), 
    .summary = N_("Paints what a text says into the selection"),
    .help = N_("A diffusion model on this computer paints the selection anew, to fit the prompt and its surroundings. The result is a new layer "
               "with a mask above the active layer; everything else stays as it is."),
    .prompt_tip = N_("What to paint into the selection"), .strength = 1 },
  { .id = "expand", .label = N_("Expand"), .procedure = "plug-in-pentimento-expand", .menu = N_("E_xpand Canvas…"), 
    .summary = N_("Continues the picture beyond its edges"),
    .help = N_("A diffusion model on this computer paints what no opaque pixel covers: the sides by which the canvas grows, and transparent parts; "
               "or the selection, when no side grows. The canvas grows together with the new layer, in one undo step."),
    .prompt_tip = N_("What the whole picture shows"), .strength = 1, .uncovered = TRUE },
  { .id = "add", .label = N_("Add"), .procedure = "plug-in-pentimento-add", .menu = N_("_Add Something…"), 
    .summary = N_("Paints a new thing into the selection"),
    .help = N_("A diffusion model on this computer paints a new thing into the selection, whatever is there now. The result is a new layer "
               "with a mask above the active layer; everything else stays as it is."),
    .prompt_tip = N_("The thing to add"), .strength = 1,
    .unselected = N_("Nothing is selected: select the place where the new thing shall be.") },
  { .id = "remove", .label = N_("Remove"), .procedure = "plug-in-pentimento-remove", .menu = N_("Rem_ove Something…"), 
    .summary = N_("Paints the surroundings over what is selected"),
    .help = N_("The colours around the selection run into it, and a diffusion model on this computer paints the background from there. Without a "
               "prompt it paints background scenery. The result is a new layer with a mask above the active layer; everything else stays as "
               "it is."),
    .prompt_tip = N_("What is behind the thing; may stay empty"), .strength = 1, .prompt = "background scenery",
    .unselected = N_("Nothing is selected: select the thing that shall go, with a little of what is around it.") },
  { .id = "replace", .label = N_("Replace background"), .procedure = "plug-in-pentimento-replace-background", .menu = N_("Replace _Background…"),  .summary = N_("Paints everything but the selection anew"),
    .help = N_("A diffusion model on this computer paints everything that is not selected, to fit the prompt and what is selected. The result is "
               "a new layer with a mask above the active layer; everything else stays as it is."),
    .prompt_tip = N_("The new background"), .strength = 1, .invert = TRUE, .slim = TRUE },
  { .id = "refine", .label = N_("Refine"), .procedure = "plug-in-pentimento-refine", .menu = N_("Refi_ne Selection…"), 
    .summary = N_("Paints over what is selected and keeps its shapes"),
    .help = N_("A diffusion model on this computer paints over the selection, as much as the strength says. The result is a new layer with a mask "
               "above the active layer; everything else stays as it is."),
    .prompt_tip = N_("What the selection shows"), .strength = 0.5 },
  { .id = NULL },
};
/* clang-format on */

const PmtMode *
pmt_mode_find (const char *id)
{
  for (const PmtMode *mode = pmt_modes; mode->id; mode++)
    if (g_strcmp0 (mode->id, id) == 0)
      return mode;
  return NULL;
}

const PmtMode *
pmt_mode_find_procedure (const char *name)
{
  for (const PmtMode *mode = pmt_modes; mode->id; mode++)
    if (g_strcmp0 (mode->procedure, name) == 0)
      return mode;
  return NULL;
}

const PmtMode *
pmt_mode_of (GimpProcedureConfig *config)
{
  g_autofree char *id = NULL;

  if (pmt_field_exists (config, "mode")) {
    g_object_get (config, "mode", &id, NULL);
    return pmt_mode_find (id);
  }
  return pmt_mode_find_procedure (gimp_procedure_get_name (gimp_procedure_config_get_procedure (config)));
}

void
pmt_mode_add_argument (GimpProcedure *procedure)
{
  GimpChoice *choice = gimp_choice_new ();

  for (const PmtMode *mode = pmt_modes; mode->id; mode++)
    gimp_choice_add (choice, mode->id, (int) (mode - pmt_modes), _(mode->label), _(mode->summary));
  gimp_procedure_add_choice_argument (procedure, "mode", _("Mod_e"), _("What the fill is for; refine wants a strength of 0.3 to 0.7"), choice,
                                      "fill", G_PARAM_READWRITE);
}

void
pmt_mode_add_growth (GimpProcedure *procedure)
{
  static const char *const sides[][2] = { { "grow-left", N_("_Left") }, { "grow-right", N_("_Right") }, { "grow-top", N_("_Top") },
                                          { "grow-bottom", N_("_Bottom") } };

  for (gsize i = 0; i < G_N_ELEMENTS (sides); i++)
    gimp_procedure_add_double_argument (procedure, sides[i][0], _(sides[i][1]), _("By how much the canvas grows on this side"), 0, 10000, 0,
                                        G_PARAM_READWRITE);
  gimp_procedure_add_choice_argument (procedure, "grow-unit", _("_Unit"), _("What the sides are given in"),
                                      gimp_choice_new_with_values ("pixels", 0, _("Pixels"), NULL, "percent", 1, _("Per cent of the canvas"), NULL,
                                                                   NULL),
                                      "pixels", G_PARAM_READWRITE);
}
