/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How near a place's pixels are to some colours: no network, for palettes that have to be met. */
#include <math.h>
#include <string.h>

#include "engine/job/score.h"
#include "engine/methods/picture_loss.h"

static const PmtParam params[] = {
  { .id = "colours", .label = N_("_Colours"), .help = N_("Colours that the pixels should be near to, as \"#cc2020; #f0e0c0\""), .type = PMT_PARAM_STRING, .text = "#808080" },
  { .id = "left", .label = N_("_Left"), .help = N_("Left edge of the place, as a part of the picture"), .type = PMT_PARAM_DOUBLE, .min = 0, .max = 1, .fallback = 0 },
  { .id = "top", .label = N_("_Top"), .help = N_("Upper edge of the place"), .type = PMT_PARAM_DOUBLE, .min = 0, .max = 1, .fallback = 0 },
  { .id = "right", .label = N_("_Right"), .help = N_("Right edge of the place"), .type = PMT_PARAM_DOUBLE, .min = 0, .max = 1, .fallback = 1 },
  { .id = "bottom", .label = N_("_Bottom"), .help = N_("Lower edge of the place"), .type = PMT_PARAM_DOUBLE, .min = 0, .max = 1, .fallback = 1 },
  { 0 }
};

typedef struct State {
  PmtPictureTask task;
  double box[4];
} State;

static void *
open_colours (const PmtParamValues *values, const PmtCancel *cancel, GError **error)
{
  static const char *const edges[] = { "left", "top", "right", "bottom" };
  State *state = g_new0 (State, 1);
  state->task.loss = PMT_PICTURE_PALETTE;
  for (int i = 0; i < 4; i++)
    state->box[i] = pmt_param_number (values, edges[i]);
  if (!pmt_picture_colours (&state->task, pmt_param_text (values, "colours"), "scorer colours, colours", error)) {
    g_free (state);
    return NULL;
  }
  if (state->box[0] < state->box[2] && state->box[1] < state->box[3])
    return state;
  g_free (state);
  g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, _("The scorer colours has an empty place; left has to be less than right and top less than bottom."));
  return NULL;
}

/* The root of the mean squared distance, below 0: 0 is a picture of these colours alone. What is transparent is white. */
static gboolean
score_colours (void *user, const PmtPicture *picture, double *score, GError **error)
{
  State *state = user;
  const size_t n = (size_t) picture->width * (size_t) picture->height;
  g_autofree float *rgb = g_try_new (float, n * 3), *gradient = g_try_new (float, n * 3), *place = g_try_new (float, n);
  if (!rgb || !gradient || !place) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_MEMORY, _("There is too little memory to score a picture of that size; close other programs."));
    return FALSE;
  }
  for (size_t i = 0; i < n; i++) {
    const float alpha = picture->data[i * 4 + 3];
    const double u = ((double) (i % (size_t) picture->width) + 0.5) / picture->width, v = ((double) (i / (size_t) picture->width) + 0.5) / picture->height;
    place[i] = u > state->box[0] && u < state->box[2] && v > state->box[1] && v < state->box[3];
    for (size_t c = 0; c < 3; c++) {
      rgb[i * 3 + c] = 2 * (alpha * picture->data[i * 4 + c] + 1 - alpha) - 1;
      gradient[i * 3 + c] = 0;
    }
  }
  state->task.width = picture->width;
  state->task.height = picture->height;
  state->task.place = place;
  *score = -sqrt (pmt_picture_loss (&state->task, rgb, gradient));
  return TRUE;
}

const PmtScorer pmt_scorer_colours = {
  .id = "colours",
  .label = N_("Colours"),
  .summary = N_("How near a place of the picture is to some colours; needs no network."),
  .params = params,
  .open = open_colours,
  .score = score_colours,
  .close = g_free,
};
