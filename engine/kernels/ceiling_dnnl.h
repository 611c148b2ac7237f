/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Products of oneDNN, for the machine's ceiling alone: nothing that paints needs the library. It is looked for when it is asked for, so
 * that no other command pays for starting it, and an engine without it measures OpenBLAS and its own tiles. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/kernels/kernels.h"

typedef struct PmtDnnl PmtDnnl;

/* NULL where there is no oneDNN 3 that shares our threads. Free with pmt_dnnl_free, after which the library's memory is given back. */
PmtDnnl *pmt_dnnl_new (void);
void pmt_dnnl_free (PmtDnnl *dnnl);
const char *pmt_dnnl_version (const PmtDnnl *dnnl); /* "3.7.2" */

/* Makes the product [m, k] x [k, n] of values of its own ready: weights in the order that the library likes best, results in the type that it
 * writes fastest (f32; bf16; 8 bits with unsigned values on the left, as its instructions have it). False when it has no such product here. */
bool pmt_dnnl_prepare (PmtDnnl *dnnl, PmtPrecision precision, int64_t m, int64_t n, int64_t k);
/* The one that was made ready last, on all threads of the pool. Where it fails, none is ready any more and pmt_dnnl_ready says so. */
void pmt_dnnl_run (PmtDnnl *dnnl);
bool pmt_dnnl_ready (const PmtDnnl *dnnl);
