/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "tests/methods/attention.h"

static Runs runs;
static PmtModel *model;
static const PmtLayoutBox boxes[] = { { 0, 0, 0.5, 1, "red circle" }, { 0.5, 0, 1, 1, "house" } };

static PmtRequest
boxed (int n_boxes)
{
  PmtRequest q = runs_request (&runs, model);
  q.prompt = "a red circle and a blue house";
  q.negative = "blurry";
  q.guidance = 4;
  q.layout = (PmtLayout) { .boxes = boxes, .n_boxes = n_boxes, .beta = 1 };
  return q;
}

/* No strength, no change; the request's boxes ask for no GLIGEN then. */
static void
test_no_strength (void)
{
  PmtMethodUse use = runs_use ("paint-with-words"), noop = runs_use ("noop");
  attention_set (&noop, "attention", "cross");
  attention_set (&noop, "stages", "logits");
  attention_set (&noop, "residual", "false");
  attention_set (&use, "strength", "0");
  PmtResult none = attention_do (boxed (2), &use, 1), plain = attention_do (boxed (0), &noop, 1);
  runs_assert_equal (&none, &plain);
  attention_set (&use, "strength", "5");
  PmtResult some = attention_do (boxed (2), &use, 1);
  runs_assert_differ (&some, &plain);

  /* a region with a mask is what a box of the same pixels is; several words stand in one region */
  float *half = g_new0 (float, runs.width * runs.height);
  for (int i = 0; i < runs.width * runs.height; i++)
    half[i] = i % runs.width < runs.width / 2 ? 0.7f : 0.2f;
  const PmtRegionPrompt regions[2] = { { .mask = half, .prompt = "circle; red", .weight = 1 },
                                       { .x0 = 0.5, .y0 = 0, .x1 = 1, .y1 = 1, .prompt = "house", .weight = 1 } };
  PmtRequest q = boxed (0);
  q.regions = regions;
  q.n_regions = 2;
  PmtResult masked = attention_do (q, &use, 1);
  runs_assert_equal (&masked, &some);
  g_free (half);

  pmt_result_clear (&none);
  pmt_result_clear (&plain);
  pmt_result_clear (&some);
  pmt_result_clear (&masked);
  pmt_param_values_clear (&use.values);
  pmt_param_values_clear (&noop.values);
}

/* Two halves of one phrase are the whole, also where they overlap; the heavier one counts there. */
static void
test_places_of_one (void)
{
  static const PmtLayoutBox halves[] = { { 0, 0, 0.75, 1, "house" }, { 0.5, 0, 1, 1, "house" } }, whole = { 0, 0, 1, 1, "house" };
  PmtMethodUse use = runs_use ("paint-with-words");
  attention_set (&use, "strength", "5");
  PmtRequest q = boxed (2);
  q.layout.boxes = halves;
  PmtResult two = attention_do (q, &use, 1);
  q.layout.boxes = &whole;
  q.layout.n_boxes = 1;
  PmtResult one = attention_do (q, &use, 1);
  g_assert_cmpfloat (runs_distance (two.latent, one.latent, runs_latent_size (&one)), <, 1e-5);
  const PmtRegionPrompt regions[] = { { 0, 0, 1, 1, NULL, "house", 3 }, { 0, 0, 1, 1, NULL, "house", 1 } };
  q = boxed (0);
  q.regions = regions;
  q.n_regions = 2;
  PmtResult heavy = attention_do (q, &use, 1);
  q.n_regions = 1;
  PmtResult alone = attention_do (q, &use, 1);
  runs_assert_equal (&heavy, &alone);
  runs_assert_differ (&heavy, &one);
  pmt_result_clear (&two);
  pmt_result_clear (&one);
  pmt_result_clear (&heavy);
  pmt_result_clear (&alone);
  pmt_param_values_clear (&use.values);
}

static double inside, outside; /* mass of the first box's words in the first cross-attention of the run, which Q and K no box has moved */

static unsigned
want_first (void *user, const PmtAttnSite *site)
{
  return site->cross && site->block == 0 ? PMT_ATTN_PROBS : 0;
}

