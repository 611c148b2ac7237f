/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/paint-dialog.h"

#include <glib/gi18n.h>
#include <libgimp/gimpui.h>

#include "plugin/asked.h"
#include "plugin/capture.h"
#include "plugin/close-guard.h"
#include "plugin/default-model.h"
#include "plugin/deliver.h"
#include "plugin/diagnostics.h"
#include "plugin/during.h"
#include "plugin/engine-list.h"
#include "plugin/error.h"
#include "plugin/full-size.h"
#include "plugin/help.h"
#include "plugin/history.h"
#include "plugin/job.h"
#include "plugin/last-items.h"
#include "plugin/last-settings.h"
#include "plugin/look.h"
#include "plugin/method-fields.h"
#include "plugin/model-search.h"
#include "plugin/precision.h"
#include "plugin/preflight.h"
#include "plugin/preset.h"
#include "plugin/prompt-help.h"
#include "plugin/recipe-layer.h"
#include "plugin/recipe.h"
#include "plugin/region-fields.h"
#include "plugin/results-pane.h"
#include "plugin/thrown-away.h"
#include "ui/diagnostics-row.h"
#include "ui/fields.h"
#include "ui/form.h"
#include "ui/job-bar.h"
#include "ui/seed-row.h"

/* Pixels that title, job bar and buttons take at most. */
#define BELOW_SETTINGS 260
#define SETTINGS_WIDTH 436

struct PmtPaintDialog {
  const PmtPaintForm *form;
  GtkDialog *dialog;
  GtkWidget *settings; /* what must not change while a job runs */
  GtkWidget *bar;
  PmtDuring *during;
  PmtPreflight *preflight;
  GtkWidget *pane; /* results */
  PmtThrownAway *thrown;
  PmtEngineList *samplers, *preprocessors;
  PmtModelSearch *models;
  PmtPromptHelp *help;
  PmtLastSettings *last;
  char *model; /* that it opened with, or last started with; NULL: it has none */
  GimpProcedureConfig *config;
  GimpImage *image;
  GimpDrawable **drawables;
  PmtJob *job;        /* running */
  GimpLayer *above;   /* results go above it; NULL: on top */
  PmtDelivered *delivered;
  gboolean warned;    /* that prompts cannot be kept */
};

static void
set_running (PmtPaintDialog *self, gboolean running)
{
  gtk_widget_set_sensitive (self->settings, !running);
  gtk_dialog_set_response_sensitive (self->dialog, GTK_RESPONSE_OK, !running);
  pmt_results_pane_set_running (self->pane, running);
  pmt_preflight_pause (self->preflight, running);
  if (running)
    pmt_during_begin (self->during);
  else
    pmt_during_end (self->during);
}

static void
on_progress (gpointer user, double fraction, const char *text)
{
  PmtPaintDialog *self = user;

  pmt_during_progress (self->during, fraction, text);
}

static void
on_preview (gpointer user, const PmtJobPreview *preview)
{
  PmtPaintDialog *self = user;
  PmtJobPreview shown = *preview;
  g_autoptr (GBytes) grey = preview->rgb && pmt_look_is_grey (self->image) ? pmt_look_without_colours (preview->rgb) : NULL;

  if (grey)
    shown.rgb = grey;
  pmt_during_preview (self->during, &shown);
}

static void
on_keep (gpointer user)
{
  PmtPaintDialog *self = user;

  if (self->job)
    pmt_job_keep (self->job);
}

/* FALSE for arguments that the procedure does not have. */
static gboolean
is_set (GimpProcedureConfig *config, const char *argument)
{
  gboolean set = FALSE;

  if (pmt_field_exists (config, argument))
    g_object_get (config, argument, &set, NULL);
  return set;
}

gboolean
pmt_paint_form_converts (const PmtPaintForm *form, GimpProcedureConfig *config)
{
  return form->channels || is_set (config, "mask-only") || is_set (config, "convert-indexed");
}

PmtJob *
pmt_paint_form_start (const PmtPaintForm *form, GimpImage *image, GimpDrawable **drawables, GimpProcedureConfig *config, const PmtJobHandlers *handlers,
                      gpointer user, GError **error)
{
  PmtJob *job = (form->start ? form->start : pmt_job_start) (image, drawables, config, handlers, user, error);

  if (job && pmt_last_settings_forgets (config))
    pmt_job_forget (job);
  return job;
}

