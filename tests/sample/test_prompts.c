/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Weights, chunks, clip skip and learned words: contexts and whole runs against tests/reference/make_prompts.py, and what is refused. */
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "engine/weights/pickle.h"
#include "tests/sample/runs.h"

enum { LENGTH = 20, WIDTH = 32, LATENT = 4 * 8 * 6 };

static Runs runs;
static PmtModel *tiny;
static PmtSafetensors *oracle;
static JsonObject *root;
static char *red, *hut, *swirl;
static PmtLearnedWord words[3];

static char *
data_path (const char *name)
{
  return g_build_filename (g_getenv ("PMT_TEST_DATA"), "prompts", name, NULL);
}

/* What run->context and run->negative_context were. */
static struct {
  float *context, *negative;
  int64_t tokens;
} seen;

static gboolean
look (void *user, PmtRun *run, GError **error)
{
  if (run->ctx.dry)
    return TRUE;
  const int64_t n = pmt_tensor_size (run->context);
  g_free (seen.context);
  g_free (seen.negative);
  seen.tokens = pmt_tensor_dim (run->context, 1);
  seen.context = g_memdup2 (run->context.data, (gsize) n * sizeof (float));
  seen.negative = NULL;
  if (run->negative_context.data) {
    g_assert_cmpint (pmt_tensor_size (run->negative_context), ==, n);
    seen.negative = g_memdup2 (run->negative_context.data, (gsize) n * sizeof (float));
  }
  return TRUE;
}

static const PmtMethod looker = { .id = "looker", .order = 10, .plan = look };
static const PmtMethodUse use = { .method = &looker };

static double
distance (const char *name, const float *got, size_t n)
{
  GError *error = NULL;
  const PmtSafetensor *t = pmt_safetensors_lookup (oracle, name);
  if (!t)
    g_error ("prompts.safetensors has no %s", name);
  g_assert_cmpuint (t->count, ==, n);
  g_autofree float *wanted = g_new (float, n);
  pmt_safetensors_read_f32 (oracle, t, 0, n, wanted, &error);
  g_assert_no_error (error);
  const double off = runs_distance (got, wanted, n);
  g_test_message ("%s: %.2g relative", name, off);
  return off;
}

static PmtRequest
request_of (const char *prompt, const char *negative)
{
  PmtRequest q = runs_request (&runs, tiny);
  q.prompt = prompt;
  q.negative = negative;
  q.guidance = 6;
  q.seed = 11;
  q.methods = &use;
  q.n_methods = 1;
  return q;
}

static void
check (const PmtRequest *q, const char *prefix, const char *name, bool run, int chunks)
{
  PmtResult r = runs_do (q);
  g_autofree char *prompt = g_strconcat (prefix, name, ".prompt", NULL), *negative = g_strconcat (prefix, name, ".negative", NULL);
  g_autofree char *latent = g_strconcat (prefix, name, ".latent", NULL);
  const size_t n = (size_t) seen.tokens * WIDTH;
  g_assert_cmpint (seen.tokens, ==, chunks * LENGTH);
  g_assert_cmpfloat (distance (prompt, seen.context, n), <, 1e-4);
  g_assert_cmpfloat (distance (negative, seen.negative, n), <, 1e-4);
  if (run)
    g_assert_cmpfloat (distance (latent, r.latent, LATENT), <, 1e-3);
  pmt_result_clear (&r);
}

static void
test_contexts (void)
{
  JsonArray *cases = json_object_get_array_member (root, "contexts");
  g_assert_cmpuint (json_array_get_length (cases), >=, 10);
  for (guint i = 0; i < json_array_get_length (cases); i++) {
    JsonObject *c = json_array_get_object_element (cases, i);
    const int chunks = (int) json_object_get_int_member (c, "chunks");
    PmtRequest q = request_of (json_object_get_string_member (c, "prompt"), json_object_get_string_member (c, "negative"));
    q.clip_skip = (int) json_object_get_int_member_with_default (c, "skip", 0);
    q.words = words;
    q.n_words = json_object_get_boolean_member_with_default (c, "learned", FALSE) ? 3 : 0;
    check (&q, "", json_object_get_string_member (c, "name"), json_object_get_boolean_member_with_default (c, "run", FALSE), chunks);
  }
}

