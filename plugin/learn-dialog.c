/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/learn-dialog.h"

#include <glib/gi18n.h>
#include <libgimp/gimpui.h>
#include <math.h>

#include "plugin/close-guard.h"
#include "plugin/diagnostics.h"
#include "plugin/engine-list.h"
#include "plugin/error.h"
#include "plugin/help.h"
#include "plugin/last-settings.h"
#include "plugin/learn-fields.h"
#include "plugin/learn-file.h"
#include "plugin/learn-list.h"
#include "plugin/learn-pictures.h"
#include "plugin/learn-recipe.h"
#include "plugin/model-search.h"
#include "ui/curve.h"
#include "ui/diagnostics-row.h"
#include "ui/fields.h"
#include "ui/form.h"
#include "ui/job-bar.h"
#include "ui/preflight.h"

/* Pixels that title, bars and buttons take at most. */
#define BELOW_SETTINGS 260
#define SETTINGS_WIDTH 480
/* Settings that change while somebody types are asked about once. */
#define SETTLE_MS 400

typedef struct Dialog {
  GtkDialog *dialog;
  GimpProcedureConfig *config;
  GtkWidget *settings, *list, *stage, *scroll, *watch, *curve, *asked, *bar, *copy;
  PmtLearnJob *job, *question; /* the one that learns; the one that only asks what it would take */
  guint settle;
  gboolean refused; /* the line says already that there is too little memory */
  int step, of;     /* of the running job, or the last one */
  char *words;      /* for prompts, of what was learned last */
  PmtLearned *learned;
  gboolean any;
} Dialog;

/* ---- what it would take ---- */

static void
on_estimated (gpointer user, const PmtEstimate *estimate)
{
  Dialog *self = user;
  g_autofree char *line = NULL;

  self->refused = !pmt_estimate_fits (estimate);
  line = self->refused ? pmt_estimate_learning_refusal (estimate) : pmt_estimate_learning_line (estimate);
  if (self->refused)
    pmt_preflight_bar_refuse (self->asked, line, NULL, NULL, NULL);
  else
    pmt_preflight_bar_say (self->asked, line);
  g_clear_pointer (&self->question, pmt_learn_job_free);
}

static void
on_not_estimated (gpointer user, const PmtLearned *learned, const GError *error)
{
  Dialog *self = user;

  if (!error || g_error_matches (error, PMT_ERROR, PMT_ERROR_ENGINE))
    pmt_preflight_bar_say (self->asked, ""); /* the job itself will say what is wrong with the engine */
  else
    pmt_preflight_bar_refuse (self->asked, error->message, NULL, NULL, NULL);
  g_clear_pointer (&self->question, pmt_learn_job_free);
}

static gboolean
on_settled (gpointer user)
{
  const PmtLearnHandlers handlers = { .finished = on_not_estimated, .estimated = on_estimated };
  Dialog *self = user;
  g_autoptr (GPtrArray) pictures = pmt_learn_list_pictures (self->list);
  JsonObject *recipe = pmt_learn_recipe_new (G_OBJECT (self->config), pictures, NULL, NULL);

  self->settle = 0;
  self->refused = FALSE;
  g_clear_pointer (&self->question, pmt_learn_job_free);
  if (recipe)
    self->question = pmt_learn_job_ask (recipe, &handlers, self);
  else
    pmt_preflight_bar_say (self->asked, ""); /* something is not there yet; said when it is started */
  return G_SOURCE_REMOVE;
}

static void
ask_soon (gpointer user)
{
  Dialog *self = user;

  if (self->job)
    return;
  g_clear_handle_id (&self->settle, g_source_remove);
  self->settle = g_timeout_add (SETTLE_MS, on_settled, self);
  pmt_preflight_bar_doubt (self->asked);
}

static void
on_notify (GObject *config, GParamSpec *spec, Dialog *self)
{
  static const char *const never[] = { "layers", "files", "captions", "overwrite", "seed", NULL };

  if (!g_strv_contains (never, spec->name))
    ask_soon (self);
}

/* ---- while it learns ---- */

