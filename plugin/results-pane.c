/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/results-pane.h"

#include <glib/gi18n.h>

#include "plugin/look.h"
#include "plugin/recipe.h"
#include "ui/variants.h"

/* Enough for the large view on a screen with twice the pixels. */
#define LOOK_SIDE 600

typedef struct Pane {
  GimpImage *image;
  GPtrArray *results;
  GtkWidget *widget, *variants, *buttons;
  PmtResultsHandlers handlers;
  gpointer user;
} Pane;

static void
pane_free (gpointer data)
{
  Pane *pane = data;

  g_ptr_array_unref (pane->results);
  g_object_unref (pane->image);
  g_free (pane);
}

static void
on_apply (gpointer user)
{
  Pane *pane = user;
  g_autoptr (GPtrArray) chosen = NULL;

  if (!gtk_widget_get_sensitive (pane->buttons))
    return;
  chosen = pmt_variants_chosen (pane->variants);
  if (chosen->len)
    pane->handlers.apply (pane->user, chosen);
}

static void
on_more (gpointer user)
{
  Pane *pane = user;

  pane->handlers.more (pane->user, g_ptr_array_index (pane->results, pane->results->len - 1));
}

static void
on_discard (gpointer user)
{
  Pane *pane = user;
  g_autoptr (GPtrArray) all = g_steal_pointer (&pane->results);

  pane->results = pmt_results_new ();
  pmt_variants_clear (pane->variants);
  gtk_widget_hide (pane->widget);
  pane->handlers.discard (pane->user, all);
}

static void
add_button (GtkWidget *box, const char *label, const char *tip, void (*handler) (gpointer), Pane *pane)
{
  GtkWidget *button = gtk_button_new_with_mnemonic (label);

  gtk_widget_set_tooltip_text (button, tip);
  g_signal_connect_swapped (button, "clicked", G_CALLBACK (handler), pane);
  gtk_box_pack_start (GTK_BOX (box), button, TRUE, TRUE, 0);
}

GtkWidget *
pmt_results_pane_new (GimpImage *image, const PmtResultsHandlers *handlers, gpointer user)
{
  Pane *pane = g_new0 (Pane, 1);
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 8);

  pane->image = g_object_ref (image);
  pane->results = pmt_results_new ();
  pane->widget = box;
  pane->handlers = *handlers;
  pane->user = user;
  pane->variants = pmt_variants_new (on_apply, pane);
  pane->buttons = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  add_button (pane->buttons, _("Appl_y"), _("Adds what is ticked, or else what is shown, as layers"), on_apply, pane);
  add_button (pane->buttons, _("_More"), _("Paints further variants, with the seeds that follow"), on_more, pane);
  add_button (pane->buttons, _("T_hrow Away"), _("Takes these results away, out of the history too; they can be brought back until the dialog closes"), on_discard, pane);
  gtk_box_pack_start (GTK_BOX (box), pane->variants, TRUE, TRUE, 0);
  gtk_box_pack_start (GTK_BOX (box), pane->buttons, FALSE, FALSE, 0);
  gtk_widget_show_all (pane->buttons);
  g_object_set_data_full (G_OBJECT (box), "pmt-pane", pane, pane_free);
  return box;
}

static void
add_one (Pane *pane, PmtResult *result)
{
  PmtLook look = pmt_look_new (pane->image, result, LOOK_SIDE);
  g_autofree char *label = g_strdup_printf ("%" G_GINT64_FORMAT, result->seed);
  g_autofree char *name = g_strdup_printf (_("Seed %s: %s"), label, pmt_recipe_shown_prompt (result->recipe));

  pmt_variants_add (pane->variants, look.picture, look.before, label, name, result);
  pmt_look_clear (&look);
}

void
pmt_results_pane_add (GtkWidget *widget, GPtrArray *results)
{
  Pane *pane = g_object_get_data (G_OBJECT (widget), "pmt-pane");

  for (guint i = 0; i < results->len; i++) {
    PmtResult *result = g_ptr_array_index (results, i);
    if (g_ptr_array_find (pane->results, result, NULL))
      continue;
    g_ptr_array_add (pane->results, pmt_result_ref (result));
    add_one (pane, result);
  }
  gtk_widget_set_visible (widget, pane->results->len > 0);
}

void
pmt_results_pane_show (GtkWidget *widget, const PmtResult *result)
{
  Pane *pane = g_object_get_data (G_OBJECT (widget), "pmt-pane");
  guint n;

  if (g_ptr_array_find (pane->results, result, &n))
    pmt_variants_show (pane->variants, (int) n);
}

GPtrArray *
pmt_results_pane_results (GtkWidget *widget)
{
  return ((Pane *) g_object_get_data (G_OBJECT (widget), "pmt-pane"))->results;
}

void
pmt_results_pane_set_running (GtkWidget *widget, gboolean running)
{
  Pane *pane = g_object_get_data (G_OBJECT (widget), "pmt-pane");

  gtk_widget_set_sensitive (pane->buttons, !running);
}
