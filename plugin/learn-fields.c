/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/learn-fields.h"

#include <glib/gi18n.h>
#include <string.h>

#include "plugin/learn-file.h"
#include "plugin/learn-table.h"
#include "plugin/precision.h"
#include "ui/fields.h"
#include "ui/form.h"
#include "ui/model-chooser.h"

/* Those that everybody looks at. */
static const char *const first[] = { "word", "thing", "style", "steps", NULL };
/* What stands for 0 where the kinds have nothing to say of it. */
static const char *const words_for_none[][2] = { { "alpha", N_("the rank") }, { "prior", N_("none") }, { "min-snr", N_("off") } };
/* Of one kind alone. */
static const char *const of_one[][2] = { { "vectors", "word" }, { "rank", "lora" }, { "alpha", "lora" }, { "texts", "lora" }, { "text-rate", "lora" },
                                         { "prior", "lora" },   { "prior-weight", "lora" } };

#define MOST_PIXELS 4096

/* Newly allocated. */
static char *
kind_of (GObject *config)
{
  char *kind = NULL;

  g_object_get (config, "kind", &kind, NULL);
  return kind;
}

static void
call_with_kind (GObject *config, GCallback callback, GtkWidget *widget)
{
  g_signal_connect_object (config, "notify::kind", callback, widget, 0);
  ((void (*) (GObject *, GParamSpec *, GtkWidget *)) callback) (config, NULL, widget);
}

/* ---- fields ---- */

/* What a kind takes where nothing is said; newly allocated. */
static char *
usual_text (GObject *config, const char *id)
{
  g_autofree char *kind = kind_of (config);
  JsonObject *entry = pmt_learn_table_kind (kind);
  const double number = entry ? json_object_get_double_member_with_default (entry, id, 0) : 0;
  g_autofree char *value = number > 0 ? g_strdup_printf ("%g", number) : NULL; /* a kind may have no such thing */

  return value ? g_strdup_printf (_("usual: %s"), value) : g_strdup (_("usual"));
}

static void
on_kind_usual (GObject *config, GParamSpec *spec, GtkWidget *number)
{
  g_autofree char *text = usual_text (config, g_object_get_data (G_OBJECT (number), "pmt-id"));

  pmt_number_set_special (number, text);
}

static const char *
word_for_none (const char *id)
{
  for (gsize i = 0; i < G_N_ELEMENTS (words_for_none); i++)
    if (g_str_equal (words_for_none[i][0], id))
      return _(words_for_none[i][1]);
  return NULL;
}

static GtkWidget *
number_new (GObject *config, JsonObject *param, gboolean whole)
{
  const char *id = json_object_get_string_member (param, "id");
  const double least = json_object_get_double_member (param, "min"), most = MIN (json_object_get_double_member (param, "max"), G_MAXINT);
  JsonObject *kind = json_array_get_length (pmt_learn_table_kinds ()) ? json_array_get_object_element (pmt_learn_table_kinds (), 0) : NULL;
  const gboolean usual = kind && json_object_has_member (kind, id), rate = usual && !whole;
  GtkWidget *number = pmt_number_new (config, id, least, most, rate ? 0.0001 : whole && usual ? 50 : whole ? 1 : 0.1, rate ? 6 : whole ? 0 : 2,
                                      usual ? "" : word_for_none (id));

  if (!usual)
    return number;
  g_object_set_data_full (G_OBJECT (number), "pmt-id", g_strdup (id), g_free);
  call_with_kind (config, G_CALLBACK (on_kind_usual), number);
  return number;
}

/* For one that is not bool. */
static GtkWidget *
field_new (GObject *config, JsonObject *param)
{
  const char *id = json_object_get_string_member (param, "id"), *type = json_object_get_string_member (param, "type");

  if (g_str_equal (type, "string"))
    return pmt_entry_new (config, id, NULL);
  return number_new (config, param, g_str_equal (type, "int"));
}

/* ---- the first ones ---- */

static void
on_kind_summary (GObject *config, GParamSpec *spec, GtkWidget *label)
{
  g_autofree char *kind = kind_of (config);

  gtk_label_set_text (GTK_LABEL (label), pmt_learn_table_text (pmt_learn_table_kind (kind), "summary"));
}

