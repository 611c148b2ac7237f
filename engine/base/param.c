/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/base/param.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

static int
find (const PmtParam *table, const char *id)
{
  for (int i = 0; table && table[i].id; i++)
    if (strcmp (table[i].id, id) == 0)
      return i;
  return -1;
}

static int
find_choice (const PmtParam *param, const char *id)
{
  for (int i = 0; param->choices[i].id; i++)
    if (g_strcmp0 (param->choices[i].id, id) == 0)
      return i;
  return -1;
}

static bool
holds_text (const PmtParam *param)
{
  return param->type == PMT_PARAM_STRING || param->type == PMT_PARAM_CHOICE;
}

void
pmt_param_values_init (PmtParamValues *values, const PmtParam *table)
{
  *values = (PmtParamValues) { .table = table };
  while (table && table[values->n].id)
    values->n++;
  values->number = g_new0 (double, values->n + 1);
  values->text = g_new0 (char *, values->n + 1);
  for (int i = 0; i < values->n; i++) {
    const PmtParam *p = &table[i];
    values->number[i] = p->fallback;
    if (holds_text (p))
      values->text[i] = g_strdup (p->text ? p->text : "");
    if (p->type == PMT_PARAM_CHOICE) {
      int choice = find_choice (p, p->text);
      g_assert (choice >= 0);
      values->number[i] = choice;
    }
  }
}

void
pmt_param_values_clear (PmtParamValues *values)
{
  for (int i = 0; i < values->n; i++)
    g_free (values->text[i]);
  g_free (values->text);
  g_free (values->number);
  *values = (PmtParamValues) { 0 };
}

static gboolean
unknown (const PmtParamValues *values, const char *id, const char *where, GError **error)
{
  g_autoptr (GString) known = g_string_new (NULL);
  for (int i = 0; i < values->n; i++)
    g_string_append_printf (known, "%s%s", i ? ", " : "", values->table[i].id);
  if (values->n)
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("In %s there is no parameter \"%s\"; it takes %s."), where, id, known->str);
  else
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("In %s there is no parameter \"%s\"; it takes none, so leave it out."), where,
                 id);
  return FALSE;
}

static gboolean
wrong (const PmtParam *p, const char *what, const char *where, GError **error)
{
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("In %s, \"%s\" has to be %s; change its value."), where, p->id, what);
  return FALSE;
}

static gboolean
set_number (PmtParamValues *values, int i, double number, const char *where, GError **error)
{
  const PmtParam *p = &values->table[i];
  if (p->type == PMT_PARAM_INT && number != floor (number))
    return wrong (p, _("a whole number"), where, error);
  if (!(number >= p->min && number <= p->max)) { /* also refuses NaN */
    g_autofree char *range = g_strdup_printf (_("from %g to %g"), p->min, p->max);
    return wrong (p, range, where, error);
  }
  values->number[i] = number;
  return TRUE;
}

static gboolean
set_string (PmtParamValues *values, int i, const char *text, const char *where, GError **error)
{
  const PmtParam *p = &values->table[i];
  if (p->type == PMT_PARAM_CHOICE) {
    int choice = find_choice (p, text);
    if (choice < 0) {
      g_autoptr (GString) known = g_string_new (_("one of "));
      for (int k = 0; p->choices[k].id; k++)
        g_string_append_printf (known, "%s%s", k ? ", " : "", p->choices[k].id);
      return wrong (p, known->str, where, error);
    }
    values->number[i] = choice;
  }
  g_free (values->text[i]);
  values->text[i] = g_strdup (text);
  return TRUE;
}

gboolean
pmt_param_values_set_json (PmtParamValues *values, const char *id, JsonNode *node, const char *where, GError **error)
{
  int i = find (values->table, id);
  if (i < 0)
    return unknown (values, id, where, error);
  const PmtParam *p = &values->table[i];
  GType type = JSON_NODE_HOLDS_VALUE (node) ? json_node_get_value_type (node) : G_TYPE_INVALID;
  switch (p->type) {
    case PMT_PARAM_BOOL:
      if (type != G_TYPE_BOOLEAN)
        return wrong (p, _("true or false"), where, error);
      values->number[i] = json_node_get_boolean (node);
      return TRUE;
    case PMT_PARAM_INT:
    case PMT_PARAM_DOUBLE:
      if (type != G_TYPE_INT64 && type != G_TYPE_DOUBLE)
        return wrong (p, _("a number"), where, error);
      return set_number (values, i, json_node_get_double (node), where, error);
    case PMT_PARAM_STRING:
    case PMT_PARAM_CHOICE:
      if (type != G_TYPE_STRING)
        return wrong (p, _("a string"), where, error);
      return set_string (values, i, json_node_get_string (node), where, error);
  }
  g_assert_not_reached ();
}

