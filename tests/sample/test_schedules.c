/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Schedules and samplers against whole runs of diffusers (tests/reference/make_schedules.py). */
#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

#include "engine/sample/lists.h"
#include "engine/sample/sampler.h"

enum { CHANNELS = 4, AREA = 4, SIZE = CHANNELS * AREA };

static JsonObject *data; /* schedules.json */

/* Lives as long as the test. */
static JsonObject *
load (const char *name)
{
  g_autofree char *path = g_build_filename (g_getenv ("PMT_TEST_DATA"), name, NULL);
  GError *error = NULL;
  JsonParser *parser = json_parser_new ();
  json_parser_load_from_file (parser, path, &error);
  g_assert_no_error (error);
  return json_node_get_object (json_parser_get_root (parser));
}

static void
read_numbers (JsonObject *object, const char *name, double *out, guint n)
{
  JsonArray *array = json_object_get_array_member (object, name);
  g_assert_cmpuint (json_array_get_length (array), ==, n);
  for (guint i = 0; i < n; i++)
    out[i] = json_array_get_double_element (array, i);
}

static void
parse_config (JsonObject *object, PmtScheduleConfig *config)
{
  GError *error = NULL;
  pmt_schedule_config_parse (object, "schedules.json", config, &error);
  g_assert_no_error (error);
}

/* One run of one sampler's file, tests/data/schedules/ID.json. */
typedef struct Case {
  JsonObject *run;
  const char *id;
  PmtScheduleConfig config;
  int steps;
  const char *model;
  double strength, eta;
  bool image, levels_abar, ends_clean;
} Case;

static double
number_or (JsonObject *object, const char *name, double value)
{
  return json_object_has_member (object, name) ? json_object_get_double_member (object, name) : value;
}

static Case
read_case (const char *id, JsonObject *file, JsonObject *run)
{
  JsonObject *about = json_object_get_object_member (file, "reference");
  Case c = { .run = run, .id = id, .steps = (int) json_object_get_int_member (run, "steps"),
             .model = json_object_get_string_member (run, "model"), .strength = number_or (run, "strength", 1.0),
             .eta = number_or (run, "eta", -1.0), .image = json_object_has_member (run, "start"),
             .levels_abar = strcmp (json_object_get_string_member (about, "levels"), "abar") == 0,
             .ends_clean = json_object_has_member (about, "ends_clean") && json_object_get_boolean_member (about, "ends_clean") };
  pmt_schedule_config_init_sd (&c.config);
  parse_config (json_object_get_object_member (file, "base"), &c.config);
  parse_config (json_object_get_object_member (run, "config"), &c.config);
  return c;
}

/* NCHW place of NHWC place k. */
static int
nchw (int k)
{
  return (k % CHANNELS) * AREA + k / CHANNELS;
}

/* The formulas of make_schedules.py's model_output; x and out NHWC. */
static void
model_output (const char *kind, PmtPrediction prediction, int i, PmtLevel level, const float *x, float *out)
{
  const double a = level.a, s = level.s, var = 0.25;
  for (int k = 0; k < SIZE; k++) {
    const int c = nchw (k);
    if (strcmp (kind, "wild") == 0) {
      out[k] = (float) sin (12.9898 * (c + 1) + 78.233 * (i + 1));
      continue;
    }
    const double mu = sin (c + 1.0), total = a * a * var + s * s;
    const double eps = s * (x[k] - a * mu) / total, clean = (a * var * x[k] + s * s * mu) / total;
    out[k] = (float) (prediction == PMT_PREDICT_EPSILON ? eps : prediction == PMT_PREDICT_V ? a * eps - s * clean : clean);
  }
}

static double
check_close (const char *what, const Case *c, const double *want, const float *got, double tolerance)
{
  double top = 0, off = 0;
  for (int k = 0; k < SIZE; k++) {
    top = MAX (top, fabs (want[nchw (k)]));
    off = MAX (off, fabs (want[nchw (k)] - got[k]));
    g_assert_true (isfinite (got[k]));
  }
  if (off > tolerance * top) {
    g_autofree char *text = json_to_string (json_object_get_member (c->run, "config"), FALSE);
    g_error ("%s of %s, %d steps, %s, eta %g, strength %g, %s: off by %g relative", what, c->id, c->steps, c->model, c->eta,
             c->strength, text, off / top);
  }
  return off / top;
}