static void
add_kind (GObject *config, GtkWidget *form)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 3), *choice = pmt_choice_new (config, "kind"), *summary = gtk_label_new (NULL);

  for (guint i = 0; i < json_array_get_length (pmt_learn_table_kinds ()); i++) {
    JsonObject *kind = json_array_get_object_element (pmt_learn_table_kinds (), i);
    pmt_choice_add (choice, json_object_get_string_member (kind, "id"), pmt_learn_table_text (kind, "label"));
  }
  gtk_box_pack_start (GTK_BOX (box), choice, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box), summary, FALSE, FALSE, 0);
  gtk_label_set_xalign (GTK_LABEL (summary), 0);
  gtk_label_set_line_wrap (GTK_LABEL (summary), TRUE);
  gtk_label_set_max_width_chars (GTK_LABEL (summary), 36);
  gtk_style_context_add_class (gtk_widget_get_style_context (summary), "dim-label");
  call_with_kind (config, G_CALLBACK (on_kind_summary), summary);
  gtk_widget_show_all (box);
  pmt_form_add (form, _("W_hat to learn"), box, _("What comes of it, and how it is used"));
}

/* Below the fields, not below their labels. */
static void
add_check (GtkWidget *form, GtkWidget *check)
{
  GtkWidget *nothing = gtk_label_new (NULL);

  gtk_widget_show (nothing);
  gtk_grid_attach_next_to (GTK_GRID (form), nothing, NULL, GTK_POS_BOTTOM, 1, 1);
  gtk_grid_attach_next_to (GTK_GRID (form), check, nothing, GTK_POS_RIGHT, 1, 1);
}

/* ---- the file ---- */

static void
on_place (GObject *config, GParamSpec *spec, GtkWidget *entry)
{
  g_autofree char *path = pmt_learn_file_path (config, NULL), *folder = path ? g_path_get_dirname (path) : NULL;
  g_autofree char *last = path ? g_path_get_basename (folder) : NULL, *name = path ? g_path_get_basename (path) : NULL;
  g_autofree char *end = path ? g_build_filename (last, name, NULL) : NULL; /* a whole path would be cut before its name */

  gtk_entry_set_placeholder_text (GTK_ENTRY (entry), end ? end : _("named after the word"));
  gtk_widget_set_tooltip_text (entry, path ? path : _("The file to write; empty: in Pentimento's own folder, where every dialog finds it"));
}

static void
on_choose (GtkButton *button, GObject *config)
{
  g_autoptr (GtkFileChooserNative) chooser =
    gtk_file_chooser_native_new (_("File of What Is Learned"), GTK_WINDOW (gtk_widget_get_toplevel (GTK_WIDGET (button))), GTK_FILE_CHOOSER_ACTION_SAVE, NULL, NULL);
  g_autofree char *path = pmt_learn_file_path (config, NULL), *chosen = NULL;

  if (path) {
    g_autofree char *folder = g_path_get_dirname (path), *name = g_path_get_basename (path);
    gtk_file_chooser_set_current_folder (GTK_FILE_CHOOSER (chooser), folder);
    gtk_file_chooser_set_current_name (GTK_FILE_CHOOSER (chooser), name);
  }
  if (gtk_native_dialog_run (GTK_NATIVE_DIALOG (chooser)) != GTK_RESPONSE_ACCEPT)
    return;
  chosen = gtk_file_chooser_get_filename (GTK_FILE_CHOOSER (chooser));
  if (chosen && g_utf8_validate (chosen, -1, NULL))
    g_object_set (config, "out", chosen, NULL);
}

static GtkWidget *
file_row_new (GObject *config)
{
  GtkWidget *row = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6), *entry = pmt_entry_new (config, "out", NULL);
  GtkWidget *button = gtk_button_new_from_icon_name ("document-open", GTK_ICON_SIZE_BUTTON);
  const char *const names[] = { "out", "word", "thing", "kind" };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *signal = g_strconcat ("notify::", names[i], NULL);
    g_signal_connect_object (config, signal, G_CALLBACK (on_place), entry, 0);
  }
  on_place (config, NULL, entry);
  gtk_widget_set_tooltip_text (button, _("Choose another file"));
  atk_object_set_name (gtk_widget_get_accessible (button), _("Choose another file"));
  g_signal_connect_object (button, "clicked", G_CALLBACK (on_choose), config, 0);
  gtk_box_pack_start (GTK_BOX (row), entry, TRUE, TRUE, 0);
  gtk_box_pack_start (GTK_BOX (row), button, FALSE, FALSE, 0);
  gtk_widget_show_all (row);
  return row;
}

