/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/region-fields.h"

#include <glib/gi18n.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/mask-view.h"
#include "ui/fields.h"
#include "ui/form.h"

/* By which the engine grows and softens a mask at most. */
#define MOST_PIXELS 1000

static const char *const prefills[][2] = {
  { "auto", N_("As the mode advises") },
  { "none", N_("What is there") },
  { "surroundings", N_("The colours around") },
  { "blur", N_("What is there, blurred") },
  { "gray", N_("Mid-grey") },
};
static const char *const seams[][2] = { { "feather", N_("Soft edge") }, { "gradient", N_("Continued gradients") } };

/* ---- arguments ---- */

static GimpChoice *
choice_of (const char *const (*rows)[2], gsize n)
{
  GimpChoice *choice = gimp_choice_new ();

  for (gsize i = 0; i < n; i++)
    gimp_choice_add (choice, rows[i][0], (int) i, _(rows[i][1]), NULL);
  return choice;
}

static void
add_mask_arguments (GimpProcedure *procedure)
{
  gimp_procedure_add_choice_argument (
      procedure, "mask", _("_Mask"), _("What says where to paint; soft values are a strength for each pixel"),
      gimp_choice_new_with_values ("selection", 0, _("The selection"), NULL, "channel", 1, _("A channel"), NULL, "path", 2, _("A path's inside"),
                                   NULL, "layer-mask", 3, _("The active layer's mask"), NULL, "uncovered", 4, _("What is transparent"), NULL,
                                   NULL),
      "selection", G_PARAM_READWRITE);
  gimp_procedure_add_channel_argument (procedure, "mask-channel", _("Mask channel"), _("For the mask “channel”: white is painted"), TRUE,
                                       G_PARAM_READWRITE);
  gimp_procedure_add_path_argument (procedure, "mask-path", _("Mask path"), _("For the mask “path”: what its closed lines enclose is painted"),
                                    TRUE, G_PARAM_READWRITE);
  gimp_procedure_add_channel_argument (procedure, "protect", _("Pro_tect"), _("A channel whose white parts stay as they are, whatever is masked"),
                                       TRUE, G_PARAM_READWRITE);
}

void
pmt_region_add_arguments (GimpProcedure *procedure)
{
  add_mask_arguments (procedure);
  gimp_procedure_add_choice_argument (
      procedure, "context", _("Conte_xt"), _("How much of the picture around the selection the model sees"),
      gimp_choice_new_with_values ("auto", 0, _("Automatic"), NULL, "selection", 1, _("The selection only"), NULL, "whole", 2,
                                   _("The whole picture"), NULL, "path", 3, _("The bounds of a path"), NULL, NULL),
      "auto", G_PARAM_READWRITE);
  gimp_procedure_add_path_argument (procedure, "context-path", _("Context path"), _("For the context “path”: its bounds, as far as they cover what is painted"),
                                    TRUE, G_PARAM_READWRITE);
  /* What is painted fits what the user sees around the selection, whichever layers that comes from; and a second job sees the first's
   * result, which is a layer of its own while the user's layer stays the active one. Hence the visible picture as default. */
  gimp_procedure_add_choice_argument (
      procedure, "source", _("S_ource"), _("What is continued: the picture as it is seen, or the active layer alone"),
      gimp_choice_new_with_values ("visible", 0, _("The visible picture"), NULL, "layer", 1, _("The active layer"), NULL, NULL), "visible",
      G_PARAM_READWRITE);
  gimp_procedure_add_double_argument (procedure, "grow", _("Gro_w"), _("Pixels by which the selection is enlarged; -1: automatic"), -1, MOST_PIXELS, -1,
                                      G_PARAM_READWRITE);
  gimp_procedure_add_double_argument (procedure, "feather", _("_Feather"), _("Pixels over which the edge is blended; -1: automatic"), -1, MOST_PIXELS, -1,
                                      G_PARAM_READWRITE);
}

void
pmt_region_add_finish_arguments (GimpProcedure *procedure)
{
  gimp_procedure_add_choice_argument (procedure, "prefill", _("_Begin with"), _("What stands under the mask before anything is painted"),
                                      choice_of (prefills, G_N_ELEMENTS (prefills)), "auto", G_PARAM_READWRITE);
  gimp_procedure_add_choice_argument (procedure, "seam", _("Sea_m"), _("How the result meets the picture"), choice_of (seams, G_N_ELEMENTS (seams)),
                                      "feather", G_PARAM_READWRITE);
  gimp_procedure_add_boolean_argument (procedure, "colour-match", _("Match _colours"),
                                       _("The result's colours are brought to those in a ring around the mask"), TRUE, G_PARAM_READWRITE);
}

/* ---- a field that chooses one of some words or an item of the image ---- */

