/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ui/seed-row.h"

#include <glib/gi18n.h>
#include <string.h>

#define BOTH_WAYS (G_BINDING_BIDIRECTIONAL | G_BINDING_SYNC_CREATE)

typedef struct Row {
  GObject *object;
  char *property, *last;
  GtkWidget *spin, *lock, *icon;
  gboolean busy;
} Row;

static int
number (const Row *row, const char *property)
{
  int value = -1;

  g_object_get (row->object, property, &value, NULL);
  return value;
}

/* "random", with the seed that was used last. */
static char *
random_text (const Row *row)
{
  const int last = number (row, row->last);

  return last < 0 ? g_strdup (_("random")) : g_strdup_printf (_("random (last: %d)"), last);
}

static gboolean
on_output (GtkSpinButton *spin, Row *row)
{
  g_autofree char *text = NULL;

  if (gtk_spin_button_get_value (spin) >= 0)
    return FALSE;
  text = random_text (row);
  if (strcmp (gtk_entry_get_text (GTK_ENTRY (spin)), text) != 0)
    gtk_entry_set_text (GTK_ENTRY (spin), text);
  return TRUE;
}

/* What is no number leaves the seed as it was. */
static gboolean
on_input (GtkSpinButton *spin, double *value, Row *row)
{
  const char *text = gtk_entry_get_text (GTK_ENTRY (spin));
  g_autofree char *random = random_text (row);
  gint64 seed;

  if (!text[0] || strcmp (text, random) == 0)
    *value = -1;
  else if (g_ascii_string_to_signed (text, 10, -1, G_MAXINT, &seed, NULL))
    *value = (double) seed;
  else
    *value = gtk_spin_button_get_value (spin);
  return TRUE;
}

static void
show (Row *row)
{
  const gboolean locked = number (row, row->property) >= 0;

  row->busy = TRUE;
  gtk_toggle_button_set_active (GTK_TOGGLE_BUTTON (row->lock), locked);
  row->busy = FALSE;
  gtk_image_set_from_icon_name (GTK_IMAGE (row->icon), locked ? "changes-prevent-symbolic" : "changes-allow-symbolic", GTK_ICON_SIZE_BUTTON);
  gtk_spin_button_update (GTK_SPIN_BUTTON (row->spin));
}

static void
on_notify (GObject *object, GParamSpec *spec, Row *row)
{
  if (number (row, row->property) < 0) { /* what is shown may be the last one before this */
    g_autofree char *text = random_text (row);
    gtk_entry_set_text (GTK_ENTRY (row->spin), text);
  }
  show (row);
}

static int
any_seed (void)
{
  return g_random_int_range (0, G_MAXINT);
}

static void
on_dice (GtkButton *button, Row *row)
{
  g_object_set (row->object, row->property, any_seed (), NULL);
}

static void
on_lock (GtkToggleButton *lock, Row *row)
{
  int seed = number (row, row->last);

  if (row->busy)
    return;
  if (!gtk_toggle_button_get_active (lock))
    seed = -1;
  else if (seed < 0)
    seed = any_seed ();
  g_object_set (row->object, row->property, seed, NULL);
}

static void
row_free (gpointer data)
{
  Row *row = data;

  g_object_unref (row->object);
  g_free (row->property);
  g_free (row->last);
  g_free (row);
}

static void
on_destroy (GtkWidget *box, Row *row)
{
  g_signal_handlers_disconnect_by_data (row->object, row);
}

static void
set_up_button (GtkWidget *button, GtkWidget *icon, const char *name, const char *tip)
{
  gtk_button_set_image (GTK_BUTTON (button), icon);
  gtk_widget_set_tooltip_text (button, tip);
  atk_object_set_name (gtk_widget_get_accessible (button), name);
}

GtkWidget *
pmt_seed_row_new (GObject *object, const char *property, const char *last)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6), *dice = gtk_button_new ();
  g_autofree char *signal = g_strconcat ("notify::", property, NULL), *last_signal = g_strconcat ("notify::", last, NULL);
  Row *row = g_new0 (Row, 1);

  row->object = g_object_ref (object);
  row->property = g_strdup (property);
  row->last = g_strdup (last);
  row->spin = gtk_spin_button_new_with_range (-1, G_MAXINT, 1);
  gtk_spin_button_set_numeric (GTK_SPIN_BUTTON (row->spin), FALSE); /* "random" is none */
  row->lock = gtk_toggle_button_new ();
  row->icon = gtk_image_new ();
  g_signal_connect (row->spin, "output", G_CALLBACK (on_output), row);
  g_signal_connect (row->spin, "input", G_CALLBACK (on_input), row);
  set_up_button (dice, gtk_image_new_from_icon_name ("media-playlist-shuffle-symbolic", GTK_ICON_SIZE_BUTTON), _("New seed"),
                 _("Another seed, by chance, for the next run"));
  set_up_button (row->lock, row->icon, _("Keep the seed"), _("Closed: every run takes this seed. Open: every run takes another one"));
  gtk_box_pack_start (GTK_BOX (box), row->spin, TRUE, TRUE, 0);
  gtk_box_pack_start (GTK_BOX (box), dice, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box), row->lock, FALSE, FALSE, 0);
  g_object_set_data_full (G_OBJECT (box), "pmt-seed-row", row, row_free);
  g_object_bind_property (object, property, row->spin, "value", BOTH_WAYS);
  on_notify (object, NULL, row);
  g_signal_connect (dice, "clicked", G_CALLBACK (on_dice), row);
  g_signal_connect (row->lock, "toggled", G_CALLBACK (on_lock), row);
  g_signal_connect (object, signal, G_CALLBACK (on_notify), row);
  g_signal_connect (object, last_signal, G_CALLBACK (on_notify), row);
  g_signal_connect (box, "destroy", G_CALLBACK (on_destroy), row);
  gtk_widget_show_all (box);
  return box;
}
