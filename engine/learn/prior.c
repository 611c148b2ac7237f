/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pictures of the class as the model paints them before it learns (Ruiz et al. 2023, section 3.2). */
#include <math.h>
#include <stdlib.h>

#include "engine/image/picture.h"
#include "engine/learn/private.h"

typedef struct Making {
  const PmtLearnRequest *request;
  int i;
} Making;

static void
tell (void *user, const PmtProgress *progress)
{
  const Making *making = user;
  const PmtLearnRequest *q = making->request;
  const double fraction = progress->fraction, eta = progress->eta;
  q->progress (q->progress_user,
               &(PmtLearnProgress) { .stage = PMT_LEARN_PRIOR, .step = making->i, .of = q->n_prior, .loss = NAN,
                                     .eta = eta < 0 || fraction <= 0 || fraction >= 1 ? -1 : eta + eta / (1 - fraction) * (q->n_prior - making->i - 1) });
}

gboolean
pmt_learn_make_prior (PmtLearner *l, GError **error)
{
  const PmtLearnRequest *q = l->request;
  const size_t n = (size_t) l->latent_height * (size_t) l->latent_width * (size_t) l->latent_channels;
  for (int i = 0; i < q->n_prior; i++) {
    Making making = { q, i };
    PmtRequest r = *q->prior;
    PmtResult made;
    r.width = l->width;
    r.height = l->height;
    r.seed = q->prior->seed + (uint64_t) i;
    r.latent_only = true;
    r.cancel = q->cancel;
    r.memory_limit = q->memory_limit;
    r.progress = q->progress ? tell : NULL;
    r.progress_user = &making;
    r.preview = PMT_PREVIEW_NONE;
    if (!pmt_run (&r, &made, error))
      return FALSE;
    l->prior[i].latent = pmt_pixels_new (n, error);
    if (l->prior[i].latent)
      pmt_nchw_to_nhwc (made.latent, l->prior[i].latent, 1, l->latent_channels, l->latent_height, l->latent_width);
    pmt_result_clear (&made);
    if (!l->prior[i].latent)
      return FALSE;
  }
  return TRUE;
}
