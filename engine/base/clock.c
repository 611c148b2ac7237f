/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/base/clock.h"

#include <glib.h>
#include <time.h>

#include "engine/base/threads.h"

double
pmt_work_clock (void)
{
  struct timespec t;
  if (pmt_threads () == 1 && clock_gettime (CLOCK_PROCESS_CPUTIME_ID, &t) == 0)
    return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
  return (double) g_get_monotonic_time () * 1e-6;
}

const char *
pmt_work_clock_name (void)
{
  return pmt_threads () == 1 ? "processor" : "clock";
}
