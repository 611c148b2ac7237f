/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ui/method-list.h"

#include <glib/gi18n.h>
#include <string.h>

#include "ui/method-params.h"

#define DATA "pmt-methods"

typedef struct List {
  GtkWidget *rows, *menu;
  JsonArray *offered, *chosen; /* chosen: one object per row, which its fields edit */
  PmtMethodsChanged *changed;
  gpointer user;
  gboolean busy; /* the menu is being filled */
} List;

static void
list_free (gpointer data)
{
  List *list = data;

  json_array_unref (list->offered);
  json_array_unref (list->chosen);
  g_free (list);
}

static const char *
text_of (JsonObject *object, const char *member)
{
  JsonNode *node = json_object_get_member (object, member);

  return node && JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_STRING ? json_node_get_string (node) : NULL;
}

static JsonObject *
object_at (JsonArray *array, guint i)
{
  JsonNode *node = json_array_get_element (array, i);

  return JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
}

/* The first entry with this id; NULL. */
static JsonObject *
find (JsonArray *array, const char *id)
{
  for (guint i = 0; id && i < json_array_get_length (array); i++) {
    JsonObject *object = object_at (array, i);
    if (object && g_strcmp0 (text_of (object, "id"), id) == 0)
      return object;
  }
  return NULL;
}

static void
tell (gpointer user)
{
  List *list = user;

  list->changed (list->user, list->chosen);
}

static void fill (List *list);

static void
on_remove (GtkButton *button, List *list)
{
  JsonObject *method = g_object_get_data (G_OBJECT (button), DATA);

  for (guint i = json_array_get_length (list->chosen); i-- > 0;)
    if (object_at (list->chosen, i) == method) {
      json_array_remove_element (list->chosen, i);
      break;
    }
  fill (list);
  tell (list);
  gtk_widget_grab_focus (list->menu);
}

static GtkWidget *
remove_button (List *list, JsonObject *method, const char *label)
{
  GtkWidget *button = gtk_button_new_from_icon_name ("list-remove-symbolic", GTK_ICON_SIZE_BUTTON);
  g_autofree char *name = g_strdup_printf (_("Remove “%s”"), label);

  gtk_widget_set_tooltip_text (button, name);
  atk_object_set_name (gtk_widget_get_accessible (button), name);
  g_object_set_data_full (G_OBJECT (button), DATA, json_object_ref (method), (GDestroyNotify) json_object_unref);
  g_signal_connect (button, "clicked", G_CALLBACK (on_remove), list);
  return button;
}

/* Sentences as wide as the dialog is anyway. */
static GtkWidget *
sentence (const char *text)
{
  GtkWidget *label = gtk_label_new (text);

  gtk_label_set_xalign (GTK_LABEL (label), 0);
  gtk_label_set_line_wrap (GTK_LABEL (label), TRUE);
  gtk_label_set_max_width_chars (GTK_LABEL (label), 40);
  gtk_style_context_add_class (gtk_widget_get_style_context (label), GTK_STYLE_CLASS_DIM_LABEL);
  return label;
}

/* Values of a method that no table tells about, as they stand. */
static char *
values_text (JsonObject *method)
{
  g_autoptr (JsonNode) node = json_node_init_object (json_node_alloc (), method);

  return json_to_string (node, FALSE);
}

static GtkWidget *
row_new (List *list, JsonObject *method)
{
  const char *id = text_of (method, "id");
  JsonObject *about = find (list->offered, id);
  const char *label = about ? text_of (about, "label") : NULL, *summary = about ? text_of (about, "summary") : NULL;
  JsonNode *params = about ? json_object_get_member (about, "params") : NULL;
  GtkWidget *frame = gtk_frame_new (NULL), *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 6), *head = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  GtkWidget *title = gtk_label_new (label ? _(label) : id ? id : _("unknown method"));
  g_autofree char *raw = about ? NULL : values_text (method);

  gtk_label_set_xalign (GTK_LABEL (title), 0);
  gtk_label_set_line_wrap (GTK_LABEL (title), TRUE);
  g_object_set (box, "margin", 8, NULL);
  gtk_box_pack_start (GTK_BOX (head), title, TRUE, TRUE, 0);
  gtk_box_pack_end (GTK_BOX (head), remove_button (list, method, gtk_label_get_text (GTK_LABEL (title))), FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box), head, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box), sentence (raw ? raw : summary ? _(summary) : ""), FALSE, FALSE, 0);
  if (params && JSON_NODE_HOLDS_ARRAY (params) && json_array_get_length (json_node_get_array (params)) > 0)
    gtk_box_pack_start (GTK_BOX (box), pmt_method_params_new (json_node_get_array (params), method, tell, list), FALSE, FALSE, 0);
  gtk_container_add (GTK_CONTAINER (frame), box);
  gtk_widget_show_all (frame);
  return frame;
}

