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

static void
test_no_strength (void)
{
  PmtMethodUse use = runs_use ("layout-forward"), noop = runs_use ("noop");
  attention_set (&noop, "attention", "cross");
  attention_set (&noop, "stages", "probs");
  attention_set (&noop, "residual", "false");
  attention_set (&use, "strength", "0");
  attention_set (&use, "until", "1");
  PmtResult none = attention_do (boxed (2), &use, 1), seen = attention_do (boxed (0), &noop, 1);
  runs_assert_equal (&none, &seen);
  attention_set (&use, "until", "0");
  attention_set (&use, "strength", "1");
  PmtResult never = attention_do (boxed (2), &use, 1), plain = attention_do (boxed (0), NULL, 0);
  runs_assert_equal (&never, &plain);
  attention_set (&use, "until", "1");
  PmtResult moved = attention_do (boxed (2), &use, 1);
  runs_assert_differ (&moved, &plain);
  pmt_result_clear (&none);
  pmt_result_clear (&seen);
  pmt_result_clear (&never);
  pmt_result_clear (&plain);
  pmt_result_clear (&moved);
  pmt_param_values_clear (&use.values);
  pmt_param_values_clear (&noop.values);
}

enum { COLUMNS = 20, MOST = 4096 };
static double total[MOST][COLUMNS], outside[MOST][COLUMNS]; /* per cross-attention of the run, of the prompt's row: all heads */
static double quarter[MOST][COLUMNS][4];                    /* from left to right */
static int seen;

static unsigned
want_cross (void *user, const PmtAttnSite *site)
{
  return site->cross ? PMT_ATTN_PROBS : 0;
}

static void
measure (void *user, PmtRun *run, PmtStep *step, PmtAttnStage stage, PmtAttnCall *call)
{
  if (run->ctx.dry)
    return;
  g_assert_cmpint (pmt_tensor_dim (call->probs, 3), ==, COLUMNS);
  g_assert_cmpint (seen, <, MOST);
  const int64_t cells = pmt_tensor_dim (call->probs, 2), heads = pmt_tensor_dim (call->probs, 1);
  for (int64_t i = 0; i < heads * cells; i++)
    for (int k = 0; k < COLUMNS; k++) {
      const double p = call->probs.data[i * COLUMNS + k];
      total[seen][k] += p;
      outside[seen][k] += (i % cells) % call->site->width < call->site->width / 2 ? 0 : p;
      quarter[seen][k][(i % cells) % call->site->width * 4 / call->site->width] += p;
    }
  seen++;
}

static void
watch (PmtRequest q, const PmtMethodUse *use)
{
  static const PmtMethod first = { .id = "first", .order = 1, .attn_wants = want_cross, .attn = measure },
                         last = { .id = "last", .order = 1000, .attn_wants = want_cross, .attn = measure };
  const PmtMethodUse uses[3] = { *use, { .method = &first }, { .method = &last } };
  memset (total, 0, sizeof total);
  memset (outside, 0, sizeof outside);
  memset (quarter, 0, sizeof quarter);
  seen = 0;
  PmtResult made = attention_do (q, uses, 3);
  pmt_result_clear (&made);
}

/* Each attention is measured before and after: columns keep their mass, and with strength 1 and no feather all of a boxed word's is in
 * its box. */
static void
test_mass (void)
{
  PmtMethodUse use = runs_use ("layout-forward");
  attention_set (&use, "until", "1");
  PmtRequest q = boxed (1);
  q.guidance = 1;
  const char *const strengths[] = { "0.5", "1" };
  for (guint i = 0; i < 2; i++) {
    attention_set (&use, "strength", strengths[i]);
    attention_set (&use, "feather", "0");
    watch (q, &use);
    g_assert_cmpint (seen, ==, 2 * 4 * q.steps);
    int boxed_columns = 0;
    for (int s = 0; s < seen; s += 2)
      for (int k = 0; k < COLUMNS; k++) {
        g_assert_cmpfloat (fabs (total[s + 1][k] / total[s][k] - 1), <, 1e-4);
        if (outside[s + 1][k] == outside[s][k])
          continue;
        boxed_columns++;
        g_assert_cmpfloat (fabs (outside[s + 1][k] - (i == 0 ? 0.5 : 0.0) * outside[s][k]), <, 1e-4 * total[s][k]);
      }
    g_assert_cmpint (boxed_columns, ==, 2 * seen / 2); /* red, circle: a token each */
  }

  /* with the marks behind the prompt, these move too */
  attention_set (&use, "ends", "true");
  watch (q, &use);
  int moved = 0;
  for (int k = 0; k < COLUMNS; k++)
    moved += outside[1][k] != outside[0][k];
  g_assert_cmpint (moved, >, 4);
  g_assert_cmpfloat (outside[1][0], ==, outside[0][0]); /* never the mark at the beginning */
  pmt_param_values_clear (&use.values);
}

