/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/learn-table.h"

#include <glib/gi18n.h>

static JsonArray *kinds, *params;

/* New reference; empty when there is none. */
static JsonArray *
array_of (JsonObject *object, const char *member)
{
  JsonNode *node = object ? json_object_get_member (object, member) : NULL;

  return node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_dup_array (node) : json_array_new ();
}

static void
read_file (void)
{
  g_autofree char *folder = g_path_get_dirname (gimp_get_progname ()), *path = g_build_filename (folder, "data", "methods.json", NULL);
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonNode *root = json_parser_load_from_file (parser, path, NULL) ? json_parser_get_root (parser) : NULL;
  JsonNode *learn = root && JSON_NODE_HOLDS_OBJECT (root) ? json_object_get_member (json_node_get_object (root), "learn") : NULL;
  JsonObject *object = learn && JSON_NODE_HOLDS_OBJECT (learn) ? json_node_get_object (learn) : NULL;

  kinds = array_of (object, "kinds");
  params = array_of (object, "params");
}

JsonArray *
pmt_learn_table_kinds (void)
{
  if (!kinds)
    read_file ();
  return kinds;
}

JsonArray *
pmt_learn_table_params (void)
{
  if (!params)
    read_file ();
  return params;
}

static JsonObject *
find (JsonArray *entries, const char *id)
{
  for (guint i = 0; id && i < json_array_get_length (entries); i++) {
    JsonObject *entry = json_array_get_object_element (entries, i);
    if (g_strcmp0 (json_object_get_string_member_with_default (entry, "id", NULL), id) == 0)
      return entry;
  }
  return NULL;
}

JsonObject *
pmt_learn_table_kind (const char *id)
{
  return find (pmt_learn_table_kinds (), id);
}

JsonObject *
pmt_learn_table_param (const char *id)
{
  return find (pmt_learn_table_params (), id);
}

const char *
pmt_learn_table_text (JsonObject *entry, const char *member)
{
  const char *text = entry ? json_object_get_string_member_with_default (entry, member, "") : "";

  return text[0] ? _(text) : ""; /* the catalogue has the engine's labels too */
}

static void
add_kind (GimpProcedure *procedure)
{
  GimpChoice *choice = gimp_choice_new ();
  const char *first = NULL;

  for (guint i = 0; i < json_array_get_length (pmt_learn_table_kinds ()); i++) {
    JsonObject *kind = json_array_get_object_element (pmt_learn_table_kinds (), i);
    const char *id = json_object_get_string_member (kind, "id");
    gimp_choice_add (choice, id, (int) i, pmt_learn_table_text (kind, "label"), pmt_learn_table_text (kind, "summary"));
    first = first ? first : id;
  }
  if (!first)
    gimp_choice_add (choice, first = "word", 0, "word", NULL);
  gimp_procedure_add_choice_argument (procedure, "kind", _("W_hat to learn"), _("What comes of it, and how it is used"), choice, first, G_PARAM_READWRITE);
}

static void
add_param (GimpProcedure *procedure, JsonObject *param)
{
  const char *id = json_object_get_string_member (param, "id"), *type = json_object_get_string_member (param, "type");
  const char *label = pmt_learn_table_text (param, "label"), *help = pmt_learn_table_text (param, "help");

  if (g_str_equal (type, "string")) {
    gimp_procedure_add_string_argument (procedure, id, label, help, json_object_get_string_member (param, "default"), G_PARAM_READWRITE);
  } else if (g_str_equal (type, "bool")) {
    gimp_procedure_add_boolean_argument (procedure, id, label, help, json_object_get_boolean_member (param, "default"), G_PARAM_READWRITE);
  } else {
    const double least = json_object_get_double_member (param, "min"), most = json_object_get_double_member (param, "max");
    const double usual = json_object_get_double_member (param, "default");
    if (g_str_equal (type, "int"))
      gimp_procedure_add_int_argument (procedure, id, label, help, (int) least, (int) MIN (most, G_MAXINT), (int) usual, G_PARAM_READWRITE);
    else
      gimp_procedure_add_double_argument (procedure, id, label, help, least, most, usual, G_PARAM_READWRITE);
  }
}

void
pmt_learn_table_add_arguments (GimpProcedure *procedure)
{
  add_kind (procedure);
  for (guint i = 0; i < json_array_get_length (pmt_learn_table_params ()); i++)
    add_param (procedure, json_array_get_object_element (pmt_learn_table_params (), i));
}
