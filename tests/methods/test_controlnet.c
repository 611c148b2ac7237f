/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs with ControlNets against diffusers' pipelines; what strength 0 and ranges leave alone; what is refused. */
#include <glib/gstdio.h>
#include <string.h>

#include "tests/sample/control_runs.h"

static PmtModel *sd, *xl;

typedef struct Setup {
  PmtRequest request;
  PmtControl control;
  char *path;
  float *picture;
} Setup;

static Setup *
set_up (PmtModel *model, const char *net)
{
  Setup *s = g_new0 (Setup, 1);
  s->request = control_runs_request (model);
  s->path = control_runs_net (net);
  s->picture = control_runs_picture ("lines", s->request.width, s->request.height);
  s->control = (PmtControl) { .model = s->path, .image = s->picture, .strength = 1, .end = 1 };
  s->request.controls = &s->control;
  s->request.n_controls = 1;
  return s;
}

static void
tear_down (Setup *s)
{
  g_free (s->path);
  g_free (s->picture);
  g_free (s);
}

/* The run without control whose residual stream is asked for and left alone. */
static PmtResult
untouched (PmtRequest q)
{
  GError *error = NULL;
  PmtMethodUse use = runs_use ("noop");
  pmt_param_values_set_text (&use.values, "attention", "none", "test", &error);
  g_assert_no_error (error);
  q.controls = NULL;
  q.n_controls = 0;
  q.methods = &use;
  q.n_methods = 1;
  PmtResult result = runs_do (&q);
  pmt_param_values_clear (&use.values);
  return result;
}

static void
test_strength (void)
{
  Setup *s = set_up (sd, "cn-ldm");
  PmtResult plain = untouched (s->request), full = runs_do (&s->request);
  runs_assert_differ (&full, &plain);
  s->control.strength = 0;
  PmtResult none = runs_do (&s->request);
  runs_assert_equal (&none, &plain);
  s->control.guess = true;
  PmtResult guess = runs_do (&s->request);
  runs_assert_equal (&guess, &plain);
  pmt_result_clear (&plain);
  pmt_result_clear (&full);
  pmt_result_clear (&none);
  pmt_result_clear (&guess);
  tear_down (s);
}

/* A control of type "shuffle" makes a network pool that has no configuration; one that has knows better. */
static void
test_pool (void)
{
  Setup *file = set_up (sd, "cn-ldm"), *folder = set_up (sd, "cn-bgr");
  PmtResult plain = runs_do (&file->request), stated = runs_do (&folder->request);
  file->control.pool = folder->control.pool = true;
  PmtResult pooled = runs_do (&file->request), same = runs_do (&folder->request);
  runs_assert_differ (&pooled, &plain);
  runs_assert_equal (&same, &stated);
  pmt_result_clear (&plain);
  pmt_result_clear (&stated);
  pmt_result_clear (&pooled);
  pmt_result_clear (&same);
  tear_down (file);
  tear_down (folder);
}

/* Evaluation i of 4 is in [start, end] when all of i/4 .. (i+1)/4 is. */
static void
test_range (void)
{
  static const double outside[][2] = { { 0.5, 0.5 }, { 0, 0 }, { 1, 1 }, { 0.8, 1 }, { 0.3, 0.7 }, { 0.9, 0.1 } };
  Setup *s = set_up (sd, "cn-bgr");
  PmtResult plain = untouched (s->request);
  for (size_t i = 0; i < G_N_ELEMENTS (outside); i++) {
    s->control.start = outside[i][0];
    s->control.end = outside[i][1];
    PmtResult result = runs_do (&s->request);
    runs_assert_equal (&result, &plain);
    pmt_result_clear (&result);
  }
  s->control.start = 0.25;
  s->control.end = 0.5;
  PmtResult inside = runs_do (&s->request);
  runs_assert_differ (&inside, &plain);
  pmt_result_clear (&inside);
  pmt_result_clear (&plain);
  tear_down (s);
}