/* As diffusers: its loader, no syntax, cut at the encoder's length. */
static void
test_inversions (void)
{
  JsonArray *cases = json_object_get_array_member (root, "inversions");
  g_assert_cmpuint (json_array_get_length (cases), >=, 3);
  for (guint i = 0; i < json_array_get_length (cases); i++) {
    JsonObject *c = json_array_get_object_element (cases, i);
    PmtRequest q = request_of (json_object_get_string_member (c, "prompt"), json_object_get_string_member (c, "negative"));
    q.words = words;
    q.n_words = 3;
    q.prompt_syntax = PMT_SYNTAX_PLAIN;
    q.long_prompts = PMT_LONG_TRUNCATE;
    check (&q, "inversion.", json_object_get_string_member (c, "name"), true, 1);
  }
}

/* Without guidance there is no second prompt whose length would matter; with it both are filled up. */
static void
test_lengths (void)
{
  PmtRequest q = request_of ("a", "blurry BREAK blurry BREAK blurry");
  q.guidance = 1;
  PmtResult one = runs_do (&q);
  g_assert_cmpint (seen.tokens, ==, LENGTH);
  q.negative = NULL;
  PmtResult same = runs_do (&q);
  runs_assert_equal (&one, &same);
  pmt_result_clear (&same);
  q = request_of ("a", "blurry BREAK blurry BREAK blurry");
  same = runs_do (&q);
  g_assert_cmpint (seen.tokens, ==, 3 * LENGTH);
  g_assert_cmpint (same.negative_tokens_cut, ==, 0);
  pmt_result_clear (&one);
  pmt_result_clear (&same);
}

/* Brackets mean nothing in plain syntax, and weights of 1 change nothing to the bit. */
static void
test_no_weight (void)
{
  PmtRequest q = request_of ("a red circle", "blue");
  PmtResult plain = runs_do (&q);
  q.prompt = "a (red circle:1) <lora:none:1>";
  PmtResult one = runs_do (&q);
  runs_assert_equal (&plain, &one);
  q.prompt_syntax = PMT_SYNTAX_PLAIN;
  PmtResult other = runs_do (&q);
  runs_assert_differ (&plain, &other);
  pmt_result_clear (&plain);
  pmt_result_clear (&one);
  pmt_result_clear (&other);
}

/* ---- texts and phrases of methods --------------------------------------------------------------------------------------- */

static void *
expect (PmtRun *run, const PmtParamValues *values, GError **error)
{
  pmt_run_expect_text (run, "red BREAK blue BREAK house BREAK circle");
  return NULL;
}

static gboolean
ask (void *user, PmtRun *run, GError **error)
{
  PmtConditioning made;
  int cut;
  g_assert_cmpint (pmt_run_text_chunks (run), ==, 4);
  g_assert_true (pmt_run_encode_text (run, "red BREAK blue BREAK house BREAK circle BREAK and, of", &made, &cut, error));
  g_assert_cmpint (cut, ==, 3);
  g_assert_cmpint (pmt_tensor_dim (made.context, 1), ==, 4 * LENGTH);
  GArray *spans = pmt_run_phrase_spans (run, run->request->prompt, "Blue house", 1, error);
  g_assert_nonnull (spans);
  g_assert_cmpuint (spans->len, ==, 1);
  const PmtPromptSpan *s = &g_array_index (spans, PmtPromptSpan, 0);
  g_assert_cmpint (s->chunk, ==, 1);
  g_assert_cmpint (s->begin, ==, 2);
  g_assert_cmpint (s->end, ==, 4);
  g_array_unref (spans);
  return TRUE;
}

static void
test_method_texts (void)
{
  static const PmtMethod asker = { .id = "asker", .order = 10, .state_new = expect, .plan = ask };
  const PmtMethodUse asks = { .method = &asker };
  PmtRequest q = request_of ("a (blue:1.2) house BREAK a [blue] house", "");
  q.methods = &asks;
  PmtResult r = runs_do (&q);
  pmt_result_clear (&r);
}

