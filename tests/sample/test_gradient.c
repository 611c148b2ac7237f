/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Gradients within a run (engine/sample/gradient.h) against differences: of all that can be looked at, by the latent and the context; what
 * they refuse; and that they leave no trace. */
#include <math.h>
#include <string.h>

#include "engine/sample/gradient.h"
#include "tests/sample/runs.h"

static Runs runs;
static PmtModel *model;

/* A method that takes the gradient of sum w value in the second evaluation, w fixed by position, and follows differences. */
typedef struct Subject {
  bool maps, self, residual, prediction, clean, picture;
  double guidance;
  bool checked;
  int probes;
} Subject;

static Subject subject;

static bool
wants_attention (void *user, const PmtAttnSite *site)
{
  return subject.maps && site->cross != subject.self && site->place == PMT_PLACE_MID;
}

static bool
wants_residual (void *user, const PmtResidSite *site)
{
  return site->kind == PMT_RESID_UP && site->level == 0;
}

static gboolean
loss (void *user, PmtRun *run, PmtProbed *probed, int n, double *value, GError **error)
{
  *value = 0;
  subject.probes = n;
  for (int i = 0; i < n; i++)
    for (int64_t k = 0; k < pmt_tensor_size (probed[i].value); k++) {
      const double w = sin (0.7 * (double) k + i);
      *value += w * (double) probed[i].value.data[k];
      probed[i].gradient.data[k] += (float) w;
    }
  return TRUE;
}

static PmtGradient
ask (void)
{
  return (PmtGradient) { .wants_attention = subject.maps ? wants_attention : NULL, .wants_residual = subject.residual ? wants_residual : NULL,
                         .prediction = subject.prediction, .clean = subject.clean, .picture = subject.picture,
                         .guidance = subject.guidance, .to_context = true, .loss = loss };
}

/* The loss a step `h` along `direction` (of a tensor that is moved and put back). */
static double
moved (PmtRun *run, PmtStep *step, PmtTensor x, const float *direction, float h)
{
  GError *error = NULL;
  PmtGradient g = ask ();
  const size_t n = (size_t) pmt_tensor_size (x);
  g_autofree float *before = g_memdup2 (x.data, n * sizeof (float));
  const PmtArenaMark mark = pmt_arena_mark (run->ctx.step);
  for (size_t i = 0; i < n; i++)
    x.data[i] += h * direction[i];
  g_assert_true (pmt_run_gradient (run, step, 0, &g, &error));
  memcpy (x.data, before, n * sizeof (float));
  pmt_arena_release (run->ctx.step, mark);
  return g.value;
}

static void
check (PmtRun *run, PmtStep *step, PmtTensor x, PmtTensor gradient, float h)
{
  const size_t n = (size_t) pmt_tensor_size (x);
  double size = 0;
  for (size_t i = 0; i < n; i++)
    size += (double) gradient.data[i] * (double) gradient.data[i];
  size = sqrt (size);
  g_assert_cmpfloat (size, >, 0);
  g_autofree float *direction = g_new (float, n);
  for (size_t i = 0; i < n; i++)
    direction[i] = (float) (gradient.data[i] / size);
  const double difference = (moved (run, step, x, direction, h) - moved (run, step, x, direction, -h)) / (2 * (double) h);
  g_test_message ("gradient %.6g, differences %.6g", size, difference);
  g_assert_cmpfloat (fabs (difference - size), <, 1e-2 * size);
}

static gboolean
latent (void *user, PmtRun *run, PmtStep *step, int track, PmtLatentStage stage, bool *has_moved, GError **error)
{
  if (stage != PMT_LATENT_PRE || step->i != 1)
    return TRUE;
  const PmtArenaMark mark = pmt_arena_mark (run->ctx.step);
  PmtGradient g = ask ();
  if (!pmt_run_gradient (run, step, track, &g, error))
    return FALSE;
  pmt_arena_release (run->ctx.step, mark); /* what it left stays readable until the next */
  if (run->ctx.dry || subject.checked)
    return TRUE;
  const size_t size = (size_t) pmt_tensor_size (g.latent) * sizeof (float), wide = (size_t) pmt_tensor_size (g.context) * sizeof (float);
  PmtTensor to_latent = g.latent, to_context = g.context;
  to_latent.data = g_memdup2 (g.latent.data, size);
  to_context.data = g_memdup2 (g.context.data, wide);
  check (run, step, run->tracks[track]->latent, to_latent, 0.02f);
  check (run, step, run->tracks[track]->context, to_context, 0.02f);
  g_free (to_latent.data);
  g_free (to_context.data);
  subject.checked = true;
  return TRUE;
}

