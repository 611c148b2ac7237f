/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/serve/message.h"

#include <stdlib.h>
#include <string.h>

#include "pentimento/protocol.h"

/* json-glib descends recursively; a line of brackets must not reach the end of the stack. */
#define MAX_DEPTH 32

struct PmtMessageReader {
  PmtMessageFunc func;
  void *user;
  GByteArray *line;
  PmtMessage *pending; /* header read, payload incomplete */
  size_t filled;
};

PmtMessage *
pmt_message_new (const char *type, gint64 id)
{
  PmtMessage *message = g_new0 (PmtMessage, 1);

  message->header = json_object_new ();
  json_object_set_string_member (message->header, "type", type);
  json_object_set_int_member (message->header, "id", id);
  message->type = json_object_get_string_member (message->header, "type");
  message->id = id;
  return message;
}

void
pmt_message_free (PmtMessage *message)
{
  if (!message)
    return;
  g_clear_pointer (&message->header, json_object_unref);
  free (message->payload);
  g_free (message);
}

void
pmt_message_take_payload (PmtMessage *message, void *payload, size_t size)
{
  free (message->payload);
  message->payload = payload;
  message->size = size;
  json_object_set_int_member (message->header, "bytes", (gint64) size);
}

gboolean
pmt_message_set_picture (PmtMessage *message, const PmtPicture *picture, GError **error)
{
  size_t size = (size_t) picture->width * (size_t) picture->height * (size_t) picture->channels * sizeof (float);
  void *copy = malloc (size);

  if (!copy) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_MEMORY, "There is no memory to send a picture of %d×%d pixels (%zu MB).",
                 picture->width, picture->height, size >> 20);
    return FALSE;
  }
  memcpy (copy, picture->data, size);
  json_object_set_int_member (message->header, "width", picture->width);
  json_object_set_int_member (message->header, "height", picture->height);
  json_object_set_int_member (message->header, "channels", picture->channels);
  json_object_set_string_member (message->header, "dtype", "f32");
  pmt_message_take_payload (message, copy, size);
  return TRUE;
}

GBytes *
pmt_message_line (const PmtMessage *message)
{
  g_autoptr (JsonGenerator) generator = json_generator_new ();
  g_autoptr (JsonNode) root = json_node_new (JSON_NODE_OBJECT);
  gsize length;
  char *text;

  json_node_set_object (root, message->header);
  json_generator_set_root (generator, root);
  text = json_generator_to_data (generator, &length);
  text = g_realloc (text, length + 2);
  text[length] = '\n';
  text[length + 1] = '\0';
  return g_bytes_new_take (text, length + 1);
}

gboolean
pmt_message_int (JsonObject *object, const char *name, gint64 min, gint64 max, gint64 fallback, gint64 *value, GError **error)
{
  JsonNode *node = json_object_get_member (object, name);

  *value = fallback;
  if (!node)
    return TRUE;
  if (!JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) != G_TYPE_INT64) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "The message's field \"%s\" is not a whole number.", name);
    return FALSE;
  }
  *value = json_node_get_int (node);
  if (*value < min || *value > max) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 "The message's field \"%s\" is %" G_GINT64_FORMAT ", outside %" G_GINT64_FORMAT "…%" G_GINT64_FORMAT ".", name,
                 *value, min, max);
    return FALSE;
  }
  return TRUE;
}

gboolean
pmt_message_string (JsonObject *object, const char *name, const char *fallback, const char **value, GError **error)
{
  JsonNode *node = json_object_get_member (object, name);

  *value = fallback;
  if (!node)
    return TRUE;
  if (!JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) != G_TYPE_STRING) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "The message's field \"%s\" is not a string.", name);
    return FALSE;
  }
  *value = json_node_get_string (node);
  return TRUE;
}

JsonObject *
pmt_message_object (JsonObject *object, const char *name, GError **error)
{
  JsonNode *node = json_object_get_member (object, name);

  if (!node || !JSON_NODE_HOLDS_OBJECT (node)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "The message has no object \"%s\".", name);
    return NULL;
  }
  return json_node_get_object (node);
}

