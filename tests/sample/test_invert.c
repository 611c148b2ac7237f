/* SPDX-License-Identifier: GPL-3.0-or-later */
/* DDIM inversion against diffusers (make_schedules.py, make_runs.py), and there and back. */
#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

#include "engine/ops/ops.h"
#include "engine/sample/invert.h"
#include "tests/sample/runs.h"

enum { SIZE = 16, LATENT = 4 * 8 * 6 };

static Runs runs;

/* ---- the steps, with the network that make_schedules.py calls gauss ------------------------------------------------------ */

static void
gauss (PmtPrediction prediction, PmtLevel level, const float *x, float *out)
{
  const double a = level.a, s = level.s, var = 0.25;
  for (int k = 0; k < SIZE; k++) {
    const double mu = sin (k + 1.0), total = a * a * var + s * s;
    const double eps = s * (x[k] - a * mu) / total, clean = (a * var * x[k] + s * s * mu) / total;
    out[k] = (float) (prediction == PMT_PREDICT_EPSILON ? eps : prediction == PMT_PREDICT_V ? a * eps - s * clean : clean);
  }
}

static void
climb (const PmtSchedule *schedule, int steps, const double *timesteps, float *x)
{
  float out[SIZE];
  for (int i = 0; i < steps; i++) {
    gauss (schedule->config.prediction, pmt_level_from_abar (schedule->abar[(int) timesteps[i]]), x, out);
    pmt_invert_step (schedule, steps, timesteps[i], out, SIZE, x);
  }
}

