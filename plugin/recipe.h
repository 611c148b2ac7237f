/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Recipes: the JSON object that says everything needed to make a picture again (pentimento/protocol.h). The plug-in makes one from a
 * procedure's arguments, and keeps the engine's completed one with the layer. */
#pragma once

#include <json-glib/json-glib.h>
#include <libgimp/gimp.h>

#include "plugin/rect.h"

/* From the arguments of a procedure that paints; what stands at "the model's default" is left out. A random seed is chosen here, so that
 * it is always one that the dialog can show. Malformed methods are PMT_ERROR_INPUT. */
JsonObject *pmt_recipe_from_config (GimpProcedureConfig *config, GError **error);

/* Completes the region of a fill or edit. context NULL: the engine chooses (estimate). */
void pmt_recipe_set_region (JsonObject *recipe, const PmtRect *canvas, const PmtRect *selection, const PmtRect *context);

/* No more than that, where the user left it to the engine. */
void pmt_recipe_limit_feather (JsonObject *recipe, double most);

/* The size of the run; FALSE if there is none, or none that can be. */
void pmt_recipe_set_size (JsonObject *recipe, int width, int height);
gboolean pmt_recipe_get_size (JsonObject *object, int *width, int *height);

/* [x, y, w, h] of a member; FALSE if it is anything else. */
gboolean pmt_recipe_get_rect (JsonObject *object, const char *member, PmtRect *rect);

/* "id:key=value,key=value; id2" or a JSON array, to the recipe's array. "" gives NULL without error. */
JsonArray *pmt_recipe_parse_methods (const char *text, GError **error);

/* What the picture shows: the prompt, or what its words were changed to (method prompt-to-prompt). Lent. */
const char *pmt_recipe_shown_prompt (JsonObject *recipe);

/* "Fill: a red fox (42)": the name of a result's layer; with seed < 0 without the number. Newly allocated. */
char *pmt_recipe_layer_name (JsonObject *recipe, gint64 seed);

/* Keeps the recipe with the item: saved in XCF, removed by undo. */
void pmt_recipe_attach (JsonObject *recipe, GimpItem *item);
void pmt_recipe_attach_json (JsonNode *node, const char *name, GimpItem *item);

/* The recipe that an item carries (new reference), or the text of any parasite (newly allocated); NULL when it has none. */
JsonObject *pmt_recipe_of (GimpItem *item);
char *pmt_recipe_parasite_text (GimpItem *item, const char *name);
/* Whether it carries one: Pentimento painted it. */
gboolean pmt_recipe_is_with (GimpItem *item);

/* The same of a layer; NULL + PMT_ERROR_INPUT, which names it, when it has none. */
JsonObject *pmt_recipe_of_layer (GimpLayer *layer, GError **error);
/* That error. */
void pmt_recipe_refuse (GimpLayer *layer, GError **error);

/* A deep copy. */
JsonObject *pmt_recipe_copy (JsonObject *recipe);

/* As lines that people can read. Newly allocated. */
char *pmt_recipe_to_text (JsonObject *recipe);
