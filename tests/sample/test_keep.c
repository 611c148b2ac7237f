/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs that end early with their present estimate, and looks at unfinished pictures: neither leaves a trace in what comes after. */
#include <string.h>

#include "tests/sample/runs.h"

static Runs runs;
static PmtModel *model;

typedef struct Seen {
  atomic_bool keep;
  int keep_at;               /* the step in whose report it is set; 0 = never */
  int pictures, last_width, last_height;
  uint8_t last[3 * 512 * 512];
} Seen;

static Seen seen;

static void
on_progress (void *user, const PmtProgress *p)
{
  if (p->stage == PMT_STAGE_SAMPLE && p->step > 0 && p->step == seen.keep_at)
    atomic_store (&seen.keep, true);
  if (!p->preview)
    return;
  seen.pictures++;
  seen.last_width = p->preview_width;
  seen.last_height = p->preview_height;
  memcpy (seen.last, p->preview, 3 * (size_t) p->preview_width * (size_t) p->preview_height);
}

static PmtResult
run_watched (PmtRequest q, int keep_at)
{
  memset (&seen, 0, sizeof seen);
  seen.keep_at = keep_at;
  q.keep = &seen.keep;
  q.progress = on_progress;
  return runs_do (&q);
}

static PmtRequest
request_of (const char *sampler, int task)
{
  PmtRequest q = runs_request (&runs, model);
  q.sampler = pmt_sampler_find (sampler, NULL);
  q.steps = 6;
  q.guidance = 4;
  q.image = task >= 1 ? runs.picture : NULL;
  q.mask = task >= 2 ? runs.mask : NULL;
  q.fill = task == 2;
  return q;
}

/* Kept after k evaluations, or told to stop after k: the same picture to the bit, of another one than the whole run's. */
static void
test_keep_is_stop_after (void)
{
  static const char *const samplers[] = { "ddim", "euler-a", "dpmpp-2m", "heun" };
  for (guint s = 0; s < G_N_ELEMENTS (samplers); s++)
    for (int task = 0; task < 3; task++) {
      PmtRequest q = request_of (samplers[s], task);
      PmtResult whole = run_watched (q, 0), kept = run_watched (q, 3);
      g_assert_cmpint (whole.stopped_after, ==, 0);
      g_assert_cmpint (kept.stopped_after, ==, 3);
      g_assert_cmpint (kept.steps_done, ==, 3);
      runs_assert_differ (&kept, &whole);
      q.stop_after = kept.stopped_after;
      PmtResult again = run_watched (q, 0);
      g_assert_cmpint (again.stopped_after, ==, 3);
      runs_assert_equal (&kept, &again);
      pmt_result_clear (&again);
      q.stop_after = 1000; /* later than the end */
      again = run_watched (q, 0);
      g_assert_cmpint (again.stopped_after, ==, 0);
      runs_assert_equal (&whole, &again);
      pmt_result_clear (&again);
      pmt_result_clear (&kept);
      pmt_result_clear (&whole);
    }
}

/* Less is done, and the dry run knows it. */
static void
test_cost (void)
{
  PmtRequest q = request_of ("ddim", 0);
  PmtCost whole, part, looking;
  g_assert_true (pmt_run_cost (&q, &whole, NULL));
  q.stop_after = 2;
  g_assert_true (pmt_run_cost (&q, &part, NULL));
  g_assert_cmpint (part.evaluations * 3, ==, whole.evaluations);
  g_assert_cmpuint (part.activation_bytes, ==, whole.activation_bytes);
  q.stop_after = 0;
  q.preview = PMT_PREVIEW_DECODED;
  g_assert_true (pmt_run_cost (&q, &looking, NULL));
  g_assert_cmpfloat (looking.flops, >, whole.flops);
  PmtResult r = run_watched (q, 0);
  g_assert_cmpuint (r.peak_bytes, ==, looking.activation_bytes);
  pmt_result_clear (&r);
}

/* Nothing that is shown changes what is made. */
static void
test_previews (void)
{
  PmtRequest q = request_of ("euler-a", 1);
  PmtResult r[3];
  int drawn[3];
  for (PmtPreview preview = PMT_PREVIEW_LINEAR; preview <= PMT_PREVIEW_DECODED; preview++) {
    q.preview = preview;
    r[preview] = run_watched (q, 0);
    drawn[preview] = seen.pictures;
  }
  runs_assert_equal (&r[PMT_PREVIEW_LINEAR], &r[PMT_PREVIEW_NONE]);
  runs_assert_equal (&r[PMT_PREVIEW_LINEAR], &r[PMT_PREVIEW_DECODED]);
  g_assert_cmpint (drawn[PMT_PREVIEW_NONE], ==, 0);
  g_assert_cmpint (drawn[PMT_PREVIEW_DECODED], ==, r[0].steps_done - 1);
  g_assert_cmpint (seen.last_width, ==, q.width);
  g_assert_cmpint (seen.last_height, ==, q.height);
  for (int i = 0; i < 3; i++)
    pmt_result_clear (&r[i]);
}

/* What was shown of an estimate is what comes of keeping it. */
static void
test_preview_is_what_is_kept (void)
{
  PmtRequest q = request_of ("ddim", 0);
  q.preview = PMT_PREVIEW_DECODED;
  PmtResult kept = run_watched (q, 3);
  g_assert_cmpint (seen.pictures, ==, 3);
  for (int i = 0; i < 3 * q.width * q.height; i++)
    g_assert_cmpint (ABS ((int) seen.last[i] - (int) (255.0f * kept.image[i] + 0.5f)), <=, 1);
  pmt_result_clear (&kept);
}

int
main (int argc, char **argv)
{
  static const RunsTest tests[] = {
    { "/keep/is-stop-after", test_keep_is_stop_after },
    { "/keep/cost", test_cost },
    { "/keep/previews", test_previews },
    { "/keep/preview-is-what-is-kept", test_preview_is_what_is_kept },
    { 0 }
  };
  return runs_main (argc, argv, &runs, &model, tests);
}
