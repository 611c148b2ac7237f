/* SPDX-License-Identifier: GPL-3.0-or-later */
/* An extra (extra.h) that is one network, opened from its file's headers and filled later: what ControlNets and T2I-Adapters share. */
#pragma once

#include "engine/nets/weight_pool.h"
#include "engine/sample/extra.h"

typedef struct PmtExtraNetClass {
  gboolean (*load) (void *net, PmtWeights *weights, const PmtCancel *cancel, GError **error);
  PmtWeightPool *(*weights) (const void *net); /* the network's own */
  void (*free) (void *net);
} PmtExtraNetClass;

/* For a PmtExtraClass's open: takes net and weights over. NULL (net is NULL: the structure was refused, with an error that is set already)
 * lets the weights go. */
void *pmt_extra_net_new (const PmtExtraNetClass *class, void *net, PmtWeights *weights);
/* The network of what pmt_run_extra gave. */
void *pmt_extra_net (const void *extra);

/* The rest of the PmtExtraClass. */
gboolean pmt_extra_net_load (void *extra, const PmtCancel *cancel, GError **error);
size_t pmt_extra_net_bytes (const void *extra);
void pmt_extra_net_free (void *extra);