static void
test_steps (void)
{
  g_autofree char *path = g_build_filename (g_getenv ("PMT_TEST_DATA"), "schedules.json", NULL);
  g_autoptr (JsonParser) parser = json_parser_new ();
  GError *error = NULL;
  json_parser_load_from_file (parser, path, &error);
  g_assert_no_error (error);
  JsonArray *all = json_object_get_array_member (json_node_get_object (json_parser_get_root (parser)), "inversions");
  g_assert_cmpuint (json_array_get_length (all), >=, 30);
  double worst = 0;
  for (guint i = 0; i < json_array_get_length (all); i++) {
    JsonObject *c = json_array_get_object_element (all, i);
    JsonArray *want = json_object_get_array_member (c, "final"), *at = json_object_get_array_member (c, "timesteps");
    const int steps = (int) json_object_get_int_member (c, "steps");
    PmtScheduleConfig config;
    pmt_schedule_config_init_sd (&config);
    g_assert_true (pmt_schedule_config_parse (json_object_get_object_member (c, "config"), "schedules.json", &config, NULL));
    PmtSchedule *schedule = pmt_schedule_new (&config, NULL);
    g_autofree double *timesteps = pmt_invert_timesteps (schedule, steps, &error);
    g_assert_no_error (error);
    for (int k = 0; k < steps; k++)
      g_assert_cmpfloat (timesteps[k], ==, json_array_get_double_element (at, (guint) k));
    float x[SIZE], wanted[SIZE];
    for (int k = 0; k < SIZE; k++) {
      x[k] = (float) cos (k * 0.7);
      wanted[k] = (float) json_array_get_double_element (want, (guint) k);
    }
    climb (schedule, steps, timesteps, x);
    const double off = runs_distance (x, wanted, SIZE);
    worst = MAX (worst, off);
    g_assert_cmpfloat (off, <, 1e-5);
    pmt_schedule_free (schedule);
  }
  g_test_message ("%u inversions, at worst %.2g relative", json_array_get_length (all), worst);

  PmtScheduleConfig config;
  pmt_schedule_config_init_sd (&config);
  PmtSchedule *schedule = pmt_schedule_new (&config, NULL);
  g_assert_null (pmt_invert_timesteps (schedule, 0, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
  g_error_free (error);
  pmt_schedule_free (schedule);
}

/* Up by inversion, down by DDIM: the more steps, the nearer to where it began. */
static double
there_and_back (int steps)
{
  PmtScheduleConfig config;
  pmt_schedule_config_init_sd (&config);
  PmtSchedule *schedule = pmt_schedule_new (&config, NULL);
  const PmtSampler *ddim = pmt_sampler_find ("ddim", NULL);
  PmtGrid *grid = ddim->grid (schedule, steps, 1.0, NULL);
  PmtSolver *solver = pmt_solver_new (ddim, schedule, grid, 0, SIZE, 4, 0, NULL, NULL);
  g_autofree double *timesteps = pmt_invert_timesteps (schedule, steps, NULL);
  float clean[SIZE], x[SIZE], out[SIZE];
  for (int k = 0; k < SIZE; k++)
    x[k] = clean[k] = (float) cos (k * 0.7);
  climb (schedule, steps, timesteps, x);
  g_assert_cmpfloat (runs_distance (x, clean, SIZE), >, 0.5); /* it has gone somewhere */
  for (int i = 0; i < steps; i++) {
    gauss (config.prediction, pmt_level_from_abar (schedule->abar[(int) grid->timestep[i]]), x, out);
    ddim->step (solver, i, out, x);
  }
  pmt_solver_free (solver);
  pmt_grid_free (grid);
  pmt_schedule_free (schedule);
  return runs_distance (x, clean, SIZE);
}

static void
test_round_trip (void)
{
  const double few = there_and_back (20), many = there_and_back (100), most = there_and_back (500);
  g_test_message ("back within %.2g, %.2g and %.2g relative", few, many, most);
  g_assert_cmpfloat (many, <, 0.5 * few);
  g_assert_cmpfloat (most, <, 0.5 * many);
  g_assert_cmpfloat (most, <, 0.02);
}

/* ---- with networks, from a method's plan ---------------------------------------------------------------------------------- */

typedef struct Probe {
  int steps;
  const char *prompt; /* NULL: the request's */
  bool keep_path, start;
  float clean[LATENT], noised[LATENT], path_end[LATENT], path_begin[LATENT]; /* NCHW */
  int calls;
} Probe;

static Probe *probe; /* of the run in progress */

static void
take (const PmtRun *run, PmtTensor t, float *out)
{
  if (!run->ctx.dry)
    pmt_nhwc_to_nchw (t.data, out, 1, 4, 6, 8);
}

static gboolean
probe_plan (void *s, PmtRun *run, GError **error)
{
  PmtTensor moments, clean, noised, path[16];
  PmtInversion v = { .steps = probe->steps };
  if (probe->prompt && !pmt_run_encode_text (run, probe->prompt, &v.text, NULL, error))
    return FALSE;
  if (!pmt_run_encode (run, NULL, &moments, error))
    return FALSE;
  PmtTensor mode = pmt_vae_sample (&run->ctx, run->vae, moments, PMT_NO_TENSOR, true);
  clean = pmt_run_keep (run, mode, error);
  if (!clean.data || !pmt_run_invert (run, 0, &v, clean, probe->keep_path ? path : NULL, &noised, error))
    return FALSE;
  take (run, clean, probe->clean);
  take (run, noised, probe->noised);
  if (probe->keep_path) {
    take (run, path[0], probe->path_begin);
    take (run, path[probe->steps], probe->path_end);
  }
  if (probe->start) {
    if (!run->ctx.dry)
      memcpy (run->tracks[0]->latent.data, noised.data, sizeof probe->noised);
    run->tracks[0]->started = true;
  }
  return TRUE;
}

static gboolean
probe_call (void *s, PmtRun *run, PmtStep *step, GError **error)
{
  g_assert_cmpint (step->n_call_rows, ==, 1);
  probe->calls += run->ctx.dry ? 0 : 1;
  return TRUE;
}

static const PmtMethod probe_method = { .id = "probe", .order = 300, .plan = probe_plan, .call = probe_call };

static PmtResult
probe_run (PmtModel *model, Probe *p, int steps)
{
  PmtMethodUse use = { .method = &probe_method };
  PmtRequest q = runs_request (&runs, model);
  q.prompt = "a red circle left of a blue house";
  q.steps = steps;
  q.image = runs.picture;
  q.methods = &use;
  q.n_methods = 1;
  probe = p;
  PmtResult result = runs_do (&q);
  PmtCost cost;
  g_assert_true (pmt_run_cost (&q, &cost, NULL));
  g_assert_cmpuint (cost.activation_bytes, ==, result.peak_bytes);
  return result;
}

static void
check_network (const char *name, const char *model_name, int steps)
{
  PmtModel *model = runs_model (model_name);
  g_autofree char *clean_key = g_strconcat (name, ".clean", NULL), *noised_key = g_strconcat (name, ".noised", NULL);
  g_autofree float *clean = runs_tensor (&runs, clean_key, LATENT), *noised = runs_tensor (&runs, noised_key, LATENT);
  Probe p = { .steps = steps, .keep_path = true };
  PmtResult result = probe_run (model, &p, 2);
  const double off = runs_distance (p.noised, noised, LATENT);
  g_test_message ("%s: clean %.2g, inverted %.2g relative", name, runs_distance (p.clean, clean, LATENT), off);
  g_assert_cmpfloat (runs_distance (p.clean, clean, LATENT), <, 1e-4);
  g_assert_cmpfloat (off, <, 1e-3);
  g_assert_cmpmem (p.path_begin, sizeof p.path_begin, p.clean, sizeof p.clean);
  g_assert_cmpmem (p.path_end, sizeof p.path_end, p.noised, sizeof p.noised);
  g_assert_cmpint (p.calls, ==, steps + result.steps_done);

  Probe other = { .steps = steps, .prompt = "blue house" };
  PmtResult again = probe_run (model, &other, 2);
  g_assert_cmpfloat (runs_distance (other.noised, p.noised, LATENT), >, 1e-3); /* the context counts */
  pmt_result_clear (&again);
  pmt_result_clear (&result);
  pmt_model_unref (model);
}

static void
test_network (void)
{
  check_network ("invert", "tiny", 6);
}

static void
test_network_v (void)
{
  check_network ("invert-v", "tiny-v", 4);
}

/* From the inverted latent DDIM comes back towards the picture's latent, from other noise it does not. (Networks of random weights bend the way
 * so much that it takes many steps to come near.) */
static void
test_picture_comes_back (void)
{
  PmtModel *model = runs_model ("tiny");
  Probe p = { .start = true };
  PmtResult back = probe_run (model, &p, 150);
  Probe q = { 0 };
  PmtResult other = probe_run (model, &q, 150);
  const double near = runs_distance (back.latent, p.clean, LATENT), far = runs_distance (other.latent, p.clean, LATENT);
  g_test_message ("from the inverted latent within %.2g relative of the picture's, from noise %.2g", near, far);
  g_assert_cmpfloat (near, <, 0.03 * far);
  pmt_result_clear (&back);
  pmt_result_clear (&other);
  pmt_model_unref (model);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  runs_open (&runs);
  g_test_add_func ("/invert/steps", test_steps);
  g_test_add_func ("/invert/round-trip", test_round_trip);
  g_test_add_func ("/invert/network", test_network);
  g_test_add_func ("/invert/network-v", test_network_v);
  g_test_add_func ("/invert/picture-comes-back", test_picture_comes_back);
  int status = g_test_run ();
  runs_close (&runs);
  return status;
}
