/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How much memory a job may still take. Arenas reserve addresses only, so this is what a computed peak is compared with before
 * the job starts; afterwards a shortage would be the kernel killing the process. */
#pragma once

#include <stddef.h>

/* Bytes: what the system can give without swapping, capped by the limits of control groups and of the process (RLIMIT_AS). */
size_t pmt_memory_available (void);
/* Bytes of this process in memory now, and the most there ever were (VmRSS, VmHWM). 0 when the system does not say. */
size_t pmt_memory_resident (void);
size_t pmt_memory_resident_peak (void);