/* For the lock: the seed of the picture that was taken, else the first one's, which is the recipe's. */
static void
keep_seed (PmtPaintDialog *self, GPtrArray *results)
{
  if (results->len > 0 && pmt_field_exists (self->config, "last-seed"))
    g_object_set (self->config, "last-seed", (int) ((const PmtResult *) g_ptr_array_index (results, 0))->seed, NULL);
}

/* ---- results ---- */

static gboolean
has_only_maps (GPtrArray *results)
{
  return results->len > 0 && ((const PmtResult *) g_ptr_array_index (results, 0))->only_maps;
}

/* To choose from; the first of them is shown. Maps are no pictures. */
static void
show_results (PmtPaintDialog *self, GPtrArray *results)
{
  if (results->len == 0 || has_only_maps (results))
    return;
  pmt_results_pane_add (self->pane, results);
  pmt_results_pane_show (self->pane, g_ptr_array_index (results, 0));
}

/* Into the picture; then the dialog is done. What GIMP does not take stays to choose from. */
static void
deliver (gpointer user, GPtrArray *results)
{
  PmtPaintDialog *self = user;
  g_autoptr (GError) error = NULL;
  g_autofree char *sentence = NULL;

  self->delivered = pmt_deliver (self->image, self->above, results, pmt_paint_form_converts (self->form, self->config), &error);
  if (self->delivered) {
    pmt_history_applied (results);
    keep_seed (self, results);
    pmt_delivered_tell (self->delivered);
    gtk_dialog_response (self->dialog, GTK_RESPONSE_OK);
    return;
  }
  show_results (self, results);
  sentence = pmt_history_explain (self->image, results, error);
  pmt_job_bar_say (self->bar, sentence, TRUE);
}

/* Of a job with so many pictures. Maps are no pictures to choose from. One result has no rival, so it goes into the picture unless the user wants to look first; of several the user chooses. */
static gboolean
delivers_at_once (PmtPaintDialog *self, gboolean only_maps, int n)
{
  g_autofree char *when_done = NULL;

  if (only_maps)
    return TRUE;
  g_object_get (self->config, "when-done", &when_done, NULL);
  if (gtk_widget_get_visible (self->pane) || g_strcmp0 (when_done, "choose") == 0)
    return FALSE;
  return n == 1 || g_strcmp0 (when_done, "apply") == 0;
}

/* Each as it comes: what is done is not lost, whatever happens to the job. */
static void
on_result (gpointer user, PmtResult *result, int of)
{
  PmtPaintDialog *self = user;
  g_autoptr (GPtrArray) one = pmt_results_new ();

  g_ptr_array_add (one, pmt_result_ref (result));
  if (!pmt_last_settings_forgets (self->config)) /* the history would keep them in files */
    pmt_history_add (self->image, result);
  if (!delivers_at_once (self, result->only_maps, of))
    pmt_results_pane_add (self->pane, one);
}

/* The job is over, one way or the other: what it has painted. */
static GPtrArray *
end_job (PmtPaintDialog *self)
{
  GPtrArray *results = g_ptr_array_ref (pmt_job_results (self->job));

  g_set_object (&self->above, pmt_job_layer (self->job));
  keep_seed (self, results);
  g_clear_pointer (&self->job, pmt_job_free);
  set_running (self, FALSE);
  return results;
}

static void
say_failure (PmtPaintDialog *self, const GError *error, GPtrArray *results)
{
  g_autofree char *sentence = NULL;

  /* the line above says that already */
  if (g_error_matches (error, PMT_ERROR, PMT_ERROR_MEMORY) && pmt_preflight_refuses (self->preflight))
    sentence = g_strdup ("");
  else if (results->len > 0 && !has_only_maps (results))
    sentence = g_strdup_printf (ngettext ("%s %u picture was done before that.", "%s %u pictures were done before that.", results->len),
                                error->message, results->len);
  else
    sentence = g_strdup (error->message);
  pmt_job_bar_say (self->bar, sentence, sentence[0] != '\0');
}