static void
set_running (Dialog *self, gboolean running)
{
  gtk_stack_set_visible_child (GTK_STACK (self->stage), running ? self->watch : self->scroll);
  gtk_dialog_set_response_sensitive (self->dialog, GTK_RESPONSE_OK, !running);
  gtk_widget_set_visible (self->asked, !running);
  gtk_widget_hide (self->copy);
  if (running) {
    g_clear_handle_id (&self->settle, g_source_remove);
    g_clear_pointer (&self->question, pmt_learn_job_free);
    pmt_curve_clear (self->curve);
    self->step = self->of = 0;
    gimp_progress_init (_("Starting the engine"));
    pmt_job_bar_progress (self->bar, 0, _("Starting the engine"));
  } else {
    gimp_progress_end ();
    ask_soon (self); /* the time is measured now */
  }
}

static void
on_progress (gpointer user, const PmtLearnStep *step)
{
  Dialog *self = user;

  if (step->learning) {
    self->step = step->step;
    self->of = step->of;
    pmt_curve_add (self->curve, step->step, step->of, step->loss);
  }
  pmt_job_bar_progress (self->bar, step->fraction, step->text);
  gimp_progress_set_text (step->text);
  gimp_progress_update (step->fraction);
}

/* What came of it, and how it is used. */
static void
say_learned (Dialog *self, const PmtLearned *learned)
{
  GtkWidget *close = gtk_dialog_get_widget_for_response (self->dialog, GTK_RESPONSE_CANCEL);
  GObject *config = G_OBJECT (self->config);
  g_autofree char *sentence = pmt_learn_file_sentence (config, learned->path), *all = NULL;

  g_free (self->words);
  self->words = pmt_learn_file_words (config, learned->path);
  if (isfinite (learned->loss_before) && isfinite (learned->loss_after))
    all = g_strdup_printf (_("%s The loss went from %.4f to %.4f."), sentence, learned->loss_before, learned->loss_after);
  pmt_job_bar_say (self->bar, all ? all : sentence, FALSE);
  gtk_widget_show (self->copy);
  gtk_widget_grab_focus (self->copy);
  if (close)
    gtk_button_set_label (GTK_BUTTON (close), _("_Close"));
}

static void
on_finished (gpointer user, const PmtLearned *learned, const GError *failure)
{
  Dialog *self = user;
  g_autoptr (GError) error = failure ? g_error_copy (failure) : NULL;

  if (learned) {
    g_free ((char *) self->learned->path);
    *self->learned = *learned;
    self->learned->path = g_strdup (learned->path);
    self->any = TRUE;
  }
  g_clear_pointer (&self->job, pmt_learn_job_free);
  set_running (self, FALSE);
  if (learned)
    say_learned (self, self->learned);
  else
    pmt_job_bar_say (self->bar, error->message, TRUE);
  if (!error || !g_error_matches (error, PMT_ERROR, PMT_ERROR_ENGINE))
    pmt_engine_list_again ();
}

static void
stop (Dialog *self)
{
  g_autofree char *sentence = NULL;

  g_clear_pointer (&self->job, pmt_learn_job_free);
  if (self->step > 0)
    sentence = g_strdup_printf (_("Stopped at step %d of %d. What was learned so far is kept, and Learn goes on from there with the same pictures and settings."),
                                self->step, self->of);
  else
    sentence = g_strdup (_("Stopped. Nothing was learned yet."));
  set_running (self, FALSE);
  pmt_job_bar_say (self->bar, sentence, FALSE);
}

static void
on_copy (GtkButton *button, Dialog *self)
{
  gtk_clipboard_set_text (gtk_clipboard_get (GDK_SELECTION_CLIPBOARD), self->words, -1);
  gtk_clipboard_store (gtk_clipboard_get (GDK_SELECTION_CLIPBOARD));
}

/* ---- before it learns ---- */

enum { GO_ON = 1, ANEW };

/* FALSE: the user changed their mind. */
static gboolean
settle_interrupted (Dialog *self, const char *path)
{
  const int step = pmt_learn_file_interrupted (path);
  g_autofree char *name = NULL, *text = NULL;
  GtkWidget *question;
  int answer;

  if (step < 0)
    return TRUE;
  name = g_filename_display_basename (path);
  text = g_strdup_printf (_("Learning %s was interrupted at step %d."), name, step);
  question = gtk_message_dialog_new (GTK_WINDOW (self->dialog), GTK_DIALOG_MODAL | GTK_DIALOG_DESTROY_WITH_PARENT, GTK_MESSAGE_QUESTION, GTK_BUTTONS_NONE, NULL);
  g_object_set (question, "text", text, "secondary-text", _("It can go on there as long as pictures and settings are the same as they were; only more steps are fine."),
                NULL);
  gtk_window_set_title (GTK_WINDOW (question), _("Learn a Concept"));
  gtk_dialog_add_buttons (GTK_DIALOG (question), _("_Cancel"), GTK_RESPONSE_CANCEL, _("_Begin Anew"), ANEW, _("_Go On"), GO_ON, NULL);
  gtk_dialog_set_default_response (GTK_DIALOG (question), GO_ON);
  answer = gtk_dialog_run (GTK_DIALOG (question));
  gtk_widget_destroy (question);
  if (answer == ANEW)
    pmt_learn_file_begin_anew (path);
  return answer == ANEW || answer == GO_ON;
}