static const char *const yes_words[] = { "true", "yes", "on", "1", NULL };
static const char *const no_words[] = { "false", "no", "off", "0", NULL };

gboolean
pmt_param_values_set_text (PmtParamValues *values, const char *id, const char *text, const char *where, GError **error)
{
  int i = find (values->table, id);
  if (i < 0)
    return unknown (values, id, where, error);
  const PmtParam *p = &values->table[i];
  if (holds_text (p))
    return set_string (values, i, text, where, error);
  if (p->type == PMT_PARAM_BOOL) {
    bool yes = g_strv_contains (yes_words, text);
    if (!yes && !g_strv_contains (no_words, text))
      return wrong (p, _("true or false"), where, error);
    values->number[i] = yes;
    return TRUE;
  }
  char *end = NULL;
  double number = g_ascii_strtod (text, &end);
  if (end == text || *end != '\0')
    return wrong (p, _("a number"), where, error);
  return set_number (values, i, number, where, error);
}

double
pmt_param_number (const PmtParamValues *values, const char *id)
{
  int i = find (values->table, id);
  g_assert (i >= 0 && values->table[i].type != PMT_PARAM_STRING);
  return values->number[i];
}

const char *
pmt_param_text (const PmtParamValues *values, const char *id)
{
  int i = find (values->table, id);
  g_assert (i >= 0 && holds_text (&values->table[i]));
  return values->text[i];
}

static void
add_value (JsonBuilder *b, const PmtParam *p, double number, const char *text)
{
  switch (p->type) {
    case PMT_PARAM_BOOL:
      json_builder_add_boolean_value (b, number != 0);
      break;
    case PMT_PARAM_INT:
      json_builder_add_int_value (b, (gint64) number);
      break;
    case PMT_PARAM_DOUBLE:
      json_builder_add_double_value (b, number);
      break;
    case PMT_PARAM_STRING:
    case PMT_PARAM_CHOICE:
      json_builder_add_string_value (b, text ? text : "");
      break;
  }
}

static void
add_member (JsonBuilder *b, const char *name, const char *text)
{
  json_builder_set_member_name (b, name);
  json_builder_add_string_value (b, text);
}

JsonNode *
pmt_param_values_to_json (const PmtParamValues *values)
{
  g_autoptr (JsonBuilder) b = json_builder_new ();
  json_builder_begin_object (b);
  for (int i = 0; i < values->n; i++) {
    json_builder_set_member_name (b, values->table[i].id);
    add_value (b, &values->table[i], values->number[i], values->text[i]);
  }
  json_builder_end_object (b);
  return json_builder_get_root (b);
}

JsonNode *
pmt_param_table_to_json (const PmtParam *table)
{
  static const char *const types[] = { "bool", "int", "double", "string", "choice" };
  g_autoptr (JsonBuilder) b = json_builder_new ();
  json_builder_begin_array (b);
  for (const PmtParam *p = table; p && p->id; p++) {
    json_builder_begin_object (b);
    add_member (b, "id", p->id);
    add_member (b, "label", p->label);
    add_member (b, "help", p->help);
    add_member (b, "type", types[p->type]);
    json_builder_set_member_name (b, "default");
    add_value (b, p, p->fallback, p->text);
    if (p->type == PMT_PARAM_INT || p->type == PMT_PARAM_DOUBLE) {
      json_builder_set_member_name (b, "min");
      add_value (b, p, p->min, NULL);
      json_builder_set_member_name (b, "max");
      add_value (b, p, p->max, NULL);
    }
    if (p->type == PMT_PARAM_CHOICE) {
      json_builder_set_member_name (b, "choices");
      json_builder_begin_array (b);
      for (const PmtParamChoice *c = p->choices; c->id; c++) {
        json_builder_begin_object (b);
        add_member (b, "id", c->id);
        add_member (b, "label", c->label);
        json_builder_end_object (b);
      }
      json_builder_end_array (b);
    }
    json_builder_end_object (b);
  }
  json_builder_end_array (b);
  return json_builder_get_root (b);
}
