/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/base/threads.h"

#include <glib.h>
#include <omp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "engine/base/cgroup.h"

/* Chunks per thread: enough that a cancel is seen soon and that a slow core does not hold up the rest. */
enum { CHUNKS_PER_THREAD = 8 };

/* The setting of each thread that starts work: an estimate beside a running job must not change the job's. 0 = not chosen yet. */
static _Thread_local int pool_size;

/* The lowest-numbered sibling of a CPU stands for its physical core; -1 when the system does not say. */
static int
first_sibling (int cpu)
{
  char path[96];
  g_snprintf (path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
  FILE *f = fopen (path, "re");
  if (!f)
    return -1;
  int first = -1;
  if (fscanf (f, "%d", &first) != 1)
    first = -1;
  fclose (f);
  return first;
}

static int
count_physical_cores (void)
{
  cpu_set_t mine;
  CPU_ZERO (&mine);
  if (sched_getaffinity (0, sizeof mine, &mine) != 0)
    return MAX (1, (int) g_get_num_processors ());

  cpu_set_t cores;
  CPU_ZERO (&cores);
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
    if (!CPU_ISSET (cpu, &mine))
      continue;
    int core = first_sibling (cpu);
    CPU_SET (core >= 0 && core < CPU_SETSIZE ? core : cpu, &cores);
  }
  int n = MAX (1, CPU_COUNT (&cores));

  double quota = pmt_cgroup_cpus ();
  if (quota > 0 && quota < n)
    n = MAX (1, (int) (quota + 0.5));
  return n;
}

int
pmt_threads_set (int n)
{
  if (n <= 0)
    n = count_physical_cores ();
  pool_size = n;
  pmt_threads_adopt ();
  return n;
}

int
pmt_threads (void)
{
  return pool_size > 0 ? pool_size : pmt_threads_set (0);
}

void
pmt_threads_adopt (void)
{
  int n = pmt_threads ();
  if (!omp_in_parallel () && omp_get_max_threads () != n)
    omp_set_num_threads (n);
}

bool
pmt_threads_inside (void)
{
  return omp_in_parallel ();
}

int
pmt_threads_index (void)
{
  return omp_get_thread_num ();
}

PmtThreadsSolo
pmt_threads_solo_begin (void)
{
  PmtThreadsSolo solo = { omp_in_parallel () ? 0 : omp_get_max_threads () };
  if (solo.before > 0)
    omp_set_num_threads (1);
  return solo;
}

void
pmt_threads_solo_end (PmtThreadsSolo solo)
{
  if (solo.before > 0)
    omp_set_num_threads (solo.before);
}

bool
pmt_parallel_for (const PmtCancel *cancel, size_t n, size_t grain, PmtRangeFunc body, void *user)
{
  if (n == 0)
    return !pmt_cancelled (cancel);
  if (grain == 0)
    grain = 1;

  size_t threads = (size_t) pmt_threads ();
  size_t chunks = CLAMP (n / grain, 1, threads * CHUNKS_PER_THREAD);
  if (chunks == 1 || threads == 1 || omp_in_parallel ()) {
    for (size_t i = 0; i < chunks && !pmt_cancelled (cancel); i++)
      body (user, n * i / chunks, n * (i + 1) / chunks);
    return !pmt_cancelled (cancel);
  }

  #pragma omp parallel num_threads((int) MIN (threads, chunks))
  {
    pool_size = (int) threads; /* bodies that ask are told what the caller would be */
    #pragma omp for schedule(dynamic, 1)
    for (size_t i = 0; i < chunks; i++)
      if (!pmt_cancelled (cancel))
        body (user, n * i / chunks, n * (i + 1) / chunks);
  }
  return !pmt_cancelled (cancel);
}
