/* SPDX-License-Identifier: GPL-3.0-or-later */
/* conv2d with a weight that is packed for minimal filtering (kernels/winograd.h). Private to conv2d.c. */
#pragma once

#include "engine/ops/op.h"

bool pmt_conv2d_is_winograd (const PmtOpCall *call);
size_t pmt_conv2d_winograd_workspace (const PmtOpCall *call);
void pmt_conv2d_winograd (PmtOpCall *call);
/* Adds the gradient by the map: the same kind of convolution, of the transposed weight, which is made again each time at the beginning of the workspace.
 * False for a map made twice as large that lacks its last row or column: there it is left to products with the weight as it was, which
 * pmt_conv2d_winograd_plain puts in that place. */
size_t pmt_conv2d_winograd_back_workspace (const PmtOpCall *call);
bool pmt_conv2d_winograd_back (PmtOpCall *call, PmtOpGrad *grad);
PmtTensor pmt_conv2d_winograd_plain (PmtOpCall *call);
