/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The pictures of controls and references as the networks see them, and the request's lists. */
#include <stdlib.h>
#include <string.h>

#include "engine/image/preprocess.h"
#include "engine/image/resize.h"
#include "engine/job/private.h"

static const PmtPicture *
find_picture (const PmtJobInputs *inputs, const char *name)
{
  for (int i = 0; i < inputs->n_pictures; i++)
    if (strcmp (inputs->pictures[i].name, name) == 0)
      return inputs->pictures[i].picture;
  return NULL;
}

static gboolean
check_picture (const PmtJobInputs *inputs, const char *what, int number, const char *name, GError **error)
{
  if (name[0] ? find_picture (inputs, name) != NULL : inputs->image != NULL)
    return TRUE;
  if (name[0])
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The picture \"%s\" of %s %d was not given; send it with the job, or name another."), name,
                 what, number);
  else
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The %s %d names no picture, and the job has no image to take instead; give one of them."),
                 what, number);
  return FALSE;
}

gboolean
pmt_job_extras_check (const PmtJob *job, const PmtJobInputs *inputs, GError **error)
{
  const PmtJobExtras *extras = &job->extras;

  for (int i = 0; i < extras->n_controls; i++)
    if (!check_picture (inputs, "control", i + 1, extras->controls[i].image, error))
      return FALSE;
  for (int i = 0; i < extras->n_references; i++)
    if (!check_picture (inputs, "reference", i + 1, extras->references[i].image, error))
      return FALSE;
  for (int i = 0; i < extras->n_regions; i++)
    if (extras->regions[i].mask[0] && !check_picture (inputs, "region", i + 1, extras->regions[i].mask, error))
      return FALSE;
  return TRUE;
}

static char *
hash_picture (const PmtPicture *picture)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  const guint64 sides[] = { GUINT64_TO_LE ((guint64) picture->width), GUINT64_TO_LE ((guint64) picture->height) };
  const gsize row = (gsize) picture->width * 4;

  g_checksum_update (sum, (const guchar *) sides, sizeof sides);
  /* by rows: the length is a signed number of the platform's */
  for (int y = 0; y < picture->height; y++)
    g_checksum_update (sum, (const guchar *) (picture->data + (gsize) y * row), (gssize) (row * sizeof (float)));
  return g_strdup (g_checksum_get_string (sum));
}

static void
note_changed (PmtJobPlan *plan, const char *name, const char *told, const char *found)
{
  if (told[0] && strcmp (told, found) != 0)
    pmt_job_note (plan, _("The picture \"%s\" is not the one that the recipe was made with, so the result will differ."), name);
}

/* RGB of an RGBA picture laid over white. */
static gboolean
over_white (const PmtPicture *rgba, PmtPicture *rgb, GError **error)
{
  if (!pmt_picture_init (rgb, rgba->width, rgba->height, 3, error))
    return FALSE;
  for (gsize i = 0; i < (gsize) rgba->width * (gsize) rgba->height; i++) {
    const float *from = rgba->data + 4 * i;
    for (gsize c = 0; c < 3; c++)
      rgb->data[3 * i + c] = CLAMP (from[c] * from[3] + 1 - from[3], 0.0f, 1.0f);
  }
  return TRUE;
}

/* Replaces the picture by one of another size. Colours that stand for classes (`flat`) are not mixed. */
static gboolean
scale (PmtPicture *picture, int width, int height, gboolean flat, GError **error)
{
  PmtPicture out = { 0 };
  gboolean good = TRUE;

  if (picture->width == width && picture->height == height)
    return TRUE;
  if (!pmt_picture_init (&out, width, height, 3, error))
    return FALSE;
  if (flat) {
    for (int y = 0; y < height; y++)
      for (int x = 0; x < width; x++) {
        const gsize from_y = (gsize) y * (gsize) picture->height / (gsize) height, from_x = (gsize) x * (gsize) picture->width / (gsize) width;
        memcpy (out.data + 3 * ((gsize) y * (gsize) width + (gsize) x), picture->data + 3 * (from_y * (gsize) picture->width + from_x),
                3 * sizeof (float));
      }
  } else {
    good = pmt_resize (PMT_FILTER_LANCZOS, picture->data, picture->width, picture->height, 3, out.data, width, height, error);
    for (gsize i = 0; good && i < (gsize) width * (gsize) height * 3; i++)
      out.data[i] = CLAMP (out.data[i], 0.0f, 1.0f);
  }
  if (!good) {
    pmt_picture_clear (&out);
    return FALSE;
  }
  pmt_picture_clear (picture);
  *picture = out;
  return TRUE;
}

