/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/precision.h"

#include <glib/gi18n.h>

#include "ui/fields.h"
#include "ui/form.h"

static const char *const words[][2] = {
  { "auto", N_("Automatic") }, { "f32", N_("32 bits, exact") }, { "bf16", N_("16 bits") }, { "int8", N_("8 bits, quick and rougher") }
};

void
pmt_precision_add_argument (GimpProcedure *procedure)
{
  GimpChoice *choice = gimp_choice_new ();

  for (gsize i = 0; i < G_N_ELEMENTS (words); i++)
    gimp_choice_add (choice, words[i][0], (int) i, _(words[i][1]), NULL);
  gimp_procedure_add_choice_argument (procedure, "precision", _("Precision"), _("What the networks compute in"), choice, "auto", G_PARAM_READWRITE);
}

void
pmt_precision_add_row (GObject *config, GtkWidget *form)
{
  GtkWidget *choice = pmt_choice_new (config, "precision");

  for (gsize i = 0; i < G_N_ELEMENTS (words); i++)
    pmt_choice_add (choice, words[i][0], _(words[i][1]));
  pmt_form_add (form, _("Precision"), choice,
                _("What the networks compute in: fewer bits need less memory and time, and not every processor has 16 and 8"));
}
