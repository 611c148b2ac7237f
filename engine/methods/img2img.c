/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Image to image (Meng et al. 2022, SDEdit): start from the noised picture, at the first of the last int(n * strength) steps. */
#include "engine/methods/start.h"

static bool
implied (const PmtRun *run)
{
  return (run->request->image || run->request->latent) && !run->request->mask && !run->request->edit &&
         !(run->request->layout.n_boxes > 0 && pmt_start_inpaints_boxes (run));
}

static gboolean
plan (void *user, PmtRun *run, GError **error)
{
  PmtTensor clean;
  return pmt_start_from_image (run, 0, (PmtStart) { 0 }, &clean, error);
}

const PmtMethod pmt_method_img2img = {
  .id = "img2img",
  .label = N_("Start from a picture"),
  .summary = N_("Changes a picture as far as the strength allows."),
  .order = 100,
  .internal = true,
  .implied = implied,
  .plan = plan,
};