static void
measure (void *user, PmtRun *run, PmtStep *step, PmtAttnStage stage, PmtAttnCall *call)
{
  if (step->i != 0 || run->ctx.dry)
    return;
  GError *error = NULL;
  GArray *spans = pmt_run_phrase_spans (run, run->prompt, "red circle", 0, &error);
  g_assert_no_error (error);
  const PmtPromptSpan span = g_array_index (spans, PmtPromptSpan, 0);
  g_array_unref (spans);
  inside = outside = 0;
  const int64_t length = pmt_tensor_dim (call->probs, 3), cells = pmt_tensor_dim (call->probs, 2), heads = pmt_tensor_dim (call->probs, 1);
  for (int64_t i = 0; i < heads * cells; i++) {
    const int64_t x = (i % cells) % call->site->width, middle = call->site->width / 2;
    for (int k = span.begin; k < span.end && x != middle; k++) /* the cell beside the box sees a little of it */
      *(x < middle ? &inside : &outside) += call->probs.data[i * length + k];
  }
}

/* At the same Q and K a bound word gets more in its region the stronger it is bound, and as much as ever outside. */
static void
test_monotone (void)
{
  static const PmtMethod watch = { .id = "watch", .order = 1000, .attn_wants = want_first, .attn = measure };
  static const char *const strengths[] = { "0", "1", "3", "9", "20" };
  double before = 0, first_outside = 0;
  for (guint i = 0; i < G_N_ELEMENTS (strengths); i++) {
    PmtMethodUse uses[2] = { runs_use ("paint-with-words"), { .method = &watch } };
    attention_set (&uses[0], "strength", strengths[i]);
    PmtRequest q = boxed (1);
    q.steps = 2;
    PmtResult made = attention_do (q, uses, 2);
    g_assert_cmpfloat (inside, >, before);
    before = inside;
    if (i == 0)
      first_outside = outside;
    g_assert_cmpfloat (fabs (outside - first_outside), <, 1e-6 * first_outside);
    pmt_result_clear (&made);
    pmt_param_values_clear (&uses[0].values);
  }
}

static gboolean
silence (void *user, PmtRun *run, PmtStep *step, GError **error)
{
  step->sigma = 0;
  return TRUE;
}

/* Without noise nothing is painted. */
static void
test_no_noise (void)
{
  static const PmtMethod quiet = { .id = "quiet", .order = 1, .call = silence };
  PmtMethodUse uses[2] = { runs_use ("paint-with-words"), { .method = &quiet } };
  attention_set (&uses[0], "strength", "20");
  PmtResult strong = attention_do (boxed (2), uses, 2);
  attention_set (&uses[0], "strength", "0");
  PmtResult none = attention_do (boxed (2), uses, 2);
  runs_assert_equal (&strong, &none);
  pmt_result_clear (&strong);
  pmt_result_clear (&none);
  pmt_param_values_clear (&uses[0].values);
}

static void
test_errors (void)
{
  PmtMethodUse use = runs_use ("paint-with-words");
  attention_refused (boxed (0), &use, 1, "puts words into places and there are none");
  static const struct {
    PmtLayoutBox box;
    const char *part;
  } cases[] = { { { 0, 0, 1, 1, "green" }, "\"green\" is not in the part of the prompt" },
                { { 0, 0, 1, 1, " " }, "no words are named" },
                { { 0.5, 0, 0.5, 1, "house" }, "give left, top, right and bottom" },
                { { 0, 0, 1, 1.5, "house" }, "give left, top, right and bottom" } };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    PmtRequest q = boxed (1);
    q.layout.boxes = &cases[i].box;
    attention_refused (q, &use, 1, cases[i].part);
  }
  pmt_param_values_clear (&use.values);
}

static void
test_parity (void)
{
  g_assert_cmpint (attention_check ("paint-with-words", model, NULL), ==, 2);
}

int
main (int argc, char **argv)
{
  static const RunsTest tests[] = {
    { "/paint-with-words/no-strength", test_no_strength },
    { "/paint-with-words/places-of-one", test_places_of_one },
    { "/paint-with-words/monotone", test_monotone },
    { "/paint-with-words/no-noise", test_no_noise },
    { "/paint-with-words/errors", test_errors },
    { "/paint-with-words/parity", test_parity },
    { 0 }
  };
  return runs_main (argc, argv, &runs, &model, tests);
}
