/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files of learned words (textual inversion) that a job takes along. */
#pragma once

#include <json-glib/json-glib.h>
#include <libgimp/gimp.h>

/* Whether a prompt says a learned word: as a whole word, and as it is written. */
gboolean pmt_embeddings_say (const char *text, const char *word);
/* Gives a recipe the files of the learned words that any of its prompts says (its own, that of what shall not be there, those of boxes and
 * methods) and that it does not have yet. names: {name, path} of each word, as the engine answers. */
void pmt_embeddings_complete (JsonObject *recipe, JsonArray *names);

/* The string argument "embeddings": paths, one a line. */
void pmt_embeddings_add_argument (GimpProcedure *procedure);
/* A recipe's [{path, word}]: the word is the file's name without its ending. NULL for none. */
JsonArray *pmt_embeddings_to_json (const char *paths);
