/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pictures larger than the network's own size, and prompts for parts of them (Bar-Tal et al. 2023, "MultiDiffusion: fusing diffusion paths
 * for controlled image generation"). In each step windows of the canvas are denoised by themselves, once for each prompt that has a part
 * in them, and the canvas becomes their weighted mean: z = sum w_i z_i / sum w_i, with the prompts' masks as weights and the picture's own
 * prompt where no region is.
 *
 * So that things stay in their regions, a region's prompt sees, in the first steps, noised flat colours around its mask.
 *
 * Track 0 is the canvas and is not evaluated; each window and prompt is a track with its own solver, so solvers that remember do so by
 * window. Noise that a sampler draws is the canvas's, cut out, so windows do not average it away. */
#include <math.h>
#include <string.h>

#include "engine/methods/windows.h"

enum { MOST_REGIONS = 16, MOST_TRACKS = 4096 };

typedef struct Part { /* one track */
  int window, prompt; /* prompt 0 = the picture's, k = region k */
} Part;

typedef struct State {
  int size, stride, colours;
  double bootstrap;
  bool wrap;
  PmtWindow *windows;
  int n_windows;
  PmtConditioning said[MOST_REGIONS + 1]; /* [0] stays empty */
  float *inside[MOST_REGIONS + 1];        /* h * w each: 0 or 1 */
  float *weight[MOST_REGIONS + 1];        /* h * w each: what merging uses */
  Part *part;                             /* of track first_track + k */
  int n_parts, first_track;
  PmtTensor *flat;                        /* `colours` flat pictures' latents, [1, h, w, c] each */
  PmtTensor noise;                        /* the canvas's */
  PmtRng rng;                             /* for the colours */
  double *sum, *total;                    /* h * w * c and h * w */
} State;

static const PmtParam params[] = {
  { .id = "window", .label = N_("_Window"), .help = N_("Side of the windows in latent cells (8 pixels each for most models); 0 takes the model's own size"),
    .type = PMT_PARAM_INT, .min = 0, .max = 2048, .fallback = 0 },
  { .id = "stride", .label = N_("_Stride"), .help = N_("Cells from one window to the next; larger is faster, smaller hides seams better"),
    .type = PMT_PARAM_INT, .min = 1, .max = 2048, .fallback = 8 },
  { .id = "wrap", .label = N_("W_rap around"), .help = N_("Whether the right edge goes on at the left one, for panoramas that close"),
    .type = PMT_PARAM_BOOL, .min = 0, .max = 1, .fallback = 0 },
  { .id = "bootstrap", .label = N_("_Bootstrap"), .help = N_("Part of the run in which regions see flat colours around them, which keeps their things inside"),
    .type = PMT_PARAM_DOUBLE, .min = 0, .max = 1, .fallback = 0.4 },
  { .id = "colours", .label = N_("_Colours"), .help = N_("How many flat colours there are to choose from"),
    .type = PMT_PARAM_INT, .min = 1, .max = 64, .fallback = 5 },
  { 0 }
};

static bool
implied (const PmtRun *run)
{
  return run->request->n_regions > 0;
}

/* ---- what is asked for ---------------------------------------------------------------------------------------------------- */

static gboolean
check_region (const PmtRegionPrompt *r, int number, GError **error)
{
  g_autofree char *prompt = g_strstrip (g_strdup (r->prompt ? r->prompt : ""));
  if (!*prompt) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("Region %d has no prompt; say what shall be in it."), number);
    return FALSE;
  }
  if (!(r->weight > 0 && r->weight <= 100)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The weight of the region \"%s\" is %g and has to be above 0 and at most 100."), prompt,
                 r->weight);
    return FALSE;
  }
  if (!r->mask && !(r->x0 >= 0 && r->y0 >= 0 && r->x1 <= 1 && r->y1 <= 1 && r->x0 < r->x1 && r->y0 < r->y1)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("The region \"%s\" is %g,%g,%g,%g; give left, top, right and bottom as parts of the picture, from 0 to 1."), prompt, r->x0,
                 r->y0, r->x1, r->y1);
    return FALSE;
  }
  return TRUE;
}

static void
state_free (void *user)
{
  State *state = user;
  for (int k = 0; k <= MOST_REGIONS; k++) {
    g_free (state->inside[k]);
    g_free (state->weight[k]);
  }
  g_free (state->windows);
  g_free (state->part);
  g_free (state->flat);
  g_free (state->sum);
  g_free (state->total);
  g_free (state);
}

