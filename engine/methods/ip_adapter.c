/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pictures beside the prompt (IP-Adapter, Ye et al. 2023; formats.md 7.8): each becomes a few tokens, and every cross-attention looks at
 * them in a second attention with keys and values of its own, whose output is added, times the reference's strength.
 *
 * References of one adapter with the same encoder, strength and times are looked at together (their tokens share one softmax), as
 * diffusers does with several pictures of one adapter; otherwise each has an attention of its own. Keys and values are computed once,
 * before the first step. */
#include "engine/kernels/packed.h"
#include "engine/image/clip_pixels.h"
#include "engine/methods/sides.h"
#include "engine/nets/ip_adapter.h"
#include "engine/nets/layers.h"
#include "engine/nets/unet_sites.h"
#include "engine/weights/kinds.h"

/* References that share an attention. */
typedef struct Group {
  PmtIpAdapter *adapter;
  PmtClipVision *vision;
  double strength, start, end;
  const PmtReference **references;
  int n;
  PmtTensor *k[PMT_N_SIDES], *v[PMT_N_SIDES]; /* per transformer block, [1, S, C] in the run's memory */
  bool active; /* in the network call that is under way */
} Group;

typedef struct State {
  Group *groups;
  int n;
  int *processor; /* per transformer block: which of the adapter's attentions is its */
  int blocks;
} State;

/* ---- extras ----------------------------------------------------------------------------------------------------------- */

static void *
open_adapter (PmtModel *model, PmtUnetChoice choice, const char *path, GError **error)
{
  if (!g_file_test (path, G_FILE_TEST_EXISTS)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_NOT_FOUND, _("There is no IP-Adapter at '%s'; give its .safetensors file."), path);
    return NULL;
  }
  if (!pmt_kind_require (path, PMT_KIND_IP_ADAPTER, pmt_model_path (model), pmt_family_by_id (pmt_model_family (model)), NULL, error))
    return NULL;
  PmtIpAdapter *adapter = pmt_ip_adapter_open (path, error);
  if (adapter)
    pmt_weight_pool_set_precision (pmt_ip_adapter_weights (adapter), pmt_precision_wide (pmt_model_precision (model)));
  return adapter;
}

static gboolean
load_adapter (void *extra, const PmtCancel *cancel, GError **error)
{
  return pmt_ip_adapter_load (extra, cancel, error);
}

static size_t
adapter_bytes (const void *extra)
{
  return pmt_ip_adapter_weight_bytes (extra);
}

static void
free_adapter (void *extra)
{
  pmt_ip_adapter_free (extra);
}

static const PmtExtraClass adapter_class = { "IP-Adapter", open_adapter, load_adapter, adapter_bytes, free_adapter };

static void *
open_vision (PmtModel *model, PmtUnetChoice choice, const char *path, GError **error)
{
  PmtClipVision *vision = pmt_clip_vision_open (path, error);
  if (vision)
    pmt_weight_pool_set_precision (pmt_clip_vision_weights (vision), pmt_precision_wide (pmt_model_precision (model)));
  return vision;
}

static gboolean
load_vision (void *extra, const PmtCancel *cancel, GError **error)
{
  return pmt_clip_vision_load (extra, cancel, error);
}

static size_t
vision_bytes (const void *extra)
{
  return pmt_clip_vision_weight_bytes (extra);
}

static void
free_vision (void *extra)
{
  pmt_clip_vision_free (extra);
}

static const PmtExtraClass vision_class = { "image encoder", open_vision, load_vision, vision_bytes, free_vision };

/* ---- the image encoder ------------------------------------------------------------------------------------------------ */

/* Whether there is an encoder at `path` that gives what the adapter takes. Where it is of another width, *other gets the path. */
static bool
encoder_fits (const PmtIpAdapter *adapter, const char *path, char **other)
{
  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    return false;
  PmtClipVision *vision = pmt_clip_vision_open (path, NULL);
  const bool fits = vision && pmt_ip_adapter_takes (adapter, pmt_clip_vision_config (vision));
  pmt_clip_vision_free (vision);
  if (!fits && !*other)
    *other = g_strdup (path);
  return fits;
}

/* Beside the adapter, as its distribution has it (SDXL adapters share the folder models/ with those of SD 1.x), then the model's own.
 * Newly allocated, NULL + error when there is none. */
