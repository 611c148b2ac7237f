/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Framing: what is sent arrives whole however it is cut up, and nothing that arrives can hurt. */
#include <stdlib.h>
#include <string.h>

#include "engine/serve/message.h"
#include "pentimento/protocol.h"

static void
collect (void *user, PmtMessage *message)
{
  g_ptr_array_add (user, message);
}

static GPtrArray *
messages_new (void)
{
  return g_ptr_array_new_with_free_func ((GDestroyNotify) pmt_message_free);
}

static gboolean
feed_text (const char *text, size_t size, GPtrArray *got, GError **error)
{
  PmtMessageReader *reader = pmt_message_reader_new (collect, got);
  gboolean ok = pmt_message_reader_feed (reader, (const guint8 *) text, size, error);

  pmt_message_reader_free (reader);
  return ok;
}

static GByteArray *
example_stream (void)
{
  GByteArray *stream = g_byte_array_new ();
  const size_t sizes[] = { 0, 1, 70000, 3 };

  for (size_t i = 0; i < G_N_ELEMENTS (sizes); i++) {
    PmtMessage *message = pmt_message_new ("blob", (gint64) i);
    guint8 *payload = sizes[i] ? malloc (sizes[i]) : NULL;
    for (size_t k = 0; k < sizes[i]; k++)
      payload[k] = (guint8) (k * 7 + i);
    json_object_set_string_member (message->header, "name", "newline \n and \"quotes\" ☃");
    pmt_message_take_payload (message, payload, sizes[i]);
    GBytes *line = pmt_message_line (message);
    g_byte_array_append (stream, g_bytes_get_data (line, NULL), (guint) g_bytes_get_size (line));
    if (payload)
      g_byte_array_append (stream, payload, (guint) sizes[i]);
    g_bytes_unref (line);
    pmt_message_free (message);
  }
  return stream;
}

static void
test_any_cut (void)
{
  GByteArray *stream = example_stream ();
  const size_t steps[] = { 1, 2, 3, 61, 4096, 65536, 1 << 20 };

  for (size_t s = 0; s < G_N_ELEMENTS (steps); s++) {
    GPtrArray *got = messages_new ();
    PmtMessageReader *reader = pmt_message_reader_new (collect, got);
    for (size_t at = 0; at < stream->len; at += steps[s]) {
      GError *error = NULL;
      g_assert_true (pmt_message_reader_feed (reader, stream->data + at, MIN (steps[s], stream->len - at), &error));
      g_assert_no_error (error);
    }
    g_assert_cmpuint (got->len, ==, 4);
    PmtMessage *third = g_ptr_array_index (got, 2);
    g_assert_cmpstr (third->type, ==, "blob");
    g_assert_cmpint (third->id, ==, 2);
    g_assert_cmpuint (third->size, ==, 70000);
    for (size_t k = 0; k < third->size; k++)
      g_assert_cmpint (third->payload[k], ==, (guint8) (k * 7 + 2));
    g_assert_cmpstr (json_object_get_string_member (third->header, "name"), ==, "newline \n and \"quotes\" ☃");
    pmt_message_reader_free (reader);
    g_ptr_array_unref (got);
  }
  g_byte_array_unref (stream);
}

static void
test_refusals (void)
{
  static const struct {
    const char *line;
    const char *says;
  } cases[] = {
    { "not json\n", "not JSON" },
    { "[1,2]\n", "not a JSON object" },
    { "{\"id\":1}\n", "no \"type\"" },
    { "{\"type\":7}\n", "\"type\" is not a string" },
    { "{\"type\":\"job\",\"id\":\"x\"}\n", "\"id\" is not a whole number" },
    { "{\"type\":\"job\",\"id\":-1}\n", "outside" },
    { "{\"type\":\"job\",\"id\":1.5}\n", "whole number" },
    { "{\"type\":\"blob\",\"bytes\":-1}\n", "outside" },
    { "{\"type\":\"blob\",\"bytes\":99999999999999}\n", "outside" },
    { "{\"type\":\"blob\",\"bytes\":99999999999999999999999}\n", "" },
    { "{\"type\":\"b\xff\"}\n", "UTF-8" },
    { "{\"type\":\"x\"} trailing\n", "not JSON" },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
    GPtrArray *got = messages_new ();
    GError *error = NULL;
    g_assert_false (feed_text (cases[i].line, strlen (cases[i].line), got, &error));
    g_assert_nonnull (error);
    g_assert_true (error->domain == PMT_ERROR);
    if (!strstr (error->message, cases[i].says))
      g_error ("case %zu: \"%s\" does not say \"%s\"", i, error->message, cases[i].says);
    g_assert_cmpuint (got->len, ==, 0);
    g_clear_error (&error);
    g_ptr_array_unref (got);
  }
}

