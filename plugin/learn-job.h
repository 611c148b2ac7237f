/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Something is learned: its pictures are read and sent, and the engine writes the file. Nothing here changes an image, and nothing blocks but for
 * the time that reading a picture takes: the callbacks come from the main loop. */
#pragma once

#include <gio/gio.h>
#include <json-glib/json-glib.h>

#include "plugin/estimate.h"

typedef struct PmtLearnJob PmtLearnJob;

typedef struct PmtLearnStep {
  double fraction;  /* of all of it */
  const char *text; /* what is being done, with step and time left */
  gboolean learning; /* not only preparing: the next three say something */
  int step, of;
  double loss; /* NAN: not known yet */
} PmtLearnStep;

typedef struct PmtLearned {
  const char *path;
  int steps;
  double loss_before, loss_after; /* NAN: not told */
} PmtLearned;

typedef struct PmtLearnHandlers {
  void (*progress) (gpointer user, const PmtLearnStep *step); /* not of a job that only asks */
  /* The end, once, the last call: learned NULL + error, or the other way round. The job is not freed by it. */
  void (*finished) (gpointer user, const PmtLearned *learned, const GError *error);
  /* Of a job that only asks, in place of finished when all went well. */
  void (*estimated) (gpointer user, const PmtEstimate *estimate);
} PmtLearnHandlers;

/* Takes the recipe (learn-recipe.h); pictures are PmtLearnPicture. No handler is called before this returns. */
PmtLearnJob *pmt_learn_job_start (JsonObject *recipe, GPtrArray *pictures, const PmtLearnHandlers *handlers, gpointer user);
/* Only asks what it would take; needs no pixels. Takes the recipe. */
PmtLearnJob *pmt_learn_job_ask (JsonObject *recipe, const PmtLearnHandlers *handlers, gpointer user);
/* Ends it, running or not: the engine keeps what it has found. NULL is fine. No handler is called any more. */
void pmt_learn_job_free (PmtLearnJob *job);
