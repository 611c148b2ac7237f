/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A parameter is declared once; the same row feeds the command line, the job's check, `methods --json`, GIMP's procedure
 * arguments and the dialogs. */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

#include "engine/base/error.h"

typedef enum { PMT_PARAM_BOOL, PMT_PARAM_INT, PMT_PARAM_DOUBLE, PMT_PARAM_STRING, PMT_PARAM_CHOICE } PmtParamType;

typedef struct PmtParamChoice {
  const char *id;
  const char *label; /* N_() */
} PmtParamChoice;

typedef struct PmtParam {
  const char *id;    /* "guidance": lower case, hyphens */
  const char *label; /* N_("_Guidance"), mnemonic underscore allowed */
  const char *help;  /* N_(one sentence for the tooltip) */
  PmtParamType type;
  double min, max, fallback;         /* bool: 0/1; int and double: inclusive range and default; string, choice: unused */
  const char *text;                  /* default of string and choice */
  const PmtParamChoice *choices;     /* ends with id == NULL */
} PmtParam;                          /* tables end with id == NULL */

/* Values of one table, by position. Owned by the caller: init, then clear. */
typedef struct PmtParamValues {
  const PmtParam *table;
  int n;
  double *number; /* bool, int, double; index of the choice */
  char **text;    /* string, choice; NULL elsewhere */
} PmtParamValues;

void pmt_param_values_init (PmtParamValues *values, const PmtParam *table); /* all defaults */
void pmt_param_values_clear (PmtParamValues *values);

/* Checks and sets one value; `where` ("method attend-and-excite") goes into the sentence on an unknown id, wrong type or range. */
gboolean pmt_param_values_set_json (PmtParamValues *values, const char *id, JsonNode *node, const char *where, GError **error);
gboolean pmt_param_values_set_text (PmtParamValues *values, const char *id, const char *text, const char *where, GError **error);

double pmt_param_number (const PmtParamValues *values, const char *id); /* asserts that the table has it */
const char *pmt_param_text (const PmtParamValues *values, const char *id);

/* The values as {"id": value, …}, and a table as the array that `methods --json` prints. New references. */
JsonNode *pmt_param_values_to_json (const PmtParamValues *values);
JsonNode *pmt_param_table_to_json (const PmtParam *table);