static void
test_long_line (void)
{
  char *line = g_strnfill (PMT_PROTOCOL_MAX_LINE + 10, ' ');
  GPtrArray *got = messages_new ();
  GError *error = NULL;

  g_assert_false (feed_text (line, PMT_PROTOCOL_MAX_LINE + 10, got, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
  g_clear_error (&error);
  g_ptr_array_unref (got);
  g_free (line);
}

static void
test_deep_nesting (void)
{
  GString *line = g_string_new ("{\"type\":\"job\",\"job\":");
  GPtrArray *got = messages_new ();
  GError *error = NULL;

  for (int i = 0; i < 400000; i++)
    g_string_append_c (line, '[');
  g_string_append_c (line, '\n');
  g_assert_false (feed_text (line->str, line->len, got, &error));
  g_assert_nonnull (strstr (error->message, "nests deeper"));
  g_clear_error (&error);
  /* brackets inside strings are only text */
  g_string_assign (line, "{\"type\":\"job\",\"prompt\":\"");
  for (int i = 0; i < 1000; i++)
    g_string_append (line, "[{\\\"");
  g_string_append (line, "\"}\n");
  g_assert_true (feed_text (line->str, line->len, got, &error));
  g_assert_cmpuint (got->len, ==, 1);
  g_ptr_array_unref (got);
  g_string_free (line, TRUE);
}

/* Any damage to a valid stream is either understood or refused; under the sanitizers this is where a slip would show. */
static void
test_mutations (void)
{
  GByteArray *stream = example_stream ();
  GRand *rand = g_rand_new_with_seed (20231122);
  int refused = 0, understood = 0;

  for (int round = 0; round < 3000; round++) {
    size_t size = 200 + (size_t) g_rand_int_range (rand, 0, 400);
    guint8 *copy = g_memdup2 (stream->data, size);
    GPtrArray *got = messages_new ();
    GError *error = NULL;
    for (int k = g_rand_int_range (rand, 1, 6); k-- > 0;)
      copy[g_rand_int_range (rand, 0, (gint32) size)] = (guint8) g_rand_int_range (rand, 0, 256);
    if (feed_text ((const char *) copy, size, got, &error))
      understood++;
    else
      refused++;
    g_clear_error (&error);
    g_ptr_array_unref (got);
    g_free (copy);
  }
  g_assert_cmpint (refused, >, 100);
  g_assert_cmpint (understood, >, 100);
  g_rand_free (rand);
  g_byte_array_unref (stream);
}

static void
test_fields (void)
{
  JsonNode *node = json_from_string ("{\"a\": 3, \"b\": \"text\", \"c\": {}, \"d\": null}", NULL);
  JsonObject *object = json_node_get_object (node);
  const char *text;
  gint64 value;
  GError *error = NULL;

  g_assert_true (pmt_message_int (object, "a", 0, 5, 1, &value, NULL));
  g_assert_cmpint (value, ==, 3);
  g_assert_true (pmt_message_int (object, "absent", 0, 5, 4, &value, NULL));
  g_assert_cmpint (value, ==, 4);
  g_assert_false (pmt_message_int (object, "a", 0, 2, 1, &value, &error));
  g_assert_nonnull (strstr (error->message, "\"a\" is 3"));
  g_clear_error (&error);
  g_assert_false (pmt_message_int (object, "b", 0, 2, 1, &value, NULL));
  g_assert_false (pmt_message_int (object, "d", 0, 2, 1, &value, NULL));
  g_assert_true (pmt_message_string (object, "b", NULL, &text, NULL));
  g_assert_cmpstr (text, ==, "text");
  g_assert_false (pmt_message_string (object, "a", NULL, &text, NULL));
  g_assert_nonnull (pmt_message_object (object, "c", NULL));
  g_assert_null (pmt_message_object (object, "a", &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
  g_clear_error (&error);
  json_node_unref (node);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/serve/message/any-cut", test_any_cut);
  g_test_add_func ("/serve/message/refusals", test_refusals);
  g_test_add_func ("/serve/message/long-line", test_long_line);
  g_test_add_func ("/serve/message/deep-nesting", test_deep_nesting);
  g_test_add_func ("/serve/message/mutations", test_mutations);
  g_test_add_func ("/serve/message/fields", test_fields);
  return g_test_run ();
}
