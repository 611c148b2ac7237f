/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "engine/base/cpu.h"
#include "engine/base/datadir.h"
#include "engine/base/memory.h"
#include "engine/base/threads.h"
#include "engine/cli/cli.h"
#include "pentimento/build-id.h"

static void
print_system (void)
{
  struct utsname name;

  if (uname (&name) == 0)
    printf ("system: %s %s, %s\n", name.sysname, name.release, name.machine);
}

static void
print_memory (void)
{
  const long pages = sysconf (_SC_PHYS_PAGES), size = sysconf (_SC_PAGESIZE);
  const size_t all = pages > 0 && size > 0 ? (size_t) pages * (size_t) size : 0;

  printf ("memory: %zu MB available of %zu MB\n", pmt_memory_available () >> 20, all >> 20);
}

/* The part that every run needs; where it is says something about the user. */
static void
print_data (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = pmt_data_path ("clip", &error);

  printf ("data: %s\n", path ? "found" : "missing");
}

/* Written for a report of a fault: no name, no path, nothing of what the user made. */
static gboolean
run (int argc, char **argv, GError **error)
{
  const GOptionEntry entries[] = { G_OPTION_ENTRY_NULL };
  PmtCpuLevel level;

  if (!pmt_cli_parse (&pmt_command_diagnostics, NULL, NULL, entries, argc, argv, NULL, 0, error) || !pmt_cpu_select (&level, error))
    return FALSE;
  printf ("engine: %s, build %s\n", PMT_VERSION, PMT_BUILD_ID);
  print_system ();
  printf ("processor: %s, level %s, %d threads\n", pmt_cpu_model (), pmt_cpu_name (level), pmt_threads_set (0));
  print_memory ();
  print_data ();
  return TRUE;
}

const PmtCommand pmt_command_diagnostics = { "diagnostics", "Say what a report of a fault needs: versions, processor, memory.", run };