static void
check_grid (const Case *c, const PmtGrid *grid)
{
  double want[128];
  if (!json_object_has_member (c->run, "timesteps"))
    return;
  read_numbers (c->run, "timesteps", want, grid->n);
  for (int i = 0; i < grid->n; i++)
    g_assert_cmpfloat (fabs (want[i] - grid->timestep[i]), <=, 1e-5 * MAX (1.0, want[i]));
  if (json_object_has_member (c->run, "sigmas")) {
    read_numbers (c->run, "sigmas", want, grid->n + 1);
    for (int i = 0; i <= grid->n; i++)
      g_assert_cmpfloat (fabs (want[i] - grid->sigma[i]), <=, 1e-6 * want[i]);
  }
  g_assert_cmpfloat (fabs (json_object_get_double_member (c->run, "init_sigma") / grid->init_sigma - 1), <, 1e-6);
}

/* The distance of the result, 0 where it says nothing. */
static double
check_run (const Case *c, int64_t seed)
{
  GError *error = NULL;
  PmtSchedule *schedule = pmt_schedule_new (&c->config, &error);
  g_assert_no_error (error);
  const PmtSampler *sampler = pmt_sampler_find (c->id, &error);
  g_assert_no_error (error);
  PmtGrid *grid = sampler->grid (schedule, c->steps, c->strength, &error);
  g_assert_no_error (error);
  check_grid (c, grid);

  const int first = pmt_grid_first (grid, c->strength);
  PmtRng rng;
  pmt_rng_seed (&rng, (uint64_t) seed);
  PmtSolver *solver = pmt_solver_new (sampler, schedule, grid, first, SIZE, CHANNELS, c->eta, &rng, &error);
  g_assert_no_error (error);

  float flat[SIZE], noise[SIZE], clean[SIZE], x[SIZE], shown[SIZE], out[SIZE], guess[SIZE];
  double want[SIZE];
  pmt_rng_normal (&rng, SIZE, flat);
  for (int k = 0; k < SIZE; k++) {
    noise[k] = flat[nchw (k)];
    clean[k] = (float) cos (nchw (k) * 0.7);
    x[k] = (float) (noise[k] * grid->init_sigma);
  }
  if (c->image) {
    sampler->add_noise (solver, first, clean, noise, x);
    read_numbers (c->run, "start", want, SIZE);
    check_close ("start", c, want, x, 1e-6);
  }
  for (int i = first; i < grid->n; i++) {
    if (sampler->scale_input)
      sampler->scale_input (solver, i, x, shown);
    else
      memcpy (shown, x, sizeof x);
    PmtLevel level = c->levels_abar ? pmt_level_from_abar (schedule->abar[(int) grid->timestep[i]])
                                    : pmt_level_from_sigma (grid->sigma[i]);
    model_output (c->model, c->config.prediction, i, level, shown, out);
    sampler->denoised (solver, i, out, x, guess);
    sampler->step (solver, i, out, x);
  }
  read_numbers (c->run, "final", want, SIZE);
  /* Euler's first step from a sigma of 4096 takes a difference of such numbers, of which f32 keeps three places. */
  const bool cancels = grid->init_sigma > 1000;
  const double tolerance = !cancels ? 1e-5 : grid->n == 1 ? 1e-3 : 5e-5;
  const double off = check_close ("result", c, want, x, tolerance);
  if (c->ends_clean && grid->sigma[grid->n] == 0)
    check_close ("last estimate", c, want, guess, tolerance);
  /* where the sampler ends there is no noise left to add */
  sampler->add_noise (solver, grid->n, clean, noise, out);
  for (int k = 0; k < SIZE && grid->sigma[grid->n] == 0; k++)
    g_assert_cmpfloat (out[k], ==, clean[k]);

  pmt_solver_free (solver);
  pmt_grid_free (grid);
  pmt_schedule_free (schedule);
  return cancels ? 0 : off;
}

