/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/recipe-vary.h"

#include <gegl.h>
#include <glib/gi18n.h>

#include "plugin/describe.h"
#include "plugin/error.h"
#include "plugin/history.h"
#include "plugin/place.h"
#include "plugin/procedure.h"
#include "plugin/recipe-layer.h"
#include "plugin/recipe-method.h"
#include "ui/fields.h"
#include "ui/form.h"

/* Seeds are as large as the procedures' argument. */
#define MOST_SEED G_MAXINT

static gint64
seed_of (JsonObject *recipe)
{
  return json_object_get_int_member_with_default (recipe, "seed", 0);
}

/* The highest seed among the layers that came of the same inputs, at least `seed`. */
static gint64
highest_in_image (GimpItem **items, guint origin, gint64 seed)
{
  for (gsize i = 0; items && items[i]; i++) {
    if (origin && pmt_inputs_origin (items[i]) == origin) {
      g_autoptr (JsonObject) recipe = pmt_recipe_of (items[i]);
      seed = recipe ? MAX (seed, seed_of (recipe)) : seed;
    }
    if (gimp_item_is_group (items[i])) {
      g_autofree GimpItem **children = gimp_item_get_children (items[i]);
      seed = highest_in_image (children, origin, seed);
    }
  }
  return seed;
}

/* What one recipe says apart from seed and strength. */
static JsonObject *
without_seed (JsonObject *recipe)
{
  static const char *const members[] = { "seed", "variants", "strength", "image-hash" };
  JsonObject *copy = pmt_recipe_copy (recipe);

  for (gsize i = 0; i < G_N_ELEMENTS (members); i++)
    json_object_remove_member (copy, members[i]);
  return copy;
}

/* The same among what was painted and not taken. */
static gint64
highest_in_history (JsonObject *recipe, gint64 seed)
{
  g_autoptr (GPtrArray) entries = pmt_history_list ();
  g_autoptr (JsonObject) same = without_seed (recipe);

  for (guint i = 0; i < entries->len; i++) {
    const PmtHistoryEntry *entry = g_ptr_array_index (entries, i);
    g_autoptr (JsonObject) other = without_seed (entry->recipe);
    if (json_object_equal (same, other))
      seed = MAX (seed, entry->seed);
  }
  return seed;
}

/* The one after all that were had of this recipe: a seed that comes again is the same picture again. */
static gint64
following_seed (GimpImage *image, JsonObject *recipe, const PmtInputs *inputs)
{
  g_autofree GimpLayer **layers = gimp_image_get_layers (image);
  gint64 seed = highest_in_image ((GimpItem **) layers, inputs->origin, seed_of (recipe));

  seed = highest_in_history (recipe, seed);
  return seed >= 0 && seed < MOST_SEED ? seed + 1 : 0;
}

/* ---- vary ---- */

/* A layer, or a group around it, that is hidden. */
static gboolean
is_hidden (GimpItem *item)
{
  for (; item; item = gimp_item_get_parent (item))
    if (!gimp_item_get_visible (item))
      return TRUE;
  return FALSE;
}

/* What was edited by description is a picture like any other from now on, of which the layer's mask shows the place: the methods that edited it go
 * their own way to noise and know no strength. FALSE + error. */
static gboolean
continue_description (GimpLayer *layer, JsonObject *recipe, PmtInputs *inputs, GError **error)
{
  static const char *const methods[] = { "diffedit", "null-text", "edict", "prompt-to-prompt" };
  const PmtPlace place = { .kind = PMT_MASK_LAYER_MASK, .item = GIMP_ITEM (layer) };
  gboolean everything;
  GBytes *mask;

  for (gsize i = 0; i < G_N_ELEMENTS (methods); i++)
    pmt_recipe_remove_method (recipe, methods[i]);
  if (!gimp_layer_get_mask (layer))
    return TRUE;
  mask = pmt_place_mask (&place, gimp_item_get_image (GIMP_ITEM (layer)), &inputs->area, &everything, error);
  if (!mask)
    return FALSE;
  g_clear_pointer (&inputs->mask, g_bytes_unref);
  inputs->mask = mask;
  return TRUE;
}

/* A picture of its own starts from what the layer shows, whatever is around it. */
static void
continue_picture (GimpLayer *layer, PmtInputs *inputs)
{
  inputs->source = PMT_SOURCE_LAYER;
  g_set_object (&inputs->layer, layer);
  g_free (inputs->layer_name);
  inputs->layer_name = gimp_item_get_name (GIMP_ITEM (layer));
}