static void
on_finished (gpointer user, const GError *failure)
{
  PmtPaintDialog *self = user;
  g_autoptr (GError) error = failure ? g_error_copy (failure) : NULL;
  g_autoptr (GPtrArray) notes = g_ptr_array_ref (pmt_job_notes (self->job));
  g_autoptr (GPtrArray) results = end_job (self);

  if (error) {
    show_results (self, results);
    say_failure (self, error, results);
    return;
  }
  for (guint i = 0; i < notes->len; i++)
    gimp_message (g_ptr_array_index (notes, i));
  if (delivers_at_once (self, has_only_maps (results), (int) results->len)) {
    deliver (self, results);
    return;
  }
  show_results (self, results);
  pmt_job_bar_say (self->bar, _("Space ticks a result, Return adds what is ticked or shown to the picture."), FALSE);
}

/* The settings as they stand, whether the engine got them or not; a form that starts from a layer's recipe: that one. */
static char *
make_report (gpointer user, gboolean everything)
{
  PmtPaintDialog *self = user;
  GimpLayer *layer = self->form->recipe ? pmt_recipe_layer (self->image, self->drawables, NULL) : NULL;
  g_autoptr (JsonObject) recipe = NULL;

  if (self->form->describe)
    recipe = self->form->describe (self->config);
  else if (!self->form->start)
    recipe = pmt_recipe_from_config (self->config, NULL);
  else if (layer)
    recipe = pmt_recipe_of (GIMP_ITEM (layer));

  return pmt_diagnostics_new (pmt_job_bar_sentence (self->bar), recipe, everything);
}

static const PmtJobHandlers job_handlers = { on_progress, on_finished, on_preview, on_result };

/* job NULL: error says why. */
static void
job_started (PmtPaintDialog *self, PmtJob *job, const GError *error)
{
  self->job = job;
  if (!job) {
    pmt_job_bar_say (self->bar, error->message, TRUE);
    return;
  }
  pmt_thrown_away_forget (self->thrown);
  set_running (self, TRUE);
}

/* Who has chosen another one means the other dialogs too. */
static void
share_model (PmtPaintDialog *self)
{
  g_autofree char *model = NULL;

  if (!self->model)
    return;
  g_object_get (self->config, "model", &model, NULL);
  if (model && g_strcmp0 (model, self->model) != 0)
    pmt_default_model_share (gimp_procedure_get_name (gimp_procedure_config_get_procedure (self->config)), model);
  g_free (self->model);
  self->model = g_steal_pointer (&model);
}

/* Before any work: a crash or Cancel must not cost the prompt. Where that cannot be, the picture is worth more than the prompt, and one sentence is
 * enough. */
static void
keep_settings (PmtPaintDialog *self)
{
  g_autoptr (GError) error = NULL;

  if (pmt_last_settings_save (self->config, &error) || self->warned)
    return;
  self->warned = TRUE;
  gimp_message (error->message);
}

static void
start_job (PmtPaintDialog *self)
{
  g_autoptr (GError) error = NULL;
  PmtJob *job = NULL;

  if (self->help)
    pmt_prompt_help_settle (self->help);
  pmt_last_items_note (self->config);
  keep_settings (self);
  if (pmt_deliver_check (self->image, pmt_paint_form_converts (self->form, self->config), &error))
    job = pmt_paint_form_start (self->form, self->image, self->drawables, self->config, &job_handlers, self, &error);
  if (job && pmt_preflight_shrinks (self->preflight))
    pmt_job_shrink (job);
  if (job)
    share_model (self);
  job_started (self, job, error);
}

/* The last result's recipe of the same place, with the seeds that follow, whatever is in the fields by now. */
static void
on_more (gpointer user, PmtResult *last)
{
  PmtPaintDialog *self = user;
  PmtAgain how = { last->seed + 1, 1, FALSE, NULL };
  g_autoptr (GError) error = NULL;
  PmtJob *job;

  if (pmt_field_exists (self->config, "variants"))
    g_object_get (self->config, "variants", &how.variants, NULL);
  job = pmt_job_start_recipe (self->image, self->above, pmt_recipe_copy (last->recipe), pmt_inputs_copy (last->inputs), &how, &job_handlers, self,
                              &error);
  if (job)
    pmt_job_show_as (job, self->config);
  job_started (self, job, error);
}

