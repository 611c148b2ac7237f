/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/sampler-list.h"

#include <glib/gi18n.h>

#include "plugin/engine-client.h"
#include "ui/fields.h"

struct PmtSamplerList {
  PmtEngineClient *client;
  GtkWidget *choice;
};

static void
on_ready (gpointer user, JsonObject *hello)
{
  PmtSamplerList *list = user;

  pmt_engine_client_send (list->client, pmt_engine_message_new ("samplers", 1), NULL);
}

static void
on_message (gpointer user, JsonObject *message, GBytes *payload)
{
  PmtSamplerList *list = user;
  JsonNode *node = json_object_get_member (message, "samplers");
  JsonArray *samplers = node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;

  for (guint i = 0; samplers && i < json_array_get_length (samplers); i++) {
    JsonNode *element = json_array_get_element (samplers, i);
    JsonObject *sampler = JSON_NODE_HOLDS_OBJECT (element) ? json_node_get_object (element) : NULL;
    const char *id = sampler ? json_object_get_string_member_with_default (sampler, "id", NULL) : NULL;
    const char *label = sampler ? json_object_get_string_member_with_default (sampler, "label", id) : NULL;
    if (id && label)
      pmt_choice_add (list->choice, id, _(label)); /* the catalogue has the engine's labels too */
  }
  g_clear_pointer (&list->client, pmt_engine_client_free);
}

static void
on_failed (gpointer user, const GError *error)
{
  PmtSamplerList *list = user;

  g_clear_pointer (&list->client, pmt_engine_client_free);
}

PmtSamplerList *
pmt_sampler_list_fill (GtkWidget *choice)
{
  const PmtEngineHandlers handlers = { on_ready, on_message, on_failed };
  PmtSamplerList *list = g_new0 (PmtSamplerList, 1);

  list->choice = g_object_ref (choice);
  list->client = pmt_engine_client_new (&handlers, list);
  return list;
}

void
pmt_sampler_list_free (PmtSamplerList *list)
{
  pmt_engine_client_free (list->client);
  g_object_unref (list->choice);
  g_free (list);
}
