/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/last-items.h"

#include <glib/gi18n.h>

#include "plugin/controls.h"
#include "ui/fields.h"

#define ARGUMENT "last-items"

typedef struct Item {
  const char *argument;
  const char *choice, *value; /* it counts where this argument has that value; NULL: always */
  const char *words;
} Item;

static const Item items[] = {
  { "mask-channel", "mask", "channel", N_("the mask") },
  { "mask-path", "mask", "path", N_("the mask") },
  { "protect", NULL, NULL, N_("what was protected") },
  { "context-path", "context", "path", N_("the path of the context") },
  { "boxes-from-group", NULL, NULL, N_("the group with layout boxes") },
  { "control-layer", "control-source", "layer", N_("a control picture") },
  { "control-layer-2", "control-source-2", "layer", N_("a control picture") },
  { "control-layer-3", "control-source-3", "layer", N_("a control picture") },
};
G_STATIC_ASSERT (PMT_CONTROLS == 3);

static gboolean
has_item (GimpProcedureConfig *config, const char *argument)
{
  g_autoptr (GimpItem) item = NULL;

  g_object_get (config, argument, &item, NULL);
  return item != NULL;
}

static gboolean
counts (GimpProcedureConfig *config, const Item *item)
{
  g_autofree char *value = NULL;

  if (!pmt_field_exists (config, item->argument) || !has_item (config, item->argument))
    return FALSE;
  if (item->choice)
    g_object_get (config, item->choice, &value, NULL);
  return !item->choice || g_strcmp0 (value, item->value) == 0;
}

void
pmt_last_items_add_argument (GimpProcedure *procedure)
{
  gimp_procedure_add_string_aux_argument (procedure, ARGUMENT, _("Last items"), _("Arguments that had a layer, a channel or a path in the last run"),
                                          "", G_PARAM_READWRITE);
}

void
pmt_last_items_note (GimpProcedureConfig *config)
{
  g_autoptr (GString) names = g_string_new (NULL);

  if (!pmt_field_exists (config, ARGUMENT))
    return;
  for (gsize i = 0; i < G_N_ELEMENTS (items); i++)
    if (counts (config, &items[i]))
      g_string_append_printf (names, "%s%s", names->len ? " " : "", items[i].argument);
  g_object_set (config, ARGUMENT, names->str, NULL);
}

char *
pmt_last_items_missing (GimpProcedureConfig *config)
{
  g_autoptr (GString) missing = g_string_new (NULL);
  g_autofree char *text = NULL;
  g_auto (GStrv) names = NULL;

  if (pmt_field_exists (config, ARGUMENT))
    g_object_get (config, ARGUMENT, &text, NULL);
  names = g_strsplit (text ? text : "", " ", -1);
  for (gsize i = 0; i < G_N_ELEMENTS (items); i++)
    if (g_strv_contains ((const char *const *) names, items[i].argument) && pmt_field_exists (config, items[i].argument) && !has_item (config, items[i].argument))
      g_string_append_printf (missing, "%s%s", missing->len ? ", " : "", _(items[i].words));
  return missing->len ? g_strdup_printf (_("Not brought back: %s. Choose it again where it is wanted."), missing->str) : NULL;
}
