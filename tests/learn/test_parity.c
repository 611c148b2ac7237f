/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Words and LoRAs after a few steps against torch's AdamW, transformers' text encoders, diffusers' UNets and peft's LoRA (tests/reference/make_learn.py). */
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

#include "engine/learn/learn.h"
#include "tests/sample/runs.h"

enum { PICTURES = 2, WIDTH = 64, HEIGHT = 48 };

static PmtSafetensors *reference;
static char *folder;

static float *
values (const PmtSafetensors *file, const char *name, uint64_t *n)
{
  GError *error = NULL;
  const PmtSafetensor *t = pmt_safetensors_lookup (file, name);
  if (!t)
    g_error ("%s has no %s", pmt_safetensors_path (file), name);
  float *to = g_new (float, t->count);
  pmt_safetensors_read_f32 (file, t, 0, t->count, to, &error);
  g_assert_no_error (error);
  *n = t->count;
  return to;
}

/* The distance of what was found from the reference, by how far the reference has come from where it began; both as roots of sums of squares. */
typedef struct Way {
  double off, come;
} Way;

static void
compare (Way *way, const PmtSafetensors *made, const char *key, const char *at)
{
  g_autofree char *first_at = g_strconcat (at, "/first", NULL);
  uint64_t n, m, k;
  g_autofree float *got = values (made, key, &n), *wanted = values (reference, at, &m), *first = values (reference, first_at, &k);
  g_assert_cmpuint (n, ==, m);
  g_assert_cmpuint (n, ==, k);
  for (uint64_t i = 0; i < n; i++) {
    way->off += pow ((double) got[i] - (double) wanted[i], 2);
    way->come += pow ((double) wanted[i] - (double) first[i], 2);
  }
}

static PmtLearnRequest
request_of (JsonObject *c, PmtModel *model, const char *const *sentences)
{
  GError *error = NULL;
  const PmtLearnKind *kind = pmt_learn_kind_find (json_object_get_string_member (c, "kind"), &error);
  g_assert_no_error (error);
  PmtLearnRequest q;
  pmt_learn_request_init (&q, model, kind);
  q.word = kind->learns_word ? "dusk-moth" : "blue circle";
  q.thing = kind->learns_word ? json_object_get_string_member (c, "thing") : "";
  q.sentences = sentences;
  q.width = WIDTH;
  q.height = HEIGHT;
  q.steps = (int) json_object_get_int_member (c, "steps");
  q.accumulate = (int) json_object_get_int_member (c, "accumulate");
  q.flip = json_object_get_boolean_member (c, "flip");
  q.texts = json_object_get_boolean_member (c, "texts");
  q.vectors = (int) json_object_get_int_member (c, "vectors");
  q.rank = (int) json_object_get_int_member (c, "rank");
  q.alpha = json_object_get_double_member (c, "alpha");
  q.rate = json_object_get_double_member (c, "rate");
  q.text_rate = json_object_get_double_member (c, "text_rate") > 0 ? json_object_get_double_member (c, "text_rate") : q.rate;
  q.min_snr = json_object_get_double_member (c, "min_snr");
  q.seed = (uint64_t) json_object_get_int_member (c, "seed");
  q.n_pictures = PICTURES;
  return q;
}

static gboolean
give_picture (void *user, int i, PmtPicture *picture, GError **error)
{
  g_autofree char *key = g_strdup_printf ("picture-%d", i);
  uint64_t n;
  g_autofree float *rgb = values (reference, key, &n);
  g_assert_cmpuint (n, ==, WIDTH * HEIGHT * 3);
  if (!pmt_picture_init (picture, WIDTH, HEIGHT, 4, error))
    return FALSE;
  for (int k = 0; k < WIDTH * HEIGHT; k++) {
    memcpy (picture->data + 4 * k, rgb + 3 * k, 3 * sizeof (float));
    picture->data[4 * k + 3] = 1;
  }
  return TRUE;
}

