/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/base/cgroup.h"

#include <glib.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ROOT "/sys/fs/cgroup"

/* Calls visit(folder, user) for the process's group in `controller`'s hierarchy and each group above it. In a container the path
 * that the kernel tells is often one of the host, which is not visible here; the mount's root, visited last, is then the limit. */
static void
each_group (const char *controller, void (*visit) (const char *folder, void *user), void *user)
{
  g_autofree char *text = NULL;
  if (!g_file_get_contents ("/proc/self/cgroup", &text, NULL, NULL))
    return;
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  for (int i = 0; lines[i]; i++) {
    g_auto (GStrv) field = g_strsplit (lines[i], ":", 3);
    if (g_strv_length (field) != 3)
      continue;
    gboolean unified = field[1][0] == '\0';
    g_auto (GStrv) names = g_strsplit (field[1], ",", -1);
    if (!unified && !g_strv_contains ((const char *const *) names, controller))
      continue;
    g_autofree char *mount = unified ? g_strdup (ROOT) : g_build_filename (ROOT, controller, NULL);
    g_autofree char *path = g_strdup (field[2]);
    for (;;) {
      g_autofree char *folder = g_build_filename (mount, path, NULL);
      visit (folder, user);
      char *slash = strrchr (path, '/');
      if (!slash || path[0] == '\0')
        break;
      *slash = '\0';
    }
  }
}

/* First number of a small file; FALSE for "max", a missing file or anything else. */
static gboolean
read_number (const char *folder, const char *name, double *value)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_autofree char *text = NULL;
  if (!g_file_get_contents (path, &text, NULL, NULL))
    return FALSE;
  char *end = NULL;
  *value = g_ascii_strtod (text, &end);
  return end != text && *value >= 0;
}

static void
visit_cpu (const char *folder, void *user)
{
  double *least = user;
  double quota = 0, period = 0;
  g_autofree char *path = g_build_filename (folder, "cpu.max", NULL);
  g_autofree char *text = NULL;
  if (g_file_get_contents (path, &text, NULL, NULL)) {
    if (sscanf (text, "%lf %lf", &quota, &period) != 2)
      return;
  } else if (!read_number (folder, "cpu.cfs_quota_us", &quota) || !read_number (folder, "cpu.cfs_period_us", &period)) {
    return;
  }
  if (quota > 0 && period > 0 && (*least == 0 || quota / period < *least))
    *least = quota / period;
}

double
pmt_cgroup_cpus (void)
{
  double least = 0;
  each_group ("cpu", visit_cpu, &least);
  return least;
}

static void
visit_memory (const char *folder, void *user)
{
  size_t *least = user;
  double limit = 0, used = 0, cached = 0;
  if (read_number (folder, "memory.max", &limit)) {
    if (!read_number (folder, "memory.current", &used))
      return;
  } else if (!read_number (folder, "memory.limit_in_bytes", &limit) ||
             !read_number (folder, "memory.usage_in_bytes", &used)) {
    return;
  }

  /* Clean file pages count as used, but the kernel drops them before it refuses memory. */
  g_autofree char *path = g_build_filename (folder, "memory.stat", NULL);
  g_autofree char *text = NULL;
  if (g_file_get_contents (path, &text, NULL, NULL)) {
    const char *line = g_str_has_prefix (text, "inactive_file ") ? text : strstr (text, "\ninactive_file ");
    if (line)
      cached = g_ascii_strtod (strchr (line, ' '), NULL);
  }

  double left = MAX (0, limit - used + cached);
  if (left < (double) *least)
    *least = (size_t) left;
}

size_t
pmt_cgroup_memory_left (void)
{
  size_t least = SIZE_MAX;
  each_group ("memory", visit_memory, &least);
  return least;
}
