/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/recipe-show.h"

#include <glib/gi18n.h>
#include <libgimp/gimpui.h>

#include "plugin/error.h"
#include "plugin/help.h"
#include "plugin/procedure.h"
#include "plugin/recipe-layer.h"
#include "plugin/recipe-text.h"

enum { RESPONSE_JSON = 1, RESPONSE_PARAMETERS };

typedef struct Texts {
  char *json, *parameters;
} Texts;

/* A line of the table; long values are wrapped, and all can be copied. */
static void
attach (GtkWidget *grid, int row, const char *label, const char *value)
{
  GtkWidget *name = gtk_label_new (label), *text = gtk_label_new (value);

  gtk_label_set_xalign (GTK_LABEL (name), 0);
  gtk_widget_set_valign (name, GTK_ALIGN_START);
  gtk_style_context_add_class (gtk_widget_get_style_context (name), GTK_STYLE_CLASS_DIM_LABEL);
  gtk_label_set_xalign (GTK_LABEL (text), 0);
  gtk_label_set_line_wrap (GTK_LABEL (text), TRUE);
  gtk_label_set_line_wrap_mode (GTK_LABEL (text), PANGO_WRAP_WORD_CHAR);
  gtk_label_set_width_chars (GTK_LABEL (text), 44); /* else the window would be as high as for the narrowest column */
  gtk_label_set_max_width_chars (GTK_LABEL (text), 56);
  gtk_label_set_selectable (GTK_LABEL (text), TRUE);
  gtk_widget_set_hexpand (text, TRUE);
  atk_object_set_name (gtk_widget_get_accessible (text), label);
  gtk_grid_attach (GTK_GRID (grid), name, 0, row, 1, 1);
  gtk_grid_attach (GTK_GRID (grid), text, 1, row, 1, 1);
}

static GtkWidget *
scrolled (GtkWidget *content, gboolean as_high)
{
  GtkWidget *scroll = gtk_scrolled_window_new (NULL, NULL);

  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (scroll), GTK_POLICY_NEVER, GTK_POLICY_AUTOMATIC);
  gtk_scrolled_window_set_propagate_natural_height (GTK_SCROLLED_WINDOW (scroll), as_high);
  gtk_scrolled_window_set_max_content_height (GTK_SCROLLED_WINDOW (scroll), 480);
  gtk_container_add (GTK_CONTAINER (scroll), content);
  return scroll;
}

static GtkWidget *
table_new (JsonObject *recipe)
{
  g_autoptr (GPtrArray) rows = pmt_recipe_rows (recipe);
  GtkWidget *grid = gtk_grid_new ();

  gtk_grid_set_row_spacing (GTK_GRID (grid), 6);
  gtk_grid_set_column_spacing (GTK_GRID (grid), 12);
  gtk_container_set_border_width (GTK_CONTAINER (grid), 12);
  for (guint i = 0; i + 1 < rows->len; i += 2)
    attach (grid, (int) i / 2, g_ptr_array_index (rows, i), g_ptr_array_index (rows, i + 1));
  return scrolled (grid, TRUE);
}

static GtkWidget *
json_new (const char *json)
{
  GtkWidget *text = gtk_text_view_new ();

  gtk_text_buffer_set_text (gtk_text_view_get_buffer (GTK_TEXT_VIEW (text)), json, -1);
  gtk_text_view_set_editable (GTK_TEXT_VIEW (text), FALSE);
  gtk_text_view_set_monospace (GTK_TEXT_VIEW (text), TRUE);
  gtk_text_view_set_accepts_tab (GTK_TEXT_VIEW (text), FALSE);
  gtk_text_view_set_wrap_mode (GTK_TEXT_VIEW (text), GTK_WRAP_WORD_CHAR);
  gtk_text_view_set_left_margin (GTK_TEXT_VIEW (text), 12);
  gtk_text_view_set_top_margin (GTK_TEXT_VIEW (text), 12);
  return scrolled (text, FALSE);
}

static void
on_response (GtkDialog *dialog, int response, const Texts *texts)
{
  GtkClipboard *clipboard = gtk_widget_get_clipboard (GTK_WIDGET (dialog), GDK_SELECTION_CLIPBOARD);

  if (response != RESPONSE_JSON && response != RESPONSE_PARAMETERS)
    return;
  g_signal_stop_emission_by_name (dialog, "response");
  gtk_clipboard_set_text (clipboard, response == RESPONSE_JSON ? texts->json : texts->parameters, -1);
}

