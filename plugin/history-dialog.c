/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/history-dialog.h"

#include <gegl.h>
#include <glib/gi18n.h>
#include <libgimp/gimpui.h>
#include <string.h>

#include "plugin/capture.h"
#include "plugin/deliver.h"
#include "plugin/error.h"
#include "plugin/help.h"
#include "plugin/history.h"
#include "plugin/procedure.h"
#include "plugin/recipe-use.h"
#include "plugin/recipe.h"
#include "ui/history-list.h"
#include "ui/job-bar.h"

enum { RESPONSE_APPLY = 1, RESPONSE_SETTINGS, RESPONSE_REMOVE };

typedef struct History {
  GimpImage *image;
  GimpDrawable **drawables;
  GtkDialog *dialog;
  GtkWidget *list, *bar;
  GPtrArray *entries;
  PmtDelivered *delivered;
  JsonObject *recipe;      /* whose settings were chosen, with its inputs */
  PmtInputs *inputs;
} History;

/* ---- what can be done ---- */

/* Entries into the image, in one undo step. */
static PmtDelivered *
apply (GimpImage *image, GimpDrawable **drawables, GPtrArray *entries, GError **error)
{
  g_autoptr (GPtrArray) results = pmt_results_new ();
  PmtDelivered *delivered;

  if (!pmt_capture_check (image, drawables, FALSE, error))
    return NULL;
  for (guint i = 0; i < entries->len; i++) {
    PmtResult *result = pmt_history_load (g_ptr_array_index (entries, i), image, error);
    if (!result)
      return NULL;
    g_ptr_array_add (results, result);
  }
  delivered = pmt_deliver (image, pmt_capture_active_layer (image, drawables), results, FALSE, error);
  if (delivered)
    pmt_history_applied (results);
  return delivered;
}

/* ---- the dialog ---- */

static void
say (History *history, const GError *error)
{
  pmt_job_bar_say (history->bar, error->message, TRUE);
}

static void
on_response (GtkDialog *dialog, int response, History *history)
{
  g_autoptr (GPtrArray) selected = NULL;
  g_autoptr (GError) error = NULL;

  if (response != RESPONSE_APPLY && response != RESPONSE_SETTINGS && response != RESPONSE_REMOVE)
    return;
  selected = pmt_history_list_selected (history->list);
  if (response == RESPONSE_REMOVE) {
    for (guint i = 0; i < selected->len; i++)
      pmt_history_remove (g_ptr_array_index (selected, i));
    pmt_history_list_remove_selected (history->list);
  } else if (response == RESPONSE_APPLY) {
    history->delivered = apply (history->image, history->drawables, selected, &error);
    if (history->delivered)
      pmt_delivered_tell (history->delivered);
  } else {
    const PmtHistoryEntry *entry = g_ptr_array_index (selected, 0);
    history->recipe = json_object_ref (entry->recipe);
    history->inputs = pmt_history_inputs (entry, history->image);
  }
  if (error)
    say (history, error);
  if (error || response == RESPONSE_REMOVE)
    g_signal_stop_emission_by_name (dialog, "response"); /* the dialog stays */
}

static void
on_chosen (gpointer user)
{
  gtk_dialog_response (((History *) user)->dialog, RESPONSE_APPLY);
}

static void
on_changed (gpointer user)
{
  History *history = user;
  g_autoptr (GPtrArray) selected = pmt_history_list_selected (history->list);

  gtk_dialog_set_response_sensitive (history->dialog, RESPONSE_APPLY, selected->len > 0);
  gtk_dialog_set_response_sensitive (history->dialog, RESPONSE_SETTINGS, selected->len == 1);
  gtk_dialog_set_response_sensitive (history->dialog, RESPONSE_REMOVE, selected->len > 0);
}

static void
on_keep (GtkToggleButton *check, gpointer unused)
{
  pmt_history_set_keeps (gtk_toggle_button_get_active (check));
}