/* The same network twice at half strength says what it says once, to rounding, and is in memory once. */
static void
test_twice (void)
{
  GError *error = NULL;
  Setup *s = set_up (sd, "cn-bgr");
  PmtCost one_cost, two_cost;
  pmt_run_cost (&s->request, &one_cost, &error);
  g_assert_no_error (error);
  PmtResult one = runs_do (&s->request);
  s->control.strength = 0.5;
  PmtControl both[2] = { s->control, s->control };
  s->request.controls = both;
  s->request.n_controls = 2;
  pmt_run_cost (&s->request, &two_cost, &error);
  g_assert_no_error (error);
  PmtResult two = runs_do (&s->request);
  g_assert_cmpfloat (runs_distance (two.latent, one.latent, runs_latent_size (&one)), <, 1e-4);
  g_assert_cmpuint (two_cost.weight_bytes, ==, one_cost.weight_bytes);
  g_assert_cmpfloat (two_cost.flops, >, one_cost.flops);
  pmt_result_clear (&one);
  pmt_result_clear (&two);
  tear_down (s);
}

/* Guess mode leaves the unconditional half alone: at guidance 0 only that half counts. */
static void
test_guess (void)
{
  Setup *s = set_up (sd, "cn-ldm");
  s->request.guidance = 0;
  s->control.guess = true;
  PmtResult plain = untouched (s->request), guess = runs_do (&s->request);
  runs_assert_equal (&guess, &plain);
  s->control.guess = false;
  PmtResult both = runs_do (&s->request);
  runs_assert_differ (&both, &plain);
  pmt_result_clear (&plain);
  pmt_result_clear (&guess);
  pmt_result_clear (&both);
  tear_down (s);
}

static void
refuse (const PmtRequest *q, PmtError code, const char *const *parts)
{
  GError *error = NULL;
  PmtResult result;
  g_assert_false (pmt_run (q, &result, &error));
  g_assert_error (error, PMT_ERROR, (int) code);
  for (int i = 0; parts[i]; i++)
    if (!strstr (error->message, parts[i]))
      g_error ("'%s' does not tell '%s'", error->message, parts[i]);
  g_assert_null (strchr (error->message, '\n'));
  g_test_message ("%s", error->message);
  g_error_free (error);
}

#define REFUSE(q, code, ...) refuse (q, code, (const char *const[]) { __VA_ARGS__, NULL })

static void
test_other_base (void)
{
  Setup *s = set_up (sd, "cn-xl"), *t = set_up (xl, "cn-ldm");
  REFUSE (&s->request, PMT_ERROR_UNSUPPORTED, "cn-xl", "is a ControlNet for", "4, 8, 8", "text of 32", "controls/sd", "8, 8, 8", "text of 16");
  REFUSE (&t->request, PMT_ERROR_UNSUPPORTED, "cn-ldm", "is a ControlNet for", "controls/xl", "4, 8, 8");
  tear_down (s);
  tear_down (t);
}

static void
test_numbers (void)
{
  Setup *s = set_up (sd, "cn-ldm");
  s->control.strength = 11;
  REFUSE (&s->request, PMT_ERROR_INPUT, "cn-ldm", "11", "0 to 10");
  s->control.strength = -1;
  REFUSE (&s->request, PMT_ERROR_INPUT, "0 to 10");
  s->control.strength = 1;
  s->control.end = 1.5;
  REFUSE (&s->request, PMT_ERROR_INPUT, "1.5", "0 to 1");
  s->control.end = 1;
  s->control.model = NULL;
  REFUSE (&s->request, PMT_ERROR_INPUT, "ControlNet or T2I-Adapter");
  tear_down (s);
}

