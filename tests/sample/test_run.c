/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The run loop by itself: memory told in advance, batches, keep, cancel, progress, tracks and hooks, refusals. */
#include <math.h>
#include <string.h>

#include "tests/sample/runs.h"

static Runs runs;
static PmtModel *model;

/* The tasks that differ in what they allocate. */
static PmtRequest
request_of (int task)
{
  PmtRequest q = runs_request (&runs, model);
  q.guidance = task == 0 ? 1 : 6;
  q.image = task >= 2 ? runs.picture : NULL;
  q.mask = task >= 3 ? runs.mask : NULL;
  q.fill = task == 4;
  return q;
}

enum { TASKS = 5 };

/* The dry run's peak is the real one, to the byte; and the same work is counted. */
static void
test_cost (void)
{
  for (int task = 0; task < TASKS; task++)
    for (int rows = 0; rows < 2; rows++) {
      PmtRequest q = request_of (task);
      q.rows_per_call = rows;
      PmtCost cost;
      GError *error = NULL;
      pmt_run_cost (&q, &cost, &error);
      g_assert_no_error (error);
      PmtResult r = runs_do (&q);
      g_assert_cmpuint (cost.activation_bytes, ==, r.peak_bytes);
      g_assert_cmpint (cost.evaluations, ==, r.steps_done * (q.guidance == 1 ? 1 : 2));
      g_assert_cmpfloat (cost.flops, >, 1e7);
      g_assert_cmpuint (cost.weight_bytes, >, 100000);
      pmt_result_clear (&r);
    }
}

static void
test_cost_loads_nothing (void)
{
  PmtModel *fresh = runs_model ("tiny");
  PmtRequest q = request_of (3);
  q.model = fresh;
  PmtCost cost;
  g_assert_true (pmt_run_cost (&q, &cost, NULL));
  g_assert_cmpuint (pmt_model_resident_bytes (fresh), ==, 0);
  PmtResult r = runs_do (&q);
  g_assert_cmpuint (pmt_model_resident_bytes (fresh), ==, cost.weight_bytes);
  pmt_result_clear (&r);
  pmt_model_unref (fresh);
}

static gboolean
crowd (void *user, PmtRun *run, PmtStep *step, GError **error)
{
  for (int i = 0; i < 60; i++)
    pmt_rows_add_like (&step->rows, 0, "crowd");
  return TRUE;
}

/* A run that does not fit is refused with both numbers, before anything is loaded. Where single rows fit, they are used, and the
 * picture stays the same. */
