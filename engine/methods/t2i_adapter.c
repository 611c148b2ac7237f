/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pictures that steer the run through T2I-Adapters (Mou et al. 2023; formats.md 7.6): feature maps, made once, are added inside the UNet's
 * way down, times their strength and summed over the adapters.
 *
 * Map k belongs to level k: after its last layer where the block has attention or is the last one, else after its downsampler (the
 * reference adds to such a block's output in place, which changes the stored skip too). A map more than there are levels goes after the
 * middle if it fits there. */
#include <string.h>

#include "engine/kernels/packed.h"
#include "engine/methods/control.h"
#include "engine/nets/control_files.h"
#include "engine/ops/ops.h"
#include "engine/sample/extra_net.h"

/* ---- the networks ----------------------------------------------------------------------------------------------------- */

/* Whether map k can be added somewhere, and where. */
static bool
find_site (const PmtUnetConfig *unet, const PmtT2iConfig *config, int factor, int k, PmtResidSite *site)
{
  const bool last = k + 1 >= unet->n_levels;
  const int level = MIN (k, unet->n_levels - 1);
  int cell = factor << level;
  if (k >= unet->n_levels)
    *site = (PmtResidSite) { .kind = PMT_RESID_MID };
  else
    *site = (PmtResidSite) { .kind = unet->down_has_attention[k] || last ? PMT_RESID_DOWN : PMT_RESID_DOWNSAMPLED, .level = k };
  if (site->kind == PMT_RESID_DOWNSAMPLED)
    cell *= 2;
  return config->channels[k] == unet->block_out_channels[level] && pmt_t2i_cell (config, k) == cell && k <= unet->n_levels;
}

static gboolean
check_fits (PmtModel *model, PmtUnetChoice choice, const char *path, const PmtT2iConfig *config, GError **error)
{
  const PmtUnetConfig *unet = pmt_model_unet_config (model, choice);
  const int factor = pmt_vae_factor (pmt_model_vae_config (model));
  PmtResidSite site;
  int k = 0;
  while (k < config->n_blocks && (find_site (unet, config, factor, k, &site) || k >= unet->n_levels))
    k++;
  if (k == config->n_blocks && (config->in_channels == 1 || config->in_channels == 3))
    return TRUE;
  g_autoptr (GString) own = g_string_new (NULL), theirs = g_string_new (NULL);
  for (int i = 0; i < config->n_blocks; i++)
    g_string_append_printf (own, "%s%d", i ? ", " : "", config->channels[i]);
  for (int i = 0; i < unet->n_levels; i++)
    g_string_append_printf (theirs, "%s%d", i ? ", " : "", unet->block_out_channels[i]);
  g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
               _("'%s' is a T2I-Adapter for %s models of widths %s, and the model '%s' is %s with widths %s; use an adapter that was made for "
                 "the model's kind."),
               path, config->downscale == 16 ? "SDXL" : "Stable Diffusion 1.x", own->str, pmt_model_path (model),
               pmt_family_by_id (pmt_model_family (model))->label, theirs->str);
  return FALSE;
}

static gboolean
net_load (void *net, PmtWeights *weights, const PmtCancel *cancel, GError **error)
{
  return pmt_t2i_load (net, weights, cancel, error);
}

static PmtWeightPool *
net_weights (const void *net)
{
  return pmt_t2i_weights (net);
}

static void
net_free (void *net)
{
  pmt_t2i_free (net);
}

static const PmtExtraNetClass net_class = { net_load, net_weights, net_free };

static void *
extra_open (PmtModel *model, PmtUnetChoice choice, const char *path, GError **error)
{
  const PmtFamily *family = pmt_family_by_id (pmt_model_family (model));
  PmtT2iConfig config;
  if (!pmt_kind_require (path, PMT_KIND_T2I_ADAPTER, pmt_model_path (model), family, NULL, error))
    return NULL;
  PmtWeights *weights = pmt_t2i_open (path, &config, error);
  PmtT2iAdapter *net = weights && check_fits (model, choice, path, &config, error) ? pmt_t2i_new (&config, NULL, NULL, error) : NULL;
  if (net)
    pmt_weight_pool_set_precision (pmt_t2i_weights (net), pmt_precision_wide (pmt_model_precision (model)));
  return pmt_extra_net_new (&net_class, net, weights);
}

static const PmtExtraClass extra_class = { "T2I-Adapter", extra_open, pmt_extra_net_load, pmt_extra_net_bytes, pmt_extra_net_free };

/* ---- a run ------------------------------------------------------------------------------------------------------------ */

typedef struct Adapter {
  const PmtControl *asked;
  const PmtT2iAdapter *net;
  bool active; /* in the present network call */
  PmtResidSite site[PMT_T2I_MAX_BLOCKS];
  PmtTensor feature[PMT_T2I_MAX_BLOCKS]; /* times strength, in the run's memory; PMT_NO_TENSOR where it has no place */
} Adapter;

typedef struct State {
  Adapter *adapter;
  int n;
} State;

static bool
implied (const PmtRun *run)
{
  for (int i = 0; i < run->request->n_controls; i++)
    if (pmt_control_is_adapter (&run->request->controls[i]))
      return true;
  return false;
}

static void
state_free (void *data)
{
  g_free (((State *) data)->adapter);
  g_free (data);
}

