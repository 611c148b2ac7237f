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

/* 0: none. */
static gboolean
users_limit (size_t *limit, GError **error)
{
  const char *word = g_getenv ("PENTIMENTO_MEMORY");
  guint64 mib = 0;
  *limit = 0;
  if (!word || !*word)
    return TRUE;
  if (!g_ascii_string_to_unsigned (word, 10, 1, G_MAXUINT32, &mib, NULL)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("PENTIMENTO_MEMORY=%s is not a number of MiB; set it to one or unset it."), word);
    return FALSE;
  }
  *limit = (size_t) mib << 20;
  return TRUE;
}

gboolean
pmt_memory_check (GError **error)
{
  size_t limit;
  return users_limit (&limit, error);
}

/* Without what the user allows. */
static size_t
machine_available (void)
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
pmt_memory_available_with (size_t back, size_t used)
{
  size_t available = machine_available (), users;
  available += MIN (back, SIZE_MAX - available);
  if (users_limit (&users, NULL) && users > 0)
    available = MIN (available, users > used ? users - used : 1);
  return available;
}

size_t
pmt_memory_available (void)
{
  return pmt_memory_available_with (0, 0);
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
