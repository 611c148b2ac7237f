/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The Unix socket: in a folder that only its user can enter, held by a lock, open to that user alone. */
#pragma once

#include <gio/gio.h>

#include "engine/base/error.h"

/* Makes the folder (0700; an existing one that others can enter or that is not ours is an error), takes PATH.lock, binds and listens.
 * `*lock` is to be closed after the socket file is removed. FALSE with *taken TRUE and no error: another process holds the lock. */
gboolean pmt_socket_listen (GSocketService *service, const char *path, int *lock, gboolean *taken, GError **error);

/* Whether the process at the other end runs as the same user. */
gboolean pmt_socket_peer_is_us (GSocket *socket, GError **error);
