/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the networks' configuration readers check in the same way. `file` names the configuration in messages. */
#pragma once

#include <json-glib/json-glib.h>

#include "engine/base/error.h"

/* A key that must be absent, null, or one of the given values. Values are written as text: a string as it is, numbers and booleans as JSON
 * spells them. Lists are accepted when every entry is. */
typedef struct PmtConfigDemand {
  const char *key;
  const char *value, *or_value; /* NULL = none */
} PmtConfigDemand;

/* PMT_ERROR_UNSUPPORTED naming key, value and file for the first demand that is not met. */
gboolean pmt_config_demand (JsonObject *object, const char *file, const PmtConfigDemand *demands, size_t n, GError **error);

/* PMT_ERROR_FORMAT unless low <= value <= high. */
gboolean pmt_config_range (const char *file, const char *key, int value, int low, int high, GError **error);
/* block_out_channels: each 1..65536 and divisible by the number of norm groups. PMT_ERROR_FORMAT otherwise. */
gboolean pmt_config_widths (const char *file, const int *widths, int n, int groups, GError **error);
