/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "engine/methods/windows.h"
#include "tests/methods/composed.h"
#include "tests/sample/runs.h"

static Runs runs;
static PmtModel *model;

static PmtRequest
request (PmtMethodUse *use)
{
  PmtRequest q = runs_request (&runs, model);
  q.guidance = 4;
  q.methods = use;
  q.n_methods = use ? 1 : 0;
  return q;
}

static PmtMethodUse
use_with (const char *const *values)
{
  PmtMethodUse use = runs_use ("multidiffusion");
  GError *error = NULL;
  for (; *values; values += 2) {
    pmt_param_values_set_text (&use.values, values[0], values[1], "method multidiffusion", &error);
    g_assert_no_error (error);
  }
  return use;
}

/* Every cell is in a window, windows are in the canvas, and the last ones are flush with its end. */
static void
test_windows (void)
{
  for (int length = 1; length <= 23; length++)
    for (int size = 1; size <= 12; size++)
      for (int stride = 1; stride <= size; stride++)
        for (int wrap = 0; wrap < 2; wrap++) {
          int n, seen[23] = { 0 };
          g_autofree PmtWindow *w = pmt_windows_new (3, length, size, stride, wrap, &n);
          for (int i = 0; i < n; i++) {
            g_assert_cmpint (w[i].width, ==, MIN (size, length));
            g_assert_cmpint (w[i].height, ==, MIN (size, 3));
            g_assert_true (w[i].x >= 0 && w[i].x < length && w[i].y >= 0 && w[i].y + w[i].height <= 3);
            g_assert_true (wrap || w[i].x + w[i].width <= length);
            for (int k = 0; k < w[i].width; k++)
              seen[(w[i].x + k) % length]++;
          }
          for (int k = 0; k < length; k++)
            g_assert_cmpint (seen[k], >, 0);
        }
}

/* What all windows agree on is what comes out: the mean of a canvas cut up is the canvas. */
static void
test_merge (void)
{
  enum { H = 7, W = 11, C = 3 };
  float canvas[H * W * C], weight[H * W], part[H * W * C];
  for (int wrap = 0; wrap < 2; wrap++) {
    double sum[H * W * C] = { 0 }, total[H * W] = { 0 };
    int n;
    g_autofree PmtWindow *w = pmt_windows_new (H, W, 5, 2, wrap, &n);
    for (int i = 0; i < H * W * C; i++)
      canvas[i] = (float) sin (i * 1.7);
    for (int i = 0; i < H * W; i++)
      weight[i] = (float) (1 + i % 4);
    g_assert_cmpint (n, >, 6);
    for (int i = 0; i < n; i++) {
      pmt_window_cut (&w[i], canvas, W, C, part);
      pmt_window_add (&w[i], part, weight, W, C, sum, total);
    }
    for (int i = 0; i < H * W * C; i++)
      g_assert_cmpfloat_with_epsilon (sum[i] / total[i / C], canvas[i], 1e-6);
  }
}

/* One window over the canvas is the plain run to the bit, with every sampler, also those that draw, from a picture and with a mask. */
static void
test_one_window (void)
{
  PmtMethodUse use = runs_use ("multidiffusion"); /* 64 pixels are the model's own size */
  for (int i = 0; pmt_samplers[i]; i++)
    for (int task = 0; task < (i % 4 == 0 ? 3 : 1); task++) {
      PmtRequest q = request (NULL);
      q.sampler = pmt_samplers[i];
      q.eta = 0.5;
      q.image = task > 0 ? runs.picture : NULL;
      q.mask = task > 1 ? runs.mask : NULL;
      q.strength = 0.8;
      PmtResult plain = runs_do (&q);
      q.methods = &use;
      q.n_methods = 1;
      PmtResult windowed = runs_do (&q);
      runs_assert_equal (&plain, &windowed);
      pmt_result_clear (&plain);
      pmt_result_clear (&windowed);
    }
  pmt_param_values_clear (&use.values);
}

/* A region over all is a run with its prompt, to the bit. */
static void
test_whole_region (void)
{
  const PmtRegionPrompt region = { 0, 0, 1, 1, NULL, "a blue house", 3 };
  PmtRequest q = request (NULL);
  q.regions = &region;
  q.n_regions = 1;
  PmtResult regional = runs_do (&q);
  q.n_regions = 0;
  q.prompt = "a blue house";
  PmtResult plain = runs_do (&q);
  runs_assert_equal (&regional, &plain);
  pmt_result_clear (&regional);
  pmt_result_clear (&plain);
}

