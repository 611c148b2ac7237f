/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files of learned words (textual inversion) that a job takes along. */
#pragma once

#include <json-glib/json-glib.h>
#include <libgimp/gimp.h>

/* The string argument "embeddings": paths, one a line. */
void pmt_embeddings_add_argument (GimpProcedure *procedure);
/* A recipe's [{path, word}]: the word is the file's name without its ending. NULL for none. */
JsonArray *pmt_embeddings_to_json (const char *paths);
