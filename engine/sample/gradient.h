/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Gradients within a run: of a scalar loss of what the network shows on the way or gives, by the track's latent. What Attend-and-Excite,
 * layout and self-guidance need in their `latent` hooks.
 *
 * One nested prediction with a tape. It stops behind the last attention that is looked at, when nothing beyond is; what nobody looks at is
 * run again on the way back in place of being kept (tensor/tape.h). Memory is the step arena's and given back at once, so a dry run
 * measures it exactly. Cancel is polled in every operation, forward and backward. */
#pragma once

#include "engine/sample/run.h"

typedef enum {
  PMT_PROBED_ATTENTION,  /* probabilities [1, heads, T, S], as they are mixed with the values */
  PMT_PROBED_RESIDUAL,   /* a point of the residual stream [1, H, W, C] */
  PMT_PROBED_PREDICTION, /* the network's raw output, guided [1, h, w, c] */
  PMT_PROBED_CLEAN,      /* the clean latent that the prediction implies [1, h, w, c] */
  PMT_PROBED_PICTURE,    /* its picture [1, H, W, 3], around [-1, 1] */
  PMT_PROBED_BEYOND      /* what `beyond` makes of that */
} PmtProbedKind;

typedef struct PmtProbed {
  PmtProbedKind kind;
  PmtAttnSite site;       /* of ATTENTION; its height and width are the grid's */
  PmtResidSite residual;  /* of RESIDUAL */
  PmtTensor value;        /* read only */
  PmtTensor gradient;     /* of value's shape, zeros: the loss adds d loss / d value */
} PmtProbed;

typedef struct PmtGradient {
  void *user;
  /* What is looked at, of the row with the prompt (or `negative`). NULL = none of that kind. */
  bool (*wants_attention) (void *user, const PmtAttnSite *site);
  bool (*wants_residual) (void *user, const PmtResidSite *site);
  bool prediction, clean, picture;
  PmtTensor (*beyond) (void *user, PmtContext *ctx, PmtTensor picture); /* operations that a tape follows; called in dry runs, too */
  double guidance;  /* of prediction, clean, picture and what is beyond: 0 or 1 = the row with the prompt alone; others take the track's negative prompt,
                       which has to be encoded */
  bool to_context;  /* the gradient by the text of the row, too */
  bool negative;    /* of the row with the track's negative prompt in place of that with the prompt; guidance is 1 then */
  bool apart;       /* it belongs to no evaluation of the run (a photo's way to noise, before the first one): methods that compare rows of one
                       evaluation have nothing to compare and need not be refused */
  /* The loss of probed[n], in the order in which the network made them, and its gradients. Not called in a dry run, and without memory of
   * the run's. FALSE + error ends the run. */
  gboolean (*loss) (void *user, PmtRun *run, PmtProbed *probed, int n, double *loss, GError **error);

  /* What comes back. */
  double value;        /* the loss; 0 in a dry run */
  PmtTensor latent;    /* d loss / d the track's latent, [1, h, w, c] */
  PmtTensor context;   /* [1, S, C] with to_context */
} PmtGradient;

/* From `latent`, `plan` or `combine` hooks. `at` is the evaluation that it belongs to (i, n, grid_i, timestep and sigma count). The other
 * methods' branch and combine hooks are not called; what their `call` hooks make (ControlNet) counts as constant, and one that replaces
 * attention by something without a gradient is refused. Results are in the step arena. */
gboolean pmt_run_gradient (PmtRun *run, const PmtStep *at, int track, PmtGradient *gradient, GError **error);
/* The step, counted from the run's first, that an evaluation begins; -1 for the second one of a step (Heun): the sampler goes on from where the step
 * began, so that a latent that is moved before that evaluation moves nothing. */
int pmt_gradient_step_begun (const PmtRun *run, const PmtStep *step);
