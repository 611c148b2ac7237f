/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The one thread pool: OpenMP, shared with OpenBLAS (its OpenMP build is required and checked at start). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/cancel.h"

/* Sets the pool's size for work that the calling thread starts; 0 = one thread per physical core that this process may use, which
 * is also what a thread has that never set one. Returns the size in force. */
int pmt_threads_set (int n);
/* The calling thread's size; in the body of pmt_parallel_for that of its caller. */
int pmt_threads (void);

/* body(user, begin, end) over [0,n) in contiguous chunks of at least `grain` items, fixed by n, grain and the thread count (so that
 * results don't depend on scheduling). Runs in the calling thread when one chunk suffices or when already inside a parallel
 * region. Checks `cancel` between chunks: returns false if the work was cut short. */
typedef void (*PmtRangeFunc) (void *user, size_t begin, size_t end);
bool pmt_parallel_for (const PmtCancel *cancel, size_t n, size_t grain, PmtRangeFunc body, void *user);

/* OpenMP keeps its pool size per calling thread. This gives the calling thread the size of pmt_threads(), for libraries that ask
 * OpenMP themselves (OpenBLAS, oneDNN); their one caller does it before each call. */
void pmt_threads_adopt (void);
/* True in the body of pmt_parallel_for: libraries called from here run on one thread. */
bool pmt_threads_inside (void);

/* The place of the calling thread in the pool, 0 <= index < pmt_threads(): picks a thread's own scratch in a body. */
int pmt_threads_index (void);

/* Between the two, libraries called by this thread use no other, even outside pmt_parallel_for. */
typedef struct PmtThreadsSolo {
  int before;
} PmtThreadsSolo;
PmtThreadsSolo pmt_threads_solo_begin (void);
void pmt_threads_solo_end (PmtThreadsSolo solo);
