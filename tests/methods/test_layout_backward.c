/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "engine/methods/layout_loss.h"
#include "tests/methods/losses.h"

static Runs runs;
static PmtModel *model;

static PmtRequest
request (void)
{
  PmtRequest q = losses_request (&runs, model);
  q.layout = *losses_layout ();
  return q;
}

/* Without the method the request's boxes ask for GLIGEN, so the plain run has none. */
static PmtResult
plain_run (void)
{
  return losses_run (losses_request (&runs, model), NULL);
}

/* The loop over diffusers' UNet with torch's autograd. Its 3 and 5 of 6 steps are 25 and 41 of 50. */
static void
test_reference (void)
{
  PmtMethodUse use = runs_use ("layout-backward");
  losses_set (&use, "iterations", "3");
  losses_set (&use, "steps", "25");
  PmtResult r = losses_run (request (), &use);
  losses_compare ("layout", &r);
  pmt_result_clear (&r);
  losses_set (&use, "scale", "300");
  losses_set (&use, "threshold", "0.001");
  losses_set (&use, "iterations", "2");
  losses_set (&use, "steps", "41");
  r = losses_run (request (), &use);
  losses_compare ("layout-far", &r);
  pmt_result_clear (&r);
  pmt_param_values_clear (&use.values);
}

static PmtCancel cancel;

static void
cancel_late (void *user, const PmtProgress *p)
{
  if (p->stage == PMT_STAGE_SAMPLE && p->step == 1)
    pmt_cancel_request (&cancel);
}

