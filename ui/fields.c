/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ui/fields.h"

#include <math.h>
#include <string.h>

#define BOTH_WAYS (G_BINDING_BIDIRECTIONAL | G_BINDING_SYNC_CREATE)

/* ---- numbers ---- */

#define SPECIAL "pmt-special"

static const char *
special_of (GtkSpinButton *spin)
{
  return g_object_get_data (G_OBJECT (spin), SPECIAL);
}

/* The special text stands for the least value. */
static gboolean
on_output (GtkSpinButton *spin, gpointer unused)
{
  const char *special = special_of (spin);
  double min;

  gtk_spin_button_get_range (spin, &min, NULL);
  if (gtk_spin_button_get_value (spin) > min)
    return FALSE;
  if (strcmp (gtk_entry_get_text (GTK_ENTRY (spin)), special) != 0)
    gtk_entry_set_text (GTK_ENTRY (spin), special);
  return TRUE;
}

static int
on_input (GtkSpinButton *spin, double *value, gpointer unused)
{
  const char *text = gtk_entry_get_text (GTK_ENTRY (spin));

  if (text[0] && strcmp (text, special_of (spin)) != 0)
    return FALSE;
  gtk_spin_button_get_range (spin, value, NULL);
  return TRUE;
}

GtkWidget *
pmt_number_new (GObject *object, const char *property, double min, double max, double step, int digits, const char *special)
{
  GtkWidget *spin = gtk_spin_button_new_with_range (min, max, step);

  gtk_spin_button_set_digits (GTK_SPIN_BUTTON (spin), (guint) digits);
  gtk_spin_button_set_numeric (GTK_SPIN_BUTTON (spin), special == NULL);
  if (special) {
    g_object_set_data_full (G_OBJECT (spin), SPECIAL, g_strdup (special), g_free);
    g_signal_connect (spin, "output", G_CALLBACK (on_output), NULL);
    g_signal_connect (spin, "input", G_CALLBACK (on_input), NULL);
  }
  g_object_bind_property (object, property, spin, "value", BOTH_WAYS);
  /* a value that was the least one from the start was never put out */
  if (special && gtk_spin_button_get_value (GTK_SPIN_BUTTON (spin)) <= min)
    gtk_entry_set_text (GTK_ENTRY (spin), special);
  gtk_widget_show (spin);
  return spin;
}

void
pmt_number_set_special (GtkWidget *number, const char *special)
{
  double min;

  gtk_spin_button_get_range (GTK_SPIN_BUTTON (number), &min, NULL);
  g_object_set_data_full (G_OBJECT (number), SPECIAL, g_strdup (special), g_free);
  if (gtk_spin_button_get_value (GTK_SPIN_BUTTON (number)) <= min)
    gtk_entry_set_text (GTK_ENTRY (number), special);
}

static char *
on_format_percent (GtkScale *scale, double value, gpointer unused)
{
  return g_strdup_printf ("%.0f %%", value * 100);
}

GtkWidget *
pmt_percent_new (GObject *object, const char *property, double min)
{
  GtkWidget *scale = gtk_scale_new_with_range (GTK_ORIENTATION_HORIZONTAL, min, 1, 0.01);

  gtk_scale_set_value_pos (GTK_SCALE (scale), GTK_POS_RIGHT);
  gtk_range_set_increments (GTK_RANGE (scale), 0.01, 0.1);
  g_signal_connect (scale, "format-value", G_CALLBACK (on_format_percent), NULL);
  g_object_bind_property (object, property, gtk_range_get_adjustment (GTK_RANGE (scale)), "value", BOTH_WAYS);
  gtk_widget_show (scale);
  return scale;
}

/* ---- texts ---- */

/* The settings changed from outside: a value that nobody listed is listed now. */
static gboolean
to_active_id (GBinding *binding, const GValue *from, GValue *to, gpointer unused)
{
  const char *id = g_value_get_string (from);
  GtkComboBox *combo = GTK_COMBO_BOX (g_binding_dup_target (binding));

  if (!id)
    id = "";
  if (!gtk_combo_box_set_active_id (combo, id))
    gtk_combo_box_text_append (GTK_COMBO_BOX_TEXT (combo), id, id);
  g_value_set_string (to, id);
  g_object_unref (combo);
  return TRUE;
}

/* While the list changes no row is the chosen one; the property keeps its value then. */
static gboolean
from_active_id (GBinding *binding, const GValue *from, GValue *to, gpointer unused)
{
  if (!g_value_get_string (from))
    return FALSE;
  g_value_copy (from, to);
  return TRUE;
}