static void
show (GimpLayer *layer, JsonObject *recipe, const Texts *texts)
{
  g_autofree char *name = gimp_item_get_name (GIMP_ITEM (layer));
  GtkWidget *dialog, *pages, *content, *title;

  gimp_ui_init ("pentimento");
  dialog = gimp_dialog_new (_("Recipe"), PMT_PROCEDURE_SHOW, NULL, 0, gimp_standard_help_func, PMT_PROCEDURE_SHOW, _("Copy as _JSON"), RESPONSE_JSON,
                            _("Copy as _Parameters"), RESPONSE_PARAMETERS, _("_Close"), GTK_RESPONSE_CLOSE, NULL);
  pmt_help_free_letter (GTK_DIALOG (dialog));
  title = gtk_label_new (name);
  gtk_label_set_xalign (GTK_LABEL (title), 0);
  gtk_label_set_ellipsize (GTK_LABEL (title), PANGO_ELLIPSIZE_END);
  gtk_style_context_add_class (gtk_widget_get_style_context (title), "title");
  pages = gtk_notebook_new ();
  gtk_notebook_append_page (GTK_NOTEBOOK (pages), table_new (recipe), gtk_label_new_with_mnemonic (_("_Settings")));
  gtk_notebook_append_page (GTK_NOTEBOOK (pages), json_new (texts->json), gtk_label_new_with_mnemonic (_("As _text")));
  content = gtk_dialog_get_content_area (GTK_DIALOG (dialog));
  gtk_container_set_border_width (GTK_CONTAINER (content), 12);
  gtk_box_set_spacing (GTK_BOX (content), 8);
  gtk_box_pack_start (GTK_BOX (content), title, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (content), pages, TRUE, TRUE, 0);
  gtk_window_set_default_size (GTK_WINDOW (dialog), 560, -1);
  g_signal_connect (dialog, "response", G_CALLBACK (on_response), (gpointer) texts);
  gtk_widget_show_all (content);
  gtk_dialog_set_default_response (GTK_DIALOG (dialog), GTK_RESPONSE_CLOSE);
  gimp_dialog_run (GIMP_DIALOG (dialog));
  gtk_clipboard_store (gtk_widget_get_clipboard (dialog, GDK_SELECTION_CLIPBOARD)); /* this program ends now */
  gtk_widget_destroy (dialog);
}

static GimpValueArray *
run (GimpProcedure *procedure, GimpRunMode run_mode, GimpImage *image, GimpDrawable **drawables, GimpProcedureConfig *config, gpointer unused)
{
  GError *error = NULL;
  GimpLayer *layer = pmt_recipe_layer (image, drawables, &error);
  g_autoptr (JsonObject) recipe = layer ? pmt_recipe_of_layer (layer, &error) : NULL;
  GimpValueArray *values;
  Texts texts;

  if (!recipe)
    return gimp_procedure_new_return_values (procedure, GIMP_PDB_EXECUTION_ERROR, error);
  texts = (Texts) { pmt_recipe_to_text (recipe), pmt_recipe_parameters (recipe) };
  if (run_mode == GIMP_RUN_INTERACTIVE)
    show (layer, recipe, &texts);
  values = gimp_procedure_new_return_values (procedure, GIMP_PDB_SUCCESS, NULL);
  GIMP_VALUES_TAKE_STRING (values, 1, texts.json);
  GIMP_VALUES_TAKE_STRING (values, 2, texts.parameters);
  return values;
}

GimpProcedure *
pmt_show_procedure_new (GimpPlugIn *plug_in, const char *name)
{
  GimpProcedure *procedure = pmt_procedure_new_recipe (plug_in, name, _("_Show…"), run);

  gimp_procedure_set_documentation (procedure, _("Shows what made the active layer"),
                                    _("Prompt, model, seed and all numbers of a layer that Pentimento painted, to read and to copy: as JSON, or as "
                                      "the line of parameters that other programs write into their pictures."),
                                    name);
  gimp_procedure_add_string_return_value (procedure, "recipe", _("Recipe"), _("The recipe as JSON"), "", G_PARAM_READWRITE);
  gimp_procedure_add_string_return_value (procedure, "parameters", _("Parameters"), _("Its parameters as other programs write them"), "",
                                          G_PARAM_READWRITE);
  return procedure;
}
