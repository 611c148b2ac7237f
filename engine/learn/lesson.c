/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pictures as the autoencoder sees them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/image/resize.h"
#include "engine/learn/private.h"

void
pmt_lesson_clear (PmtLesson *lesson)
{
  free (lesson->moments);
  free (lesson->mirrored);
  free (lesson->latent);
}

/* Scales the picture so that it just covers width x height, and cuts that around its middle; -1..1 in `to`. */
static gboolean
fit (const PmtLearnPicture *p, int width, int height, bool mirror, float *to, GError **error)
{
  const double factor = MAX ((double) width / p->width, (double) height / p->height);
  const int w = MAX ((int) lround (p->width * factor), width), h = MAX ((int) lround (p->height * factor), height);
  const int left = (w - width) / 2, top = (h - height) / 2;
  float *scaled = pmt_pixels_new ((size_t) w * (size_t) h * 3, error);
  const gboolean ok = scaled && pmt_resize (PMT_FILTER_AUTO, p->pixels, p->width, p->height, 3, scaled, w, h, error);
  for (int y = 0; ok && y < height; y++)
    for (int x = 0; x < width; x++) {
      const float *from = scaled + ((size_t) (y + top) * (size_t) w + (size_t) (left + (mirror ? width - 1 - x : x))) * 3;
      for (int c = 0; c < 3; c++)
        *to++ = 2 * from[c] - 1;
    }
  free (scaled);
  return ok;
}

/* The picture's moments, for the caller to free(); NULL + error. */
static float *
encode (PmtLearner *l, const PmtLearnPicture *picture, bool mirror, GError **error)
{
  const size_t n = (size_t) l->latent_height * (size_t) l->latent_width * 2 * (size_t) l->latent_channels;
  PmtArenaMark mark = pmt_arena_mark (l->ctx.step);
  PmtTensor pixels = pmt_tensor_new (&l->ctx, PMT_SHAPE4 (1, l->height, l->width, 3));
  float *out = NULL;
  if (pixels.data && !l->ctx.dry && !fit (picture, l->width, l->height, mirror, pixels.data, error))
    return NULL;
  PmtTensor moments = pmt_vae_encode (&l->ctx, l->vae, pixels);
  if (!pmt_context_take_error (&l->ctx, error)) {
    out = pmt_pixels_new (n, error);
    if (out && !l->ctx.dry)
      memcpy (out, moments.data, n * sizeof (float));
  }
  pmt_arena_release (l->ctx.step, mark);
  return out;
}

gboolean
pmt_learn_encode_dry (PmtLearner *l, GError **error)
{
  float *moments = encode (l, NULL, false, error);
  free (moments);
  return moments != NULL;
}

gboolean
pmt_learn_encode (PmtLearner *l, GError **error)
{
  const PmtLearnRequest *q = l->request;
  for (int i = 0; i < q->n_pictures; i++) {
    PmtLesson *lesson = &l->lessons[i];
    if (q->progress)
      q->progress (q->progress_user, &(PmtLearnProgress) { .stage = PMT_LEARN_ENCODE, .step = i, .of = q->n_pictures, .eta = -1, .loss = NAN });
    lesson->moments = encode (l, &q->pictures[i], false, error);
    lesson->mirrored = lesson->moments && q->flip ? encode (l, &q->pictures[i], true, error) : NULL;
    if (!lesson->moments || (q->flip && !lesson->mirrored))
      return FALSE;
  }
  return TRUE;
}
