/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A recipe with one more method. */
#pragma once

#include <json-glib/json-glib.h>

/* The method of that id that the recipe has; NULL: none. Lent. */
JsonObject *pmt_recipe_method (JsonObject *recipe, const char *id);
/* Takes it out, and the list with the last one. */
void pmt_recipe_remove_method (JsonObject *recipe, const char *id);
/* Takes the method, which stands at the end and in place of one of the same id. */
void pmt_recipe_put_method (JsonObject *recipe, JsonObject *method);