static void
on_discard (gpointer user, GPtrArray *all)
{
  PmtPaintDialog *self = user;
  GtkRequisition natural;

  pmt_thrown_away_take (self->thrown, all);
  pmt_job_bar_say (self->bar, _("The results are gone. The picture is as it was."), FALSE);
  gtk_widget_get_preferred_size (GTK_WIDGET (self->dialog), NULL, &natural);
  gtk_window_resize (GTK_WINDOW (self->dialog), natural.width, natural.height);
}

static void
on_bring_back (gpointer user, GPtrArray *results)
{
  PmtPaintDialog *self = user;

  show_results (self, results);
  pmt_job_bar_say (self->bar, "", FALSE);
}

static void
stop_job (PmtPaintDialog *self)
{
  const int of = pmt_job_variants (self->job);
  g_autoptr (GPtrArray) results = end_job (self);
  g_autofree char *sentence = NULL;

  show_results (self, results);
  if (results->len == 0 || has_only_maps (results))
    sentence = g_strdup (_("Stopped. The picture is as it was."));
  else
    sentence = g_strdup_printf (ngettext ("Stopped after %u of %d picture: Return adds it to the picture.",
                                          "Stopped after %u of %d pictures: Space ticks a result, Return adds what is ticked or shown.", (gulong) of),
                                results->len, of);
  pmt_job_bar_say (self->bar, sentence, FALSE);
}

static void
on_response (GtkDialog *dialog, int response, PmtPaintDialog *self)
{
  if (response != GTK_RESPONSE_OK || self->delivered)
    return;
  g_signal_stop_emission_by_name (dialog, "response");
  if (!self->job)
    start_job (self);
}

/* Cancel and the like stop a running job first, and then the dialog stays. Nothing that can only be had here goes without a word. */
static gboolean
may_close (gpointer user)
{
  PmtPaintDialog *self = user;
  guint n;
  g_autofree char *question = NULL;

  if (self->job) {
    stop_job (self);
    return FALSE;
  }
  n = pmt_history_lacks (pmt_results_pane_results (self->pane));
  if (n == 0)
    return TRUE;
  question = g_strdup_printf (ngettext ("Throw away %u picture?", "Throw away %u pictures?", n), n);
  return pmt_close_guard_ask (GTK_WINDOW (self->dialog), question, _("What is not applied is gone with the dialog: the history does not have it."),
                              _("_Go Back"), _("_Throw Away"));
}

GObject *
pmt_paint_dialog_config (PmtPaintDialog *self)
{
  return G_OBJECT (self->config);
}

GimpImage *
pmt_paint_dialog_image (PmtPaintDialog *self)
{
  return self->image;
}

GimpDrawable **
pmt_paint_dialog_drawables (PmtPaintDialog *self)
{
  return self->drawables;
}

void
pmt_paint_dialog_list_preprocessors (PmtPaintDialog *self, GtkWidget *const *choices, int n)
{
  self->preprocessors = pmt_engine_list_fill ("preprocessors", choices, n);
}

void
pmt_paint_dialog_add_steps (PmtPaintDialog *self, GtkWidget *form)
{
  pmt_form_add (form, _("Steps"), pmt_number_new (G_OBJECT (self->config), "steps", 0, 1000, 1, 0, _("model's default")),
                _("More steps take longer and get finer"));
}

void
pmt_paint_dialog_add_sampling (PmtPaintDialog *self, GtkWidget *form)
{
  GObject *config = G_OBJECT (self->config);
  GtkWidget *sampler = pmt_choice_new (config, "sampler");

  pmt_choice_add (sampler, "", _("Model's default"));
  self->samplers = pmt_engine_list_fill ("samplers", &sampler, 1);
  pmt_form_add (form, _("Sampler"), sampler, _("How the picture is drawn out of noise"));
  pmt_form_add (form, _("Preview"), pmt_preflight_preview_choice (config), _("What is shown of a picture in the making"));
  pmt_full_size_add_row (config, form);
  pmt_precision_add_row (config, form);
}

void
pmt_paint_dialog_add_seed (PmtPaintDialog *self, GtkWidget *form)
{
  GObject *config = G_OBJECT (self->config);

  pmt_form_add (form, _("See_d"), pmt_seed_row_new (config, "seed", "last-seed"), _("The same seed gives the same picture again"));
  pmt_form_add (form, _("_Variants"), pmt_number_new (config, "variants", 1, 64, 1, 0, NULL), _("How many pictures to paint"));
  pmt_paint_dialog_add_when_done (self, form);
}

