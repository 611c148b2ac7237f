/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "engine/methods/self_loss.h"
#include "tests/methods/guided.h"

static Runs runs;
static PmtModel *model;

static PmtRequest
request (void)
{
  return losses_request (&runs, model);
}

/* The loop over diffusers' UNet with torch's autograd. */
static void
test_reference (void)
{
  g_assert_cmpint (guided_check ("self-guidance", request (), NULL), ==, 2);
}

/* Strength 0 is the plain run to the bit. Nothing to move is one that looks at the same attentions, to the bit too: the loss is 0 and has
 * no gradient. Memory is as computed, it does not matter how many rows share a call, and it can be cancelled. */
static void
test_identities (void)
{
  PmtMethodUse use = runs_use ("self-guidance"), looks[2] = { runs_use ("self-guidance"), runs_use ("noop") };
  losses_set (&use, "words", "red circle");
  losses_set (&looks[0], "words", "red circle");
  losses_set (&looks[0], "scale", "0");
  PmtRequest q = request ();
  q.methods = looks;
  q.n_methods = 2;
  PmtResult plain = losses_run (request (), &looks[1]), zero = runs_do (&q), still = losses_run (request (), &use);
  runs_assert_equal (&zero, &plain);
  const double off = runs_distance (still.latent, plain.latent, runs_latent_size (&plain));
  g_assert_cmpfloat (off, <, 1e-5); /* the plain run looks at all sites, this one at some: both ways of attention differ by rounding */
  losses_set (&use, "position", "0");
  PmtResult other = losses_run (request (), &use); /* other weights of nothing */
  runs_assert_equal (&still, &other);
  losses_set (&use, "position", "5");
  losses_set (&use, "right", "0.25");
  PmtRequest singly = request ();
  singly.rows_per_call = 1;
  PmtResult one = losses_run (singly, &use), all = losses_run (request (), &use);
  runs_assert_equal (&one, &all);
  runs_assert_differ (&all, &still);
  pmt_result_clear (&plain);
  pmt_result_clear (&zero);
  pmt_result_clear (&still);
  pmt_result_clear (&other);
  pmt_result_clear (&one);
  pmt_result_clear (&all);
  for (int i = 0; i < 2; i++)
    pmt_param_values_clear (&looks[i].values);
  losses_check_identities (request (), &use, "scale");
  pmt_param_values_clear (&use.values);
}

/* A photo is the reference: it makes another picture than the one made of its own noise. */
static void
test_photo (void)
{
  PmtMethodUse use = runs_use ("self-guidance");
  losses_set (&use, "words", "red circle");
  losses_set (&use, "right", "0.25");
  PmtRequest q = request (), with = request ();
  with.image = runs.picture;
  with.width = runs.width;
  with.height = runs.height;
  with.strength = 0.8;
  q.width = runs.width;
  q.height = runs.height;
  PmtResult a = losses_run (q, &use), b = losses_run (with, &use), c = losses_run (with, NULL);
  runs_assert_differ (&a, &b);
  runs_assert_differ (&b, &c);
  pmt_result_clear (&a);
  pmt_result_clear (&b);
  pmt_result_clear (&c);
  pmt_param_values_clear (&use.values);
}

static void
test_samplers (void)
{
  static const char *const ids[] = { "euler", "dpmpp-2m" };
  for (size_t i = 0; i < G_N_ELEMENTS (ids); i++) {
    PmtMethodUse use = runs_use ("self-guidance");
    losses_set (&use, "words", "red circle");
    losses_set (&use, "right", "0.25");
    PmtRequest q = request ();
    q.sampler = pmt_sampler_find (ids[i], NULL);
    PmtResult moved = losses_run (q, &use), plain = losses_run (q, NULL);
    runs_assert_differ (&moved, &plain);
    g_assert_true (isfinite (moved.latent[0]));
    pmt_result_clear (&moved);
    pmt_result_clear (&plain);
    pmt_param_values_clear (&use.values);
  }
}

/* ---- the loss alone ---------------------------------------------------------------------------------------------------- */

static const int red[] = { 2, 3 }, house[] = { 7 };

typedef struct Loss {
  PmtSelfView reference;
  PmtSelfWord words[2];
} Loss;

static double
value (Maps *maps, void *user)
{
  const Loss *l = user;
  return pmt_self_loss (maps->probed, maps->n, &l->reference, l->words, 2);
}

