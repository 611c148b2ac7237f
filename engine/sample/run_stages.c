/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The run as its caller sees it: one stage, or several that look like one to progress, estimates, keeping and stopping. */
#include <string.h>

#include "engine/base/memory.h"
#include "engine/sample/stages.h"

typedef enum { FIRST, PASS, REFINER, FULL } Kind;

typedef struct Stage {
  Kind kind;
  PmtRequest *request;
  PmtCost cost;
} Stage;

typedef struct Stages {
  const PmtRequest *whole;
  PmtRequest base, rest;
  PmtFullStage full;
  PmtPasses passes;
  char *words;  /* the refiner's prompt, where it is another one; owned */
  Stage *stage; /* n; owned */
  int n, at;
  double flops; /* of all */
} Stages;

static void
add (Stages *s, Kind kind, PmtRequest *request)
{
  s->stage = g_renew (Stage, s->stage, s->n + 1);
  s->stage[s->n++] = (Stage) { .kind = kind, .request = request };
}

static void
stages_clear (Stages *s)
{
  pmt_full_stage_clear (&s->full);
  pmt_passes_clear (&s->passes);
  g_free (s->words);
  g_free (s->stage);
}

static bool
single (const PmtRequest *q)
{
  return !q->refiner && !q->full.width && !pmt_passes_wanted (q);
}

/* The models of all stages, each once; returns how many. */
static int
models_of (const Stages *s, PmtModel *models[2])
{
  const PmtRequest *q = s->whole;
  models[0] = q->model;
  models[1] = q->refiner;
  return q->refiner && q->refiner != q->model ? 2 : 1;
}

/* What of the other stages' weights is in memory while this one's request runs, and can go: with `rest` it goes. */
static size_t
idle (const Stages *s, const PmtRequest *here, bool rest)
{
  PmtModel *models[2];
  size_t bytes = 0;
  for (int i = models_of (s, models) - 1; i >= 0; i--) {
    const int keep = models[i] == here->model ? (int) pmt_request_unet (here) : -1;
    bytes += pmt_model_idle_bytes (models[i], keep);
    if (rest)
      pmt_model_rest_idle (models[i], keep);
  }
  return bytes;
}

/* What a stage may take as things are, or `alone`: when the others' weights have gone. A limit is for all that a run loads, and those are
 * part of it. */
static size_t
room_for (const Stages *s, const PmtRequest *here, bool alone)
{
  const size_t others = idle (s, here, false), used = alone ? 0 : others, limit = s->whole->memory_limit;
  if (limit)
    return limit > used ? limit - used : 1;
  return pmt_memory_available_with (alone ? others : 0, used);
}

/* Requests and costs of all stages, each as it is when the others' weights have gone. Clear it, on failure too. */
static gboolean
stages_open (Stages *s, const PmtRequest *q, GError **error)
{
  memset (s, 0, sizeof *s);
  s->whole = q;
  s->base = *q;
  if (q->refiner && !pmt_refiner_split (q, &s->base, &s->rest, error))
    return FALSE;
  s->words = q->refiner ? pmt_request_shown (q) : NULL;
  if (s->words)
    s->rest.prompt = s->words;
  if (pmt_passes_wanted (q)) {
    if (!pmt_passes_open (&s->passes, q, error))
      return FALSE;
    for (int i = 0; i < s->passes.n; i++)
      add (s, PASS, &s->passes.request[i]);
  } else {
    add (s, FIRST, &s->base);
  }
  if (q->refiner)
    add (s, REFINER, &s->rest);
  if (q->full.width) {
    if (!pmt_full_stage_open (&s->full, q, error))
      return FALSE;
    s->stage[s->n - 1].request->latent_only = false;
    s->base.full.width = s->rest.full.width = 0;
    add (s, FULL, &s->full.request);
  }
  for (int i = 0; i < s->n; i++) {
    PmtRequest alone = *s->stage[i].request;
    alone.memory_limit = room_for (s, &alone, true);
    if (!pmt_run_cost_one (&alone, &s->stage[i].cost, error))
      return FALSE;
    s->flops += s->stage[i].cost.flops;
  }
  return TRUE;
}

