/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/cli/job-options.h"

static gboolean
run (int argc, char **argv, GError **error)
{
  PmtJobFiles files;
  JsonObject *recipe = pmt_job_options_parse (&pmt_command_edit, PMT_TASK_EDIT, argc, argv, &files, error);
  gboolean good;

  if (!recipe)
    return FALSE;
  good = pmt_job_execute (recipe, &files, error);
  json_object_unref (recipe);
  pmt_job_files_clear (&files);
  return good;
}

const PmtCommand pmt_command_edit = { "edit", "Change a picture as an instruction says.", run };