static void
fill_menu (List *list)
{
  GtkComboBoxText *menu = GTK_COMBO_BOX_TEXT (list->menu);

  list->busy = TRUE;
  gtk_combo_box_text_remove_all (menu);
  gtk_combo_box_text_append (menu, "", json_array_get_length (list->offered) ? _("Add a method…") : _("Asking the engine…"));
  for (guint i = 0; i < json_array_get_length (list->offered); i++) {
    JsonObject *about = object_at (list->offered, i);
    const char *id = about ? text_of (about, "id") : NULL, *label = about ? text_of (about, "label") : NULL;
    if (id && id[0] && !find (list->chosen, id))
      gtk_combo_box_text_append (menu, id, label ? _(label) : id);
  }
  gtk_combo_box_set_active (GTK_COMBO_BOX (menu), 0);
  list->busy = FALSE;
}

static void
fill (List *list)
{
  g_autoptr (GList) rows = gtk_container_get_children (GTK_CONTAINER (list->rows));

  for (GList *at = rows; at; at = at->next)
    gtk_widget_destroy (at->data);
  for (guint i = 0; i < json_array_get_length (list->chosen); i++) {
    JsonObject *method = object_at (list->chosen, i);
    if (method)
      gtk_box_pack_start (GTK_BOX (list->rows), row_new (list, method), FALSE, FALSE, 0);
  }
  fill_menu (list);
}

static void
on_add (GtkComboBox *menu, List *list)
{
  const char *id = gtk_combo_box_get_active_id (menu);
  JsonObject *method;

  if (list->busy || !id || !id[0])
    return;
  method = json_object_new ();
  json_object_set_string_member (method, "id", id);
  json_array_add_object_element (list->chosen, method);
  fill (list);
  tell (list);
}

GtkWidget *
pmt_method_list_new (PmtMethodsChanged *changed, gpointer user)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 6);
  List *list = g_new0 (List, 1);

  *list = (List) { gtk_box_new (GTK_ORIENTATION_VERTICAL, 6), gtk_combo_box_text_new (), json_array_new (), json_array_new (), changed, user, FALSE };
  gtk_box_pack_start (GTK_BOX (box), list->rows, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box), list->menu, FALSE, FALSE, 0);
  atk_object_set_name (gtk_widget_get_accessible (list->menu), _("Add a method"));
  g_object_set_data_full (G_OBJECT (box), DATA, list, list_free);
  fill_menu (list);
  g_signal_connect (list->menu, "changed", G_CALLBACK (on_add), list);
  gtk_widget_show_all (box);
  return box;
}

void
pmt_method_list_offer (GtkWidget *widget, JsonArray *methods)
{
  List *list = g_object_get_data (G_OBJECT (widget), DATA);

  json_array_unref (list->offered);
  list->offered = json_array_ref (methods);
  fill (list);
}

/* All of it, since the fields edit it. */
static JsonArray *
copy_of (JsonArray *array)
{
  g_autoptr (JsonNode) node = json_node_init_array (json_node_alloc (), array);
  g_autofree char *text = json_to_string (node, FALSE);
  g_autoptr (JsonNode) copy = json_from_string (text, NULL);

  return json_node_dup_array (copy);
}

void
pmt_method_list_set (GtkWidget *widget, JsonArray *chosen)
{
  List *list = g_object_get_data (G_OBJECT (widget), DATA);

  json_array_unref (list->chosen);
  list->chosen = chosen ? copy_of (chosen) : json_array_new ();
  fill (list);
}
