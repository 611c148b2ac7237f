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
  free (lesson->pixels);
  free (lesson->moments);
  free (lesson->mirrored);
  free (lesson->latent);
}

/* The part around the middle that has the shape of width x height, at that size. Takes the picture. */
static float *
fit (PmtPicture *picture, int width, int height, GError **error)
{
  const double factor = MAX ((double) width / picture->width, (double) height / picture->height);
  const int w = CLAMP ((int) lround (width / factor), 1, picture->width), h = CLAMP ((int) lround (height / factor), 1, picture->height);
  const PmtBox box = { (picture->width - w) / 2, (picture->height - h) / 2, w, h };
  PmtPicture part = { 0 };
  float *rgb = NULL, *out = NULL;
  if (pmt_picture_crop (picture, &box, &part, error)) {
    pmt_picture_clear (picture);
    rgb = pmt_pixels_new ((size_t) w * (size_t) h * 3, error);
  }
  if (rgb && pmt_picture_flatten (&part, rgb, error)) {
    pmt_picture_clear (&part);
    out = pmt_pixels_new ((size_t) width * (size_t) height * 3, error);
    if (out && !pmt_resize (PMT_FILTER_AUTO, rgb, w, h, 3, out, width, height, error))
      g_clear_pointer (&out, free);
  }
  free (rgb);
  pmt_picture_clear (&part);
  pmt_picture_clear (picture);
  return out;
}

gboolean
pmt_learn_take_pictures (PmtLearner *l, GError **error)
{
  const PmtLearnRequest *q = l->request;
  for (int i = 0; i < q->n_pictures; i++) {
    PmtPicture picture = { 0 };
    if (!q->picture (q->picture_user, i, &picture, error))
      return FALSE;
    g_assert (picture.channels == 4);
    if (!(l->lessons[i].pixels = fit (&picture, l->width, l->height, error)))
      return FALSE;
  }
  return TRUE;
}

/* 0..1 as the autoencoder has it, -1..1. */
static void
shift (const float *pixels, int width, int height, bool mirror, float *to)
{
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++)
      for (int c = 0; c < 3; c++)
        *to++ = 2 * pixels[((size_t) y * (size_t) width + (size_t) (mirror ? width - 1 - x : x)) * 3 + (size_t) c] - 1;
}

/* The picture's moments, for the caller to free(); NULL + error. */
static float *
encode (PmtLearner *l, const float *picture, bool mirror, GError **error)
{
  const size_t n = (size_t) l->latent_height * (size_t) l->latent_width * 2 * (size_t) l->latent_channels;
  PmtArenaMark mark = pmt_arena_mark (l->ctx.step);
  PmtTensor pixels = pmt_tensor_new (&l->ctx, PMT_SHAPE4 (1, l->height, l->width, 3));
  float *out = NULL;
  if (pixels.data && !l->ctx.dry)
    shift (picture, l->width, l->height, mirror, pixels.data);
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
    pmt_learn_tell (l, PMT_LEARN_ENCODE, i, q->n_pictures);
    const double before = l->ctx.flops;
    lesson->moments = encode (l, lesson->pixels, false, error);
    lesson->mirrored = lesson->moments && q->flip ? encode (l, lesson->pixels, true, error) : NULL;
    if (!lesson->moments || (q->flip && !lesson->mirrored))
      return FALSE;
    g_clear_pointer (&lesson->pixels, free);
    l->work += l->ctx.flops - before;
  }
  return TRUE;
}
