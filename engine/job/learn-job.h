/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Something to be learned (engine/learn) as JSON says it, with its pictures; the command line and the server both build one and run it here.
 *
 *   pentimento  1
 *   task        "learn"
 *   kind        "word" | "lora"
 *   base        a recipe of the task "generate": model, vae, unet, size, prediction, precision and threads to learn with; its prompt, negative
 *               prompt, sampler, steps, guidance and seed make the pictures of the class, where there are to be such ("" = "a picture of THING")
 *   pictures    [{image: name of a picture, caption?: with {} or the word itself where the concept stands}], at most 200
 *   sentences   [texts with {} in them] for pictures without a caption; absent = the kind's own
 *   out         path of the file to write
 *   and the parameters of pmt_learn_params */
#pragma once

#include "engine/job/job.h"
#include "engine/learn/learn.h"

/* word, thing, style, steps, rate …: they feed CLI options, `methods --json` and the plug-in. */
extern const PmtParam pmt_learn_params[];
/* {"kinds": [{id, label, summary, steps, rate, text-rate}], "params": table}. New reference. */
JsonNode *pmt_learn_to_json (void);

typedef struct PmtLearnJob PmtLearnJob;

/* Whether a recipe's task is "learn". */
bool pmt_learn_job_is (JsonObject *object);
/* Checks every field; PMT_ERROR_INPUT naming the field. */
PmtLearnJob *pmt_learn_job_parse (JsonObject *object, GError **error);
void pmt_learn_job_free (PmtLearnJob *job); /* NULL is fine */
/* Names of its pictures, each once, in their order. The strings are the job's. */
GPtrArray *pmt_learn_job_pictures (const PmtLearnJob *job);
const char *pmt_learn_job_out (const PmtLearnJob *job);

typedef struct PmtLearnHooks {
  const PmtCancel *cancel;
  const atomic_bool *pause; /* PmtLearnRequest's */
  /* The picture of that name, RGBA, which the callee gives away. FALSE + error. */
  gboolean (*picture) (void *user, const char *name, PmtPicture *picture, GError **error);
  void (*progress) (void *user, const PmtLearnProgress *progress);
  void *user;
} PmtLearnHooks;

/* Blocks. Sets the process's thread count. Errors are pmt_learn's and those of hooks->picture. */
gboolean pmt_learn_job_run (const PmtLearnJob *job, PmtModelCache *cache, const PmtLearnHooks *hooks, PmtLearnResult *result, GError **error);

typedef struct PmtLearnEstimate {
  size_t memory_bytes, available_bytes; /* the whole process at its largest; what it could have */
  gboolean fits;
  double seconds; /* < 0: not known; with the class's pictures */
} PmtLearnEstimate;
/* No picture is needed, nor a word or a place for the file. */
gboolean pmt_learn_job_estimate (const PmtLearnJob *job, PmtModelCache *cache, PmtLearnEstimate *estimate, GError **error);
