/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/methods/control.h"

#include <string.h>

bool
pmt_control_is_adapter (const PmtControl *control)
{
  PmtKindInfo info;
  return control->model && pmt_kind_of_file (control->model, &info, NULL) && info.kind == PMT_KIND_T2I_ADAPTER;
}

gboolean
pmt_control_check (const PmtControl *control, GError **error)
{
  if (!control->model || !*control->model) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT,
                         _("A control picture is given without the network that reads it; name a ControlNet or T2I-Adapter for it."));
    return FALSE;
  }
  if (!(control->strength >= 0 && control->strength <= 10)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The strength of '%s' is %g and has to be from 0 to 10."), control->model,
                 control->strength);
    return FALSE;
  }
  if (!(control->start >= 0 && control->start <= 1 && control->end >= 0 && control->end <= 1)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("'%s' is to act from %g to %g of the run; both have to be from 0 to 1."), control->model,
                 control->start, control->end);
    return FALSE;
  }
  return TRUE;
}

PmtTensor
pmt_control_picture (PmtRun *run, const PmtControl *control, int channels)
{
  const int64_t height = run->request->height, width = run->request->width;
  PmtTensor picture = pmt_tensor_new (&run->ctx, PMT_SHAPE4 (1, height, width, channels));
  if (!picture.data || run->ctx.dry)
    return picture;
  if (channels == 3)
    memcpy (picture.data, control->image, (size_t) pmt_tensor_size (picture) * sizeof (float));
  for (int64_t i = 0; channels == 1 && i < height * width; i++) {
    const float *rgb = control->image + 3 * i;
    picture.data[i] = 0.299f * rgb[0] + 0.587f * rgb[1] + 0.114f * rgb[2];
  }
  return picture;
}