/* Weights that a stage needs beside those of the ones before. */
static gboolean
further_weights (const Stages *s, const Stage *stage, size_t *bytes, GError **error)
{
  const PmtUnetChoice first = pmt_request_unet (s->stage[0].request), here = pmt_request_unet (stage->request);
  *bytes = 0;
  if (stage->kind == REFINER)
    *bytes = stage->cost.weight_bytes;
  else if (pmt_model_unet_chosen (s->base.model, first) != pmt_model_unet_chosen (s->base.model, here)) {
    PmtUnet *unet = pmt_model_unet_dry (s->base.model, here, error);
    if (!unet)
      return FALSE;
    *bytes = pmt_unet_weight_bytes (unet);
  }
  return TRUE;
}

gboolean
pmt_run_cost (const PmtRequest *request, PmtCost *cost, GError **error)
{
  Stages s;
  if (single (request))
    return pmt_run_cost_one (request, cost, error);
  gboolean ok = stages_open (&s, request, error);
  /* Weights may go in one stage and come again in the next; those of all stages are there in the worst case. */
  gssize beside = 0;
  if (ok) {
    *cost = s.stage[0].cost;
    beside = (gssize) cost->memory_bytes - (gssize) cost->weight_bytes;
  }
  for (int k = 1; ok && k < s.n; k++) {
    const PmtCost *more = &s.stage[k].cost;
    size_t weights;
    ok = further_weights (&s, &s.stage[k], &weights, error);
    cost->activation_bytes = MAX (cost->activation_bytes, more->activation_bytes);
    cost->weight_bytes += ok ? weights : 0;
    beside = MAX (beside, (gssize) more->memory_bytes - (gssize) more->weight_bytes);
    cost->memory_bytes = (size_t) ((gssize) cost->weight_bytes + beside);
    cost->flops += more->flops;
    cost->evaluations += more->evaluations;
    cost->vae_tiled = more->vae_tiled;
    cost->fits = cost->fits && more->fits;
    for (int i = 0; i < PMT_WORKS; i++)
      cost->work[i] += more->work[i];
  }
  stages_clear (&s);
  return ok;
}

static void
tell (void *user, const PmtProgress *progress)
{
  const Stages *s = user;
  PmtProgress scaled = *progress;
  double before = 0;
  for (int i = 0; i < s->at; i++)
    before += s->stage[i].cost.flops / s->flops;
  const double own = s->stage[s->at].cost.flops / s->flops, left = own * (1 - progress->fraction);
  scaled.fraction = MIN (before + own * progress->fraction, 1.0);
  /* What later stages will take is judged from this one's pace. */
  if (progress->eta >= 0 && left > 0)
    scaled.eta = progress->eta / left * (1 - scaled.fraction);
  s->whole->progress (s->whole->progress_user, &scaled);
}

static bool
said (char **notes, const char *note)
{
  return notes && g_strv_contains ((const char *const *) notes, note);
}

/* All that was said, each once. */
static char **
join_notes (char **first, char **then)
{
  GPtrArray *all = g_ptr_array_new ();
  for (char **note = first; note && *note; note++)
    g_ptr_array_add (all, g_strdup (*note));
  for (char **note = then; note && *note; note++)
    if (!said (first, *note))
      g_ptr_array_add (all, g_strdup (*note));
  if (all->len)
    g_ptr_array_add (all, NULL);
  return (char **) g_ptr_array_free (all, all->len == 0);
}

/* `result` of one stage after `made`, which it takes the place of. */
static void
take_over (PmtResult *made, PmtResult *result)
{
  if (result->stopped_after > 0)
    result->stopped_after += made->steps_done;
  if (made->stopped_after > 0)
    result->stopped_after = made->stopped_after;
  result->steps_done += made->steps_done;
  for (int i = 0; i < PMT_WORKS; i++) {
    result->work[i] += made->work[i];
    result->work_seconds[i] += made->work_seconds[i];
  }
  result->peak_bytes = MAX (result->peak_bytes, made->peak_bytes);
  result->memory_bytes = MAX (result->memory_bytes, made->memory_bytes);
  result->prediction = made->prediction;
  /* Later stages run without methods that find any, so these are the first one's. */
  result->maps = g_steal_pointer (&made->maps);
  result->n_maps = made->n_maps;
  made->n_maps = 0;
  char **notes = join_notes (made->notes, result->notes);
  g_strfreev (result->notes);
  result->notes = notes;
  pmt_result_clear (made);
  *made = *result;
}