static gboolean
check (const State *state, const PmtRun *run, GError **error)
{
  const PmtRequest *q = run->request;
  if (q->n_regions > MOST_REGIONS) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("There are %d regions with prompts of their own and at most %d are possible; leave %d out."),
                 q->n_regions, MOST_REGIONS, q->n_regions - MOST_REGIONS);
    return FALSE;
  }
  for (int i = 0; i < q->n_regions; i++)
    if (!check_region (&q->regions[i], i + 1, error))
      return FALSE;
  if (state->stride <= state->size)
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("Windows of %d cells that are %d apart leave gaps; take a stride of at most %d."), state->size,
               state->stride, state->size);
  return FALSE;
}

/* Methods that know the words of the whole picture see none of them in a window. */
static gboolean
check_others (const State *state, const PmtRun *run, GError **error)
{
  static const char *const whole[] = { "structured", "word-maps" };
  if (run->latent_height <= state->size && run->latent_width <= state->size)
    return TRUE;
  for (int i = 0; i < run->n_methods; i++)
    for (size_t k = 0; k < G_N_ELEMENTS (whole); k++)
      if (strcmp (run->methods[i]->id, whole[k]) == 0) {
        g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                     _("The method %s needs the picture as a whole and multidiffusion makes it in windows of %d cells; take a smaller picture or a larger window, or leave "
                       "one of the methods out."),
                     whole[k], state->size);
        return FALSE;
      }
  return TRUE;
}

static void *
state_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  State *state = g_new0 (State, 1);
  state->size = (int) pmt_param_number (values, "window");
  if (state->size == 0)
    state->size = pmt_model_native_size (run->model) / pmt_vae_factor (pmt_model_vae_config (run->model));
  state->stride = (int) pmt_param_number (values, "stride");
  state->wrap = pmt_param_number (values, "wrap") != 0;
  state->bootstrap = pmt_param_number (values, "bootstrap");
  state->colours = (int) pmt_param_number (values, "colours");
  if (!check (state, run, error) || !check_others (state, run, error)) {
    state_free (state);
    return NULL;
  }
  for (int i = 0; i < run->request->n_regions; i++)
    pmt_run_expect_text (run, run->request->regions[i].prompt);
  return state;
}

static gboolean
text (void *user, PmtRun *run, GError **error)
{
  State *state = user;
  const PmtRequest *q = run->request;
  for (int i = 0; i < q->n_regions; i++) {
    int cut;
    if (!pmt_run_encode_text (run, q->regions[i].prompt, &state->said[i + 1], &cut, error))
      return FALSE;
    if (cut > 0)
      pmt_run_note (run, "The last %d tokens of the prompt \"%s\" have no effect, because the text encoder takes no more; shorten it.", cut,
                    q->regions[i].prompt);
  }
  return TRUE;
}

/* ---- masks ---------------------------------------------------------------------------------------------------------------- */

/* A box holds the cells whose centres lie in it; a mask is read where the cell's first pixel is, as masks for filling are. */
static bool
holds (const PmtRun *run, const PmtRegionPrompt *r, int y, int x)
{
  const int h = run->latent_height, w = run->latent_width;
  if (r->mask) {
    const int64_t from_y = (int64_t) y * run->request->height / h, from_x = (int64_t) x * run->request->width / w;
    return r->mask[from_y * run->request->width + from_x] >= 0.5f;
  }
  const double v = (y + 0.5) / h, u = (x + 0.5) / w;
  return u >= r->x0 && u < r->x1 && v >= r->y0 && v < r->y1;
}

static gboolean
make_masks (State *state, PmtRun *run, GError **error)
{
  const PmtRequest *q = run->request;
  const int h = run->latent_height, w = run->latent_width, area = h * w;
  for (int k = 0; k <= q->n_regions; k++) {
    state->inside[k] = g_new (float, area);
    state->weight[k] = g_new (float, area);
  }
  for (int p = 0; p < area; p++)
    state->inside[0][p] = 1;
  for (int k = 1; k <= q->n_regions; k++) {
    const PmtRegionPrompt *r = &q->regions[k - 1];
    double sum = 0;
    for (int p = 0; p < area; p++) {
      /* In a dry run there may be no pixels behind the pointer: a mask may then be anywhere. */
      const bool in = (r->mask && run->ctx.dry) || holds (run, r, p / w, p % w);
      state->inside[k][p] = in;
      state->weight[k][p] = in ? (float) r->weight : 0;
      if (in && !(r->mask && run->ctx.dry))
        state->inside[0][p] = 0;
      sum += in;
    }
    if (sum == 0) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The region \"%s\" is smaller than a cell of the latent picture; make it larger."),
                   r->prompt);
      return FALSE;
    }
  }
  memcpy (state->weight[0], state->inside[0], (size_t) area * sizeof (float));
  return TRUE;
}

