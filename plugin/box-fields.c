/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The arguments and fields of layout boxes. */
#include <glib/gi18n.h>

#include "plugin/boxes.h"
#include "plugin/layer-list.h"
#include "plugin/paths.h"
#include "ui/box-editor.h"
#include "ui/fields.h"
#include "ui/form.h"
#include "ui/model-chooser.h"

/* Of the small picture, in pixels. */
#define PICTURE_WIDTH 420
#define PICTURE_HEIGHT 220

static const char *const methods[][2] = {
  { "auto", N_("Automatic") },
  { "gligen", N_("A box network (GLIGEN)") },
  { "layout-forward", N_("The words' attention") },
  { "layout-backward", N_("The words' attention, by gradients (slow)") },
  { "regions", N_("Each box from its phrase alone") },
};

void
pmt_boxes_add_arguments (GimpProcedure *procedure)
{
  GimpChoice *choice = gimp_choice_new ();

  for (gsize i = 0; i < G_N_ELEMENTS (methods); i++)
    gimp_choice_add (choice, methods[i][0], (int) i, _(methods[i][1]), NULL);
  gimp_procedure_add_string_argument (procedure, "boxes", _("Layout boxes"),
                                      _("What is painted where, as [{\"box\": [left, top, right, bottom], \"phrase\": \"text\"}] with the sides "
                                        "as parts of the canvas from 0 to 1; empty: no boxes"),
                                      "", G_PARAM_READWRITE);
  gimp_procedure_add_boolean_argument (procedure, "boxes-from-paths", _("Closed paths sa_y what goes where"),
                                       _("Each closed path is a box; its name is painted there"), FALSE, G_PARAM_READWRITE);
  gimp_procedure_add_layer_argument (procedure, "boxes-from-group", _("Layers of a group say what goes where"),
                                     _("Each layer of this group, shown or hidden, is a box around what it shows; its name is painted there"), TRUE,
                                     G_PARAM_READWRITE);
  gimp_procedure_add_choice_argument (procedure, "boxes-method", _("Boxe_s act by"),
                                      _("Automatic: a box network where one is given, else the attention on the prompt's words"), choice, "auto",
                                      G_PARAM_READWRITE);
  gimp_procedure_add_string_argument (procedure, "boxes-model", _("_Box network"),
                                      _("File or folder of GLIGEN's layers; empty where the model has them itself"), "", G_PARAM_READWRITE);
  gimp_procedure_add_double_argument (procedure, "boxes-until", _("_Until"), _("Part of the run in which a box network acts"), 0, 1, 0.3,
                                      G_PARAM_READWRITE);
}

static char *
import_paths (gpointer image, char **problem)
{
  const PmtRect canvas = { 0, 0, gimp_image_get_width (image), gimp_image_get_height (image) };
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonArray) boxes = pmt_paths_boxes (image, &canvas, &error);
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_ARRAY);

  if (!boxes) {
    *problem = g_strdup (error->message);
    return NULL;
  }
  json_node_set_array (node, boxes);
  return json_to_string (node, FALSE);
}

static void
on_group (GtkComboBox *combo, GObject *config)
{
  const char *id = gtk_combo_box_get_active_id (combo);

  if (id)
    g_object_set (config, "boxes-from-group", pmt_layer_list_find (id), NULL);
}

static void
show_group (GObject *config, GParamSpec *spec, GtkComboBox *combo)
{
  g_autoptr (GimpLayer) group = NULL;
  g_autofree char *id = NULL;

  g_object_get (config, "boxes-from-group", &group, NULL);
  id = pmt_layer_list_id (group);
  gtk_combo_box_set_active_id (combo, id);
}

/* NULL where the image has no groups. */
static GtkWidget *
group_new (GObject *config, GimpImage *image)
{
  GtkWidget *combo = g_object_ref_sink (gtk_combo_box_text_new ());

  gtk_combo_box_text_append (GTK_COMBO_BOX_TEXT (combo), "", _("None"));
  if (!pmt_layer_list_add (GTK_COMBO_BOX_TEXT (combo), image, TRUE)) {
    g_object_unref (combo);
    return NULL;
  }
  show_group (config, NULL, GTK_COMBO_BOX (combo));
  g_signal_connect_object (combo, "changed", G_CALLBACK (on_group), config, 0);
  g_signal_connect_object (config, "notify::boxes-from-group", G_CALLBACK (show_group), combo, 0);
  gtk_widget_show (combo);
  return combo;
}

static GtkWidget *
editor_new (GObject *config, GimpImage *image)
{
  GtkWidget *editor = pmt_box_editor_new (config, "boxes", gimp_image_get_width (image), gimp_image_get_height (image));
  GdkPixbuf *picture = gimp_image_get_thumbnail (image, PICTURE_WIDTH, PICTURE_HEIGHT, GIMP_PIXBUF_LARGE_CHECKS);

  if (picture) {
    pmt_box_editor_set_picture (editor, picture);
    g_object_unref (picture);
  }
  pmt_box_editor_add_import (editor, _("Boxes from Paths"), _("Adds a box around each closed path; its name becomes the phrase"), import_paths,
                             image);
  return editor;
}

GtkWidget *
pmt_boxes_fields_new (GObject *config, GimpImage *image, gboolean *open)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 6), *form = pmt_form_new (), *method = pmt_choice_new (config, "boxes-method");
  GtkWidget *group = group_new (config, image);
  g_autoptr (GimpLayer) from = NULL;
  g_autofree char *text = NULL;

  g_object_get (config, "boxes", &text, "boxes-from-paths", open, "boxes-from-group", &from, NULL);
  *open |= from || (text && text[0]);
  for (gsize i = 0; i < G_N_ELEMENTS (methods); i++)
    pmt_choice_add (method, methods[i][0], _(methods[i][1]));
  gtk_box_pack_start (GTK_BOX (box), editor_new (config, image), FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box),
                      pmt_check_new (config, "boxes-from-paths", _("Closed paths say what go_es where"),
                                     _("Each closed path is a box as well, as it is when the job starts; its name is painted there")),
                      FALSE, FALSE, 0);
  if (group) {
    pmt_form_add (form, _("Boxes from the group"), group, _("Each layer of the group, shown or hidden, is a box around what it shows; its name is painted there"));
    g_object_unref (group);
  }
  pmt_form_add (form, _("Boxes act by"), method,
                _("Automatic: a box network where one is given, else the attention on the prompt's words"));
  pmt_form_add (form, _("_Box network"), pmt_network_chooser_new (config, "boxes-model", _("The model's own"), "gligen"),
                _("GLIGEN's layers, where the model does not have them itself"));
  pmt_form_add (form, _("_Until"), pmt_percent_new (config, "boxes-until", 0), _("Part of the run in which a box network acts"));
  gtk_box_pack_start (GTK_BOX (box), form, FALSE, FALSE, 0);
  gtk_widget_show (box);
  return box;
}