/* What the user kept, or what the recipe says was kept, is the picture. */
static bool
ended (const Stages *s, const PmtResult *made)
{
  const PmtRequest *q = s->whole;
  return made->stopped_after > 0 || (q->stop_after > 0 && made->steps_done >= q->stop_after) || (q->keep && atomic_load (q->keep));
}

/* Lets the other stages' weights go where this one, as things are, would not fit or would do by tiles what it need not; only there, for a
 * run that comes after may want them. Then says what there is for it. */
static gboolean
make_room (const Stages *s, const PmtCost *cost, PmtRequest *request, GError **error)
{
  PmtCost now;
  request->memory_limit = room_for (s, request, false);
  if (idle (s, request, false) == 0)
    return TRUE;
  if (!pmt_run_cost_one (request, &now, error))
    return FALSE;
  if (!now.fits || (now.vae_tiled && !cost->vae_tiled)) {
    idle (s, request, true);
    request->memory_limit = room_for (s, request, false);
  }
  return TRUE;
}

/* Refuses a run of which one stage does not fit, whatever goes before it. */
static gboolean
all_fit (const Stages *s, GError **error)
{
  for (int i = 0; i < s->n; i++) {
    PmtRequest alone = *s->stage[i].request;
    alone.memory_limit = room_for (s, &alone, true);
    if (!s->stage[i].cost.fits && !pmt_run_fits_one (&alone, error))
      return FALSE;
  }
  return TRUE;
}

/* One stage. TRUE without a run where a picture that is kept needs none. */
static gboolean
run_stage (Stages *s, PmtResult *made, GError **error)
{
  const Stage *stage = &s->stage[s->at];
  const PmtRequest *q = s->whole;
  PmtRequest request = *stage->request;
  PmtResult result;
  if (stage->kind == PASS) {
    if (s->at > 0 && ended (s, made)) {
      made->stopped_after = made->steps_done;
      return TRUE;
    }
    if (!pmt_passes_begin (&s->passes, q, s->at, error))
      return FALSE;
    request = *stage->request;
  } else if (stage->kind == FULL) {
    if (ended (s, made)) {
      made->stopped_after = made->steps_done;
      return pmt_full_stage_skip (q, made, error);
    }
    if (!pmt_full_stage_begin (&s->full, q, made, error))
      return FALSE;
    request = s->full.request;
  } else if (stage->kind == REFINER) {
    request.latent = made->latent;
  }
  if (!make_room (s, &stage->cost, &request, error))
    return FALSE;
  request.once = request.once && s->at == s->n - 1;
  request.progress_user = s;
  request.progress = request.progress ? tell : NULL;
  /* an estimate that the base was kept at is the picture, as soon as the refiner has decoded it */
  if (stage->kind == REFINER && made->stopped_after > 0)
    request.stop_after = PMT_STOP_AT_ONCE;
  else if (q->stop_after > 0)
    request.stop_after = MAX (q->stop_after - made->steps_done, 1);
  if (!pmt_run_one (&request, &result, error))
    return FALSE;
  if (stage->kind == FULL)
    pmt_full_stage_crop (q, &result);
  if (stage->kind == PASS)
    pmt_passes_paste (&s->passes, &result);
  if (s->at > 0)
    take_over (made, &result);
  else
    *made = result;
  return TRUE;
}

gboolean
pmt_run (const PmtRequest *request, PmtResult *result, GError **error)
{
  Stages s;
  if (single (request))
    return pmt_run_one (request, result, error);
  *result = (PmtResult) { 0 };
  gboolean ok = stages_open (&s, request, error) && all_fit (&s, error);
  for (s.at = 0; ok && s.at < s.n; s.at++)
    ok = run_stage (&s, result, error);
  stages_clear (&s);
  if (!ok)
    pmt_result_clear (result);
  return ok;
}