/* A mask of a box is the box; regions with the picture's own prompt are no regions when nothing is put around them. */
static void
test_regions (void)
{
  PmtMethodUse use = use_with ((const char *[]) { "bootstrap", "0", NULL });
  const int area = runs.width * runs.height;
  g_autofree float *mask = g_new (float, area);
  for (int p = 0; p < area; p++)
    mask[p] = p % runs.width < runs.width / 2;
  const PmtRegionPrompt box = { 0, 0, 0.5, 1, NULL, "a blue house", 1 }, masked = { .mask = mask, .prompt = "a blue house", .weight = 1 };
  const PmtRegionPrompt same[] = { { 0, 0, 0.5, 1, NULL, "a red circle", 1 }, { 0.25, 0.5, 1, 1, NULL, "a red circle", 2 } };
  PmtRequest q = request (NULL);
  q.regions = &box;
  q.n_regions = 1;
  PmtResult boxed = runs_do (&q);
  q.regions = &masked;
  PmtResult by_mask = runs_do (&q);
  runs_assert_equal (&boxed, &by_mask);
  q.rows_per_call = 1;
  PmtResult singly = runs_do (&q);
  runs_assert_equal (&boxed, &singly);

  q = request (&use);
  q.regions = same;
  q.n_regions = 2;
  PmtResult regional = runs_do (&q);
  q = request (NULL);
  PmtResult plain = runs_do (&q);
  g_assert_cmpfloat (runs_distance (regional.latent, plain.latent, runs_latent_size (&plain)), <, 1e-4);
  runs_assert_differ (&boxed, &plain);
  PmtResult all[] = { boxed, by_mask, singly, regional, plain };
  for (guint i = 0; i < G_N_ELEMENTS (all); i++)
    pmt_result_clear (&all[i]);
  pmt_param_values_clear (&use.values);
}

/* With columns going round, a start rolled by a stride ends rolled by a stride. */
static void
test_wrap (void)
{
  enum { H = 6, W = 12, C = 4, STRIDE = 3 };
  PmtMethodUse use = use_with ((const char *[]) { "window", "8", "stride", "3", "wrap", "true", NULL });
  PmtRng rng;
  float noise[C * H * W], rolled[C * H * W];
  pmt_rng_seed (&rng, 12);
  pmt_rng_normal (&rng, C * H * W, noise);
  for (int i = 0; i < C * H * W; i++)
    rolled[i / W * W + (i % W + STRIDE) % W] = noise[i];
  PmtRequest q = request (&use);
  q.width = W * 8;
  q.noise = noise;
  PmtResult a = runs_do (&q);
  q.noise = rolled;
  PmtResult b = runs_do (&q);
  double off = 0, top = 0;
  for (int i = 0; i < C * H * W; i++) {
    off = MAX (off, fabs ((double) b.latent[i / W * W + (i % W + STRIDE) % W] - a.latent[i]));
    top = MAX (top, fabs ((double) a.latent[i]));
  }
  g_test_message ("rolled by %g relative", off / top);
  g_assert_cmpfloat (off, <, 1e-4 * top);
  runs_assert_differ (&a, &b);
  pmt_result_clear (&a);
  pmt_result_clear (&b);
  pmt_param_values_clear (&use.values);
}

/* Windows at the canvas's ends make a picture too, also with samplers that remember or draw, and stop early where they are told to. */
static atomic_bool keep;

static void
keep_after_two (void *user, const PmtProgress *p)
{
  if (p->stage == PMT_STAGE_SAMPLE && p->step == 2)
    atomic_store (&keep, true);
}

static void
test_canvas (void)
{
  PmtMethodUse use = use_with ((const char *[]) { "window", "6", "stride", "4", NULL });
  PmtRequest q = request (&use);
  PmtCost cost;
  q.width = 120;
  q.height = 72;
  g_assert_true (pmt_run_cost (&q, &cost, NULL));
  g_assert_cmpint (cost.evaluations, ==, 4 * 2 * 2 * 4); /* windows at rows 0 3, columns 0 4 8 9; with and without prompt; 4 steps */
  static const char *const samplers[] = { "dpmpp-2m-karras", "euler-a", "heun", "unipc" };
  for (guint i = 0; i < G_N_ELEMENTS (samplers); i++) {
    q.sampler = pmt_sampler_find (samplers[i], NULL);
    PmtResult r = runs_do (&q);
    for (size_t p = 0; p < runs_latent_size (&r); p++)
      g_assert_true (isfinite (r.latent[p]));
    pmt_result_clear (&r);
  }
  q.keep = &keep;
  q.progress = keep_after_two;
  atomic_store (&keep, false);
  PmtResult r = runs_do (&q);
  g_assert_cmpint (r.steps_done, ==, 2);
  pmt_result_clear (&r);
  pmt_param_values_clear (&use.values);
}