/* Rows "VALUE/ID": `value` is what the property becomes, `argument` gets the item. */
typedef struct ItemKind {
  const char *value, *argument;
} ItemKind;

typedef struct ItemChoice {
  GObject *config;
  const char *property; /* NULL: none beside the item */
  const ItemKind *kinds;
  int n_kinds;
} ItemChoice;

static void
on_item (GtkComboBox *combo, const ItemChoice *choice)
{
  const char *id = gtk_combo_box_get_active_id (combo);
  g_auto (GStrv) parts = g_strsplit (id ? id : "", "/", 2);

  if (!id)
    return;
  if (choice->property)
    g_object_set (choice->config, choice->property, parts[0], NULL);
  for (int i = 0; i < choice->n_kinds; i++) {
    const ItemKind *kind = &choice->kinds[i];
    if (g_strcmp0 (parts[0], kind->value) == 0)
      g_object_set (choice->config, kind->argument, parts[1] ? gimp_item_get_by_id (atoi (parts[1])) : NULL, NULL);
    else if (!choice->property)
      g_object_set (choice->config, kind->argument, NULL, NULL);
  }
}

static void
show_item (GtkComboBox *combo, const ItemChoice *choice)
{
  g_autofree char *value = NULL, *id = NULL;

  if (choice->property)
    g_object_get (choice->config, choice->property, &value, NULL);
  for (int i = 0; i < choice->n_kinds && !id; i++) {
    g_autoptr (GimpItem) item = NULL;
    if (choice->property && g_strcmp0 (value, choice->kinds[i].value) != 0)
      continue;
    g_object_get (choice->config, choice->kinds[i].argument, &item, NULL);
    if (item)
      id = g_strdup_printf ("%s/%d", choice->kinds[i].value, gimp_item_get_id (item));
  }
  gtk_combo_box_set_active_id (combo, id ? id : value ? value : "");
}

static void
on_item_notify (GObject *config, GParamSpec *spec, GtkComboBox *combo)
{
  show_item (combo, g_object_get_data (G_OBJECT (combo), "pmt-item-choice"));
}

static GtkWidget *
item_choice_new (GObject *config, const char *property, const ItemKind *kinds, int n_kinds)
{
  GtkWidget *combo = gtk_combo_box_text_new ();
  ItemChoice *choice = g_new (ItemChoice, 1);

  *choice = (ItemChoice) { config, property, kinds, n_kinds }; /* the dialog keeps the config */
  g_object_set_data_full (G_OBJECT (combo), "pmt-item-choice", choice, g_free);
  return combo;
}

static void
add_row (GtkWidget *combo, const char *id, const char *label)
{
  gtk_combo_box_text_append (GTK_COMBO_BOX_TEXT (combo), id, label);
}

/* items is freed. format: N_("Channel: %s") */
static void
add_items (GtkWidget *combo, const char *value, const char *format, GimpItem **items)
{
  for (gsize i = 0; items && items[i]; i++) {
    g_autofree char *name = gimp_item_get_name (items[i]), *id = g_strdup_printf ("%s/%d", value, gimp_item_get_id (items[i]));
    g_auto (GStrv) parts = g_strsplit (_(format), "%s", 2);
    g_autofree char *label = g_strjoinv (name, parts); /* a translation that lacks the %s then lacks the name, and no more */
    add_row (combo, id, label);
  }
  g_free (items);
}

static GtkWidget *
item_choice_done (GtkWidget *combo)
{
  const ItemChoice *choice = g_object_get_data (G_OBJECT (combo), "pmt-item-choice");

  show_item (GTK_COMBO_BOX (combo), choice);
  g_signal_connect (combo, "changed", G_CALLBACK (on_item), (gpointer) choice);
  for (int i = -1; i < choice->n_kinds; i++) {
    const char *name = i < 0 ? choice->property : choice->kinds[i].argument;
    g_autofree char *signal = name ? g_strconcat ("notify::", name, NULL) : NULL;
    if (signal)
      g_signal_connect_object (choice->config, signal, G_CALLBACK (on_item_notify), combo, 0);
  }
  gtk_widget_show (combo);
  return combo;
}

static GtkWidget *
mask_new (GObject *config, GimpImage *image)
{
  static const ItemKind kinds[] = { { "channel", "mask-channel" }, { "path", "mask-path" } };
  GtkWidget *combo = item_choice_new (config, "mask", kinds, G_N_ELEMENTS (kinds));

  add_row (combo, "selection", _("The selection"));
  add_row (combo, "layer-mask", _("The active layer's mask"));
  add_row (combo, "uncovered", _("What is transparent"));
  add_items (combo, "channel", N_("Channel: %s"), (GimpItem **) gimp_image_get_channels (image));
  add_items (combo, "path", N_("Path: %s"), (GimpItem **) gimp_image_get_paths (image));
  return item_choice_done (combo);
}