static void
test_memory (void)
{
  PmtModel *fresh = runs_model ("tiny");
  static const PmtMethod crowded = { .id = "crowded", .order = 10, .branch = crowd };
  static const PmtMethod together = { .id = "together", .order = 10, .branch = crowd, .whole_batch = true };
  PmtMethodUse use = { .method = &crowded };
  PmtRequest q = request_of (1);
  q.model = fresh;
  q.methods = &use;
  q.n_methods = 1;
  PmtCost all, single;
  g_assert_true (pmt_run_cost (&q, &all, NULL));
  q.rows_per_call = 1;
  g_assert_true (pmt_run_cost (&q, &single, NULL));
  q.rows_per_call = 0;
  g_assert_cmpuint (single.activation_bytes, <, all.activation_bytes);

  PmtResult r;
  GError *error = NULL;
  q.memory_limit = single.weight_bytes + single.activation_bytes - 1;
  g_assert_false (pmt_run (&q, &r, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_MEMORY);
  g_assert_nonnull (strstr (error->message, "64 x 48"));
  g_assert_nonnull (strstr (error->message, "needs"));
  g_assert_nonnull (strstr (error->message, "free"));
  g_assert_null (r.image);
  g_clear_error (&error);
  g_assert_cmpuint (pmt_model_resident_bytes (fresh), ==, 0);

  q.memory_limit++;
  use.method = &together; /* needs all rows at once, so single ones are no way out */
  g_assert_false (pmt_run (&q, &r, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_MEMORY);
  g_clear_error (&error);
  use.method = &crowded;
  PmtResult tight = runs_do (&q);
  g_assert_cmpuint (tight.peak_bytes, ==, single.activation_bytes);
  q.memory_limit = 0;
  PmtResult wide = runs_do (&q);
  g_assert_cmpuint (wide.peak_bytes, ==, all.activation_bytes);
  runs_assert_equal (&tight, &wide);
  pmt_result_clear (&tight);
  pmt_result_clear (&wide);
  pmt_model_unref (fresh);
}

static void
test_batch (void)
{
  for (int task = 1; task < TASKS; task++) {
    PmtRequest q = request_of (task);
    PmtResult all = runs_do (&q);
    q.rows_per_call = 1;
    PmtResult single = runs_do (&q);
    runs_assert_equal (&all, &single);
    pmt_result_clear (&all);
    pmt_result_clear (&single);
  }
}

static void
test_seeds (void)
{
  PmtRequest q = request_of (1);
  PmtResult a = runs_do (&q), b = runs_do (&q);
  runs_assert_equal (&a, &b);
  q.seed++;
  PmtResult c = runs_do (&q);
  runs_assert_differ (&a, &c);
  pmt_result_clear (&a);
  pmt_result_clear (&b);
  pmt_result_clear (&c);
}

/* ---- progress, keep, cancel -------------------------------------------------------------------------------------------- */

typedef struct Watch {
  int reports, last_step;
  double fraction;
  PmtStage stage;
  bool seen[5];
  int previews;
  atomic_bool keep;
  int keep_at;
  PmtCancel cancel;
  int cancel_at;
  gint64 asked;
} Watch;

static void
watch (void *user, const PmtProgress *p)
{
  Watch *w = user;
  w->reports++;
  w->seen[p->stage] = true;
  g_assert_cmpint (p->stage, >=, w->stage);
  g_assert_cmpfloat (p->fraction, >=, w->fraction);
  g_assert_cmpfloat (p->fraction, <=, 1);
  g_assert_true (p->eta < 0 || (isfinite (p->eta) && p->eta < 3600));
  if (p->stage == PMT_STAGE_SAMPLE && p->stage == w->stage)
    g_assert_cmpint (p->step, >=, w->last_step);
  if (p->latent.data) {
    g_assert_cmpint (p->stage, ==, PMT_STAGE_SAMPLE);
    g_assert_cmpint (p->latent.shape.dim[1] * 8, ==, runs.height);
    g_assert_true (isfinite (p->latent.data[0]));
    w->previews++;
  }
  w->stage = p->stage;
  w->fraction = p->fraction;
  w->last_step = p->step;
  if (w->keep_at && p->stage == PMT_STAGE_SAMPLE && p->step == w->keep_at)
    atomic_store (&w->keep, true);
  if (w->cancel_at && p->stage == PMT_STAGE_SAMPLE && p->step == w->cancel_at) {
    w->asked = g_get_monotonic_time ();
    pmt_cancel_request (&w->cancel);
  }
}

static void
test_progress (void)
{
  Watch w = { 0 };
  PmtRequest q = request_of (2);
  q.progress = watch;
  q.progress_user = &w;
  PmtResult r = runs_do (&q);
  for (int i = 0; i < 5; i++)
    g_assert_true (w.seen[i]);
  g_assert_cmpfloat (w.fraction, ==, 1);
  g_assert_cmpint (w.previews, >=, r.steps_done);
  g_assert_cmpstr (pmt_stage_name (PMT_STAGE_ENCODE), ==, "encode");
  pmt_result_clear (&r);
}

/* The kept picture is the clean estimate after the steps that were done: with DDIM, one last step of infinite length. */
static void
test_keep (void)
{
  Watch w = { .keep_at = 3 };
  PmtRequest q = request_of (1);
  q.steps = 8;
  PmtResult full = runs_do (&q);
  q.progress = watch;
  q.progress_user = &w;
  q.keep = &w.keep;
  PmtResult kept = runs_do (&q);
  g_assert_cmpint (kept.steps_done, ==, 3);
  g_assert_cmpint (full.steps_done, ==, 8);
  g_assert_cmpfloat (w.fraction, ==, 1);
  runs_assert_differ (&full, &kept);
  pmt_result_clear (&full);
  pmt_result_clear (&kept);
}

static void
test_cancel (void)
{
  for (int task = 0; task < TASKS; task++) {
    Watch w = { .cancel_at = 2 };
    PmtRequest q = request_of (task);
    GError *error = NULL;
    PmtResult r;
    q.steps = 200;
    q.cancel = &w.cancel;
    q.progress = watch;
    q.progress_user = &w;
    g_assert_false (pmt_run (&q, &r, &error));
    g_assert_error (error, PMT_ERROR, PMT_ERROR_CANCELLED);
    g_assert_cmpint (g_get_monotonic_time () - w.asked, <, G_USEC_PER_SEC / 2);
    g_assert_null (r.image);
    g_assert_null (r.latent);
    g_clear_error (&error);

    /* asked before the start */
    g_assert_false (pmt_run (&q, &r, &error));
    g_assert_error (error, PMT_ERROR, PMT_ERROR_CANCELLED);
    g_clear_error (&error);
  }
}

static gpointer
cancel_later (gpointer user)
{
  g_usleep (150000);
  ((Watch *) user)->asked = g_get_monotonic_time ();
  pmt_cancel_request (&((Watch *) user)->cancel);
  return NULL;
}

/* From another thread, in the middle of a picture that is large for this network. */
static void
test_cancel_inside (void)
{
  Watch w = { 0 };
  PmtRequest q = request_of (1);
  GError *error = NULL;
  PmtResult r;
  q.width = q.height = 512;
  q.steps = 400;
  q.cancel = &w.cancel;
  GThread *thread = g_thread_new ("cancel", cancel_later, &w);
  g_assert_false (pmt_run (&q, &r, &error));
  const gint64 now = g_get_monotonic_time ();
  g_thread_join (thread);
  g_assert_error (error, PMT_ERROR, PMT_ERROR_CANCELLED);
  g_assert_cmpint (now - w.asked, <, G_USEC_PER_SEC / 2);
  g_clear_error (&error);
}

/* ---- tracks and hooks -------------------------------------------------------------------------------------------------- */

static gboolean
second_track (void *user, PmtRun *run, GError **error)
{
  int track = pmt_run_add_track (run, run->latent_height, run->latent_width, error);
  if (track < 0)
    return FALSE;
  run->result_track = track;
  PmtConditioning made;
  if (!pmt_run_encode_text (run, "blue house and circle", &made, NULL, error))
    return FALSE;
  run->tracks[track]->context = made.context;
  return TRUE;
}

/* A second track with a prompt of its own runs as if it were alone, batched with the first or not, with a sampler that draws noise
 * and one that remembers. */
static void
test_tracks (void)
{
  static const PmtMethod twin = { .id = "twin", .order = 10, .plan = second_track };
  static const char *const samplers[] = { "euler-a", "dpmpp-2m" };
  PmtMethodUse use = { .method = &twin };
  for (guint i = 0; i < G_N_ELEMENTS (samplers); i++)
    for (int rows = 0; rows < 2; rows++) {
      PmtRequest q = request_of (1);
      q.sampler = pmt_sampler_find (samplers[i], NULL);
      q.rows_per_call = rows;
      PmtResult first = runs_do (&q);
      q.methods = &use;
      q.n_methods = 1;
      PmtCost cost;
      g_assert_true (pmt_run_cost (&q, &cost, NULL));
      g_assert_cmpint (cost.evaluations, ==, 4 * q.steps);
      PmtResult both = runs_do (&q);
      q.methods = NULL;
      q.n_methods = 0;
      q.prompt = "blue house and circle";
      PmtResult alone = runs_do (&q);
      runs_assert_equal (&both, &alone);
      runs_assert_differ (&both, &first);
      pmt_result_clear (&first);
      pmt_result_clear (&both);
      pmt_result_clear (&alone);
    }
}

/* Windows of a canvas as tracks: track 0 is the canvas, and the picture is what the windows make of it. */
typedef struct Windows {
  int n, from[2], width;
} Windows;

static Windows windows;

static gboolean
windows_plan (void *user, PmtRun *run, GError **error)
{
  PmtTrack *canvas = run->tracks[0];
  PmtTensor noise;
  if (!pmt_run_initial_noise (run, 0, &noise, error))
    return FALSE;
  canvas->passive = canvas->started = true;
  for (int64_t i = 0; i < pmt_tensor_size (noise); i++)
    canvas->latent.data[i] = (float) (noise.data[i] * run->grid->init_sigma);
  for (int i = 0; i < windows.n; i++) {
    int track = pmt_run_add_track (run, run->latent_height, windows.width, error);
    if (track < 0)
      return FALSE;
    run->tracks[track]->started = true;
  }
  return TRUE;
}

/* Copies a window out of (PRE) or into (POST) the canvas. */
static gboolean
windows_latent (void *user, PmtRun *run, PmtStep *step, int track, PmtLatentStage stage, bool *moved, GError **error)
{
  if (track == 0 || stage == PMT_LATENT_STEP || stage == PMT_LATENT_END)
    return TRUE;
  const int64_t c = run->latent_channels, from = windows.from[track - 1], wide = run->latent_width, narrow = windows.width;
  float *canvas = run->tracks[0]->latent.data, *window = run->tracks[track]->latent.data;
  for (int64_t y = 0; y < run->latent_height; y++)
    for (int64_t k = 0; k < narrow * c; k++) {
      float *a = canvas + (y * wide + from) * c + k, *b = window + y * narrow * c + k;
      if (stage == PMT_LATENT_PRE)
        *b = *a;
      else
        *a = *b;
    }
  return TRUE;
}

static void
test_windows (void)
{
  static const PmtMethod method = { .id = "windows", .order = 10, .plan = windows_plan, .latent = windows_latent };
  PmtMethodUse use = { .method = &method };
  PmtRequest q = request_of (1);
  q.sampler = pmt_sampler_find ("dpmpp-2m", NULL);
  PmtResult plain = runs_do (&q);
  q.methods = &use;
  q.n_methods = 1;

  windows = (Windows) { .n = 1, .width = 8 }; /* one that covers all: the plain run, solver's memory included */
  PmtResult one = runs_do (&q);
  runs_assert_equal (&plain, &one);

  windows = (Windows) { .n = 2, .from = { 0, 4 }, .width = 4 }; /* two halves: another picture, in rows of another size */
  PmtResult two = runs_do (&q);
  runs_assert_differ (&plain, &two);
  PmtCost cost;
  g_assert_true (pmt_run_cost (&q, &cost, NULL));
  g_assert_cmpint (cost.evaluations, ==, 4 * q.steps);
  g_assert_cmpuint (cost.activation_bytes, ==, two.peak_bytes);
  pmt_result_clear (&plain);
  pmt_result_clear (&one);
  pmt_result_clear (&two);
}

static GString *calls;

static void *
log_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  return g_strdup (run->ctx.dry ? "" : "x");
}

static void
add_call (void *state, const char *name)
{
  if (*(char *) state) /* not in the dry run */
    g_string_append (calls, name);
}

static gboolean
log_text (void *s, PmtRun *run, GError **error)
{
  g_assert_nonnull (run->context.data);
  add_call (s, "text ");
  return TRUE;
}

static gboolean
log_plan (void *s, PmtRun *run, GError **error)
{
  g_assert_cmpint (run->n_tracks, ==, 1);
  add_call (s, "plan ");
  return TRUE;
}

static gboolean
log_branch (void *s, PmtRun *run, PmtStep *step, GError **error)
{
  g_assert_cmpint (step->rows.n, ==, 1);
  add_call (s, "branch ");
  return TRUE;
}

static gboolean
log_combine (void *s, PmtRun *run, PmtStep *step, int track, GError **error)
{
  const PmtRow *row = pmt_rows_find (&step->rows, track, PMT_ROW_COND);
  g_assert_cmpmem (row->prediction.data, 64, run->tracks[track]->prediction.data, 64);
  add_call (s, "combine ");
  return TRUE;
}

static gboolean
log_latent (void *s, PmtRun *run, PmtStep *step, int track, PmtLatentStage stage, bool *moved, GError **error)
{
  static const char *const names[] = { "pre ", "step ", "post ", "end " };
  add_call (s, names[stage]);
  return TRUE;
}

static void
test_order (void)
{
  static const PmtMethod logger = { .id = "logger", .order = 10, .state_new = log_new, .state_free = g_free, .text = log_text,
                                    .plan = log_plan, .branch = log_branch, .combine = log_combine, .latent = log_latent };
  PmtMethodUse use = { .method = &logger };
  PmtRequest q = request_of (0);
  q.steps = 2;
  PmtResult plain = runs_do (&q);
  q.methods = &use;
  q.n_methods = 1;
  calls = g_string_new (NULL);
  PmtResult logged = runs_do (&q);
  runs_assert_equal (&plain, &logged);
  g_assert_cmpstr (calls->str, ==, "text plan pre branch combine step post pre branch combine step post end ");
  g_string_free (calls, TRUE);
  pmt_result_clear (&plain);
  pmt_result_clear (&logged);
}

/* A method that takes the step itself, by a nested prediction at the same place: moved tracks are not stepped again, and the nested
 * rows see what the loop's rows saw. */
static gboolean
own_step (void *s, PmtRun *run, PmtStep *step, int track, PmtLatentStage stage, bool *moved, GError **error)
{
  if (stage != PMT_LATENT_STEP)
    return TRUE;
  PmtTrack *t = run->tracks[track];
  PmtStep nested = *step;
  nested.rows = (PmtRows) { 0 };
  gboolean ok = pmt_run_add_row (run, &nested, track, error) && pmt_run_predict (run, &nested, error);
  if (ok) {
    g_assert_cmpmem (nested.rows.row[0].prediction.data, 64, t->prediction.data, 64);
    run->request->sampler->step (t->solver, step->grid_i, nested.rows.row[0].prediction.data, t->latent.data);
    *moved = true;
  }
  pmt_rows_clear (&nested.rows);
  return ok;
}

static void
test_nested (void)
{
  static const PmtMethod own = { .id = "own", .order = 10, .latent = own_step };
  PmtMethodUse use = { .method = &own };
  PmtRequest q = request_of (0);
  PmtResult plain = runs_do (&q);
  q.methods = &use;
  q.n_methods = 1;
  PmtResult nested = runs_do (&q);
  runs_assert_equal (&plain, &nested);
  PmtCost cost;
  g_assert_true (pmt_run_cost (&q, &cost, NULL));
  g_assert_cmpint (cost.evaluations, ==, 2 * q.steps);
  g_assert_cmpuint (cost.activation_bytes, ==, nested.peak_bytes);
  pmt_result_clear (&plain);
  pmt_result_clear (&nested);
}

static gboolean
fail_at_two (void *s, PmtRun *run, PmtStep *step, GError **error)
{
  if (step->i < 2 || run->ctx.dry)
    return TRUE;
  pmt_context_fail (&run->ctx, PMT_ERROR_INTERNAL, "The test method gave up; this is what it is for.");
  return TRUE;
}

static void
test_failing_hook (void)
{
  static const PmtMethod fails = { .id = "fails", .order = 10, .branch = fail_at_two };
  PmtMethodUse use = { .method = &fails };
  PmtRequest q = request_of (0);
  PmtResult r;
  GError *error = NULL;
  q.methods = &use;
  q.n_methods = 1;
  g_assert_false (pmt_run (&q, &r, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INTERNAL);
  g_assert_null (r.image);
  g_clear_error (&error);
}

/* ---- refusals ---------------------------------------------------------------------------------------------------------- */

static void
test_refusals (void)
{
  const int sizes[][2] = { { 60, 48 }, { 64, 0 }, { -8, 64 }, { 64, 20000 } };
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
    PmtRequest q = request_of (0);
    q.width = sizes[i][0];
    q.height = sizes[i][1];
    runs_refused (&q, PMT_ERROR_INPUT, "multiples of 8");
  }
  const double strengths[] = { 0, -1, 1.01, NAN };
  for (guint i = 0; i < G_N_ELEMENTS (strengths); i++) {
    PmtRequest q = request_of (2);
    q.strength = strengths[i];
    runs_refused (&q, PMT_ERROR_INPUT, "strength");
  }
  PmtRequest q = request_of (0);
  q.steps = 0;
  runs_refused (&q, PMT_ERROR_INPUT, "steps");
  q = request_of (0);
  q.eta = 2;
  runs_refused (&q, PMT_ERROR_INPUT, "eta");
  q = request_of (0);
  q.mask = runs.mask;
  runs_refused (&q, PMT_ERROR_INPUT, "mask");

  static const char *const enemies[] = { "guidance", NULL };
  static const PmtMethod loner = { .id = "loner", .order = 10, .conflicts = enemies };
  PmtMethodUse uses[2] = { { .method = &loner }, { .method = &loner } };
  q = request_of (1);
  q.methods = uses;
  q.n_methods = 1;
  runs_refused (&q, PMT_ERROR_INPUT, "loner and guidance");
  q = request_of (0);
  q.methods = uses;
  q.n_methods = 2;
  runs_refused (&q, PMT_ERROR_INPUT, "twice");
}

static void
test_model (void)
{
  GError *error = NULL;
  g_assert_cmpint (pmt_model_size_multiple (model), ==, 8);
  g_assert_cmpint (pmt_model_native_size (model), ==, 64);
  g_assert_cmpint (pmt_model_unet_channels (model, false), ==, 4);
  g_assert_cmpint (pmt_model_unet_channels (model, true), ==, 9);
  g_assert_cmpint (pmt_model_schedule (model)->prediction, ==, PMT_PREDICT_EPSILON);
  PmtModel *v = runs_model ("tiny-v");
  g_assert_cmpint (pmt_model_unet_channels (v, true), ==, 4);
  g_assert_cmpint (pmt_model_schedule (v)->prediction, ==, PMT_PREDICT_V);
  g_assert_true (pmt_model_schedule (v)->zero_terminal_snr);
  g_assert_cmpstr (pmt_model_hash (v), !=, pmt_model_hash (model));
  PmtModel *again = pmt_model_ref (v);
  pmt_model_unref (v);
  g_assert_nonnull (strstr (pmt_model_path (again), "tiny-v"));
  pmt_model_unref (again);
  g_assert_null (pmt_model_open ("/nowhere/at/all", &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_NOT_FOUND);
  g_clear_error (&error);
}

int
main (int argc, char **argv)
{
  static const RunsTest tests[] = {
    { "/run/cost", test_cost },
    { "/run/cost-loads-nothing", test_cost_loads_nothing },
    { "/run/memory", test_memory },
    { "/run/batch-or-single", test_batch },
    { "/run/seeds", test_seeds },
    { "/run/progress", test_progress },
    { "/run/keep", test_keep },
    { "/run/cancel", test_cancel },
    { "/run/cancel-inside", test_cancel_inside },
    { "/run/tracks", test_tracks },
    { "/run/windows", test_windows },
    { "/run/order", test_order },
    { "/run/nested", test_nested },
    { "/run/failing-hook", test_failing_hook },
    { "/run/refusals", test_refusals },
    { "/run/model", test_model },
    { 0 }
  };
  return runs_main (argc, argv, &runs, &model, tests);
}