/* From what the picture covers to the run's size. */
static gboolean
fit_to_run (const PmtJob *job, const PmtJobInputs *inputs, const char *what, const char *name, gboolean flat, PmtJobPlan *plan, PmtPicture *rgb, GError **error)
{
  const PmtBox *context = &plan->region.context;
  const int width = rgb->width, height = rgb->height;
  gboolean scaled = width != plan->width || height != plan->height;

  if (job->task != PMT_TASK_GENERATE) {
    gboolean is_canvas = width == plan->canvas_width && height == plan->canvas_height;
    gboolean is_context = !is_canvas && width == context->width && height == context->height;
    scaled = !is_canvas && !is_context;
    if (is_canvas || (scaled && !(inputs->image && pmt_job_covers_context (job, inputs->image)))) {
      PmtPicture part = { 0 };
      if (!scale (rgb, plan->canvas_width, plan->canvas_height, flat, error) || !pmt_picture_crop (rgb, context, &part, error))
        return FALSE;
      pmt_picture_clear (rgb);
      *rgb = part;
    }
  }
  if (scaled)
    pmt_job_note (plan, "The %s \"%s\" is %d×%d pixels and was scaled to fit the run's %d×%d.", what, name, width, height, plan->width,
                  plan->height);
  return scale (rgb, plan->width, plan->height, flat, error);
}

/* The job's own image, run-sized. */
static gboolean
own_picture (const PmtJobPlan *plan, PmtPicture *rgb, GError **error)
{
  if (!pmt_picture_init (rgb, plan->width, plan->height, 3, error))
    return FALSE;
  memcpy (rgb->data, plan->image, (gsize) plan->width * (gsize) plan->height * 3 * sizeof (float));
  return TRUE;
}

static gboolean
preprocess (const char *text, const PmtJobPlan *plan, PmtPicture *rgb, GError **error)
{
  const PmtPicture mask = { plan->width, plan->height, 1, plan->mask };
  PmtPicture rgba = { 0 }, out = { 0 };
  PmtParamValues values = { 0 };
  const PmtPreprocessor *detector = pmt_preprocessor_parse (text, &values, error);
  gboolean good = detector && pmt_picture_init (&rgba, rgb->width, rgb->height, 4, error);

  for (gsize i = 0; good && i < (gsize) rgb->width * (gsize) rgb->height; i++) {
    memcpy (rgba.data + 4 * i, rgb->data + 3 * i, 3 * sizeof (float));
    rgba.data[4 * i + 3] = 1;
  }
  good = good && pmt_preprocess (detector, &rgba, plan->mask ? &mask : NULL, &values, &out, error);
  pmt_param_values_clear (&values);
  pmt_picture_clear (&rgba);
  if (!good)
    return FALSE;
  pmt_picture_clear (rgb);
  *rgb = out;
  return TRUE;
}

/* An inpainting ControlNet is told by -1 what it shall not see. */
static void
hide_masked (const PmtJobPlan *plan, PmtPicture *rgb)
{
  for (gsize i = 0; i < (gsize) plan->width * (gsize) plan->height; i++)
    if (plan->mask[i] >= 0.5f)
      for (gsize c = 0; c < 3; c++)
        rgb->data[3 * i + c] = -1;
}

/* The control picture [height, width, 3] of the run's size. */
static gboolean
control_picture (const PmtJob *job, int number, const PmtJobInputs *inputs, PmtJobPlan *plan, PmtPicture *rgb, GError **error)
{
  const PmtJobControl *control = &job->extras.controls[number];
  const PmtPicture *given = control->image[0] ? find_picture (inputs, control->image) : NULL;
  gboolean flat = strcmp (control->type, "seg") == 0;

  if (given) {
    plan->control_hash[number] = hash_picture (given);
    note_changed (plan, control->image, control->image_hash, plan->control_hash[number]);
    if (!over_white (given, rgb, error) || !fit_to_run (job, inputs, "control picture", control->image, flat, plan, rgb, error))
      return FALSE;
  } else if (!own_picture (plan, rgb, error))
    return FALSE;
  if (control->preprocess[0])
    return preprocess (control->preprocess, plan, rgb, error);
  if (plan->mask && strcmp (control->type, "inpaint") == 0)
    hide_masked (plan, rgb);
  return TRUE;
}

