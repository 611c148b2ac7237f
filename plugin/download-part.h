/* SPDX-License-Identifier: GPL-3.0-or-later */
/* FILE.part, what has come of a download so far, with FILE.part.from, which says of what: address and ETag. One download at a time has
 * it. */
#pragma once

#include <gio/gio.h>

typedef struct PmtPart {
  char *target, *path, *from;
  int fd;       /* locked; -1: none */
  gint64 size;  /* bytes that are there */
  char *url, *etag; /* of what is there; NULL: not known */
} PmtPart;

/* Opens or makes it. FALSE + error when the finished file is there already, another download has it, or it cannot be written. */
gboolean pmt_part_open (PmtPart *part, const char *target, GError **error);
/* Notes what the rest will be of; etag may be NULL. */
void pmt_part_note (PmtPart *part, const char *url, const char *etag);
/* Begins anew: nothing is there. */
gboolean pmt_part_empty (PmtPart *part, GError **error);
gboolean pmt_part_write (PmtPart *part, const void *data, gsize size, GError **error);
/* Whether the disk has room for so many more bytes, with some to spare. */
gboolean pmt_part_check_room (PmtPart *part, gint64 bytes, GError **error);
/* Gives the file its name. */
gboolean pmt_part_finish (PmtPart *part, GError **error);
/* Away with it: what is there is of no use. */
void pmt_part_remove (PmtPart *part);
void pmt_part_clear (PmtPart *part);

/* SHA-256 of a file in a thread of its own; newly allocated hexadecimal text from the finish call, NULL + error. `seen` counts bytes, to be
 * read from any thread. */
void pmt_part_checksum_async (const char *path, gint64 *seen, GCancellable *cancellable, GAsyncReadyCallback done, gpointer user);
char *pmt_part_checksum_finish (GAsyncResult *result, GError **error);
