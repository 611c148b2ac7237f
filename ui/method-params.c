/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ui/method-params.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

#include "ui/form.h"

typedef struct Field {
  JsonObject *param, *values;
  char *id;
  void (*changed) (gpointer user);
  gpointer user;
} Field;

static void
field_free (gpointer data, GClosure *closure)
{
  Field *field = data;

  json_object_unref (field->param);
  json_object_unref (field->values);
  g_free (field->id);
  g_free (field);
}

static const char *
text_of (JsonObject *object, const char *member, const char *fallback)
{
  JsonNode *node = object ? json_object_get_member (object, member) : NULL;

  return node && JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_STRING ? json_node_get_string (node) : fallback;
}

/* A number, also for true and false. */
static double
number_of (JsonObject *object, const char *member, double fallback)
{
  JsonNode *node = json_object_get_member (object, member);

  if (!node || !JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) == G_TYPE_STRING)
    return fallback;
  return json_node_get_value_type (node) == G_TYPE_BOOLEAN ? json_node_get_boolean (node) : json_node_get_double (node);
}

/* Takes the node. */
static void
put (Field *field, JsonNode *node, gboolean is_default)
{
  if (is_default)
    json_object_remove_member (field->values, field->id);
  else
    json_object_set_member (field->values, field->id, json_node_copy (node));
  json_node_unref (node);
  field->changed (field->user);
}

static void
put_text (Field *field, const char *text)
{
  JsonNode *node = json_node_new (JSON_NODE_VALUE);

  json_node_set_string (node, text);
  put (field, node, strcmp (text, text_of (field->param, "default", "")) == 0);
}

static void
on_text (GtkEditable *entry, Field *field)
{
  put_text (field, gtk_entry_get_text (GTK_ENTRY (entry)));
}

static void
on_choice (GtkComboBox *combo, Field *field)
{
  const char *id = gtk_combo_box_get_active_id (combo);

  if (id)
    put_text (field, id);
}

static void
on_check (GtkToggleButton *check, Field *field)
{
  JsonNode *node = json_node_new (JSON_NODE_VALUE);
  const gboolean on = gtk_toggle_button_get_active (check);

  json_node_set_boolean (node, on);
  put (field, node, on == (number_of (field->param, "default", 0) != 0));
}

static void
on_number (GtkSpinButton *spin, Field *field)
{
  JsonNode *node = json_node_new (JSON_NODE_VALUE);
  const double value = gtk_spin_button_get_value (spin);

  if (strcmp (text_of (field->param, "type", ""), "int") == 0)
    json_node_set_int (node, (gint64) value);
  else
    json_node_set_double (node, value);
  put (field, node, fabs (value - number_of (field->param, "default", 0)) < 1e-9);
}

static GtkWidget *
number_field (Field *field, gboolean whole)
{
  const double min = number_of (field->param, "min", 0), max = number_of (field->param, "max", 1e6), reach = max - min;
  const double fallback = number_of (field->param, "default", min);
  const gboolean fine = !whole && fallback > 0 && fallback < 0.05; /* two digits would round it away */
  const double step = whole ? 1 : fine ? fallback : reach <= 1 ? 0.05 : reach <= 20 ? 0.1 : 1;
  GtkWidget *spin = gtk_spin_button_new_with_range (min, MAX (max, min + step), step);

  gtk_spin_button_set_digits (GTK_SPIN_BUTTON (spin), whole ? 0 : fine ? 6 : 2);
  gtk_spin_button_set_value (GTK_SPIN_BUTTON (spin), number_of (field->values, field->id, fallback));
  g_signal_connect_data (spin, "value-changed", G_CALLBACK (on_number), field, field_free, 0);
  return spin;
}

static GtkWidget *
choice_field (Field *field, const char *value)
{
  JsonNode *node = json_object_get_member (field->param, "choices");
  JsonArray *choices = node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
  GtkWidget *combo = gtk_combo_box_text_new ();

  for (guint i = 0; choices && i < json_array_get_length (choices); i++) {
    JsonNode *element = json_array_get_element (choices, i);
    JsonObject *choice = JSON_NODE_HOLDS_OBJECT (element) ? json_node_get_object (element) : NULL;
    const char *id = text_of (choice, "id", NULL), *label = text_of (choice, "label", id);
    if (id)
      gtk_combo_box_text_append (GTK_COMBO_BOX_TEXT (combo), id, _(label));
  }
  if (!gtk_combo_box_set_active_id (GTK_COMBO_BOX (combo), value)) {
    gtk_combo_box_text_append (GTK_COMBO_BOX_TEXT (combo), value, value);
    gtk_combo_box_set_active_id (GTK_COMBO_BOX (combo), value);
  }
  g_signal_connect_data (combo, "changed", G_CALLBACK (on_choice), field, field_free, 0);
  return combo;
}

static GtkWidget *
check_field (Field *field)
{
  GtkWidget *check = gtk_check_button_new ();

  gtk_toggle_button_set_active (GTK_TOGGLE_BUTTON (check), number_of (field->values, field->id, number_of (field->param, "default", 0)) != 0);
  gtk_widget_set_halign (check, GTK_ALIGN_START);
  g_signal_connect_data (check, "toggled", G_CALLBACK (on_check), field, field_free, 0);
  return check;
}

static GtkWidget *
text_field (Field *field, const char *value)
{
  GtkWidget *entry = gtk_entry_new ();

  gtk_entry_set_text (GTK_ENTRY (entry), value);
  gtk_entry_set_activates_default (GTK_ENTRY (entry), TRUE);
  g_signal_connect_data (entry, "changed", G_CALLBACK (on_text), field, field_free, 0);
  return entry;
}

/* Takes the field. */
static GtkWidget *
widget_for (Field *field)
{
  const char *type = text_of (field->param, "type", "string");
  const char *value = text_of (field->values, field->id, text_of (field->param, "default", ""));

  if (strcmp (type, "bool") == 0)
    return check_field (field);
  if (strcmp (type, "int") == 0 || strcmp (type, "double") == 0)
    return number_field (field, type[0] == 'i');
  return strcmp (type, "choice") == 0 ? choice_field (field, value) : text_field (field, value);
}

/* The tables' mnemonics are for dialogs that have the field to themselves. */
static char *
without_mnemonic (const char *label)
{
  g_auto (GStrv) parts = g_strsplit (label, "_", -1);

  return g_strjoinv ("", parts);
}

GtkWidget *
pmt_method_params_new (JsonArray *table, JsonObject *values, void (*changed) (gpointer user), gpointer user)
{
  GtkWidget *form = pmt_form_new ();

  for (guint i = 0; i < json_array_get_length (table); i++) {
    JsonNode *element = json_array_get_element (table, i);
    JsonObject *param = JSON_NODE_HOLDS_OBJECT (element) ? json_node_get_object (element) : NULL;
    const char *id = text_of (param, "id", NULL);
    if (!id || strcmp (id, "id") == 0)
      continue;
    Field *field = g_new0 (Field, 1);
    *field = (Field) { json_object_ref (param), json_object_ref (values), g_strdup (id), changed, user };
    g_autofree char *label = without_mnemonic (_(text_of (param, "label", id)));
    const char *help = text_of (param, "help", "");
    GtkWidget *widget = widget_for (field);
    gtk_widget_show (widget);
    pmt_form_add (form, label, widget, help[0] ? _(help) : NULL);
  }
  return form;
}
