/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/serve/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/serve/serve.h"
#include "pentimento/build-id.h"

static gboolean
prepare_folder (const char *folder, GError **error)
{
  struct stat info;

  if (g_mkdir_with_parents (folder, 0700) != 0 || lstat (folder, &info) != 0) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_IO, "The folder %s for the engine's socket cannot be made: %s.", folder,
                 g_strerror (errno));
    return FALSE;
  }
  if (!S_ISDIR (info.st_mode) || info.st_uid != geteuid () || (info.st_mode & 077) != 0) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_IO,
                 "The folder %s for the engine's socket is not yours alone: remove it, or make it yours with permissions 0700.", folder);
    return FALSE;
  }
  return TRUE;
}

gboolean
pmt_socket_listen (GSocketService *service, const char *path, int *lock, gboolean *taken, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (path);
  g_autofree char *lock_path = g_strconcat (path, ".lock", NULL);
  g_autoptr (GSocketAddress) address = NULL;
  g_autoptr (GError) problem = NULL;

  *taken = FALSE;
  if (!prepare_folder (folder, error))
    return FALSE;
  *lock = open (lock_path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (*lock < 0) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_IO, "The lock %s cannot be opened: %s.", lock_path, g_strerror (errno));
    return FALSE;
  }
  if (flock (*lock, LOCK_EX | LOCK_NB) != 0) {
    *taken = errno == EWOULDBLOCK;
    if (!*taken)
      g_set_error (error, PMT_ERROR, PMT_ERROR_IO, "The lock %s cannot be taken: %s.", lock_path, g_strerror (errno));
    close (*lock);
    return FALSE;
  }

  unlink (path); /* what an engine that was killed left behind; the lock says that nobody listens on it */
  address = g_unix_socket_address_new (path);
  if (!g_socket_listener_add_address (G_SOCKET_LISTENER (service), address, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL,
                                      NULL, &problem)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_IO, "The socket %s cannot be opened: %s.", path, problem->message);
    close (*lock);
    return FALSE;
  }
  return TRUE;
}

gboolean
pmt_socket_peer_is_us (GSocket *socket, GError **error)
{
  g_autoptr (GError) problem = NULL;
  g_autoptr (GCredentials) peer = g_socket_get_credentials (socket, &problem);
  uid_t uid = peer ? g_credentials_get_unix_user (peer, &problem) : (uid_t) -1;

  if (problem || uid != geteuid ()) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_ENGINE, "A connection of another user (%ld) was refused.", (long) uid);
    return FALSE;
  }
  return TRUE;
}

char *
pmt_serve_default_socket (void)
{
  const char *runtime = g_getenv ("XDG_RUNTIME_DIR");
  g_autofree char *name = g_strconcat (PMT_BUILD_ID, ".sock", NULL);
  g_autofree char *user = g_strdup_printf ("pentimento-%ld", (long) geteuid ());

  if (runtime && runtime[0] == '/')
    return g_build_filename (runtime, "pentimento", name, NULL);
  return g_build_filename (g_get_tmp_dir (), user, name, NULL);
}
