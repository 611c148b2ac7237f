/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pictures of the class as the model paints them before it learns (Ruiz et al. 2023, section 3.2). */
#include <stdlib.h>

#include "engine/image/picture.h"
#include "engine/learn/private.h"

typedef struct Making {
  PmtLearner *learner;
  double before, flops; /* work done when it began, and of this picture */
} Making;

static void
tell (void *user, const PmtProgress *progress)
{
  const Making *making = user;
  PmtLearner *l = making->learner;
  l->work = making->before + progress->fraction * making->flops;
  pmt_learn_tell (l, PMT_LEARN_PRIOR, l->n_made, l->request->n_prior);
}

gboolean
pmt_learn_make_prior (PmtLearner *l, double flops, GError **error)
{
  const PmtLearnRequest *q = l->request;
  const size_t n = (size_t) l->latent_width * (size_t) l->latent_height * (size_t) l->latent_channels;
  for (; l->n_made < q->n_prior && !pmt_learn_paused (l); l->n_made++) {
    Making making = { l, l->work, flops };
    PmtLesson *lesson = &l->prior[l->n_made];
    PmtRequest r = *q->prior;
    PmtResult made;
    r.width = l->width;
    r.height = l->height;
    r.seed = q->prior->seed + (uint64_t) l->n_made;
    r.latent_only = true;
    r.cancel = q->cancel;
    r.memory_limit = q->memory_limit;
    r.progress = q->progress ? tell : NULL;
    r.progress_user = &making;
    r.preview = PMT_PREVIEW_NONE;
    if (!pmt_run (&r, &made, error))
      return FALSE;
    lesson->latent = pmt_pixels_new (n, error);
    if (lesson->latent)
      pmt_nchw_to_nhwc (made.latent, lesson->latent, 1, l->latent_channels, l->latent_height, l->latent_width);
    pmt_result_clear (&made);
    if (!lesson->latent)
      return FALSE;
    l->work = making.before + flops;
    pmt_learn_save_sometimes (l);
  }
  return TRUE;
}
