/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The second stage at full size: what it starts from, what it leaves alone, and that it looks like one run to whoever watches, keeps,
 * cancels or estimates it. The tiny models are 64 pixels a side or less, so these pictures are several windows large. */
#include <string.h>

#include "engine/base/cpu.h"
#include "engine/image/resize.h"
#include "tests/sample/runs.h"

enum { WIDTH = 148, HEIGHT = 100 }; /* no multiples of 8 */

static Runs runs;
static PmtModel *model;

static PmtRequest
request_of (void)
{
  PmtRequest q = runs_request (&runs, model);
  q.sampler = pmt_sampler_find ("dpmpp-2m-karras", NULL);
  q.steps = 6;
  q.guidance = 3;
  q.preview = PMT_PREVIEW_DECODED;
  q.full = (PmtFullSize) { .width = WIDTH, .height = HEIGHT, .strength = 0.5 };
  return q;
}

static float *
scaled (const float *pixels, int width, int height, int channels, PmtFilter filter)
{
  float *out = g_new (float, (gsize) WIDTH * HEIGHT * (gsize) channels);
  g_assert_true (pmt_resize (filter, pixels, width, height, channels, out, WIDTH, HEIGHT, NULL));
  return out;
}

/* Two runs by hand give what the service gives: the first, and img2img in windows from its picture. */
static void
test_by_hand (void)
{
  PmtRequest q = request_of (), first = q, second = q;
  PmtResult whole = runs_do (&q);
  g_assert_cmpint (whole.width, ==, WIDTH);
  g_assert_cmpint (whole.height, ==, HEIGHT);
  g_assert_cmpint (whole.latent_width, ==, 19);
  g_assert_cmpint (whole.latent_height, ==, 13);
  first.full.width = second.full.width = 0;
  PmtResult made = runs_do (&first);
  g_autofree float *large = scaled (made.image, made.width, made.height, 3, PMT_FILTER_AUTO);
  const int w = 152, h = 104;
  g_autofree float *image = g_new (float, w * h * 3);
  for (int y = 0; y < h; y++)
    for (int x = 0; x < w; x++)
      memcpy (image + (y * w + x) * 3, large + (MIN (y, HEIGHT - 1) * WIDTH + MIN (x, WIDTH - 1)) * 3, 3 * sizeof (float));
  PmtMethodUse windows = runs_use ("multidiffusion");
  const int cells = pmt_model_native_size (model) / 8;
  g_autofree char *stride = g_strdup_printf ("%d", MAX (cells * 3 / 4, 1));
  g_assert_true (pmt_param_values_set_text (&windows.values, "stride", stride, "test", NULL));
  second.width = w;
  second.height = h;
  second.image = image;
  second.strength = 0.5;
  second.steps = 8; /* so that four are done */
  second.methods = &windows;
  second.n_methods = 1;
  PmtResult by_hand = runs_do (&second);
  g_assert_cmpmem (by_hand.latent, runs_latent_size (&by_hand) * sizeof (float), whole.latent, runs_latent_size (&whole) * sizeof (float));
  for (int y = 0; y < HEIGHT; y++)
    g_assert_cmpmem (whole.image + y * WIDTH * 3, WIDTH * 3 * sizeof (float), by_hand.image + y * w * 3, WIDTH * 3 * sizeof (float));
  g_assert_cmpint (whole.steps_done, ==, made.steps_done + by_hand.steps_done);
  pmt_param_values_clear (&windows.values);
  pmt_result_clear (&by_hand);
  pmt_result_clear (&made);
  pmt_result_clear (&whole);
}

/* Samplers for few steps do all of them in what the strength leaves, or as many as fit there: no more and no refusal. */
static void
test_few_steps (void)
{
  static const struct {
    double strength;
    int steps;
  } rows[] = { { 0.05, 2 }, { 0.25, 4 }, { 0.5, 4 }, { 1, 4 } };
  PmtRequest q = request_of ();
  q.sampler = pmt_sampler_find ("lcm", NULL);
  q.steps = 4;
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    q.full.strength = rows[i].strength;
    PmtResult r = runs_do (&q);
    g_assert_cmpint (r.steps_done, ==, 4 + rows[i].steps);
    pmt_result_clear (&r);
  }
}

/* ---- a mask ---- */

static float constant;

