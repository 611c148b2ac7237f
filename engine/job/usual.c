/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Models that were distilled for few steps say so only by what they were shipped with. */
#include <string.h>

#include "engine/job/private.h"

/* What a Stable Diffusion of the first family is usually run with. */
static const PmtJobUsual of_most = { "dpmpp-2m-karras", 20, 7.0 };

/* By the scheduler's class. The guidance of these is in the weights already: a pass for it would do it twice. */
static const struct {
  const char *class;
  bool trailing; /* and begins at the last timestep, predicting noise: an ordinary model's scheduler of that class does not */
  PmtJobUsual usual;
} distilled[] = {
  { "LCMScheduler", false, { "lcm", 4, 1.5 } },
  { "EulerDiscreteScheduler", true, { "euler-trailing", 4, 1.0 } },           /* SD Turbo */
  { "EulerAncestralDiscreteScheduler", true, { "euler-a-trailing", 4, 1.0 } }, /* SDXL Turbo */
};

/* A latent consistency model that is told the guidance was trained on values of a usual guidance's size. */
static const PmtJobUsual of_told_guidance = { "lcm", 4, 8.0 };

PmtJobUsual
pmt_job_usual (const PmtModel *model)
{
  const PmtScheduleConfig *schedule = pmt_model_schedule (model);
  const char *class = pmt_model_scheduler_class (model);
  const bool trailing = schedule->spacing == PMT_SPACING_TRAILING && schedule->prediction == PMT_PREDICT_EPSILON && !schedule->zero_terminal_snr;

  if (pmt_model_unet_config (model, PMT_UNET_MAIN)->time_cond_proj_dim > 0)
    return of_told_guidance;
  for (gsize i = 0; class && i < G_N_ELEMENTS (distilled); i++)
    if (strcmp (distilled[i].class, class) == 0 && (trailing || !distilled[i].trailing))
      return distilled[i].usual;
  return of_most;
}