/* "Fill · seed 42 · 14:03 · in the picture"; the day only when it is another. */
static char *
describe (const PmtHistoryEntry *entry)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_local (), then = g_date_time_new_from_unix_local (entry->time);
  const gboolean today = then && g_date_time_get_year (now) == g_date_time_get_year (then) &&
                         g_date_time_get_day_of_year (now) == g_date_time_get_day_of_year (then);
  g_autofree char *when = then ? g_date_time_format (then, today ? "%H:%M:%S" : "%Y-%m-%d %H:%M") : g_strdup ("");
  g_autofree char *seed = g_strdup_printf ("%" G_GINT64_FORMAT, entry->seed);
  g_autoptr (JsonObject) wordless = pmt_recipe_copy (entry->recipe);
  g_autofree char *task = NULL;

  json_object_remove_member (wordless, "methods");
  json_object_set_string_member (wordless, "prompt", "");
  task = pmt_recipe_layer_name (wordless, -1);
  return entry->applied ? g_strdup_printf (_("%s · seed %s · %s · applied"), task, seed, when)
                        : g_strdup_printf (_("%s · seed %s · %s"), task, seed, when);
}

static void
fill_list (History *history)
{
  for (guint i = 0; i < history->entries->len; i++) {
    PmtHistoryEntry *entry = g_ptr_array_index (history->entries, i);
    g_autofree char *small = describe (entry);
    const char *prompt = pmt_recipe_shown_prompt (entry->recipe);
    pmt_history_list_add (history->list, entry->look, prompt[0] ? prompt : _("(no prompt)"), small, entry);
  }
  pmt_history_list_set_empty (history->list, _("Nothing was painted yet in this session of GIMP. What is painted is listed here, also what was "
                                               "not applied."));
}

static void
show (History *history)
{
  GtkWidget *dialog, *content, *keep;

  gimp_ui_init ("pentimento");
  dialog = gimp_dialog_new (_("History"), PMT_PROCEDURE_HISTORY, NULL, 0, gimp_standard_help_func, PMT_PROCEDURE_HISTORY, _("_Remove"),
                            RESPONSE_REMOVE, _("Use _Settings…"), RESPONSE_SETTINGS, _("_Close"), GTK_RESPONSE_CLOSE, _("_Apply"),
                            RESPONSE_APPLY, NULL);
  history->dialog = GTK_DIALOG (dialog);
  pmt_help_free_letter (history->dialog);
  history->entries = pmt_history_list ();
  history->list = pmt_history_list_new (on_chosen, on_changed, history);
  history->bar = pmt_job_bar_new ();
  fill_list (history);
  keep = gtk_check_button_new_with_mnemonic (_("_Keep the history when GIMP ends"));
  gtk_widget_set_tooltip_text (keep, _("Otherwise pictures and prompts are removed from the disk with the end of GIMP"));
  gtk_toggle_button_set_active (GTK_TOGGLE_BUTTON (keep), pmt_history_keeps ());
  g_signal_connect (keep, "toggled", G_CALLBACK (on_keep), NULL);
  gtk_widget_show (keep);
  content = gtk_dialog_get_content_area (history->dialog);
  gtk_container_set_border_width (GTK_CONTAINER (content), 12);
  gtk_box_set_spacing (GTK_BOX (content), 8);
  gtk_box_pack_start (GTK_BOX (content), history->list, TRUE, TRUE, 0);
  gtk_box_pack_start (GTK_BOX (content), keep, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (content), history->bar, FALSE, FALSE, 0);
  gtk_dialog_set_default_response (history->dialog, RESPONSE_APPLY);
  g_signal_connect (dialog, "response", G_CALLBACK (on_response), history);
  on_changed (history);
  pmt_history_list_focus (history->list);
  gimp_dialog_run (GIMP_DIALOG (dialog));
  gtk_widget_destroy (dialog);
  g_ptr_array_unref (history->entries);
}

/* ---- the procedure ---- */

/* What scripts get: the entries as JSON. */
static char *
entries_to_json (GPtrArray *entries)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_ARRAY);
  JsonArray *array = json_array_new ();

  for (guint i = 0; i < entries->len; i++) {
    const PmtHistoryEntry *entry = g_ptr_array_index (entries, i);
    JsonObject *object = json_object_new ();
    json_object_set_string_member (object, "id", entry->id);
    json_object_set_int_member (object, "time", entry->time);
    json_object_set_int_member (object, "seed", entry->seed);
    json_object_set_boolean_member (object, "applied", entry->applied);
    json_object_set_object_member (object, "recipe", json_object_ref (entry->recipe));
    json_array_add_object_element (array, object);
  }
  json_node_take_array (node, array);
  return json_to_string (node, FALSE);
}

