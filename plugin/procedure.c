/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/procedure.h"

#include <gegl.h>
#include <glib/gi18n.h>
#include <libgimp/gimpui.h>

#include "plugin/deliver.h"
#include "plugin/embeddings.h"
#include "plugin/error.h"
#include "plugin/full-size.h"
#include "plugin/history.h"
#include "plugin/precision.h"
#include "plugin/job.h"
#include "plugin/last-items.h"
#include "plugin/last-settings.h"
#include "plugin/preflight.h"
#include "plugin/preset.h"

typedef struct Run {
  GMainLoop *loop;
  GError *error;
  GimpImage *image;
  gboolean keep;
} Run;

static void
on_progress (gpointer user, double fraction, const char *text)
{
  gimp_progress_set_text (text);
  gimp_progress_update (fraction);
}

static void
on_finished (gpointer user, const GError *error)
{
  Run *run = user;

  run->error = error ? g_error_copy (error) : NULL;
  g_main_loop_quit (run->loop);
}

static void
on_result (gpointer user, PmtResult *result, int of)
{
  const Run *run = user;

  if (run->keep)
    pmt_history_add (run->image, result);
}

/* The engine's remarks (a prompt that was cut) reach the user as GIMP's messages. */
static void
tell_notes (PmtJob *job)
{
  GPtrArray *notes = pmt_job_notes (job);

  for (guint i = 0; i < notes->len; i++)
    gimp_message (g_ptr_array_index (notes, i));
}

/* Takes the problem; says where the pictures are that it came too late for. */
static void
set_error (GError **error, GError *problem, const Run *run, GPtrArray *results)
{
  g_autofree char *sentence = run->keep ? pmt_history_explain (run->image, results, problem) : g_strdup (problem->message);

  g_set_error_literal (error, problem->domain, problem->code, sentence);
  g_error_free (problem);
}

PmtDelivered *
pmt_procedure_run_job (GimpImage *image, const PmtWindowless *how, GError **error)
{
  const PmtJobHandlers handlers = { on_progress, on_finished, .result = on_result };
  Run run = { .image = image, .keep = how->keep };
  PmtDelivered *delivered = NULL;
  PmtJob *job;

  if (!pmt_deliver_check (image, how->convert, error))
    return NULL;
  job = how->start (how->what, &handlers, &run, error);
  if (!job)
    return NULL;
  gimp_progress_init (_("Starting the engine"));
  run.loop = g_main_loop_new (NULL, FALSE);
  g_main_loop_run (run.loop);
  g_main_loop_unref (run.loop);
  if (!run.error)
    delivered = pmt_deliver (image, pmt_job_layer (job), pmt_job_results (job), how->convert, &run.error);
  if (delivered) {
    pmt_history_applied (pmt_job_results (job));
    tell_notes (job);
    if (how->by_hand)
      pmt_delivered_tell (delivered);
  } else {
    set_error (error, run.error, &run, pmt_job_results (job));
  }
  gimp_progress_end ();
  pmt_job_free (job);
  return delivered;
}

GimpValueArray *
pmt_procedure_return (GimpProcedure *procedure, PmtDelivered *delivered, GError *error)
{
  GimpValueArray *values;

  if (!delivered && (!error || g_error_matches (error, PMT_ERROR, PMT_ERROR_CANCELLED)))
    return gimp_procedure_new_return_values (procedure, GIMP_PDB_CANCEL, error);
  if (!delivered)
    return gimp_procedure_new_return_values (procedure, GIMP_PDB_EXECUTION_ERROR, error);
  values = gimp_procedure_new_return_values (procedure, GIMP_PDB_SUCCESS, NULL);
  GIMP_VALUES_SET_CORE_OBJECT_ARRAY (values, 1, delivered->layers);
  GIMP_VALUES_SET_CORE_OBJECT_ARRAY (values, 2, delivered->channels);
  pmt_delivered_free (delivered);
  return values;
}

typedef struct Call {
  const PmtPaintForm *form;
  GimpImage *image;
  GimpDrawable **drawables;
  GimpProcedureConfig *config;
} Call;

static PmtJob *
start_call (gpointer what, const PmtJobHandlers *handlers, gpointer user, GError **error)
{
  const Call *call = what;

  return pmt_paint_form_start (call->form, call->image, call->drawables, call->config, handlers, user, error);
}