/* The recipe continues the layer's picture: what was filled or edited by description as it is seen in its surroundings, a picture of its own by itself.
 * FALSE + error. */
static gboolean
continue_layer (GimpLayer *layer, JsonObject *recipe, PmtInputs *inputs, double strength, PmtAgain *how, GError **error)
{
  const char *task = json_object_get_string_member_with_default (recipe, "task", "");
  const gboolean described = pmt_describe_method (recipe) && inputs->source == PMT_SOURCE_VISIBLE;
  g_autofree char *name = gimp_item_get_name (GIMP_ITEM (layer));

  if (g_strcmp0 (task, "edit") == 0) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("The layer “%s” was made by an instruction, which has no strength: vary its seed, or fill the place with a lower strength."), name);
    return FALSE;
  }
  if ((described || g_strcmp0 (task, "fill") == 0) && is_hidden (GIMP_ITEM (layer))) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The layer “%s” is hidden: show it, so that what is seen can be varied."), name);
    return FALSE;
  }
  if (pmt_describe_method (recipe) && !continue_description (layer, recipe, inputs, error))
    return FALSE;
  json_object_set_double_member (recipe, "strength", strength);
  json_object_remove_member (recipe, "image-hash");
  how->seen = layer;
  if (g_strcmp0 (task, "generate") == 0 && !described)
    continue_picture (layer, inputs);
  return TRUE;
}

static PmtJob *
start_vary (GimpImage *image, GimpDrawable **drawables, GimpProcedureConfig *config, const PmtJobHandlers *handlers, gpointer user, GError **error)
{
  PmtAgain how = { -1, 1, FALSE, NULL };
  g_autofree char *kind = NULL;
  JsonObject *recipe = NULL;
  PmtInputs *inputs = NULL;
  GimpLayer *layer = NULL;
  double strength = 0.4;
  int seed = -1;

  g_object_get (config, "kind", &kind, "strength", &strength, "seed", &seed, "variants", &how.variants, NULL);
  if (!pmt_recipe_read (image, drawables, &layer, &recipe, &inputs, error))
    return NULL;
  how.seed = seed >= 0 ? seed : following_seed (image, recipe, inputs);
  if (g_strcmp0 (kind, "near") == 0 && !continue_layer (layer, recipe, inputs, strength, &how, error)) {
    json_object_unref (recipe);
    pmt_inputs_free (inputs);
    return NULL;
  }
  return pmt_job_start_recipe (image, layer, recipe, inputs, &how, handlers, user, error);
}

static gboolean
prepare (GimpImage *image, GimpDrawable **drawables, GimpProcedureConfig *config, GError **error)
{
  JsonObject *recipe = NULL;
  PmtInputs *inputs = NULL;
  GimpLayer *layer;

  if (!pmt_recipe_read (image, drawables, &layer, &recipe, &inputs, error))
    return FALSE;
  json_object_unref (recipe);
  pmt_inputs_free (inputs);
  return TRUE;
}

static gboolean
to_sensitive (GBinding *binding, const GValue *from, GValue *to, gpointer unused)
{
  g_value_set_boolean (to, g_strcmp0 (g_value_get_string (from), "near") == 0);
  return TRUE;
}

static GtkWidget *
vary_settings (PmtPaintDialog *dialog, GtkWidget **prompt)
{
  GObject *config = pmt_paint_dialog_config (dialog);
  GtkWidget *form = pmt_form_new (), *kind = pmt_choice_new (config, "kind"), *strength = pmt_percent_new (config, "strength", 0.01);

  pmt_choice_add (kind, "new", _("Other pictures of the same recipe"));
  pmt_choice_add (kind, "near", _("Pictures near to this one"));
  pmt_form_add (form, _("Ma_ke"), kind, _("Whether only the recipe is kept, or also what the layer shows"));
  pmt_form_add (form, _("S_trength"), strength, _("How much of the layer's picture is painted anew"));
  g_object_bind_property_full (config, "kind", strength, "sensitive", G_BINDING_SYNC_CREATE, to_sensitive, NULL, NULL, NULL);
  pmt_form_add (form, _("See_d"), pmt_number_new (config, "seed", -1, MOST_SEED, 1, 0, _("the next one")), _("The first seed"));
  pmt_form_add (form, _("_Variants"), pmt_number_new (config, "variants", 1, 64, 1, 0, NULL), _("How many pictures to paint"));
  pmt_paint_dialog_add_when_done (dialog, form);
  return form;
}

static const PmtPaintForm vary_form = { .title = N_("Vary"), .recipe = TRUE, .start = start_vary, .prepare = prepare, .settings = vary_settings };