/* FALSE: what is there shall stay. */
static gboolean
may_write (Dialog *self, const char *path)
{
  g_autofree char *name = NULL, *question = NULL;

  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    return TRUE;
  name = g_filename_display_basename (path);
  question = g_strdup_printf (_("Replace %s?"), name);
  return pmt_close_guard_ask (GTK_WINDOW (self->dialog), question, _("There is a file of that name already. It is replaced when all is learned."), _("_Go Back"),
                              _("_Replace"));
}

/* NULL without error: the user changed their mind. */
static JsonObject *
make_recipe (Dialog *self, GPtrArray *pictures, GError **error)
{
  GObject *config = G_OBJECT (self->config);
  g_autofree char *path = pmt_learn_pictures_check (pictures, error) ? pmt_learn_file_path (config, error) : NULL;

  if (!path || !may_write (self, path) || !settle_interrupted (self, path) || !pmt_learn_file_make_folder (path, error))
    return NULL;
  return pmt_learn_recipe_new (config, pictures, path, error);
}

static void
start (Dialog *self)
{
  const PmtLearnHandlers handlers = { on_progress, on_finished };
  g_autoptr (GPtrArray) pictures = pmt_learn_list_pictures (self->list);
  g_autoptr (GError) error = NULL;
  JsonObject *recipe;

  pmt_learn_pictures_to_config (pictures, G_OBJECT (self->config));
  recipe = make_recipe (self, pictures, &error);
  if (!recipe) {
    if (error)
      pmt_job_bar_say (self->bar, error->message, TRUE);
    return;
  }
  pmt_last_settings_save (self->config, NULL); /* a crash must not cost them; that they cannot be kept is no reason not to learn */
  self->job = pmt_learn_job_start (recipe, pictures, &handlers, self);
  set_running (self, TRUE);
}

/* ---- the window ---- */

static void
on_response (GtkDialog *dialog, int response, Dialog *self)
{
  if (response != GTK_RESPONSE_OK)
    return;
  g_signal_stop_emission_by_name (dialog, "response");
  if (!self->job)
    start (self);
}

/* Cancel and the like stop a running job first, and then the dialog stays. */
static gboolean
may_close (gpointer user)
{
  Dialog *self = user;

  if (!self->job)
    return TRUE;
  stop (self);
  return FALSE;
}

static char *
make_report (gpointer user, gboolean everything)
{
  Dialog *self = user;

  return pmt_diagnostics_new (pmt_job_bar_sentence (self->bar), NULL, everything);
}

/* What was interrupted comes back with its pictures; else those are learned from that are selected. */
static void
fill_list (Dialog *self, GimpDrawable **drawables)
{
  GObject *config = G_OBJECT (self->config);
  g_autofree char *path = pmt_learn_file_path (config, NULL);
  g_autoptr (GPtrArray) pictures = NULL;

  if (!path || pmt_learn_file_interrupted (path) < 0)
    g_object_set (config, "layers", TRUE, "files", NULL, "captions", NULL, NULL);
  pictures = pmt_learn_pictures_from_config (config, drawables, NULL);
  if (pictures)
    pmt_learn_list_add (self->list, pictures);
}

static GtkWidget *
watch_new (Dialog *self)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 8);
  GtkWidget *label = gtk_label_new (_("How far off the model still is: the line goes down while it learns, with ups and downs."));

  self->curve = pmt_curve_new (_("Loss"));
  gtk_label_set_xalign (GTK_LABEL (label), 0);
  gtk_label_set_line_wrap (GTK_LABEL (label), TRUE);
  gtk_label_set_max_width_chars (GTK_LABEL (label), 48);
  gtk_box_pack_start (GTK_BOX (box), label, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box), self->curve, TRUE, TRUE, 0);
  gtk_widget_show_all (box);
  return box;
}

