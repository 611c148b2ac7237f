/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "tests/sample/runs.h"

static Runs runs;
static PmtModel *model;

static PmtResult
with (PmtRequest q, const PmtMethodUse *uses, int n)
{
  q.methods = uses;
  q.n_methods = n;
  return runs_do (&q);
}

static void
set (PmtMethodUse *use, const char *id, const char *value)
{
  GError *error = NULL;
  pmt_param_values_set_text (&use->values, id, value, "method noop", &error);
  g_assert_no_error (error);
}

/* Without explicit attention the run is the plain one to the bit; with it, to rounding. */
static void
test_plain (void)
{
  PmtRequest q = runs_request (&runs, model);
  q.guidance = 6;
  PmtMethodUse use = runs_use ("noop");
  PmtResult plain = runs_do (&q), all = with (q, &use, 1);
  g_assert_cmpfloat (runs_distance (all.latent, plain.latent, runs_latent_size (&all)), <, 1e-4);
  set (&use, "attention", "none");
  PmtResult residual = with (q, &use, 1);
  runs_assert_equal (&plain, &residual);
  set (&use, "residual", "no");
  PmtResult nothing = with (q, &use, 1);
  runs_assert_equal (&plain, &nothing);
  pmt_param_values_clear (&use.values);
  pmt_result_clear (&plain);
  pmt_result_clear (&all);
  pmt_result_clear (&residual);
  pmt_result_clear (&nothing);
}

/* A method that puts back what it is given at every stage, with its eyes open. */
typedef struct Count {
  int stages[5], resid[PMT_N_RESID_KINDS], rows, cond, uncond, first_block, last_block;
} Count;

static Count count;

static unsigned
attn_wants (void *user, const PmtAttnSite *site)
{
  return PMT_ATTN_QKV | PMT_ATTN_LOGITS | PMT_ATTN_PROBS | PMT_ATTN_OUT | PMT_ATTN_AFTER;
}

static void
attn (void *user, PmtRun *run, PmtStep *step, PmtAttnStage stage, PmtAttnCall *call)
{
  if (run->ctx.dry)
    return;
  for (int i = 0; i < 5; i++)
    count.stages[i] += stage == 1u << i;
  count.first_block = MIN (count.first_block, call->site->block);
  count.last_block = MAX (count.last_block, call->site->block);
  g_assert_cmpint (call->q.shape.dim[0], ==, step->n_call_rows);
  g_assert_cmpint (call->q.shape.dim[1], ==, call->site->height * call->site->width);
  if (stage == PMT_ATTN_PROBS) {
    g_assert_cmpint (call->probs.shape.dim[0], ==, step->n_call_rows);
    call->probs = pmt_tensor_copy (&run->ctx, call->probs);
  }
  count.rows = MAX (count.rows, step->n_call_rows);
  for (int k = 0; k < step->n_call_rows; k++) {
    const PmtRow *row = &step->rows.row[step->call_row[k]];
    count.cond += strcmp (row->role, PMT_ROW_COND) == 0;
    count.uncond += strcmp (row->role, PMT_ROW_UNCOND) == 0;
    if (call->site->cross) /* the rows come in the order that call_row says */
      g_assert_cmpmem (call->context.data + k * pmt_tensor_size (row->context), sizeof (float) * 8, row->context.data, sizeof (float) * 8);
  }
}

static bool
resid_wants (void *user, const PmtResidSite *site)
{
  return true;
}

static void
resid (void *user, PmtRun *run, PmtStep *step, const PmtResidSite *site, PmtTensor *x)
{
  if (run->ctx.dry)
    return;
  count.resid[site->kind]++;
  *x = pmt_tensor_copy (&run->ctx, *x);
}

static const PmtMethod copier = {
  .id = "copier", .order = 400, .attn_wants = attn_wants, .attn = attn, .resid_wants = resid_wants, .resid = resid
};

/* Two methods on the same sites, one that copies and one that does nothing: the nothing alone, to the bit. */
static void
test_fan_out (void)
{
  PmtRequest q = runs_request (&runs, model);
  q.guidance = 6;
  q.steps = 3;
  PmtMethodUse uses[2] = { runs_use ("noop"), { .method = &copier } };
  PmtResult one = with (q, uses, 1);
  count = (Count) { .first_block = 1000 };
  PmtResult two = with (q, uses, 2);
  runs_assert_equal (&one, &two);
  /* the tiny network has one transformer block going down, one in the middle and two going up, each with self and cross */
  for (int i = 0; i < 5; i++)
    g_assert_cmpint (count.stages[i], ==, 3 * 4 * 2);
  g_assert_cmpint (count.first_block, ==, 0);
  g_assert_cmpint (count.last_block, ==, 3);
  for (int i = 0; i < PMT_N_RESID_KINDS; i++)
    g_assert_cmpint (count.resid[i], >=, 3);
  g_assert_cmpint (count.rows, ==, 2);
  g_assert_cmpint (count.cond, ==, count.uncond);

  /* in single rows the same, to the bit, with each row told apart */
  count = (Count) { .first_block = 1000 };
  q.rows_per_call = 1;
  PmtResult single = with (q, uses, 2);
  runs_assert_equal (&one, &single);
  g_assert_cmpint (count.rows, ==, 1);
  g_assert_cmpint (count.cond, ==, count.uncond);
  pmt_param_values_clear (&uses[0].values);
  pmt_result_clear (&one);
  pmt_result_clear (&two);
  pmt_result_clear (&single);
}

static void
test_errors (void)
{
  GError *error = NULL;
  PmtResult result;
  PmtRequest q = runs_request (&runs, model);
  PmtMethodUse use = runs_use ("noop");
  set (&use, "stages", "qkv, sideways");
  q.methods = &use;
  q.n_methods = 1;
  g_assert_false (pmt_run (&q, &result, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
  g_assert_nonnull (strstr (error->message, "sideways"));
  g_clear_error (&error);
  pmt_param_values_clear (&use.values);
}

int
main (int argc, char **argv)
{
  static const RunsTest tests[] = {
    { "/noop/plain", test_plain },
    { "/noop/fan-out", test_fan_out },
    { "/noop/errors", test_errors },
    { 0 }
  };
  return runs_main (argc, argv, &runs, &model, tests);
}
