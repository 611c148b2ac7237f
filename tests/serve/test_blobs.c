/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inputs that wait for their jobs: by id and name, replaced when sent again, and no more of them than the limits say. */
#include <stdlib.h>
#include <string.h>

#include "engine/serve/blobs.h"

static gboolean
take (PmtBlobs *blobs, gint64 id, const char *name, int side, int channels, float value, GError **error)
{
  PmtMessage *message = pmt_message_new ("blob", id);
  size_t n = (size_t) side * (size_t) side * (size_t) channels;
  float *pixels = malloc (n * sizeof (float));
  gboolean good;

  for (size_t i = 0; i < n; i++)
    pixels[i] = value;
  json_object_set_string_member (message->header, "name", name);
  json_object_set_int_member (message->header, "width", side);
  json_object_set_int_member (message->header, "height", side);
  json_object_set_int_member (message->header, "channels", channels);
  pmt_message_take_payload (message, pixels, n * sizeof (float));
  good = pmt_blobs_take (blobs, message, error);
  pmt_message_free (message);
  return good;
}

static void
take_good (PmtBlobs *blobs, gint64 id, const char *name, float value)
{
  GError *error = NULL;

  take (blobs, id, name, 4, strcmp (name, "mask") == 0 ? 1 : 4, value, &error);
  g_assert_no_error (error);
}

static void
test_names (void)
{
  PmtBlobs *blobs = pmt_blobs_new (8, 1 << 20);
  GPtrArray *found;

  take_good (blobs, 1, "image", 0.25f);
  take_good (blobs, 2, "control-0", 0.5f);
  take_good (blobs, 1, "mask", 1);
  take_good (blobs, 1, "control-0", 0.75f);
  take_good (blobs, 1, "control-0", 0.125f); /* sent again */
  found = pmt_blobs_remove (blobs, 1);
  g_assert_cmpuint (found->len, ==, 3);
  for (guint i = 0; i < found->len; i++) {
    const PmtBlob *blob = g_ptr_array_index (found, i);
    g_assert_cmpint (blob->id, ==, 1);
    g_assert_cmpfloat (blob->picture.data[0], ==, strcmp (blob->name, "image") == 0 ? 0.25 : strcmp (blob->name, "mask") == 0 ? 1 : 0.125);
  }
  g_ptr_array_unref (found);
  found = pmt_blobs_remove (blobs, 1);
  g_assert_cmpuint (found->len, ==, 0);
  g_ptr_array_unref (found);
  pmt_blobs_free (blobs); /* with one left */
}

static void
assert_refused (PmtBlobs *blobs, gint64 id, const char *name, int side, int channels, const char *says)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (take (blobs, id, name, side, channels, 0, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
  g_assert_cmpstr (error->message, ==, says);
}

static void
test_limits (void)
{
  PmtBlobs *blobs = pmt_blobs_new (3, 3 << 20);
  g_autofree char *longest = g_strnfill (100, 'a'), *longer = g_strnfill (101, 'a');

  assert_refused (blobs, 1, "", 4, 4, "An input needs a \"name\" of at most 100 bytes; \"image\" and \"mask\" are the job's own.");
  assert_refused (blobs, 1, longer, 4, 4, "An input needs a \"name\" of at most 100 bytes; \"image\" and \"mask\" are the job's own.");
  assert_refused (blobs, 1, "control-0", 4, 1, "The input \"control-0\" has to be f32 with 4 channels.");
  assert_refused (blobs, 1, "mask", 4, 4, "The input \"mask\" has to be f32 with 1 channels.");
  take_good (blobs, 1, longest, 0);
  take_good (blobs, 1, "a", 0);
  take_good (blobs, 2, "a", 0);
  assert_refused (blobs, 2, "b", 4, 4, "More than 3 inputs are waiting for their jobs; send the jobs first.");
  take_good (blobs, 2, "a", 1); /* in place of the other */
  g_ptr_array_unref (pmt_blobs_remove (blobs, 1));
  /* 256 × 256 RGBA is a MiB */
  g_assert_true (take (blobs, 1, "a", 256, 4, 0, NULL) && take (blobs, 1, "a", 256, 4, 0, NULL));
  g_assert_true (take (blobs, 1, "b", 256, 4, 0, NULL));
  g_ptr_array_unref (pmt_blobs_remove (blobs, 2));
  assert_refused (blobs, 3, "c", 512, 4,
                  "The input \"c\" would make 6 MiB that wait for their jobs, and at most 3 MiB may; send the jobs first, or smaller pictures.");
  pmt_blobs_free (blobs);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/blobs/names", test_names);
  g_test_add_func ("/blobs/limits", test_limits);
  return g_test_run ();
}
