/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/download-part.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "plugin/error.h"

#define SPARE ((gint64) 64 << 20) /* what a disk should have left */
#define CHUNK (1 << 20)

static gboolean
fail (GError **error, const char *format, const char *path, int code)
{
  g_set_error (error, PMT_ERROR, PMT_ERROR_DOWNLOAD, format, path, g_strerror (code));
  return FALSE;
}

static void
read_from (PmtPart *part)
{
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;

  if (!g_file_get_contents (part->from, &text, NULL, NULL))
    return;
  lines = g_strsplit (text, "\n", 3);
  if (g_strv_length (lines) < 2)
    return;
  part->url = g_strdup (lines[0]);
  part->etag = lines[1][0] ? g_strdup (lines[1]) : NULL;
}

gboolean
pmt_part_open (PmtPart *part, const char *target, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (target);
  off_t end;

  *part = (PmtPart) { .target = g_strdup (target), .path = g_strconcat (target, ".part", NULL), .from = g_strconcat (target, ".part.from", NULL), .fd = -1 };
  if (g_mkdir_with_parents (folder, 0755) != 0)
    return fail (error, _("The folder %s cannot be made (%s): check who may write there."), folder, errno);
  if (g_file_test (target, G_FILE_TEST_EXISTS)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_DOWNLOAD, _("The file %s is there already: rename or remove it to download it again."), target);
    return FALSE;
  }
  part->fd = g_open (part->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (part->fd < 0)
    return fail (error, _("The file %s cannot be written (%s): check who may write there, and the disk."), part->path, errno);
  if (flock (part->fd, LOCK_EX | LOCK_NB) != 0) {
    close (part->fd);
    part->fd = -1; /* it is the other's */
    g_set_error (error, PMT_ERROR, PMT_ERROR_DOWNLOAD, _("The file %s is being downloaded already: wait for that to end."), target);
    return FALSE;
  }
  end = lseek (part->fd, 0, SEEK_END);
  if (end < 0)
    return fail (error, _("The file %s cannot be written (%s): check who may write there, and the disk."), part->path, errno);
  part->size = end;
  read_from (part);
  return TRUE;
}

void
pmt_part_note (PmtPart *part, const char *url, const char *etag)
{
  g_autofree char *text = g_strconcat (url, "\n", etag ? etag : "", "\n", NULL);

  g_free (part->url);
  g_free (part->etag);
  part->url = g_strdup (url);
  part->etag = g_strdup (etag);
  g_file_set_contents (part->from, text, -1, NULL); /* without it the next try begins anew */
}

gboolean
pmt_part_empty (PmtPart *part, GError **error)
{
  if (ftruncate (part->fd, 0) != 0 || lseek (part->fd, 0, SEEK_SET) != 0)
    return fail (error, _("The file %s cannot be written (%s): check who may write there, and the disk."), part->path, errno);
  part->size = 0;
  g_clear_pointer (&part->url, g_free);
  g_clear_pointer (&part->etag, g_free);
  g_remove (part->from);
  return TRUE;
}

gboolean
pmt_part_write (PmtPart *part, const void *data, gsize size, GError **error)
{
  while (size > 0) {
    gssize wrote = write (part->fd, data, size);
    if (wrote < 0 && errno == EINTR)
      continue;
    if (wrote < 0)
      return fail (error, _("The file %s cannot be written (%s): make room on the disk, then download again; what has come is kept."), part->path, errno);
    part->size += wrote;
    data = (const char *) data + wrote;
    size -= (gsize) wrote;
  }
  return TRUE;
}

gboolean
pmt_part_check_room (PmtPart *part, gint64 bytes, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (part->target);
  struct statvfs disk;
  double there;

  if (statvfs (folder, &disk) != 0)
    return TRUE; /* then writing will tell */
  there = (double) disk.f_bavail * (double) disk.f_frsize;
  if (there >= (double) (bytes + SPARE))
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_DOWNLOAD, _("The disk of %s has %.1f GB free and the download needs %.1f GB: make room, then download again."),
               folder, there / 1e9, (double) (bytes + SPARE) / 1e9);
  return FALSE;
}

gboolean
pmt_part_finish (PmtPart *part, GError **error)
{
  if (fsync (part->fd) != 0)
    return fail (error, _("The file %s cannot be written (%s): check who may write there, and the disk."), part->path, errno);
  if (g_file_test (part->target, G_FILE_TEST_EXISTS)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_DOWNLOAD, _("The file %s has appeared meanwhile: rename or remove it, then download again."), part->target);
    return FALSE;
  }
  if (g_rename (part->path, part->target) != 0)
    return fail (error, _("The file %s cannot be given its name (%s): check who may write there."), part->path, errno);
  g_remove (part->from);
  return TRUE;
}

void
pmt_part_remove (PmtPart *part)
{
  if (part->fd < 0)
    return;
  g_remove (part->path);
  g_remove (part->from);
}

void
pmt_part_clear (PmtPart *part)
{
  if (part->fd >= 0) {
    if (part->size == 0)
      pmt_part_remove (part);
    close (part->fd);
  }
  g_free (part->target);
  g_free (part->path);
  g_free (part->from);
  g_free (part->url);
  g_free (part->etag);
  *part = (PmtPart) { .fd = -1 };
}

/* ---- checksum ---- */

typedef struct Sum {
  char *path;
  gint64 *seen;
} Sum;

static void
sum_free (gpointer data)
{
  Sum *sum = data;

  g_free (sum->path);
  g_free (sum);
}

static void
sum_up (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  const Sum *sum = data;
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
  g_autofree guchar *chunk = g_malloc (CHUNK);
  int fd = g_open (sum->path, O_RDONLY | O_CLOEXEC, 0);
  gssize got = -1;

  while (fd >= 0 && !g_cancellable_is_cancelled (cancellable) && (got = read (fd, chunk, CHUNK)) > 0) {
    g_checksum_update (checksum, chunk, got);
    __atomic_add_fetch (sum->seen, got, __ATOMIC_RELAXED);
  }
  if (fd >= 0)
    close (fd);
  if (got == 0)
    g_task_return_pointer (task, g_strdup (g_checksum_get_string (checksum)), g_free);
  else
    g_task_return_new_error (task, PMT_ERROR, PMT_ERROR_DOWNLOAD, _("The file %s cannot be read again to check it (%s): check the disk."), sum->path,
                             g_strerror (errno));
}

void
pmt_part_checksum_async (const char *path, gint64 *seen, GCancellable *cancellable, GAsyncReadyCallback done, gpointer user)
{
  g_autoptr (GTask) task = g_task_new (NULL, cancellable, done, user);
  Sum *sum = g_new (Sum, 1);

  *sum = (Sum) { g_strdup (path), seen };
  g_task_set_task_data (task, sum, sum_free);
  g_task_run_in_thread (task, sum_up);
}

char *
pmt_part_checksum_finish (GAsyncResult *result, GError **error)
{
  return g_task_propagate_pointer (G_TASK (result), error);
}
