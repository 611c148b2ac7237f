/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/cli/bench-ops.h"

#include <stdio.h>
#include <string.h>

GArray *
pmt_bench_ops_new (void)
{
  return g_array_new (FALSE, TRUE, sizeof (PmtBenchOp));
}

void
pmt_bench_ops_add (GArray *ops, const char *op, PmtShape shape, double seconds, double flop, double bytes)
{
  PmtBenchOp *at = NULL;
  for (guint i = 0; i < ops->len && !at; i++) {
    PmtBenchOp *other = &g_array_index (ops, PmtBenchOp, i);
    if (strcmp (other->op, op) == 0 && pmt_shape_equal (&other->shape, &shape))
      at = other;
  }
  if (!at) {
    g_array_append_vals (ops, &(PmtBenchOp) { .op = op, .shape = shape }, 1);
    at = &g_array_index (ops, PmtBenchOp, ops->len - 1);
  }
  at->calls++;
  at->seconds += seconds;
  at->flop += flop;
  at->bytes += bytes;
}

static int
by_seconds (const void *a, const void *b)
{
  const double x = ((const PmtBenchOp *) a)->seconds, y = ((const PmtBenchOp *) b)->seconds;
  return (x < y) - (x > y);
}

static double
per_second (const PmtBenchOp *op, double amount)
{
  return op->seconds > 0 ? amount * 1e-9 / op->seconds : 0;
}

void
pmt_bench_ops_print (GArray *ops, guint most, double copy)
{
  g_array_sort (ops, by_seconds);
  for (guint i = 0; i < MIN (most, ops->len); i++) {
    const PmtBenchOp *op = &g_array_index (ops, PmtBenchOp, i);
    char shape[PMT_SHAPE_TEXT];
    printf ("  %-16s %-20s %6d %10.4f %10.2f %9.1f %8s %8.3f %8.1f %8.0f%%\n", op->op, pmt_shape_text (&op->shape, shape, sizeof shape), op->calls,
            op->seconds, op->flop * 1e-9, per_second (op, op->flop), "", op->bytes * 1e-9, per_second (op, op->bytes),
            100 * per_second (op, op->bytes) / copy);
  }
}

JsonArray *
pmt_bench_ops_json (GArray *ops, double copy)
{
  JsonArray *array = json_array_new ();
  g_array_sort (ops, by_seconds);
  for (guint i = 0; i < ops->len; i++) {
    const PmtBenchOp *op = &g_array_index (ops, PmtBenchOp, i);
    JsonObject *object = json_object_new ();
    char shape[PMT_SHAPE_TEXT];
    json_object_set_string_member (object, "op", op->op);
    json_object_set_string_member (object, "shape", pmt_shape_text (&op->shape, shape, sizeof shape));
    json_object_set_int_member (object, "calls", op->calls);
    json_object_set_double_member (object, "seconds", op->seconds);
    json_object_set_double_member (object, "gflop", op->flop * 1e-9);
    json_object_set_double_member (object, "gbytes", op->bytes * 1e-9);
    json_object_set_double_member (object, "of_copy", per_second (op, op->bytes) / copy);
    json_array_add_object_element (array, object);
  }
  return array;
}
