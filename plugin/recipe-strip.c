/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/recipe-strip.h"

#include <glib/gi18n.h>
#include <libgimp/gimpui.h>
#include <string.h>

#include "pentimento/protocol.h"
#include "plugin/capture.h"
#include "plugin/error.h"
#include "plugin/help.h"
#include "plugin/inputs.h"
#include "plugin/maps.h"
#include "plugin/procedure.h"
#include "plugin/recipe-layer.h"

/* GIMP keeps the last settings of each procedure with the image, prompts too, under the procedure's name and more. */
#define OUR_PARASITES "plug-in-pentimento"

/* "Fill" in place of "Fill: a red fox (42)", or "Word map" in place of "Word: fox", unless the user has named it. */
static void
rename_item (GimpItem *item, JsonObject *recipe)
{
  g_autofree char *name = gimp_item_get_name (item);
  const gint64 seed = json_object_get_int_member_with_default (recipe, "seed", 0);
  g_autofree char *given = pmt_recipe_layer_name (recipe, seed), *plain = NULL;
  g_autoptr (JsonObject) wordless = pmt_recipe_copy (recipe);

  if (gimp_item_is_channel (item)) {
    if (pmt_map_names_word (name))
      gimp_item_set_name (item, _("Word map"));
    return;
  }
  if (!g_str_has_prefix (name, given)) /* GIMP adds "#1" to doubled names */
    return;
  json_object_remove_member (wordless, "methods");
  json_object_set_string_member (wordless, "prompt", "");
  plain = pmt_recipe_layer_name (wordless, -1);
  gimp_item_set_name (item, plain);
}

/* FALSE when there was nothing. */
static gboolean
strip_item (GimpItem *item, gboolean rename)
{
  static const char *const names[] = { PMT_RECIPE_PARASITE, PMT_INPUTS_PARASITE };
  g_autoptr (JsonObject) recipe = pmt_recipe_of (item);
  gboolean found = FALSE;

  if (recipe && rename)
    rename_item (item, recipe);
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *text = pmt_recipe_parasite_text (item, names[i]);
    if (text)
      found = gimp_item_detach_parasite (item, names[i]) || found;
  }
  return found;
}

static gboolean
has_any (GimpItem *item)
{
  g_autofree char *recipe = pmt_recipe_parasite_text (item, PMT_RECIPE_PARASITE), *inputs = pmt_recipe_parasite_text (item, PMT_INPUTS_PARASITE);

  return recipe || inputs;
}

static gboolean
any_has (GimpItem **items)
{
  gboolean found = FALSE;

  for (gsize i = 0; items && items[i] && !found; i++) {
    g_autofree GimpItem **children = gimp_item_is_group (items[i]) ? gimp_item_get_children (items[i]) : NULL;
    found = has_any (items[i]) || any_has (children);
  }
  return found;
}

static gboolean
image_has_any (GimpImage *image)
{
  g_autofree GimpItem **layers = (GimpItem **) gimp_image_get_layers (image), **channels = (GimpItem **) gimp_image_get_channels (image);
  g_auto (GStrv) parasites = gimp_image_get_parasite_list (image);

  for (char **name = parasites; name && *name; name++)
    if (g_str_has_prefix (*name, OUR_PARASITES))
      return TRUE;
  return any_has (layers) || any_has (channels);
}

static int
strip_all (GimpItem **items, gboolean rename)
{
  int n = 0;

  for (gsize i = 0; items && items[i]; i++) {
    n += strip_item (items[i], rename);
    if (gimp_item_is_group (items[i])) {
      g_autofree GimpItem **children = gimp_item_get_children (items[i]);
      n += strip_all (children, rename);
    }
  }
  return n;
}

static int
strip_image (GimpImage *image, gboolean rename)
{
  g_autofree GimpLayer **layers = gimp_image_get_layers (image);
  g_autofree GimpChannel **channels = gimp_image_get_channels (image); /* word maps carry the recipe too */
  g_auto (GStrv) parasites = gimp_image_get_parasite_list (image);
  int n = strip_all ((GimpItem **) layers, rename) + strip_all ((GimpItem **) channels, rename);

  for (char **name = parasites; name && *name; name++)
    if (g_str_has_prefix (*name, OUR_PARASITES))
      n += gimp_image_detach_parasite (image, *name);
  return n;
}

