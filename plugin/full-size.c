/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/full-size.h"

#include <glib/gi18n.h>

#include "ui/fields.h"
#include "ui/form.h"

#define USUAL_STRENGTH 0.4
#define MULTIPLE 8

void
pmt_full_size_add_arguments (GimpProcedure *procedure)
{
  gimp_procedure_add_boolean_argument (procedure, "full-size", _("Refine at full si_ze"),
                                       _("Paint a second time, in tiles, what is larger than the model's own size"), FALSE, G_PARAM_READWRITE);
  gimp_procedure_add_double_argument (procedure, "full-size-strength", _("Strength at full size"), _("How much the second time may change"), 0.05,
                                      1.0, USUAL_STRENGTH, G_PARAM_READWRITE);
}

void
pmt_full_size_add_row (GObject *config, GtkWidget *form)
{
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);
  GtkWidget *check = pmt_check_new (config, "full-size", _("Refine at full si_ze"),
                                    _("Paint a second time, in tiles, what is larger than the model's own size: sharper, and takes its time"));
  GtkWidget *strength = pmt_percent_new (config, "full-size-strength", 0.05);

  atk_object_set_name (gtk_widget_get_accessible (strength), _("Strength at full size"));
  gtk_widget_set_tooltip_text (strength, _("How much the second time may change"));
  g_object_bind_property (config, "full-size", strength, "sensitive", G_BINDING_SYNC_CREATE);
  gtk_box_pack_start (GTK_BOX (box), check, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box), strength, FALSE, FALSE, 0);
  gtk_widget_show (box);
  pmt_form_add (form, _("Large pictures"), box, NULL);
}

int
pmt_full_size_side (int pixels)
{
  return MAX ((pixels + MULTIPLE / 2) / MULTIPLE, 1) * MULTIPLE;
}

void
pmt_full_size_describe (GimpProcedureConfig *config, JsonObject *recipe)
{
  gboolean wanted = FALSE;
  double strength = USUAL_STRENGTH;

  g_object_get (config, "full-size", &wanted, "full-size-strength", &strength, NULL);
  if (!wanted)
    return;
  json_object_set_boolean_member (recipe, "full-size", TRUE);
  json_object_set_double_member (recipe, "full-size-strength", strength);
}
