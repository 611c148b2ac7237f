/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/thrown-away.h"

#include <glib/gi18n.h>

#include "plugin/history.h"

struct PmtThrownAway {
  GtkWidget *button;
  GPtrArray *results; /* NULL: none */
  void (*back) (gpointer user, GPtrArray *results);
  gpointer user;
};

static void
on_back (GtkButton *button, PmtThrownAway *self)
{
  g_autoptr (GPtrArray) results = g_steal_pointer (&self->results);

  gtk_widget_hide (self->button);
  if (results)
    self->back (self->user, results);
}

PmtThrownAway *
pmt_thrown_away_new (void (*back) (gpointer user, GPtrArray *results), gpointer user)
{
  PmtThrownAway *self = g_new0 (PmtThrownAway, 1);

  self->back = back;
  self->user = user;
  self->button = g_object_ref_sink (gtk_button_new_with_mnemonic (_("Bring T_hem Back"))); /* the letter that threw them away */
  gtk_widget_set_tooltip_text (self->button, _("Shows the results again that were thrown away"));
  gtk_widget_set_valign (self->button, GTK_ALIGN_CENTER);
  g_signal_connect (self->button, "clicked", G_CALLBACK (on_back), self);
  return self;
}

GtkWidget *
pmt_thrown_away_button (PmtThrownAway *self)
{
  return self->button;
}

void
pmt_thrown_away_take (PmtThrownAway *self, GPtrArray *results)
{
  pmt_thrown_away_forget (self);
  self->results = g_ptr_array_ref (results);
  gtk_widget_show (self->button);
}

void
pmt_thrown_away_forget (PmtThrownAway *self)
{
  if (self->results)
    pmt_history_forget (self->results);
  g_clear_pointer (&self->results, g_ptr_array_unref);
  gtk_widget_hide (self->button);
}

void
pmt_thrown_away_free (PmtThrownAway *self)
{
  if (!self)
    return;
  pmt_thrown_away_forget (self);
  g_object_unref (self->button);
  g_free (self);
}