static gboolean
paint_constant (void *user, float *picture, GError **error)
{
  for (int i = 0; i < WIDTH * HEIGHT * 3; i++)
    picture[i] = *(const float *) user;
  return TRUE;
}

/* Latents outside the mask are those of the prepared picture, whatever the windows and seed; those inside are not. */
static void
test_mask (void)
{
  PmtRequest q = request_of ();
  g_autofree float *mask = g_new0 (float, WIDTH * HEIGHT);
  for (int y = 32; y < 72; y++)
    for (int x = 40; x < 120; x++)
      mask[y * WIDTH + x] = 1;
  constant = 0.25f;
  q.image = runs.picture;
  q.mask = runs.mask;
  q.full.mask = mask;
  q.full.prepare = paint_constant;
  q.full.user = &constant;
  PmtResult a = runs_do (&q);
  q.prompt = "a blue square";
  PmtResult b = runs_do (&q);
  int outside = 0, inside = 0;
  for (int c = 0; c < a.latent_channels; c++)
    for (int y = 0; y < a.latent_height; y++)
      for (int x = 0; x < a.latent_width; x++) {
        const int p = (c * a.latent_height + y) * a.latent_width + x;
        const bool in = y >= 4 && y < 9 && x >= 5 && x < 15;
        if (in)
          inside += a.latent[p] != b.latent[p];
        else
          outside += a.latent[p] != b.latent[p];
      }
  g_assert_cmpint (outside, ==, 0);
  g_assert_cmpint (inside, ==, 5 * 10 * a.latent_channels);
  pmt_result_clear (&a);
  pmt_result_clear (&b);
}

static gboolean
fail (void *user, float *picture, GError **error)
{
  g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, "The picture is not liked; take another.");
  return FALSE;
}

static void
test_prepare_fails (void)
{
  PmtRequest q = request_of ();
  q.full.prepare = fail;
  runs_refused (&q, PMT_ERROR_INPUT, "not liked");
}

/* ---- cost, progress, keeping, cancelling ---- */

typedef struct Seen {
  atomic_bool keep;
  int keep_at, cancel_at; /* report of a step, counted over both stages; 0 = never */
  int samples, large;     /* reports of steps, and previews of the second stage */
  double fraction;
  bool fell;
  PmtCancel *cancel;
} Seen;

static void
on_progress (void *user, const PmtProgress *p)
{
  Seen *seen = user;
  seen->fell |= p->fraction < seen->fraction;
  seen->fraction = p->fraction;
  if (!p->preview)
    return;
  seen->samples++;
  seen->large += p->preview_width > runs.width;
  if (seen->samples == seen->keep_at)
    atomic_store (&seen->keep, true);
  if (seen->samples == seen->cancel_at)
    pmt_cancel_request (seen->cancel);
}

static PmtResult
watched (PmtRequest q, Seen *seen)
{
  q.progress = on_progress;
  q.progress_user = seen;
  q.keep = &seen->keep;
  return runs_do (&q);
}

static void
test_cost_and_progress (void)
{
  PmtRequest q = request_of ();
  Seen seen = { 0 };
  PmtCost whole, first;
  g_assert_true (pmt_run_cost (&q, &whole, NULL));
  PmtResult r = watched (q, &seen);
  g_assert_cmpuint (r.peak_bytes, ==, whole.activation_bytes);
  g_assert_false (seen.fell);
  g_assert_cmpfloat (seen.fraction, ==, 1);
  g_assert_cmpint (seen.large, ==, 3); /* the last of four is the picture */
  double work = 0;
  for (int i = 0; i < PMT_WORKS; i++) {
    g_assert_cmpfloat_with_epsilon (r.work[i], whole.work[i], 1e-6 * whole.flops);
    work += r.work[i];
  }
  g_assert_cmpfloat_with_epsilon (work, whole.flops, 1e-6 * whole.flops);
  q.full.width = 0;
  g_assert_true (pmt_run_cost (&q, &first, NULL));
  g_assert_cmpfloat (whole.flops, >, 2 * first.flops);
  g_assert_cmpuint (whole.weight_bytes, ==, first.weight_bytes);
  pmt_result_clear (&r);
}