GtkWidget *
pmt_choice_new (GObject *object, const char *property)
{
  GtkWidget *combo = gtk_combo_box_text_new ();

  g_object_set_data_full (G_OBJECT (combo), "pmt-property", g_strdup (property), g_free);
  g_object_set_data_full (G_OBJECT (combo), "pmt-object", g_object_ref (object), g_object_unref);
  gtk_widget_show (combo);
  return combo;
}

static void
bind_choice (GtkWidget *choice)
{
  GObject *object = g_object_get_data (G_OBJECT (choice), "pmt-object");

  g_object_bind_property_full (object, g_object_get_data (G_OBJECT (choice), "pmt-property"), choice, "active-id", BOTH_WAYS, to_active_id,
                               from_active_id, NULL, NULL);
}

void
pmt_choice_add (GtkWidget *choice, const char *id, const char *label)
{
  GtkTreeModel *model = gtk_combo_box_get_model (GTK_COMBO_BOX (choice));
  int id_column = gtk_combo_box_get_id_column (GTK_COMBO_BOX (choice));
  int text_column = gtk_combo_box_get_entry_text_column (GTK_COMBO_BOX (choice));
  GtkTreeIter iter;
  gboolean first = !gtk_tree_model_get_iter_first (model, &iter);

  /* the id may stand there under its own name already */
  for (gboolean more = !first; more; more = gtk_tree_model_iter_next (model, &iter)) {
    g_autofree char *known = NULL;
    gtk_tree_model_get (model, &iter, id_column, &known, -1);
    if (g_strcmp0 (known, id) == 0) {
      gtk_list_store_set (GTK_LIST_STORE (model), &iter, MAX (text_column, 0), label, -1);
      return;
    }
  }
  gtk_combo_box_text_append (GTK_COMBO_BOX_TEXT (choice), id, label);
  if (first)
    bind_choice (choice);
}

GtkWidget *
pmt_entry_new (GObject *object, const char *property, const char *hint)
{
  GtkWidget *entry = gtk_entry_new ();

  gtk_entry_set_placeholder_text (GTK_ENTRY (entry), hint);
  gtk_entry_set_activates_default (GTK_ENTRY (entry), TRUE);
  g_object_bind_property (object, property, entry, "text", BOTH_WAYS);
  gtk_widget_show (entry);
  return entry;
}

GtkWidget *
pmt_check_new (GObject *object, const char *property, const char *label, const char *tip)
{
  GtkWidget *check = gtk_check_button_new_with_mnemonic (label);

  gtk_widget_set_tooltip_text (check, tip);
  g_object_bind_property (object, property, check, "active", BOTH_WAYS);
  gtk_widget_show (check);
  return check;
}

/* ---- defaults ---- */

gboolean
pmt_field_exists (gpointer object, const char *property)
{
  return g_object_class_find_property (G_OBJECT_GET_CLASS (object), property) != NULL;
}

gboolean
pmt_field_is_default (GObject *object, const char *property)
{
  GParamSpec *spec = g_object_class_find_property (G_OBJECT_GET_CLASS (object), property);
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, G_PARAM_SPEC_VALUE_TYPE (spec));
  g_object_get_property (object, property, &value);
  if (G_VALUE_HOLDS_STRING (&value) && !g_value_get_string (&value))
    g_value_set_static_string (&value, "");
  return g_param_value_defaults (spec, &value);
}

void
pmt_field_reset (GObject *object, const char *property)
{
  GParamSpec *spec = g_object_class_find_property (G_OBJECT_GET_CLASS (object), property);
  g_auto (GValue) value = G_VALUE_INIT;

  g_value_init (&value, G_PARAM_SPEC_VALUE_TYPE (spec));
  g_param_value_set_default (spec, &value);
  g_object_set_property (object, property, &value);
}

void
pmt_field_fill_texts (GObject *object)
{
  guint n = 0;
  g_autofree GParamSpec **specs = g_object_class_list_properties (G_OBJECT_GET_CLASS (object), &n);

  for (guint i = 0; i < n; i++) {
    g_autofree char *value = NULL;
    if (G_PARAM_SPEC_TYPE (specs[i]) != G_TYPE_PARAM_STRING || !(specs[i]->flags & G_PARAM_WRITABLE))
      continue;
    g_object_get (object, specs[i]->name, &value, NULL);
    if (!value)
      g_object_set (object, specs[i]->name, "", NULL);
  }
}
