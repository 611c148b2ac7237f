/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hypernetworks as the web UI of AUTOMATIC1111 trains them: for each width two small networks, through which the tokens pass that an
 * attention makes keys and values from: x + strength * mlp(x).
 *
 * File: safetensors with "WIDTH.K.linear.N.weight" and ".bias", K = 0 for keys and 1 for values, N the place in a sequence of linear
 * layers, activations, layer norms and dropouts, those without tensors leaving gaps. (Oldest files: linear1 and linear2.) The metadata say
 * what the tensors cannot: activation_func (none when absent), is_layer_norm, activate_output. */
#pragma once

#include "engine/nets/layers.h"

typedef struct PmtHypernetwork PmtHypernetwork;

/* Reads the header and makes the structure. PMT_ERROR_FORMAT or PMT_ERROR_UNSUPPORTED in a sentence naming the file: an activation that is
 * not known, shapes that make no such network. */
PmtHypernetwork *pmt_hypernetwork_new (const char *path, GError **error);
void pmt_hypernetwork_free (PmtHypernetwork *hyper); /* NULL is fine */
gboolean pmt_hypernetwork_load (PmtHypernetwork *hyper, const PmtCancel *cancel, GError **error);
size_t pmt_hypernetwork_bytes (const PmtHypernetwork *hyper);
bool pmt_hypernetwork_has_width (const PmtHypernetwork *hyper, int64_t width);

/* x [N, S, width] -> the same shape, x + strength * mlp(x) with the network for keys or for values; x itself where there is none of its
 * width. */
PmtTensor pmt_hypernetwork_run (PmtContext *ctx, const PmtHypernetwork *hyper, bool values, double strength, PmtTensor x);

/* Whether a path leads to such a file; FALSE for what cannot be opened. */
bool pmt_hypernetwork_is (const char *path);