static void
test_runs (gconstpointer user)
{
  const char *id = user;
  g_autofree char *name = g_strdup_printf ("schedules/%s.json", id);
  JsonObject *file = load (name);
  JsonArray *runs = json_object_get_array_member (file, "runs");
  const guint n = json_array_get_length (runs);
  double worst = 0;
  for (guint i = 0; i < n; i++) {
    const Case c = read_case (id, file, json_array_get_object_element (runs, i));
    worst = MAX (worst, check_run (&c, json_object_get_int_member (file, "seed")));
  }
  g_test_message ("%u runs, at worst %.2g relative", n, worst);
  g_assert_cmpuint (n, >=, 20);
}

/* Four steps of a network that sees the same clean latent in everything, the latent moved by `moved` before the third: where it is then. */
static void
lead (const char *id, float moved, float *x)
{
  PmtScheduleConfig config;
  pmt_schedule_config_init_sd (&config);
  config.prediction = PMT_PREDICT_SAMPLE;
  PmtSchedule *schedule = pmt_schedule_new (&config, NULL);
  const PmtSampler *sampler = pmt_sampler_find (id, NULL);
  PmtGrid *grid = sampler->grid (schedule, 8, 1.0, NULL);
  PmtRng rng;
  pmt_rng_seed (&rng, 3);
  PmtSolver *solver = pmt_solver_new (sampler, schedule, grid, 0, SIZE, CHANNELS, 0, &rng, NULL);
  float clean[SIZE];
  for (int k = 0; k < SIZE; k++) {
    clean[k] = (float) cos (k * 0.7);
    x[k] = (float) (sin (k * 1.3) * grid->init_sigma);
  }
  for (int i = 0; i < 4; i++) {
    for (int k = 0; k < SIZE && i == 2; k++)
      x[k] += moved;
    sampler->step (solver, i, clean, x);
  }
  pmt_solver_free (solver);
  pmt_grid_free (grid);
  pmt_schedule_free (schedule);
}

/* What a method makes of the latent between two steps stays, whatever the sampler remembers of the steps before. */
static void
test_moved (gconstpointer id)
{
  float plain[SIZE], moved[SIZE];
  lead (id, 0, plain);
  lead (id, 0.5f, moved);
  for (int k = 0; k < SIZE; k++) {
    g_assert_cmpfloat (moved[k] - plain[k], >, 0.2);
    g_assert_cmpfloat (moved[k] - plain[k], <, 0.5);
  }
}

static void
test_tables (void)
{
  JsonArray *tables = json_object_get_array_member (data, "tables");
  for (guint i = 0; i < json_array_get_length (tables); i++) {
    JsonObject *table = json_array_get_object_element (tables, i);
    GError *error = NULL;
    PmtScheduleConfig config;
    pmt_schedule_config_init_sd (&config);
    parse_config (json_object_get_object_member (table, "config"), &config);
    PmtSchedule *schedule = pmt_schedule_new (&config, &error);
    g_assert_no_error (error);
    JsonArray *at = json_object_get_array_member (table, "at");
    double want[16], sum = 0;
    read_numbers (table, "abar", want, json_array_get_length (at));
    /* rescaled in f32, where torch's last digits depend on the processor */
    const double tolerance = config.zero_terminal_snr ? 1e-6 : 1e-7;
    for (guint k = 0; k < json_array_get_length (at); k++)
      g_assert_cmpfloat (fabs (schedule->abar[json_array_get_int_element (at, k)] - want[k]), <=, tolerance * want[k]);
    for (int k = 0; k < config.train_steps; k++)
      sum += schedule->abar[k];
    g_assert_cmpfloat (fabs (sum / json_object_get_double_member (table, "sum") - 1), <, 0.2 * tolerance);
    pmt_schedule_free (schedule);
  }
}

