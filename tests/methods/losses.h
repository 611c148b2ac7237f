/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What tests of methods that follow the gradient of a loss share: the reference runs of tests/data/losses
 * (tests/reference/make_attention_losses.py), maps to try losses on, and finite differences. */
#pragma once

#include "engine/sample/gradient.h"
#include "tests/sample/runs.h"

/* The request of all reference runs: prompt, negative prompt, sizes, steps, guidance, seed. Its boxes are owned by the file's reader. */
PmtRequest losses_request (const Runs *runs, PmtModel *model);
const PmtLayout *losses_layout (void);
/* Sets one parameter; what is wrong ends the test. */
void losses_set (PmtMethodUse *use, const char *id, const char *value);
PmtResult losses_run (PmtRequest request, PmtMethodUse *use);
/* Compares with the stored latent `name`, 1e-3 relative. */
void losses_compare (const char *name, const PmtResult *result);

/* Random attention probabilities at a grid of height x width: one cross and one self-attention each, of 2 heads over `columns` tokens. */
typedef struct Maps {
  PmtProbed probed[2];
  int n;
} Maps;
void maps_init (Maps *maps, int height, int width, int columns, unsigned seed);
void maps_clear (Maps *maps);
/* The loss of the maps; adds its gradients. */
typedef double (*MapsLoss) (Maps *maps, void *user);
/* Its gradients against central differences of the loss, along random directions. */
void maps_check (Maps *maps, MapsLoss loss, void *user);

/* A run with the method at scale "0" under parameter `scale` is the plain run to the bit, its peak is the computed one, and a cancelled
 * one ends as such. */
void losses_check_identities (PmtRequest request, PmtMethodUse *use, const char *scale);
