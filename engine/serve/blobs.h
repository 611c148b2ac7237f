/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pictures that a client sends ahead of its jobs: kept by job id and name until the job comes. */
#pragma once

#include "engine/image/picture.h"
#include "engine/serve/message.h"

typedef struct PmtBlob {
  gint64 id;
  char *name; /* "image", "mask", or what the job's controls and references call it */
  PmtPicture picture;
} PmtBlob;
void pmt_blob_free (PmtBlob *blob);

typedef struct PmtBlobs PmtBlobs;

/* At most that many at a time, and that many bytes of them together. */
PmtBlobs *pmt_blobs_new (guint most, guint64 most_bytes);
void pmt_blobs_free (PmtBlobs *blobs);

/* Copies a "blob" message's payload; one of the same id and name is replaced. PMT_ERROR_INPUT for a bad name, shape or size and for more
 * than the limits, PMT_ERROR_MEMORY. */
gboolean pmt_blobs_take (PmtBlobs *blobs, const PmtMessage *message, GError **error);
/* All of a job's, which are not here any more. PmtBlob, owned by the array. */
GPtrArray *pmt_blobs_remove (PmtBlobs *blobs, gint64 id);
