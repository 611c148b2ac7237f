/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Weight sets: other values for some of the weights of a run's networks (LoRA; models that differ from the base in few weights). Set 0
 * is the model as it is; a method makes others in state_new, and then either
 *   - says that the whole run computes with one (run->weight_set: new rows get it, text encoders use it), or
 *   - gives it to single rows (PmtRow.weight_set), beside rows that compute with other sets.
 *
 * The values are made from the loaded ones after all networks and extras are in memory and before prompts are encoded. They are kept
 * with the model, known by class and key, as long as run after run asks for the same; their memory is counted in dry runs. */
#pragma once

#include "engine/sample/extra.h"

/* The networks that sets can change. */
typedef enum { PMT_NET_UNET, PMT_NET_TEXT, PMT_NET_TEXT_2, PMT_N_NETS } PmtNet;

typedef struct PmtWeightSetClass {
  const char *what; /* "LoRA"; in messages */
  /* Which weights get other values, each once, as elements (PmtWeightRef) of `refs`. `pool` may hold no values. */
  void (*list) (void *user, PmtNet net, const PmtWeightPool *pool, GArray *refs);
  /* The new values of one of them. `own` and `values` both hold the loaded ones, f32 in the order of the weight's layout; `values` is changed in
   * place. */
  gboolean (*fill) (void *user, PmtNet net, const PmtWeightPool *pool, PmtWeightRef ref, const float *own, float *values,
                    const PmtCancel *cancel, GError **error);
} PmtWeightSetClass;

/* From state_new only: the number of a set for this run, 1.., or 0 + error. `key` says all that the values depend on besides the model
 * (files, their times, strengths). `user` has to live as long as the run. */
int pmt_run_weight_set (PmtRun *run, const PmtWeightSetClass *class, const char *key, void *user, GError **error);

/* The weights of a network of this run, loaded or (dry run, or before loading) its twin's; NULL + error, or NULL alone where the model
 * has no such network. */
PmtWeightPool *pmt_run_pool (PmtRun *run, PmtNet net, GError **error);

/* ---- for the run loop ---- */

/* Puts this run's sets into the networks that are now loaded, and takes them out again: before that, and after pmt_runner_drop_sets,
 * networks compute with their own values whatever a context says. */
gboolean pmt_runner_use_sets (PmtRun *run, GError **error);
void pmt_runner_drop_sets (PmtRun *run);
