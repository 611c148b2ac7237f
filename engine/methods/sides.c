/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/methods/sides.h"

#include <string.h>

int
pmt_side_of (const PmtRun *run, const PmtRow *row)
{
  const PmtTensor negative = run->tracks[row->track]->negative;
  const bool none = strcmp (row->role, PMT_ROW_UNCOND) == 0 || (negative.data && row->context.data == negative.data);
  return none ? PMT_SIDE_NONE : PMT_SIDE_COND;
}

PmtTensor
pmt_sides_stack (PmtRun *run, const PmtStep *step, PmtTensor cond, PmtTensor none)
{
  PmtShape shape = cond.shape;
  shape.dim[0] = step->n_call_rows;
  PmtTensor all = pmt_tensor_new (&run->ctx, shape);
  const size_t size = (size_t) pmt_tensor_size (cond);
  for (int i = 0; i < step->n_call_rows && all.data && !run->ctx.dry; i++) {
    const PmtRow *row = &step->rows.row[step->call_row[i]];
    const float *from = pmt_side_of (run, row) == PMT_SIDE_NONE ? none.data : cond.data;
    memcpy (all.data + size * (size_t) i, from, size * sizeof (float));
  }
  return all;
}
