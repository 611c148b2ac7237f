/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What diffusers' UNet makes with attention processors written for the purpose (tests/data/attention, tests/reference/make_attention.py),
 * for the methods that work on attention. */
#pragma once

#include "tests/sample/runs.h"

/* Sets a parameter; errors end the test. */
void attention_set (PmtMethodUse *use, const char *id, const char *text);

/* Runs each case of the method and compares the latent (1e-3 relative). `look` (may be NULL) sees each result, with the case's name and
 * the tensors of the data. Returns how many cases there were. */
int attention_check (const char *method, PmtModel *model,
                     void (*look) (const char *name, const PmtSafetensors *tensors, const PmtResult *result));

/* A run of the request with these uses of methods, and one that fails with PMT_ERROR_INPUT and a sentence that has `part` in it. */
PmtResult attention_do (PmtRequest request, const PmtMethodUse *uses, int n);
void attention_refused (PmtRequest request, const PmtMethodUse *uses, int n, const char *part);
