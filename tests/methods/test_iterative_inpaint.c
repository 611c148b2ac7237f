/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "engine/base/cpu.h"
#include "tests/sample/runs.h"

enum { W = 64, H = 48 };

static Runs runs;
static PmtModel *model;
static const PmtLayoutBox boxes[] = { { 0.5, 0.5, 1, 1, "a blue square" }, { 0.0, 0.0, 0.5, 0.375, "a red circle" } };

static PmtRequest
request_of (PmtMethodUse *use)
{
  PmtRequest q = runs_request (&runs, model);
  *use = runs_use ("iterative-inpaint");
  q.prompt = "a meadow";
  q.guidance = 3;
  q.layout = (PmtLayout) { .boxes = boxes, .n_boxes = 2, .beta = 0.3 };
  q.methods = use;
  q.n_methods = 1;
  return q;
}

static void
set (PmtMethodUse *use, const char *id, const char *value)
{
  GError *error = NULL;
  pmt_param_values_set_text (&use->values, id, value, "method iterative-inpaint", &error);
  g_assert_no_error (error);
}

static bool
in (const PmtLayoutBox *box, int x, int y)
{
  return x >= box->x0 * W && x < box->x1 * W && y >= box->y0 * H && y < box->y1 * H;
}

/* Three fills by hand, each laid into what the ones before made, are the same picture to the bit; a run for each box and one more. */
static void
by_hand (const float *image, const float *mask)
{
  PmtMethodUse use;
  PmtRequest q = request_of (&use);
  q.image = image;
  q.mask = mask;
  q.prefilled = image != NULL;
  PmtResult whole = runs_do (&q);
  g_assert_cmpint (whole.steps_done, ==, 3 * q.steps);
  g_autofree float *canvas = g_new (float, W * H * 3), *area = g_new (float, W * H);
  for (int i = 0; i < W * H * 3; i++)
    canvas[i] = image ? image[i] : 0.5f;
  for (int i = 0; i < 3; i++) {
    PmtRequest one = q;
    g_autofree float *before = g_memdup2 (canvas, W * H * 3 * sizeof (float));
    for (int p = 0; p < W * H; p++) {
      const int x = p % W, y = p / W;
      area[p] = i < 2 ? in (&boxes[i], x, y) : !in (&boxes[0], x, y) && !in (&boxes[1], x, y);
      area[p] *= mask ? mask[p] : 1;
    }
    one.n_methods = one.layout.n_boxes = 0;
    one.prompt = i < 2 ? boxes[i].phrase : q.prompt;
    one.seed = q.seed + (uint64_t) i;
    one.fill = true;
    one.image = canvas;
    one.mask = area;
    PmtResult r = runs_do (&one);
    int changed = 0;
    for (int p = 0; p < W * H; p++)
      for (int c = 0; c < 3; c++) {
        if (area[p] == 1)
          canvas[p * 3 + c] = r.image[p * 3 + c];
        else if (area[p] > 0)
          canvas[p * 3 + c] += area[p] * (r.image[p * 3 + c] - canvas[p * 3 + c]);
        if (area[p] == 0)
          g_assert_true (canvas[p * 3 + c] == before[p * 3 + c]);
        changed += canvas[p * 3 + c] != before[p * 3 + c];
      }
    g_assert_cmpint (changed, >, 100);
    pmt_result_clear (&r);
  }
  g_assert_cmpmem (canvas, W * H * 3 * sizeof (float), whole.image, W * H * 3 * sizeof (float));
  pmt_result_clear (&whole);
  pmt_param_values_clear (&use.values);
}

static void
test_by_hand (void)
{
  by_hand (NULL, NULL);
  by_hand (runs.picture, NULL);
}

/* A fill's mask limits all passes. */
static void
test_mask (void)
{
  g_autofree float *mask = g_new (float, W * H);
  PmtMethodUse use;
  PmtRequest q = request_of (&use);
  for (int p = 0; p < W * H; p++)
    mask[p] = p % W >= 16;
  by_hand (runs.picture, mask);
  q.image = runs.picture;
  q.mask = mask;
  PmtResult r = runs_do (&q);
  for (int p = 0; p < W * H; p++)
    if (p % W < 16)
      g_assert_cmpmem (r.image + p * 3, 3 * sizeof (float), runs.picture + p * 3, 3 * sizeof (float));
  pmt_result_clear (&r);
  pmt_param_values_clear (&use.values);
}

