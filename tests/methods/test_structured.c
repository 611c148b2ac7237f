/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "engine/text/noun_chunks.h"
#include "tests/methods/attention.h"

static Runs runs;
static PmtModel *model;

static PmtRequest
guided (void)
{
  PmtRequest q = runs_request (&runs, model);
  q.prompt = "a red circle and a blue house";
  q.negative = "blurry";
  q.guidance = 4;
  return q;
}

/* A prompt that names nothing, and a phrase that is the whole prompt: nothing changes, to the bit. */
static void
test_no_op (void)
{
  static const struct {
    const char *prompt, *phrases;
  } cases[] = { { "of and with", "" }, { "", "" }, { "red circle", "" }, { "a red circle and a blue house", "a red circle and a blue house" } };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    PmtMethodUse use = runs_use ("structured");
    attention_set (&use, "phrases", cases[i].phrases);
    PmtRequest q = guided ();
    q.prompt = cases[i].prompt;
    PmtResult made = attention_do (q, &use, 1), plain = attention_do (q, NULL, 0);
    runs_assert_equal (&made, &plain);
    pmt_result_clear (&made);
    pmt_result_clear (&plain);
    pmt_param_values_clear (&use.values);
  }
}

/* The two things are found by themselves; as many evaluations as ever. */
static void
test_found (void)
{
  PmtMethodUse use = runs_use ("structured");
  PmtRequest q = guided ();
  PmtResult found = attention_do (q, &use, 1), plain = attention_do (q, NULL, 0);
  runs_assert_differ (&found, &plain);
  attention_set (&use, "phrases", "a red circle; a blue house");
  PmtResult named = attention_do (q, &use, 1);
  runs_assert_equal (&found, &named);
  PmtCost cost;
  q.methods = &use;
  q.n_methods = 1;
  g_assert_true (pmt_run_cost (&q, &cost, NULL));
  g_assert_cmpint (cost.evaluations, ==, 2 * q.steps);
  pmt_result_clear (&found);
  pmt_result_clear (&plain);
  pmt_result_clear (&named);
  pmt_param_values_clear (&use.values);
}

/* Of equal contexts the conjunction is the plain attention, but for rounding; and so it is on the negative prompt's rows. */
static void
test_equal_copies (void)
{
  PmtMethodUse use = runs_use ("structured");
  PmtRequest q = guided ();
  attention_set (&use, "conjunction", "true");
  attention_set (&use, "phrases", q.prompt);
  PmtResult made = attention_do (q, &use, 1), plain = attention_do (q, NULL, 0);
  g_assert_cmpfloat (runs_distance (made.latent, plain.latent, runs_latent_size (&plain)), <, 1e-5);
  attention_set (&use, "phrases", "red circle");
  PmtResult other = attention_do (q, &use, 1);
  runs_assert_differ (&other, &plain);
  pmt_result_clear (&made);
  pmt_result_clear (&plain);
  pmt_result_clear (&other);
  pmt_param_values_clear (&use.values);
}

static const struct {
  const char *prompt, *chunks;
} prompts[] = {
  { "a red circle left of a blue house", "a red circle|a blue house" },
  { "two big dogs, her old left shoe on top of the table", "two big dogs|her old left shoe|the table" },
  { "A Red Car and (a blue:1.3) tree", "a red car|a blue tree" },
  { "a cat sitting on the floor wearing a hat", "a cat|the floor|a hat" },
  { "the big house a small tree", "the big house|a small tree" },
  { "the of a", "" },
  { "portrait", "portrait" },
  { "the a red bird", "the a red bird" },
};

static gboolean
check_chunks (void *user, PmtRun *run, GError **error)
{
  for (guint i = 0; i < G_N_ELEMENTS (prompts); i++) {
    PmtPromptTokens tokens;
    if (!pmt_run_tokens (run, 0, prompts[i].prompt, &tokens, error))
      return FALSE;
    GArray *chunks = pmt_noun_chunks (&tokens);
    GString *all = g_string_new (NULL);
    for (guint k = 0; k < chunks->len; k++) {
      g_autofree char *text = pmt_noun_chunk_text (&tokens, g_array_index (chunks, PmtNounChunk, k));
      g_string_append_printf (all, "%s%s", k ? "|" : "", text);
    }
    g_assert_cmpstr (all->str, ==, prompts[i].chunks);
    g_string_free (all, TRUE);
    g_array_unref (chunks);
    pmt_prompt_tokens_clear (&tokens);
  }
  return TRUE;
}

static void
test_noun_chunks (void)
{
  static const PmtMethod watch = { .id = "watch", .order = 1, .text = check_chunks };
  const PmtMethodUse use = { .method = &watch };
  PmtRequest q = guided ();
  q.steps = 1;
  PmtResult made = attention_do (q, &use, 1);
  pmt_result_clear (&made);
}

static void
test_errors (void)
{
  PmtMethodUse uses[2] = { runs_use ("structured"), runs_use ("word-maps") };
  attention_set (&uses[0], "phrases", "a green circle");
  attention_refused (guided (), uses, 1, "\"a green circle\" is not in the part of the prompt");
  attention_set (&uses[0], "phrases", "a red circle;;");
  attention_refused (guided (), uses, 1, "names no word");
  GString *many = g_string_new ("red");
  for (int i = 0; i < 32; i++)
    g_string_append (many, ";red");
  attention_set (&uses[0], "phrases", many->str);
  attention_refused (guided (), uses, 1, "33 phrases and at most 32");
  g_string_free (many, TRUE);
  attention_set (&uses[0], "phrases", "");
  attention_set (&uses[0], "conjunction", "true");
  attention_refused (guided (), uses, 2, "cannot be used together with the method word-maps");
  pmt_param_values_clear (&uses[0].values);
  pmt_param_values_clear (&uses[1].values);
}

static void
test_parity (void)
{
  g_assert_cmpint (attention_check ("structured", model, NULL), ==, 3);
}

int
main (int argc, char **argv)
{
  static const RunsTest tests[] = {
    { "/structured/noun-chunks", test_noun_chunks },
    { "/structured/no-op", test_no_op },
    { "/structured/found", test_found },
    { "/structured/equal-copies", test_equal_copies },
    { "/structured/errors", test_errors },
    { "/structured/parity", test_parity },
    { 0 }
  };
  return runs_main (argc, argv, &runs, &model, tests);
}
