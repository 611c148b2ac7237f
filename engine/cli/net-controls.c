/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/cli/net-controls.h"

#include <stdlib.h>

#include "engine/nets/control_files.h"
#include "engine/weights/kinds.h"

/* A tensor of one number; `fallback` where the file has none. */
static gboolean
read_number (const PmtSafetensors *in, const char *name, float fallback, float *value, GError **error)
{
  const PmtSafetensor *tensor = pmt_safetensors_lookup (in, name);
  *value = fallback;
  if (tensor && tensor->count != 1) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "The tensor \"%s\" of '%s' has to hold one number.", name, pmt_safetensors_path (in));
    return FALSE;
  }
  return !tensor || pmt_safetensors_read_f32 (in, tensor, 0, 1, value, error);
}

static gboolean
run_controlnet (const PmtControlNet *net, PmtContext *ctx, const PmtSafetensors *in, PmtNetOut *out, GError **error)
{
  const PmtControlNetConfig *config = pmt_controlnet_config (net);
  const PmtUnetConfig *unet = &config->unet;
  const PmtSafetensor *sample = pmt_net_find (in, "sample", error);
  const PmtSafetensor *hidden = sample ? pmt_net_find (in, "encoder_hidden_states", error) : NULL;
  const PmtSafetensor *picture = hidden ? pmt_net_find (in, "controlnet_cond", error) : NULL;
  const PmtSafetensor *pooled = picture && unet->added_dim ? pmt_net_find (in, "text_embeds", error) : NULL;
  const PmtSafetensor *ids = pooled ? pmt_net_find (in, "time_ids", error) : NULL;
  const int n = pmt_controlnet_n_residuals (net);
  g_autofree PmtTensor *residual = g_new0 (PmtTensor, n);
  PmtUnetInput input = { 0 };
  float scale, guess;

  if (!picture || (unet->added_dim && !ids))
    return FALSE;
  const int64_t rows = sample->rank > 0 ? sample->dim[0] : 0;
  if (!pmt_net_check (in, sample, 4, (const int64_t[]) { -1, unet->in_channels, -1, -1 }, error) ||
      !pmt_net_check (in, hidden, 3, (const int64_t[]) { rows, -1, unet->cross_attention_dim }, error) ||
      !pmt_net_check (in, picture, 4, (const int64_t[]) { -1, config->hint_channels, -1, -1 }, error) ||
      (pooled && !pmt_net_check (in, pooled, 2, (const int64_t[]) { rows, -1 }, error)) ||
      (ids && !pmt_net_check (in, ids, 2, (const int64_t[]) { rows, -1 }, error)) ||
      !read_number (in, "conditioning_scale", 1, &scale, error) || !read_number (in, "guess_mode", 0, &guess, error))
    return FALSE;
  float *timesteps = pmt_net_read_timesteps (in, rows, error);
  if (!timesteps)
    return FALSE;
  input.sample = pmt_net_read (ctx, in, sample);
  input.timesteps = timesteps;
  input.context = pmt_net_read (ctx, in, hidden);
  if (pooled) {
    input.text_embeds = pmt_net_read (ctx, in, pooled);
    input.time_ids = pmt_net_read (ctx, in, ids);
  }
  PmtTensor hint = pmt_controlnet_hint (ctx, net, pmt_net_read (ctx, in, picture));
  pmt_controlnet_forward (ctx, net, &input, hint, scale, guess != 0, pmt_controlnet_pools (net, false), residual);
  free (timesteps);
  if (pmt_context_take_error (ctx, error))
    return FALSE;
  for (int k = 0; k < n; k++) {
    g_autofree char *name = k + 1 < n ? g_strdup_printf ("down_block_res_samples.%d", k) : g_strdup ("mid_block_res_sample");
    if (!pmt_net_add (out, name, residual[k], error))
      return FALSE;
  }
  return TRUE;
}

gboolean
pmt_net_controlnet (const char *path, PmtContext *ctx, const PmtSafetensors *in, PmtNetOut *out, GError **error)
{
  PmtControlNetConfig config;
  if (!pmt_kind_require (path, PMT_KIND_CONTROLNET, NULL, NULL, NULL, error))
    return FALSE;
  PmtWeights *weights = pmt_controlnet_open (path, NULL, &config, error);
  PmtControlNet *net = weights ? pmt_controlnet_new (&config, weights, ctx->cancel, error) : NULL;
  const gboolean good = net && run_controlnet (net, ctx, in, out, error);
  pmt_controlnet_free (net);
  pmt_weights_free (weights);
  return good;
}

static gboolean
run_t2i_adapter (const PmtT2iAdapter *net, PmtContext *ctx, const PmtSafetensors *in, PmtNetOut *out, GError **error)
{
  const PmtT2iConfig *config = pmt_t2i_config (net);
  const PmtSafetensor *picture = pmt_net_find_any (in, (const char *const[]) { "x", NULL }, error);
  PmtTensor feature[PMT_T2I_MAX_BLOCKS];

  if (!picture || !pmt_net_check (in, picture, 4, (const int64_t[]) { -1, config->in_channels, -1, -1 }, error))
    return FALSE;
  pmt_t2i_forward (ctx, net, pmt_net_read (ctx, in, picture), feature);
  if (pmt_context_take_error (ctx, error))
    return FALSE;
  for (int k = 0; k < config->n_blocks; k++) {
    g_autofree char *name = g_strdup_printf ("features.%d", k);
    if (!pmt_net_add (out, name, feature[k], error))
      return FALSE;
  }
  return TRUE;
}

gboolean
pmt_net_t2i_adapter (const char *path, PmtContext *ctx, const PmtSafetensors *in, PmtNetOut *out, GError **error)
{
  PmtT2iConfig config;
  if (!pmt_kind_require (path, PMT_KIND_T2I_ADAPTER, NULL, NULL, NULL, error))
    return FALSE;
  PmtWeights *weights = pmt_t2i_open (path, &config, error);
  PmtT2iAdapter *net = weights ? pmt_t2i_new (&config, weights, ctx->cancel, error) : NULL;
  const gboolean good = net && run_t2i_adapter (net, ctx, in, out, error);
  pmt_t2i_free (net);
  pmt_weights_free (weights);
  return good;
}
