/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/engine-place.h"

#include <libgimp/gimp.h>

#include <errno.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "pentimento/build-id.h"
#include "plugin/error.h"

#define LAST_WORDS 300

static char *
find_program (void)
{
  const char *named = g_getenv ("PENTIMENTO_ENGINE");
  g_autofree char *folder = NULL;

  if (named && named[0])
    return g_canonicalize_filename (named, NULL);
  folder = g_path_get_dirname (gimp_get_progname ());
  return g_build_filename (folder, "pentimento-engine", NULL);
}

/* The engine says what went wrong in the language that it was started with, so another language is another engine's: "-de", or nothing
 * for English. */
static char *
language_suffix (void)
{
  const char *language = g_get_language_names ()[0];
  gsize length = strcspn (language, ".@");

  if (!length || strchr (language, '/') || g_str_has_prefix (language, "en") || strncmp (language, "C", length) == 0)
    return g_strdup ("");
  return g_strdup_printf ("-%.*s", (int) MIN (length, 16), language);
}

/* Another program than our own must neither answer for it nor be answered for. */
static char *
socket_name (void)
{
  const char *named = g_getenv ("PENTIMENTO_ENGINE");
  g_autofree char *language = language_suffix ();
  g_autofree char *hash = NULL;

  if (!named || !named[0])
    return g_strconcat (PMT_BUILD_ID, language, NULL);
  hash = g_compute_checksum_for_string (G_CHECKSUM_SHA256, named, -1);
  return g_strdup_printf ("%s%s-%.8s", PMT_BUILD_ID, language, hash);
}

static char *
socket_folder (void)
{
  const char *runtime = g_getenv ("XDG_RUNTIME_DIR");
  g_autofree char *user = NULL;

  if (runtime && runtime[0] == '/')
    return g_build_filename (runtime, "pentimento", NULL);
  user = g_strdup_printf ("pentimento-%ld", (long) geteuid ());
  return g_build_filename (g_get_tmp_dir (), user, NULL);
}

static gboolean
check_folder (const char *folder, GError **error)
{
  struct stat info;

  if (g_mkdir_with_parents (folder, 0700) != 0 || lstat (folder, &info) != 0) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_ENGINE, _("The folder %s for the engine's socket cannot be made (%s): check who may write there."),
                 folder, g_strerror (errno));
    return FALSE;
  }
  if (!S_ISDIR (info.st_mode) || info.st_uid != geteuid () || (info.st_mode & 077) != 0) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_ENGINE,
                 _("The folder %s for the engine's socket is not yours alone: remove it, or give it to yourself with permissions 0700."), folder);
    return FALSE;
  }
  return TRUE;
}

gboolean
pmt_engine_place_init (PmtEnginePlace *place, GError **error)
{
  g_autofree char *folder = socket_folder ();
  g_autofree char *name = socket_name ();
  g_autofree char *socket_file = g_strconcat (name, ".sock", NULL);
  g_autofree char *log_file = g_strconcat (name, ".log", NULL);

  *place = (PmtEnginePlace) { 0 };
  if (!check_folder (folder, error))
    return FALSE;
  place->program = find_program ();
  place->socket = g_build_filename (folder, socket_file, NULL);
  place->log = g_build_filename (folder, log_file, NULL);
  if (strlen (place->socket) >= sizeof ((struct sockaddr_un *) NULL)->sun_path) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_ENGINE,
                 _("The path of the engine's socket, %s, is longer than a socket's may be: set XDG_RUNTIME_DIR to a shorter folder."), place->socket);
    pmt_engine_place_clear (place);
    return FALSE;
  }
  return TRUE;
}

void
pmt_engine_place_clear (PmtEnginePlace *place)
{
  g_clear_pointer (&place->program, g_free);
  g_clear_pointer (&place->socket, g_free);
  g_clear_pointer (&place->log, g_free);
}

/* GIMP ends a plug-in with its process group; the engine is not part of it. */
static void
leave_session (gpointer unused)
{
  setsid ();
}

GSubprocess *
pmt_engine_place_start (const PmtEnginePlace *place, GError **error)
{
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDERR_MERGE);
  g_autoptr (GError) problem = NULL;
  GSubprocess *process;

  /* Inherited, the log would keep the pipe of "gimp-console | less" open for as long as the engine lives. */
  g_subprocess_launcher_set_stdout_file_path (launcher, place->log);
  g_subprocess_launcher_set_child_setup (launcher, leave_session, NULL, NULL);
  g_subprocess_launcher_set_cwd (launcher, "/");
  process = g_subprocess_launcher_spawn (launcher, &problem, place->program, "serve", "--socket", place->socket, NULL);
  if (!process)
    g_set_error (error, PMT_ERROR, PMT_ERROR_ENGINE,
                 _("The engine %s cannot be started (%s): install Pentimento again, or name the engine in the environment variable PENTIMENTO_ENGINE."),
                 place->program, problem->message);
  return process;
}

char *
pmt_engine_place_last_words (const PmtEnginePlace *place)
{
  g_autofree char *text = NULL;
  gsize length;
  const char *line;

  if (!g_file_get_contents (place->log, &text, &length, NULL))
    return NULL;
  g_strchomp (text);
  line = strrchr (text, '\n');
  line = line ? line + 1 : text;
  if (!line[0] || strstr (line, "-Message: ")) /* that is GLib's mark of small talk */
    return NULL;
  return g_utf8_make_valid (line, MIN (strlen (line), LAST_WORDS));
}
