/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pictures that steer the run through ControlNets (Zhang, Rao & Agrawala 2023; formats.md 7.5). Each network sees what the UNet is about
 * to be given and its picture; what it says is added to the UNet's skips and middle, summed over the networks. */
#include <string.h>

#include "engine/methods/control.h"
#include "engine/nets/control_files.h"
#include "engine/ops/ops.h"
#include "engine/sample/extra_net.h"

enum { MOST_RESIDUALS = 160 };

/* ---- the networks ----------------------------------------------------------------------------------------------------- */

/* "Stable Diffusion 1.x (widths 320, 640, 1280, 1280; text of 768)" */
static char *
describe (const PmtUnetConfig *config)
{
  const PmtUnetTraits traits = { .in_channels = config->in_channels, .latent_channels = config->in_channels, .mid_attention = TRUE,
                                 .first_width = config->block_out_channels[0], .context_width = config->cross_attention_dim,
                                 .text_time = config->added_dim > 0 };
  g_autoptr (GString) widths = g_string_new (NULL);
  for (int i = 0; i < config->n_levels; i++)
    g_string_append_printf (widths, "%s%d", i ? ", " : "", config->block_out_channels[i]);
  return g_strdup_printf ("%s (widths %s; text of %d)", pmt_family_detect (&traits)->label, widths->str, config->cross_attention_dim);
}

static gboolean
check_fits (PmtModel *model, PmtUnetChoice choice, const char *path, const PmtControlNetConfig *config, GError **error)
{
  const PmtUnetConfig *base = pmt_model_unet_config (model, choice), *unet = &config->unet;
  const int channels = pmt_model_vae_config (model)->latent_channels;
  bool same = unet->n_levels == base->n_levels && unet->layers_per_block == base->layers_per_block &&
              unet->cross_attention_dim == base->cross_attention_dim && unet->added_dim == base->added_dim;
  for (int i = 0; same && i < unet->n_levels; i++)
    same = unet->block_out_channels[i] == base->block_out_channels[i];
  if (!same) {
    g_autofree char *own = describe (unet), *theirs = describe (base);
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                 _("'%s' is a ControlNet for %s, and the model '%s' is %s; use a ControlNet that was made for the model's kind."), path, own,
                 pmt_model_path (model), theirs);
    return FALSE;
  }
  if (unet->in_channels != channels || config->hint_channels != 3 ||
      1 << (config->n_hint_widths - 1) != pmt_vae_factor (pmt_model_vae_config (model))) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                 _("The ControlNet '%s' takes latents of %d channels and pictures of %d that are %d times as large, and the model '%s' has "
                   "%d, 3 and %d; use another ControlNet."),
                 path, unet->in_channels, config->hint_channels, 1 << (config->n_hint_widths - 1), pmt_model_path (model), channels,
                 pmt_vae_factor (pmt_model_vae_config (model)));
    return FALSE;
  }
  return TRUE;
}

static gboolean
net_load (void *net, PmtWeights *weights, const PmtCancel *cancel, GError **error)
{
  return pmt_controlnet_load (net, weights, cancel, error);
}

static PmtWeightPool *
net_weights (const void *net)
{
  return pmt_controlnet_weights (net);
}

static void
net_free (void *net)
{
  pmt_controlnet_free (net);
}

static const PmtExtraNetClass net_class = { net_load, net_weights, net_free };

static void *
extra_open (PmtModel *model, PmtUnetChoice choice, const char *path, GError **error)
{
  const PmtFamily *family = pmt_family_by_id (pmt_model_family (model));
  PmtControlNetConfig config;
  if (!pmt_kind_require (path, PMT_KIND_CONTROLNET, pmt_model_path (model), family, NULL, error))
    return NULL;
  PmtWeights *weights = pmt_controlnet_open (path, pmt_model_unet_config (model, choice), &config, error);
  config.unet.precision = pmt_model_precision (model);
  PmtControlNet *net = weights && check_fits (model, choice, path, &config, error) ? pmt_controlnet_new (&config, NULL, NULL, error) : NULL;
  return pmt_extra_net_new (&net_class, net, weights);
}

