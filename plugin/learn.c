/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/learn.h"

#include <gegl.h>
#include <glib/gi18n.h>
#include <libgimp/gimpui.h>
#include <math.h>

#include "plugin/error.h"
#include "plugin/learn-dialog.h"
#include "plugin/learn-file.h"
#include "plugin/learn-job.h"
#include "plugin/learn-pictures.h"
#include "plugin/learn-recipe.h"
#include "plugin/learn-table.h"
#include "plugin/precision.h"
#include "plugin/procedure.h"

#define MOST_PIXELS 4096

/* ---- without a window ---- */

typedef struct Run {
  GMainLoop *loop;
  GError *error;
  PmtLearned learned;
} Run;

static void
on_progress (gpointer user, const PmtLearnStep *step)
{
  gimp_progress_set_text (step->text);
  gimp_progress_update (step->fraction);
}

static void
on_finished (gpointer user, const PmtLearned *learned, const GError *error)
{
  Run *run = user;

  run->error = error ? g_error_copy (error) : NULL;
  if (learned) {
    run->learned = *learned;
    run->learned.path = g_strdup (learned->path);
  }
  g_main_loop_quit (run->loop);
}

static gboolean
may_write (GObject *config, const char *path, GError **error)
{
  gboolean overwrite = FALSE;

  g_object_get (config, "overwrite", &overwrite, NULL);
  if (overwrite || !g_file_test (path, G_FILE_TEST_EXISTS))
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The file %s is there already: give another word or file name, or set “overwrite”."), path);
  return FALSE;
}

/* NULL + error. */
static JsonObject *
make_recipe (GObject *config, GPtrArray *pictures, GError **error)
{
  g_autofree char *path = pmt_learn_file_path (config, error);
  JsonObject *recipe;

  if (!path || !may_write (config, path, error))
    return NULL;
  recipe = pmt_learn_recipe_new (config, pictures, path, error);
  if (recipe && !pmt_learn_file_make_folder (path, error))
    g_clear_pointer (&recipe, json_object_unref);
  return recipe;
}

/* learned gets a path of its own. */
static gboolean
run_call (GObject *config, GimpDrawable **drawables, PmtLearned *learned, GError **error)
{
  const PmtLearnHandlers handlers = { on_progress, on_finished };
  g_autoptr (GPtrArray) pictures = pmt_learn_pictures_from_config (config, drawables, error);
  JsonObject *recipe = pictures ? make_recipe (config, pictures, error) : NULL;
  Run run = { 0 };
  PmtLearnJob *job;

  if (!recipe)
    return FALSE;
  gimp_progress_init (_("Starting the engine"));
  run.loop = g_main_loop_new (NULL, FALSE);
  job = pmt_learn_job_start (recipe, pictures, &handlers, &run);
  g_main_loop_run (run.loop);
  g_main_loop_unref (run.loop);
  pmt_learn_job_free (job);
  gimp_progress_end ();
  if (run.error)
    g_propagate_error (error, run.error);
  else
    *learned = run.learned;
  return !run.error;
}

/* ---- the procedure ---- */

static GimpValueArray *
run (GimpProcedure *procedure, GimpRunMode run_mode, GimpImage *image, GimpDrawable **drawables, GimpProcedureConfig *config, gpointer unused)
{
  GimpValueArray *values;
  PmtLearned learned = { 0 };
  GError *error = NULL;
  gboolean good;

  gegl_init (NULL, NULL);
  if (run_mode == GIMP_RUN_INTERACTIVE) {
    gimp_ui_init ("pentimento");
    good = pmt_learn_dialog_run (procedure, config, image, drawables, &learned);
  } else {
    good = run_call (G_OBJECT (config), drawables, &learned, &error);
  }
  if (!good)
    return gimp_procedure_new_return_values (
      procedure, !error || g_error_matches (error, PMT_ERROR, PMT_ERROR_CANCELLED) ? GIMP_PDB_CANCEL : GIMP_PDB_EXECUTION_ERROR, error);
  values = gimp_procedure_new_return_values (procedure, GIMP_PDB_SUCCESS, NULL);
  GIMP_VALUES_TAKE_STRING (values, 1, (char *) learned.path);
  GIMP_VALUES_SET_DOUBLE (values, 2, isfinite (learned.loss_before) ? learned.loss_before : -1);
  GIMP_VALUES_SET_DOUBLE (values, 3, isfinite (learned.loss_after) ? learned.loss_after : -1);
  return values;
}

static void
add_arguments (GimpProcedure *procedure)
{
  pmt_learn_table_add_arguments (procedure);
  pmt_procedure_add_model (procedure);
  gimp_procedure_add_int_argument (procedure, "width", _("_Width"), _("Pixels of what is learned; 0: the model's own size, or as the height says"), 0,
                                   MOST_PIXELS, 0, G_PARAM_READWRITE);
  gimp_procedure_add_int_argument (procedure, "height", _("_Height"), _("Pixels of what is learned; 0: the model's own size, or as the width says"), 0,
                                   MOST_PIXELS, 0, G_PARAM_READWRITE);
  gimp_procedure_add_string_argument (procedure, "prior-prompt", _("Pictures of the kind show"),
                                      _("What the pictures of the kind are painted of; empty: a picture of the kind of thing"), "", G_PARAM_READWRITE);
  pmt_precision_add_argument (procedure);
  pmt_learn_pictures_add_arguments (procedure);
  gimp_procedure_add_string_argument (procedure, "out", _("Sa_ve as"),
                                      _("Path of the file to write; empty: in Pentimento's own folder of words or LoRAs, named after the word"), "",
                                      G_PARAM_READWRITE);
  gimp_procedure_add_boolean_argument (procedure, "overwrite", _("Overwrite"), _("A file that is there already is replaced; otherwise nothing is learned"), FALSE,
                                       G_PARAM_READWRITE);
}

GimpProcedure *
pmt_learn_procedure_new (GimpPlugIn *plug_in, const char *name)
{
  GimpProcedure *procedure = pmt_procedure_new_with (plug_in, name, _("_Learn a Concept…"), run);

  gimp_procedure_set_documentation (procedure, _("Learns a thing or style from a few pictures, for prompts"),
                                    _("From layers and files that show one thing, or one style, a word for prompts or a LoRA is learned on this computer. "
                                      "It is a small file in Pentimento's own folder, which every dialog finds. No image changes. Learning that is stopped "
                                      "keeps what it has found, and goes on there when it is started again with the same pictures and settings."),
                                    name);
  add_arguments (procedure);
  gimp_procedure_add_string_return_value (procedure, "file", _("File"), _("Path of the file that was written"), "", G_PARAM_READWRITE);
  gimp_procedure_add_double_return_value (procedure, "loss-before", _("Loss before"), _("How far off the model was, on the same noise; -1: not known"), -1,
                                          G_MAXDOUBLE, -1, G_PARAM_READWRITE);
  gimp_procedure_add_double_return_value (procedure, "loss-after", _("Loss after"), _("How far off it is with what was learned; -1: not known"), -1, G_MAXDOUBLE,
                                          -1, G_PARAM_READWRITE);
  return procedure;
}
