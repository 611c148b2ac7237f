/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/clash.h"

#include <glib/gi18n.h>
#include <string.h>

#include "plugin/describe.h"
#include "plugin/recipe-method.h"

/* As the engine's methods say of each other; those without a name here are known by their id, from the list of methods. */
static const char *const no_words[] = { "multidiffusion", "masactrl",      "edict",        "diffedit",  "attend-and-excite", "layout-backward",
                                        "attention-refocusing", "self-guidance", "pix2pix-zero", "composable", NULL };
static const char *const no_moves[] = { "multidiffusion",   "diffedit", "edict", "masactrl", "prompt-to-prompt", "layout-forward",
                                        "paint-with-words", "pix2pix-zero", NULL };
/* These make a picture sooner and hardly another one, so nobody misses them. */
static const char *const quicker[] = { "token-merging", "deepcache" };

static const char *const names[][2] = {
  { "attend-and-excite", N_("Make sure of") },
  { "multidiffusion", N_("Panorama") },
  { "self-guidance", N_("Move This") },
  { "prompt-to-prompt", N_("Change a Word") },
  { "layout-forward", N_("Boxes") },
  { "layout-backward", N_("Boxes") },
  { "attention-refocusing", N_("Boxes") },
};

static gboolean
has_list (JsonObject *recipe, const char *member)
{
  JsonNode *node = json_object_get_member (recipe, member);

  return node && JSON_NODE_HOLDS_ARRAY (node) && json_array_get_length (json_node_get_array (node)) > 0;
}

/* Several prompts in one, which are a method of their own. */
static gboolean
says_and (JsonObject *recipe)
{
  const char *prompt = json_object_get_string_member_with_default (recipe, "prompt", NULL);

  return prompt && g_regex_match_simple ("(?<!\\w)AND(?!\\w)", prompt, 0, 0);
}

static const char *
name_of (JsonObject *recipe, const char *id)
{
  if (pmt_describe_method (recipe))
    return _("Edit by Description");
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    if (strcmp (names[i][0], id) == 0)
      return _(names[i][1]);
  return id;
}

const char *
pmt_clash_with (JsonObject *recipe, const char *id)
{
  const gboolean words = strcmp (id, "prompt-to-prompt") == 0;
  const char *const *others = words ? no_words : no_moves;

  for (; *others; others++)
    if (pmt_recipe_method (recipe, *others))
      return name_of (recipe, *others);
  if (has_list (recipe, "region-prompts"))
    return _("Boxes");
  if (words && says_and (recipe))
    return "AND";
  for (gsize i = 0; i < G_N_ELEMENTS (quicker); i++)
    pmt_recipe_remove_method (recipe, quicker[i]);
  return NULL;
}

gboolean
pmt_clash_is_boxes (JsonObject *recipe)
{
  return has_list (recipe, "region-prompts") || pmt_recipe_method (recipe, "layout-forward");
}
