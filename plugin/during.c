/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/during.h"

#include <glib/gi18n.h>
#include <libgimp/gimpui.h>

#include "ui/job-bar.h"
#include "ui/preview.h"

struct PmtDuring {
  GtkWidget *stage, *preview, *row, *bar, *button;
  void (*keep) (gpointer user);
  gpointer user;
  gboolean running;
};

static void
on_keep (GtkButton *button, PmtDuring *self)
{
  gtk_widget_set_sensitive (self->button, FALSE);
  self->keep (self->user);
}

static void
name_for_readers (GtkWidget *widget, const char *name)
{
  AtkObject *accessible = gtk_widget_get_accessible (widget);

  if (accessible)
    atk_object_set_name (accessible, name);
}

PmtDuring *
pmt_during_new (GtkWidget *settings, GtkWidget *bar, void (*keep) (gpointer user), gpointer user)
{
  PmtDuring *self = g_new0 (PmtDuring, 1);

  self->keep = keep;
  self->user = user;
  self->stage = gtk_stack_new ();
  self->preview = pmt_preview_new ();
  name_for_readers (self->preview, _("The picture in the making"));
  gtk_container_add (GTK_CONTAINER (self->stage), settings);
  gtk_container_add (GTK_CONTAINER (self->stage), self->preview);
  gtk_stack_set_visible_child (GTK_STACK (self->stage), settings);
  self->row = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 8);
  self->bar = bar;
  self->button = gtk_button_new_with_mnemonic (_("_Keep This"));
  gtk_widget_set_tooltip_text (self->button, _("Stop after this step and take the picture as it is then"));
  gtk_widget_set_valign (self->bar, GTK_ALIGN_CENTER);
  gtk_widget_set_valign (self->button, GTK_ALIGN_CENTER);
  g_signal_connect (self->button, "clicked", G_CALLBACK (on_keep), self);
  gtk_box_pack_start (GTK_BOX (self->row), self->bar, TRUE, TRUE, 0);
  gtk_box_pack_start (GTK_BOX (self->row), self->button, FALSE, FALSE, 0);
  gtk_widget_show (self->stage);
  gtk_widget_show (self->row);
  return self;
}

GtkWidget *
pmt_during_stage (PmtDuring *self)
{
  return self->stage;
}

GtkWidget *
pmt_during_bar (PmtDuring *self)
{
  return self->row;
}

static void
show_settings (PmtDuring *self)
{
  GList *children = gtk_container_get_children (GTK_CONTAINER (self->stage));

  gtk_stack_set_visible_child (GTK_STACK (self->stage), children->data);
  g_list_free (children);
}

void
pmt_during_free (PmtDuring *self)
{
  if (!self)
    return;
  if (self->running)
    gimp_progress_end ();
  g_free (self);
}

void
pmt_during_begin (PmtDuring *self)
{
  self->running = TRUE;
  gtk_widget_set_sensitive (self->button, FALSE);
  gtk_widget_show (self->button);
  pmt_preview_show (self->preview, 0, 0, NULL, 1);
  gimp_progress_init (_("Starting the engine"));
  pmt_job_bar_progress (self->bar, 0, _("Starting the engine"));
}

void
pmt_during_end (PmtDuring *self)
{
  if (!self->running)
    return;
  self->running = FALSE;
  gtk_widget_hide (self->button);
  show_settings (self);
  gimp_progress_end ();
}

void
pmt_during_progress (PmtDuring *self, double fraction, const char *text)
{
  pmt_job_bar_progress (self->bar, fraction, text);
  gimp_progress_set_text (text);
  gimp_progress_update (CLAMP (fraction, 0, 1));
}

void
pmt_during_preview (PmtDuring *self, const PmtJobPreview *preview)
{
  if (preview->can_keep)
    gtk_widget_set_sensitive (self->button, TRUE);
  if (!preview->rgb)
    return;
  pmt_preview_show (self->preview, preview->width, preview->height, preview->rgb, preview->shape);
  gtk_stack_set_visible_child (GTK_STACK (self->stage), self->preview);
}