static char *
write_file (const char *name, const PmtSafetensorOut *tensors, guint n)
{
  char *path = g_build_filename (g_get_tmp_dir (), name, NULL);
  GError *error = NULL;
  pmt_safetensors_write (path, tensors, n, NULL, &error);
  g_assert_no_error (error);
  return path;
}

/* ---- two encoders ------------------------------------------------------------------------------------------------------ */

/* Row `id` of the token table of an SDXL text encoder. */
static float *
token_row (const char *part, int id, int64_t *width)
{
  g_autofree char *path = g_build_filename (g_getenv ("PMT_TEST_DATA"), "families", "sdxl", part, "model.safetensors", NULL);
  GError *error = NULL;
  PmtSafetensors *file = pmt_safetensors_open (path, &error);
  g_assert_no_error (error);
  const PmtSafetensor *t = NULL;
  for (guint i = 0; i < pmt_safetensors_count (file) && !t; i++)
    if (g_str_has_suffix (pmt_safetensors_at (file, i)->name, "token_embedding.weight"))
      t = pmt_safetensors_at (file, i);
  g_assert_nonnull (t);
  *width = t->dim[1];
  float *row = g_new (float, *width);
  pmt_safetensors_read_f32 (file, t, (uint64_t) (id * *width), (uint64_t) *width, row, &error);
  g_assert_no_error (error);
  pmt_safetensors_free (file);
  return row;
}

/* A learned word of SDXL whose vectors are those of an ordinary word stands for that word, to the bit: in weights, in both prompts, and
 * in a second chunk; and a file for one encoder is refused. */
static void
test_two_encoders (void)
{
  PmtModel *xl = runs_model ("../families/sdxl");
  GError *error = NULL;
  PmtTokenizer *tokenizer = pmt_model_tokenizer (xl, &error);
  g_assert_no_error (error);
  const int id = pmt_tokenizer_id (tokenizer, "red</w>");
  g_assert_cmpint (id, >=, 0);
  int64_t first_width, second_width;
  g_autofree float *first = token_row ("text_encoder", id, &first_width), *second = token_row ("text_encoder_2", id, &second_width);
  const PmtSafetensorOut pair[] = { { "clip_l", PMT_DTYPE_F32, 2, { 1, first_width }, first },
                                    { "clip_g", PMT_DTYPE_F32, 2, { 1, second_width }, second } };
  g_autofree char *name = g_strdup_printf ("pmt-xl-%d.safetensors", (int) getpid ()), *path = write_file (name, pair, 2);
  const PmtLearnedWord word = { path, "Scarlet" };
  PmtRequest q = runs_request (&runs, xl);
  q.guidance = 5;
  q.steps = 2;
  q.prompt = "a (red:1.3) circle BREAK a red house";
  q.negative = "red";
  PmtResult ordinary = runs_do (&q);
  q.words = &word;
  q.n_words = 1;
  q.prompt = "a (scarlet:1.3) circle BREAK a SCARLET house";
  q.negative = "scarlet";
  PmtResult learned = runs_do (&q);
  runs_assert_equal (&ordinary, &learned);
  pmt_result_clear (&learned);
  const PmtSafetensorOut numbered[] = { { "text_encoders_0", PMT_DTYPE_F32, 2, { 1, first_width }, first },
                                        { "text_encoders_1", PMT_DTYPE_F32, 2, { 1, second_width }, second } };
  g_autofree char *pivotal_name = g_strdup_printf ("pmt-xl-pivotal-%d.safetensors", (int) getpid ());
  g_autofree char *pivotal = write_file (pivotal_name, numbered, 2);
  const PmtLearnedWord tuned = { pivotal, "Scarlet" };
  q.words = &tuned;
  learned = runs_do (&q);
  runs_assert_equal (&ordinary, &learned);
  q.words = &word;
  q.prompt = "a scarlet circle BREAK a SCARLET house";
  PmtResult plain = runs_do (&q);
  runs_assert_differ (&ordinary, &plain);
  pmt_result_clear (&ordinary);
  pmt_result_clear (&learned);
  pmt_result_clear (&plain);

  const PmtLearnedWord single = { red, NULL };
  PmtResult r;
  q.words = &single;
  g_assert_false (pmt_run (&q, &r, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, "has two; choose an embedding made for SDXL, with clip_l and clip_g."));
  g_clear_error (&error);
  g_unlink (path);
  g_unlink (pivotal);
  pmt_model_unref (xl);
}