/* Kept in either stage, or told to stop there: the same picture to the bit. In the first it is the scaled estimate. */
static void
test_keep (void)
{
  PmtRequest q = request_of ();
  for (int at = 3; at <= 8; at += 5) {
    Seen seen = { .keep_at = at }, none = { 0 };
    PmtResult kept = watched (q, &seen);
    g_assert_cmpint (kept.stopped_after, ==, kept.steps_done);
    g_assert_cmpint (kept.width, ==, WIDTH);
    PmtRequest again = q;
    again.stop_after = kept.stopped_after;
    PmtResult r = watched (again, &none);
    g_assert_cmpint (r.stopped_after, ==, kept.stopped_after);
    runs_assert_equal (&kept, &r);
    pmt_result_clear (&r);
    if (at == 3) {
      again.full.width = 0;
      PmtResult first = runs_do (&again);
      g_autofree float *large = scaled (first.image, first.width, first.height, 3, PMT_FILTER_AUTO);
      g_assert_cmpmem (large, WIDTH * HEIGHT * 3 * sizeof (float), kept.image, WIDTH * HEIGHT * 3 * sizeof (float));
      pmt_result_clear (&first);
    }
    pmt_result_clear (&kept);
  }
}

/* The words of the first stage's picture are the second one's, from whichever side a change of words was asked for. */
static void
test_other_words (void)
{
  PmtRequest q = request_of (), from = q, to = q;
  PmtMethodUse source = runs_use ("prompt-to-prompt"), target = runs_use ("prompt-to-prompt");
  from.prompt = "a red circle and a house";
  to.prompt = "a red circle and a tree";
  g_assert_true (pmt_param_values_set_text (&source.values, "source", from.prompt, "test", NULL));
  g_assert_true (pmt_param_values_set_text (&target.values, "target", to.prompt, "test", NULL));
  to.methods = &source;
  from.methods = &target;
  to.n_methods = from.n_methods = 1;
  PmtResult one = runs_do (&to), two = runs_do (&from);
  runs_assert_equal (&one, &two);
  pmt_result_clear (&one);
  pmt_result_clear (&two);
  pmt_param_values_clear (&source.values);
  pmt_param_values_clear (&target.values);
}

static void
test_cancel (void)
{
  PmtRequest q = request_of ();
  PmtResult r;
  GError *error = NULL;
  PmtCancel cancel = { 0 };
  Seen seen = { .cancel_at = 7, .cancel = &cancel };
  q.progress = on_progress;
  q.progress_user = &seen;
  q.cancel = &cancel;
  g_assert_false (pmt_run (&q, &r, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_CANCELLED);
  g_assert_null (r.image);
  g_assert_cmpint (seen.large, >=, 1);
  g_error_free (error);
}

/* Refused before anything is made, with what would fit. */
static void
test_refused (void)
{
  PmtRequest q = request_of (), plain = q;
  PmtCost cost;
  int width = 0, height = 0;
  plain.full.width = 0;
  g_assert_true (pmt_run_cost (&plain, &cost, NULL));
  q.full.width = q.full.height = 1024;
  q.memory_limit = cost.activation_bytes * 3 + cost.weight_bytes;
  runs_refused (&q, PMT_ERROR_MEMORY, "1024 x 1024");
  g_assert_true (pmt_run_largest (&q, &width, &height));
  g_assert_cmpint (width, >=, 256);
  g_assert_cmpint (width, <, 1024);
  q = request_of ();
  q.full.strength = 0;
  runs_refused (&q, PMT_ERROR_INPUT, "strength at full size");
  q = request_of ();
  q.full.width = 70000;
  runs_refused (&q, PMT_ERROR_INPUT, "70000");
}

int
main (int argc, char **argv)
{
  PmtCpuLevel level;
  pmt_cpu_select (&level, NULL);
  g_test_init (&argc, &argv, NULL);
  runs_open (&runs);
  model = runs_model ("tiny");
  g_test_add_func ("/full-size/by-hand", test_by_hand);
  g_test_add_func ("/full-size/few-steps", test_few_steps);
  g_test_add_func ("/full-size/mask", test_mask);
  g_test_add_func ("/full-size/prepare-fails", test_prepare_fails);
  g_test_add_func ("/full-size/cost-and-progress", test_cost_and_progress);
  g_test_add_func ("/full-size/keep", test_keep);
  g_test_add_func ("/full-size/other-words", test_other_words);
  g_test_add_func ("/full-size/cancel", test_cancel);
  g_test_add_func ("/full-size/refused", test_refused);
  int status = g_test_run ();
  pmt_model_unref (model);
  runs_close (&runs);
  return status;
}