static void
fill (PmtRequest *q, const Runs *r, JsonObject *c)
{
  static PmtRegionPrompt regions[4];
  JsonArray *list = json_object_has_member (c, "regions") ? json_object_get_array_member (c, "regions") : NULL;
  q->width = (int) json_object_get_int_member_with_default (c, "width", r->width);
  q->regions = regions;
  q->n_regions = list ? (int) json_array_get_length (list) : 0;
  for (int i = 0; i < q->n_regions; i++) {
    JsonArray *entry = json_array_get_array_element (list, (guint) i), *box = json_array_get_array_element (entry, 0);
    regions[i] = (PmtRegionPrompt) { json_array_get_double_element (box, 0), json_array_get_double_element (box, 1),
                                     json_array_get_double_element (box, 2), json_array_get_double_element (box, 3), NULL,
                                     json_array_get_string_element (entry, 1), json_array_get_double_element (entry, 2) };
  }
}

static void
test_reference (void)
{
  g_assert_cmpint (composed_check (&runs, "multidiffusion", model, fill), ==, 4);
}

static void
refused (PmtRequest q, const char *says)
{
  GError *error = NULL;
  PmtResult result;
  g_assert_false (pmt_run (&q, &result, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
  if (!strstr (error->message, says))
    g_error ("'%s' does not say '%s'", error->message, says);
  g_clear_error (&error);
}

static void
test_errors (void)
{
  static const struct {
    PmtRegionPrompt region;
    const char *says;
  } bad[] = {
    { { 0, 0, 1, 1, NULL, " ", 1 }, "Region 1 has no prompt" },
    { { 0, 0, 1, 1, NULL, "house", 0 }, "has to be above 0" },
    { { 0.5, 0, 0.5, 1, NULL, "house", 1 }, "left, top, right and bottom" },
    { { 0, 0, 1.5, 1, NULL, "house", 1 }, "parts of the picture" },
    { { 0.51, 0.51, 0.52, 0.52, NULL, "house", 1 }, "smaller than a cell" },
  };
  PmtRequest q = request (NULL);
  PmtRegionPrompt many[17];
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++) {
    q.regions = &bad[i].region;
    q.n_regions = 1;
    refused (q, bad[i].says);
  }
  for (guint i = 0; i < G_N_ELEMENTS (many); i++)
    many[i] = (PmtRegionPrompt) { 0, 0, 1, 1, NULL, "house", 1 };
  q.regions = many;
  q.n_regions = G_N_ELEMENTS (many);
  refused (q, "at most 16");
  PmtMethodUse use = use_with ((const char *[]) { "window", "4", "stride", "5", NULL });
  q = request (&use);
  refused (q, "leave gaps");
  pmt_param_values_clear (&use.values);
}

/* What would do nothing in windows, or on a canvas that is not evaluated itself, is refused. */
static void
test_others (void)
{
  static const char *const ids[] = { "attend-and-excite", "self-guidance", "universal-guidance", "structured", "word-maps" };
  for (size_t i = 0; i < G_N_ELEMENTS (ids); i++) {
    PmtMethodUse uses[2] = { runs_use ("multidiffusion"), runs_use (ids[i]) };
    GError *error = NULL;
    pmt_param_values_set_text (&uses[0].values, "window", "4", "test", &error);
    pmt_param_values_set_text (&uses[0].values, "stride", "4", "test", &error);
    if (i < 2)
      pmt_param_values_set_text (&uses[1].values, "words", "circle", "test", &error);
    g_assert_no_error (error);
    PmtRequest q = runs_request (&runs, model);
    q.methods = uses;
    q.n_methods = 2;
    runs_refused (&q, PMT_ERROR_INPUT, ids[i]);
    for (int k = 0; k < 2; k++)
      pmt_param_values_clear (&uses[k].values);
  }
}

int
main (int argc, char **argv)
{
  static const RunsTest tests[] = {
    { "/multidiffusion/windows", test_windows },
    { "/multidiffusion/merge", test_merge },
    { "/multidiffusion/one-window", test_one_window },
    { "/multidiffusion/whole-region", test_whole_region },
    { "/multidiffusion/regions", test_regions },
    { "/multidiffusion/wrap", test_wrap },
    { "/multidiffusion/canvas", test_canvas },
    { "/multidiffusion/reference", test_reference },
    { "/multidiffusion/errors", test_errors },
    { "/multidiffusion/others", test_others },
    { 0 }
  };
  return runs_main (argc, argv, &runs, &model, tests);
}