/* ---- refusals ----------------------------------------------------------------------------------------------------------- */

static void
refused (const PmtLearnedWord *list, int n, const char *prompt, PmtError code, const char *sentence)
{
  PmtRequest q = request_of (prompt, "");
  g_autoptr (GError) error = NULL;
  PmtResult r;
  q.words = list;
  q.n_words = n;
  g_assert_false (pmt_run (&q, &r, &error));
  g_assert_error (error, PMT_ERROR, (int) code);
  g_assert_cmpstr (error->message, ==, sentence);
}

static void
refused_file (const PmtSafetensorOut *tensors, guint n, PmtError code, const char *format)
{
  g_autofree char *name = g_strdup_printf ("pmt-word-%d.safetensors", (int) getpid ()), *path = write_file (name, tensors, n);
  g_autoptr (GString) sentence = g_string_new (format);
  const PmtLearnedWord word = { path, NULL };
  g_string_replace (sentence, "FILE", path, 0);
  g_string_replace (sentence, "MODEL", pmt_model_path (tiny), 0);
  refused (&word, 1, "a", code, sentence->str);
  g_unlink (path);
}

static void
test_wrong_files (void)
{
  static float values[2 * 1280];
  const PmtSafetensorOut wide = { "<cat>", PMT_DTYPE_F32, 2, { 2, 1024 }, values };
  refused_file (&wide, 1, PMT_ERROR_UNSUPPORTED,
                "'FILE' is a learned word of width 1024 (Stable Diffusion 2.x) and the text encoder of 'MODEL' has width 32; choose an "
                "embedding made for that model.");
  const PmtSafetensorOut pair[] = { { "clip_l", PMT_DTYPE_F32, 2, { 2, 768 }, values }, { "clip_g", PMT_DTYPE_F32, 2, { 2, 1280 }, values } };
  refused_file (pair, 2, PMT_ERROR_UNSUPPORTED,
                "'FILE' is a learned word for SDXL and does not fit the text encoder of 'MODEL'; choose an embedding made for that model.");
  const PmtSafetensorOut uneven[] = { { "clip_l", PMT_DTYPE_F32, 2, { 1, 768 }, values }, { "clip_g", PMT_DTYPE_F32, 2, { 2, 1280 }, values } };
  refused_file (uneven, 2, PMT_ERROR_FORMAT, "'FILE': clip_l has 1 vectors and clip_g has 2; take the file from its source again.");
  const PmtSafetensorOut deep = { "<cat>", PMT_DTYPE_F32, 3, { 1, 2, 32 }, values };
  refused_file (&deep, 1, PMT_ERROR_FORMAT,
                "'FILE': the tensor <cat> is not a list of vectors, as a learned word has it; take the file from its source again.");
  const PmtSafetensorOut lora[] = { { "lora_unet_x.lora_down.weight", PMT_DTYPE_F32, 2, { 2, 32 }, values },
                                    { "lora_unet_x.lora_up.weight", PMT_DTYPE_F32, 2, { 32, 2 }, values } };
  refused_file (lora, 2, PMT_ERROR_UNSUPPORTED,
                "'FILE' is a LoRA, not a learned word (textual inversion); choose a file with one tensor, with emb_params, or with clip_l and "
                "clip_g.");
  const PmtSafetensorOut many = { "emb_params", PMT_DTYPE_F32, 2, { 19, 32 }, values };
  g_autofree char *name = g_strdup_printf ("pmt-word-%d", (int) getpid ());
  g_autofree char *sentence = g_strdup_printf ("The learned word \"%s\" has 19 vectors and a chunk of the prompt has room for 18; choose an "
                                               "embedding with fewer.", name);
  refused_file (&many, 1, PMT_ERROR_INPUT, sentence);
  values[40] = NAN;
  const PmtSafetensorOut broken = { "emb_params", PMT_DTYPE_F32, 2, { 2, 32 }, values };
  refused_file (&broken, 1, PMT_ERROR_FORMAT, "'FILE': a value of emb_params is no number; take the file from its source again.");
  values[40] = 0;
}

