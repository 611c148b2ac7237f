/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/engine-list.h"

#include <glib/gi18n.h>

#include "plugin/engine-client.h"
#include "ui/fields.h"

struct PmtEngineList {
  PmtEngineClient *client;
  char *kind;
  void (*answer) (gpointer user, JsonArray *entries);
  gpointer user;
  GPtrArray *choices; /* GtkWidget; NULL: somebody else asked */
};

/* Lists that got no answer; NULL: none. */
static GPtrArray *unanswered;

static void
on_ready (gpointer user, JsonObject *hello)
{
  PmtEngineList *list = user;

  pmt_engine_client_send (list->client, pmt_engine_message_new (list->kind, 1), NULL);
}

static void
on_message (gpointer user, JsonObject *message, GBytes *payload)
{
  PmtEngineList *list = user;
  JsonNode *node = json_object_get_member (message, list->kind);
  JsonArray *entries = node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;

  if (entries)
    list->answer (list->user, entries);
  g_clear_pointer (&list->client, pmt_engine_client_free);
}

static void
add_choices (gpointer user, JsonArray *entries)
{
  PmtEngineList *list = user;

  for (guint i = 0; i < json_array_get_length (entries); i++) {
    JsonNode *element = json_array_get_element (entries, i);
    JsonObject *entry = JSON_NODE_HOLDS_OBJECT (element) ? json_node_get_object (element) : NULL;
    const char *id = entry ? json_object_get_string_member_with_default (entry, "id", NULL) : NULL;
    const char *label = entry ? json_object_get_string_member_with_default (entry, "label", id) : NULL;
    for (guint k = 0; id && label && k < list->choices->len; k++)
      pmt_choice_add (g_ptr_array_index (list->choices, k), id, _(label)); /* the catalogue has the engine's labels too */
  }
}

static void
on_failed (gpointer user, const GError *error)
{
  PmtEngineList *list = user;

  g_clear_pointer (&list->client, pmt_engine_client_free);
  if (!unanswered)
    unanswered = g_ptr_array_new ();
  g_ptr_array_add (unanswered, list);
}

static void
ask (PmtEngineList *list)
{
  const PmtEngineHandlers handlers = { on_ready, on_message, on_failed };

  list->client = pmt_engine_client_new (&handlers, list);
}

void
pmt_engine_list_again (void)
{
  g_autoptr (GPtrArray) lists = g_steal_pointer (&unanswered);

  for (guint i = 0; lists && i < lists->len; i++)
    ask (g_ptr_array_index (lists, i));
}

PmtEngineList *
pmt_engine_list_ask (const char *kind, void (*answer) (gpointer user, JsonArray *entries), gpointer user)
{
  PmtEngineList *list = g_new0 (PmtEngineList, 1);

  list->kind = g_strdup (kind);
  list->answer = answer;
  list->user = user;
  ask (list);
  return list;
}

PmtEngineList *
pmt_engine_list_fill (const char *kind, GtkWidget *const *choices, int n)
{
  PmtEngineList *list = pmt_engine_list_ask (kind, add_choices, NULL);

  list->user = list;
  list->choices = g_ptr_array_new_with_free_func (g_object_unref);
  for (int i = 0; i < n; i++)
    g_ptr_array_add (list->choices, g_object_ref (choices[i]));
  return list;
}

void
pmt_engine_list_free (PmtEngineList *list)
{
  if (!list)
    return;
  if (unanswered)
    g_ptr_array_remove_fast (unanswered, list);
  pmt_engine_client_free (list->client);
  if (list->choices)
    g_ptr_array_unref (list->choices);
  g_free (list->kind);
  g_free (list);
}