static char *
find_encoder (PmtRun *run, const PmtIpAdapter *adapter, const char *adapter_path, GError **error)
{
  static const char *const places[] = { "image_encoder", "../image_encoder", "../models/image_encoder", "image_encoder.safetensors" };
  g_autofree char *folder = g_path_get_dirname (adapter_path), *other = NULL;
  for (size_t i = 0; i <= G_N_ELEMENTS (places); i++) {
    g_autofree char *path = i < G_N_ELEMENTS (places) ? g_build_filename (folder, places[i], NULL)
                                                      : g_build_filename (pmt_model_path (run->model), "image_encoder", NULL);
    if (encoder_fits (adapter, path, &other))
      return g_steal_pointer (&path);
  }
  g_autofree char *needed = pmt_ip_adapter_encoder_text (adapter), *here = g_build_filename (folder, "image_encoder", NULL);
  g_set_error (error, PMT_ERROR, PMT_ERROR_NOT_FOUND,
               _("The IP-Adapter '%s' needs a CLIP image encoder %s, and %s%s%s; put config.json and model.safetensors of that encoder into "
                 "'%s', or name its folder as the reference's encoder."),
               adapter_path, needed, other ? "the one at '" : "none was found beside it or in the model's folder", other ? other : "",
               other ? "' is another" : "", here);
  return NULL;
}

static PmtClipVision *
get_encoder (PmtRun *run, const PmtIpAdapter *adapter, const PmtReference *r, GError **error)
{
  g_autofree char *path = r->encoder ? g_strdup (r->encoder) : find_encoder (run, adapter, r->model, error);
  PmtClipVision *vision = path ? pmt_run_extra (run, &vision_class, path, error) : NULL;
  if (!vision || pmt_ip_adapter_takes (adapter, pmt_clip_vision_config (vision)))
    return vision;
  const PmtClipVisionConfig *c = pmt_clip_vision_config (vision);
  g_autofree char *needed = pmt_ip_adapter_encoder_text (adapter);
  g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
               _("The IP-Adapter '%s' needs a CLIP image encoder %s, and the one at '%s' has width %d and a projection to %d; name the one "
                 "that belongs to the adapter."),
               r->model, needed, path, c->hidden, c->projection);
  return NULL;
}

/* ---- state ------------------------------------------------------------------------------------------------------------ */

static bool
implied (const PmtRun *run)
{
  return run->request->n_references > 0;
}

static gboolean
check_reference (const PmtReference *r, GError **error)
{
  if (!r->model || !*r->model) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT,
                         _("A reference picture needs an IP-Adapter; give the adapter's file as the reference's model."));
    return FALSE;
  }
  if (r->width < 1 || r->height < 1) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, _("A reference has no picture; give one."));
    return FALSE;
  }
  if (!(r->strength >= 0 && r->strength <= 10)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The strength of a reference is %g and has to be from 0 to 10."), r->strength);
    return FALSE;
  }
  if (!(r->start >= 0 && r->start <= 1 && r->end >= 0 && r->end <= 1)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("A reference acts from %g to %g of the run; both have to be from 0 to 1."), r->start,
                 r->end);
    return FALSE;
  }
  return TRUE;
}

static gboolean
add_reference (State *state, PmtRun *run, const PmtReference *r, GError **error)
{
  const PmtUnetConfig *unet = pmt_model_unet_config (run->model, run->unet_choice);
  if (!check_reference (r, error))
    return FALSE;
  PmtIpAdapter *adapter = pmt_run_extra (run, &adapter_class, r->model, error);
  if (!adapter || !pmt_ip_adapter_check_unet (adapter, unet, pmt_model_path (run->model), error))
    return FALSE;
  PmtClipVision *vision = get_encoder (run, adapter, r, error);
  if (!vision)
    return FALSE;
  int i = 0;
  for (; i < state->n; i++) {
    const Group *g = &state->groups[i];
    if (g->adapter == adapter && g->vision == vision && g->strength == r->strength && g->start == r->start && g->end == r->end)
      break;
  }
  Group *g = &state->groups[i];
  if (i == state->n) {
    *g = (Group) { .adapter = adapter, .vision = vision, .strength = r->strength, .start = r->start, .end = r->end };
    g->references = g_new (const PmtReference *, run->request->n_references);
    for (int side = 0; side < PMT_N_SIDES; side++) {
      g->k[side] = g_new0 (PmtTensor, state->blocks);
      g->v[side] = g_new0 (PmtTensor, state->blocks);
    }
    state->n++;
  }
  g->references[g->n++] = r;
  return TRUE;
}

static void
state_free (void *user)
{
  State *state = user;
  for (int i = 0; i < state->n; i++) {
    for (int side = 0; side < PMT_N_SIDES; side++) {
      g_free (state->groups[i].k[side]);
      g_free (state->groups[i].v[side]);
    }
    g_free (state->groups[i].references);
  }
  g_free (state->groups);
  g_free (state->processor);
  g_free (state);
}

static void *
state_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  const PmtRequest *q = run->request;
  State *state = g_new0 (State, 1);
  g_autofree PmtUnetSite *sites = pmt_unet_sites (pmt_model_unet_config (run->model, run->unet_choice), &state->blocks);
  state->processor = g_new (int, state->blocks + 1);
  for (int i = 0; i < state->blocks; i++)
    state->processor[i] = pmt_unet_site_processor (sites, state->blocks, i);
  state->groups = g_new0 (Group, q->n_references + 1);
  for (int i = 0; i < q->n_references; i++)
    if (!add_reference (state, run, &q->references[i], error)) {
      state_free (state);
      return NULL;
    }
  return state;
}

