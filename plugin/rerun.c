/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/rerun.h"

#include <gegl.h>
#include <glib/gi18n.h>

#include "plugin/job.h"
#include "plugin/procedure.h"
#include "plugin/recipe-layer.h"

typedef struct Again {
  GimpLayer *layer;
  PmtAgain how;
} Again;

static PmtJob *
start_again (gpointer what, const PmtJobHandlers *handlers, gpointer user, GError **error)
{
  const Again *again = what;

  return pmt_job_start_again (again->layer, &again->how, handlers, user, error);
}

/* There is nothing to ask, hence no window in any run mode. */
static GimpValueArray *
run (GimpProcedure *procedure, GimpRunMode run_mode, GimpImage *image, GimpDrawable **drawables, GimpProcedureConfig *config, gpointer unused)
{
  Again again = { NULL, { -1, 1, FALSE, NULL } };
  const gboolean by_hand = run_mode != GIMP_RUN_NONINTERACTIVE;
  const PmtWindowless windowless = { start_again, &again, FALSE, by_hand, by_hand };
  PmtDelivered *delivered = NULL;
  int seed = -1;
  GError *error = NULL;

  gegl_init (NULL, NULL);
  again.layer = pmt_recipe_layer (image, drawables, &error);
  if (again.layer) {
    g_object_get (config, "seed", &seed, "variants", &again.how.variants, NULL);
    again.how.seed = seed;
    delivered = pmt_procedure_run_job (image, &windowless, &error);
  }
  return pmt_procedure_return (procedure, delivered, error);
}

GimpProcedure *
pmt_rerun_procedure_new (GimpPlugIn *plug_in, const char *name)
{
  GimpProcedure *procedure = pmt_procedure_new_recipe (plug_in, name, _("_Run Recipe Again"), run);

  gimp_procedure_set_documentation (procedure, _("Paints the active layer's recipe once more"),
                                    _("A layer that Pentimento painted carries its recipe: prompt, model, seed and all numbers, the selection as it "
                                      "was, and where its pictures came from. This runs it again on the same parts of the picture, seen without "
                                      "what the recipe made before, and adds the result as a new layer."),
                                    name);
  gimp_procedure_add_int_argument (procedure, "seed", _("See_d"), _("Another seed gives another picture; -1: the recipe's own"), -1, G_MAXINT, -1,
                                   G_PARAM_READWRITE);
  gimp_procedure_add_int_argument (procedure, "variants", _("_Variants"), _("How many pictures to paint, each with a seed of its own"), 1, 64, 1,
                                   G_PARAM_READWRITE);
  pmt_procedure_add_delivered (procedure);
  return procedure;
}
