/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Framing of the protocol (include/pentimento/protocol.h): one JSON line, then `bytes` of payload. Input is hostile: the reader holds
 * at most one line and one payload, and every limit is checked before memory is asked for. */
#pragma once

#include <json-glib/json-glib.h>

#include "engine/base/error.h"
#include "engine/image/picture.h"

typedef struct PmtMessage {
  JsonObject *header; /* owned */
  const char *type;   /* inside header */
  gint64 id;
  guint8 *payload;    /* owned, from malloc; NULL when size is 0 */
  size_t size;
} PmtMessage;

PmtMessage *pmt_message_new (const char *type, gint64 id); /* header holds type and id */
void pmt_message_free (PmtMessage *message);               /* NULL is fine */
/* Takes `payload` (malloc) and writes "bytes" into the header. */
void pmt_message_take_payload (PmtMessage *message, void *payload, size_t size);
/* Copies a picture into the payload, with width, height, channels and dtype in the header. PMT_ERROR_MEMORY. */
gboolean pmt_message_set_picture (PmtMessage *message, const PmtPicture *picture, GError **error);
/* The header's line with its '\n'. */
GBytes *pmt_message_line (const PmtMessage *message);

/* Typed fields of a header or of an object inside it. A missing field gives `fallback`; a wrong type or range is PMT_ERROR_INPUT
 * naming the field. */
gboolean pmt_message_int (JsonObject *object, const char *name, gint64 min, gint64 max, gint64 fallback, gint64 *value, GError **error);
gboolean pmt_message_string (JsonObject *object, const char *name, const char *fallback, const char **value, GError **error);
/* Borrowed; a missing object is an error. */
JsonObject *pmt_message_object (JsonObject *object, const char *name, GError **error);

/* A push parser: feed it whatever arrives. */
typedef struct PmtMessageReader PmtMessageReader;
typedef void (*PmtMessageFunc) (void *user, PmtMessage *message); /* the message is the callee's */

PmtMessageReader *pmt_message_reader_new (PmtMessageFunc func, void *user);
void pmt_message_reader_free (PmtMessageReader *reader);
/* FALSE + error (PMT_ERROR_INPUT or MEMORY) when the stream cannot be understood any further; feed nothing after that. */
gboolean pmt_message_reader_feed (PmtMessageReader *reader, const guint8 *data, size_t size, GError **error);
