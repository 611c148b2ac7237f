/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What learning will take, by one pass of each kind without values. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/memory.h"
#include "engine/learn/private.h"

static gboolean
use_dry (PmtLearner *l, GError **error)
{
  PmtModel *model = l->request->model;
  if (!(l->nets.unet = pmt_model_unet_dry (model, PMT_UNET_MAIN, error)) || !(l->vae = pmt_model_vae_dry (model, error)))
    return FALSE;
  for (int k = 0; k < l->nets.n_texts; k++)
    if (!(l->nets.text[k] = pmt_model_text_dry_at (model, k, error)))
      return FALSE;
  return TRUE;
}

typedef struct Counting {
  double *work, counted;
  bool autoencoder;
} Counting;

static void
count (void *user, const PmtContext *ctx)
{
  Counting *counting = user;
  counting->work[(int) pmt_work_kind (ctx->op) + (counting->autoencoder ? PMT_WORK_KINDS : 0)] += ctx->flops - counting->counted;
  counting->counted = ctx->flops;
}

/* With its way back, or the loss alone. */
static gboolean
dry_pass (PmtLearner *l, double weight, GError **error)
{
  const PmtLearnDraw draw = { 0 };
  g_autofree char *text = pmt_learn_caption (l->request, 0, 0);
  double loss;
  return pmt_learn_pass (l, &draw, text, weight, &loss, error);
}

static gboolean
dry_passes (PmtLearner *l, PmtLearnNeed *need, GError **error)
{
  Counting counting = { .work = need->encode_work, .autoencoder = true };
  l->ctx.on_op = count;
  l->ctx.on_op_user = &counting;
  gboolean ok = pmt_learn_encode_dry (l, error);
  need->encode = pmt_arena_peak (l->ctx.step);
  pmt_arena_reset_peak (l->ctx.step);
  pmt_learn_attach (l, true);
  counting = (Counting) { .work = need->look_work, .counted = l->ctx.flops };
  ok = ok && dry_pass (l, 0, error);
  counting.work = need->pass_work;
  ok = ok && dry_pass (l, 1, error);
  pmt_learn_attach (l, false);
  need->learn = pmt_arena_peak (l->ctx.step);
  l->ctx.on_op = NULL;
  return ok;
}

/* Pictures and latents that stay. */
static size_t
kept_bytes (const PmtLearner *l)
{
  const PmtLearnRequest *q = l->request;
  const size_t pixels = (size_t) l->width * (size_t) l->height * 3, latent = (size_t) l->latent_width * (size_t) l->latent_height * (size_t) l->latent_channels;
  return sizeof (float) * ((size_t) q->n_pictures * (pixels + (q->flip ? 4 : 2) * latent) + (size_t) q->n_prior * latent);
}

static gboolean
measure_prior (const PmtLearner *l, PmtLearnNeed *need, GError **error)
{
  const PmtLearnRequest *q = l->request;
  PmtRequest r;
  if (q->n_prior == 0)
    return TRUE;
  r = *q->prior;
  r.width = l->width;
  r.height = l->height;
  r.latent_only = true;
  return pmt_run_cost (&r, &need->prior, error);
}

gboolean
pmt_learn_measure (PmtLearner *l, PmtLearnNeed *need, GError **error)
{
  memset (need, 0, sizeof *need);
  l->parameters = pmt_parameters_new (0, error);
  if (!l->parameters || !use_dry (l, error) || !l->request->kind->add (l->request, &l->nets, l->parameters, error))
    return FALSE;
  need->found = pmt_parameters_bytes (l->parameters);
  need->kept = kept_bytes (l);
  l->ctx.dry = true;
  l->ctx.step = pmt_arena_new_dry ("the network's activations", error);
  const gboolean ok = l->ctx.step && dry_passes (l, need, error);
  g_clear_pointer (&l->ctx.step, pmt_arena_free);
  g_clear_pointer (&l->parameters, pmt_parameters_free);
  l->ctx.dry = false;
  l->ctx.flops = 0;
  return ok && measure_prior (l, need, error) &&
         pmt_model_run_bytes (l->request->model, PMT_UNET_MAIN, true, &need->total, &need->missing, error);
}

size_t
pmt_learn_peak (const PmtLearnNeed *need)
{
  return need->found + need->kept + MAX (need->encode, need->learn);
}

gboolean
pmt_learn_fits (const PmtLearner *l, const PmtLearnNeed *need, GError **error)
{
  const PmtLearnRequest *q = l->request;
  const size_t room = q->memory_limit ? q->memory_limit : pmt_memory_available (), wanted = need->missing + pmt_learn_peak (need);
  if (wanted <= room)
    return TRUE;
  g_autofree char *needed = g_format_size_full (wanted, G_FORMAT_SIZE_IEC_UNITS), *there = g_format_size_full (room, G_FORMAT_SIZE_IEC_UNITS);
  return pmt_refuse (error, PMT_ERROR_MEMORY,
                     _("Learning at %d × %d pixels with the model '%s' needs %s of memory and %s are free; learn at a smaller size, close other programs, or choose a "
                       "smaller model."), l->width, l->height, pmt_model_path (q->model), needed, there);
}

/* Pictures of the class, pictures encoded, passes that teach, and looks at the loss before and after. */
void
pmt_learn_work (const PmtLearner *l, const PmtLearnNeed *need, double *work)
{
  const PmtLearnRequest *q = l->request;
  const double pictures = q->n_pictures, passes = (double) q->steps * q->accumulate * (q->n_prior > 0 ? 2 : 1), looks = 2.0 * pmt_learn_looks (q);
  for (int i = 0; i < PMT_WORKS; i++)
    work[i] = q->n_prior * need->prior.work[i] + (q->flip ? 2 : 1) * pictures * need->encode_work[i] + passes * need->pass_work[i] + looks * need->look_work[i];
}