/* Whatever the network may predict, taking it apart and putting it together gives the latent back. */
static void
test_predictions (void)
{
  const PmtLevel level = pmt_level_from_abar (0.3);
  const float clean[2] = { 0.4f, -1.5f }, noise[2] = { -0.8f, 0.1f };
  float x[2], c[2], e[2], again[2];
  pmt_level_mix (level, clean, noise, 2, x);
  for (int p = PMT_PREDICT_EPSILON; p <= PMT_PREDICT_SAMPLE; p++) {
    float output[2];
    for (int k = 0; k < 2; k++)
      output[k] = p == PMT_PREDICT_EPSILON ? noise[k]
                : p == PMT_PREDICT_V       ? (float) (level.a * noise[k] - level.s * clean[k])
                                           : clean[k];
    pmt_predict_split ((PmtPrediction) p, level, output, x, 1.0, 2, c, e);
    pmt_level_mix (level, c, e, 2, again);
    for (int k = 0; k < 2; k++) {
      g_assert_cmpfloat (fabsf (c[k] - clean[k]), <, 1e-6f);
      g_assert_cmpfloat (fabsf (e[k] - noise[k]), <, 1e-6f);
      g_assert_cmpfloat (fabsf (again[k] - x[k]), <, 1e-6f);
    }
  }
}

/* A schedule that ends in pure noise under a network that predicts noise: nothing is left of the clean latent there, but nothing is divided
 * by it. */
static void
test_no_signal (void)
{
  PmtScheduleConfig config;
  pmt_schedule_config_init_sd (&config);
  config.zero_terminal_snr = true;
  config.spacing = PMT_SPACING_TRAILING;
  PmtSchedule *schedule = pmt_schedule_new (&config, NULL);
  g_assert_cmpfloat (schedule->abar[config.train_steps - 1], ==, 0.0);
  for (int i = 0; pmt_samplers[i]; i++) {
    GError *error = NULL;
    PmtGrid *grid = pmt_samplers[i]->grid (schedule, 4, 1.0, &error);
    g_assert_no_error (error);
    PmtRng rng;
    pmt_rng_seed (&rng, 1);
    PmtSolver *solver = pmt_solver_new (pmt_samplers[i], schedule, grid, 0, SIZE, CHANNELS, -1, &rng, &error);
    g_assert_no_error (error);
    float x[SIZE], output[SIZE], clean[SIZE];
    for (int k = 0; k < SIZE; k++) {
      x[k] = (float) (sin (k + 1.0) * grid->init_sigma);
      output[k] = (float) cos (k + 1.0);
    }
    for (int step = 0; step < grid->n; step++) {
      pmt_samplers[i]->denoised (solver, step, output, x, clean);
      pmt_samplers[i]->step (solver, step, output, x);
      for (int k = 0; k < SIZE; k++)
        if (!isfinite (x[k]) || !isfinite (clean[k]))
          g_error ("%s gives no numbers in step %d", pmt_samplers[i]->id, step);
    }
    pmt_solver_free (solver);
    pmt_grid_free (grid);
  }
  pmt_schedule_free (schedule);
}

static void
expect (GError *error, int code, const char *part)
{
  g_assert_error (error, PMT_ERROR, code);
  g_assert_nonnull (strstr (error->message, part));
  g_error_free (error);
}