static bool
has_part (const State *state, const PmtRun *run, const PmtWindow *v, int prompt)
{
  for (int y = 0; y < v->height; y++)
    for (int x = 0; x < v->width; x++)
      if (state->weight[prompt][(v->y + y) * run->latent_width + (v->x + x) % run->latent_width] > 0)
        return true;
  return false;
}

/* ---- tracks --------------------------------------------------------------------------------------------------------------- */

static gboolean
add_part (State *state, PmtRun *run, int window, int prompt, GError **error)
{
  const PmtWindow *v = &state->windows[window];
  if (state->n_parts == MOST_TRACKS) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("This picture comes to more than %d windows; take a larger stride than %d."), MOST_TRACKS,
                 state->stride);
    return FALSE;
  }
  const int k = pmt_run_add_track (run, v->height, v->width, error);
  if (k < 0)
    return FALSE;
  PmtTrack *t = run->tracks[k];
  state->part = g_renew (Part, state->part, state->n_parts + 1);
  state->part[state->n_parts++] = (Part) { window, prompt };
  t->started = true;
  t->rng = run->tracks[0]->rng;
  if (prompt > 0) {
    t->context = state->said[prompt].context;
    t->pooled = state->said[prompt].pooled;
  }
  return pmt_solver_set_window (t->solver, run->latent_height, run->latent_width, v->y, v->x, v->height, v->width, error);
}

/* Latents of flat pictures. The colours come from a generator of their own. */
static gboolean
make_flat (State *state, PmtRun *run, GError **error)
{
  const size_t n = (size_t) run->request->width * (size_t) run->request->height;
  pmt_rng_seed (&state->rng, run->request->seed + 1);
  state->flat = g_new0 (PmtTensor, state->colours);
  g_autofree float *colour = g_new (float, state->colours * 3);
  for (int i = 0; i < state->colours * 3; i++)
    colour[i] = pmt_rng_uniform (&state->rng);
  for (int i = 0; i < state->colours; i++) {
    PmtTensor moments;
    PmtArenaMark mark = pmt_arena_mark (run->ctx.step);
    float *picture = pmt_arena_alloc (run->ctx.step, n * 3 * sizeof (float), error);
    if (!picture)
      return FALSE;
    for (size_t p = 0; p < n * 3 && !run->ctx.dry; p++)
      picture[p] = colour[i * 3 + (int) (p % 3)];
    if (!pmt_run_encode (run, picture, &moments, error))
      return FALSE;
    PmtTensor latent = pmt_vae_sample (&run->ctx, run->vae, moments, PMT_NO_TENSOR, true);
    if (pmt_context_take_error (&run->ctx, error))
      return FALSE;
    state->flat[i] = pmt_run_keep (run, latent, error);
    if (!state->flat[i].data)
      return FALSE;
    pmt_arena_release (run->ctx.step, mark);
  }
  return TRUE;
}

static gboolean
plan (void *user, PmtRun *run, GError **error)
{
  State *state = user;
  const int n_regions = run->request->n_regions, area = run->latent_height * run->latent_width;
  if (!pmt_run_initial_noise (run, 0, &state->noise, error) || !make_masks (state, run, error))
    return FALSE;
  state->windows = pmt_windows_new (run->latent_height, run->latent_width, state->size, state->stride, state->wrap, &state->n_windows);
  state->first_track = run->n_tracks;
  for (int v = 0; v < state->n_windows; v++)
    for (int k = 0; k <= n_regions; k++)
      if (has_part (state, run, &state->windows[v], k) && !add_part (state, run, v, k, error))
        return FALSE;
  run->tracks[0]->passive = true;
  state->sum = g_new (double, (gsize) area * (gsize) run->latent_channels);
  state->total = g_new (double, area);
  return n_regions == 0 || state->bootstrap == 0 || make_flat (state, run, error);
}

/* ---- steps ---------------------------------------------------------------------------------------------------------------- */

/* Networks with further channels are shown the window's part of them. */
static gboolean
branch (void *user, PmtRun *run, PmtStep *step, GError **error)
{
  const State *state = user;
  for (int i = 0; i < step->rows.n; i++) {
    PmtRow *row = &step->rows.row[i];
    const int k = row->track - state->first_track;
    if (!row->extra.data || k < 0 || k >= state->n_parts)
      continue;
    const PmtWindow *v = &state->windows[state->part[k].window];
    const int channels = (int) row->extra.shape.dim[3];
    PmtTensor cut = pmt_tensor_new (&run->ctx, PMT_SHAPE4 (1, v->height, v->width, channels));
    if (pmt_context_take_error (&run->ctx, error))
      return FALSE;
    if (!run->ctx.dry)
      pmt_window_cut (v, row->extra.data, run->latent_width, channels, cut.data);
    row->extra = cut;
  }
  return TRUE;
}