/* Those that the list of ids names, in its order. NULL + error for one that is not there. */
static GPtrArray *
find (GPtrArray *entries, const char *ids, GError **error)
{
  g_autoptr (GPtrArray) found = g_ptr_array_new ();
  g_auto (GStrv) names = g_strsplit_set (ids, " ,;\n", -1);

  for (char **name = names; *name; name++) {
    PmtHistoryEntry *entry = NULL;
    for (guint i = 0; i < entries->len && !entry; i++)
      if (strcmp (((PmtHistoryEntry *) g_ptr_array_index (entries, i))->id, *name) == 0)
        entry = g_ptr_array_index (entries, i);
    if (!(*name)[0])
      continue;
    if (!entry) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The history has no entry “%s”: take an id from the list that this procedure returns."), *name);
      return NULL;
    }
    g_ptr_array_add (found, entry);
  }
  return g_steal_pointer (&found);
}

static gboolean
run_script (History *history, GimpProcedureConfig *config, GPtrArray *entries, GError **error)
{
  g_autofree char *apply_ids = NULL, *remove_ids = NULL;
  g_autoptr (GPtrArray) applied = NULL, removed = NULL;

  g_object_get (config, "apply", &apply_ids, "remove", &remove_ids, NULL);
  applied = find (entries, apply_ids ? apply_ids : "", error);
  removed = applied ? find (entries, remove_ids ? remove_ids : "", error) : NULL;
  if (!removed)
    return FALSE;
  if (applied->len && !(history->delivered = apply (history->image, history->drawables, applied, error)))
    return FALSE;
  for (guint i = 0; i < removed->len; i++)
    pmt_history_remove (g_ptr_array_index (removed, i));
  return TRUE;
}

static GimpValueArray *
run (GimpProcedure *procedure, GimpRunMode run_mode, GimpImage *image, GimpDrawable **drawables, GimpProcedureConfig *config, gpointer unused)
{
  History history = { .image = image, .drawables = drawables };
  g_autoptr (GPtrArray) entries = NULL;
  GimpValueArray *values;
  GError *error = NULL;

  gegl_init (NULL, NULL);
  if (run_mode == GIMP_RUN_INTERACTIVE) {
    show (&history);
    if (history.recipe)
      history.delivered = pmt_recipe_use (history.recipe, history.inputs, image, drawables, &error);
    g_clear_pointer (&history.recipe, json_object_unref);
    g_clear_pointer (&history.inputs, pmt_inputs_free);
    if (error)
      return gimp_procedure_new_return_values (procedure, GIMP_PDB_EXECUTION_ERROR, error);
  } else {
    g_autoptr (GPtrArray) before = pmt_history_list ();
    if (!run_script (&history, config, before, &error))
      return gimp_procedure_new_return_values (procedure, GIMP_PDB_EXECUTION_ERROR, error);
  }
  entries = pmt_history_list ();
  values = gimp_procedure_new_return_values (procedure, GIMP_PDB_SUCCESS, NULL);
  if (history.delivered)
    GIMP_VALUES_SET_CORE_OBJECT_ARRAY (values, 1, history.delivered->layers);
  GIMP_VALUES_TAKE_STRING (values, 2, entries_to_json (entries));
  pmt_delivered_free (history.delivered);
  return values;
}

GimpProcedure *
pmt_history_procedure_new (GimpPlugIn *plug_in, const char *name)
{
  GimpProcedure *procedure = pmt_procedure_new_with (plug_in, name, _("_History…"), run);

  gimp_procedure_set_documentation (procedure, _("Shows what was painted in this session of GIMP"),
                                    _("Results, also those that were not applied or were taken back, with prompt, seed and time. They "
                                      "can be applied to the image now, or their settings be used again. Unless the user asks for it nothing of it "
                                      "outlives GIMP."),
                                    name);
  gimp_procedure_add_string_argument (procedure, "apply", _("_Apply"), _("Ids of results that become layers, with spaces between them"), "",
                                      G_PARAM_READWRITE);
  gimp_procedure_add_string_argument (procedure, "remove", _("_Remove"), _("Ids of results that are removed"), "", G_PARAM_READWRITE);
  pmt_procedure_add_layers (procedure);
  gimp_procedure_add_string_return_value (procedure, "entries", _("Entries"), _("The history as JSON, the newest first"), "", G_PARAM_READWRITE);
  return procedure;
}
