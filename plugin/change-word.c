/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/change-word.h"

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

#include "plugin/clash.h"
#include "plugin/error.h"
#include "plugin/procedure.h"
#include "plugin/recipe-method.h"
#include "plugin/recipe-layer.h"
#include "ui/fields.h"
#include "ui/form.h"
#include "ui/word-weights.h"

#define METHOD "prompt-to-prompt"
/* Weights of a prompt's brackets, and those that the method takes. */
#define LEAST_WEIGHT 0.1
#define MOST_WEIGHT 2.0
#define METHOD_LEAST (-2.0)
#define METHOD_MOST 5.0

typedef struct Change {
  char *prompt, *weights, *blend;
  double cross, self;
} Change;

static void
change_clear (Change *change)
{
  g_free (change->prompt);
  g_free (change->weights);
  g_free (change->blend);
}

/* A picture of its own, whose layout only its old words hold. One that was edited by description is held by the picture that it was made of. */
static gboolean
needs_old_words (JsonObject *recipe)
{
  return g_strcmp0 (json_object_get_string_member_with_default (recipe, "task", ""), "generate") == 0 && !pmt_recipe_method (recipe, "diffedit") &&
         !pmt_recipe_method (recipe, "edict");
}

/* FALSE + error: this cannot be done beside what the picture was painted with. */
static gboolean
check (JsonObject *recipe, GError **error)
{
  const char *clash = needs_old_words (recipe) ? pmt_clash_with (recipe, METHOD) : NULL;

  if (clash)
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("This picture was painted with “%s”, beside which no single word can be changed: write the other word under Filters > Pentimento > "
                   "Recipe > Use Settings and paint anew, or select the place and fill it."),
                 clash);
  return !clash;
}

/* Both prompts are run side by side, and the new one takes the layout from the old. */
static void
add_method (JsonObject *recipe, const Change *change)
{
  const char *prompt = json_object_get_string_member_with_default (recipe, "prompt", "");
  JsonNode *node = json_object_get_member (recipe, "methods");
  JsonArray *old = node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL, *methods = json_array_new ();
  JsonObject *method = json_object_new (), *last = pmt_recipe_method (recipe, METHOD);
  const char *source = last ? json_object_get_string_member_with_default (last, "source", NULL) : NULL;

  json_object_set_string_member (method, "id", METHOD);
  if (source && source[0])
    json_object_set_string_member (method, "source", source); /* the prompt itself is what it shall become */
  else if (g_strcmp0 (prompt, change->prompt) != 0)
    json_object_set_string_member (method, "target", change->prompt);
  if (source && source[0])
    json_object_set_string_member (recipe, "prompt", change->prompt);
  /* a second change starts from the same first prompt */
  for (guint i = 0; old && i < json_array_get_length (old); i++) {
    JsonNode *element = json_array_get_element (old, i);
    if (!JSON_NODE_HOLDS_OBJECT (element) ||
        g_strcmp0 (json_object_get_string_member_with_default (json_node_get_object (element), "id", ""), METHOD) != 0)
      json_array_add_element (methods, json_node_copy (element));
  }
  if (change->weights[0])
    json_object_set_string_member (method, "weights", change->weights);
  if (change->blend[0])
    json_object_set_string_member (method, "blend", change->blend);
  json_object_set_double_member (method, "cross", change->cross);
  json_object_set_double_member (method, "self", change->self);
  json_array_add_object_element (methods, method);
  json_object_set_array_member (recipe, "methods", methods);
}

/* Tags (<lora:…>) stay as they are, whatever words are in them. */
static gboolean
put_weight (const GMatchInfo *match, GString *text, gpointer number)
{
  g_autofree char *found = g_match_info_fetch (match, 0);

  if (found[0] == '<')
    g_string_append (text, found);
  else
    g_string_append_printf (text, "(%s:%s)", found, (const char *) number);
  return FALSE;
}

