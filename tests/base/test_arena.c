/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/base/arena.h"

#include <stdint.h>
#include <string.h>

#include "engine/base/memory.h"

static PmtArena *
arena (size_t limit)
{
  GError *error = NULL;
  PmtArena *a = pmt_arena_new ("tests", limit, &error);
  g_assert_no_error (error);
  return a;
}

static unsigned char *
take (PmtArena *a, size_t bytes)
{
  GError *error = NULL;
  unsigned char *p = pmt_arena_alloc (a, bytes, &error);
  g_assert_no_error (error);
  g_assert_nonnull (p);
  return p;
}

static void
test_alloc (void)
{
  PmtArena *a = arena (1 << 20);
  unsigned char *first = take (a, 1), *second = take (a, 65), *nothing = take (a, 0), *third = take (a, 64);
  g_assert_cmpuint ((uintptr_t) first % 64, ==, 0);
  g_assert_true (second == first + 64);
  g_assert_true (nothing == second + 128 && third == nothing);
  g_assert_cmpuint (pmt_arena_used (a), ==, 256);
  memset (first, 1, 256);
  pmt_arena_free (a);
  pmt_arena_free (NULL);
}

static void
test_marks (void)
{
  PmtArena *a = arena (1 << 20);
  take (a, 100);
  PmtArenaMark mark = pmt_arena_mark (a);
  unsigned char *p = take (a, 1000);
  pmt_arena_release (a, mark);
  g_assert_cmpuint (pmt_arena_used (a), ==, 128);
  g_assert_cmpuint (pmt_arena_peak (a), ==, 128 + 1024);
  g_assert_true (take (a, 10) == p);
  g_assert_cmpuint (pmt_arena_peak (a), ==, 128 + 1024);
  pmt_arena_reset_peak (a);
  g_assert_cmpuint (pmt_arena_peak (a), ==, 192);
  pmt_arena_free (a);
}

static void
check_refused (PmtArena *a, size_t bytes, const char *text)
{
  GError *error = NULL;
  size_t used = pmt_arena_used (a);
  g_assert_null (pmt_arena_alloc (a, bytes, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_MEMORY);
  if (!strstr (error->message, text))
    g_error ("'%s' does not tell '%s'", error->message, text);
  g_assert_nonnull (strstr (error->message, "tests"));
  g_assert_null (strchr (error->message, '\n'));
  g_assert_cmpuint (pmt_arena_used (a), ==, used);
  g_error_free (error);
}

static void
test_limit (void)
{
  PmtArena *a = arena (1 << 20);
  take (a, 1 << 19);
  check_refused (a, (1 << 19) + 1, "1.0\302\240MiB");
  check_refused (a, SIZE_MAX, "16.0\302\240EiB");
  check_refused (a, SIZE_MAX - 10, "512.0\302\240KiB of 1.0\302\240MiB");
  take (a, 1 << 19);
  take (a, 0);
  check_refused (a, 1, "1.0\302\240MiB of 1.0\302\240MiB");
  pmt_arena_free (a);
}

static void
test_reserve_refused (void)
{
  GError *error = NULL;
  g_assert_null (pmt_arena_new ("tests", SIZE_MAX, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_MEMORY);
  g_assert_nonnull (strstr (error->message, "tests"));
  g_error_free (error);
}

/* A reservation far beyond the machine costs nothing until it is touched, and trimming gives back what was. */
static void
test_pages (void)
{
  enum { TOUCHED = 64 << 20 };
  PmtArena *a = arena ((size_t) 256 << 30);
  size_t before = pmt_memory_resident ();
  g_assert_cmpuint (before, >, 0);
  take (a, (size_t) 200 << 30);
  pmt_arena_release (a, 0);
  g_assert_cmpuint (pmt_memory_resident (), <, before + (8 << 20));

  unsigned char *low = take (a, 4096);
  memset (low, 7, 4096);
  PmtArenaMark mark = pmt_arena_mark (a);
  memset (take (a, TOUCHED), 1, TOUCHED);
  g_assert_cmpuint (pmt_memory_resident (), >, before + TOUCHED / 2);
  pmt_arena_release (a, mark);
  pmt_arena_trim (a);
  g_assert_cmpuint (pmt_memory_resident (), <, before + TOUCHED / 2);
  g_assert_cmpuint (low[0], ==, 7);
  g_assert_cmpuint (low[4095], ==, 7);
  g_assert_cmpuint (pmt_memory_resident_peak (), >=, before + TOUCHED / 2);
  pmt_arena_free (a);
}

static void
test_available (void)
{
  size_t available = pmt_memory_available ();
  g_assert_cmpuint (available, >, 1 << 20);
  g_assert_cmpuint (available, <, (size_t) 1 << 50);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/arena/alloc", test_alloc);
  g_test_add_func ("/arena/marks", test_marks);
  g_test_add_func ("/arena/limit", test_limit);
  g_test_add_func ("/arena/reserve-refused", test_reserve_refused);
  g_test_add_func ("/arena/pages", test_pages);
  g_test_add_func ("/memory/available", test_available);
  return g_test_run ();
}
