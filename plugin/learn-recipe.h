/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is to be learned, as the engine is told it (pentimento/protocol.h, task "learn"). */
#pragma once

#include <json-glib/json-glib.h>

/* New reference. Pictures are PmtLearnPicture, and their names in it pmt_learn_recipe_blob. NULL + PMT_ERROR_INPUT when a setting that it cannot be
 * without is not there yet. */
JsonObject *pmt_learn_recipe_new (GObject *config, GPtrArray *pictures, const char *out, GError **error);
/* Newly allocated. */
char *pmt_learn_recipe_blob (guint picture);