/* Files that are no ControlNet, or half of one. */
static void
test_files (void)
{
  GError *error = NULL;
  Setup *s = set_up (sd, "cn-ldm");
  g_autofree char *folder = g_dir_make_tmp ("pentimento-controlnet-XXXXXX", &error);
  g_autofree char *path = g_build_filename (folder, "net.safetensors", NULL), *whole = NULL;
  size_t size;
  s->control.model = path;
  REFUSE (&s->request, PMT_ERROR_NOT_FOUND, path);

  g_assert_true (g_file_get_contents (s->path, &whole, &size, &error));
  g_assert_true (g_file_set_contents (path, whole, (gssize) size / 2, &error));
  REFUSE (&s->request, PMT_ERROR_FORMAT, path);
  g_assert_true (g_file_set_contents (path, "\x80\x02}q\x00X\x05\x00\x00\x00stateq\x01}q\x02s.", 24, &error));
  REFUSE (&s->request, PMT_ERROR_UNSUPPORTED, path, "pickle");

  g_autofree char *data = g_build_filename (g_getenv ("PMT_TEST_DATA"), "controls", NULL);
  g_autofree char *vae = g_build_filename (data, "sd", "vae", NULL);
  s->control.model = vae;
  REFUSE (&s->request, PMT_ERROR_UNSUPPORTED, vae, "ControlNet");

  /* one tensor is missing: said before anything is computed */
  PmtSafetensors *file = pmt_safetensors_open (s->path, &error);
  g_autofree PmtSafetensorOut *out = g_new0 (PmtSafetensorOut, pmt_safetensors_count (file));
  guint n = 0;
  for (guint i = 0; i < pmt_safetensors_count (file); i++) {
    const PmtSafetensor *t = pmt_safetensors_at (file, i);
    if (strcmp (t->name, "control_model.zero_convs.2.0.weight") == 0)
      continue;
    out[n] = (PmtSafetensorOut) { .name = t->name, .dtype = t->dtype, .rank = t->rank, .data = t->data };
    memcpy (out[n++].dim, t->dim, sizeof out->dim);
  }
  g_assert_cmpuint (n, ==, pmt_safetensors_count (file) - 1);
  g_assert_true (pmt_safetensors_write (path, out, n, NULL, &error));
  s->control.model = path;
  REFUSE (&s->request, PMT_ERROR_NOT_FOUND, path, "controlnet_down_blocks.2.weight");
  pmt_safetensors_free (file);
  g_unlink (path);
  g_rmdir (folder);
  tear_down (s);
}

/* Kinds of ControlNet that this version cannot run, by the tensors that give them away. */
static void
test_other_kinds (void)
{
  static const struct {
    const char *names[4], *part;
  } other[] = {
    { { "task_embedding", "controlnet_cond_embedding.conv_in.weight" }, "union" },
    { { "lllite_unet_down_blocks_1.conditioning1.0.weight" }, "LLLite" },
    { { "lora_controlnet", "input_hint_block.0.weight", "zero_convs.0.0.weight" }, "Control-LoRA" },
    { { "lora_unet_down_blocks_0.lora_down.weight", "lora_unet_down_blocks_0.lora_up.weight" }, "LoRA" },
    { { "some.tensor", "other.tensor" }, "not a ControlNet" },
  };
  static const float values[4];
  GError *error = NULL;
  Setup *s = set_up (sd, "cn-ldm");
  g_autofree char *folder = g_dir_make_tmp ("pentimento-controlnet-XXXXXX", &error);
  g_autofree char *path = g_build_filename (folder, "other.safetensors", NULL);
  s->control.model = path;
  for (size_t i = 0; i < G_N_ELEMENTS (other); i++) {
    PmtSafetensorOut out[4];
    guint n = 0;
    for (; n < 4 && other[i].names[n]; n++)
      out[n] = (PmtSafetensorOut) { .name = other[i].names[n], .dtype = PMT_DTYPE_F32, .rank = 2, .dim = { 2, 2 }, .data = values };
    g_assert_true (pmt_safetensors_write (path, out, n, NULL, &error));
    REFUSE (&s->request, PMT_ERROR_UNSUPPORTED, path, other[i].part);
  }
  g_unlink (path);
  g_rmdir (folder);
  tear_down (s);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  sd = control_runs_model ("sd");
  xl = control_runs_model ("xl");
  control_runs_add_cases (false);
  g_test_add_func ("/controlnet/strength", test_strength);
  g_test_add_func ("/controlnet/pool", test_pool);
  g_test_add_func ("/controlnet/range", test_range);
  g_test_add_func ("/controlnet/twice", test_twice);
  g_test_add_func ("/controlnet/guess", test_guess);
  g_test_add_func ("/controlnet/other-base", test_other_base);
  g_test_add_func ("/controlnet/numbers", test_numbers);
  g_test_add_func ("/controlnet/files", test_files);
  g_test_add_func ("/controlnet/other-kinds", test_other_kinds);
  int status = g_test_run ();
  pmt_model_unref (sd);
  pmt_model_unref (xl);
  control_runs_close ();
  return status;
}