/* "a fox" with "fox:1.5" is "a (fox:1.5)"; whole words only. */
static char *
weighted (const char *prompt, const char *weights)
{
  g_auto (GStrv) parts = g_strsplit (weights, ";", -1);
  char *text = g_strdup (prompt);

  for (char **part = parts; *part; part++) {
    char *colon = strrchr (*part, ':'), number[G_ASCII_DTOSTR_BUF_SIZE];
    g_autofree char *word = colon ? g_strstrip (g_strndup (*part, (gsize) (colon - *part))) : NULL;
    g_autofree char *quoted = word ? g_regex_escape_string (word, -1) : NULL;
    g_autofree char *pattern = g_strconcat ("<[^>]*>|(?<![\\p{L}\\p{N}])", quoted, "(?![\\p{L}\\p{N}])", NULL);
    g_autoptr (GRegex) regex = word && word[0] ? g_regex_new (pattern, 0, 0, NULL) : NULL;
    char *changed;
    if (!regex)
      continue;
    g_ascii_formatd (number, sizeof number, "%.2g", CLAMP (g_ascii_strtod (colon + 1, NULL), LEAST_WEIGHT, MOST_WEIGHT));
    changed = g_regex_replace_eval (regex, text, -1, 0, 0, put_weight, number, NULL);
    if (changed) {
      g_free (text);
      text = changed;
    }
  }
  return text;
}

/* What is held by its surroundings and its seed, or by the picture that it was made of: the words alone change. */
static void
change_prompt (JsonObject *recipe, const Change *change)
{
  g_autofree char *prompt = weighted (change->prompt, change->weights);

  json_object_set_string_member (recipe, "prompt", prompt);
}

/* Arguments that were left out are as the recipe has them. */
static void
change_read (GimpProcedureConfig *config, JsonObject *recipe, Change *change)
{
  g_object_get (config, "prompt", &change->prompt, "weights", &change->weights, "blend", &change->blend, "cross", &change->cross, "self",
                &change->self, NULL);
  if (!change->prompt || !change->prompt[0]) {
    g_free (change->prompt);
    change->prompt = g_strdup (pmt_recipe_shown_prompt (recipe));
  }
  change->weights = change->weights ? change->weights : g_strdup ("");
  change->blend = change->blend ? change->blend : g_strdup ("");
}

/* FALSE + error. */
static gboolean
change_recipe (JsonObject *recipe, const Change *change, GError **error)
{
  if (!change->weights[0] && strcmp (change->prompt, pmt_recipe_shown_prompt (recipe)) == 0) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("No word has changed: write another word in place of one, or move a slider."));
    return FALSE;
  }
  (needs_old_words (recipe) ? add_method : change_prompt) (recipe, change);
  return check (recipe, error);
}

static PmtJob *
start (GimpImage *image, GimpDrawable **drawables, GimpProcedureConfig *config, const PmtJobHandlers *handlers, gpointer user, GError **error)
{
  const PmtAgain how = { -1, 1, FALSE, NULL, TRUE };
  PmtInputs *inputs = NULL;
  JsonObject *recipe;
  GimpLayer *layer;
  Change change = { 0 };
  gboolean good;

  if (!pmt_recipe_read (image, drawables, &layer, &recipe, &inputs, error))
    return NULL;
  change_read (config, recipe, &change);
  good = change_recipe (recipe, &change, error);
  change_clear (&change);
  if (good)
    return pmt_job_start_recipe (image, layer, recipe, inputs, &how, handlers, user, error);
  json_object_unref (recipe);
  pmt_inputs_free (inputs);
  return NULL;
}

/* What stands in the fields is the layer's, not the last call's. */
static gboolean
prepare (GimpImage *image, GimpDrawable **drawables, GimpProcedureConfig *config, GError **error)
{
  GimpLayer *layer = pmt_recipe_layer (image, drawables, error);
  g_autoptr (JsonObject) recipe = layer ? pmt_recipe_of_layer (layer, error) : NULL;

  if (!recipe || !check (recipe, error))
    return FALSE;
  g_object_set (config, "prompt", pmt_recipe_shown_prompt (recipe), "weights", "", "blend", "", NULL);
  return TRUE;
}