static GtkWidget *
protect_new (GObject *config, GimpImage *image)
{
  static const ItemKind kinds[] = { { "channel", "protect" } };
  GtkWidget *combo = item_choice_new (config, NULL, kinds, G_N_ELEMENTS (kinds));

  add_row (combo, "", _("Nothing"));
  add_items (combo, "channel", N_("Channel: %s"), (GimpItem **) gimp_image_get_channels (image));
  return item_choice_done (combo);
}

static GtkWidget *
context_new (GObject *config, GimpImage *image)
{
  static const ItemKind kinds[] = { { "path", "context-path" } };
  GtkWidget *combo = item_choice_new (config, "context", kinds, G_N_ELEMENTS (kinds));

  add_row (combo, "auto", _("Automatic"));
  add_row (combo, "selection", _("The selection only"));
  add_row (combo, "whole", _("The whole picture"));
  add_items (combo, "path", N_("Path: %s"), (GimpItem **) gimp_image_get_paths (image));
  return item_choice_done (combo);
}

void
pmt_region_settle (GObject *config)
{
  static const char *const rows[][4] = { { "mask", "channel", "mask-channel", "selection" },
                                         { "mask", "path", "mask-path", "selection" },
                                         { "context", "path", "context-path", "auto" } };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *value = NULL;
    g_autoptr (GimpItem) item = NULL;
    if (!pmt_field_exists (config, rows[i][0]))
      continue;
    g_object_get (config, rows[i][0], &value, rows[i][2], &item, NULL);
    if (g_strcmp0 (value, rows[i][1]) == 0 && !item)
      g_object_set (config, rows[i][0], rows[i][3], NULL);
  }
}

/* ---- the form ---- */

static GtkWidget *
words_new (GObject *config, const char *property, const char *const (*rows)[2], gsize n)
{
  GtkWidget *field = pmt_choice_new (config, property);

  for (gsize i = 0; i < n; i++)
    pmt_choice_add (field, rows[i][0], _(rows[i][1]));
  return field;
}

static GtkWidget *
fields_new (GObject *config, GimpImage *image)
{
  static const char *const sources[][2] = { { "visible", N_("The visible picture") }, { "layer", N_("The active layer") } };
  GtkWidget *form = pmt_form_new ();
  const char *automatic = _("automatic");

  pmt_form_add (form, _("Mas_k"), mask_new (config, image), _("What says where to paint; soft values are a strength for each pixel"));
  pmt_form_add (form, _("Protect"), protect_new (config, image), _("A channel whose white parts stay as they are, whatever is masked"));
  pmt_form_add (form, _("Source"), words_new (config, "source", sources, G_N_ELEMENTS (sources)),
                _("What is continued: the picture as it is seen, or the active layer alone"));
  pmt_form_add (form, _("Conte_xt"), context_new (config, image), _("How much of the picture around the selection the model sees"));
  pmt_form_add (form, _("Grow"), pmt_number_new (config, "grow", -1, MOST_PIXELS, 1, 0, automatic),
                _("Pixels by which the selection is enlarged before it is painted"));
  pmt_form_add (form, _("_Feather"), pmt_number_new (config, "feather", -1, MOST_PIXELS, 1, 0, automatic),
                _("Pixels over which the edge is blended"));
  if (!pmt_field_exists (config, "prefill"))
    return form;
  pmt_form_add (form, _("Begin with"), words_new (config, "prefill", prefills, G_N_ELEMENTS (prefills)),
                _("What stands under the mask before anything is painted"));
  pmt_form_add (form, _("Seam"), words_new (config, "seam", seams, G_N_ELEMENTS (seams)), _("How the result meets the picture"));
  pmt_form_add (form, _("Colours"),
                pmt_check_new (config, "colour-match", _("Match those around"), _("The result's colours are brought to those in a ring around the mask")),
                NULL);
  return form;
}

static gboolean
is_first (GObject *config, const char *name)
{
  return !pmt_field_exists (config, name) || pmt_field_is_default (config, name);
}

GtkWidget *
pmt_region_fold_new (GObject *config, GimpImage *image, GimpDrawable **drawables)
{
  static const char *const names[] = { "mask", "context", "source", "grow", "feather", "prefill", "seam", "colour-match" };
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 8);
  g_autoptr (GimpItem) protect = NULL;
  gboolean open;

  gtk_box_pack_start (GTK_BOX (box), pmt_mask_view_new (config, image, drawables), FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box), fields_new (config, image), FALSE, FALSE, 0);
  gtk_widget_show (box);
  g_object_get (config, "protect", &protect, NULL);
  open = protect != NULL;
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    open |= !is_first (config, names[i]);
  /* beside “_Instruction” it has another letter */
  return pmt_fold_new (pmt_field_exists (config, "instruction") ? _("R_egion") : _("Reg_ion"), box, open);
}