static void
test_errors (void)
{
  GError *error = NULL;
  g_assert_null (pmt_sampler_find ("heun-deluxe", &error));
  expect (g_steal_pointer (&error), PMT_ERROR_INPUT, "dpmpp-2m-karras");

  PmtScheduleConfig config;
  pmt_schedule_config_init_sd (&config);
  PmtSchedule *schedule = pmt_schedule_new (&config, NULL);
  const int bad[] = { 0, -3, 1001 };
  for (int i = 0; pmt_samplers[i]; i++)
    for (guint k = 0; k < G_N_ELEMENTS (bad); k++) {
      g_assert_null (pmt_samplers[i]->grid (schedule, bad[k], 1.0, &error));
      expect (g_steal_pointer (&error), PMT_ERROR_INPUT, "steps");
    }
  /* would start at timestep 1000 with leading spacing and offset 1 */
  g_assert_null (pmt_sampler_find ("ddim", NULL)->grid (schedule, 1000, 1.0, &error));
  expect (g_steal_pointer (&error), PMT_ERROR_INPUT, "fewer steps");
  /* 20 of the 50 steps that such networks were distilled from are left */
  g_assert_null (pmt_sampler_find ("lcm", NULL)->grid (schedule, 21, 0.4, &error));
  expect (g_steal_pointer (&error), PMT_ERROR_INPUT, "1 to 20 steps or a higher strength");
  pmt_schedule_free (schedule);

  config.beta_end = 2.0;
  g_assert_null (pmt_schedule_new (&config, &error));
  expect (g_steal_pointer (&error), PMT_ERROR_INPUT, "scheduler_config.json");

  static const struct {
    const char *json;
    int code;
    const char *part;
  } cases[] = {
    { "{\"beta_schedule\": \"squaredcos_cap_v2\"}", PMT_ERROR_UNSUPPORTED, "squaredcos_cap_v2" },
    { "{\"prediction_type\": \"flow_prediction\"}", PMT_ERROR_UNSUPPORTED, "v_prediction" },
    { "{\"final_sigmas_type\": \"half\"}", PMT_ERROR_UNSUPPORTED, "sigma_min" },
    { "{\"timestep_spacing\": 3}", PMT_ERROR_FORMAT, "timestep_spacing" },
    { "{\"num_train_timesteps\": 10.5}", PMT_ERROR_FORMAT, "num_train_timesteps" },
    { "{\"beta_start\": \"low\"}", PMT_ERROR_FORMAT, "beta_start" },
    { "{\"set_alpha_to_one\": 1}", PMT_ERROR_FORMAT, "set_alpha_to_one" },
    { "{\"trained_betas\": [0.1]}", PMT_ERROR_UNSUPPORTED, "trained_betas" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (JsonNode) node = json_from_string (cases[i].json, NULL);
    g_assert_false (pmt_schedule_config_parse (json_node_get_object (node), "dir/scheduler_config.json", &config, &error));
    g_assert_nonnull (strstr (error->message, "dir/scheduler_config.json"));
    expect (g_steal_pointer (&error), cases[i].code, cases[i].part);
  }
}

static void
test_list (void)
{
  g_autoptr (JsonNode) node = pmt_samplers_to_json ();
  JsonArray *array = json_node_get_array (node);
  guint n = 0;
  while (pmt_samplers[n])
    n++;
  g_assert_cmpuint (json_array_get_length (array), ==, n);
  for (guint i = 0; i < n; i++) {
    JsonObject *object = json_array_get_object_element (array, i);
    g_assert_true (pmt_sampler_find (json_object_get_string_member (object, "id"), NULL) == pmt_samplers[i]);
    g_assert_cmpstr (json_object_get_string_member (object, "label"), ==, pmt_samplers[i]->label);
  }
}

static const char *const lead_by[] = { "ddim", "euler", "dpmpp-2m", "unipc" };

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  data = load ("schedules.json");
  g_test_add_func ("/schedule/tables", test_tables);
  g_test_add_func ("/schedule/predictions", test_predictions);
  g_test_add_func ("/schedule/no-signal", test_no_signal);
  g_test_add_func ("/schedule/errors", test_errors);
  g_test_add_func ("/samplers/list", test_list);
  for (int i = 0; pmt_samplers[i]; i++) {
    g_autofree char *path = g_strconcat ("/samplers/", pmt_samplers[i]->id, NULL);
    g_test_add_data_func (path, pmt_samplers[i]->id, test_runs);
  }
  for (guint i = 0; i < G_N_ELEMENTS (lead_by); i++) {
    g_autofree char *path = g_strconcat ("/samplers/moved/", lead_by[i], NULL);
    g_test_add_data_func (path, lead_by[i], test_moved);
  }
  return g_test_run ();
}