static void
test_case (gconstpointer data)
{
  JsonObject *c = json_object_get_object_member ((JsonObject *) data, "case");
  const char *name = json_object_get_string_member (c, "name");
  JsonArray *list = json_object_get_array_member ((JsonObject *) data, "sentences");
  g_autofree const char **sentences = g_new0 (const char *, json_array_get_length (list) + 1);
  for (guint i = 0; i < json_array_get_length (list); i++)
    sentences[i] = json_array_get_string_element (list, i);
  g_autofree char *path = runs_path ("", json_object_get_string_member (c, "model")), *out = g_build_filename (folder, name, NULL);
  PmtModel *model = runs_open_model (path);
  PmtLearnRequest q = request_of (c, model, sentences);
  q.picture = give_picture;
  q.out = out;

  GError *error = NULL;
  PmtLearnResult result;
  pmt_learn (&q, &result, &error);
  g_assert_no_error (error);
  g_assert_cmpint (result.steps, ==, q.steps);
  PmtSafetensors *made = pmt_safetensors_open (out, &error);
  g_assert_no_error (error);
  Way downs = { 0 }, others = { 0 };
  int compared = 0;
  for (guint i = 0; i < pmt_safetensors_count (made); i++) {
    const char *key = pmt_safetensors_at (made, i)->name;
    if (g_str_has_suffix (key, ".alpha"))
      continue;
    g_autofree char *at = g_strconcat (name, "/", strcmp (key, q.word) == 0 ? "word" : key, NULL);
    compare (strstr (key, "lora_down") ? &downs : &others, made, key, at);
    compared++;
  }
  int expected = 0;
  for (guint i = 0; i < pmt_safetensors_count (reference); i++) {
    const char *key = pmt_safetensors_at (reference, i)->name;
    expected += g_str_has_prefix (key, name) && key[strlen (name)] == '/' && !g_str_has_suffix (key, "/first");
  }
  g_assert_cmpint (compared, ==, expected);
  g_test_message ("%s: %d tensors; off by %.2g of the way (down: %.2g)", name, compared, sqrt (others.off / others.come),
                  downs.come > 0 ? sqrt (downs.off / downs.come) : 0);
  /* Adam's first steps have the size of the rate whatever the gradient's, so rounding shows in values that hardly move anything. LoRAs are in
   * f16, of which a first value takes 1/2048. */
  g_assert_cmpfloat (sqrt (others.off / others.come), <, 5e-3);
  g_assert_cmpfloat (downs.come > 0 ? sqrt (downs.off / downs.come) : 0, <, 5e-2);
  pmt_safetensors_free (made);
  g_unlink (out);
  pmt_model_unref (model);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  GError *error = NULL;
  g_autofree char *path = runs_path ("", "learn.safetensors"), *about = runs_path ("", "learn.json");
  g_autoptr (JsonParser) parser = json_parser_new ();
  json_parser_load_from_file (parser, about, &error);
  g_assert_no_error (error);
  reference = pmt_safetensors_open (path, &error);
  g_assert_no_error (error);
  folder = g_dir_make_tmp ("pentimento-learn-XXXXXX", &error);
  g_assert_no_error (error);
  JsonObject *root = json_node_get_object (json_parser_get_root (parser));
  JsonArray *cases = json_object_get_array_member (root, "cases");
  for (guint i = 0; i < json_array_get_length (cases); i++) {
    JsonObject *one = json_object_new (), *c = json_array_get_object_element (cases, i);
    json_object_set_object_member (one, "case", json_object_ref (c));
    json_object_set_array_member (one, "sentences", json_array_ref (json_object_get_array_member (root, "sentences")));
    g_autofree char *name = g_strdup_printf ("/learn/parity/%s", json_object_get_string_member (c, "name"));
    g_test_add_data_func_full (name, one, test_case, (GDestroyNotify) json_object_unref);
  }
  const int status = g_test_run ();
  pmt_safetensors_free (reference);
  g_rmdir (folder);
  g_free (folder);
  return status;
}
