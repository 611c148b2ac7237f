/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/base/cpu.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

typedef struct Level {
  const char *name;
  const char *openblas; /* OPENBLAS_CORETYPE; NULL leaves it as it is */
  const char *onednn;   /* ONEDNN_MAX_CPU_ISA, likewise */
} Level;

#if defined(__aarch64__)
#define PMT_LEVEL_WORDS "portable, neon or neonbf16"
enum { FIRST = PMT_CPU_NEON, LAST = PMT_CPU_NEONBF16 };
#else
#define PMT_LEVEL_WORDS "portable, v2, v3, v4 or v4bf16"
enum { FIRST = PMT_CPU_V2, LAST = PMT_CPU_V4BF16 };
#endif

static const Level levels[] = {
#if defined(__aarch64__)
  [PMT_CPU_PORTABLE] = { "portable", "ARMV8", NULL },
#else
  [PMT_CPU_PORTABLE] = { "portable", "Prescott", "SSE41" },
#endif
  [PMT_CPU_V2] = { "v2", "Nehalem", "SSE41" },
  [PMT_CPU_V3] = { "v3", "Haswell", "AVX2" },
  [PMT_CPU_V4] = { "v4", "SkylakeX", "AVX512_CORE" },
  [PMT_CPU_V4BF16] = { "v4bf16", "Cooperlake", "AVX512_CORE_BF16" },
  [PMT_CPU_NEON] = { "neon", "ARMV8", NULL },
  [PMT_CPU_NEONBF16] = { "neonbf16", NULL, NULL },
};

#if defined(__x86_64__)

/* The compilers' built-in test also asks whether the system saves the wide registers; it does not know every flag by name, so the
 * rest comes from CPUID leaves 1 and 0x80000001. */
static gboolean
has_v3_rest (void)
{
  unsigned a, b, c, d;
  if (!__get_cpuid (1, &a, &b, &c, &d))
    return FALSE;
  gboolean movbe = (c >> 22) & 1, f16c = (c >> 29) & 1;
  if (!__get_cpuid (0x80000001u, &a, &b, &c, &d))
    return FALSE;
  gboolean lzcnt = (c >> 5) & 1;
  return movbe && f16c && lzcnt;
}

PmtCpuLevel
pmt_cpu_detect (void)
{
  __builtin_cpu_init ();
  if (!(__builtin_cpu_supports ("sse4.2") && __builtin_cpu_supports ("ssse3") && __builtin_cpu_supports ("popcnt")))
    return PMT_CPU_PORTABLE;
  if (!(__builtin_cpu_supports ("avx2") && __builtin_cpu_supports ("fma") && __builtin_cpu_supports ("bmi") &&
        __builtin_cpu_supports ("bmi2") && has_v3_rest ()))
    return PMT_CPU_V2;
  if (!(__builtin_cpu_supports ("avx512f") && __builtin_cpu_supports ("avx512bw") &&
        __builtin_cpu_supports ("avx512cd") && __builtin_cpu_supports ("avx512dq") &&
        __builtin_cpu_supports ("avx512vl")))
    return PMT_CPU_V3;
  if (!(__builtin_cpu_supports ("avx512bf16") && __builtin_cpu_supports ("avx512vnni")))
    return PMT_CPU_V4;
  return PMT_CPU_V4BF16;
}

#elif defined(__aarch64__)

PmtCpuLevel
pmt_cpu_detect (void)
{
  const unsigned long more = HWCAP2_BF16 | HWCAP2_I8MM;
  return (getauxval (AT_HWCAP) & HWCAP_ASIMDDP) && (getauxval (AT_HWCAP2) & more) == more ? PMT_CPU_NEONBF16 : PMT_CPU_NEON;
}

#else

PmtCpuLevel
pmt_cpu_detect (void)
{
  return PMT_CPU_PORTABLE;
}

#endif

const char *
pmt_cpu_name (PmtCpuLevel level)
{
  return (size_t) level < G_N_ELEMENTS (levels) ? levels[level].name : "unknown";
}

const char *
pmt_cpu_model (void)
{
  static char *model;
  static gsize once;
  if (g_once_init_enter (&once)) {
    g_autofree char *text = NULL;
    if (g_file_get_contents ("/proc/cpuinfo", &text, NULL, NULL)) {
      const char *line = strstr (text, "model name");
      const char *colon = line ? strchr (line, ':') : NULL;
      if (colon) {
        model = g_strndup (colon + 1, strcspn (colon + 1, "\n"));
        g_strstrip (model);
      }
    }
    if (!model)
      model = g_strdup ("unknown processor");
    g_once_init_leave (&once, 1);
  }
  return model;
}

/* The libraries read their variables when they are loaded, which is before main(). So when one has to change, the program starts
 * itself over, with the same arguments; the second time nothing has to change. */
static gboolean
start_over (GError **error)
{
  g_autofree char *text = NULL;
  gsize size = 0;
  if (!g_file_get_contents ("/proc/self/cmdline", &text, &size, NULL) || size == 0) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_IO,
                 "PENTIMENTO_CPU cannot be applied because /proc/self/cmdline cannot be read; mount /proc or unset it.");
    return FALSE;
  }
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();
  for (char *arg = text; arg < text + size; arg += strlen (arg) + 1)
    g_ptr_array_add (argv, arg);
  g_ptr_array_add (argv, NULL);
  execv ("/proc/self/exe", (char **) argv->pdata);
  g_set_error (error, PMT_ERROR, PMT_ERROR_IO,
               "PENTIMENTO_CPU cannot be applied because the program could not start itself again (%s); unset it.",
               g_strerror (errno));
  return FALSE;
}

/* Whether a library's variable has to be set before it is loaded. */
static gboolean
differs (const char *name, const char *value)
{
  return value && g_strcmp0 (getenv (name), value) != 0;
}

gboolean
pmt_cpu_select (PmtCpuLevel *level, GError **error)
{
  const char *word = getenv ("PENTIMENTO_CPU");
  PmtCpuLevel machine = pmt_cpu_detect ();
  if (!word || !*word) {
    *level = machine;
    return TRUE;
  }

  int asked = LAST;
  while (asked >= FIRST && strcmp (levels[asked].name, word) != 0)
    asked--;
  if (asked < FIRST && strcmp (levels[PMT_CPU_PORTABLE].name, word) != 0) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "PENTIMENTO_CPU=%s is not a level; use " PMT_LEVEL_WORDS ".", word);
    return FALSE;
  }
  if (asked < FIRST)
    asked = PMT_CPU_PORTABLE;
  if (asked > (int) machine) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 "PENTIMENTO_CPU=%s asks for more than this machine has (%s); use a lower level or unset it.", word,
                 levels[machine].name);
    return FALSE;
  }
  *level = (PmtCpuLevel) asked;

#if defined(__x86_64__) || defined(__aarch64__)
  const Level *l = &levels[asked];
  if (differs ("OPENBLAS_CORETYPE", l->openblas) || differs ("ONEDNN_MAX_CPU_ISA", l->onednn)) {
    if (l->openblas)
      setenv ("OPENBLAS_CORETYPE", l->openblas, TRUE);
    if (l->onednn)
      setenv ("ONEDNN_MAX_CPU_ISA", l->onednn, TRUE);
    return start_over (error);
  }
#endif
  return TRUE;
}
