/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The reference runs of tests/data/guided (tests/reference/make_guided.py). */
#pragma once

#include <json-glib/json-glib.h>

#include "tests/methods/losses.h"

/* Runs each case of `method` on the request of losses.h, with the case's parameters; `fill` (may be NULL) sets what else it needs of the request or of the method's parameters.
 * Compares the latent, 1e-3 relative. Returns how many cases there were. */
int guided_check (const char *method, PmtRequest request, void (*fill) (PmtRequest *request, PmtMethodUse *use, JsonObject *c));
/* Sets what a case says about the parameters of a method. */
void guided_set (PmtMethodUse *use, JsonObject *c);
