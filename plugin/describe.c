/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/describe.h"

#include <glib/gi18n.h>
#include <string.h>

#include "pentimento/protocol.h"
#include "plugin/asked.h"
#include "plugin/capture.h"
#include "plugin/error.h"
#include "plugin/procedure.h"
#include "plugin/recipe-method.h"
#include "ui/fields.h"
#include "ui/form.h"
#include "ui/model-chooser.h"

/* Part of the run that goes back to noise where the mask alone is wanted: as little as is a step. */
#define LEAST_RATIO 0.2
#define LEAST_STRENGTH 0.01

static const char *const methods[][2] = {
  { "diffedit", N_("Find the place, change only that (DiffEdit)") },
  { "null-text", N_("Change words, keep the layout (null-text)") },
  { "edict", N_("Go back and forth exactly (EDICT)") },
};

typedef struct Wish {
  char *shows, *prompt, *method, *model;
  double strength, threshold, guidance;
  int steps, seed;
  gboolean mask_only;
} Wish;

static void
wish_clear (Wish *wish)
{
  g_free (wish->shows);
  g_free (wish->prompt);
  g_free (wish->method);
  g_free (wish->model);
}

/* Arguments that were left out are NULL. */
static void
wish_read (GimpProcedureConfig *config, Wish *wish)
{
  char **const texts[] = { &wish->shows, &wish->prompt, &wish->method, &wish->model };

  g_object_get (config, "shows", &wish->shows, "prompt", &wish->prompt, "method", &wish->method, "model", &wish->model, "strength",
                &wish->strength, "threshold", &wish->threshold, "guidance", &wish->guidance, "steps", &wish->steps, "seed", &wish->seed,
                "mask-only", &wish->mask_only, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    *texts[i] = *texts[i] ? g_strstrip (*texts[i]) : g_strdup ("");
}

static gboolean
uses (const Wish *wish, const char *method)
{
  return strcmp (wish->method[0] ? wish->method : methods[0][0], method) == 0;
}

static gboolean
check (GimpImage *image, const Wish *wish, GError **error)
{
  const char *problem = NULL;

  if (!wish->prompt[0])
    problem = _("It is not said what the picture shall show: write that as its new description.");
  else if (strcmp (wish->prompt, wish->shows) == 0)
    problem = _("Both descriptions are the same: change what the picture shall show.");
  else if (uses (wish, "null-text") && !wish->shows[0])
    problem = _("To change words, it has to be known what the picture shows: describe it as it is, too.");
  else if (wish->mask_only && !uses (wish, "diffedit"))
    problem = _("Only DiffEdit finds the place that changes: choose it, or do not ask for the place alone.");
  else if (wish->mask_only && !gimp_selection_is_empty (image))
    problem = _("Something is selected, which is the place that changes: select nothing to have it found.");
  if (problem)
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, problem);
  return !problem;
}

static JsonObject *
method_new (const char *id, const Wish *wish)
{
  JsonObject *method = json_object_new ();

  json_object_set_string_member (method, "id", id);
  if (wish->shows[0])
    json_object_set_string_member (method, "source", wish->shows);
  return method;
}

static JsonArray *
methods_of (const Wish *wish)
{
  JsonArray *array = json_array_new ();
  JsonObject *method;

  if (uses (wish, "null-text")) {
    json_array_add_object_element (array, method_new ("null-text", wish));
    method = method_new ("prompt-to-prompt", wish);
    /* the more is to change, the sooner it is left to itself */
    json_object_set_double_member (method, "self", 1 - wish->strength);
  } else if (uses (wish, "edict")) {
    method = method_new ("edict", wish);
    json_object_set_double_member (method, "strength", wish->strength);
  } else {
    method = method_new ("diffedit", wish);
    json_object_set_double_member (method, "ratio", wish->mask_only ? MIN (MAX (LEAST_RATIO, wish->steps ? 1.0 / wish->steps : 0), 1) : wish->strength);
    json_object_set_double_member (method, "threshold", wish->threshold);
  }
  json_array_add_object_element (array, method);
  return array;
}

static JsonObject *
recipe_of (const Wish *wish, int variants)
{
  JsonObject *recipe = json_object_new ();

  json_object_set_int_member (recipe, "pentimento", PMT_RECIPE_VERSION);
  json_object_set_string_member (recipe, "task", "generate");
  json_object_set_string_member (recipe, "model", wish->model);
  json_object_set_string_member (recipe, "prompt", wish->prompt);
  /* the way that all of them go back */
  json_object_set_string_member (recipe, "sampler", "ddim");
  json_object_set_double_member (recipe, "eta", 0);
  json_object_set_int_member (recipe, "seed", wish->seed >= 0 ? wish->seed : g_random_int_range (0, G_MAXINT));
  json_object_set_int_member (recipe, "variants", variants);
  if (wish->steps > 0)
    json_object_set_int_member (recipe, "steps", wish->steps);
  if (wish->guidance >= 0)
    json_object_set_double_member (recipe, "guidance", wish->guidance);
  if (wish->mask_only)
    json_object_set_int_member (recipe, "stop-after", 1);
  json_object_set_array_member (recipe, "methods", methods_of (wish));
  return recipe;
}

