/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a person sends to strangers with a report of a fault says nothing of what they painted, nor where they keep it. */
#pragma once

#include <json-glib/json-glib.h>

/* The recipe as pretty JSON with its numbers and the words of the program itself; every other text is replaced by its length, a file by its
 * ending. What was replaced is added to `secrets` (strings), for the text below. Newly allocated. */
char *pmt_redact_recipe (JsonObject *recipe, GPtrArray *secrets);

/* Lines without the secrets, without what stands in quotation marks, and without paths and file names (from the first of a line to the last:
 * a path may hold spaces). Rather too much goes than too little. Newly allocated. */
char *pmt_redact_text (const char *text, GPtrArray *secrets);