static GtkWidget *
copy_new (Dialog *self)
{
  GtkWidget *button = gtk_button_new_with_mnemonic (_("Copy _to Clipboard"));

  gtk_widget_set_valign (button, GTK_ALIGN_CENTER);
  gtk_widget_set_tooltip_text (button, _("Copy what is written in prompts"));
  g_signal_connect (button, "clicked", G_CALLBACK (on_copy), self);
  return button;
}

static void
fill_window (Dialog *self, GimpImage *image)
{
  GObject *config = G_OBJECT (self->config);
  GtkWidget *content = gtk_dialog_get_content_area (self->dialog), *advanced, *word;
  gboolean open = FALSE;

  self->asked = pmt_preflight_bar_new ();
  self->bar = pmt_job_bar_new ();
  self->copy = copy_new (self);
  self->settings = gtk_box_new (GTK_ORIENTATION_VERTICAL, 10);
  self->list = pmt_learn_list_new (image, ask_soon, self);
  advanced = pmt_learn_fields_advanced_new (config, &open);
  gtk_box_pack_start (GTK_BOX (self->settings), self->list, TRUE, TRUE, 0);
  gtk_box_pack_start (GTK_BOX (self->settings), pmt_learn_fields_new (config, &word), FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (self->settings), pmt_fold_new (_("_Advanced"), advanced, open), FALSE, FALSE, 0);
  gtk_widget_set_size_request (self->settings, SETTINGS_WIDTH, -1);
  gtk_widget_show (self->settings);
  self->scroll = pmt_scroll_new (self->settings, BELOW_SETTINGS);
  self->watch = watch_new (self);
  self->stage = gtk_stack_new ();
  gtk_container_add (GTK_CONTAINER (self->stage), self->scroll);
  gtk_container_add (GTK_CONTAINER (self->stage), self->watch);
  gtk_stack_set_visible_child (GTK_STACK (self->stage), self->scroll);
  gtk_widget_show (self->stage);
  gtk_widget_set_margin_bottom (self->bar, 6);
  pmt_job_bar_add_action (self->bar, self->copy);
  pmt_job_bar_add (self->bar, pmt_diagnostics_row_new (make_report, self));
  gtk_box_pack_start (GTK_BOX (content), self->stage, TRUE, TRUE, 0);
  gtk_box_pack_start (GTK_BOX (content), self->asked, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (content), self->bar, FALSE, FALSE, 0);
  if (word)
    gtk_widget_grab_focus (word);
}

gboolean
pmt_learn_dialog_run (GimpProcedure *procedure, GimpProcedureConfig *config, GimpImage *image, GimpDrawable **drawables, PmtLearned *learned)
{
  Dialog self = { .config = config, .learned = learned };
  PmtLastSettings *last;
  PmtModelSearch *models;
  GtkWidget *dialog;

  pmt_last_settings_load (config);
  pmt_field_fill_texts (G_OBJECT (config));
  g_object_set (config, "overwrite", FALSE, NULL); /* for scripts: here it is asked */
  dialog = gimp_procedure_dialog_new (procedure, config, _("Learn a Concept"));
  gimp_procedure_dialog_set_ok_label (GIMP_PROCEDURE_DIALOG (dialog), _("Lear_n"));
  self.dialog = GTK_DIALOG (dialog);
  pmt_help_free_letter (self.dialog);
  fill_window (&self, image);
  fill_list (&self, drawables);
  last = pmt_last_settings_watch (config);
  models = pmt_model_search_start ();
  gtk_dialog_set_default_response (self.dialog, GTK_RESPONSE_OK);
  g_signal_connect (config, "notify", G_CALLBACK (on_notify), &self);
  g_signal_connect (dialog, "response", G_CALLBACK (on_response), &self);
  pmt_close_guard_add (self.dialog, may_close, &self);
  ask_soon (&self);

  gimp_procedure_dialog_run (GIMP_PROCEDURE_DIALOG (dialog));
  g_signal_handlers_disconnect_by_data (config, &self);
  g_clear_handle_id (&self.settle, g_source_remove);
  g_clear_pointer (&self.question, pmt_learn_job_free);
  g_clear_pointer (&self.job, pmt_learn_job_free);
  pmt_last_settings_free (last);
  pmt_model_search_free (models);
  gtk_widget_destroy (dialog);
  g_free (self.words);
  return self.any;
}
