/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Methods that the engine does not use together. Who changes a picture by a method of ours never chose one, and is told in words of the menus
 * and dialogs what the picture has that stands in the way. */
#pragma once

#include <json-glib/json-glib.h>

/* What the recipe has that does not go with the method `id`, "prompt-to-prompt" or "self-guidance", as the user knows it; lent. NULL: nothing, and what
 * only saves time is out of the recipe then. */
const char *pmt_clash_with (JsonObject *recipe, const char *id);
/* The recipe says by boxes where things are. */
gboolean pmt_clash_is_boxes (JsonObject *recipe);