void
pmt_paint_dialog_add_when_done (PmtPaintDialog *self, GtkWidget *form)
{
  GObject *config = G_OBJECT (self->config);
  GtkWidget *choice = pmt_choice_new (config, "when-done");

  pmt_choice_add (choice, "auto", _("Add one, choose among several"));
  pmt_choice_add (choice, "choose", _("Choose first"));
  pmt_choice_add (choice, "apply", _("Add all at once"));
  pmt_form_add (form, _("When done"), choice,
                _("Whether results go into the picture at once, or after a look at them"));
  if (self->form->start) /* others have it among what is advanced */
    pmt_paint_dialog_add_forget (self, form);
}

void
pmt_paint_dialog_add_forget (PmtPaintDialog *self, GtkWidget *form)
{
  GtkWidget *keep = pmt_check_new (G_OBJECT (self->config), "forget-prompts", _("Do not keep prompts"),
                                   _("What is written here is forgotten with the dialog; it stays in the recipes of the layers"));

  gtk_grid_attach_next_to (GTK_GRID (form), keep, NULL, GTK_POS_BOTTOM, 2, 1);
}

/* What is folded away at first shows when it says something. */
static gboolean
is_advanced (GObject *config)
{
  static const char *const names[] = { "steps", "guidance", "sampler", "width", "height", "full-size", "precision" };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    if (pmt_field_exists (config, names[i]) && !pmt_field_is_default (config, names[i]))
      return TRUE;
  return FALSE;
}

GtkWidget *
pmt_paint_dialog_box (PmtPaintDialog *self, GtkWidget *prompt, GtkWidget *form, GtkWidget *advanced)
{
  GObject *config = G_OBJECT (self->config);
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 10);
  GtkWidget *negative_prompt = pmt_prompt_new (config, "negative-prompt", _("What the picture should not show"), 2);
  g_autofree char *negative = NULL;
  GtkWidget *methods;
  gboolean methods_open = FALSE;

  g_object_get (config, "negative-prompt", &negative, NULL);
  gtk_box_pack_start (GTK_BOX (box), prompt, TRUE, TRUE, 0);
  gtk_box_pack_start (GTK_BOX (box),
                      pmt_fold_new (_("_Negative prompt"), negative_prompt, negative && negative[0]), FALSE, FALSE, 0);
  pmt_prompt_help_add (self->help, prompt, "prompt");
  gtk_grid_insert_row (GTK_GRID (form), 0); /* which pmt_form_add takes */
  pmt_form_add (form, _("Preset"), pmt_preset_field_new (config), _("A style that is written around the prompt, and settings"));
  pmt_prompt_help_add (self->help, negative_prompt, "negative-prompt");
  gtk_box_pack_start (GTK_BOX (box), form, FALSE, FALSE, 0);
  if (gimp_image_get_base_type (self->image) == GIMP_INDEXED)
    gtk_box_pack_start (GTK_BOX (box),
                        pmt_check_new (config, "convert-indexed", _("Convert the picture to RG_B"),
                                       _("Its colour table cannot hold new colours; one undo brings it back")),
                        FALSE, FALSE, 0);
  pmt_paint_dialog_add_forget (self, advanced);
  methods = pmt_method_fields_new (config, &methods_open);
  gtk_box_pack_start (GTK_BOX (box), pmt_fold_new (_("Methods"), methods, methods_open), FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box), pmt_fold_new (_("_Advanced"), advanced, is_advanced (config)), FALSE, FALSE, 0);
  gtk_widget_show (box);
  return box;
}

/* What the layer was painted of is not to be kept, and is in the fields now. */
static gboolean
layer_forgets (GimpImage *image, GimpDrawable **drawables)
{
  GimpLayer *layer = pmt_recipe_layer (image, drawables, NULL);
  PmtInputs *inputs = layer ? pmt_inputs_read (layer, NULL) : NULL;
  const gboolean forgets = inputs && pmt_asked_forgets (inputs->asked);

  pmt_inputs_free (inputs);
  return forgets;
}

