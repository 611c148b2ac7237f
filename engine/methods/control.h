/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the methods for control pictures share. */
#pragma once

#include "engine/sample/run.h"
#include "engine/weights/kinds.h"

/* Whether the control's file is a T2I-Adapter. Whatever else it is, or is not, the ControlNet method takes or refuses. */
bool pmt_control_is_adapter (const PmtControl *control);

/* PMT_ERROR_INPUT unless strength and range are what inputs.h says. */
gboolean pmt_control_check (const PmtControl *control, GError **error);

/* The picture [1, height, width, channels] in the step arena: RGB, or with one channel its luma (Rec. 601, as Pillow's mode "L", which the
 * adapters for line drawings are fed with). PMT_NO_TENSOR when ctx has failed. */
PmtTensor pmt_control_picture (PmtRun *run, const PmtControl *control, int channels);