/* Without a picture to start from there is nothing that a strength could leave. */
static void
test_strength (void)
{
  PmtMethodUse use;
  PmtRequest q = request_of (&use);
  PmtResult whole = runs_do (&q);
  q.strength = 0.5;
  PmtResult half = runs_do (&q);
  runs_assert_equal (&whole, &half);
  q.image = runs.picture;
  q.mask = NULL;
  PmtResult less = runs_do (&q);
  g_assert_cmpint (less.steps_done, <, whole.steps_done);
  pmt_result_clear (&less);
  pmt_result_clear (&half);
  pmt_result_clear (&whole);
  pmt_param_values_clear (&use.values);
}

/* From the top down is what the boxes in that order give; the other words are heard. */
static void
test_params (void)
{
  const PmtLayoutBox turned[] = { boxes[1], boxes[0] };
  PmtMethodUse use;
  PmtRequest q = request_of (&use);
  PmtResult given = runs_do (&q);
  set (&use, "order", "bottom-up");
  PmtResult up = runs_do (&q);
  runs_assert_equal (&given, &up);
  set (&use, "order", "top-down");
  PmtResult down = runs_do (&q);
  runs_assert_differ (&given, &down);
  set (&use, "order", "given");
  q.layout.boxes = turned;
  PmtResult by_hand = runs_do (&q);
  runs_assert_equal (&down, &by_hand);
  pmt_result_clear (&by_hand);

  const PmtRegionPrompt regions[] = { { .x0 = 0, .x1 = 0.5, .y0 = 0, .y1 = 0.375, .prompt = "a red circle", .weight = 1 },
                                      { .x0 = 0.5, .x1 = 1, .y0 = 0.5, .y1 = 1, .prompt = "a blue square", .weight = 1 } };
  q.layout.n_boxes = 0;
  q.regions = regions;
  q.n_regions = 2;
  by_hand = runs_do (&q);
  runs_assert_equal (&down, &by_hand);
  pmt_result_clear (&by_hand);
  set (&use, "background", "a meadow");
  q.prompt = "something else";
  by_hand = runs_do (&q);
  runs_assert_equal (&down, &by_hand);
  set (&use, "say", "Add");
  PmtResult said = runs_do (&q);
  runs_assert_differ (&down, &said);
  pmt_result_clear (&said);
  pmt_result_clear (&by_hand);
  pmt_result_clear (&given);
  pmt_result_clear (&up);
  pmt_result_clear (&down);
  pmt_param_values_clear (&use.values);
}

/* Regions with masks have no edges: their order is that of their pixels, with their words. */
static void
test_masks (void)
{
  static const char *const orders[] = { "given", "top-down", "bottom-up" };
  PmtRegionPrompt regions[2];
  PmtMethodUse use;
  PmtRequest q = request_of (&use), masked = q;
  g_autofree float *masks = g_new0 (float, 2 * W * H);
  for (int i = 0; i < 2; i++) {
    float *mask = masks + i * W * H;
    for (int p = 0; p < W * H; p++)
      mask[p] = in (&boxes[i], p % W, p / W);
    regions[i] = (PmtRegionPrompt) { .mask = mask, .prompt = boxes[i].phrase, .weight = 1 };
  }
  masked.layout.n_boxes = 0;
  masked.regions = regions;
  masked.n_regions = 2;
  for (guint i = 0; i < G_N_ELEMENTS (orders); i++) {
    set (&use, "order", orders[i]);
    PmtResult by_boxes = runs_do (&q), by_masks = runs_do (&masked);
    runs_assert_equal (&by_boxes, &by_masks);
    pmt_result_clear (&by_boxes);
    pmt_result_clear (&by_masks);
  }
  pmt_param_values_clear (&use.values);
}

