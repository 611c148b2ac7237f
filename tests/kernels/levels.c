/* SPDX-License-Identifier: GPL-3.0-or-later */
/* levels: the CPU levels that this machine has, a line each. */
#include <stdio.h>

#include "engine/kernels/kernels.h"

int
main (void)
{
  for (PmtCpuLevel level = PMT_CPU_PORTABLE; level <= pmt_cpu_detect (); level++)
    if (pmt_kernels_get (level)->level == level)
      printf ("%s\n", pmt_cpu_name (level));
  return 0;
}