static void
test_differences (void)
{
  Maps before, now;
  Loss l = { .words = { { red, 2, 3, 2, 4, 0, 0.21, -0.13, 1.3 }, { house, 1, 0, 0, 1, 0, 0, 0, 1 } } };
  maps_init (&before, 6, 8, 10, 7);
  maps_init (&now, 6, 8, 10, 8);
  pmt_self_view_init (&l.reference, before.probed, before.n);
  maps_check (&now, value, &l);

  /* it falls along its own gradient, and the centre goes where it was asked to */
  double x0, x1, y, size, rx, first = value (&now, &l);
  PmtSelfView view;
  pmt_self_measure (&l.reference, red, 2, &rx, &y, &size);
  pmt_self_view_init (&view, now.probed, now.n);
  pmt_self_measure (&view, red, 2, &x0, &y, &size);
  pmt_self_view_clear (&view);
  l.words[0] = (PmtSelfWord) { red, 2, 1, 0, 0, 0, 0.21, 0, 1 };
  l.words[1].shape = 0;
  first = value (&now, &l);
  for (int i = 0; i < 20; i++) {
    PmtProbed *p = &now.probed[0];
    memset (p->gradient.data, 0, (size_t) pmt_tensor_size (p->gradient) * sizeof (float));
    value (&now, &l);
    for (int64_t k = 0; k < pmt_tensor_size (p->value); k++)
      p->value.data[k] -= 0.002f * p->gradient.data[k];
  }
  pmt_self_view_init (&view, now.probed, now.n);
  pmt_self_measure (&view, red, 2, &x1, &y, &size);
  g_assert_cmpfloat (fabs (x1 - rx - 0.21), <, fabs (x0 - rx - 0.21));
  g_assert_cmpfloat (value (&now, &l), <, first);
  pmt_self_view_clear (&view);
  pmt_self_view_clear (&l.reference);
  maps_clear (&before);
  maps_clear (&now);
}

/* Itself, not moved, is 0 with no gradient; so is a flat map. */
static void
test_nothing (void)
{
  Maps maps;
  Loss l = { .words = { { red, 2, 3, 2, 4, 1, 0, 0, 1 }, { house, 1, 0, 0, 1, 1, 0, 0, 1 } } };
  maps_init (&maps, 6, 8, 10, 7);
  for (int flat = 0; flat < 2; flat++) {
    for (int64_t k = 0; flat && k < pmt_tensor_size (maps.probed[0].value); k++)
      maps.probed[0].value.data[k] = 0.1f;
    pmt_self_view_init (&l.reference, maps.probed, maps.n);
    g_assert_cmpfloat (value (&maps, &l), ==, 0);
    for (int64_t k = 0; k < pmt_tensor_size (maps.probed[0].gradient); k++)
      g_assert_cmpfloat (maps.probed[0].gradient.data[k], ==, 0);
    pmt_self_view_clear (&l.reference);
  }
  maps_clear (&maps);
}

static void
test_errors (void)
{
  static const struct {
    const char *words, *part;
  } cases[] = { { "", "one phrase" }, { "red; house", "one phrase" }, { "zebra", "zebra" } };
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
    PmtMethodUse use = runs_use ("self-guidance");
    losses_set (&use, "words", cases[i].words);
    PmtRequest q = request ();
    q.methods = &use;
    q.n_methods = 1;
    runs_refused (&q, PMT_ERROR_INPUT, cases[i].part);
    pmt_param_values_clear (&use.values);
  }
  /* what saves work in the run's own evaluations alone makes the reference another picture than the one that is led */
  static const char *const savers[] = { "deepcache", "token-merging" };
  for (size_t i = 0; i < G_N_ELEMENTS (savers); i++) {
    PmtMethodUse uses[2] = { runs_use ("self-guidance"), runs_use (savers[i]) };
    losses_set (&uses[0], "words", "house");
    PmtRequest q = request ();
    q.methods = uses;
    q.n_methods = 2;
    runs_refused (&q, PMT_ERROR_INPUT, savers[i]);
    for (int k = 0; k < 2; k++)
      pmt_param_values_clear (&uses[k].values);
  }
}

int
main (int argc, char **argv)
{
  static const RunsTest tests[] = {
    { "/self-guidance/reference", test_reference },
    { "/self-guidance/identities", test_identities },
    { "/self-guidance/photo", test_photo },
    { "/self-guidance/samplers", test_samplers },
    { "/self-guidance/differences", test_differences },
    { "/self-guidance/nothing", test_nothing },
    { "/self-guidance/errors", test_errors },
    { 0 }
  };
  return runs_main (argc, argv, &runs, &model, tests);
}