/* Without a window. */
static PmtDelivered *
run_call (const PmtPaintForm *form, GimpProcedureConfig *config, gboolean by_hand, GimpImage *image, GimpDrawable **drawables, GError **error)
{
  Call call = { form, image, drawables, config };
  const PmtWindowless how = { start_call, &call, pmt_paint_form_converts (form, config), by_hand,
                              by_hand && !pmt_last_settings_forgets (config) };

  return pmt_procedure_run_job (image, &how, error);
}

/* Last values of which the words were forgotten, or which GIMP did not keep (missing: a sentence), are no last values: they are asked for. */
static gboolean
asks (GimpProcedureConfig *config, GimpRunMode run_mode, const char *missing)
{
  return run_mode == GIMP_RUN_INTERACTIVE || (run_mode == GIMP_RUN_WITH_LAST_VALS && (missing || pmt_last_settings_forgets (config)));
}

static GimpValueArray *
run (GimpProcedure *procedure, GimpRunMode run_mode, GimpImage *image, GimpDrawable **drawables, GimpProcedureConfig *config,
     gpointer form)
{
  const gboolean by_hand = run_mode != GIMP_RUN_NONINTERACTIVE;
  g_autofree char *missing = run_mode == GIMP_RUN_WITH_LAST_VALS ? pmt_last_items_missing (config) : NULL;
  PmtDelivered *delivered = NULL;
  GError *error = NULL;

  gegl_init (NULL, NULL);
  if (asks (config, run_mode, missing)) {
    gimp_ui_init ("pentimento");
    delivered = pmt_paint_dialog_run (form, procedure, config, image, drawables, missing, &error);
  } else if (by_hand || pmt_preset_settle (config, &error)) {
    /* with last values, and from scripts */
    delivered = run_call (form, config, by_hand, image, drawables, &error);
  }
  return pmt_procedure_return (procedure, delivered, error);
}

void
pmt_procedure_add_model (GimpProcedure *procedure)
{
  gimp_procedure_add_string_argument (procedure, "model", _("_Model"),
                                      _("A safetensors file or a folder in diffusers layout; empty: the model that comes with Pentimento"), "",
                                      G_PARAM_READWRITE);
}

void
pmt_procedure_add_steps (GimpProcedure *procedure)
{
  gimp_procedure_add_int_argument (procedure, "steps", _("St_eps"), _("Steps of the sampler; 0: the model's default"), 0, 1000, 0,
                                   G_PARAM_READWRITE);
}

void
pmt_procedure_add_sampling (GimpProcedure *procedure)
{
  gimp_procedure_add_string_argument (procedure, "sampler", _("Samp_ler"), _("Name of the sampler; empty: the model's default"), "",
                                      G_PARAM_READWRITE);
  gimp_procedure_add_int_argument (procedure, "seed", _("See_d"), _("The same seed gives the same picture; -1: another one each time"), -1,
                                   G_MAXINT, -1, G_PARAM_READWRITE);
  /* no argument: what the dialog remembers */
  gimp_procedure_add_int_aux_argument (procedure, "last-seed", _("Last seed"), _("The seed that the last run took; -1: none yet"), -1, G_MAXINT, -1,
                                       G_PARAM_READWRITE);
  gimp_procedure_add_int_argument (procedure, "variants", _("_Variants"), _("How many pictures to paint, each with a seed of its own"), 1, 64, 1,
                                   G_PARAM_READWRITE);
  pmt_full_size_add_arguments (procedure);
  pmt_precision_add_argument (procedure);
}

void
pmt_procedure_add_layers (GimpProcedure *procedure)
{
  gimp_procedure_add_core_object_array_return_value (procedure, "layers", _("Layers"), _("The new layers, one per variant"), GIMP_TYPE_LAYER,
                                                     G_PARAM_READWRITE);
}

void
pmt_procedure_add_delivered (GimpProcedure *procedure)
{
  pmt_procedure_add_layers (procedure);
  gimp_procedure_add_core_object_array_return_value (procedure, "channels", _("Channels"), _("New channels with what methods have found"),
                                                     GIMP_TYPE_CHANNEL, G_PARAM_READWRITE);
}

