/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "engine/methods/word_map.h"
#include "tests/methods/attention.h"

static Runs runs;
static PmtModel *model;

static PmtRequest
guided (void)
{
  PmtRequest q = runs_request (&runs, model);
  q.prompt = "a blue circle and a house";
  q.negative = "blurry";
  q.guidance = 4;
  return q;
}

static PmtMethodUse
use_all_the_way (const char *source)
{
  PmtMethodUse use = runs_use ("prompt-to-prompt");
  attention_set (&use, "cross", "1");
  attention_set (&use, "self", "1");
  attention_set (&use, "source", source);
  return use;
}

/* What noop asks for is what prompt-to-prompt asks for when it acts in all steps: all probabilities. */
static PmtResult
plain_of (const char *prompt)
{
  PmtRequest q = guided ();
  PmtMethodUse noop = runs_use ("noop");
  attention_set (&noop, "stages", "probs");
  attention_set (&noop, "residual", "false");
  q.prompt = prompt;
  PmtResult made = attention_do (q, &noop, 1);
  pmt_param_values_clear (&noop.values);
  return made;
}

/* Nothing is changed, and so is the picture: with and without fractions, weights of 1, and a source of its own that says the same. */
static void
test_same_prompts (void)
{
  const char *const sources[] = { "", "a blue circle and a house" };
  PmtResult plain = plain_of ("a blue circle and a house");
  for (guint i = 0; i < G_N_ELEMENTS (sources); i++) {
    PmtMethodUse use = use_all_the_way (sources[i]);
    PmtResult made = attention_do (guided (), &use, 1);
    runs_assert_equal (&made, &plain);
    attention_set (&use, "weights", "blue:1; circle:1");
    PmtResult weighed = attention_do (guided (), &use, 1);
    runs_assert_equal (&weighed, &plain);
    attention_set (&use, "weights", "blue:2");
    PmtResult stronger = attention_do (guided (), &use, 1);
    runs_assert_differ (&stronger, &plain);
    pmt_result_clear (&made);
    pmt_result_clear (&weighed);
    pmt_result_clear (&stronger);
    pmt_param_values_clear (&use.values);
  }
  pmt_result_clear (&plain);
}

static float *latents[2]; /* of the two tracks at the end */

static gboolean
take_latents (void *user, PmtRun *run, PmtStep *step, int track, PmtLatentStage stage, bool *moved, GError **error)
{
  const PmtTensor x = run->tracks[track]->latent;
  if (stage == PMT_LATENT_END && !run->ctx.dry) {
    g_free (latents[track]);
    latents[track] = g_memdup2 (x.data, (gsize) pmt_tensor_size (x) * sizeof (float));
  }
  return TRUE;
}

/* Both tracks are one to the bit, whatever the fractions and the sampler's own noise. */
static void
test_tracks_agree (void)
{
  static const PmtMethod watch = { .id = "watch", .order = 1000, .latent = take_latents };
  static const char *const parts[][2] = { { "0", "0" }, { "0.3", "0.7" }, { "1", "0.5" }, { "0.8", "0.4" } };
  for (guint i = 0; i < G_N_ELEMENTS (parts); i++) {
    PmtMethodUse uses[2] = { runs_use ("prompt-to-prompt"), { .method = &watch } };
    PmtRequest q = guided ();
    q.sampler = pmt_sampler_find (i % 2 ? "euler-a" : "dpmpp-2m", NULL);
    attention_set (&uses[0], "source", q.prompt);
    attention_set (&uses[0], "cross", parts[i][0]);
    attention_set (&uses[0], "self", parts[i][1]);
    PmtResult made = attention_do (q, uses, 2);
    g_assert_cmpmem (latents[0], runs_latent_size (&made) * sizeof (float), latents[1], runs_latent_size (&made) * sizeof (float));
    pmt_result_clear (&made);
    pmt_param_values_clear (&uses[0].values);
  }
}