static const PmtExtraClass extra_class = { "ControlNet", extra_open, pmt_extra_net_load, pmt_extra_net_bytes, pmt_extra_net_free };

/* ---- a run ------------------------------------------------------------------------------------------------------------ */

typedef struct Control {
  const PmtControl *asked;
  const PmtControlNet *net;
  PmtTensor hint; /* what the network sees of the picture, in the run's memory */
} Control;

typedef struct State {
  Control *control;
  int n;
  int n_residuals; /* of the present network call; 0 = no network acts in it */
  PmtTensor residual[MOST_RESIDUALS]; /* of all its rows, summed over the networks */
} State;

static bool
implied (const PmtRun *run)
{
  for (int i = 0; i < run->request->n_controls; i++)
    if (!pmt_control_is_adapter (&run->request->controls[i]))
      return true;
  return false;
}

static void
state_free (void *data)
{
  g_free (((State *) data)->control);
  g_free (data);
}

static void *
state_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  const PmtRequest *q = run->request;
  State *state = g_new0 (State, 1);
  state->control = g_new0 (Control, q->n_controls + 1);
  for (int i = 0; i < q->n_controls; i++) {
    const PmtControl *asked = &q->controls[i];
    if (pmt_control_is_adapter (asked))
      continue;
    void *extra = pmt_control_check (asked, error) ? pmt_run_extra (run, &extra_class, asked->model, error) : NULL;
    if (!extra) {
      state_free (state);
      return NULL;
    }
    g_assert (pmt_controlnet_n_residuals (pmt_extra_net (extra)) <= MOST_RESIDUALS);
    state->control[state->n++] = (Control) { .asked = asked, .net = pmt_extra_net (extra) };
  }
  return state;
}

static gboolean
plan (void *data, PmtRun *run, GError **error)
{
  State *state = data;
  for (int i = 0; i < state->n; i++) {
    Control *control = &state->control[i];
    PmtArenaMark mark = pmt_arena_mark (run->ctx.step);
    PmtTensor picture = pmt_control_picture (run, control->asked, 3);
    PmtTensor hint = pmt_controlnet_hint (&run->ctx, control->net, picture);
    if (pmt_context_take_error (&run->ctx, error))
      return FALSE;
    control->hint = pmt_run_keep (run, hint, error);
    pmt_arena_release (run->ctx.step, mark);
    if (!control->hint.data)
      return FALSE;
  }
  return TRUE;
}

/* Rows `row` of t, behind each other; all of them as they are. */
static PmtTensor
pick (PmtContext *ctx, PmtTensor t, const int *row, int n)
{
  if (!t.data || n == t.shape.dim[0])
    return t;
  PmtShape shape = t.shape;
  shape.dim[0] = n;
  PmtTensor picked = pmt_tensor_new (ctx, shape);
  const int64_t size = pmt_tensor_size (t) / t.shape.dim[0];
  for (int k = 0; picked.data && !ctx->dry && k < n; k++)
    memcpy (picked.data + k * size, t.data + row[k] * size, (size_t) size * sizeof (float));
  return picked;
}

/* The rows back in their places among `all`, zeros elsewhere. */
static PmtTensor
spread (PmtContext *ctx, PmtTensor t, const int *row, int n, int all)
{
  if (!t.data || n == all)
    return t;
  PmtShape shape = t.shape;
  shape.dim[0] = all;
  PmtTensor out = pmt_tensor_zeros (ctx, shape);
  const int64_t size = pmt_tensor_size (t) / n;
  for (int k = 0; out.data && !ctx->dry && k < n; k++)
    memcpy (out.data + row[k] * size, t.data + k * size, (size_t) size * sizeof (float));
  return out;
}

/* Which rows of the present call a network acts on: all, or with guess mode (which pooled residuals imply, as in the reference) those of
 * the prompt. */