/* Strength 0, no steps, and boxes of the whole picture change nothing, to the bit; memory is as computed; it can be cancelled. */
static void
test_identities (void)
{
  static const PmtLayoutBox all[] = { { 0, 0, 1, 1, "red circle" }, { 0, 0, 1, 1, "house" } };
  PmtResult plain = plain_run ();
  for (int i = 0; i < 3; i++) {
    PmtMethodUse use = runs_use ("layout-backward");
    PmtRequest q = request ();
    if (i == 2)
      q.layout = (PmtLayout) { .boxes = all, .n_boxes = 2, .beta = 0.3 };
    else
      losses_set (&use, i ? "steps" : "scale", "0");
    PmtResult r = losses_run (q, &use);
    runs_assert_equal (&r, &plain);
    pmt_result_clear (&r);
    pmt_param_values_clear (&use.values);
  }
  pmt_result_clear (&plain);

  GError *error = NULL;
  PmtCost cost;
  PmtMethodUse use = runs_use ("layout-backward");
  PmtRequest q = request ();
  q.methods = &use;
  q.n_methods = 1;
  PmtResult r = runs_do (&q);
  g_assert_true (pmt_run_cost (&q, &cost, &error));
  g_assert_cmpuint (r.peak_bytes, ==, cost.activation_bytes);
  pmt_result_clear (&r);
  q.cancel = &cancel;
  q.progress = cancel_late;
  g_assert_false (pmt_run (&q, &r, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_CANCELLED);
  g_clear_error (&error);
  pmt_param_values_clear (&use.values);
}

/* Two boxes of one phrase are one thing in two places: halves that are the whole picture together leave nothing to do, where each by itself
 * would have everything outside. */
static void
test_places_of_one (void)
{
  static const PmtLayoutBox halves[] = { { 0, 0, 0.5, 1, "house" }, { 0.5, 0, 1, 1, "house" } };
  PmtMethodUse use = runs_use ("layout-backward");
  PmtRequest q = request ();
  q.layout = (PmtLayout) { .boxes = halves, .n_boxes = 2, .beta = 0.3 };
  losses_set (&use, "scale", "300");
  PmtResult both = losses_run (q, &use), plain = plain_run ();
  runs_assert_equal (&both, &plain);
  q.layout.n_boxes = 1;
  PmtResult one = losses_run (q, &use);
  runs_assert_differ (&one, &plain);
  pmt_result_clear (&both);
  pmt_result_clear (&one);
  pmt_result_clear (&plain);
  pmt_param_values_clear (&use.values);
}

/* Steps are those of a run of fifty: of another one the same part, and where that is less than a step, one. */
static void
test_steps (void)
{
  static const int lengths[] = { 2, 10, 50 }, moved[] = { 1, 2, 10 };
  PmtMethodUse use = runs_use ("layout-backward");
  losses_set (&use, "iterations", "1");
  losses_set (&use, "threshold", "0");
  double unit = 0;
  for (int i = 0; i < 3; i++) {
    PmtRequest q = request (), without = losses_request (&runs, model);
    q.steps = without.steps = lengths[i];
    const double more = runs_cost (q, &use).flops - runs_cost (without, NULL).flops;
    unit = i == 0 ? more : unit;
    g_assert_cmpfloat_with_epsilon (more / unit, moved[i], 1e-3);
  }
  pmt_param_values_clear (&use.values);
}

/* A sampler on sigmas moves too. */
static void
test_sigmas (void)
{
  PmtMethodUse use = runs_use ("layout-backward");
  losses_set (&use, "scale", "300");
  PmtRequest q = request (), without = losses_request (&runs, model);
  q.sampler = without.sampler = pmt_sampler_find ("euler", NULL);
  PmtResult r = losses_run (q, &use), plain = losses_run (without, NULL);
  runs_assert_differ (&r, &plain);
  pmt_result_clear (&r);
  pmt_result_clear (&plain);
  pmt_param_values_clear (&use.values);
}

static int one[] = { 2, 3 }, two[] = { 7 };
static PmtArea area[] = { { .x0 = 0, .y0 = 0.1, .x1 = 0.5, .y1 = 0.9, .columns = one, .n_columns = 2 },
                          { .x0 = 0.5, .y0 = 0.3, .x1 = 1, .y1 = 1, .columns = two, .n_columns = 1 } };

static double
layout (Maps *maps, void *user)
{
  const PmtAreas areas = { area, 2 };
  return pmt_layout_loss (maps->probed, maps->n, &areas, 48, 64, 30);
}

static void
test_differences (void)
{
  Maps maps;
  maps_init (&maps, 6, 8, 10, 7);
  maps_check (&maps, layout, NULL);
  /* it falls along its own gradient, step for step */
  double before = layout (&maps, NULL);
  for (int i = 0; i < 5; i++) {
    PmtProbed *p = &maps.probed[0];
    memset (p->gradient.data, 0, (size_t) pmt_tensor_size (p->gradient) * sizeof (float));
    layout (&maps, NULL);
    for (int64_t k = 0; k < pmt_tensor_size (p->value); k++)
      p->value.data[k] -= 1e-3f * p->gradient.data[k];
    const double after = layout (&maps, NULL);
    g_assert_cmpfloat (after, <, before);
    before = after;
  }
  maps_clear (&maps);
}

/* A head that does not look at a word has no say in where it is: no slope, and none that is no number. */
static void
test_looks_away (void)
{
  Maps maps;
  maps_init (&maps, 6, 8, 10, 7);
  PmtProbed *p = &maps.probed[0];
  const int64_t heads = pmt_tensor_dim (p->value, 1), n = pmt_tensor_size (p->value) / heads;
  for (int64_t k = 0; k < n; k++)
    p->value.data[k] *= 1e-36f;
  const double loss = layout (&maps, NULL);
  g_assert_cmpfloat (loss, >, 0);
  double others = 0;
  for (int64_t k = 0; k < heads * n; k++) {
    g_assert_true (isfinite (p->gradient.data[k]));
    if (k < n)
      g_assert_cmpfloat (p->gradient.data[k], ==, 0);
    others += fabs ((double) p->gradient.data[k]);
  }
  g_assert_cmpfloat (others, >, 0);
  maps_clear (&maps);
}

/* Edges as the reference cuts them, a place smaller than a cell, and a mask. */
static void
test_cells (void)
{
  float cells[12];
  pmt_layout_cells (&(PmtArea) { .x0 = 0.3, .y0 = 0, .x1 = 0.8, .y1 = 0.7 }, 48, 64, 3, 4, cells);
  const float edges[] = { 0, 1, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0 };
  g_assert_cmpmem (cells, sizeof cells, edges, sizeof edges);
  pmt_layout_cells (&(PmtArea) { .x0 = 0.55, .y0 = 0.4, .x1 = 0.6, .y1 = 0.5 }, 48, 64, 3, 4, cells);
  const float dot[] = { 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0 };
  g_assert_cmpmem (cells, sizeof cells, dot, sizeof dot);
  static float mask[48 * 64];
  for (int i = 0; i < 48 * 64; i++)
    mask[i] = i % 64 >= 32;
  pmt_layout_cells (&(PmtArea) { .x1 = 1, .y1 = 1, .mask = mask }, 48, 64, 3, 4, cells);
  const float half[] = { 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1 };
  g_assert_cmpmem (cells, sizeof cells, half, sizeof half);
  /* a mask without any cell's middle has the cell where most of it is */
  memset (mask, 0, sizeof mask);
  for (int y = 34; y < 36; y++)
    for (int x = 28; x < 35; x++) /* four columns of the second cell's and three of the third's */
      mask[y * 64 + x] = 1;
  pmt_layout_cells (&(PmtArea) { .mask = mask }, 48, 64, 3, 4, cells);
  const float most[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0 };
  g_assert_cmpmem (cells, sizeof cells, most, sizeof most);
  /* places together */
  PmtArea second = { .x0 = 0.55, .y0 = 0.4, .x1 = 0.6, .y1 = 0.5 };
  pmt_layout_cells (&(PmtArea) { .mask = mask, .also = &second }, 48, 64, 3, 4, cells);
  const float both[] = { 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0 };
  g_assert_cmpmem (cells, sizeof cells, both, sizeof both);
}

static void
test_errors (void)
{
  static const PmtLayoutBox absent[] = { { 0, 0, 0.5, 1, "zebra" } };
  for (int i = 0; i < 2; i++) {
    GError *error = NULL;
    PmtResult result;
    PmtMethodUse use = runs_use ("layout-backward");
    PmtRequest q = losses_request (&runs, model);
    if (i)
      q.layout = (PmtLayout) { .boxes = absent, .n_boxes = 1, .beta = 0.3 };
    q.methods = &use;
    q.n_methods = 1;
    g_assert_false (pmt_run (&q, &result, &error));
    g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
    g_assert_nonnull (strstr (error->message, i ? "zebra" : "layout-backward"));
    g_clear_error (&error);
    pmt_param_values_clear (&use.values);
  }
  g_autofree float *nothing = g_new0 (float, runs.width * runs.height);
  const PmtRegionPrompt region = { .mask = nothing, .prompt = "house", .weight = 1 };
  PmtMethodUse use = runs_use ("layout-backward");
  PmtRequest q = losses_request (&runs, model);
  q.regions = &region;
  q.n_regions = 1;
  q.methods = &use;
  q.n_methods = 1;
  runs_refused (&q, PMT_ERROR_INPUT, "the region of \"house\" is empty");
  pmt_param_values_clear (&use.values);
}

int
main (int argc, char **argv)
{
  static const RunsTest tests[] = {
    { "/layout-backward/reference", test_reference },
    { "/layout-backward/identities", test_identities },
    { "/layout-backward/places-of-one", test_places_of_one },
    { "/layout-backward/steps", test_steps },
    { "/layout-backward/sigmas", test_sigmas },
    { "/layout-backward/differences", test_differences },
    { "/layout-backward/looks-away", test_looks_away },
    { "/layout-backward/cells", test_cells },
    { "/layout-backward/errors", test_errors },
    { 0 }
  };
  return runs_main (argc, argv, &runs, &model, tests);
}
