/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The operations of one run of a network, added up by kind and size of result: which of them cost most. */
#pragma once

#include <json-glib/json-glib.h>

#include "engine/tensor/context.h"

typedef struct PmtBenchOp {
  const char *op;
  PmtShape shape; /* of the result */
  int calls;
  double seconds, flop, bytes;
} PmtBenchOp;

/* A new list of PmtBenchOp; pmt_bench_ops_add adds to the entry of an operation's id and shape. */
GArray *pmt_bench_ops_new (void);
void pmt_bench_ops_add (GArray *ops, const char *op, PmtShape shape, double seconds, double flop, double bytes);

/* By seconds, the longest first: at most `most` lines of the table; all of them as JSON. `copy` is the machine's in GB/s. */
void pmt_bench_ops_print (GArray *ops, guint most, double copy);
JsonArray *pmt_bench_ops_json (GArray *ops, double copy);
