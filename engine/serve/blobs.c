/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/serve/blobs.h"

#include <string.h>

#define MAX_NAME 100

struct PmtBlobs {
  guint most;
  guint64 most_bytes;
  GPtrArray *list; /* PmtBlob */
};

void
pmt_blob_free (PmtBlob *blob)
{
  if (!blob)
    return;
  pmt_picture_clear (&blob->picture);
  g_free (blob->name);
  g_free (blob);
}

PmtBlobs *
pmt_blobs_new (guint most, guint64 most_bytes)
{
  PmtBlobs *blobs = g_new0 (PmtBlobs, 1);

  blobs->most = most;
  blobs->most_bytes = most_bytes;
  blobs->list = g_ptr_array_new_with_free_func ((GDestroyNotify) pmt_blob_free);
  return blobs;
}

void
pmt_blobs_free (PmtBlobs *blobs)
{
  if (!blobs)
    return;
  g_ptr_array_unref (blobs->list);
  g_free (blobs);
}

static gboolean
check_name (const char *name, GError **error)
{
  if (name[0] && strlen (name) <= MAX_NAME)
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "An input needs a \"name\" of at most %d bytes; \"image\" and \"mask\" are the job's own.",
               MAX_NAME);
  return FALSE;
}

/* Width, height and channels of the message, checked against its payload. */
static gboolean
read_shape (const PmtMessage *message, const char *name, int *width, int *height, int *channels, GError **error)
{
  const int wanted = g_str_equal (name, "mask") ? 1 : 4;
  const char *dtype;
  gint64 w, h, c;

  if (!pmt_message_string (message->header, "dtype", "f32", &dtype, error) ||
      !pmt_message_int (message->header, "width", 1, PMT_PICTURE_MAX_SIDE, 0, &w, error) ||
      !pmt_message_int (message->header, "height", 1, PMT_PICTURE_MAX_SIDE, 0, &h, error) ||
      !pmt_message_int (message->header, "channels", 1, 4, 0, &c, error))
    return FALSE;
  if (!g_str_equal (dtype, "f32") || c != wanted) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "The input \"%s\" has to be f32 with %d channels.", name, wanted);
    return FALSE;
  }
  if ((guint64) w * (guint64) h * (guint64) c * sizeof (float) != message->size) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "The input \"%s\" of %d×%d pixels came with %zu bytes, which do not fit.", name, (int) w,
                 (int) h, message->size);
    return FALSE;
  }
  *width = (int) w;
  *height = (int) h;
  *channels = (int) c;
  return TRUE;
}

static guint64
bytes_of (const PmtBlob *blob)
{
  const PmtPicture *p = &blob->picture;

  return (guint64) p->width * (guint64) p->height * (guint64) p->channels * sizeof (float);
}

/* Makes room: one sent again goes first. */
static gboolean
admit (PmtBlobs *blobs, gint64 id, const char *name, guint64 size, GError **error)
{
  guint64 held = size;

  for (guint i = blobs->list->len; i-- > 0;) {
    PmtBlob *old = g_ptr_array_index (blobs->list, i);
    if (old->id == id && g_str_equal (old->name, name))
      g_ptr_array_remove_index (blobs->list, i);
    else
      held += bytes_of (old);
  }
  if (blobs->list->len >= blobs->most) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "More than %u inputs are waiting for their jobs; send the jobs first.", blobs->most);
    return FALSE;
  }
  if (held > blobs->most_bytes) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 "The input \"%s\" would make %" G_GUINT64_FORMAT " MiB that wait for their jobs, and at most %" G_GUINT64_FORMAT
                 " MiB may; send the jobs first, or smaller pictures.",
                 name, held >> 20, blobs->most_bytes >> 20);
    return FALSE;
  }
  return TRUE;
}

gboolean
pmt_blobs_take (PmtBlobs *blobs, const PmtMessage *message, GError **error)
{
  const char *name;
  int width, height, channels;
  PmtBlob *blob;

  if (!pmt_message_string (message->header, "name", "", &name, error) || !check_name (name, error) ||
      !read_shape (message, name, &width, &height, &channels, error) || !admit (blobs, message->id, name, message->size, error))
    return FALSE;
  blob = g_new0 (PmtBlob, 1);
  blob->id = message->id;
  blob->name = g_strdup (name);
  if (!pmt_picture_init (&blob->picture, width, height, channels, error)) {
    pmt_blob_free (blob);
    return FALSE;
  }
  memcpy (blob->picture.data, message->payload, message->size);
  g_ptr_array_add (blobs->list, blob);
  return TRUE;
}

GPtrArray *
pmt_blobs_remove (PmtBlobs *blobs, gint64 id)
{
  GPtrArray *found = g_ptr_array_new_with_free_func ((GDestroyNotify) pmt_blob_free);

  for (guint i = 0; i < blobs->list->len;) {
    PmtBlob *blob = g_ptr_array_index (blobs->list, i);
    if (blob->id == id)
      g_ptr_array_add (found, g_ptr_array_steal_index (blobs->list, i));
    else
      i++;
  }
  return found;
}
