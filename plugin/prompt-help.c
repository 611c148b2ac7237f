/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/prompt-help.h"

#include <string.h>

#include "plugin/embeddings.h"
#include "plugin/engine-client.h"
#include "plugin/preset.h"
#include "ui/completion.h"
#include "ui/form.h"
#include "ui/token-counter.h"

/* After a failure the engine is left alone for so long. */
#define PAUSE_US (10 * G_USEC_PER_SEC)
/* More parts than a prompt can sensibly have. */
#define MOST_PARTS 100

typedef struct Prompt {
  PmtPromptHelp *help;
  GtkWidget *text, *counter;
  const char *member; /* of a recipe */
  char *asked;      /* what the latest question was about; NULL: none is open */
  int before;       /* bytes of the preset's style before it, in what was counted */
  gint64 id;        /* of that question */
} Prompt;

struct PmtPromptHelp {
  GObject *config;
  PmtEngineClient *client;
  gboolean ready;
  gint64 paused_until, id;
  Prompt prompts[PMT_PROMPTS];
  int n_prompts;
  GHashTable *words; /* learned words to their paths */
};

static const char *const kinds[PMT_N_COMPLETIONS] = { "loras", "hypernetworks", "embeddings" };

/* ---- learned words ---- */

static char *
text_of (const Prompt *prompt)
{
  GtkTextBuffer *buffer = gtk_text_view_get_buffer (GTK_TEXT_VIEW (prompt->text));
  GtkTextIter start, end;

  gtk_text_buffer_get_bounds (buffer, &start, &end);
  return gtk_text_buffer_get_text (buffer, &start, &end, FALSE);
}

/* Paths, one a line: those of the argument that are no words of the list, and those of the words in any of the prompts. */
static char *
words_said (PmtPromptHelp *help)
{
  g_autoptr (GString) paths = g_string_new (NULL);
  g_autofree char *given = NULL;
  g_auto (GStrv) lines = NULL;
  g_autoptr (GHashTable) known = g_hash_table_new (g_str_hash, g_str_equal);
  GHashTableIter iter;
  gpointer word, path;

  g_object_get (help->config, "embeddings", &given, NULL);
  g_hash_table_iter_init (&iter, help->words);
  while (g_hash_table_iter_next (&iter, &word, &path)) {
    gboolean said = FALSE;
    g_hash_table_add (known, path);
    for (int i = 0; i < help->n_prompts && !said; i++) {
      g_autofree char *text = text_of (&help->prompts[i]);
      said = pmt_embeddings_say (text, word);
    }
    if (said)
      g_string_append_printf (paths, "%s%s", paths->len ? "\n" : "", (const char *) path);
  }
  lines = g_strsplit (given ? given : "", "\n", -1);
  for (char **line = lines; *line; line++)
    if ((*line)[0] && !g_hash_table_contains (known, *line))
      g_string_append_printf (paths, "%s%s", paths->len ? "\n" : "", *line);
  return g_string_free (g_steal_pointer (&paths), FALSE);
}

void
pmt_prompt_help_settle (PmtPromptHelp *help)
{
  g_autofree char *paths = words_said (help);

  g_object_set (help->config, "embeddings", paths, NULL);
}

/* ---- answers ---- */

static Prompt *
prompt_of (PmtPromptHelp *help, gint64 id)
{
  for (int i = 0; i < help->n_prompts; i++)
    if (help->prompts[i].asked && help->prompts[i].id == id)
      return &help->prompts[i];
  return NULL;
}

static void
show_count (Prompt *prompt, const PmtTokenCount *count)
{
  pmt_token_counter_show (prompt->counter, prompt->asked, count);
  g_clear_pointer (&prompt->asked, g_free);
}

static gint64
int_of (JsonObject *message, const char *name)
{
  JsonNode *node = json_object_get_member (message, name);

  return node && JSON_NODE_HOLDS_VALUE (node) ? CLAMP (json_node_get_int (node), 0, G_MAXINT) : 0;
}

static void
on_tokens (PmtPromptHelp *help, JsonObject *message)
{
  Prompt *prompt = prompt_of (help, int_of (message, "id"));
  JsonNode *node = json_object_get_member (message, "ends");
  JsonArray *ends = node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
  PmtTokenCount count = { (int) int_of (message, "count"), (int) int_of (message, "limit"), (int) int_of (message, "cut"), NULL, 0 };
  int edges[MOST_PARTS];

  if (!prompt)
    return;
  for (guint i = 0; ends && i < json_array_get_length (ends) && count.n_edges < MOST_PARTS; i++) {
    JsonNode *end = json_array_get_element (ends, i);
    if (JSON_NODE_HOLDS_VALUE (end))
      edges[count.n_edges++] = (int) CLAMP (json_node_get_int (end), 0, G_MAXINT) - prompt->before;
  }
  count.edges = edges;
  show_count (prompt, count.limit > 0 ? &count : NULL);
}

static const char *
string_of (JsonNode *node, const char *name)
{
  JsonNode *member = JSON_NODE_HOLDS_OBJECT (node) ? json_object_get_member (json_node_get_object (node), name) : NULL;

  return member && JSON_NODE_HOLDS_VALUE (member) && json_node_get_value_type (member) == G_TYPE_STRING ? json_node_get_string (member) : NULL;
}