GtkWidget *
pmt_learn_fields_new (GObject *config, GtkWidget **word)
{
  GtkWidget *form = pmt_form_new ();

  *word = NULL;
  add_kind (config, form);
  for (int i = 0; first[i]; i++) {
    JsonObject *param = pmt_learn_table_param (first[i]);
    const char *label = pmt_learn_table_text (param, "label"), *help = pmt_learn_table_text (param, "help");
    GtkWidget *field;
    if (!param)
      continue;
    if (g_str_equal (json_object_get_string_member (param, "type"), "bool")) {
      add_check (form, pmt_check_new (config, first[i], label, help));
      continue;
    }
    field = field_new (config, param);
    pmt_form_add (form, label, field, help);
    if (i == 0)
      *word = field;
  }
  pmt_form_add (form, _("M_odel"), pmt_model_chooser_new (config, "model"),
                _("The model to learn with: what is learned goes with it and with others of its family"));
  pmt_form_add (form, _("Sa_ve as"), file_row_new (config), _("The file to write; empty: in Pentimento's own folder, where every dialog finds it"));
  return form;
}

/* ---- all else ---- */

static void
on_kind_sensitive (GObject *config, GParamSpec *spec, GtkWidget *field)
{
  g_autofree char *kind = kind_of (config);

  gtk_widget_set_sensitive (field, g_strcmp0 (kind, g_object_get_data (G_OBJECT (field), "pmt-kind")) == 0);
}

static void
follow_kind (GObject *config, const char *id, GtkWidget *field)
{
  for (gsize i = 0; i < G_N_ELEMENTS (of_one); i++)
    if (g_str_equal (of_one[i][0], id)) {
      g_object_set_data (G_OBJECT (field), "pmt-kind", (gpointer) of_one[i][1]);
      call_with_kind (config, G_CALLBACK (on_kind_sensitive), field);
    }
}

/* The tables' mnemonics are for dialogs that have the field to themselves. */
static char *
without_mnemonic (const char *label)
{
  g_auto (GStrv) parts = g_strsplit (label, "_", -1);

  return g_strjoinv ("", parts);
}

static void
add_param (GObject *config, JsonObject *param, GtkWidget *form, GtkWidget *checks, gboolean *open)
{
  const char *id = json_object_get_string_member (param, "id"), *help = pmt_learn_table_text (param, "help");
  g_autofree char *label = without_mnemonic (pmt_learn_table_text (param, "label"));
  GtkWidget *field;

  *open |= !pmt_field_is_default (config, id);
  if (g_str_equal (json_object_get_string_member (param, "type"), "bool")) {
    field = pmt_check_new (config, id, label, help);
    gtk_box_pack_start (GTK_BOX (checks), field, FALSE, FALSE, 0);
  } else {
    field = field_new (config, param);
    pmt_form_add (form, label, field, help);
  }
  if (g_str_equal (id, "prior-weight"))
    pmt_form_add (form, _("They show"), pmt_entry_new (config, "prior-prompt", _("a picture of the kind of thing")),
                  _("What the pictures of the kind are painted of, before anything is learned"));
  follow_kind (config, id, field);
}

GtkWidget *
pmt_learn_fields_advanced_new (GObject *config, gboolean *open)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 6), *form = pmt_form_new (), *checks = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);
  const char *native = _("model's own");
  JsonArray *params = pmt_learn_table_params ();

  pmt_form_add (form, _("Width"), pmt_number_new (config, "width", 0, MOST_PIXELS, 8, 0, native), _("Pixels of what is learned; less takes less memory and time"));
  pmt_form_add (form, _("Height"), pmt_number_new (config, "height", 0, MOST_PIXELS, 8, 0, native), _("Pixels of what is learned; less takes less memory and time"));
  for (guint i = 0; i < json_array_get_length (params); i++) {
    JsonObject *param = json_array_get_object_element (params, i);
    if (!g_strv_contains (first, json_object_get_string_member (param, "id")))
      add_param (config, param, form, checks, open);
  }
  pmt_precision_add_row (config, form);
  *open |= !pmt_field_is_default (config, "width") || !pmt_field_is_default (config, "height") || !pmt_field_is_default (config, "prior-prompt") ||
           !pmt_field_is_default (config, "precision");
  gtk_box_pack_start (GTK_BOX (box), form, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box), checks, FALSE, FALSE, 0);
  gtk_widget_show_all (box);
  return box;
}
