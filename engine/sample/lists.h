/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tables of samplers and methods as JSON, for `samplers --json`, `methods --json` and the server. */
#pragma once

#include <json-glib/json-glib.h>

/* [{"id", "label", "stochastic", "uses_eta"}]. New reference. */
JsonNode *pmt_samplers_to_json (void);
/* [{"id", "label", "summary", "conflicts": [ids], "params": table}] of the methods that are offered. New reference. */
JsonNode *pmt_methods_to_json (void);