static gboolean
check_asked (const PmtRun *run, const PmtControl *asked, const PmtT2iConfig *config, GError **error)
{
  const PmtRequest *q = run->request;
  if (asked->guess) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("Guess mode is a matter of ControlNets and '%s' is a T2I-Adapter; leave it out."),
                 asked->model);
    return FALSE;
  }
  if (q->width % config->downscale || q->height % config->downscale) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("The T2I-Adapter '%s' takes pictures whose sides are multiples of %d, and this one has %d x %d; choose another size."),
                 asked->model, config->downscale, q->width, q->height);
    return FALSE;
  }
  return TRUE;
}

static void *
state_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  const PmtRequest *q = run->request;
  State *state = g_new0 (State, 1);
  state->adapter = g_new0 (Adapter, q->n_controls + 1);
  for (int i = 0; i < q->n_controls; i++) {
    const PmtControl *asked = &q->controls[i];
    if (!pmt_control_is_adapter (asked))
      continue;
    void *extra = pmt_control_check (asked, error) ? pmt_run_extra (run, &extra_class, asked->model, error) : NULL;
    if (!extra || !check_asked (run, asked, pmt_t2i_config (pmt_extra_net (extra)), error)) {
      state_free (state);
      return NULL;
    }
    state->adapter[state->n++] = (Adapter) { .asked = asked, .net = pmt_extra_net (extra) };
  }
  return state;
}

static gboolean
make_features (Adapter *adapter, PmtRun *run, GError **error)
{
  PmtContext *ctx = &run->ctx;
  const PmtT2iConfig *config = pmt_t2i_config (adapter->net);
  const PmtUnetConfig *unet = pmt_unet_config (run->unet);
  const int factor = pmt_vae_factor (pmt_model_vae_config (run->model));
  PmtArenaMark mark = pmt_arena_mark (ctx->step);
  PmtTensor feature[PMT_T2I_MAX_BLOCKS];
  pmt_t2i_forward (ctx, adapter->net, pmt_control_picture (run, adapter->asked, config->in_channels), feature);
  for (int k = 0; k < config->n_blocks; k++) {
    if (!find_site (unet, config, factor, k, &adapter->site[k]))
      continue;
    PmtTensor scaled = pmt_scale (ctx, feature[k], (float) adapter->asked->strength);
    if (pmt_context_take_error (ctx, error))
      return FALSE;
    adapter->feature[k] = pmt_run_keep (run, scaled, error);
    if (!adapter->feature[k].data)
      return FALSE;
  }
  pmt_arena_release (ctx->step, mark);
  return TRUE;
}

static gboolean
plan (void *data, PmtRun *run, GError **error)
{
  State *state = data;
  for (int i = 0; i < state->n; i++)
    if (!make_features (&state->adapter[i], run, error))
      return FALSE;
  return TRUE;
}

static gboolean
call (void *data, PmtRun *run, PmtStep *step, GError **error)
{
  State *state = data;
  for (int i = 0; i < state->n; i++) {
    const PmtControl *asked = state->adapter[i].asked;
    state->adapter[i].active = step->i >= (int) (step->n * asked->start) && step->i < (int) (step->n * asked->end);
  }
  return TRUE;
}

/* What the adapter adds at the site; PMT_NO_TENSOR for nothing. */
static PmtTensor
find_feature (const Adapter *adapter, const PmtResidSite *site)
{
  for (int k = 0; adapter->active && k < PMT_T2I_MAX_BLOCKS; k++)
    if (adapter->feature[k].data && adapter->site[k].kind == site->kind && adapter->site[k].level == site->level)
      return adapter->feature[k];
  return PMT_NO_TENSOR;
}

static bool
resid_wants (void *data, const PmtResidSite *site)
{
  const State *state = data;
  for (int i = 0; i < state->n; i++)
    if (find_feature (&state->adapter[i], site).data)
      return true;
  return false;
}

/* The one row for all rows. */
static PmtTensor
repeat (PmtContext *ctx, PmtTensor t, int64_t rows)
{
  PmtShape shape = t.shape;
  if (rows == 1)
    return t;
  shape.dim[0] = rows;
  PmtTensor all = pmt_tensor_new (ctx, shape);
  for (int64_t n = 0; all.data && !ctx->dry && n < rows; n++)
    memcpy (all.data + n * pmt_tensor_size (t), t.data, (size_t) pmt_tensor_size (t) * sizeof (float));
  return all;
}

static void
resid (void *data, PmtRun *run, PmtStep *step, const PmtResidSite *site, PmtTensor *x)
{
  const State *state = data;
  for (int i = 0; i < state->n; i++) {
    PmtTensor feature = find_feature (&state->adapter[i], site);
    if (feature.data)
      *x = pmt_add (&run->ctx, *x, repeat (&run->ctx, feature, pmt_tensor_dim (*x, 0)));
  }
}

const PmtMethod pmt_method_t2i_adapter = {
  .id = "t2i-adapter",
  .label = N_("Control pictures (T2I-Adapter)"),
  .summary = N_("Follows edges, sketches, depth or other things of a picture, with T2I-Adapters."),
  .order = 290,
  .internal = true,
  .implied = implied,
  .state_new = state_new,
  .state_free = state_free,
  .plan = plan,
  .call = call,
  .resid_wants = resid_wants,
  .resid = resid,
};
