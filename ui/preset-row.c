/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ui/preset-row.h"

#include <glib/gi18n.h>

#include "ui/form.h"
#include "ui/preset-dialogs.h"

typedef struct Row {
  GObject *object;
  char *property;
  PmtPresets *presets;
  const char *(*shown) (const char *name);
  GtkWidget *box, *combo, *style, *rename, *delete;
  gboolean busy; /* the list is being rewritten */
} Row;

static char *
chosen (const Row *row)
{
  char *name = NULL;

  g_object_get (row->object, row->property, &name, NULL);
  return name ? name : g_strdup ("");
}

/* The style in words, or what is wrong with the presets. */
static void
show_style (Row *row, const char *name)
{
  JsonObject *preset = name[0] ? pmt_presets_get (row->presets, name) : NULL;
  const char *style = preset ? pmt_preset_text (preset, "prompt") : "";
  g_autofree char *missing = NULL;

  if (name[0] && !preset)
    style = missing = g_strdup_printf (_("There is no preset “%s” any more: choose another one."), name);
  else if (!name[0] && pmt_presets_problem (row->presets))
    style = pmt_presets_problem (row->presets);
  gtk_label_set_text (GTK_LABEL (row->style), style);
  gtk_widget_set_visible (row->style, style[0] != '\0');
  pmt_window_fit (row->box, FALSE);
}

static void
show (Row *row)
{
  g_autofree char *name = chosen (row);
  g_auto (GStrv) names = pmt_presets_names (row->presets);
  GtkComboBoxText *combo = GTK_COMBO_BOX_TEXT (row->combo);

  row->busy = TRUE;
  gtk_combo_box_text_remove_all (combo);
  gtk_combo_box_text_append (combo, "", _("None"));
  for (char **each = names; *each; each++)
    gtk_combo_box_text_append (combo, *each, row->shown && !pmt_presets_is_own (row->presets, *each) ? row->shown (*each) : *each);
  if (!gtk_combo_box_set_active_id (GTK_COMBO_BOX (combo), name)) {
    gtk_combo_box_text_append (combo, name, name);
    gtk_combo_box_set_active_id (GTK_COMBO_BOX (combo), name);
  }
  row->busy = FALSE;
  gtk_widget_set_sensitive (row->rename, pmt_presets_is_own (row->presets, name));
  gtk_widget_set_sensitive (row->delete, pmt_presets_is_own (row->presets, name));
  show_style (row, name);
}

static void
on_changed (GtkComboBox *combo, Row *row)
{
  const char *id = gtk_combo_box_get_active_id (combo);
  g_autofree char *name = g_strdup (id);
  JsonObject *preset;

  if (row->busy || !name)
    return;
  g_object_set (row->object, row->property, name, NULL);
  preset = name[0] ? pmt_presets_get (row->presets, name) : NULL;
  if (preset)
    pmt_preset_apply (preset, row->object, FALSE);
}

static void
on_notify (GObject *object, GParamSpec *spec, Row *row)
{
  show (row);
}

/* ---- the menu ---- */

static void
on_save (GtkMenuItem *item, Row *row)
{
  g_autofree char *name = chosen (row), *saved = pmt_preset_ask_save (row->box, row->presets, row->object, name);

  if (saved)
    g_object_set (row->object, row->property, saved, NULL);
  show (row);
}

static void
on_rename (GtkMenuItem *item, Row *row)
{
  g_autofree char *name = chosen (row), *renamed = pmt_preset_ask_rename (row->box, row->presets, name);

  if (renamed)
    g_object_set (row->object, row->property, renamed, NULL);
  show (row);
}

static void
on_delete (GtkMenuItem *item, Row *row)
{
  g_autofree char *name = chosen (row);

  if (pmt_preset_ask_delete (row->box, row->presets, name))
    g_object_set (row->object, row->property, "", NULL);
  show (row);
}

static GtkWidget *
item_new (GtkWidget *menu, const char *label, GCallback activated, Row *row)
{
  GtkWidget *item = gtk_menu_item_new_with_mnemonic (label);

  g_signal_connect (item, "activate", activated, row);
  gtk_menu_shell_append (GTK_MENU_SHELL (menu), item);
  gtk_widget_show (item);
  return item;
}

static GtkWidget *
menu_button_new (Row *row)
{
  GtkWidget *button = gtk_menu_button_new (), *menu = gtk_menu_new ();

  item_new (menu, _("_Save as Preset…"), G_CALLBACK (on_save), row);
  row->rename = item_new (menu, _("_Rename…"), G_CALLBACK (on_rename), row);
  row->delete = item_new (menu, _("_Delete…"), G_CALLBACK (on_delete), row);
  gtk_menu_button_set_popup (GTK_MENU_BUTTON (button), menu);
  gtk_button_set_image (GTK_BUTTON (button), gtk_image_new_from_icon_name ("open-menu-symbolic", GTK_ICON_SIZE_BUTTON));
  gtk_widget_set_tooltip_text (button, _("Save, rename and delete presets"));
  atk_object_set_name (gtk_widget_get_accessible (button), _("Presets"));
  return button;
}

static void
row_free (gpointer data)
{
  Row *row = data;

  pmt_presets_free (row->presets);
  g_object_unref (row->object);
  g_free (row->property);
  g_free (row);
}

static void
on_destroy (GtkWidget *box, Row *row)
{
  g_signal_handlers_disconnect_by_data (row->object, row);
}

GtkWidget *
pmt_preset_row_new (GObject *object, const char *property, PmtPresets *presets, const char *(*shown) (const char *name))
{
  GtkWidget *all = gtk_box_new (GTK_ORIENTATION_VERTICAL, 3), *line = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  g_autofree char *signal = g_strconcat ("notify::", property, NULL);
  Row *row = g_new0 (Row, 1);

  row->object = g_object_ref (object);
  row->property = g_strdup (property);
  row->presets = presets;
  row->shown = shown;
  row->box = all;
  row->combo = gtk_combo_box_text_new ();
  row->style = gtk_label_new (NULL);
  gtk_label_set_xalign (GTK_LABEL (row->style), 0);
  gtk_label_set_line_wrap (GTK_LABEL (row->style), TRUE);
  gtk_label_set_max_width_chars (GTK_LABEL (row->style), 40);
  gtk_style_context_add_class (gtk_widget_get_style_context (row->style), GTK_STYLE_CLASS_DIM_LABEL);
  gtk_box_pack_start (GTK_BOX (line), row->combo, TRUE, TRUE, 0);
  gtk_box_pack_start (GTK_BOX (line), menu_button_new (row), FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (all), line, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (all), row->style, FALSE, FALSE, 0);
  gtk_widget_show_all (all);
  g_object_set_data_full (G_OBJECT (all), "pmt-preset-row", row, row_free);
  show (row);
  g_signal_connect (row->combo, "changed", G_CALLBACK (on_changed), row);
  g_signal_connect (object, signal, G_CALLBACK (on_notify), row);
  g_signal_connect (all, "destroy", G_CALLBACK (on_destroy), row);
  return all;
}
