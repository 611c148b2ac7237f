/* SPDX-License-Identifier: GPL-3.0-or-later */
/* For methods that show rows with the prompt one thing and rows with the negative prompt another (IP-Adapter, GLIGEN). */
#pragma once

#include "engine/sample/run.h"

enum { PMT_SIDE_COND, PMT_SIDE_NONE, PMT_N_SIDES };

/* PMT_SIDE_NONE for rows whose text is the negative prompt, whatever their role. */
int pmt_side_of (const PmtRun *run, const PmtRow *row);

/* One of two tensors [1, S, C] for each row of the present network call, behind each other: [N, S, C] in the step arena. */
PmtTensor pmt_sides_stack (PmtRun *run, const PmtStep *step, PmtTensor cond, PmtTensor none);