static int
choose_rows (const Control *control, const PmtStep *step, int *row)
{
  const bool cond_only = control->asked->guess || pmt_controlnet_pools (control->net, control->asked->pool);
  int n = 0;
  for (int k = 0; k < step->n_call_rows; k++)
    if (!cond_only || strcmp (step->rows.row[step->call_row[k]].role, PMT_ROW_UNCOND) != 0)
      row[n++] = k;
  return n;
}

/* Runs one network on those rows and adds what it says to the sum. */
static void
act (State *state, const Control *control, PmtRun *run, const PmtStep *step, const int *row, int n)
{
  PmtContext *ctx = &run->ctx;
  const PmtUnetConfig *config = &pmt_controlnet_config (control->net)->unet;
  const PmtUnetInput *given = step->input;
  const int n_residuals = pmt_controlnet_n_residuals (control->net);
  PmtTensor residual[MOST_RESIDUALS];
  g_autofree float *timesteps = g_new (float, n);
  for (int k = 0; k < n; k++)
    timesteps[k] = given->timesteps[row[k]];

  PmtFrame frame = pmt_frame_open (ctx);
  PmtUnetInput input = { .sample = pick (ctx, step->call_latent, row, n), .timesteps = timesteps,
                         .context = pick (ctx, given->context, row, n) };
  if (config->added_dim) {
    input.text_embeds = pick (ctx, given->text_embeds, row, n);
    input.time_ids = pick (ctx, given->time_ids, row, n);
  }
  pmt_controlnet_forward (ctx, control->net, &input, control->hint, (float) control->asked->strength, control->asked->guess,
                          pmt_controlnet_pools (control->net, control->asked->pool), residual);
  for (int k = 0; k < n_residuals; k++) {
    PmtFrame one = pmt_frame_open (ctx);
    PmtTensor all = spread (ctx, residual[k], row, n, step->n_call_rows);
    if (state->n_residuals) /* pooled ones only have to be met by a whole map */
      all = pmt_tensor_size (all) >= pmt_tensor_size (state->residual[k]) ? pmt_controlnet_add (ctx, all, state->residual[k])
                                                                          : pmt_controlnet_add (ctx, state->residual[k], all);
    residual[k] = all.data == residual[k].data ? all : pmt_frame_close (ctx, one, all);
  }
  pmt_frame_close_several (ctx, frame, residual, n_residuals);
  memcpy (state->residual, residual, (size_t) n_residuals * sizeof *residual);
  state->n_residuals = n_residuals;
}

static gboolean
call (void *data, PmtRun *run, PmtStep *step, GError **error)
{
  State *state = data;
  g_autofree int *row = g_new (int, step->n_call_rows);
  state->n_residuals = 0;
  for (int i = 0; i < state->n && !pmt_context_failed (&run->ctx); i++) {
    const PmtControl *asked = state->control[i].asked;
    if ((double) step->i / step->n < asked->start || (double) (step->i + 1) / step->n > asked->end)
      continue;
    const int n = choose_rows (&state->control[i], step, row);
    if (n > 0)
      act (state, &state->control[i], run, step, row, n);
  }
  return TRUE;
}

static bool
resid_wants (void *data, const PmtResidSite *site)
{
  const State *state = data;
  return state->n_residuals > 0 && (site->kind == PMT_RESID_MID || site->kind == PMT_RESID_SKIP);
}

static void
resid (void *data, PmtRun *run, PmtStep *step, const PmtResidSite *site, PmtTensor *x)
{
  const State *state = data;
  const int k = site->kind == PMT_RESID_MID ? state->n_residuals - 1 : site->index;
  *x = pmt_controlnet_add (&run->ctx, *x, state->residual[k]);
}

const PmtMethod pmt_method_controlnet = {
  .id = "controlnet",
  .label = N_("Control pictures"),
  .summary = N_("Follows edges, depth, poses or other things of a picture, with ControlNets."),
  .order = 300, /* after T2I-Adapters, which act inside the way down */
  .internal = true,
  .implied = implied,
  .state_new = state_new,
  .state_free = state_free,
  .plan = plan,
  .call = call,
  .resid_wants = resid_wants,
  .resid = resid,
};
