/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/base/threads.h"

#include <glib.h>

enum { N = 1000 };

typedef struct Visit {
  atomic_int seen[N];
  atomic_int chunks;
  size_t begin[N];
  PmtCancel *stop_after_first;
  size_t smallest;
} Visit;

static void
visit (void *user, size_t begin, size_t end)
{
  Visit *v = user;
  int chunk = atomic_fetch_add (&v->chunks, 1);
  v->begin[chunk] = begin;
  g_assert_cmpuint (begin, <, end);
  for (size_t i = begin; i < end; i++)
    atomic_fetch_add (&v->seen[i], 1);
  g_assert_cmpint (pmt_threads_index (), <, pmt_threads ());
  if (v->stop_after_first)
    pmt_cancel_request (v->stop_after_first);
}

/* Every item once, whatever the size, grain and thread count. */
static void
test_cover (void)
{
  int before = pmt_threads ();
  for (int threads = 1; threads <= 3; threads++) {
    g_assert_cmpint (pmt_threads_set (threads), ==, threads);
    for (size_t n = 0; n <= N; n += 37)
      for (size_t grain = 0; grain <= 200; grain += 50) {
        Visit *v = g_new0 (Visit, 1);
        g_assert_true (pmt_parallel_for (NULL, n, grain, visit, v));
        for (size_t i = 0; i < N; i++)
          g_assert_cmpint (atomic_load (&v->seen[i]), ==, i < n);
        if (grain > 0)
          g_assert_cmpint (atomic_load (&v->chunks), <=, (int) MAX (1, n / grain));
        g_free (v);
      }
  }
  pmt_threads_set (before);
}

static void
nested (void *user, size_t begin, size_t end)
{
  g_assert_true (pmt_threads_inside ());
  for (size_t i = begin; i < end; i++)
    g_assert_true (pmt_parallel_for (NULL, 10, 1, visit, user));
}

/* Inside a body everything runs in that body's thread, and still all of it. */
static void
test_nested (void)
{
  int before = pmt_threads ();
  pmt_threads_set (2);
  g_assert_false (pmt_threads_inside ());
  Visit *v = g_new0 (Visit, 1);
  g_assert_true (pmt_parallel_for (NULL, 20, 1, nested, v));
  for (size_t i = 0; i < 10; i++)
    g_assert_cmpint (atomic_load (&v->seen[i]), ==, 20);
  g_free (v);
  pmt_threads_set (before);
}

static void
test_cancel (void)
{
  int before = pmt_threads ();
  for (int threads = 1; threads <= 2; threads++) {
    pmt_threads_set (threads);
    PmtCancel cancel = { false };
    Visit *v = g_new0 (Visit, 1);
    v->stop_after_first = &cancel;
    g_assert_false (pmt_parallel_for (&cancel, N, 1, visit, v));
    /* each thread may have had one chunk in hand */
    g_assert_cmpint (atomic_load (&v->chunks), <=, threads);
    g_assert_false (pmt_parallel_for (&cancel, 0, 1, visit, v));
    g_free (v);
  }
  pmt_threads_set (before);
}

static void
test_default (void)
{
  int before = pmt_threads ();
  int chosen = pmt_threads_set (0);
  g_assert_cmpint (chosen, >=, 1);
  g_assert_cmpint (chosen, <=, (int) g_get_num_processors ());
  g_assert_cmpint (pmt_threads (), ==, chosen);
  pmt_threads_set (before);
}

typedef struct Other {
  int threads; /* 0 = never set */
} Other;

static void
note_size (void *user, size_t begin, size_t end)
{
  int *seen = user;
  for (size_t i = begin; i < end; i++)
    seen[i] = pmt_threads ();
}

/* Bodies are told the size of whoever started them. */
static void
check_pool (int threads)
{
  int seen[64];
  g_assert_true (pmt_parallel_for (NULL, G_N_ELEMENTS (seen), 1, note_size, seen));
  for (size_t i = 0; i < G_N_ELEMENTS (seen); i++)
    g_assert_cmpint (seen[i], ==, threads);
}

static gpointer
other_thread (gpointer user)
{
  const Other *other = user;
  int threads = other->threads ? pmt_threads_set (other->threads) : pmt_threads ();
  for (int i = 0; i < 50; i++)
    check_pool (threads);
  pmt_threads_adopt ();
  return GINT_TO_POINTER (pmt_threads ());
}

/* What one thread sets, no other sees: not its size, and not the pools it is in the middle of. */
static void
test_other_thread (void)
{
  int before = pmt_threads (), all = pmt_threads_set (0);
  const int sizes[] = { 0, 1, 2, 5 };
  pmt_threads_set (3);
  for (size_t i = 0; i < G_N_ELEMENTS (sizes); i++) {
    Other other = { .threads = sizes[i] };
    GThread *thread = g_thread_new ("other", other_thread, &other);
    for (int k = 0; k < 50; k++)
      check_pool (3);
    g_assert_cmpint (GPOINTER_TO_INT (g_thread_join (thread)), ==, sizes[i] ? sizes[i] : all);
    g_assert_cmpint (pmt_threads (), ==, 3);
  }
  pmt_threads_set (before);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/threads/cover", test_cover);
  g_test_add_func ("/threads/nested", test_nested);
  g_test_add_func ("/threads/cancel", test_cancel);
  g_test_add_func ("/threads/default", test_default);
  g_test_add_func ("/threads/other-thread", test_other_thread);
  return g_test_run ();
}
