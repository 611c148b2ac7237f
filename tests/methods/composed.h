/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs of tests/data/composed (tests/reference/make_composed.py): methods without gradients, on the tiny model of tests/data/runs. */
#pragma once

#include <json-glib/json-glib.h>

#include "tests/sample/runs.h"

/* Runs each case of `method`: request fields and the method's parameters are taken from the case, then `fill` (may be NULL) sets what
 * else it needs. Compares the latent, 1e-3 relative. Returns how many cases there were. */
int composed_check (const Runs *runs, const char *method, PmtModel *model,
                    void (*fill) (PmtRequest *request, const Runs *runs, JsonObject *c));
