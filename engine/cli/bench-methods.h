/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What methods cost beside plain sampling: memory and work as computed in advance, and seconds as measured. */
#pragma once

#include <json-glib/json-glib.h>

#include "engine/base/cancel.h"
#include "engine/sample/model.h"

typedef struct PmtMethodBench {
  const char *list;    /* ids with commas between, "all", or "gradient" for those that follow a gradient */
  int width, height, steps;
  bool timed;          /* runs each of them; otherwise figures are computed alone */
} PmtMethodBench;

/* Prints the table, or JSON. PMT_ERROR_INPUT names an id that is not in it. */
gboolean pmt_bench_methods (PmtModel *model, const PmtMethodBench *bench, bool json, const PmtCancel *cancel, GError **error);
