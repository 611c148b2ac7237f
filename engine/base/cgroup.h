/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Limits that a container or a service manager puts on this process (Linux control groups, both versions). */
#pragma once

#include <stddef.h>

/* Processors' worth of time per second that this process may use; 0 = no limit known. */
double pmt_cgroup_cpus (void);

/* Bytes that the tightest memory limit above this process leaves; SIZE_MAX = no limit known. */
size_t pmt_cgroup_memory_left (void);
