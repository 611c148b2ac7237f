/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/session.h"

#include <errno.h>
#include <libgimp/gimp.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WATCH "--pentimento-after-session"
/* Of /proc/PID/stat, counted from the one after the name in brackets. */
#define FIELD_STATE 0
#define FIELD_START 19

/* 0: there is no such process, or it is one that has ended and was not collected. */
static guint64
start_of (int pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", pid), *text = NULL;
  g_auto (GStrv) fields = NULL;
  const char *rest;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return 0;
  rest = strrchr (text, ')'); /* the name may hold anything */
  if (!rest || rest[1] != ' ')
    return 0;
  fields = g_strsplit (rest + 2, " ", FIELD_START + 2);
  if (g_strv_length (fields) <= FIELD_START || fields[FIELD_STATE][0] == 'Z' || fields[FIELD_STATE][0] == 'X')
    return 0;
  return g_ascii_strtoull (fields[FIELD_START], NULL, 10);
}

char *
pmt_session_name (void)
{
  const int pid = gimp_getpid ();

  return g_strdup_printf ("%d-%" G_GUINT64_FORMAT, pid, start_of (pid));
}

static gboolean
parse (const char *name, int *pid, guint64 *start)
{
  char *end = NULL;
  const guint64 number = g_ascii_strtoull (name, &end, 10);

  if (end == name || *end != '-' || number < 1 || number > G_MAXINT)
    return FALSE;
  *pid = (int) number;
  name = end + 1;
  *start = g_ascii_strtoull (name, &end, 10);
  return end != name && *end == '\0';
}

gboolean
pmt_session_lives (const char *name)
{
  guint64 start;
  int pid;

  return parse (name, &pid, &start) && start != 0 && start_of (pid) == start;
}

void
pmt_session_watch (const char *name)
{
  g_autofree char *program = g_file_read_link ("/proc/self/exe", NULL);
  char *argv[] = { program, (char *) WATCH, (char *) name, NULL };

  /* In a session of its own: GIMP may end the plug-in's process group. Without the program (no /proc, no memory) the next session's first
   * call cleans up. */
  if (program)
    g_spawn_async ("/", argv, NULL, G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL, (GSpawnChildSetupFunc) (void (*) (void)) setsid, NULL,
                   NULL, NULL);
}

/* A descriptor that can be read when the process has ended; -1: it has, or the system is too old for that. */
static int
open_process (int pid)
{
  return (int) syscall (SYS_pidfd_open, pid, 0);
}

gboolean
pmt_session_is_watcher (int argc, char *argv[], void (*after) (const char *name))
{
  struct pollfd end = { -1, POLLIN, 0 };
  guint64 start;
  int pid;

  if (argc != 3 || strcmp (argv[1], WATCH) != 0)
    return FALSE;
  if (!parse (argv[2], &pid, &start))
    return TRUE;
  end.fd = open_process (pid);
  while (end.fd >= 0 && pmt_session_lives (argv[2]))
    if (poll (&end, 1, -1) > 0 || errno != EINTR)
      break;
  if (!pmt_session_lives (argv[2]))
    after (argv[2]);
  return TRUE;
}