/* With nothing injected these are two plain runs, whichever of the prompts was the request's. */
static void
test_nothing_injected (void)
{
  const char *source = "a red house and a circle";
  PmtRequest q = guided ();
  PmtResult plain = attention_do (q, NULL, 0);
  PmtMethodUse use = runs_use ("prompt-to-prompt");
  attention_set (&use, "cross", "0");
  attention_set (&use, "self", "0");
  attention_set (&use, "source", source);
  PmtCost cost;
  q.methods = &use;
  q.n_methods = 1;
  g_assert_true (pmt_run_cost (&q, &cost, NULL));
  g_assert_cmpint (cost.evaluations, ==, 4 * q.steps);
  PmtResult made = attention_do (q, &use, 1);
  runs_assert_equal (&made, &plain);
  pmt_result_clear (&made);

  attention_set (&use, "source", "");
  attention_set (&use, "target", q.prompt);
  q.prompt = source;
  PmtResult turned = attention_do (q, &use, 1);
  runs_assert_equal (&turned, &plain);
  pmt_result_clear (&turned);
  pmt_result_clear (&plain);
  pmt_param_values_clear (&use.values);
}

/* The same edit, asked for from either side, one row at a time or all at once. */
static void
test_either_side (void)
{
  PmtRequest q = guided ();
  const char *source = "a red circle and a house", *target = q.prompt;
  PmtMethodUse use = runs_use ("prompt-to-prompt");
  attention_set (&use, "source", source);
  PmtResult one = attention_do (q, &use, 1);
  q.rows_per_call = 1;
  PmtResult rows = attention_do (q, &use, 1);
  runs_assert_equal (&one, &rows);
  q.rows_per_call = 0;
  attention_set (&use, "source", "");
  attention_set (&use, "target", target);
  q.prompt = source;
  PmtResult two = attention_do (q, &use, 1);
  runs_assert_equal (&one, &two);

  /* from a picture: both tracks start from it */
  q.image = runs.picture;
  q.strength = 0.6;
  PmtResult edited = attention_do (q, &use, 1);
  attention_set (&use, "cross", "0");
  attention_set (&use, "self", "0");
  PmtResult loose = attention_do (q, &use, 1);
  q.prompt = target;
  PmtResult plain = attention_do (q, NULL, 0);
  runs_assert_equal (&loose, &plain);
  runs_assert_differ (&edited, &plain);

  pmt_result_clear (&one);
  pmt_result_clear (&rows);
  pmt_result_clear (&two);
  pmt_result_clear (&edited);
  pmt_result_clear (&loose);
  pmt_result_clear (&plain);
  pmt_param_values_clear (&use.values);
}

/* Above a threshold that nothing passes the source comes out; at 0 wherever anything is looked at, which is everywhere, the target. */
static void
test_blend_ends (void)
{
  PmtRequest q = guided ();
  const char *source = "a red circle and a house";
  PmtMethodUse use = use_all_the_way (source);
  PmtResult free_ = attention_do (q, &use, 1);
  attention_set (&use, "blend", "circle");
  attention_set (&use, "blend-threshold", "1");
  PmtResult none = attention_do (q, &use, 1), plain = plain_of (source);
  runs_assert_equal (&none, &plain);
  attention_set (&use, "blend-threshold", "0");
  PmtResult all = attention_do (q, &use, 1);
  runs_assert_equal (&all, &free_);
  attention_set (&use, "blend-minus", "circle");
  PmtResult taken = attention_do (q, &use, 1);
  runs_assert_equal (&taken, &plain);
  pmt_result_clear (&free_);
  pmt_result_clear (&none);
  pmt_result_clear (&plain);
  pmt_result_clear (&all);
  pmt_result_clear (&taken);
  pmt_param_values_clear (&use.values);
}

static double worst_sum;
static int sums_seen;

static unsigned
want_probs (void *user, const PmtAttnSite *site)
{
  return site->cross ? PMT_ATTN_PROBS : 0;
}

