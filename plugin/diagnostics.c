/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/diagnostics.h"

#include <glib/gi18n.h>
#include <string.h>

#include "pentimento/build-id.h"
#include "plugin/engine-place.h"
#include "plugin/recipe.h"
#include "plugin/redact.h"

#define WAIT_SECONDS 3
#define LOG_LINES 20
#define LOG_BYTES 65536

/* What begins with report_ takes words that stay English (tests/style/words.py knows them). */
static char *G_GNUC_PRINTF (1, 2)
report_text (const char *format, ...)
{
  va_list args;
  char *text;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  return text;
}

typedef struct Asked {
  GMainLoop *loop;
  char *answer;
  GError *error;
} Asked;

static void
on_answer (GObject *source, GAsyncResult *result, gpointer user)
{
  Asked *asked = user;

  g_subprocess_communicate_utf8_finish (G_SUBPROCESS (source), result, &asked->answer, NULL, &asked->error);
  g_main_loop_quit (asked->loop);
}

static gboolean
on_late (gpointer process)
{
  g_subprocess_force_exit (process);
  return G_SOURCE_REMOVE;
}

/* In a main context of its own, so that nothing else happens meanwhile. */
static void
await (GSubprocess *process, Asked *asked)
{
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GSource) late = g_timeout_source_new_seconds (WAIT_SECONDS);

  g_main_context_push_thread_default (context);
  asked->loop = g_main_loop_new (context, FALSE);
  g_source_set_callback (late, on_late, process, NULL);
  g_source_attach (late, context);
  g_subprocess_communicate_utf8_async (process, NULL, NULL, on_answer, asked);
  g_main_loop_run (asked->loop);
  g_source_destroy (late);
  g_main_loop_unref (asked->loop);
  g_main_context_pop_thread_default (context);
}

/* What the engine says of itself; the sentence why it does not otherwise. Newly allocated. */
static char *
ask_engine (const char *program)
{
  Asked asked = { NULL, NULL, NULL };
  g_autoptr (GError) problem = NULL;
  g_autoptr (GSubprocess) process = g_subprocess_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_SILENCE, &problem, program,
                                                      "diagnostics", NULL);
  char *text;

  if (!process)
    return report_text ("engine: cannot be started (%s)\n", problem->message);
  await (process, &asked);
  if (asked.answer && asked.answer[0])
    text = g_steal_pointer (&asked.answer);
  else
    text = report_text ("engine: gives no answer (%s)\n", asked.error ? asked.error->message : "it ended without a word");
  g_free (asked.answer);
  g_clear_error (&asked.error);
  return text;
}

/* Newly allocated. */
static char *
log_tail (const char *path)
{
  g_autofree char *text = NULL;
  g_autofree char *valid = NULL;
  g_auto (GStrv) lines = NULL;
  gsize length;
  guint n;

  if (!g_file_get_contents (path, &text, &length, NULL))
    return report_text ("(there is none)");
  valid = g_utf8_make_valid (text + (length > LOG_BYTES ? length - LOG_BYTES : 0), (gssize) MIN (length, LOG_BYTES));
  lines = g_strsplit (g_strchomp (valid), "\n", -1);
  n = g_strv_length (lines);
  return n ? g_strjoinv ("\n", lines + (n > LOG_LINES ? n - LOG_LINES : 0)) : report_text ("(empty)");
}

static void
report_add (GString *report, const char *title, const char *text, GPtrArray *secrets)
{
  g_autofree char *safe = secrets ? pmt_redact_text (text, secrets) : g_strdup (text);

  g_string_append_printf (report, "%s%s%s", title, safe, g_str_has_suffix (safe, "\n") ? "" : "\n");
}

static char *
recipe_text (JsonObject *recipe, GPtrArray *secrets)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);

  if (secrets)
    return pmt_redact_recipe (recipe, secrets);
  json_node_set_object (node, recipe);
  return json_to_string (node, TRUE);
}

char *
pmt_diagnostics_new (const char *problem, JsonObject *recipe, gboolean everything)
{
  GString *report = g_string_new (NULL);
  g_autoptr (GPtrArray) secrets = everything ? NULL : g_ptr_array_new_with_free_func (g_free);
  g_autofree char *gimp = gimp_version ();
  g_autofree char *job = recipe ? recipe_text (recipe, secrets) : NULL; /* first: it finds the secrets */
  g_autoptr (GError) error = NULL;
  PmtEnginePlace place;

  g_string_append_printf (report, "Pentimento %s, build %s\nGIMP %s\n", PMT_VERSION, PMT_BUILD_ID, gimp);
  if (pmt_engine_place_init (&place, &error)) {
    g_autofree char *engine = ask_engine (place.program);
    g_autofree char *log = log_tail (place.log);
    report_add (report, "", engine, secrets);
    if (problem)
      report_add (report, "\nWhat happened:\n", problem, secrets);
    report_add (report, "\nThe engine's last lines:\n", log, secrets);
    pmt_engine_place_clear (&place);
  } else {
    report_add (report, "engine: ", error->message, secrets);
    if (problem)
      report_add (report, "\nWhat happened:\n", problem, secrets);
  }
  if (job)
    report_add (report, "\nThe job:\n", job, NULL);
  if (secrets)
    report_add (report, "\n", "Prompts, texts and file names are left out.", NULL);
  return g_string_free (report, FALSE);
}

/* ---- the procedure ---- */

static GimpValueArray *
run (GimpProcedure *procedure, GimpProcedureConfig *config, gpointer unused)
{
  g_autoptr (GimpLayer) layer = NULL;
  g_autoptr (JsonObject) recipe = NULL;
  g_autofree char *report = NULL;
  gboolean everything = FALSE;
  GimpValueArray *values;

  g_object_get (config, "layer", &layer, "everything", &everything, NULL);
  recipe = layer ? pmt_recipe_of (GIMP_ITEM (layer)) : NULL;
  report = pmt_diagnostics_new (NULL, recipe, everything);
  values = gimp_procedure_new_return_values (procedure, GIMP_PDB_SUCCESS, NULL);
  GIMP_VALUES_SET_STRING (values, 1, report);
  return values;
}

GimpProcedure *
pmt_diagnostics_procedure_new (GimpPlugIn *plug_in, const char *name)
{
  GimpProcedure *procedure = gimp_procedure_new (plug_in, name, GIMP_PDB_PROC_TYPE_PLUGIN, run, NULL, NULL);

  gimp_procedure_set_documentation (procedure, _("Says what a report of a fault needs"),
                                    _("Versions, processor, memory, the engine's last lines and, for a layer that Pentimento painted, its "
                                      "recipe, as a text. Prompts and file names are left out unless they are asked for."),
                                    name);
  gimp_procedure_set_attribution (procedure, "Pentimento", "Pentimento", "2026");
  gimp_procedure_add_layer_argument (procedure, "layer", _("_Layer"), _("Whose recipe to tell; none: no recipe"), TRUE, G_PARAM_READWRITE);
  gimp_procedure_add_boolean_argument (procedure, "everything", _("Include prompts and file names"),
                                       _("Otherwise they are replaced by their lengths and endings"), FALSE, G_PARAM_READWRITE);
  gimp_procedure_add_string_return_value (procedure, "report", _("Report"), _("The text"), NULL, G_PARAM_READWRITE);
  return procedure;
}
