/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is to be learned, as the engine is told it (pentimento/protocol.h, task "learn"). */
#pragma once

#include <json-glib/json-glib.h>

/* New reference. Pictures are PmtLearnPicture, and their names in it pmt_learn_recipe_blob. out: the file; NULL: it is only asked what it would
 * take. NULL + PMT_ERROR_INPUT when there are no pictures, or too many. */
JsonObject *pmt_learn_recipe_new (GObject *config, GPtrArray *pictures, const char *out, GError **error);
/* Newly allocated. */
char *pmt_learn_recipe_blob (guint picture);