static void
check_sums (void *user, PmtRun *run, PmtStep *step, PmtAttnStage stage, PmtAttnCall *call)
{
  const int64_t length = pmt_tensor_dim (call->probs, 3);
  for (int64_t i = 0; i < pmt_tensor_size (call->probs) && !run->ctx.dry; i += length) {
    double sum = 0;
    for (int64_t k = 0; k < length; k++)
      sum += call->probs.data[i + k];
    worst_sum = MAX (worst_sum, fabs (sum - 1));
    sums_seen++;
  }
}

/* Swapping words of as many tokens moves probability about and makes none. */
static void
test_sums (void)
{
  static const PmtMethod watch = { .id = "watch", .order = 1000, .attn_wants = want_probs, .attn = check_sums };
  PmtMethodUse uses[2] = { use_all_the_way ("a red circle and a house"), { .method = &watch } };
  worst_sum = 0;
  PmtResult made = attention_do (guided (), uses, 2);
  g_assert_cmpint (sums_seen, >, 1000);
  g_assert_cmpfloat (worst_sum, <, 1e-5);
  attention_set (&uses[0], "weights", "blue:3");
  PmtResult more = attention_do (guided (), uses, 2);
  g_assert_cmpfloat (worst_sum, >, 0.01);
  pmt_result_clear (&made);
  pmt_result_clear (&more);
  pmt_param_values_clear (&uses[0].values);
}

/* ---- the map between words -------------------------------------------------------------------------------------------- */

/* One chunk of 12: words of so many tokens each, ids as given. */
static PmtPromptTokens
tokens_of (int n_words, const int *sizes, const int *ids)
{
  PmtPromptTokens t = { .n_chunks = 1, .length = 12, .n_words = n_words };
  t.word = g_new0 (PmtPromptWord, n_words + 1);
  for (int k = 0; k < n_words; k++) {
    t.word[k].first = t.n_tokens;
    t.word[k].n = sizes[k];
    t.n_tokens += sizes[k];
  }
  t.token = g_new0 (PmtPromptToken, t.n_tokens + 1);
  for (int i = 0; i < t.n_tokens; i++)
    t.token[i] = (PmtPromptToken) { .id = ids[i], .chunk = 0, .at = i + 1 };
  return t;
}

static void
check_map (PmtWordMapMode mode, const PmtPromptTokens *source, const PmtPromptTokens *target, const char *expected)
{
  PmtWordMap map;
  GString *text = g_string_new (NULL);
  pmt_word_map_init (&map, mode, source, target);
  g_assert_cmpint (map.n, ==, 12);
  for (int j = 0; j < map.n; j++) {
    g_string_append (text, j ? " " : "");
    for (int i = map.begin[j]; i < map.begin[j + 1]; i++) {
      g_string_append_printf (text, "%s%d", i > map.begin[j] ? "+" : "", map.from[i]);
      if (map.weight[i] != 1)
        g_string_append_printf (text, "/%g", 1 / map.weight[i]);
    }
    if (map.begin[j] == map.begin[j + 1])
      g_string_append (text, "-");
  }
  g_assert_cmpstr (text->str, ==, expected);
  g_string_free (text, TRUE);
  pmt_word_map_clear (&map);
}