void
pmt_procedure_add_when_done (GimpProcedure *procedure)
{
  gimp_procedure_add_choice_aux_argument (
      procedure, "when-done", _("When _done"), _("Whether results go into the picture at once, or after a look at them"),
      gimp_choice_new_with_values ("auto", 0, _("Add one, choose among several"), NULL, "choose", 1, _("Choose first"), NULL, "apply", 2,
                                   _("Add all at once"), NULL, NULL),
      "auto", G_PARAM_READWRITE);
  pmt_last_settings_add_argument (procedure);
}

void
pmt_procedure_add_result (GimpProcedure *procedure)
{
  gimp_procedure_add_string_argument (procedure, "methods", _("Met_hods"), _("Methods, as ID:key=value,key=value; ID:key=value"), "",
                                      G_PARAM_READWRITE);
  gimp_procedure_add_boolean_argument (procedure, "convert-indexed", _("Convert the picture to RG_B"),
                                       _("A picture with a colour table is converted first; otherwise it is refused"), FALSE, G_PARAM_READWRITE);
  pmt_embeddings_add_argument (procedure);
  pmt_preflight_add_arguments (procedure);
  pmt_preset_add_argument (procedure);
  pmt_last_items_add_argument (procedure);
  pmt_procedure_add_when_done (procedure);
  pmt_procedure_add_delivered (procedure);
}

static void
place (GimpProcedure *procedure, const char *menu_label, gboolean recipe)
{
  gimp_procedure_set_image_types (procedure, "*");
  gimp_procedure_set_sensitivity_mask (procedure, GIMP_PROCEDURE_SENSITIVE_DRAWABLE | GIMP_PROCEDURE_SENSITIVE_DRAWABLES |
                                                      GIMP_PROCEDURE_SENSITIVE_NO_DRAWABLES);
  gimp_procedure_set_menu_label (procedure, menu_label); /* GIMP wants it before the path */
  gimp_procedure_add_menu_path (procedure, recipe ? _("<Image>/Filters/Pentimento/R_ecipe") : "<Image>/Filters/Pentimento");
  gimp_procedure_set_attribution (procedure, "Pentimento", "Pentimento", "2026");
}

static GimpProcedure *
new_with (GimpPlugIn *plug_in, const char *name, const char *menu_label, gboolean recipe, GimpRunImageFunc run_it, gpointer data)
{
  GimpProcedure *procedure = gimp_image_procedure_new (plug_in, name, GIMP_PDB_PROC_TYPE_PLUGIN, run_it, data, NULL);

  place (procedure, menu_label, recipe);
  return procedure;
}

GimpProcedure *
pmt_procedure_new_with (GimpPlugIn *plug_in, const char *name, const char *menu_label, GimpRunImageFunc run_it)
{
  return new_with (plug_in, name, menu_label, FALSE, run_it, NULL);
}

GimpProcedure *
pmt_procedure_new_recipe (GimpPlugIn *plug_in, const char *name, const char *menu_label, GimpRunImageFunc run_it)
{
  return new_with (plug_in, name, menu_label, TRUE, run_it, NULL);
}

GimpProcedure *
pmt_procedure_new (GimpPlugIn *plug_in, const char *name, const char *menu_label, const PmtPaintForm *form)
{
  GimpProcedure *procedure = new_with (plug_in, name, menu_label, form->recipe, run, (gpointer) form);

  g_object_set_data (G_OBJECT (procedure), "pmt-form", (gpointer) form);
  return procedure;
}

PmtDelivered *
pmt_procedure_run_dialog (GimpProcedure *procedure, GimpProcedureConfig *config, GimpImage *image, GimpDrawable **drawables, const char *said,
                          GError **error)
{
  return pmt_paint_dialog_run (g_object_get_data (G_OBJECT (procedure), "pmt-form"), procedure, config, image, drawables, said, error);
}

PmtDelivered *
pmt_procedure_run_settings (GimpProcedure *procedure, GimpProcedureConfig *config, GimpImage *image, GimpDrawable **drawables, GError **error)
{
  return run_call (g_object_get_data (G_OBJECT (procedure), "pmt-form"), config, FALSE, image, drawables, error);
}
