/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "tests/methods/attention.h"

static Runs runs;
static PmtModel *model;

static PmtRequest
guided (void)
{
  PmtRequest q = runs_request (&runs, model);
  q.prompt = "a red circle, a blue house";
  q.negative = "blurry";
  q.guidance = 4;
  return q;
}

/* Looking changes nothing; each word has its map once, marks of punctuation have none. */
static void
test_looks_only (void)
{
  static const char *const words[] = { "a", "red", "circle", "blue", "house" };
  PmtMethodUse use = runs_use ("word-maps"), noop = runs_use ("noop");
  attention_set (&noop, "attention", "cross");
  attention_set (&noop, "stages", "probs");
  attention_set (&noop, "residual", "false");
  PmtMethodUse both[2] = { use, noop };
  PmtResult made = attention_do (guided (), both, 2), plain = attention_do (guided (), &noop, 1);
  runs_assert_equal (&made, &plain);
  g_assert_cmpint (plain.n_maps, ==, 0);
  g_assert_cmpint (made.n_maps, ==, G_N_ELEMENTS (words));
  for (int i = 0; i < made.n_maps; i++) {
    g_assert_cmpstr (made.maps[i].name, ==, words[i]);
    g_assert_cmpint (made.maps[i].width, ==, 8);
    g_assert_cmpint (made.maps[i].height, ==, 6);
    for (int k = 0; k < 48; k++)
      g_assert_true (made.maps[i].values[k] > 0 && made.maps[i].values[k] < 1);
  }
  pmt_result_clear (&made);
  pmt_result_clear (&plain);
  pmt_param_values_clear (&use.values);
  pmt_param_values_clear (&noop.values);
}

/* A phrase gets what its words get together; halves of the run average to the whole. */
static void
test_sums (void)
{
  PmtMethodUse use = runs_use ("word-maps");
  attention_set (&use, "words", "red; circle; red circle");
  PmtResult whole = attention_do (guided (), &use, 1);
  attention_set (&use, "to", "0.5");
  PmtResult early = attention_do (guided (), &use, 1);
  attention_set (&use, "to", "1");
  attention_set (&use, "from", "0.5");
  PmtResult late = attention_do (guided (), &use, 1);
  g_assert_cmpint (whole.n_maps, ==, 3);
  double moved = 0;
  for (int k = 0; k < 48; k++) {
    const double parts = (double) whole.maps[0].values[k] + whole.maps[1].values[k];
    const double halves = ((double) early.maps[2].values[k] + late.maps[2].values[k]) / 2;
    g_assert_cmpfloat (fabs (parts - whole.maps[2].values[k]), <, 1e-6);
    g_assert_cmpfloat (fabs (halves - whole.maps[2].values[k]), <, 1e-5);
    moved = MAX (moved, fabs ((double) early.maps[2].values[k] - late.maps[2].values[k]));
  }
  g_assert_cmpfloat (moved, >, 1e-4);
  pmt_result_clear (&whole);
  pmt_result_clear (&early);
  pmt_result_clear (&late);
  pmt_param_values_clear (&use.values);
}

/* Beside prompt-to-prompt the maps are those of the prompt's own track: of a plain run where it is the source. */
static void
test_beside_others (void)
{
  PmtMethodUse uses[2] = { runs_use ("word-maps"), runs_use ("prompt-to-prompt") };
  attention_set (&uses[0], "words", "circle");
  attention_set (&uses[1], "target", "a red house, a blue house");
  PmtResult alone = attention_do (guided (), uses, 1), both = attention_do (guided (), uses, 2);
  runs_assert_differ (&alone, &both);
  g_assert_cmpint (both.n_maps, ==, 1);
  for (int k = 0; k < 48; k++)
    g_assert_cmpfloat (fabs ((double) both.maps[0].values[k] - alone.maps[0].values[k]), <, 1e-5);
  pmt_result_clear (&alone);
  pmt_result_clear (&both);
  pmt_param_values_clear (&uses[0].values);
  pmt_param_values_clear (&uses[1].values);
}

/* A refiner goes on without methods; the base's maps come back all the same. */
static void
test_with_refiner (void)
{
  PmtMethodUse use = runs_use ("word-maps");
  attention_set (&use, "words", "circle");
  PmtRequest q = guided ();
  q.refiner = model;
  q.refiner_start = 0.5;
  PmtResult both = attention_do (q, &use, 1);
  q.refiner = NULL;
  q.denoising_end = 0.5;
  q.latent_only = true;
  PmtResult base = attention_do (q, &use, 1);
  g_assert_cmpint (both.steps_done, ==, 4);
  g_assert_cmpint (base.steps_done, ==, 2);
  g_assert_cmpint (both.n_maps, ==, 1);
  g_assert_cmpmem (both.maps[0].values, 48 * sizeof (float), base.maps[0].values, 48 * sizeof (float));
  pmt_result_clear (&both);
  pmt_result_clear (&base);
  pmt_param_values_clear (&use.values);
}

static void
test_errors (void)
{
  static const struct {
    const char *id, *text, *part;
  } cases[] = {
    { "words", "green", "\"green\" is not in the part of the prompt" },
    { "words", "red;;blue", "names no word" },
    { "to", "0", "from 0 to 0 of the run is empty" },
    { "from", "1", "from 1 to 1 of the run is empty" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    PmtMethodUse use = runs_use ("word-maps");
    attention_set (&use, cases[i].id, cases[i].text);
    attention_refused (guided (), &use, 1, cases[i].part);
    pmt_param_values_clear (&use.values);
  }
  PmtMethodUse use = runs_use ("word-maps");
  PmtRequest q = guided ();
  q.prompt = "!!";
  attention_refused (q, &use, 1, "has no words to look for");
  pmt_param_values_clear (&use.values);
}

static int maps_compared;

static void
look (const char *name, const PmtSafetensors *tensors, const PmtResult *result)
{
  GError *error = NULL;
  for (int i = 0; i < result->n_maps; i++) {
    const PmtMap *map = &result->maps[i];
    g_autofree char *key = g_strdup_printf ("%s.map.%s", name, map->name);
    const PmtSafetensor *t = pmt_safetensors_lookup (tensors, key);
    float expected[48];
    g_assert_nonnull (t);
    g_assert_cmpuint (t->count, ==, 48);
    pmt_safetensors_read_f32 (tensors, t, 0, 48, expected, &error);
    g_assert_no_error (error);
    const double off = runs_distance (map->values, expected, 48);
    g_test_message ("%s: %.2g", key, off);
    g_assert_cmpfloat (off, <, 1e-4);
    maps_compared++;
  }
}

static void
test_parity (void)
{
  g_assert_cmpint (attention_check ("word-maps", model, look), ==, 2);
  g_assert_cmpint (maps_compared, ==, 4);
}

int
main (int argc, char **argv)
{
  static const RunsTest tests[] = {
    { "/word-maps/looks-only", test_looks_only },
    { "/word-maps/sums", test_sums },
    { "/word-maps/beside-others", test_beside_others },
    { "/word-maps/with-refiner", test_with_refiner },
    { "/word-maps/errors", test_errors },
    { "/word-maps/parity", test_parity },
    { 0 }
  };
  return runs_main (argc, argv, &runs, &model, tests);
}