static const PmtMethod method = { .id = "gradient-test", .order = 350, .latent = latent };

static PmtRequest
request (const char *sampler, const PmtMethodUse *use)
{
  PmtRequest q = runs_request (&runs, model);
  q.guidance = 3;
  q.sampler = pmt_sampler_find (sampler, NULL);
  q.methods = use;
  q.n_methods = use ? 1 : 0;
  return q;
}

static void
test_differences (gconstpointer sampler)
{
  static const Subject subjects[] = {
    { .maps = true }, { .maps = true, .self = true }, { .residual = true }, { .prediction = true }, { .prediction = true, .guidance = 3 },
    { .clean = true, .guidance = 3 }, { .picture = true, .guidance = 3 }, { .maps = true, .residual = true, .clean = true },
  };
  static const int probes[] = { 1, 1, 1, 1, 1, 1, 1, 3 };
  const PmtMethodUse use = { .method = &method };
  PmtRequest q = request (sampler, NULL);
  PmtResult plain = runs_do (&q);
  q = request (sampler, &use);
  for (guint i = 0; i < G_N_ELEMENTS (subjects); i++) {
    GError *error = NULL;
    PmtCost cost;
    subject = subjects[i];
    PmtResult r = runs_do (&q);
    g_assert_true (subject.checked);
    g_assert_cmpint (subject.probes, ==, probes[i]);
    runs_assert_equal (&r, &plain); /* looking leaves no trace */
    g_assert_true (pmt_run_cost (&q, &cost, &error));
    g_assert_cmpuint (r.peak_bytes, ==, cost.activation_bytes);
    pmt_result_clear (&r);
  }
  pmt_result_clear (&plain);
}

/* One that writes probabilities of its own making, which no tape sees through. */
static unsigned
attn_wants (void *user, const PmtAttnSite *site)
{
  return PMT_ATTN_PROBS;
}

static void
attn (void *user, PmtRun *run, PmtStep *step, PmtAttnStage stage, PmtAttnCall *call)
{
  call->probs.node = 0;
}

static const PmtMethod opaque = { .id = "opaque", .order = 300, .attn_wants = attn_wants, .attn = attn };
static const PmtMethod whole = { .id = "whole", .order = 300, .whole_batch = true };

static void
test_refused (void)
{
  const PmtMethod *const others[] = { &opaque, &whole };
  for (guint i = 0; i <= G_N_ELEMENTS (others); i++) {
    GError *error = NULL;
    PmtResult r;
    const PmtMethodUse uses[] = { { .method = &method }, { .method = i < 2 ? others[i] : NULL } };
    PmtRequest q = request ("ddim", uses);
    subject = (Subject) { .maps = i < 2 };
    q.n_methods = i < 2 ? 2 : 1;
    g_assert_false (pmt_run (&q, &r, &error));
    g_assert_nonnull (strstr (error->message, i < 2 ? others[i]->id : "no attention of the kind"));
    g_clear_error (&error);
  }
  /* guidance without a negative prompt */
  GError *error = NULL;
  PmtResult r;
  const PmtMethodUse use = { .method = &method };
  PmtRequest q = request ("ddim", &use);
  q.guidance = 1;
  subject = (Subject) { .clean = true, .guidance = 3 };
  g_assert_false (pmt_run (&q, &r, &error));
  g_assert_nonnull (strstr (error->message, "negative prompt"));
  g_clear_error (&error);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  runs_open (&runs);
  model = runs_model ("tiny");
  g_test_add_data_func ("/gradient/ddim", "ddim", test_differences);
  g_test_add_data_func ("/gradient/euler", "euler", test_differences);
  g_test_add_func ("/gradient/refused", test_refused);
  int status = g_test_run ();
  pmt_model_unref (model);
  runs_close (&runs);
  return status;
}