static PmtJob *
start (GimpImage *image, GimpDrawable **drawables, GimpProcedureConfig *config, const PmtJobHandlers *handlers, gpointer user, GError **error)
{
  const PmtAgain how = { -1, 1, TRUE, NULL, TRUE };
  Wish wish = { 0 };
  PmtJob *job = NULL;

  wish_read (config, &wish);
  if (pmt_capture_check (image, drawables, FALSE, error) && check (image, &wish, error)) {
    PmtInputs *inputs = pmt_inputs_new ();
    inputs->source = PMT_SOURCE_VISIBLE;
    inputs->asked = pmt_asked_new (config);
    job = pmt_job_start_recipe (image, pmt_capture_active_layer (image, drawables), recipe_of (&wish, how.variants), inputs, &how, handlers, user,
                                error);
  }
  if (job)
    pmt_job_set_aim (job, TRUE, wish.mask_only);
  wish_clear (&wish);
  return job;
}

static JsonObject *
describe (GimpProcedureConfig *config)
{
  Wish wish = { 0 };
  JsonObject *recipe;

  wish_read (config, &wish);
  recipe = recipe_of (&wish, 1);
  wish_clear (&wish);
  return recipe;
}

/* ---- back from a recipe ---- */

const char *
pmt_describe_method (JsonObject *recipe)
{
  for (gsize i = 0; i < G_N_ELEMENTS (methods); i++)
    if (pmt_recipe_method (recipe, methods[i][0]))
      return methods[i][0];
  return NULL;
}

static double
number_of (JsonObject *method, const char *member, double otherwise)
{
  return method ? json_object_get_double_member_with_default (method, member, otherwise) : otherwise;
}

void
pmt_describe_from_recipe (JsonObject *recipe, GObject *config)
{
  const char *id = pmt_describe_method (recipe);
  JsonObject *method = id ? pmt_recipe_method (recipe, id) : NULL;
  double strength;

  pmt_field_reset (config, "strength");
  pmt_field_reset (config, "threshold");
  g_object_set (config, "mask-only", FALSE, NULL);
  if (!method)
    return;
  g_object_get (config, "strength", &strength, NULL);
  if (strcmp (id, "null-text") == 0)
    strength = 1 - number_of (pmt_recipe_method (recipe, "prompt-to-prompt"), "self", 1 - strength);
  else
    strength = number_of (method, strcmp (id, "edict") == 0 ? "strength" : "ratio", strength);
  g_object_set (config, "method", id, "shows", json_object_get_string_member_with_default (method, "source", ""), "strength",
                CLAMP (strength, LEAST_STRENGTH, 1), "threshold", CLAMP (number_of (method, "threshold", 0.5), 0, 1), NULL);
}

/* ---- its window ---- */

static gboolean
is_diffedit (GBinding *binding, const GValue *from, GValue *to, gpointer unused)
{
  const char *method = g_value_get_string (from);

  g_value_set_boolean (to, !method || strcmp (method, "diffedit") == 0);
  return TRUE;
}

static void
only_with_diffedit (GObject *config, GtkWidget *field)
{
  g_object_bind_property_full (config, "method", field, "sensitive", G_BINDING_SYNC_CREATE, is_diffedit, NULL, NULL, NULL);
}

/* What cannot be chosen is not chosen either. */
static void
on_method (GObject *config, GParamSpec *spec, gpointer unused)
{
  g_autofree char *method = NULL;

  g_object_get (config, "method", &method, NULL);
  if (method && strcmp (method, "diffedit") != 0)
    g_object_set (config, "mask-only", FALSE, NULL);
}

static gboolean
is_advanced (GObject *config)
{
  return !pmt_field_is_default (config, "steps") || !pmt_field_is_default (config, "guidance") || !pmt_field_is_default (config, "seed");
}

