/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config.json of a component: reading keys with their constructor defaults.
 *
 * A key that is absent or null gives the default. A key of another type is PMT_ERROR_FORMAT, naming file and key. All functions
 * return FALSE on error and leave *value untouched. They are chained with &&. */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

#include "engine/base/error.h"

/* Reads a JSON object from a file (newly referenced). PMT_ERROR_NOT_FOUND, PMT_ERROR_IO, PMT_ERROR_FORMAT, naming the file. The path is
 * remembered in the object, for the messages of the functions below (as a member whose name begins with byte 1: skip it when copying). */
JsonObject *pmt_config_load (const char *path, GError **error);
/* From built-in text, which must parse; `label` stands for the path. */
JsonObject *pmt_config_from_text (const char *text, const char *label);
/* The path or label of the two functions above; "the configuration" for other objects. */
const char *pmt_config_path (JsonObject *config);

gboolean pmt_config_has (JsonObject *config, const char *key); /* present and not null */
gboolean pmt_config_int (JsonObject *config, const char *key, int fallback, int *value, GError **error);
gboolean pmt_config_double (JsonObject *config, const char *key, double fallback, double *value, GError **error);
gboolean pmt_config_bool (JsonObject *config, const char *key, gboolean fallback, gboolean *value, GError **error);
/* *value points into the object (or is the fallback, which may be NULL). */
gboolean pmt_config_string (JsonObject *config, const char *key, const char *fallback, const char **value, GError **error);

/* A list of `*n` numbers; a single number becomes `*n` equal ones when *n > 0 at entry (attention_head_dim, layers_per_block), one
 * otherwise. Absent: the fallback (n_fallback values). At most `max` values are accepted. *n is the number stored. With *n > 0 at
 * entry a list of another length is an error. */
gboolean pmt_config_ints (JsonObject *config, const char *key, const int *fallback, int n_fallback, int *values, int max,
                          int *n, GError **error);
/* A list of strings, NULL-terminated, newly allocated (g_strfreev); absent: a copy of `fallback` (NULL-terminated, or NULL). */
gboolean pmt_config_strings (JsonObject *config, const char *key, const char *const *fallback, char ***values, GError **error);