static int
strip (GimpImage *image, GimpDrawable **drawables, GimpProcedureConfig *config, GError **error)
{
  g_autofree char *scope = NULL;
  gboolean rename = TRUE, whole;
  GimpLayer *layer = NULL;
  int n;

  g_object_get (config, "scope", &scope, "rename", &rename, NULL);
  whole = g_strcmp0 (scope, "image") == 0;
  if (!whole) {
    if (!pmt_recipe_check (image, drawables, error))
      return 0;
    layer = pmt_capture_active_layer (image, drawables);
  }
  if (whole ? !image_has_any (image) : !has_any (GIMP_ITEM (layer))) {
    if (whole)
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("Nothing in this image has a recipe: there is nothing to strip."));
    else
      pmt_recipe_refuse (layer, error);
    return 0; /* an empty undo step would be one too many */
  }
  gimp_image_undo_group_start (image);
  n = whole ? strip_image (image, rename) : strip_item (GIMP_ITEM (layer), rename);
  gimp_image_undo_group_end (image);
  gimp_displays_flush ();
  return n;
}

/* FALSE when the user changed their mind. */
static gboolean
asks (GimpProcedure *procedure, GimpProcedureConfig *config)
{
  GtkWidget *dialog;
  gboolean yes;

  gimp_ui_init ("pentimento");
  dialog = gimp_procedure_dialog_new (procedure, config, _("Strip Recipe"));
  gimp_procedure_dialog_set_ok_label (GIMP_PROCEDURE_DIALOG (dialog), _("Stri_p"));
  pmt_help_free_letter (GTK_DIALOG (dialog));
  gimp_procedure_dialog_fill (GIMP_PROCEDURE_DIALOG (dialog), "scope", "rename", NULL);
  yes = gimp_procedure_dialog_run (GIMP_PROCEDURE_DIALOG (dialog));
  gtk_widget_destroy (dialog);
  return yes;
}

static GimpValueArray *
run (GimpProcedure *procedure, GimpRunMode run_mode, GimpImage *image, GimpDrawable **drawables, GimpProcedureConfig *config, gpointer unused)
{
  GError *error = NULL;

  if (run_mode == GIMP_RUN_INTERACTIVE && !asks (procedure, config))
    return gimp_procedure_new_return_values (procedure, GIMP_PDB_CANCEL, NULL);
  strip (image, drawables, config, &error);
  return gimp_procedure_new_return_values (procedure, error ? GIMP_PDB_EXECUTION_ERROR : GIMP_PDB_SUCCESS, error);
}

GimpProcedure *
pmt_strip_procedure_new (GimpPlugIn *plug_in, const char *name)
{
  GimpProcedure *procedure = pmt_procedure_new_recipe (plug_in, name, _("S_trip…"), run);

  gimp_procedure_set_documentation (procedure, _("Takes out of an image what says how it was made"),
                                    _("Layers that Pentimento painted carry prompt, model, seed and selection, and the image itself the last settings "
                                      "of its dialogs. Before an image is given away this takes them out, in one undo step; the pixels stay. A "
                                      "recipe that was stripped cannot be run again."),
                                    name);
  gimp_procedure_add_choice_argument (procedure, "scope", _("_What"), _("What is stripped"),
                                      gimp_choice_new_with_values ("layer", 0, _("The active layer"), NULL, "image", 1,
                                                                   _("The whole image, with the dialogs' last settings"), NULL, NULL),
                                      "layer", G_PARAM_READWRITE);
  gimp_procedure_add_boolean_argument (procedure, "rename", _("Take the prompt out of the layer's _name"),
                                       _("A name that the user has given stays"), TRUE, G_PARAM_READWRITE);
  return procedure;
}
