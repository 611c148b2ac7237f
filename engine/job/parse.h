/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reading a recipe: between the files parse*.c of this room. */
#pragma once

#include "engine/job/job.h"

/* FALSE + PMT_ERROR_INPUT: 'The job's field "FIELD" has to be WANTED; change it.' */
gboolean pmt_parse_wrong (GError **error, const char *field, const char *wanted);
bool pmt_parse_holds_int (JsonNode *node);
bool pmt_parse_holds_number (JsonNode *node);
bool pmt_parse_holds_string (JsonNode *node);
/* `n` whole numbers in 0..PMT_PICTURE_MAX_SIDE. */
gboolean pmt_parse_ints (JsonNode *node, const char *field, int *values, guint n, GError **error);
/* Replaces *text. */
gboolean pmt_parse_text (JsonNode *node, const char *field, char **text, GError **error);

/* parse-region.c */
gboolean pmt_parse_region (PmtJob *job, JsonNode *node, GError **error);

/* parse-region-prompts.c: the field "region-prompts". */
gboolean pmt_parse_region_prompts (PmtJobExtras *extras, JsonNode *node, GError **error);

/* parse-extras.c: *known tells whether `name` is one of its fields. */
gboolean pmt_parse_extra (PmtJob *job, const char *name, JsonNode *node, gboolean *known, GError **error);
