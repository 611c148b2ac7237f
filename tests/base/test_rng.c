/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The generator against draws of torch's (tests/reference/make_rng.py), and the plain MT19937 numbers. */
#include <json-glib/json-glib.h>
#include <math.h>

#include "engine/base/rng.h"

/* The authors' published check: the 10000th output of the default seed. */
static void
test_mersenne (void)
{
  PmtRng rng;
  pmt_rng_seed (&rng, 5489);
  uint32_t last = 0;
  for (int i = 0; i < 10000; i++)
    last = pmt_rng_u32 (&rng);
  g_assert_cmpuint (last, ==, 4123659995u);
}

/* Known by everybody who ever typed torch.manual_seed(0). */
static void
test_known (void)
{
  static const float want[] = { -1.1258f, -1.1524f, -0.2506f, -0.4339f, 0.8487f, 0.6920f };
  PmtRng rng;
  float got[16];
  pmt_rng_seed (&rng, 0);
  pmt_rng_normal (&rng, 16, got);
  for (size_t i = 0; i < G_N_ELEMENTS (want); i++)
    g_assert_cmpfloat_with_epsilon (got[i], want[i], 6e-5);
}

static void
check_draw (PmtRng *rng, JsonObject *draw)
{
  size_t n = (size_t) json_object_get_int_member (draw, "n");
  g_autofree float *got = g_new (float, n);
  gboolean normal = g_str_equal (json_object_get_string_member (draw, "kind"), "normal");
  if (normal)
    pmt_rng_normal (rng, n, got);
  else
    for (size_t i = 0; i < n; i++)
      got[i] = pmt_rng_uniform (rng);

  JsonArray *at = json_object_get_array_member (draw, "at"), *values = json_object_get_array_member (draw, "values");
  guint count = json_array_get_length (at);
  g_assert_cmpuint (count, >, 0);
  double worst = 0;
  for (guint i = 0; i < count; i++) {
    size_t k = (size_t) json_array_get_int_element (at, i);
    g_assert_cmpuint (k, <, n);
    worst = fmax (worst, fabs (got[k] - json_array_get_double_element (values, i)));
  }
  g_test_message ("%zu %s: worst %.3g", n, normal ? "normals" : "uniforms", worst);
  g_assert_cmpfloat (worst, <=, normal ? 1e-6 : 6e-9);
}

static void
test_torch (void)
{
  GError *error = NULL;
  g_autofree char *path = g_build_filename (g_getenv ("PMT_TEST_DATA"), "rng.json", NULL);
  g_autoptr (JsonParser) parser = json_parser_new ();
  json_parser_load_from_file (parser, path, &error);
  g_assert_no_error (error);
  JsonArray *cases = json_object_get_array_member (json_node_get_object (json_parser_get_root (parser)), "cases");
  g_assert_cmpuint (json_array_get_length (cases), >=, 9);
  for (guint i = 0; i < json_array_get_length (cases); i++) {
    JsonObject *c = json_array_get_object_element (cases, i);
    PmtRng rng;
    pmt_rng_seed (&rng, g_ascii_strtoull (json_object_get_string_member (c, "seed"), NULL, 10));
    JsonArray *draws = json_object_get_array_member (c, "draws");
    for (guint j = 0; j < json_array_get_length (draws); j++)
      check_draw (&rng, json_array_get_object_element (draws, j));
  }
}

/* A seed starts over, whatever was drawn before, kept halves of pairs included. */
static void
test_reseed (void)
{
  PmtRng a, b;
  float x[3], y[3];
  pmt_rng_seed (&a, 9);
  pmt_rng_normal (&a, 3, x);
  pmt_rng_seed (&a, 5);
  pmt_rng_seed (&b, 5);
  pmt_rng_normal (&a, 3, x);
  pmt_rng_normal (&b, 3, y);
  g_assert_cmpmem (x, sizeof x, y, sizeof y);
}

/* Mean, variance and kurtosis of many normals, and no infinity from a uniform of 0. */
static void
test_moments (void)
{
  enum { N = 1 << 20 };
  PmtRng rng;
  g_autofree float *v = g_new (float, N);
  pmt_rng_seed (&rng, 3);
  pmt_rng_normal (&rng, N, v);
  double m1 = 0, m2 = 0, m4 = 0;
  for (size_t i = 0; i < N; i++) {
    g_assert_true (isfinite (v[i]));
    m1 += v[i];
    m2 += (double) v[i] * v[i];
    m4 += (double) v[i] * v[i] * v[i] * v[i];
  }
  g_assert_cmpfloat_with_epsilon (m1 / N, 0, 0.005);
  g_assert_cmpfloat_with_epsilon (m2 / N, 1, 0.01);
  g_assert_cmpfloat_with_epsilon (m4 / N, 3, 0.08);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/rng/mersenne", test_mersenne);
  g_test_add_func ("/rng/known", test_known);
  g_test_add_func ("/rng/torch", test_torch);
  g_test_add_func ("/rng/reseed", test_reseed);
  g_test_add_func ("/rng/moments", test_moments);
  return g_test_run ();
}
