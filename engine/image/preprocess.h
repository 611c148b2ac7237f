/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Preprocessors: an ordinary picture becomes the picture that a control network wants (edges, lines, depth …), without any weights.
 * A preprocessor is one file in engine/image/preprocessors with one `const PmtPreprocessor`, one line in that folder's meson.build and
 * one test, which the build asks for.
 *
 * They work on the pixels as they are, and lines come out one pixel wide: scale a picture to the size of the run first. Like the
 * programs that made the networks' training pictures, they see 8 bits per channel over white. */
#pragma once

#include "engine/base/param.h"
#include "engine/image/picture.h"

typedef struct PmtPreprocessor {
  const char *id;      /* plain name: "canny" */
  const char *label;   /* N_() */
  const char *summary; /* N_(one sentence: what it makes of what) */
  const char *controls; /* types of control that it serves, for choosing one by type: "canny", "scribble softedge" */
  const PmtParam *params; /* table ending with id == NULL, or NULL */
  bool needs_mask;     /* refused without one */
  /* image: RGBA; mask: 1 channel of the same size, 1 = regenerate, or NULL; out: made by the callee, RGB of the same size, 0..1 (-1 in
   * all channels where an inpainting ControlNet shall see nothing). FALSE + error leaves *out cleared. */
  gboolean (*run) (const PmtPicture *image, const PmtPicture *mask, const PmtParamValues *values, PmtPicture *out, GError **error);
} PmtPreprocessor;

/* From the build's list in engine/image/preprocessors/meson.build, NULL-terminated. */
extern const PmtPreprocessor *const pmt_preprocessors[];
/* Unknown: PMT_ERROR_INPUT, the sentence lists those that exist. */
const PmtPreprocessor *pmt_preprocessor_find (const char *id, GError **error);
/* [{id, label, summary, controls: [types], needs_mask, params: […]}, …]. New reference. */
JsonNode *pmt_preprocessors_to_json (void);

/* Checks the inputs (4 and 1 channels, equal sizes, a mask where one is needed: PMT_ERROR_INPUT) and runs it. values NULL = defaults. */
gboolean pmt_preprocess (const PmtPreprocessor *preprocessor, const PmtPicture *image, const PmtPicture *mask,
                         const PmtParamValues *values, PmtPicture *out, GError **error);

/* A control picture as one that can be stored: RGBA, made by the callee, with holes (alpha 0, black) where an inpainting ControlNet shall see
 * nothing. PMT_ERROR_MEMORY. */
gboolean pmt_preprocessed_to_rgba (const PmtPicture *rgb, PmtPicture *rgba, GError **error);

/* "canny" or "canny:low=50,high=150" -> preprocessor and values (init'ed; clear them). PMT_ERROR_INPUT. */
const PmtPreprocessor *pmt_preprocessor_parse (const char *text, PmtParamValues *values, GError **error);
