/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A flag that stops work. Any thread (or a signal handler) may set it; the worker polls it at least every 100 ms of work. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

typedef struct PmtCancel {
  atomic_bool requested; /* set once, never cleared during a job */
} PmtCancel;

static inline void
pmt_cancel_request (PmtCancel *cancel)
{
  atomic_store_explicit (&cancel->requested, true, memory_order_relaxed);
}

/* NULL means "cannot be cancelled". */
static inline bool
pmt_cancelled (const PmtCancel *cancel)
{
  return cancel && atomic_load_explicit (&((PmtCancel *) cancel)->requested, memory_order_relaxed);
}
