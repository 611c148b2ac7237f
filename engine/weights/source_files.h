/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sources made of safetensors files, as the folder search and the model files need them. */
#pragma once

#include "engine/weights/config.h"
#include "engine/weights/names.h"
#include "engine/weights/source.h"

/* A set of shards by its index file (…safetensors.index.json). Shards stand beside it; each must hold the tensors that the index says. */
PmtWeights *pmt_weights_new_sharded (const char *index, PmtNames names, GError **error);

/* The open files of a set (PmtSafetensors, borrowed; so is the array); NULL for random sources. */
const GPtrArray *pmt_weights_files (const PmtWeights *weights);

/* What stands before every name in the set's files; "" for random sources too. */
const char *pmt_weights_prefix (const PmtWeights *weights);

/* View of an open file (borrowed) in which `prefix` + the spelling's form of a name is looked up; pmt_weights_own_file makes it the view's
 * own. */
PmtWeights *pmt_weights_new_view (const PmtSafetensors *file, const char *prefix, const PmtSpelling *spelling);
void pmt_weights_own_file (PmtWeights *weights, PmtSafetensors *file);