PmtMessageReader *
pmt_message_reader_new (PmtMessageFunc func, void *user)
{
  PmtMessageReader *reader = g_new0 (PmtMessageReader, 1);

  reader->func = func;
  reader->user = user;
  reader->line = g_byte_array_new ();
  return reader;
}

void
pmt_message_reader_free (PmtMessageReader *reader)
{
  if (!reader)
    return;
  g_byte_array_unref (reader->line);
  pmt_message_free (reader->pending);
  g_free (reader);
}

static gboolean
depth_is_sane (const guint8 *line, size_t size)
{
  int depth = 0;
  gboolean in_string = FALSE;

  for (size_t i = 0; i < size; i++) {
    guint8 c = line[i];
    if (in_string) {
      if (c == '\\')
        i++;
      else if (c == '"')
        in_string = FALSE;
    } else if (c == '"') {
      in_string = TRUE;
    } else if (c == '{' || c == '[') {
      if (++depth > MAX_DEPTH)
        return FALSE;
    } else if (c == '}' || c == ']') {
      depth--;
    }
  }
  return TRUE;
}

/* The line is complete: makes reader->pending. */
static gboolean
parse_line (PmtMessageReader *reader, GError **error)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (GError) problem = NULL;
  const char *text = (const char *) reader->line->data;
  const char *type;
  gint64 id, bytes;
  JsonNode *root;
  PmtMessage *message;

  if (!g_utf8_validate_len (text, reader->line->len, NULL)) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, "A message is not valid UTF-8; the connection is closed.");
    return FALSE;
  }
  if (!depth_is_sane (reader->line->data, reader->line->len)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "A message nests deeper than %d levels; the connection is closed.", MAX_DEPTH);
    return FALSE;
  }
  if (!json_parser_load_from_data (parser, text, reader->line->len, &problem)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "A message is not JSON (%s); the connection is closed.", problem->message);
    return FALSE;
  }
  root = json_parser_get_root (parser);
  if (!root || !JSON_NODE_HOLDS_OBJECT (root)) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, "A message is not a JSON object; the connection is closed.");
    return FALSE;
  }
  if (!pmt_message_string (json_node_get_object (root), "type", NULL, &type, error) ||
      !pmt_message_int (json_node_get_object (root), "id", 0, G_MAXINT64, 0, &id, error) ||
      !pmt_message_int (json_node_get_object (root), "bytes", 0, (gint64) PMT_PROTOCOL_MAX_PAYLOAD, 0, &bytes, error))
    return FALSE;
  if (!type) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, "A message has no \"type\"; the connection is closed.");
    return FALSE;
  }

  message = g_new0 (PmtMessage, 1);
  message->header = json_object_ref (json_node_get_object (root));
  message->type = type;
  message->id = id;
  message->size = (size_t) bytes;
  if (bytes > 0) {
    message->payload = malloc (message->size);
    if (!message->payload) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_MEMORY, "There is no memory for a payload of %" G_GINT64_FORMAT " bytes.", bytes);
      pmt_message_free (message);
      return FALSE;
    }
  }
  reader->pending = message;
  reader->filled = 0;
  return TRUE;
}

gboolean
pmt_message_reader_feed (PmtMessageReader *reader, const guint8 *data, size_t size, GError **error)
{
  while (size > 0 || (reader->pending && reader->filled == reader->pending->size)) {
    if (reader->pending) {
      size_t n = MIN (size, reader->pending->size - reader->filled);
      if (n > 0)
        memcpy (reader->pending->payload + reader->filled, data, n);
      reader->filled += n;
      data += n;
      size -= n;
      if (reader->filled == reader->pending->size)
        reader->func (reader->user, g_steal_pointer (&reader->pending));
    } else {
      const guint8 *end = memchr (data, '\n', size);
      size_t n = end ? (size_t) (end - data) : size;
      if (reader->line->len + n > PMT_PROTOCOL_MAX_LINE) {
        g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "A message's line is longer than %d bytes; the connection is closed.",
                     PMT_PROTOCOL_MAX_LINE);
        return FALSE;
      }
      g_byte_array_append (reader->line, data, n);
      data += n;
      size -= n;
      if (end) {
        data++;
        size--;
        if (!parse_line (reader, error))
          return FALSE;
        g_byte_array_set_size (reader->line, 0);
      }
    }
  }
  return TRUE;
}
