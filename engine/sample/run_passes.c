/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Methods that are several runs, each of which paints a part of the picture that the ones before left (method.h: passes). */
#include <string.h>

#include "engine/sample/stages.h"

static const PmtMethodUse *
find (const PmtRequest *q)
{
  for (int i = 0; i < q->n_methods; i++)
    if (q->methods[i].method->passes)
      return &q->methods[i];
  return NULL;
}

bool
pmt_passes_wanted (const PmtRequest *q)
{
  return find (q) != NULL;
}

static gboolean
check (const PmtRequest *q, const char *id, GError **error)
{
  const char *wrong = NULL;
  if (q->edit)
    wrong = _("paints with prompts and this job follows an instruction; leave the method out");
  else if (q->refiner)
    wrong = _("makes several pictures one after the other, which no refiner goes on with; leave the refiner out");
  else if (q->latent)
    wrong = _("goes from picture to picture and was given a latent; give a picture");
  else if (q->latent_only || q->denoising_start > 0 || (q->denoising_end > 0 && q->denoising_end < 1))
    wrong = _("needs whole runs; leave the start and the end of the noise levels out");
  if (!wrong)
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The method %s %s."), id, wrong);
  return FALSE;
}

gboolean
pmt_passes_open (PmtPasses *p, const PmtRequest *q, GError **error)
{
  static const float some; /* dry runs only look whether there are pixels */
  memset (p, 0, sizeof *p);
  p->use = find (q);
  if (!check (q, p->use->method->id, error))
    return FALSE;
  const int n = p->use->method->passes (q, &p->use->values, error);
  if (n < 0)
    return FALSE;
  p->request = g_new (PmtRequest, n);
  p->prompt = g_new0 (char *, n + 1);
  p->methods = g_new (PmtMethodUse, q->n_methods);
  int others = 0;
  for (int i = 0; i < q->n_methods; i++)
    if (&q->methods[i] != p->use)
      p->methods[others++] = q->methods[i];
  for (p->n = 0; p->n < n; p->n++) {
    PmtRequest *r = &p->request[p->n];
    p->use->method->pass (q, &p->use->values, p->n, &p->prompt[p->n], NULL);
    *r = *q;
    r->prompt = p->prompt[p->n];
    r->seed = q->seed + (uint64_t) p->n; /* the same noise again would be seen in what is painted */
    r->image = r->mask = &some;
    r->fill = true;
    if (!q->image)
      r->strength = 1; /* what stands on the canvas is no picture to start from */
    r->noise = p->n == 0 ? q->noise : NULL;
    r->full.width = 0;
    r->n_regions = r->layout.n_boxes = 0;
    r->methods = p->methods;
    r->n_methods = others;
  }
  return TRUE;
}

static float *
array (size_t n, GError **error)
{
  float *p = g_try_new (float, n);
  if (!p)
    g_set_error (error, PMT_ERROR, PMT_ERROR_MEMORY, _("The picture needs %zu bytes that are not there; make it smaller."), n * sizeof (float));
  return p;
}

gboolean
pmt_passes_begin (PmtPasses *p, const PmtRequest *q, int i, GError **error)
{
  const size_t n = (size_t) q->width * (size_t) q->height;
  if (!p->canvas) {
    p->canvas = array (n * 3, error);
    p->area = p->canvas ? array (n, error) : NULL;
    if (!p->area)
      return FALSE;
    for (size_t k = 0; k < n * 3; k++)
      p->canvas[k] = q->image ? q->image[k] : 0.5f;
  }
  /* the prompt again with the area: an order that pixels decide may be another than it seemed without them */
  g_clear_pointer (&p->prompt[i], g_free);
  p->use->method->pass (q, &p->use->values, i, &p->prompt[i], p->area);
  p->request[i].prompt = p->prompt[i];
  for (size_t k = 0; q->mask && k < n; k++)
    p->area[k] *= q->mask[k];
  p->request[i].image = p->canvas;
  p->request[i].mask = p->area;
  return TRUE;
}

void
pmt_passes_paste (PmtPasses *p, PmtResult *result)
{
  const size_t n = (size_t) result->width * (size_t) result->height;
  for (size_t k = 0; k < n; k++)
    for (size_t c = 0; c < 3 && p->area[k] > 0; c++)
      p->canvas[k * 3 + c] = p->area[k] < 1 ? p->canvas[k * 3 + c] + p->area[k] * (result->image[k * 3 + c] - p->canvas[k * 3 + c])
                                            : result->image[k * 3 + c];
  memcpy (result->image, p->canvas, n * 3 * sizeof (float));
}

void
pmt_passes_clear (PmtPasses *p)
{
  g_free (p->request);
  g_strfreev (p->prompt);
  g_free (p->methods);
  g_free (p->canvas);
  g_free (p->area);
  memset (p, 0, sizeof *p);
}
