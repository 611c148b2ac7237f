/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How long work takes. */
#pragma once

/* Seconds from some moment on: of the processor where this process computes in one thread, so that other work on the machine does not
 * count; else of the clock. */
double pmt_work_clock (void);
/* "processor" or "clock". */
const char *pmt_work_clock_name (void);
