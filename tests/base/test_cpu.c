/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The program runs itself: `test-cpu report` prints the level in force, the words it was started with and the core that OpenBLAS
 * chose for itself, or the error. */
#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/cpu.h"
#include "engine/kernels/blas.h"

static const char *self;

static int
report (int argc, char **argv)
{
  PmtCpuLevel level;
  GError *error = NULL;
  if (!pmt_cpu_select (&level, &error)) {
    printf ("%s: %s\n", pmt_error_name ((PmtError) error->code), error->message);
    return 1;
  }
  printf ("%s %s %d", pmt_cpu_name (level), pmt_blas_core (), argc);
  for (int i = 2; i < argc; i++)
    printf (" [%s]", argv[i]);
  printf ("\n");
  return 0;
}

/* Output of `test-cpu report "a b" ""` with PENTIMENTO_CPU=word (NULL: unset). */
static char *
run (const char *word)
{
  char *argv[] = { (char *) self, "report", "a b", "", NULL };
  g_auto (GStrv) env = g_get_environ ();
  env = g_environ_unsetenv (env, "OPENBLAS_CORETYPE");
  env = g_environ_unsetenv (env, "ONEDNN_MAX_CPU_ISA");
  env = word ? g_environ_setenv (env, "PENTIMENTO_CPU", word, TRUE) : g_environ_unsetenv (env, "PENTIMENTO_CPU");
  char *out = NULL;
  GError *error = NULL;
  g_spawn_sync (NULL, argv, env, 0, NULL, NULL, &out, NULL, NULL, &error);
  g_assert_no_error (error);
  g_strchomp (out);
  return out;
}

static void
test_default (void)
{
  g_autofree char *out = run (NULL);
  g_assert_true (g_str_has_prefix (out, pmt_cpu_name (pmt_cpu_detect ())));
  g_assert_true (g_str_has_suffix (out, "4 [a b] []"));
}

/* Each level that the machine has holds OpenBLAS too, and the arguments survive. */
static void
test_forced (void)
{
#if defined(__aarch64__)
  static const char *const core[] = { [PMT_CPU_PORTABLE] = "armv8", [PMT_CPU_NEON] = "armv8" }; /* the library's own choice above */
#else
  static const char *const core[] = { "Prescott", "Nehalem", "Haswell", "SkylakeX", "Cooperlake" };
#endif
  for (PmtCpuLevel level = PMT_CPU_PORTABLE; level < G_N_ELEMENTS (core) && level <= pmt_cpu_detect (); level++) {
    if (!core[level])
      continue;
    g_autofree char *out = run (pmt_cpu_name (level));
    g_autofree char *want = g_strdup_printf ("%s %s 4 [a b] []", pmt_cpu_name (level), core[level]);
    g_assert_cmpstr (out, ==, want);
  }
}

static void
test_refused (void)
{
  g_autofree char *out = run ("v9");
#if defined(__aarch64__)
  const PmtCpuLevel last = PMT_CPU_NEONBF16;
  g_assert_cmpstr (out, ==, "input: PENTIMENTO_CPU=v9 is not a level; use portable, neon or neonbf16.");
#else
  const PmtCpuLevel last = PMT_CPU_V4BF16;
  g_assert_cmpstr (out, ==, "input: PENTIMENTO_CPU=v9 is not a level; use portable, v2, v3, v4 or v4bf16.");
  g_autofree char *other = run ("neon");
  g_assert_nonnull (strstr (other, "is not a level"));
#endif
  for (PmtCpuLevel level = pmt_cpu_detect () + 1; level <= last; level++) {
    g_autofree char *more = run (pmt_cpu_name (level));
    g_assert_true (g_str_has_prefix (more, "input: "));
    g_assert_nonnull (strstr (more, pmt_cpu_name (pmt_cpu_detect ())));
  }
  g_autofree char *empty = run ("");
  g_assert_true (g_str_has_prefix (empty, pmt_cpu_name (pmt_cpu_detect ())));
}

static void
test_names (void)
{
  g_assert_cmpstr (pmt_cpu_name (PMT_CPU_V4BF16), ==, "v4bf16");
  g_assert_cmpstr (pmt_cpu_name ((PmtCpuLevel) 99), ==, "unknown");
  g_assert_cmpuint (strlen (pmt_cpu_model ()), >, 0);
}

int
main (int argc, char **argv)
{
  if (argc > 1 && strcmp (argv[1], "report") == 0)
    return report (argc, argv);
  self = argv[0];
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/cpu/default", test_default);
  g_test_add_func ("/cpu/forced", test_forced);
  g_test_add_func ("/cpu/refused", test_refused);
  g_test_add_func ("/cpu/names", test_names);
  return g_test_run ();
}
