/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A picture that is wanted larger than the network is good for: what was made at the network's size is scaled up, noised as far as the
 * full size's strength says, and painted once more in windows of the network's size. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/image/resize.h"
#include "engine/sample/runner.h"
#include "engine/sample/stages.h"

/* Fewer evaluations than these add little but smoothness. */
enum { LEAST_STEPS = 4 };

static gboolean
check (const PmtRequest *q, GError **error)
{
  const PmtFullSize *full = &q->full;
  if (full->width < 1 || full->height < 1 || full->width > PMT_PICTURE_MAX_SIDE || full->height > PMT_PICTURE_MAX_SIDE) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The full size %d×%d is no size that a picture can have; sides go from 1 to %d."), full->width,
                 full->height, PMT_PICTURE_MAX_SIDE);
    return FALSE;
  }
  if (!(full->strength > 0 && full->strength <= 1)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The strength at full size is %g and has to be above 0 and at most 1."), full->strength);
    return FALSE;
  }
  if (!q->edit || pmt_model_unet_config (q->model, PMT_UNET_MAIN)->in_channels == pmt_model_vae_config (q->model)->latent_channels)
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
               _("The model '%s' only follows instructions and cannot refine a picture at full size; leave that out, or choose a model that paints too."),
               pmt_model_path (q->model));
  return FALSE;
}

static gboolean
set_windows (PmtFullStage *stage, const PmtRequest *q, GError **error)
{
  const int native = pmt_model_native_size (q->model), cells = MAX (native / pmt_vae_factor (pmt_model_vae_config (q->model)), 1);
  if (stage->pad_width <= native && stage->pad_height <= native && q->n_regions == 0)
    return TRUE;
  g_autofree char *stride = g_strdup_printf ("%d", MAX (cells * 3 / 4, 1));
  stage->windows.method = pmt_method_find ("multidiffusion", error);
  if (!stage->windows.method)
    return FALSE;
  pmt_param_values_init (&stage->windows.values, stage->windows.method->params);
  /* The picture is laid out by now: regions need no help to keep their things inside. */
  return pmt_param_values_set_text (&stage->windows.values, "stride", stride, "full size", error) &&
         pmt_param_values_set_text (&stage->windows.values, "bootstrap", "0", "full size", error);
}

/* Of a whole run, of which the strength leaves a part; samplers for few steps do all of them in that part, as many as fit. */
static int
steps_at (const PmtRequest *q)
{
  const int few = q->sampler->most_steps ? q->sampler->most_steps (q->full.strength) : 0;
  return few > 0 ? MIN (q->steps, few) : MAX (q->steps, (int) ceil (LEAST_STEPS / q->full.strength - 1e-9));
}

gboolean
pmt_full_stage_open (PmtFullStage *stage, const PmtRequest *q, GError **error)
{
  static const float some; /* dry runs only look whether there is a picture */
  memset (stage, 0, sizeof *stage);
  if (!check (q, error))
    return FALSE;
  const int multiple = pmt_model_size_multiple (q->model);
  PmtRequest *r = &stage->request;
  *r = *q;
  stage->pad_width = (q->full.width + multiple - 1) / multiple * multiple;
  stage->pad_height = (q->full.height + multiple - 1) / multiple * multiple;
  r->width = stage->pad_width;
  r->height = stage->pad_height;
  r->full.width = 0;
  r->refiner = NULL;
  r->strength = q->full.strength;
  r->steps = steps_at (q);
  r->denoising_start = r->denoising_end = 0;
  r->image = &some;
  r->mask = q->full.mask ? &some : NULL;
  r->noise = r->latent = NULL;
  r->prefilled = true; /* also at strength 1 what was made is where it starts */
  r->edit = false;
  stage->words = pmt_request_shown (q);
  if (stage->words)
    r->prompt = stage->words;
  r->depth = q->depth ? &some : NULL;
  r->stop_after = 0;
  r->n_controls = r->n_references = r->layout.n_boxes = r->n_methods = 0;
  if (pmt_request_replaces (q, "multidiffusion"))
    r->n_regions = 0; /* their prompts are words of the prompt, for a method that this stage has not */
  if (!set_windows (stage, r, error))
    return FALSE;
  r->methods = &stage->windows;
  r->n_methods = stage->windows.method ? 1 : 0;
  if (r->n_regions) {
    stage->regions = g_memdup2 (q->regions, (gsize) r->n_regions * sizeof *q->regions);
    for (int i = 0; i < r->n_regions; i++)
      stage->regions[i].mask = q->regions[i].mask ? &some : NULL;
    r->regions = stage->regions;
  }
  return TRUE;
}

