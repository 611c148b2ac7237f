/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/base/memory.h"

#include <glib.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>

#include "engine/base/cgroup.h"

/* "MemAvailable:   1234 kB" in a /proc file, as bytes; 0 when absent. `key` comes with its colon. */
static size_t
proc_bytes (const char *file, const char *key)
{
  g_autofree char *text = NULL;
  if (!g_file_get_contents (file, &text, NULL, NULL))
    return 0;
  for (const char *line = text; line; line = strchr (line, '\n')) {
    line += *line == '\n';
    if (g_str_has_prefix (line, key))
      return (size_t) g_ascii_strtoull (line + strlen (key), NULL, 10) * 1024;
  }
  return 0;
}

size_t
pmt_memory_available (void)
{
  size_t available = proc_bytes ("/proc/meminfo", "MemAvailable:");
  if (available == 0)
    available = SIZE_MAX;
  available = MIN (available, pmt_cgroup_memory_left ());

  struct rlimit limit;
  if (getrlimit (RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    size_t mapped = proc_bytes ("/proc/self/status", "VmSize:");
    size_t left = limit.rlim_cur > mapped ? (size_t) limit.rlim_cur - mapped : 0;
    available = MIN (available, left);
  }
  return available;
}

size_t
pmt_memory_resident (void)
{
  return proc_bytes ("/proc/self/status", "VmRSS:");
}

size_t
pmt_memory_resident_peak (void)
{
  return proc_bytes ("/proc/self/status", "VmHWM:");
}