PmtDelivered *
pmt_paint_dialog_run (const PmtPaintForm *form, GimpProcedure *procedure, GimpProcedureConfig *config, GimpImage *image, GimpDrawable **drawables,
                      const char *said, GError **error)
{
  const PmtResultsHandlers results = { deliver, on_more, on_discard };
  PmtPaintDialog self = { .form = form, .config = config, .image = image, .drawables = drawables };
  GtkWidget *dialog, *content, *row, *prompt = NULL;

  if (!said)
    pmt_last_settings_load (config);
  pmt_region_settle (G_OBJECT (config));
  if (form->prepare && !form->prepare (image, drawables, config, error))
    return NULL;
  if (form->recipe && layer_forgets (image, drawables))
    pmt_last_settings_forget_once (config);
  pmt_field_fill_texts (G_OBJECT (config));
  if (pmt_field_exists (config, "shrink-to-fit"))
    g_object_set (config, "shrink-to-fit", FALSE, NULL); /* for scripts: here a button says it, each time (preflight.h) */
  if (pmt_field_exists (config, "model"))
    g_object_get (config, "model", &self.model, NULL);
  self.last = pmt_last_settings_watch (config);
  dialog = gimp_procedure_dialog_new (procedure, config, _(form->title));
  gimp_procedure_dialog_set_ok_label (GIMP_PROCEDURE_DIALOG (dialog), _("_Generate"));
  self.dialog = GTK_DIALOG (dialog);
  pmt_help_free_letter (self.dialog);
  if (pmt_field_exists (config, "embeddings"))
    self.help = pmt_prompt_help_new (G_OBJECT (config));
  self.settings = form->settings (&self, &prompt);
  self.bar = pmt_job_bar_new ();
  if (said && said[0])
    pmt_job_bar_say (self.bar, said, FALSE);
  self.during = pmt_during_new (pmt_scroll_new (self.settings, BELOW_SETTINGS), self.bar, on_keep, &self);
  self.preflight = pmt_preflight_new (image, drawables, config, form->start);
  self.models = pmt_model_search_start ();
  self.pane = pmt_results_pane_new (image, &results, &self);
  self.thrown = pmt_thrown_away_new (on_bring_back, &self);
  pmt_job_bar_add_action (self.bar, pmt_thrown_away_button (self.thrown));
  row = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 12);
  gtk_box_pack_start (GTK_BOX (row), pmt_during_stage (self.during), TRUE, TRUE, 0);
  gtk_box_pack_start (GTK_BOX (row), self.pane, FALSE, FALSE, 0);
  gtk_widget_show (row);
  gtk_widget_set_size_request (self.settings, SETTINGS_WIDTH, -1); /* also with results beside it */
  pmt_job_bar_add (self.bar, pmt_diagnostics_row_new (make_report, &self));
  content = gtk_dialog_get_content_area (self.dialog);
  gtk_box_pack_start (GTK_BOX (content), row, TRUE, TRUE, 0);
  gtk_box_pack_start (GTK_BOX (content), pmt_preflight_bar (self.preflight), FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (content), pmt_during_bar (self.during), FALSE, FALSE, 0);
  gtk_dialog_set_default_response (self.dialog, GTK_RESPONSE_OK);
  if (prompt)
    gtk_widget_grab_focus (pmt_prompt_text (prompt));
  g_signal_connect (dialog, "response", G_CALLBACK (on_response), &self);
  pmt_close_guard_add (self.dialog, may_close, &self);

  gimp_procedure_dialog_run (GIMP_PROCEDURE_DIALOG (dialog));
  g_clear_pointer (&self.job, pmt_job_free);
  g_clear_pointer (&self.last, pmt_last_settings_free);
  pmt_last_settings_forget (config);
  g_clear_pointer (&self.help, pmt_prompt_help_free);
  g_clear_pointer (&self.models, pmt_model_search_free);
  g_clear_pointer (&self.samplers, pmt_engine_list_free);
  g_clear_pointer (&self.preprocessors, pmt_engine_list_free);
  g_clear_pointer (&self.preflight, pmt_preflight_free);
  g_clear_pointer (&self.during, pmt_during_free);
  g_clear_pointer (&self.thrown, pmt_thrown_away_free);
  g_clear_object (&self.above);
  g_clear_pointer (&self.model, g_free);
  gtk_widget_destroy (dialog);
  return self.delivered;
}
