/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The dialog of Learn a Concept: pictures and settings above; while it learns a curve in their place; sentences below. */
#pragma once

#include <libgimp/gimp.h>

#include "plugin/learn-job.h"

/* Runs until it is closed: TRUE when something was learned, the last of which is in *learned with its own path. FALSE: nothing was. */
gboolean pmt_learn_dialog_run (GimpProcedure *procedure, GimpProcedureConfig *config, GimpImage *image, GimpDrawable **drawables, PmtLearned *learned);
