/* SPDX-License-Identifier: GPL-3.0-or-later */
/* CPU levels: the x86-64 psABI levels, plus v4bf16 (AVX-512 with BF16 and VNNI); of 64-bit ARM neon, which every such processor has, and
 * neonbf16 (with BF16, I8MM and DOTPROD). Kernels are built per level and chosen here. */
#pragma once

#include <glib.h>

#include "engine/base/error.h"

typedef enum {
  PMT_CPU_PORTABLE, /* plain C, any machine */
  PMT_CPU_V2,
  PMT_CPU_V3,
  PMT_CPU_V4,
  PMT_CPU_V4BF16,
  PMT_CPU_NEON,
  PMT_CPU_NEONBF16
} PmtCpuLevel;

/* What this machine can run. */
PmtCpuLevel pmt_cpu_detect (void);

/* What this process uses: PENTIMENTO_CPU (v2|v3|v4|v4bf16|portable; on ARM neon|neonbf16|portable) if set, else
 * pmt_cpu_detect(). A level that the machine lacks, or an unknown word, is PMT_ERROR_INPUT.
 *
 * A forced level holds the libraries (OpenBLAS, oneDNN) too. They read their variables when they are loaded, so with
 * PENTIMENTO_CPU set and those variables different this sets them and executes the program anew (same arguments, same open
 * files): call it first thing in main(), before threads or sockets. Without PENTIMENTO_CPU it only looks. */
gboolean pmt_cpu_select (PmtCpuLevel *level, GError **error);
const char *pmt_cpu_name (PmtCpuLevel level);
/* The processor's own name, for logs, benches and recipes. Static string. */
const char *pmt_cpu_model (void);