/* [height, width, channels] -> [to_height, to_width, channels], its last row and column repeated. */
static float *
padded (const float *pixels, int width, int height, int channels, int to_width, int to_height, GError **error)
{
  float *out = pmt_pixels_new ((size_t) to_width * (size_t) to_height * (size_t) channels, error);
  for (int y = 0; out && y < to_height; y++)
    for (int x = 0; x < to_width; x++)
      memcpy (out + ((size_t) y * (size_t) to_width + (size_t) x) * (size_t) channels,
              pixels + ((size_t) MIN (y, height - 1) * (size_t) width + (size_t) MIN (x, width - 1)) * (size_t) channels,
              (size_t) channels * sizeof (float));
  return out;
}

static float *
enlarged (PmtFilter filter, const float *pixels, int width, int height, int channels, const PmtFullSize *full, GError **error)
{
  float *out = pmt_pixels_new ((size_t) full->width * (size_t) full->height * (size_t) channels, error);
  if (out && !pmt_resize (filter, pixels, width, height, channels, out, full->width, full->height, error))
    g_clear_pointer (&out, free);
  return out;
}

/* Both, for maps of the run's size. */
static float *
map_of (const PmtFullStage *stage, const PmtRequest *q, PmtFilter filter, const float *map, GError **error)
{
  float *large = enlarged (filter, map, q->width, q->height, 1, &q->full, error);
  float *out = large ? padded (large, q->full.width, q->full.height, 1, stage->pad_width, stage->pad_height, error) : NULL;
  free (large);
  return out;
}

gboolean
pmt_full_stage_begin (PmtFullStage *stage, const PmtRequest *q, const PmtResult *made, GError **error)
{
  PmtRequest *r = &stage->request;
  const PmtFullSize *full = &q->full;
  float *large = enlarged (PMT_FILTER_AUTO, made->image, made->width, made->height, 3, full, error);
  if (large && (!full->prepare || full->prepare (full->user, large, error)))
    stage->image = padded (large, full->width, full->height, 3, stage->pad_width, stage->pad_height, error);
  free (large);
  if (!stage->image)
    return FALSE;
  r->image = stage->image;
  if (full->mask) {
    stage->mask = padded (full->mask, full->width, full->height, 1, stage->pad_width, stage->pad_height, error);
    if (!stage->mask)
      return FALSE;
    r->mask = stage->mask;
  }
  if (q->depth && !(r->depth = stage->depth = map_of (stage, q, PMT_FILTER_LINEAR, q->depth, error)))
    return FALSE;
  stage->region_masks = g_ptr_array_new_with_free_func (free);
  for (int i = 0; i < r->n_regions; i++)
    if (q->regions[i].mask) {
      float *mask = map_of (stage, q, PMT_FILTER_LINEAR, q->regions[i].mask, error);
      if (!mask)
        return FALSE;
      g_ptr_array_add (stage->region_masks, mask);
      stage->regions[i].mask = mask;
    }
  return TRUE;
}

void
pmt_full_stage_crop (const PmtRequest *q, PmtResult *result)
{
  const size_t to = (size_t) q->full.width * 3, from = (size_t) result->width * 3;
  for (int y = 1; result->image && y < q->full.height; y++)
    memmove (result->image + (size_t) y * to, result->image + (size_t) y * from, to * sizeof (float));
  result->width = q->full.width;
  result->height = q->full.height;
}

gboolean
pmt_full_stage_skip (const PmtRequest *q, PmtResult *made, GError **error)
{
  float *large = enlarged (PMT_FILTER_AUTO, made->image, made->width, made->height, 3, &q->full, error);
  if (!large)
    return FALSE;
  const int64_t n = (int64_t) q->full.width * q->full.height * 3;
  float *image = pmt_result_array (n, error);
  if (image) {
    memcpy (image, large, (size_t) n * sizeof (float));
    g_free (made->image);
    made->image = image;
  }
  free (large);
  if (!image)
    return FALSE;
  made->width = q->full.width;
  made->height = q->full.height;
  return TRUE;
}

void
pmt_full_stage_clear (PmtFullStage *stage)
{
  g_clear_pointer (&stage->region_masks, g_ptr_array_unref);
  g_free (stage->regions);
  g_free (stage->words);
  free (stage->image);
  free (stage->mask);
  free (stage->depth);
  if (stage->windows.method)
    pmt_param_values_clear (&stage->windows.values);
  memset (stage, 0, sizeof *stage);
}