GimpProcedure *
pmt_vary_procedure_new (GimpPlugIn *plug_in, const char *name)
{
  GimpProcedure *procedure = pmt_procedure_new (plug_in, name, _("_Vary…"), &vary_form);

  gimp_procedure_set_documentation (procedure, _("Paints more pictures like the active layer's"),
                                    _("The recipe of a layer that Pentimento painted runs again where it ran before: with other seeds, or from what the "
                                      "layer shows, of which only a part is painted anew. Results are new layers above it."),
                                    name);
  gimp_procedure_add_choice_argument (procedure, "kind", _("_Make"), _("What is kept of the layer"),
                                      gimp_choice_new_with_values ("new", 0, _("Other pictures of the same recipe"), NULL, "near", 1,
                                                                   _("Pictures near to this one"), NULL, NULL),
                                      "new", G_PARAM_READWRITE);
  gimp_procedure_add_double_argument (procedure, "strength", _("S_trength"), _("How much of the layer's picture is painted anew"), 0.01, 1, 0.4,
                                      G_PARAM_READWRITE);
  gimp_procedure_add_int_argument (procedure, "seed", _("See_d"), _("The first seed; -1: one that none of the recipe's pictures has"), -1, MOST_SEED, -1,
                                   G_PARAM_READWRITE);
  gimp_procedure_add_int_argument (procedure, "variants", _("_Variants"), _("How many pictures to paint, each with a seed of its own"), 1, 64, 2,
                                   G_PARAM_READWRITE);
  pmt_procedure_add_when_done (procedure);
  pmt_procedure_add_delivered (procedure);
  return procedure;
}

/* ---- in the present selection ---- */

typedef struct Here {
  GimpImage *image;
  GimpDrawable **drawables;
  PmtAgain how;
} Here;

static PmtJob *
start_here (gpointer what, const PmtJobHandlers *handlers, gpointer user, GError **error)
{
  const Here *here = what;
  JsonObject *recipe = NULL;
  PmtInputs *inputs = NULL;
  GimpLayer *layer = NULL;

  if (!pmt_recipe_read (here->image, here->drawables, &layer, &recipe, &inputs, error))
    return NULL;
  return pmt_job_start_recipe (here->image, layer, recipe, inputs, &here->how, handlers, user, error);
}

/* The selection is all that there is to say: no window. */
static GimpValueArray *
run_here (GimpProcedure *procedure, GimpRunMode run_mode, GimpImage *image, GimpDrawable **drawables, GimpProcedureConfig *config, gpointer unused)
{
  Here here = { image, drawables, { -1, 1, TRUE, NULL } };
  const gboolean by_hand = run_mode != GIMP_RUN_NONINTERACTIVE;
  const PmtWindowless windowless = { start_here, &here, FALSE, by_hand, by_hand };
  PmtDelivered *delivered = NULL;
  GError *error = NULL;
  int seed = -1;

  gegl_init (NULL, NULL);
  g_object_get (config, "seed", &seed, "variants", &here.how.variants, NULL);
  here.how.seed = seed;
  if (gimp_selection_is_empty (image))
    g_set_error (&error, PMT_ERROR, PMT_ERROR_INPUT, _("Nothing is selected: select the place in which the recipe shall run."));
  else
    delivered = pmt_procedure_run_job (image, &windowless, &error);
  return pmt_procedure_return (procedure, delivered, error);
}

GimpProcedure *
pmt_here_procedure_new (GimpPlugIn *plug_in, const char *name)
{
  GimpProcedure *procedure = pmt_procedure_new_recipe (plug_in, name, _("Run in the Present _Selection"), run_here);

  gimp_procedure_set_documentation (procedure, _("Paints the active layer's recipe into the present selection"),
                                    _("The recipe of a layer that Pentimento painted runs once more with its own prompt, seed and numbers, in what is "
                                      "selected now: a mask that came out wrong is drawn anew, or the same thing painted elsewhere. The result is a "
                                      "new layer above it."),
                                    name);
  gimp_procedure_add_int_argument (procedure, "seed", _("See_d"), _("Another seed gives another picture; -1: the recipe's own"), -1, MOST_SEED, -1,
                                   G_PARAM_READWRITE);
  gimp_procedure_add_int_argument (procedure, "variants", _("_Variants"), _("How many pictures to paint, each with a seed of its own"), 1, 64, 1,
                                   G_PARAM_READWRITE);
  pmt_procedure_add_delivered (procedure);
  return procedure;
}