static void
test_pickle (void)
{
  g_autofree char *path = g_strdup_printf ("%s/pmt-word-%d.pt", g_get_tmp_dir (), (int) getpid ());
  g_autoptr (GError) error = NULL, wanted = NULL;
  const PmtLearnedWord word = { path, NULL };
  PmtRequest q = request_of ("a", "");
  PmtResult r;
  g_assert_true (g_file_set_contents (path, "\x80\x02}q\x01(X\x0f\x00\x00\x00string_to_paramq\x02K\x01u.", 32, NULL));
  q.words = &word;
  q.n_words = 1;
  g_assert_false (pmt_run (&q, &r, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED);
  pmt_pickle_refuse (path, &wanted);
  g_assert_cmpstr (error->message, ==, wanted->message);
  g_assert_nonnull (strstr (error->message, "safetensors"));
  g_unlink (path);
}

static void
test_same_word (void)
{
  const PmtLearnedWord both[] = { { red, "Thing" }, { hut, "thing" } };
  g_autofree char *sentence = g_strdup_printf ("The word \"thing\" stands for both '%s' and '%s'; give one of them another word.", red, hut);
  refused (both, 2, "a", PMT_ERROR_INPUT, sentence);
  const PmtLearnedWord blank = { red, "  " };
  g_autofree char *nameless = g_strdup_printf ("The learned word of '%s' has no name; say which word stands for it.", red);
  refused (&blank, 1, "a", PMT_ERROR_INPUT, nameless);
}

static void
test_bad_tag (void)
{
  refused (NULL, 0, "a <lora:x:much>", PMT_ERROR_INPUT,
           "The prompt's tag <lora:x:much> cannot be read; write <lora:NAME:STRENGTH> with a strength from -100 to 100.");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  runs_open (&runs);
  tiny = runs_model ("tiny");
  g_autofree char *tensors = data_path ("prompts.safetensors"), *list = data_path ("prompts.json");
  g_autoptr (JsonParser) parser = json_parser_new ();
  GError *error = NULL;
  oracle = pmt_safetensors_open (tensors, &error);
  g_assert_no_error (error);
  json_parser_load_from_file (parser, list, &error);
  g_assert_no_error (error);
  root = json_node_get_object (json_parser_get_root (parser));
  red = data_path ("learned/red.safetensors");
  hut = data_path ("learned/hut.safetensors");
  swirl = data_path ("learned/swirl.safetensors");
  words[0] = (PmtLearnedWord) { red, NULL };
  words[1] = (PmtLearnedWord) { hut, NULL };
  words[2] = (PmtLearnedWord) { swirl, NULL };
  g_test_add_func ("/prompts/contexts", test_contexts);
  g_test_add_func ("/prompts/inversions", test_inversions);
  g_test_add_func ("/prompts/lengths", test_lengths);
  g_test_add_func ("/prompts/no-weight", test_no_weight);
  g_test_add_func ("/prompts/method-texts", test_method_texts);
  g_test_add_func ("/prompts/two-encoders", test_two_encoders);
  g_test_add_func ("/prompts/wrong-files", test_wrong_files);
  g_test_add_func ("/prompts/pickle", test_pickle);
  g_test_add_func ("/prompts/same-word", test_same_word);
  g_test_add_func ("/prompts/bad-tag", test_bad_tag);
  int status = g_test_run ();
  pmt_model_unref (tiny);
  pmt_safetensors_free (oracle);
  runs_close (&runs);
  return status;
}