/* ---- before the first step -------------------------------------------------------------------------------------------- */

/* Tokens of one reference, or those that stand for none, in the step arena. */
static PmtTensor
encode (PmtRun *run, const Group *g, const PmtReference *r, bool none)
{
  const int size = pmt_clip_vision_config (g->vision)->image_size;
  PmtContext *ctx = &run->ctx;
  PmtFrame frame = pmt_frame_open (ctx);
  PmtTensor pixels = pmt_tensor_new (ctx, PMT_SHAPE4 (1, size, size, 3));
  if (!none && !ctx->dry && pixels.data && !pmt_clip_pixels (r->image, r->width, r->height, size, pixels.data, &ctx->error))
    return PMT_NO_TENSOR;
  return pmt_frame_close (ctx, frame, pmt_ip_adapter_tokens (ctx, g->adapter, g->vision, pixels, none));
}

static gboolean
make_keys (PmtRun *run, const State *state, Group *g, int side, GError **error)
{
  PmtContext *ctx = &run->ctx;
  PmtTensor tokens = PMT_NO_TENSOR, one = PMT_NO_TENSOR;
  for (int i = 0; i < g->n; i++) {
    if (side == PMT_SIDE_COND || i == 0)
      one = encode (run, g, g->references[i], side == PMT_SIDE_NONE);
    tokens = i > 0 ? pmt_tokens_join (ctx, tokens, one) : one;
  }
  for (int block = 0; block < state->blocks; block++) {
    PmtTensor k, v;
    PmtArenaMark mark = pmt_arena_mark (ctx->step);
    pmt_ip_adapter_keys (ctx, g->adapter, state->processor[block], tokens, &k, &v);
    if (pmt_context_take_error (ctx, error))
      return FALSE;
    g->k[side][block] = pmt_run_keep (run, k, error);
    if (g->k[side][block].data)
      g->v[side][block] = pmt_run_keep (run, v, error);
    if (!g->v[side][block].data)
      return FALSE;
    pmt_arena_release (ctx->step, mark);
  }
  return TRUE;
}

static gboolean
text (void *user, PmtRun *run, GError **error)
{
  State *state = user;
  PmtArenaMark mark = pmt_arena_mark (run->ctx.step);
  for (int i = 0; i < state->n; i++)
    for (int side = 0; side < PMT_N_SIDES; side++) {
      if (!make_keys (run, state, &state->groups[i], side, error))
        return FALSE;
      pmt_arena_release (run->ctx.step, mark);
    }
  pmt_arena_trim (run->ctx.step);
  return TRUE;
}

/* ---- each network call ------------------------------------------------------------------------------------------------ */

static gboolean
call (void *user, PmtRun *run, PmtStep *step, GError **error)
{
  State *state = user;
  const double n = MAX (step->n, 1);
  for (int i = 0; i < state->n; i++) {
    Group *g = &state->groups[i];
    g->active = g->strength > 0 && !(step->i / n < g->start || (step->i + 1) / n > g->end);
  }
  return TRUE;
}

static unsigned
attn_wants (void *user, const PmtAttnSite *site)
{
  const State *state = user;
  for (int i = 0; i < state->n && site->cross; i++)
    if (state->groups[i].active)
      return PMT_ATTN_OUT;
  return 0;
}

static void
attn (void *user, PmtRun *run, PmtStep *step, PmtAttnStage stage, PmtAttnCall *site_call)
{
  State *state = user;
  PmtContext *ctx = &run->ctx;
  const PmtAttentionParams params = { .heads = site_call->site->heads };
  const int block = site_call->site->block;
  for (int i = 0; i < state->n; i++) {
    Group *g = &state->groups[i];
    if (!g->active)
      continue;
    PmtTensor k = pmt_sides_stack (run, step, g->k[PMT_SIDE_COND][block], g->k[PMT_SIDE_NONE][block]);
    PmtTensor v = pmt_sides_stack (run, step, g->v[PMT_SIDE_COND][block], g->v[PMT_SIDE_NONE][block]);
    PmtTensor second = pmt_attention (ctx, site_call->q, k, v, params);
    site_call->out = pmt_add (ctx, site_call->out, pmt_scale (ctx, second, (float) g->strength));
  }
}

const PmtMethod pmt_method_ip_adapter = {
  .id = "ip-adapter",
  .label = N_("Reference pictures"),
  .summary = N_("Makes pictures that resemble given ones, by an IP-Adapter."),
  .order = 320,
  .internal = true,
  .implied = implied,
  .state_new = state_new,
  .state_free = state_free,
  .text = text,
  .call = call,
  .attn_wants = attn_wants,
  .attn = attn,
};
