/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/cpu.h"
#include "engine/base/memory.h"
#include "engine/cli/cli.h"
#include "engine/kernels/blas.h"

static const PmtCommand *const commands[] = {
  &pmt_command_generate, &pmt_command_fill,   &pmt_command_edit,    &pmt_command_run,      &pmt_command_inspect,  &pmt_command_net,
  &pmt_command_schedule, &pmt_command_tokens, &pmt_command_methods, &pmt_command_samplers, &pmt_command_diagnostics,
  &pmt_command_preprocess, &pmt_command_preprocessors, &pmt_command_serve, &pmt_command_bench, &pmt_command_rank, &pmt_command_learn,
  &pmt_command_models,   &pmt_command_import,
};

/* Threads that wait for work spin by default, which is a waste where other programs want the cores too: on a busy machine small
 * networks took forty times as long. The OpenMP library reads its variables when it is loaded, hence the program begins anew with
 * them set; a user's own setting is left alone. */
static void
let_threads_sleep (char **argv)
{
  if (getenv ("OMP_WAIT_POLICY") || getenv ("GOMP_SPINCOUNT"))
    return;
  setenv ("OMP_WAIT_POLICY", "passive", 1);
  execv ("/proc/self/exe", argv); /* where that fails, work goes on as it is */
}

static void
print_help (FILE *stream)
{
  fputs ("Usage: pentimento-engine COMMAND [OPTION…]\n\nCommands:\n", stream);
  for (gsize i = 0; i < G_N_ELEMENTS (commands); i++)
    fprintf (stream, "  %-14s %s\n", commands[i]->name, commands[i]->summary);
  fputs ("\n'pentimento-engine COMMAND --help' lists a command's options; --version prints the version.\n", stream);
}

static const PmtCommand *
find_command (const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (commands); i++)
    if (strcmp (commands[i]->name, name) == 0)
      return commands[i];
  return NULL;
}

static int
fail (const GError *error)
{
  fprintf (stderr, "%s\n", error->message);
  return g_error_matches (error, PMT_ERROR, PMT_ERROR_CANCELLED) ? 130 : 1;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  const PmtCommand *command;
  PmtCpuLevel level;

  let_threads_sleep (argv);
  /* a forced level, too, may start the program anew */
  if (!pmt_cpu_select (&level, &error) || !pmt_memory_check (&error))
    return fail (error);
  setlocale (LC_CTYPE, "");
  g_set_prgname ("pentimento-engine");

  if (argc < 2) {
    print_help (stderr);
    return 1;
  }
  if (strcmp (argv[1], "--help") == 0 || strcmp (argv[1], "-h") == 0) {
    print_help (stdout);
    return 0;
  }
  if (strcmp (argv[1], "--version") == 0) {
    printf ("pentimento-engine %s\n", PMT_VERSION);
    return 0;
  }
  command = find_command (argv[1]);
  if (!command) {
    fprintf (stderr, "There is no command '%s'; 'pentimento-engine --help' lists the commands.\n", argv[1]);
    return 1;
  }
  if (!pmt_blas_check (&error) || !command->run (argc - 1, argv + 1, &error))
    return fail (error);
  if (fflush (stdout) != 0 || ferror (stdout)) {
    fputs ("The output could not be written; is the disk full?\n", stderr);
    return 1;
  }
  return 0;
}
