/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/model-search.h"

#include <string.h>

#include "plugin/engine-command.h"
#include "ui/model-offers.h"
#include "ui/model-words.h"

struct PmtModelSearch {
  PmtEngineCommand *command;
};

/* What the engine says of a path's use; for the life of the process. */
static GHashTable *uses;

/* "felt toys (Stable Diffusion XL, for Fill)" */
static char *
label_of (JsonObject *model)
{
  g_autofree char *name = g_path_get_basename (json_object_get_string_member_with_default (model, "name", ""));
  const char *family = json_object_get_string_member_with_default (model, "label", NULL);
  const char *use;
  char *dot = strrchr (name, '.');

  if (dot && !json_object_get_boolean_member_with_default (model, "is-folder", FALSE))
    *dot = '\0';
  use = pmt_model_use_word (json_object_get_string_member_with_default (model, "use", ""));
  if (family && use)
    return g_strdup_printf ("%s (%s, %s)", name, family, use);
  return family || use ? g_strdup_printf ("%s (%s)", name, family ? family : use) : g_strdup (name);
}

static void
on_line (gpointer user, JsonObject *line)
{
  JsonNode *node = json_object_get_member (line, "model");
  JsonObject *model = node && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
  g_autofree char *label = NULL;

  if (!model || !json_object_get_boolean_member_with_default (model, "works", FALSE))
    return;
  if (!uses)
    uses = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_hash_table_insert (uses, g_strdup (json_object_get_string_member_with_default (model, "path", "")),
                       g_strdup (json_object_get_string_member_with_default (model, "use", "")));
  label = label_of (model);
  pmt_model_offers_add (json_object_get_string_member_with_default (model, "kind", ""), json_object_get_string_member_with_default (model, "path", ""), label);
}

static void
on_finished (gpointer user, const GError *error)
{
  PmtModelSearch *search = user;

  g_clear_pointer (&search->command, pmt_engine_command_free);
}

const char *
pmt_model_search_use (const char *path)
{
  return uses ? g_hash_table_lookup (uses, path) : NULL;
}

PmtModelSearch *
pmt_model_search_start (void)
{
  const PmtEngineCommandHandlers handlers = { on_line, on_finished };
  PmtModelSearch *search = g_new0 (PmtModelSearch, 1);

  search->command = pmt_engine_command_start ((const char *const[]) { "models", "--json", NULL }, &handlers, search);
  return search;
}

void
pmt_model_search_free (PmtModelSearch *search)
{
  if (!search)
    return;
  pmt_engine_command_free (search->command);
  g_free (search);
}
