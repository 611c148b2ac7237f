/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/sample/lists.h"

#include "engine/sample/method.h"

static void
add_member (JsonBuilder *b, const char *name, const char *text)
{
  json_builder_set_member_name (b, name);
  json_builder_add_string_value (b, text);
}

JsonNode *
pmt_samplers_to_json (void)
{
  g_autoptr (JsonBuilder) b = json_builder_new ();
  json_builder_begin_array (b);
  for (int i = 0; pmt_samplers[i]; i++) {
    json_builder_begin_object (b);
    add_member (b, "id", pmt_samplers[i]->id);
    add_member (b, "label", pmt_samplers[i]->label);
    json_builder_set_member_name (b, "stochastic");
    json_builder_add_boolean_value (b, pmt_samplers[i]->stochastic);
    json_builder_set_member_name (b, "uses_eta");
    json_builder_add_boolean_value (b, pmt_samplers[i]->uses_eta);
    json_builder_end_object (b);
  }
  json_builder_end_array (b);
  return json_builder_get_root (b);
}

JsonNode *
pmt_methods_to_json (void)
{
  g_autoptr (JsonBuilder) b = json_builder_new ();
  json_builder_begin_array (b);
  for (int i = 0; pmt_methods[i]; i++) {
    const PmtMethod *m = pmt_methods[i];
    if (m->internal)
      continue;
    json_builder_begin_object (b);
    add_member (b, "id", m->id);
    add_member (b, "label", m->label);
    add_member (b, "summary", m->summary);
    json_builder_set_member_name (b, "conflicts");
    json_builder_begin_array (b);
    for (int k = 0; m->conflicts && m->conflicts[k]; k++)
      json_builder_add_string_value (b, m->conflicts[k]);
    json_builder_end_array (b);
    json_builder_set_member_name (b, "params");
    json_builder_add_value (b, pmt_param_table_to_json (m->params));
    json_builder_end_object (b);
  }
  json_builder_end_array (b);
  return json_builder_get_root (b);
}