static gboolean
take_depth (PmtJobPlan *plan, const PmtPicture *rgb, GError **error)
{
  const gsize n = (gsize) plan->width * (gsize) plan->height;

  if (plan->depth) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT,
                         _("Two controls of type \"depth\" have no \"model\", and a depth model takes one depth; leave one of them out."));
    return FALSE;
  }
  plan->depth = pmt_pixels_new (n, error);
  for (gsize i = 0; plan->depth && i < n; i++)
    plan->depth[i] = (rgb->data[3 * i] + rgb->data[3 * i + 1] + rgb->data[3 * i + 2]) / 3;
  return plan->depth != NULL;
}

static gboolean
plan_control (const PmtJob *job, int number, const PmtJobInputs *inputs, PmtJobPlan *plan, GError **error)
{
  const PmtJobControl *control = &job->extras.controls[number];
  PmtPicture rgb = { 0 };
  gboolean good = inputs ? control_picture (job, number, inputs, plan, &rgb, error)
                         : pmt_picture_init (&rgb, plan->width, plan->height, 3, error);

  if (good && !control->model[0]) {
    good = take_depth (plan, &rgb, error);
    pmt_picture_clear (&rgb);
  } else if (good) {
    plan->controls[plan->n_controls++] = (PmtControl) {
      .model = control->model,
      .image = rgb.data,
      .strength = control->strength,
      .start = control->start,
      .end = control->end,
      .pool = strcmp (control->type, "shuffle") == 0,
      .guess = control->guess,
    };
  } else {
    pmt_picture_clear (&rgb);
  }
  return good;
}

/* Side of the blank that stands for a reference in estimates; adapters scale it to one size anyhow. */
#define BLANK_SIDE 64

static gboolean
plan_reference (const PmtJob *job, int number, const PmtJobInputs *inputs, PmtJobPlan *plan, GError **error)
{
  const PmtJobReference *reference = &job->extras.references[number];
  const PmtPicture *given = inputs ? find_picture (inputs, reference->image) : NULL;
  PmtPicture rgb = { 0 };

  if (!(given ? over_white (given, &rgb, error) : pmt_picture_init (&rgb, BLANK_SIDE, BLANK_SIDE, 3, error)))
    return FALSE;
  if (given) {
    plan->reference_hash[number] = hash_picture (given);
    note_changed (plan, reference->image, reference->image_hash, plan->reference_hash[number]);
  }
  plan->references[plan->n_references++] = (PmtReference) {
    .model = reference->model,
    .encoder = reference->encoder[0] ? reference->encoder : NULL,
    .image = rgb.data,
    .width = rgb.width,
    .height = rgb.height,
    .strength = reference->strength,
    .start = reference->start,
    .end = reference->end,
  };
  return TRUE;
}

/* How light a picture is, over black, in all three channels. */
static gboolean
over_black (const PmtPicture *rgba, PmtPicture *rgb, GError **error)
{
  if (!pmt_picture_init (rgb, rgba->width, rgba->height, 3, error))
    return FALSE;
  for (gsize i = 0; i < (gsize) rgba->width * (gsize) rgba->height; i++) {
    const float *from = rgba->data + 4 * i, light = (from[0] + from[1] + from[2]) / 3 * from[3];
    for (gsize c = 0; c < 3; c++)
      rgb->data[3 * i + c] = CLAMP (light, 0.0f, 1.0f);
  }
  return TRUE;
}

static gboolean
plan_region (const PmtJob *job, int number, const PmtJobInputs *inputs, PmtJobPlan *plan, GError **error)
{
  const PmtJobRegionPrompt *region = &job->extras.regions[number];
  const PmtPicture *given = region->mask[0] && inputs ? find_picture (inputs, region->mask) : NULL;
  PmtRegionPrompt *out = &plan->regions[number];
  const gsize n = (gsize) plan->width * (gsize) plan->height;
  PmtPicture rgb = { 0 };

  *out = (PmtRegionPrompt) { region->x0, region->y0, region->x1, region->y1, NULL, region->prompt, region->weight };
  if (!region->mask[0])
    return TRUE;
  float *mask = pmt_pixels_new (n, error);
  if (!mask)
    return FALSE;
  out->mask = mask;
  if (given) {
    plan->region_hash[number] = hash_picture (given);
    note_changed (plan, region->mask, region->mask_hash, plan->region_hash[number]);
    if (!over_black (given, &rgb, error))
      return FALSE;
    if (!fit_to_run (job, inputs, "mask", region->mask, TRUE, plan, &rgb, error)) {
      pmt_picture_clear (&rgb);
      return FALSE;
    }
  }
  for (gsize i = 0; i < n; i++)
    mask[i] = given ? rgb.data[3 * i] : 1;
  pmt_picture_clear (&rgb);
  return TRUE;
}