/* The estimate is exact; a run that stops in the second pass is that pass's estimate, laid in, and nothing after. */
static void
test_cost_and_stop (void)
{
  PmtMethodUse use;
  PmtRequest q = request_of (&use);
  PmtCost cost;
  g_assert_true (pmt_run_cost (&q, &cost, NULL));
  PmtResult whole = runs_do (&q);
  g_assert_cmpuint (whole.peak_bytes, ==, cost.activation_bytes);
  g_assert_cmpint (cost.evaluations, ==, 3 * 2 * q.steps);
  q.stop_after = q.steps + 2;
  PmtResult part = runs_do (&q);
  g_assert_cmpint (part.stopped_after, ==, q.steps + 2);
  g_assert_cmpint (part.steps_done, ==, q.steps + 2);
  for (int p = 0; p < W * H; p++)
    for (int c = 0; c < 3; c++) {
      if (in (&boxes[0], p % W, p / W))
        g_assert_true (part.image[p * 3 + c] == whole.image[p * 3 + c]);
      else if (!in (&boxes[1], p % W, p / W))
        g_assert_true (part.image[p * 3 + c] == 0.5f);
    }
  runs_assert_differ (&whole, &part);
  pmt_result_clear (&part);
  pmt_result_clear (&whole);
  pmt_param_values_clear (&use.values);
}

/* And then at full size. */
static void
test_full_size (void)
{
  PmtMethodUse use;
  PmtRequest q = request_of (&use);
  q.full = (PmtFullSize) { .width = 100, .height = 75, .strength = 0.5 };
  PmtResult r = runs_do (&q);
  g_assert_cmpint (r.steps_done, ==, 3 * q.steps + 4);
  g_assert_true (r.width == 100 && r.height == 75);
  pmt_result_clear (&r);
  pmt_param_values_clear (&use.values);
}

static void
test_refusals (void)
{
  PmtMethodUse use;
  PmtRequest q = request_of (&use), wrong = q;
  PmtLayoutBox bad[] = { boxes[0] };
  wrong.layout.n_boxes = 0;
  runs_refused (&wrong, PMT_ERROR_INPUT, "there are none");
  wrong = q;
  wrong.layout.boxes = bad;
  wrong.layout.n_boxes = 1;
  bad[0].x1 = 1.5;
  runs_refused (&wrong, PMT_ERROR_INPUT, "a blue square");
  bad[0] = boxes[0];
  bad[0].y1 = bad[0].y0 + 7.0 / H;
  runs_refused (&wrong, PMT_ERROR_INPUT, "too small");
  bad[0] = boxes[0];
  bad[0].phrase = " ";
  runs_refused (&wrong, PMT_ERROR_INPUT, "area 1");
  wrong = q;
  wrong.edit = true;
  runs_refused (&wrong, PMT_ERROR_INPUT, "instruction");
  wrong = q;
  wrong.refiner = model;
  wrong.refiner_start = 0.5;
  runs_refused (&wrong, PMT_ERROR_INPUT, "refiner");
  wrong = q;
  wrong.latent = runs.picture;
  runs_refused (&wrong, PMT_ERROR_INPUT, "latent");
  wrong = q;
  wrong.denoising_end = 0.5;
  runs_refused (&wrong, PMT_ERROR_INPUT, "whole runs");
  pmt_param_values_clear (&use.values);
}

int
main (int argc, char **argv)
{
  PmtCpuLevel level;
  pmt_cpu_select (&level, NULL);
  g_test_init (&argc, &argv, NULL);
  runs_open (&runs);
  g_assert_true (runs.width == W && runs.height == H);
  model = runs_model ("tiny");
  g_test_add_func ("/iterative-inpaint/by-hand", test_by_hand);
  g_test_add_func ("/iterative-inpaint/mask", test_mask);
  g_test_add_func ("/iterative-inpaint/strength", test_strength);
  g_test_add_func ("/iterative-inpaint/params", test_params);
  g_test_add_func ("/iterative-inpaint/masks", test_masks);
  g_test_add_func ("/iterative-inpaint/cost-and-stop", test_cost_and_stop);
  g_test_add_func ("/iterative-inpaint/full-size", test_full_size);
  g_test_add_func ("/iterative-inpaint/refusals", test_refusals);
  int status = g_test_run ();
  pmt_model_unref (model);
  runs_close (&runs);
  return status;
}
