/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How the UNet's time grows with the picture, the rows and the threads. */
#pragma once

#include "engine/cli/bench-networks.h"

/* Prints the table, or JSON: 256 to 1024 pixels square, 1 to 4 rows, on one thread and on all of the pool; `quick` a part of it. The last line says
 * whether time grew no faster than work (a tenth more is the clock's); where it did not, FALSE + PMT_ERROR_UNSUPPORTED names where. A
 * combination that did not fit into memory is a row that says so. `b` has model and runs; it is opened here and closed by its maker. */
gboolean pmt_bench_scaling (PmtBench *b, bool quick, bool json, GError **error);
