/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Methods that are added, set and removed, and what a recipe gets of it. */
#include <string.h>

#include "tests/ui/window.h"
#include "ui/method-list.h"

static const char tables[] =
  "[{'id': 'sharp', 'label': 'Sharper words', 'summary': 'Makes sure that these words are seen.', 'conflicts': [], 'params': ["
  "{'id': 'words', 'label': '_Words', 'help': 'Which words', 'type': 'string', 'default': ''},"
  "{'id': 'scale', 'label': '_Scale', 'help': 'How strongly', 'type': 'double', 'default': 20.0, 'min': 0.0, 'max': 100.0},"
  "{'id': 'enough', 'label': '_Enough', 'help': 'How near', 'type': 'double', 'default': 0.00001, 'min': 0.0, 'max': 1.0},"
  "{'id': 'rounds', 'label': '_Rounds', 'help': 'How often', 'type': 'int', 'default': 3, 'min': 1, 'max': 9},"
  "{'id': 'wrap', 'label': 'W_rap', 'help': 'Round the edge', 'type': 'bool', 'default': false},"
  "{'id': 'kind', 'label': '_Kind', 'help': 'Which way', 'type': 'choice', 'default': 'soft', 'choices': ["
  "{'id': 'soft', 'label': 'Soft'}, {'id': 'hard', 'label': 'Hard'}]}]},"
  "17, {'label': 'no id'},"
  "{'id': 'plain', 'label': 'Plain', 'summary': 'Has nothing to set.', 'conflicts': [], 'params': []}]";

static char *said;

static void
on_changed (gpointer user, JsonArray *chosen)
{
  g_autoptr (JsonNode) node = json_node_init_array (json_node_alloc (), chosen);

  g_free (said);
  said = json_to_string (node, FALSE);
}

static JsonArray *
array_of (const char *text)
{
  g_autofree char *json = g_strdelimit (g_strdup (text), "'", '"');
  g_autoptr (JsonNode) node = json_from_string (json, NULL);

  g_assert_nonnull (node);
  return json_node_dup_array (node);
}

static GtkWidget *
open_list (gboolean offered)
{
  GtkWidget *list = pmt_method_list_new (on_changed, NULL);
  JsonArray *table = array_of (tables);

  if (offered)
    pmt_method_list_offer (list, table);
  json_array_unref (table);
  g_clear_pointer (&said, g_free);
  return list;
}

/* The field that a label belongs to. */
static GtkWidget *
labelled (GtkWidget *parent, const char *label)
{
  GtkWidget *found = NULL;

  if (GTK_IS_LABEL (parent) && strcmp (gtk_label_get_text (GTK_LABEL (parent)), label) == 0)
    return gtk_label_get_mnemonic_widget (GTK_LABEL (parent));
  if (!GTK_IS_CONTAINER (parent))
    return NULL;
  g_autoptr (GList) children = gtk_container_get_children (GTK_CONTAINER (parent));
  for (GList *at = children; at && !found; at = at->next)
    found = labelled (at->data, label);
  return found;
}

static void
test_add (void)
{
  GtkWidget *list = open_list (TRUE), *window = window_new (list), *menu = named (list, "Add a method");

  g_assert_true (gtk_combo_box_set_active_id (GTK_COMBO_BOX (menu), "sharp"));
  g_assert_cmpstr (said, ==, "[{\"id\":\"sharp\"}]");
  g_assert_false (gtk_combo_box_set_active_id (GTK_COMBO_BOX (menu), "sharp")); /* once */
  gtk_spin_button_update (GTK_SPIN_BUTTON (labelled (list, "Enough"))); /* as the focus does that passes */
  g_assert_cmpstr (said, ==, "[{\"id\":\"sharp\"}]");
  gtk_entry_set_text (GTK_ENTRY (labelled (list, "Words")), "cat hat");
  g_assert_cmpstr (said, ==, "[{\"id\":\"sharp\",\"words\":\"cat hat\"}]");
  gtk_spin_button_set_value (GTK_SPIN_BUTTON (labelled (list, "Scale")), 35.5);
  gtk_toggle_button_set_active (GTK_TOGGLE_BUTTON (labelled (list, "Wrap")), TRUE);
  g_assert_cmpstr (said, ==, "[{\"id\":\"sharp\",\"words\":\"cat hat\",\"scale\":35.5,\"wrap\":true}]");
  g_assert_true (gtk_combo_box_set_active_id (GTK_COMBO_BOX (menu), "plain"));
  shot (window, "methods");
  /* back at its default a value is no member */
  gtk_spin_button_set_value (GTK_SPIN_BUTTON (labelled (list, "Scale")), 20);
  gtk_toggle_button_set_active (GTK_TOGGLE_BUTTON (labelled (list, "Wrap")), FALSE);
  g_assert_cmpstr (said, ==, "[{\"id\":\"sharp\",\"words\":\"cat hat\"},{\"id\":\"plain\"}]");
  gtk_button_clicked (GTK_BUTTON (named (list, "Remove “Sharper words”")));
  g_assert_cmpstr (said, ==, "[{\"id\":\"plain\"}]");
  g_assert_true (gtk_combo_box_set_active_id (GTK_COMBO_BOX (menu), "sharp")); /* and can be had again */
  gtk_widget_destroy (window);
  settle ();
}

/* What was set is shown, without a word; what no table knows stays as it is, before the tables come and after. */
static void
test_set (void)
{
  GtkWidget *list = open_list (FALSE), *window = window_new (list), *menu = named (list, "Add a method");
  JsonArray *chosen = array_of ("[{'id': 'old', 'depth': [1, 2]}, {'id': 'sharp', 'rounds': 7, 'kind': 'hard', 'more': 1}]"), *table = array_of (tables);

  pmt_method_list_set (list, chosen);
  g_assert_null (said);
  g_assert_null (first_of (list, GTK_TYPE_SPIN_BUTTON));
  pmt_method_list_offer (list, table);
  g_assert_null (said);
  g_assert_nonnull (first_of (list, GTK_TYPE_SPIN_BUTTON));
  gtk_combo_box_set_active_id (GTK_COMBO_BOX (menu), "plain");
  g_assert_cmpstr (said, ==, "[{\"id\":\"old\",\"depth\":[1,2]},{\"id\":\"sharp\",\"rounds\":7,\"kind\":\"hard\",\"more\":1},{\"id\":\"plain\"}]");
  g_assert_cmpuint (json_array_get_length (chosen), ==, 2); /* the caller's own is left alone */
  pmt_method_list_set (list, NULL);
  gtk_combo_box_set_active_id (GTK_COMBO_BOX (menu), "plain");
  g_assert_cmpstr (said, ==, "[{\"id\":\"plain\"}]");
  json_array_unref (chosen);
  json_array_unref (table);
  gtk_widget_destroy (window);
  settle ();
}

int
main (int argc, char **argv)
{
  gtk_test_init (&argc, &argv, NULL);
  g_test_add_func ("/method-list/add", test_add);
  g_test_add_func ("/method-list/set", test_set);
  return g_test_run ();
}