/* How many columns have all of their mass in the first quarter, in the last one, and in both to equal parts. */
static void
count_places (int *first, int *last, int *both)
{
  *first = *last = *both = 0;
  for (int k = 0; k < COLUMNS; k++) {
    const double *q = quarter[1][k], all = total[1][k];
    if (q[1] + q[2] > 1e-4 * all)
      continue;
    *first += q[3] < 1e-4 * all;
    *last += q[0] < 1e-4 * all;
    *both += fabs (q[0] - q[3]) < 1e-4 * all;
  }
}

/* Two boxes of one phrase, and a word that stands in two phrases: what is looked for is in both, not in the one that came last. */
static void
test_places_of_one (void)
{
  static const PmtLayoutBox same[] = { { 0, 0, 0.25, 1, "red circle" }, { 0.75, 0, 1, 1, "circle; red" } },
                            shared[] = { { 0, 0, 0.25, 1, "red circle" }, { 0.75, 0, 1, 1, "circle" } };
  PmtMethodUse use = runs_use ("layout-forward");
  attention_set (&use, "until", "1");
  attention_set (&use, "strength", "1");
  attention_set (&use, "feather", "0");
  int first, last, both;
  PmtRequest q = boxed (2);
  q.guidance = 1;
  q.layout.boxes = same;
  watch (q, &use);
  count_places (&first, &last, &both);
  g_assert_true (first == 0 && last == 0 && both == 2);
  q.layout.boxes = shared;
  watch (q, &use);
  count_places (&first, &last, &both);
  g_assert_true (first == 1 && last == 0 && both == 1);
  pmt_param_values_clear (&use.values);
}

/* A box between the centres of coarse cells still is somewhere. */
static void
test_small_box (void)
{
  static const PmtLayoutBox small[] = { { 0.51, 0.51, 0.515, 0.515, "house" } };
  PmtMethodUse use = runs_use ("layout-forward");
  attention_set (&use, "feather", "0");
  PmtRequest q = boxed (1);
  q.layout.boxes = small;
  PmtResult made = attention_do (q, &use, 1), plain = attention_do (boxed (0), NULL, 0);
  runs_assert_differ (&made, &plain);
  pmt_result_clear (&made);
  pmt_result_clear (&plain);
  pmt_param_values_clear (&use.values);
}

static void
test_errors (void)
{
  PmtMethodUse use = runs_use ("layout-forward");
  attention_refused (boxed (0), &use, 1, "puts words into places and there are none");
  PmtLayoutBox box = { 0, 0, 1, 1, "green" };
  PmtRequest q = boxed (1);
  q.layout.boxes = &box;
  attention_refused (q, &use, 1, "\"green\" is not in the part of the prompt");
  g_autofree float *nothing = g_new0 (float, runs.width * runs.height);
  const PmtRegionPrompt region = { .mask = nothing, .prompt = "house", .weight = 1 };
  q = boxed (0);
  q.regions = &region;
  q.n_regions = 1;
  attention_refused (q, &use, 1, "the region of \"house\" is empty");
  pmt_param_values_clear (&use.values);
}

static void
test_parity (void)
{
  g_assert_cmpint (attention_check ("layout-forward", model, NULL), ==, 2);
}

int
main (int argc, char **argv)
{
  static const RunsTest tests[] = {
    { "/layout-forward/no-strength", test_no_strength },
    { "/layout-forward/mass", test_mass },
    { "/layout-forward/places-of-one", test_places_of_one },
    { "/layout-forward/small-box", test_small_box },
    { "/layout-forward/errors", test_errors },
    { "/layout-forward/parity", test_parity },
    { 0 }
  };
  return runs_main (argc, argv, &runs, &model, tests);
}
