/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One job (a fill, an edit, a picture generated), from arguments or a layer's recipe to results: asks the engine for region and size,
 * captures exactly that, runs the job, collects what comes back. Nothing here changes the image (deliver.h does), and nothing blocks: the callbacks come from the main
 * loop. */
#pragma once

#include <json-glib/json-glib.h>
#include <libgimp/gimp.h>

#include "plugin/estimate.h"
#include "plugin/inputs.h"
#include "plugin/rect.h"
#include "plugin/result.h"

typedef struct PmtJob PmtJob;

/* The present estimate of a picture in the making. */
typedef struct PmtJobPreview {
  gboolean can_keep; /* pmt_job_keep would keep it: a step is done, and nothing was kept yet */
  GBytes *rgb;       /* width * height * 3, 8 bits; NULL: there is no picture of it */
  int width, height;
  double shape;      /* width by height of what it is stretched over */
} PmtJobPreview;

typedef struct PmtJobHandlers {
  /* fraction in 0..1; text says what is being done, with step and time left. */
  void (*progress) (gpointer user, double fraction, const char *text);
  /* The end, once, the last call: error NULL when all variants are there. The job is not freed by it. */
  void (*finished) (gpointer user, const GError *error);
  /* After each step; NULL: nobody looks, and the engine draws nothing. */
  void (*preview) (gpointer user, const PmtJobPreview *preview);
  /* A picture is done, lent, of so many that are to come in all. NULL: pmt_job_results at the end will do. */
  void (*result) (gpointer user, PmtResult *result, int of);
} PmtJobHandlers;

/* config is the procedure's; drawables as given to the procedure. Starts at once; no handler is called before this returns.
 * NULL + error when the arguments or the picture do not allow a job. Both image and config are kept alive by the job. */
typedef PmtJob *PmtJobStart (GimpImage *image, GimpDrawable **drawables, GimpProcedureConfig *config, const PmtJobHandlers *handlers, gpointer user,
                             GError **error);
PmtJobStart pmt_job_start;

/* How a recipe runs once more. */
typedef struct PmtAgain {
  gint64 seed;      /* -1: the recipe's own */
  int variants;
  gboolean here;    /* in the present selection; FALSE: where it ran before */
  GimpLayer *seen;  /* NULL, or the layer that the result shall continue, seen although it came of the recipe */
  gboolean new_words; /* its prompts are not those that it ran with: learned words in them are looked for */
} PmtAgain;

/* Makes a recipe once more, of the parts of the picture that the inputs name, seen without what came of the recipe before. Takes recipe
 * and inputs (change a copy, not what results share: pmt_recipe_copy, pmt_inputs_copy). Results go above `above` (NULL: on top). NULL +
 * error when what it needs is gone. */
PmtJob *pmt_job_start_recipe (GimpImage *image, GimpLayer *above, JsonObject *recipe, PmtInputs *inputs, const PmtAgain *how,
                              const PmtJobHandlers *handlers, gpointer user, GError **error);
/* The same of what a layer carries; results go above it. */
PmtJob *pmt_job_start_again (GimpLayer *layer, const PmtAgain *how, const PmtJobHandlers *handlers, gpointer user, GError **error);
/* Of a job that was just started. whole: a generated picture is that of the canvas, or of the selection and what is around it, and the
 * selection its mask.
 * only_maps: of its results only the maps are wanted. */
void pmt_job_set_aim (PmtJob *job, gboolean whole, gboolean only_maps);

/* Of a job that was just started: pictures in the making are shown as the config's "preview" says, where it has that. */
void pmt_job_show_as (PmtJob *job, GimpProcedureConfig *config);
/* Of a job that was just started: nobody keeps its words but the layers' recipes, now and whenever those run again. */
void pmt_job_forget (PmtJob *job);

/* Of a job that was just started: it only asks what it would take, and finishes; pmt_job_estimate has the answer then, where finished had no
 * error. Of the picture only the bounds of the selection are looked at. */
void pmt_job_only_ask (PmtJob *job);
/* Of a job that was just started: where memory is too short for it, it is painted as large as fits, and enlarged. Not where a layer's recipe
 * says the size. */
void pmt_job_shrink (PmtJob *job);
/* NULL: not known. The job's. */
const PmtEstimate *pmt_job_estimate (PmtJob *job);

/* Ends the step under way and makes its estimate the picture, the last one; the job finishes as always. */
void pmt_job_keep (PmtJob *job);
/* Ends it, running or not: the engine drops the job as its client goes away. NULL is fine. No handler is called any more. */
void pmt_job_free (PmtJob *job);

/* PmtResult: what is done so far, also of a job that failed; as long as the job. */
GPtrArray *pmt_job_results (PmtJob *job);
/* How many pictures it makes: as many as were asked for, or fewer when one was kept before its end. */
int pmt_job_variants (PmtJob *job);
/* Sentences of the engine for the user (prompt cut, size rounded), each once; strings. */
GPtrArray *pmt_job_notes (PmtJob *job);
/* The layer above which results go, as it was at the start; NULL when there was none. May have been removed since. */
GimpLayer *pmt_job_layer (PmtJob *job);
