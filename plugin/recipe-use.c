/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/recipe-use.h"

#include <gegl.h>
#include <glib/gi18n.h>
#include <libgimp/gimpui.h>

#include "plugin/capture.h"
#include "plugin/describe.h"
#include "plugin/edit.h"
#include "plugin/fill.h"
#include "plugin/generate.h"
#include "plugin/last-settings.h"
#include "plugin/procedure.h"
#include "plugin/recipe-layer.h"
#include "plugin/recipe-settings.h"
#include "plugin/stack.h"

/* Not by way of GIMP: within one program libgimp takes the procedure made here and the one that GIMP would run for the same. */
static GimpProcedure *
procedure_new (const char *name)
{
  if (g_str_equal (name, PMT_PROCEDURE_GENERATE))
    return pmt_generate_procedure_new (gimp_get_plug_in (), name);
  if (g_str_equal (name, PMT_PROCEDURE_DESCRIBE))
    return pmt_describe_procedure_new (gimp_get_plug_in (), name);
  return g_str_equal (name, PMT_PROCEDURE_EDIT) ? pmt_edit_procedure_new (gimp_get_plug_in (), name) : pmt_fill_procedure_new (gimp_get_plug_in (), name);
}

/* Where the settings are about one layer, that one as it was then, and not what was painted of it, which is the active one by now. Where it
 * cannot be known by the inputs, it is the active one; NULL: it is gone. */
static GimpLayer *
find_layer (const PmtInputs *inputs, GimpImage *image, GimpDrawable **drawables)
{
  GimpLayer *active = pmt_capture_active_layer (image, drawables);

  if (!pmt_recipe_names_layer (inputs))
    return active;
  if (inputs->layer && gimp_item_is_valid (GIMP_ITEM (inputs->layer)) && gimp_item_get_image (GIMP_ITEM (inputs->layer)) == image)
    return inputs->layer;
  return active && !pmt_stack_is_painted (GIMP_ITEM (active)) ? active : NULL;
}

PmtDelivered *
pmt_recipe_use (JsonObject *recipe, const PmtInputs *inputs, GimpImage *image, GimpDrawable **drawables, GError **error)
{
  g_autoptr (GimpProcedure) procedure = procedure_new (pmt_recipe_procedure (recipe, inputs));
  g_autoptr (GimpProcedureConfig) config = gimp_procedure_create_config (procedure);
  GimpLayer *layer = find_layer (inputs, image, drawables);
  GimpDrawable *named[] = { GIMP_DRAWABLE (layer), NULL };
  g_autofree char *missing = NULL;

  pmt_last_settings_load (config); /* what no recipe has: when results are added, what is shown meanwhile */
  missing = pmt_recipe_to_config (recipe, inputs, image, layer, config);
  return pmt_procedure_run_dialog (procedure, config, image, layer && pmt_recipe_names_layer (inputs) ? named : drawables, missing ? missing : "",
                                   error);
}

/* A script gets the picture that the dialog would paint. */
static PmtDelivered *
paint (JsonObject *recipe, const PmtInputs *inputs, GimpImage *image, GimpDrawable **drawables, GError **error)
{
  g_autoptr (GimpProcedure) procedure = procedure_new (pmt_recipe_procedure (recipe, inputs));
  g_autoptr (GimpProcedureConfig) config = gimp_procedure_create_config (procedure);
  GimpLayer *layer = find_layer (inputs, image, drawables);
  GimpDrawable *named[] = { GIMP_DRAWABLE (layer), NULL };
  g_autofree char *missing = pmt_recipe_to_config (recipe, inputs, image, layer, config);

  if (missing)
    gimp_message (missing);
  return pmt_procedure_run_settings (procedure, config, image, layer && pmt_recipe_names_layer (inputs) ? named : drawables, error);
}

static GimpValueArray *
run (GimpProcedure *procedure, GimpRunMode run_mode, GimpImage *image, GimpDrawable **drawables, GimpProcedureConfig *config, gpointer unused)
{
  PmtDelivered *delivered = NULL;
  g_autoptr (JsonObject) recipe = NULL;
  PmtInputs *inputs;
  GimpLayer *layer;
  GError *error = NULL;

  gegl_init (NULL, NULL);
  layer = pmt_recipe_layer (image, drawables, &error);
  recipe = layer ? pmt_recipe_of_layer (layer, &error) : NULL;
  if (!recipe)
    return pmt_procedure_return (procedure, NULL, error);
  inputs = pmt_inputs_read (layer, NULL); /* without them a recipe has settings all the same */
  if (run_mode == GIMP_RUN_NONINTERACTIVE) {
    delivered = paint (recipe, inputs, image, drawables, &error);
  } else {
    gimp_ui_init ("pentimento");
    delivered = pmt_recipe_use (recipe, inputs, image, drawables, &error);
  }
  pmt_inputs_free (inputs);
  return pmt_procedure_return (procedure, delivered, error);
}

GimpProcedure *
pmt_use_procedure_new (GimpPlugIn *plug_in, const char *name)
{
  GimpProcedure *procedure = pmt_procedure_new_recipe (plug_in, name, _("_Use Settings…"), run);

  gimp_procedure_set_documentation (procedure, _("Opens the dialog that painted the active layer, with its settings"),
                                    _("Prompt, model, seed and all settings of a layer that Pentimento painted, in the fields of the dialog that it came "
                                      "from, to be changed and painted with. What was left to the model then is left to it again. Without a window "
                                      "the picture is painted at once."),
                                    name);
  pmt_procedure_add_delivered (procedure);
  return procedure;
}