static GtkWidget *
settings (PmtPaintDialog *dialog, GtkWidget **prompt)
{
  GObject *config = pmt_paint_dialog_config (dialog);
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 10), *form = pmt_form_new (), *advanced = pmt_form_new ();
  GtkWidget *method = pmt_choice_new (config, "method"), *threshold = pmt_percent_new (config, "threshold", 0), *shows, *only;

  shows = pmt_prompt_new (config, "shows", _("What the picture sho_ws (may be empty)"), 2);
  *prompt = pmt_prompt_new (config, "prompt", _("What _it shall show"), 2);
  for (gsize i = 0; i < G_N_ELEMENTS (methods); i++)
    pmt_choice_add (method, methods[i][0], _(methods[i][1]));
  only = pmt_check_new (config, "mask-only", _("Only find the _place, as a channel"),
                        _("Correct the channel, make it the selection and run again: a selection is the place that changes"));
  only_with_diffedit (config, threshold);
  only_with_diffedit (config, only);
  g_signal_connect_object (config, "notify::method", G_CALLBACK (on_method), only, 0);
  on_method (config, NULL, NULL);
  pmt_form_add (form, _("M_odel"), pmt_model_chooser_new (config, "model"),
                _("The model that paints: the bundled one, a safetensors file, or a folder in diffusers layout"));
  pmt_form_add (form, _("M_ethod"), method, _("How what is not spoken of is kept"));
  pmt_form_add (form, _("S_trength"), pmt_percent_new (config, "strength", LEAST_STRENGTH), _("How much may change: less keeps more of the picture"));
  pmt_form_add (form, _("Threshold"), threshold, _("How sure it has to be that a place changes: less takes in more of the picture"));
  gtk_grid_attach_next_to (GTK_GRID (form), only, NULL, GTK_POS_BOTTOM, 2, 1);
  pmt_paint_dialog_add_when_done (dialog, form);
  pmt_form_add (advanced, _("Steps"), pmt_number_new (config, "steps", 0, 1000, 1, 0, _("model's default")), _("More steps take longer and get finer"));
  pmt_form_add (advanced, _("G_uidance"), pmt_number_new (config, "guidance", -1, 100, 0.5, 1, _("model's default")),
                _("How closely to follow the prompt"));
  pmt_form_add (advanced, _("See_d"), pmt_number_new (config, "seed", -1, G_MAXINT, 1, 0, _("random")),
                _("The same seed gives the same picture again"));
  gtk_box_pack_start (GTK_BOX (box), shows, TRUE, TRUE, 0);
  gtk_box_pack_start (GTK_BOX (box), *prompt, TRUE, TRUE, 0);
  gtk_box_pack_start (GTK_BOX (box), form, FALSE, FALSE, 0);
  if (gimp_image_get_base_type (pmt_paint_dialog_image (dialog)) == GIMP_INDEXED)
    gtk_box_pack_start (GTK_BOX (box),
                        pmt_check_new (config, "convert-indexed", _("Convert the picture to RG_B"),
                                       _("Its colour table cannot hold new colours; one undo brings it back")),
                        FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box), pmt_fold_new (_("_Advanced"), advanced, is_advanced (config)), FALSE, FALSE, 0);
  gtk_widget_show (box);
  return box;
}

static const PmtPaintForm form = { .title = N_("Edit by Description"), .start = start, .describe = describe, .settings = settings };

static void
add_numbers (GimpProcedure *procedure)
{
  gimp_procedure_add_double_argument (procedure, "strength", _("S_trength"), _("How much may change: less keeps more of the picture"), LEAST_STRENGTH, 1, 0.8,
                                      G_PARAM_READWRITE);
  gimp_procedure_add_double_argument (procedure, "threshold", _("T_hreshold"),
                                      _("How sure it has to be that a place changes: less takes in more of the picture"), 0, 1, 0.5, G_PARAM_READWRITE);
  gimp_procedure_add_boolean_argument (procedure, "mask-only", _("Only find the _place, as a channel"),
                                       _("Correct the channel, make it the selection and run again: a selection is the place that changes"), FALSE,
                                       G_PARAM_READWRITE);
  gimp_procedure_add_double_argument (procedure, "guidance", _("_Guidance"), _("How closely to follow the prompt; -1: the model's default"), -1, 100,
                                      -1, G_PARAM_READWRITE);
  pmt_procedure_add_steps (procedure);
  gimp_procedure_add_int_argument (procedure, "seed", _("See_d"), _("The same seed gives the same picture; -1: another one each time"), -1, G_MAXINT,
                                   -1, G_PARAM_READWRITE);
}

GimpProcedure *
pmt_describe_procedure_new (GimpPlugIn *plug_in, const char *name)
{
  GimpProcedure *procedure = pmt_procedure_new (plug_in, name, _("Edit by _Description…"), &form);
  GimpChoice *choice = gimp_choice_new ();

  for (gsize i = 0; i < G_N_ELEMENTS (methods); i++)
    gimp_choice_add (choice, methods[i][0], (int) i, _(methods[i][1]), NULL);
  gimp_procedure_set_documentation (procedure, _("Changes the picture from what it shows to what it shall show, without a mask"),
                                    _("A diffusion model on this computer compares what the picture shows with what it shall show, finds the place "
                                      "that differs, and changes only that. The result is a new layer, with the place as its mask; everything else "
                                      "stays as it is. Where something is selected, that is the place."),
                                    name);
  gimp_procedure_add_string_argument (procedure, "shows", _("What the picture sho_ws"), _("What there is now, such as: a red fox in snow"), "",
                                      G_PARAM_READWRITE);
  gimp_procedure_add_string_argument (procedure, "prompt", _("What _it shall show"), _("What it shall be, such as: a gray wolf in snow"), "",
                                      G_PARAM_READWRITE);
  gimp_procedure_add_choice_argument (procedure, "method", _("_Method"), _("How what is not spoken of is kept"), choice, methods[0][0],
                                      G_PARAM_READWRITE);
  pmt_procedure_add_model (procedure);
  add_numbers (procedure);
  gimp_procedure_add_boolean_argument (procedure, "convert-indexed", _("Convert the picture to RG_B"),
                                       _("A picture with a colour table is converted first; otherwise it is refused"), FALSE, G_PARAM_READWRITE);
  pmt_procedure_add_when_done (procedure);
  pmt_procedure_add_delivered (procedure);
  return procedure;
}
