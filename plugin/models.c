/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/models.h"

#include <glib/gi18n.h>
#include <libgimp/gimpui.h>

#include "plugin/engine-command.h"
#include "plugin/models-dialog.h"
#include "plugin/procedure.h"

typedef struct Found {
  GMainLoop *loop;
  GPtrArray *paths;
  GError *error;
} Found;

static void
on_line (gpointer user, JsonObject *line)
{
  Found *found = user;
  JsonNode *node = json_object_get_member (line, "model");
  JsonObject *model = node && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;

  if (model && json_object_get_boolean_member_with_default (model, "works", FALSE))
    g_ptr_array_add (found->paths, g_strdup (json_object_get_string_member_with_default (model, "path", "")));
}

static void
on_finished (gpointer user, const GError *error)
{
  Found *found = user;

  found->error = error ? g_error_copy (error) : NULL;
  g_main_loop_quit (found->loop);
}

/* Paths of all that works; NULL + error. */
static char **
find_models (GError **error)
{
  const PmtEngineCommandHandlers handlers = { on_line, on_finished };
  Found found = { g_main_loop_new (NULL, FALSE), g_ptr_array_new_with_free_func (g_free), NULL };
  PmtEngineCommand *command = pmt_engine_command_start ((const char *const[]) { "models", "--json", NULL }, &handlers, &found);

  g_main_loop_run (found.loop);
  g_main_loop_unref (found.loop);
  pmt_engine_command_free (command);
  if (found.error) {
    g_ptr_array_unref (found.paths);
    g_propagate_error (error, found.error);
    return NULL;
  }
  g_ptr_array_add (found.paths, NULL);
  return (char **) g_ptr_array_free (found.paths, FALSE);
}

static GimpValueArray *
run (GimpProcedure *procedure, GimpRunMode run_mode, GimpImage *image, GimpDrawable **drawables, GimpProcedureConfig *config, gpointer unused)
{
  g_auto (GStrv) paths = NULL;
  GimpValueArray *values;
  GError *error = NULL;

  if (run_mode == GIMP_RUN_INTERACTIVE) {
    gimp_ui_init ("pentimento");
    pmt_models_dialog_run ();
  }
  paths = find_models (&error);
  if (!paths)
    return gimp_procedure_new_return_values (procedure, GIMP_PDB_EXECUTION_ERROR, error);
  values = gimp_procedure_new_return_values (procedure, GIMP_PDB_SUCCESS, NULL);
  GIMP_VALUES_SET_STRV (values, 1, paths);
  return values;
}

GimpProcedure *
pmt_models_procedure_new (GimpPlugIn *plug_in, const char *name)
{
  GimpProcedure *procedure = pmt_procedure_new_with (plug_in, name, _("_Models…"), run);

  /* models have nothing to do with a picture */
  gimp_procedure_set_sensitivity_mask (procedure, GIMP_PROCEDURE_SENSITIVE_ALWAYS);
  gimp_procedure_set_documentation (procedure, _("Shows the models that there are, and where to get more"),
                                    _("Lists the files in Pentimento's own folder, in yours and in those of other programs: what each is, and whether it "
                                      "works. Models can be imported and downloaded here. Without a window it returns the paths of all that work."),
                                    name);
  gimp_procedure_add_string_array_return_value (procedure, "models", _("Models"), _("Paths of all models that work"), G_PARAM_READWRITE);
  return procedure;
}
