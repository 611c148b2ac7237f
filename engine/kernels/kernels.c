/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/kernels/kernels.h"

#include "engine/kernels/pmt-kernel-levels.h"

extern const PmtKernels pmt_kernels_portable;
#ifdef PMT_HAVE_KERNELS_V2
extern const PmtKernels pmt_kernels_v2;
#endif
#ifdef PMT_HAVE_KERNELS_V3
extern const PmtKernels pmt_kernels_v3;
#endif
#ifdef PMT_HAVE_KERNELS_V4
extern const PmtKernels pmt_kernels_v4;
#endif
#ifdef PMT_HAVE_KERNELS_V4BF16
extern const PmtKernels pmt_kernels_v4bf16;
#endif
#ifdef PMT_HAVE_KERNELS_NEON
extern const PmtKernels pmt_kernels_neon;
#endif
#ifdef PMT_HAVE_KERNELS_NEONBF16
extern const PmtKernels pmt_kernels_neonbf16;
#endif

static const PmtKernels *const tables[] = {
  [PMT_CPU_PORTABLE] = &pmt_kernels_portable,
#ifdef PMT_HAVE_KERNELS_V2
  [PMT_CPU_V2] = &pmt_kernels_v2,
#endif
#ifdef PMT_HAVE_KERNELS_V3
  [PMT_CPU_V3] = &pmt_kernels_v3,
#endif
#ifdef PMT_HAVE_KERNELS_V4
  [PMT_CPU_V4] = &pmt_kernels_v4,
#endif
#ifdef PMT_HAVE_KERNELS_V4BF16
  [PMT_CPU_V4BF16] = &pmt_kernels_v4bf16,
#endif
#ifdef PMT_HAVE_KERNELS_NEON
  [PMT_CPU_NEON] = &pmt_kernels_neon,
#endif
#ifdef PMT_HAVE_KERNELS_NEONBF16
  [PMT_CPU_NEONBF16] = &pmt_kernels_neonbf16,
#endif
};

const PmtKernels *
pmt_kernels_get (PmtCpuLevel level)
{
  size_t i = MIN ((size_t) level, G_N_ELEMENTS (tables) - 1);
  while (!tables[i])
    i--;
  return tables[i];
}