static void
test_word_map (void)
{
  PmtPromptTokens a = tokens_of (3, (int[]) { 1, 1, 2 }, (int[]) { 7, 8, 9, 10 });   /* 4 tokens, end at 5 */
  PmtPromptTokens b = tokens_of (3, (int[]) { 1, 3, 2 }, (int[]) { 7, 1, 2, 3, 9, 10 }); /* 6 tokens, end at 7 */
  PmtPromptTokens c = tokens_of (3, (int[]) { 1, 1, 2 }, (int[]) { 7, 5, 9, 10 });
  check_map (PMT_WORD_MAP_SWAP, &a, &a, "0 1 2 3 4 5 6 7 8 9 10 11");
  check_map (PMT_WORD_MAP_SWAP, &a, &c, "0 1 2 3 4 5 6 7 8 9 10 11");
  check_map (PMT_WORD_MAP_SWAP, &a, &b, "0 1 2/3 2/3 2/3 3 4 5 8 9 10 11");
  check_map (PMT_WORD_MAP_SWAP, &b, &a, "0 1 2+3+4 5 6 7 8 8 8 9 10 11");
  check_map (PMT_WORD_MAP_REFINE, &a, &a, "0 1 2 3 4 5 6 7 8 9 10 11");
  check_map (PMT_WORD_MAP_REFINE, &a, &c, "0 1 - 3 4 5 6 7 8 9 10 11");
  check_map (PMT_WORD_MAP_REFINE, &a, &b, "0 1 - - - 3 4 5 8 9 10 11");
  check_map (PMT_WORD_MAP_REFINE, &b, &a, "0 1 - 5 6 7 8 8 8 9 10 11");
  b.token[5].chunk = -1; /* cut: the last token has no place */
  check_map (PMT_WORD_MAP_SWAP, &b, &a, "0 1 2+3+4 5 - 6 7 7 8 9 10 11");
  for (guint i = 0; i < 3; i++) {
    PmtPromptTokens *t = ((PmtPromptTokens *[]) { &a, &b, &c })[i];
    g_free (t->token);
    g_free (t->word);
  }
}

static void
test_errors (void)
{
  static const struct {
    const char *id, *text, *part;
  } cases[] = {
    { "weights", "blue", "a colon and a number from -2 to 5" },
    { "weights", "blue:9", "a colon and a number from -2 to 5" },
    { "weights", "blue:nan", "a colon and a number from -2 to 5" },
    { "weights", "green:2", "\"green\" is not in the part of the prompt" },
    { "weights", "blue:2;;circle:1", "has to be a word" },
    { "word-cross", "blue:1.5", "a number from 0 to 1" },
    { "blend", "green", "\"green\" is in neither prompt" },
    { "blend-minus", "circle; ;", "names no word" },
    { "target", "a house", "source and target are both given" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    PmtMethodUse use = use_all_the_way ("a red circle and a house");
    attention_set (&use, cases[i].id, cases[i].text);
    attention_refused (guided (), &use, 1, cases[i].part);
    pmt_param_values_clear (&use.values);
  }
  PmtMethodUse use = use_all_the_way ("a red circle");
  attention_set (&use, "mode", "swap");
  attention_refused (guided (), &use, 1, "the source has 3 and the target 6");
  PmtRequest q = guided ();
  q.image = runs.picture;
  q.mask = runs.mask;
  attention_refused (q, &use, 1, "leave the mask out");
  pmt_param_values_clear (&use.values);
}

static void
test_parity (void)
{
  g_assert_cmpint (attention_check ("prompt-to-prompt", model, NULL), ==, 6);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  runs_open (&runs);
  model = runs_model ("tiny");
  g_test_add_func ("/prompt-to-prompt/word-map", test_word_map);
  g_test_add_func ("/prompt-to-prompt/same-prompts", test_same_prompts);
  g_test_add_func ("/prompt-to-prompt/tracks-agree", test_tracks_agree);
  g_test_add_func ("/prompt-to-prompt/nothing-injected", test_nothing_injected);
  g_test_add_func ("/prompt-to-prompt/either-side", test_either_side);
  g_test_add_func ("/prompt-to-prompt/blend-ends", test_blend_ends);
  g_test_add_func ("/prompt-to-prompt/sums", test_sums);
  g_test_add_func ("/prompt-to-prompt/errors", test_errors);
  g_test_add_func ("/prompt-to-prompt/parity", test_parity);
  int status = g_test_run ();
  g_free (latents[0]);
  g_free (latents[1]);
  pmt_model_unref (model);
  runs_close (&runs);
  return status;
}