static void
on_names (PmtPromptHelp *help, JsonObject *message)
{
  JsonNode *node = json_object_get_member (message, "names");
  JsonArray *array = node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
  const gint64 kind = int_of (message, "id") - 1;
  g_autoptr (GPtrArray) names = g_ptr_array_new ();

  if (kind < 0 || kind >= PMT_N_COMPLETIONS)
    return;
  for (guint i = 0; array && i < json_array_get_length (array); i++) {
    const char *name = string_of (json_array_get_element (array, i), "name"), *path = string_of (json_array_get_element (array, i), "path");
    if (!name || !path)
      continue;
    g_ptr_array_add (names, (char *) name);
    if (kind == PMT_COMPLETION_WORDS)
      g_hash_table_insert (help->words, g_strdup (name), g_strdup (path));
  }
  g_ptr_array_add (names, NULL);
  for (int i = 0; i < help->n_prompts; i++) {
    pmt_completion_set_names (help->prompts[i].text, (PmtCompletionKind) kind, (const char *const *) names->pdata);
    pmt_token_counter_ask (help->prompts[i].counter);
  }
}

static void
on_message (gpointer user, JsonObject *message, GBytes *payload)
{
  PmtPromptHelp *help = user;
  const char *type = json_object_get_string_member (message, "type");
  Prompt *prompt;

  if (g_strcmp0 (type, "tokens") == 0)
    on_tokens (help, message);
  else if (g_strcmp0 (type, "names") == 0)
    on_names (help, message);
  else if (g_strcmp0 (type, "error") == 0 && (prompt = prompt_of (help, int_of (message, "id"))))
    show_count (prompt, NULL); /* the model cannot be opened, or the text not be understood: the job will say it */
}

/* ---- questions ---- */

/* What the model will read: the preset's style counts, too. */
static void
send_tokens (Prompt *prompt)
{
  PmtPromptHelp *help = prompt->help;
  JsonObject *message = pmt_engine_message_new ("tokens", ++help->id);
  g_autofree char *model = NULL, *paths = words_said (help), *styled = pmt_preset_styled (help->config, prompt->member, prompt->asked);
  const char *found = strstr (styled, prompt->asked);
  JsonArray *words = pmt_embeddings_to_json (paths);

  g_object_get (help->config, "model", &model, NULL);
  prompt->id = help->id;
  prompt->before = found ? (int) (found - styled) : 0;
  json_object_set_string_member (message, "model", model ? model : "");
  json_object_set_string_member (message, "prompt", styled);
  if (words)
    json_object_set_array_member (message, "embeddings", words);
  pmt_engine_client_send (help->client, message, NULL);
}

static void
on_ready (gpointer user, JsonObject *hello)
{
  PmtPromptHelp *help = user;

  help->ready = TRUE;
  for (int i = 0; i < PMT_N_COMPLETIONS; i++) {
    JsonObject *message = pmt_engine_message_new ("names", i + 1);
    json_object_set_string_member (message, "kind", kinds[i]);
    pmt_engine_client_send (help->client, message, NULL);
  }
  for (int i = 0; i < help->n_prompts; i++)
    if (help->prompts[i].asked)
      send_tokens (&help->prompts[i]);
}

static void
on_failed (gpointer user, const GError *error)
{
  PmtPromptHelp *help = user;

  g_clear_pointer (&help->client, pmt_engine_client_free);
  help->ready = FALSE;
  help->paused_until = g_get_monotonic_time () + PAUSE_US;
  for (int i = 0; i < help->n_prompts; i++)
    if (help->prompts[i].asked)
      show_count (&help->prompts[i], NULL);
}

static void
on_ask (gpointer user, const char *text)
{
  const PmtEngineHandlers handlers = { on_ready, on_message, on_failed };
  Prompt *prompt = user;
  PmtPromptHelp *help = prompt->help;

  if (g_get_monotonic_time () < help->paused_until)
    return;
  g_free (prompt->asked);
  prompt->asked = g_strdup (text);
  if (!help->client)
    help->client = pmt_engine_client_new (&handlers, help);
  else if (help->ready)
    send_tokens (prompt);
}

static void
on_other (GObject *config, GParamSpec *spec, PmtPromptHelp *help)
{
  for (int i = 0; i < help->n_prompts; i++)
    pmt_token_counter_ask (help->prompts[i].counter);
}

PmtPromptHelp *
pmt_prompt_help_new (GObject *config)
{
  PmtPromptHelp *help = g_new0 (PmtPromptHelp, 1);

  help->config = g_object_ref (config);
  help->id = PMT_N_COMPLETIONS; /* the first ones are those of the names */
  help->words = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_signal_connect (config, "notify::model", G_CALLBACK (on_other), help);
  g_signal_connect (config, "notify::preset", G_CALLBACK (on_other), help);
  return help;
}

void
pmt_prompt_help_add (PmtPromptHelp *help, GtkWidget *widget, const char *member)
{
  Prompt *prompt = &help->prompts[help->n_prompts++];

  g_assert (help->n_prompts <= PMT_PROMPTS);
  prompt->help = help;
  prompt->member = member;
  prompt->text = pmt_prompt_text (widget);
  prompt->counter = g_object_ref (pmt_token_counter_new (prompt->text, on_ask, prompt));
  pmt_prompt_add (widget, prompt->counter);
}

void
pmt_prompt_help_free (PmtPromptHelp *help)
{
  if (!help)
    return;
  pmt_engine_client_free (help->client);
  g_signal_handlers_disconnect_by_data (help->config, help);
  for (int i = 0; i < help->n_prompts; i++) {
    gtk_widget_destroy (help->prompts[i].counter); /* its questions come here */
    g_object_unref (help->prompts[i].counter);
    g_free (help->prompts[i].asked);
  }
  g_hash_table_unref (help->words);
  g_object_unref (help->config);
  g_free (help);
}
