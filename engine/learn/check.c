/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What can be learned, before anything is loaded. */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/learn/private.h"

gboolean
pmt_learn_check_numbers (const PmtLearner *l, GError **error)
{
  const PmtLearnRequest *q = l->request;
  const int multiple = pmt_model_size_multiple (q->model);
  if (q->n_pictures < 1)
    return pmt_refuse (error, PMT_ERROR_INPUT, _("There are no pictures to learn from; give three to five of one thing or style."));
  if (l->width < multiple || l->height < multiple || l->width % multiple || l->height % multiple || l->width > 4096 || l->height > 4096)
    return pmt_refuse (error, PMT_ERROR_INPUT, _("The size to learn at is %d × %d pixels; both sides have to be multiples of %d up to 4096."), l->width, l->height,
                       multiple);
  if (q->steps < 1 || q->steps > 1000000 || q->accumulate < 1 || q->accumulate > 1000)
    return pmt_refuse (error, PMT_ERROR_INPUT, _("Learning takes 1 to 1000000 steps of 1 to 1000 pictures, not %d of %d."), q->steps, q->accumulate);
  if (!(q->rate > 0 && q->rate <= 1) || !(q->text_rate > 0 && q->text_rate <= 1))
    return pmt_refuse (error, PMT_ERROR_INPUT, _("A learning rate is above 0 and at most 1, not %g."), q->rate > 0 && q->rate <= 1 ? q->text_rate : q->rate);
  if (!(q->min_snr >= 0 && q->min_snr <= 1000))
    return pmt_refuse (error, PMT_ERROR_INPUT, _("The cut of noise levels' weights is 0 (none) to 1000, not %g."), q->min_snr);
  if (!(q->prior_weight >= 0 && q->prior_weight <= 100) || q->n_prior < 0 || q->n_prior > 10000)
    return pmt_refuse (error, PMT_ERROR_INPUT, _("There can be 0 to 10000 pictures of the class with a weight of 0 to 100, not %d with %g."), q->n_prior,
                       q->prior_weight);
  return TRUE;
}

/* Models that runs show something else, or tell something beside the text, would learn what no run asks for. */
gboolean
pmt_learn_check_model (const PmtLearner *l, GError **error)
{
  PmtModel *model = l->request->model;
  const PmtUnetConfig *config = pmt_model_unet_config (model, PMT_UNET_MAIN);
  if (config->in_channels != l->latent_channels || pmt_model_n_time_ids (model) == 5)
    return pmt_refuse (error, PMT_ERROR_UNSUPPORTED, _("The model '%s' does not paint from text alone, so nothing can be learned with it; choose the model it was made from."),
                       pmt_model_path (model));
  if (config->time_cond_proj_dim > 0)
    return pmt_refuse (error, PMT_ERROR_UNSUPPORTED, _("The model '%s' was distilled for few steps, so nothing can be learned with it; choose the model it was made from, whose "
                                                       "words and LoRAs it takes too."), pmt_model_path (model));
  return TRUE;
}

/* Whether two paths are of one file. */
static bool
same_file (const char *a, const char *b)
{
  GStatBuf one, two;
  return g_stat (a, &one) == 0 && g_stat (b, &two) == 0 && one.st_dev == two.st_dev && one.st_ino == two.st_ino;
}

/* Before hours go into what could not be kept, or would take the place of what was learned from. */
static gboolean
check_out (const PmtLearnRequest *q, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (q->out);
  const char *unet = pmt_model_unet_path (q->model, PMT_UNET_MAIN);
  if (!g_file_test (folder, G_FILE_TEST_IS_DIR))
    return pmt_refuse (error, PMT_ERROR_IO, _("The folder '%s' does not exist; create it, or write what is learned to another one."), folder);
  if (g_access (folder, W_OK | X_OK) != 0 || g_file_test (q->out, G_FILE_TEST_IS_DIR))
    return pmt_refuse (error, PMT_ERROR_IO, _("The file '%s' cannot be written; choose another name or folder."), q->out);
  if (same_file (q->out, pmt_model_path (q->model)) || (unet && same_file (q->out, unet)))
    return pmt_refuse (error, PMT_ERROR_INPUT, _("The file '%s' is the model that is learned with; choose another name for what is learned."), q->out);
  return TRUE;
}

gboolean
pmt_learn_check (const PmtLearner *l, GError **error)
{
  const PmtLearnRequest *q = l->request;
  return pmt_learn_check_numbers (l, error) && pmt_learn_check_model (l, error) && q->kind->check (q, error) && pmt_learn_check_captions (l, error) &&
         check_out (q, error);
}
