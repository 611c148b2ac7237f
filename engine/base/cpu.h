/* SPDX-License-Identifier: GPL-3.0-or-later */
/* CPU levels: the x86-64 psABI levels, plus v4bf16 (AVX-512 with BF16 and VNNI). Kernels are built per level and chosen here. */
#pragma once

#include <glib.h>

#include "engine/base/error.h"

typedef enum {
  PMT_CPU_PORTABLE, /* plain C, any machine */
  PMT_CPU_V2,
  PMT_CPU_V3,
  PMT_CPU_V4,
  PMT_CPU_V4BF16
} PmtCpuLevel;

/* What this machine can run. */
PmtCpuLevel pmt_cpu_detect (void);

/* What this process uses: PENTIMENTO_CPU (v2|v3|v4|v4bf16|portable) if set, else pmt_cpu_detect(). A level that the machine lacks, or
 * an unknown word, is PMT_ERROR_INPUT. Must be called before the first product: it also sets the variables that hold the
 * libraries (OpenBLAS, oneDNN) to that level. */
gboolean pmt_cpu_select (PmtCpuLevel *level, GError **error);
const char *pmt_cpu_name (PmtCpuLevel level);
/* The processor's own name, for logs, benches and recipes. Static string. */
const char *pmt_cpu_model (void);
