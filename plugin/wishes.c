/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/wishes.h"

#include <glib/gi18n.h>

#include "plugin/asked.h"
#include "plugin/error.h"
#include "plugin/recipe-method.h"
#include "plugin/recipe.h"
#include "ui/fields.h"
#include "ui/form.h"

#define SURE "attend-and-excite"
#define WIDE "multidiffusion"

static const char *const panoramas[][2] = {
  { "no", N_("No") },
  { "windows", N_("In windows of the model's size") },
  { "closed", N_("In windows, the right edge goes on at the left") },
};

void
pmt_wishes_add_arguments (GimpProcedure *procedure, gboolean wide)
{
  GimpChoice *choice = gimp_choice_new ();

  gimp_procedure_add_string_argument (procedure, "make-sure", _("Make sure of"),
                                      _("Words of the prompt that have to be seen, with spaces between, or phrases with “;” between (Attend-and-Excite)"),
                                      "", G_PARAM_READWRITE);
  for (gsize i = 0; i < G_N_ELEMENTS (panoramas); i++)
    gimp_choice_add (choice, panoramas[i][0], (int) i, _(panoramas[i][1]), NULL);
  if (wide)
    gimp_procedure_add_choice_argument (procedure, "panorama", _("Panorama"),
                                        _("A picture much wider or higher than the model's own is painted in windows that overlap (MultiDiffusion)"),
                                        choice, "no", G_PARAM_READWRITE);
  else
    g_object_unref (choice);
}

void
pmt_wishes_add_fields (GObject *config, GtkWidget *form)
{
  GtkWidget *choice;

  pmt_form_add (form, _("Make sure of"), pmt_entry_new (config, "make-sure", _("words of the prompt")),
                _("Words of the prompt that have to be seen, with spaces between, or phrases with “;” between; takes twice as long"));
  if (!pmt_field_exists (config, "panorama"))
    return;
  choice = pmt_choice_new (config, "panorama");
  for (gsize i = 0; i < G_N_ELEMENTS (panoramas); i++)
    pmt_choice_add (choice, panoramas[i][0], _(panoramas[i][1]));
  pmt_form_add (form, _("Panorama"), choice, _("A picture much wider or higher than the model's own is painted in windows that overlap"));
}

/* The recipe's own of that id to be completed, else a new one at the end. */
static JsonObject *
method_for (JsonObject *recipe, const char *id)
{
  JsonObject *method = pmt_recipe_method (recipe, id);

  if (method)
    return method;
  method = json_object_new ();
  json_object_set_string_member (method, "id", id);
  pmt_recipe_put_method (recipe, method);
  return method;
}

static gboolean
make_sure (JsonObject *recipe, const char *words, GError **error)
{
  JsonObject *method = method_for (recipe, SURE);
  const char *said = json_object_get_string_member_with_default (method, "words", "");

  if (said && said[0] && g_strcmp0 (said, words) != 0) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("The words “%s” are to be made sure of, and the methods say “%s”: write them in one of both places."), words, said);
    return FALSE;
  }
  json_object_set_string_member (method, "words", words);
  return TRUE;
}

/* NULL: none, or nothing but spaces. Newly allocated. */
static char *
chosen_words (GimpProcedureConfig *config)
{
  g_autofree char *words = NULL;

  if (pmt_field_exists (config, "make-sure"))
    g_object_get (config, "make-sure", &words, NULL);
  return words && g_strstrip (words)[0] ? g_steal_pointer (&words) : NULL;
}

gboolean
pmt_wishes_sure (GimpProcedureConfig *config)
{
  g_autofree char *words = chosen_words (config);

  return words != NULL;
}

static char *
chosen_panorama (GimpProcedureConfig *config)
{
  char *panorama = NULL;

  if (pmt_field_exists (config, "panorama"))
    g_object_get (config, "panorama", &panorama, NULL);
  return panorama;
}

gboolean
pmt_wishes_wide (GimpProcedureConfig *config)
{
  g_autofree char *panorama = chosen_panorama (config);

  return g_strcmp0 (panorama, "windows") == 0 || g_strcmp0 (panorama, "closed") == 0;
}

gboolean
pmt_wishes_to_recipe (GimpProcedureConfig *config, JsonObject *recipe, GError **error)
{
  g_autofree char *words = chosen_words (config), *panorama = chosen_panorama (config);

  if (words && !make_sure (recipe, words, error))
    return FALSE;
  if (pmt_wishes_wide (config)) {
    JsonObject *method = method_for (recipe, WIDE);
    if (g_strcmp0 (panorama, "closed") == 0)
      json_object_set_boolean_member (method, "wrap", TRUE);
  }
  return TRUE;
}

JsonArray *
pmt_wishes_alone (GimpProcedureConfig *config)
{
  g_autofree char *text = NULL;
  g_autoptr (JsonObject) list = json_object_new ();
  JsonArray *fields = json_array_new (), *methods = NULL;

  if (pmt_field_exists (config, "methods"))
    g_object_get (config, "methods", &text, NULL);
  methods = text ? pmt_recipe_parse_methods (text, NULL) : NULL;
  if (methods)
    json_object_set_array_member (list, "methods", methods);
  if (pmt_wishes_sure (config) && !pmt_recipe_method (list, SURE))
    json_array_add_string_element (fields, "make-sure");
  if (pmt_wishes_wide (config) && !pmt_recipe_method (list, WIDE))
    json_array_add_string_element (fields, "panorama");
  return fields;
}

/* Whether the field is to have the method. */
static gboolean
belongs (JsonObject *method, const char *member, JsonObject *asked, const char *field)
{
  if (asked)
    return pmt_asked_wished (asked, field);
  return json_object_get_size (method) == 1 || (json_object_get_size (method) == 2 && json_object_has_member (method, member));
}

static void
take_words (JsonObject *recipe, JsonObject *asked, GObject *config)
{
  JsonObject *method = pmt_recipe_method (recipe, SURE);
  const char *words = method ? json_object_get_string_member_with_default (method, "words", "") : "";

  if (!words || !words[0] || !belongs (method, "words", asked, "make-sure"))
    words = "";
  g_object_set (config, "make-sure", words, NULL);
  if (words[0])
    pmt_recipe_remove_method (recipe, SURE);
}

static void
take_panorama (JsonObject *recipe, JsonObject *asked, GObject *config)
{
  JsonObject *method = pmt_recipe_method (recipe, WIDE);
  const char *panorama = !method ? "no" : json_object_get_boolean_member_with_default (method, "wrap", FALSE) ? "closed" : "windows";

  g_object_set (config, "panorama", panorama, NULL);
  if (method && belongs (method, "wrap", asked, "panorama"))
    pmt_recipe_remove_method (recipe, WIDE);
}

void
pmt_wishes_from_recipe (JsonObject *recipe, JsonObject *asked, GObject *config)
{
  if (pmt_field_exists (config, "make-sure"))
    take_words (recipe, asked, config);
  if (pmt_field_exists (config, "panorama"))
    take_panorama (recipe, asked, config);
}
