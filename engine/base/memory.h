/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How much memory a job may still take. Arenas reserve addresses only, so this is what a computed peak is compared with before
 * the job starts; afterwards a shortage would be the kernel killing the process. */
#pragma once

#include <stddef.h>

#include "engine/base/error.h"

/* Bytes: what the system can give without swapping, capped by the limits of control groups and of the process (RLIMIT_AS), and by the
 * user's own: PENTIMENTO_MEMORY, a number of MiB. */
size_t pmt_memory_available (void);
/* The same where `back` bytes of this process are given back first, and `used` bytes of the user's number of MiB are taken already. */
size_t pmt_memory_available_with (size_t back, size_t used);
/* PMT_ERROR_INPUT when PENTIMENTO_MEMORY is set to anything but a number above 0; for programs that begin. */
gboolean pmt_memory_check (GError **error);
/* Bytes of this process in memory now, and the most there ever were (VmRSS, VmHWM). 0 when the system does not say. */
size_t pmt_memory_resident (void);
size_t pmt_memory_resident_peak (void);
