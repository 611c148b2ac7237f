/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ui/preset-dialogs.h"

#include <glib/gi18n.h>

#include "ui/form.h"

static GtkWidget *
dialog_new (GtkWidget *parent, const char *title, const char *yes)
{
  GtkWidget *top = gtk_widget_get_toplevel (parent);
  GtkWidget *dialog = gtk_dialog_new_with_buttons (title, GTK_IS_WINDOW (top) ? GTK_WINDOW (top) : NULL,
                                                   GTK_DIALOG_MODAL | GTK_DIALOG_DESTROY_WITH_PARENT, _("_Cancel"), GTK_RESPONSE_CANCEL, yes,
                                                   GTK_RESPONSE_OK, NULL);

  gtk_dialog_set_default_response (GTK_DIALOG (dialog), GTK_RESPONSE_OK);
  gtk_window_set_resizable (GTK_WINDOW (dialog), FALSE);
  gtk_container_set_border_width (GTK_CONTAINER (dialog), 12);
  gtk_box_set_spacing (GTK_BOX (gtk_dialog_get_content_area (GTK_DIALOG (dialog))), 12);
  return dialog;
}

static GtkWidget *
entry_new (const char *text)
{
  GtkWidget *entry = gtk_entry_new ();

  gtk_entry_set_text (GTK_ENTRY (entry), text ? text : "");
  gtk_entry_set_activates_default (GTK_ENTRY (entry), TRUE);
  gtk_entry_set_width_chars (GTK_ENTRY (entry), 36);
  gtk_widget_show (entry);
  return entry;
}

static void
pack (GtkWidget *dialog, GtkWidget *widget)
{
  gtk_box_pack_start (GTK_BOX (gtk_dialog_get_content_area (GTK_DIALOG (dialog))), widget, FALSE, FALSE, 0);
}

static GtkWidget *
label_new (GtkWidget *dialog, const char *text)
{
  GtkWidget *label = gtk_label_new (text);

  gtk_label_set_xalign (GTK_LABEL (label), 0);
  gtk_label_set_line_wrap (GTK_LABEL (label), TRUE);
  gtk_label_set_max_width_chars (GTK_LABEL (label), 52);
  pack (dialog, label);
  return label;
}

/* Newly allocated, without blanks at the ends. */
static char *
typed (GtkWidget *entry)
{
  return g_strstrip (g_strdup (gtk_entry_get_text (GTK_ENTRY (entry))));
}

static void
say (GtkWidget *label, const char *problem)
{
  gtk_label_set_text (GTK_LABEL (label), problem);
  gtk_widget_show (label);
}

/* ---- saving ---- */

static const char *
text_of (JsonObject *preset, const char *member)
{
  return preset ? pmt_preset_text (preset, member) : "";
}

char *
pmt_preset_ask_save (GtkWidget *parent, PmtPresets *presets, GObject *object, const char *old_name)
{
  JsonObject *old = old_name && old_name[0] ? pmt_presets_get (presets, old_name) : NULL;
  const char *old_style = text_of (old, "prompt");
  GtkWidget *dialog = dialog_new (parent, _("Save as Preset"), _("_Save")), *form = pmt_form_new (), *problem;
  GtkWidget *name = entry_new (old && pmt_presets_is_own (presets, old_name) ? old_name : "");
  GtkWidget *style = entry_new (old_style[0] ? old_style : "{prompt}"), *negative = entry_new (text_of (old, "negative-prompt"));
  GtkWidget *model = gtk_check_button_new_with_mnemonic (_("With the _model"));
  char *saved = NULL;

  pmt_form_add (form, _("_Name"), name, _("A preset of yours that has this name is replaced"));
  pmt_form_add (form, _("S_tyle"), style, _("What is written around the prompt, which stands where it says {prompt}"));
  pmt_form_add (form, _("N_ot"), negative, _("What is added to the negative prompt"));
  gtk_widget_set_tooltip_text (model, _("Choosing the preset chooses the model too"));
  gtk_widget_show (model);
  pack (dialog, form);
  pack (dialog, model);
  gtk_widget_show (label_new (dialog, _("Steps, guidance, sampler, strength, methods and sizes are kept as they are now.")));
  problem = label_new (dialog, "");
  while (!saved && gtk_dialog_run (GTK_DIALOG (dialog)) == GTK_RESPONSE_OK) {
    g_autofree char *text = typed (name), *around = typed (style), *without = typed (negative), *sentence = NULL;
    const gboolean plain = g_str_equal (around, "{prompt}");
    if (pmt_presets_put (presets, text,
                         pmt_preset_take (object, plain ? "" : around, without, gtk_toggle_button_get_active (GTK_TOGGLE_BUTTON (model))), &sentence))
      saved = g_steal_pointer (&text);
    else
      say (problem, sentence);
  }
  gtk_widget_destroy (dialog);
  return saved;
}

char *
pmt_preset_ask_rename (GtkWidget *parent, PmtPresets *presets, const char *old_name)
{
  GtkWidget *dialog = dialog_new (parent, _("Rename Preset"), _("_Rename")), *form = pmt_form_new (), *name = entry_new (old_name), *problem;
  char *renamed = NULL;

  pmt_form_add (form, _("_Name"), name, NULL);
  pack (dialog, form);
  problem = label_new (dialog, "");
  while (!renamed && gtk_dialog_run (GTK_DIALOG (dialog)) == GTK_RESPONSE_OK) {
    g_autofree char *text = typed (name), *sentence = NULL;
    if (pmt_presets_rename (presets, old_name, text, &sentence))
      renamed = g_steal_pointer (&text);
    else
      say (problem, sentence);
  }
  gtk_widget_destroy (dialog);
  return renamed;
}

gboolean
pmt_preset_ask_delete (GtkWidget *parent, PmtPresets *presets, const char *name)
{
  GtkWidget *dialog = dialog_new (parent, _("Delete Preset"), _("_Delete")), *problem;
  g_autofree char *question = g_strdup_printf (_("Delete the preset “%s”? It cannot be brought back."), name);
  gboolean deleted = FALSE;

  gtk_widget_show (label_new (dialog, question));
  problem = label_new (dialog, "");
  while (!deleted && gtk_dialog_run (GTK_DIALOG (dialog)) == GTK_RESPONSE_OK) {
    g_autofree char *sentence = NULL;
    deleted = pmt_presets_delete (presets, name, &sentence);
    if (!deleted)
      say (problem, sentence);
  }
  gtk_widget_destroy (dialog);
  return deleted;
}
