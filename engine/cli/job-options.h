/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The options of generate, fill and edit: the task's parameter table, the inputs and outputs, and what they make: a recipe. */
#pragma once

#include "engine/cli/cli.h"
#include "engine/job/job.h"

typedef struct PmtJobFiles {
  char *image, *mask;        /* paths, or NULL */
  char *noise, *latents;     /* safetensors in and out, or NULL */
  char *out, *layer;
  gboolean progress;         /* lines instead of a bar */
} PmtJobFiles;
void pmt_job_files_clear (PmtJobFiles *files);

/* Parses a command line into a recipe (new reference) and files. NULL + error. */
JsonObject *pmt_job_options_parse (const PmtCommand *command, PmtTask task, int argc, char **argv, PmtJobFiles *files, GError **error);

/* Runs a recipe with its files, shows progress, prints notes on stderr and what was written on stdout. */
gboolean pmt_job_execute (JsonObject *recipe, const PmtJobFiles *files, GError **error);