static void
plan_lists (const PmtJobExtras *extras, PmtJobPlan *plan)
{
  plan->boxes = g_new0 (PmtLayoutBox, extras->n_boxes + 1);
  for (int i = 0; i < extras->n_boxes; i++) {
    const PmtJobBox *box = &extras->boxes[i];
    plan->boxes[i] = (PmtLayoutBox) { box->x0, box->y0, box->x1, box->y1, box->phrase };
  }
  plan->loras = g_new0 (PmtWeightEdit, extras->n_loras + 1);
  for (int i = 0; i < extras->n_loras; i++)
    plan->loras[i] = (PmtWeightEdit) { extras->loras[i].path, extras->loras[i].strength, extras->loras[i].text_strength };
  plan->n_loras = extras->n_loras;
  plan->words = g_new0 (PmtLearnedWord, extras->n_words + 1);
  for (int i = 0; i < extras->n_words; i++)
    plan->words[i] = (PmtLearnedWord) { extras->words[i].path, extras->words[i].word[0] ? extras->words[i].word : NULL };
}

gboolean
pmt_job_extras_plan (const PmtJob *job, const PmtJobInputs *inputs, PmtJobPlan *plan, GError **error)
{
  const PmtJobExtras *extras = &job->extras;

  plan_lists (extras, plan);
  if (!pmt_job_plan_tags (job, plan, error))
    return FALSE;
  plan->controls = g_new0 (PmtControl, extras->n_controls + 1);
  plan->control_hash = g_new0 (char *, extras->n_controls + 1);
  plan->references = g_new0 (PmtReference, extras->n_references + 1);
  plan->reference_hash = g_new0 (char *, extras->n_references + 1);
  for (int i = 0; i < extras->n_controls; i++)
    if (!plan_control (job, i, inputs, plan, error))
      return FALSE;
  for (int i = 0; i < extras->n_references; i++)
    if (!plan_reference (job, i, inputs, plan, error))
      return FALSE;
  plan->regions = g_new0 (PmtRegionPrompt, extras->n_regions + 1);
  plan->region_hash = g_new0 (char *, extras->n_regions + 1);
  for (int i = 0; i < extras->n_regions; i++)
    if (!plan_region (job, i, inputs, plan, error))
      return FALSE;
  return TRUE;
}

void
pmt_job_extras_unplan (const PmtJob *job, PmtJobPlan *plan)
{
  for (int i = 0; i < plan->n_controls; i++)
    free ((float *) plan->controls[i].image);
  for (int i = 0; i < plan->n_references; i++)
    free ((float *) plan->references[i].image);
  for (int i = 0; plan->control_hash && i < job->extras.n_controls; i++)
    g_free (plan->control_hash[i]);
  for (int i = 0; plan->reference_hash && i < job->extras.n_references; i++)
    g_free (plan->reference_hash[i]);
  for (int i = 0; plan->regions && i < job->extras.n_regions; i++)
    free ((float *) plan->regions[i].mask);
  for (int i = 0; plan->region_hash && i < job->extras.n_regions; i++)
    g_free (plan->region_hash[i]);
  g_free (plan->regions);
  g_free (plan->region_hash);
  g_free (plan->control_hash);
  g_free (plan->reference_hash);
  g_free (plan->controls);
  g_free (plan->references);
  g_free (plan->boxes);
  g_free (plan->loras);
  g_clear_pointer (&plan->tag_paths, g_ptr_array_unref);
  g_free (plan->words);
  free (plan->depth);
}

void
pmt_job_extras_request (const PmtJob *job, const PmtJobPlan *plan, PmtRequest *request)
{
  const PmtJobExtras *extras = &job->extras;

  request->controls = plan->controls;
  request->n_controls = plan->n_controls;
  request->references = plan->references;
  request->n_references = plan->n_references;
  request->layout = (PmtLayout) {
    .model = extras->layout_model && extras->layout_model[0] ? extras->layout_model : NULL,
    .boxes = plan->boxes,
    .n_boxes = extras->n_boxes,
    .beta = extras->layout_beta,
  };
  request->regions = plan->regions;
  request->n_regions = extras->n_regions;
  request->weight_edits = plan->loras;
  request->n_weight_edits = plan->n_loras;
  request->words = plan->words;
  request->n_words = extras->n_words;
  request->clip_skip = extras->clip_skip;
  request->depth = plan->depth;
}
