/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/method-fields.h"

#include "plugin/engine-list.h"
#include "plugin/recipe.h"
#include "ui/method-list.h"

typedef struct Fields {
  GObject *config;
  GtkWidget *list, *wrong; /* wrong: what is not understood of the text */
  PmtEngineList *tables;
  gboolean busy; /* the text is being written by the list */
} Fields;

static void
on_changed (gpointer user, JsonArray *chosen)
{
  Fields *fields = user;
  g_autoptr (JsonNode) node = json_node_init_array (json_node_alloc (), chosen);
  g_autofree char *text = json_array_get_length (chosen) ? json_to_string (node, FALSE) : g_strdup ("");

  fields->busy = TRUE;
  g_object_set (fields->config, "methods", text, NULL);
  fields->busy = FALSE;
  gtk_widget_hide (fields->wrong);
}

/* TRUE when there are methods. */
static gboolean
show_text (Fields *fields)
{
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;
  JsonArray *chosen;

  g_object_get (fields->config, "methods", &text, NULL);
  chosen = pmt_recipe_parse_methods (text, &error);
  pmt_method_list_set (fields->list, chosen);
  gtk_widget_set_visible (fields->wrong, error != NULL);
  gtk_label_set_text (GTK_LABEL (fields->wrong), error ? error->message : "");
  if (!chosen)
    return error != NULL;
  json_array_unref (chosen);
  return TRUE;
}

static void
on_notify (GObject *config, GParamSpec *spec, Fields *fields)
{
  if (!fields->busy)
    show_text (fields);
}

static void
on_tables (gpointer user, JsonArray *entries)
{
  Fields *fields = user;

  pmt_method_list_offer (fields->list, entries);
}

static void
on_destroy (GtkWidget *box, Fields *fields)
{
  g_signal_handlers_disconnect_by_data (fields->config, fields);
  pmt_engine_list_free (fields->tables);
  g_object_unref (fields->config);
  g_free (fields);
}

GtkWidget *
pmt_method_fields_new (GObject *config, gboolean *open)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 6);
  Fields *fields = g_new0 (Fields, 1);

  fields->config = g_object_ref (config);
  fields->list = pmt_method_list_new (on_changed, fields);
  fields->wrong = gtk_label_new (NULL);
  gtk_label_set_line_wrap (GTK_LABEL (fields->wrong), TRUE);
  gtk_label_set_xalign (GTK_LABEL (fields->wrong), 0);
  gtk_box_pack_start (GTK_BOX (box), fields->wrong, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box), fields->list, FALSE, FALSE, 0);
  *open |= show_text (fields);
  fields->tables = pmt_engine_list_ask ("methods", on_tables, fields);
  g_signal_connect (config, "notify::methods", G_CALLBACK (on_notify), fields);
  g_signal_connect (box, "destroy", G_CALLBACK (on_destroy), fields);
  gtk_widget_show (box);
  return box;
}