/* A region's view in the first steps: a noised flat colour outside its mask. */
static gboolean
surround (State *state, PmtRun *run, PmtStep *step, const Part *part, float *out, GError **error)
{
  const PmtWindow *v = &state->windows[part->window];
  const int c = run->latent_channels, w = run->latent_width;
  const PmtTensor flat = state->flat[pmt_rng_u32 (&state->rng) % (uint32_t) state->colours];
  PmtArenaMark mark = pmt_arena_mark (run->ctx.step);
  PmtTensor noised = pmt_tensor_new (&run->ctx, flat.shape);
  if (pmt_context_take_error (&run->ctx, error))
    return FALSE;
  run->request->sampler->add_noise (run->tracks[0]->solver, step->grid_i, flat.data, state->noise.data, noised.data);
  for (int y = 0; y < v->height; y++)
    for (int x = 0; x < v->width; x++) {
      const int p = (v->y + y) * w + (v->x + x) % w;
      if (state->inside[part->prompt][p] == 0)
        memcpy (out + (y * v->width + x) * c, noised.data + p * c, (size_t) c * sizeof (float));
    }
  pmt_arena_release (run->ctx.step, mark);
  return TRUE;
}

/* The canvas's `to` out of the windows' `pick`. */
static void
merge (State *state, PmtRun *run, size_t pick, PmtTensor to)
{
  const int c = run->latent_channels, area = run->latent_height * run->latent_width;
  memset (state->sum, 0, (size_t) area * (size_t) c * sizeof (double));
  memset (state->total, 0, (size_t) area * sizeof (double));
  for (int k = 0; k < state->n_parts; k++) {
    const PmtTensor *from = (const PmtTensor *) ((const char *) run->tracks[state->first_track + k] + pick);
    pmt_window_add (&state->windows[state->part[k].window], from->data, state->weight[state->part[k].prompt], run->latent_width, c, state->sum,
                    state->total);
  }
  for (int p = 0; p < area * c; p++)
    to.data[p] = (float) (state->sum[p] / state->total[p / c]);
}

static gboolean
latent (void *user, PmtRun *run, PmtStep *step, int track, PmtLatentStage stage, bool *moved, GError **error)
{
  State *state = user;
  const int k = track - state->first_track;
  PmtTrack *t = run->tracks[track];
  if (stage == PMT_LATENT_PRE && k >= 0 && k < state->n_parts) {
    const Part *part = &state->part[k];
    pmt_window_cut (&state->windows[part->window], run->tracks[0]->latent.data, run->latent_width, run->latent_channels, t->latent.data);
    if (part->prompt > 0 && step->grid_i < (int) (state->bootstrap * run->grid->n))
      return surround (state, run, step, part, t->latent.data, error);
  } else if (stage == PMT_LATENT_STEP && k >= 0 && k < state->n_parts) {
    /* Stepped here, so that the canvas is whole when POST begins, where methods put something back into it. */
    run->request->sampler->step (t->solver, step->grid_i, t->prediction.data, t->latent.data);
    *moved = true;
    if (k + 1 < state->n_parts)
      return TRUE;
    merge (state, run, offsetof (PmtTrack, latent), run->tracks[0]->latent);
    merge (state, run, offsetof (PmtTrack, denoised), run->tracks[0]->denoised);
  }
  return TRUE;
}

/* Networks beside the UNet see the whole picture; the others lead, or look at, a picture that is evaluated as a whole, and would do nothing at
 * all here. */
static const char *const conflicts[] = { "controlnet", "t2i-adapter", "gligen", "attend-and-excite", "layout-backward", "attention-refocusing",
                                         "paint-with-words", "layout-forward", NULL };

const PmtMethod pmt_method_multidiffusion = {
  .id = "multidiffusion",
  .label = N_("Regions and panoramas"),
  .summary = N_("Gives parts of the picture prompts of their own, and makes pictures that are larger than the model's."),
  .params = params,
  .order = 400, /* after all that start the canvas and give rows further channels */
  .conflicts = conflicts,
  .implied = implied,
  .state_new = state_new,
  .state_free = state_free,
  .text = text,
  .plan = plan,
  .branch = branch,
  .latent = latent,
};