/* As far as the job goes with them. */
static GtkWidget *
weights_new (PmtPaintDialog *dialog)
{
  GObject *config = pmt_paint_dialog_config (dialog);
  GimpLayer *layer = pmt_recipe_layer (pmt_paint_dialog_image (dialog), pmt_paint_dialog_drawables (dialog), NULL);
  g_autoptr (JsonObject) recipe = layer ? pmt_recipe_of_layer (layer, NULL) : NULL;

  if (!recipe || needs_old_words (recipe))
    return pmt_word_weights_new (config, "prompt", "weights", METHOD_LEAST, METHOD_MOST,
                                 _("1 leaves the word as it is, more turns it up, less turns it down, below 0 is away from it"));
  return pmt_word_weights_new (config, "prompt", "weights", LEAST_WEIGHT, MOST_WEIGHT,
                               _("1 leaves the word as it is, more turns it up, less turns it down"));
}

static GtkWidget *
settings (PmtPaintDialog *dialog, GtkWidget **prompt)
{
  GObject *config = pmt_paint_dialog_config (dialog);
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 10), *form = pmt_form_new (), *words, *name;

  *prompt = pmt_prompt_new (config, "prompt", _("_Prompt: write another word in place of one"), 3);
  words = weights_new (dialog);
  name = gtk_label_new_with_mnemonic (_("_Words: turn one up or down"));
  gtk_label_set_xalign (GTK_LABEL (name), 0);
  gtk_label_set_mnemonic_widget (GTK_LABEL (name), words);
  gtk_widget_show (name);
  pmt_form_add (form, _("Hol_d the places"), pmt_percent_new (config, "cross", 0),
                _("Part of the run in which words are placed as in the layer's picture; less leaves more freedom"));
  pmt_form_add (form, _("Hold the s_hapes"), pmt_percent_new (config, "self", 0),
                _("Part of the run in which shapes are those of the layer's picture; less leaves more freedom"));
  pmt_form_add (form, _("_Only where"), pmt_entry_new (config, "blend", _("anywhere")),
                _("Words, with “;” between them: only where they are seen the picture may change"));
  pmt_paint_dialog_add_forget (dialog, form);
  gtk_box_pack_start (GTK_BOX (box), *prompt, TRUE, TRUE, 0);
  gtk_box_pack_start (GTK_BOX (box), name, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box), words, TRUE, TRUE, 0);
  gtk_box_pack_start (GTK_BOX (box), pmt_fold_new (_("_Advanced, for generated pictures"), form, FALSE), FALSE, FALSE, 0);
  gtk_widget_show (box);
  return box;
}

static const PmtPaintForm form = { .title = N_("Change a Word"), .recipe = TRUE, .start = start, .prepare = prepare, .settings = settings };

GimpProcedure *
pmt_change_word_procedure_new (GimpPlugIn *plug_in, const char *name)
{
  GimpProcedure *procedure = pmt_procedure_new (plug_in, name, _("Change a _Word…"), &form);

  gimp_procedure_set_documentation (procedure, _("Paints the active layer's picture with other words"),
                                    _("The recipe of a layer that Pentimento painted runs again with the same seed and a word swapped, added, or "
                                      "turned up or down. A generated picture keeps its layout (Prompt-to-Prompt); a place that was filled or edited "
                                      "is painted anew with the changed prompt. The result is a new layer above it."),
                                    name);
  gimp_procedure_add_string_argument (procedure, "prompt", _("_Prompt"), _("The prompt with its words changed; empty: as it was"), "",
                                      G_PARAM_READWRITE);
  gimp_procedure_add_string_argument (procedure, "weights", _("_Words"), _("Words that count more or less, as “snow:2; trees:-1”"), "",
                                      G_PARAM_READWRITE);
  gimp_procedure_add_double_argument (procedure, "cross", _("Hold the p_laces"),
                                      _("Part of the run in which words are placed as in the layer's picture"), 0, 1, 0.8, G_PARAM_READWRITE);
  gimp_procedure_add_double_argument (procedure, "self", _("Hold the s_hapes"),
                                      _("Part of the run in which shapes are those of the layer's picture"), 0, 1, 0.4, G_PARAM_READWRITE);
  gimp_procedure_add_string_argument (procedure, "blend", _("_Only where"),
                                      _("Words, with “;” between them: only where they are seen the picture may change"), "", G_PARAM_READWRITE);
  pmt_procedure_add_when_done (procedure);
  pmt_procedure_add_delivered (procedure);
  return procedure;
}
