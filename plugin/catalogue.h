/* SPDX-License-Identifier: GPL-3.0-or-later */
/* data/catalogue.json: well-known models that can be downloaded (data/catalogue.md says what its members are). */
#pragma once

#include <json-glib/json-glib.h>

/* The models; new reference. Entries that could do harm (a file name with a folder in it, an address that is not https or this machine) are
 * left out. NULL + error when there is no such file or it is damaged. */
JsonArray *pmt_catalogue_load (GError **error);

/* The sentences of "purpose", for the translators; NULL-terminated. */
extern const char *const pmt_catalogue_words[];
