/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/control-fields.h"

#include <glib/gi18n.h>

#include "plugin/controls.h"
#include "plugin/layer-list.h"
#include "ui/fields.h"
#include "ui/form.h"
#include "ui/model-chooser.h"

/* ---- which picture ---- */

typedef struct Picture {
  GObject *config;
  char *source, *layer; /* names of arguments */
} Picture;

/* Row ids: "" none, "visible", "strokes", or a layer's id. */
static void
on_picture (GtkComboBox *combo, Picture *picture)
{
  const char *id = gtk_combo_box_get_active_id (combo);
  GimpLayer *layer = id ? pmt_layer_list_find (id) : NULL;

  if (id)
    g_object_set (picture->config, picture->source, !id[0] || g_ascii_isdigit (id[0]) ? "layer" : id, picture->layer, layer, NULL);
}

static void
show_picture (GtkComboBox *combo, const Picture *picture)
{
  g_autofree char *source = NULL;
  g_autoptr (GimpLayer) layer = NULL;
  g_autofree char *id = NULL;

  g_object_get (picture->config, picture->source, &source, picture->layer, &layer, NULL);
  if (g_strcmp0 (source, "visible") == 0 || g_strcmp0 (source, "strokes") == 0)
    id = g_strdup (source);
  else
    id = pmt_layer_list_id (layer);
  gtk_combo_box_set_active_id (combo, id);
}

static void
on_notify (GObject *config, GParamSpec *spec, GtkComboBox *combo)
{
  show_picture (combo, g_object_get_data (G_OBJECT (combo), "pmt-picture"));
}

static void
picture_free (gpointer data)
{
  Picture *picture = data;

  g_object_unref (picture->config);
  g_free (picture->source);
  g_free (picture->layer);
  g_free (picture);
}

static GtkWidget *
picture_new (GObject *config, GimpImage *image, int n)
{
  GtkWidget *combo = gtk_combo_box_text_new ();
  g_autofree char *source_signal = NULL, *layer_signal = NULL;
  Picture *picture = g_new0 (Picture, 1);

  picture->config = g_object_ref (config);
  picture->source = pmt_controls_argument ("source", n);
  picture->layer = pmt_controls_argument ("layer", n);
  source_signal = g_strconcat ("notify::", picture->source, NULL);
  layer_signal = g_strconcat ("notify::", picture->layer, NULL);
  g_object_set_data_full (G_OBJECT (combo), "pmt-picture", picture, picture_free);
  gtk_combo_box_text_append (GTK_COMBO_BOX_TEXT (combo), "", _("None"));
  gtk_combo_box_text_append (GTK_COMBO_BOX_TEXT (combo), "visible", _("The visible picture"));
  gtk_combo_box_text_append (GTK_COMBO_BOX_TEXT (combo), "strokes", _("Lines of the open paths"));
  pmt_layer_list_add (GTK_COMBO_BOX_TEXT (combo), image, FALSE);
  show_picture (GTK_COMBO_BOX (combo), picture);
  g_signal_connect (combo, "changed", G_CALLBACK (on_picture), picture);
  g_signal_connect_object (config, source_signal, G_CALLBACK (on_notify), combo, 0);
  g_signal_connect_object (config, layer_signal, G_CALLBACK (on_notify), combo, 0);
  gtk_widget_show (combo);
  return combo;
}

/* ---- the pages ---- */

gboolean
pmt_control_fields_used (GObject *config)
{
  for (int n = 0; n < PMT_CONTROLS; n++)
    if (pmt_controls_used (config, n))
      return TRUE;
  return FALSE;
}

static GtkWidget *
type_new (GObject *config, int n)
{
  g_autofree char *argument = pmt_controls_argument ("type", n);
  GtkWidget *type = pmt_choice_new (config, argument);

  for (gsize i = 0; pmt_control_types[i][0]; i++)
    pmt_choice_add (type, pmt_control_types[i][0], _(pmt_control_types[i][1]));
  return type;
}

/* Both ends of the span of steps in one row. */
static GtkWidget *
span_new (GObject *config, int n)
{
  g_autofree char *start = pmt_controls_argument ("start", n), *end = pmt_controls_argument ("end", n);
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6), *between = gtk_label_new (_("to"));
  GtkWidget *first = pmt_number_new (config, start, 0, 1, 0.05, 2, NULL), *last = pmt_number_new (config, end, 0, 1, 0.05, 2, NULL);

  atk_object_set_name (gtk_widget_get_accessible (first), _("Acts from"));
  atk_object_set_name (gtk_widget_get_accessible (last), _("Acts to"));
  gtk_box_pack_start (GTK_BOX (box), first, TRUE, TRUE, 0);
  gtk_box_pack_start (GTK_BOX (box), between, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box), last, TRUE, TRUE, 0);
  gtk_widget_show_all (box);
  return box;
}

static GtkWidget *
page_new (GObject *config, GimpImage *image, int n, GtkWidget **preprocess)
{
  g_autofree char *model = pmt_controls_argument ("model", n), *detector = pmt_controls_argument ("preprocess", n);
  g_autofree char *strength = pmt_controls_argument ("strength", n);
  GtkWidget *form = pmt_form_new ();

  *preprocess = pmt_choice_new (config, detector);
  pmt_choice_add (*preprocess, "", _("It is a control picture already"));
  pmt_form_add (form, _("Picture"), picture_new (config, image, n), _("A layer or group, hidden or not, the visible picture, or the open paths"));
  pmt_form_add (form, _("Shows"), type_new (config, n), _("What the control picture shows"));
  pmt_form_add (form, _("Network"), pmt_network_chooser_new (config, model, _("None"), "controlnet t2i-adapter ip-adapter"), _("A ControlNet, T2I-Adapter or IP-Adapter that fits the model"));
  pmt_form_add (form, _("Made by"), *preprocess, _("Makes the control picture out of an ordinary one"));
  pmt_form_add (form, _("Strength"), pmt_number_new (config, strength, 0, 10, 0.05, 2, NULL), _("How strongly the control picture steers"));
  pmt_form_add (form, _("Acts from"), span_new (config, n), _("Parts of the run, 0 its beginning and 1 its end"));
  gtk_container_set_border_width (GTK_CONTAINER (form), 8);
  return form;
}

GtkWidget *
pmt_control_fields_new (GObject *config, GimpImage *image, GtkWidget **preprocess)
{
  GtkWidget *book = gtk_notebook_new ();

  for (int n = 0; n < PMT_CONTROLS; n++) {
    g_autofree char *name = g_strdup_printf (_("Picture %d"), n + 1);
    GtkWidget *label = gtk_label_new (name);
    gtk_widget_show (label);
    gtk_notebook_append_page (GTK_NOTEBOOK (book), page_new (config, image, n, &preprocess[n]), label);
  }
  gtk_widget_show (book);
  return book;
}
