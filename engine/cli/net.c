/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One network on given tensors. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/cpu.h"
#include "engine/base/memory.h"
#include "engine/base/threads.h"
#include "engine/cli/cli.h"
#include "engine/cli/net-controls.h"
#include "engine/cli/net-io.h"
#include "engine/cli/net-vision.h"
#include "engine/image/picture.h"
#include "engine/kernels/kernels.h"
#include "engine/sample/model.h"

#define RESIDUAL "down_block_additional_residuals."
#define MID_RESIDUAL "mid_block_additional_residual"
#define MOST_SKIPS 64

typedef struct Net {
  PmtModel *model;
  PmtSafetensors *in;
  PmtContext ctx;
  PmtNetOut out;
} Net;

/* Residuals of a ControlNet, added where diffusers adds them. */
typedef struct Residuals {
  PmtTensor skip[MOST_SKIPS], mid;
} Residuals;

static bool
residual_wants (void *user, const PmtResidSite *site)
{
  const Residuals *residuals = user;

  return (site->kind == PMT_RESID_SKIP && site->index < MOST_SKIPS && residuals->skip[site->index].data) ||
         (site->kind == PMT_RESID_MID && residuals->mid.data);
}

static void
residual_add (void *user, PmtContext *ctx, const PmtResidSite *site, PmtTensor *x)
{
  const Residuals *residuals = user;
  const PmtTensor *residual = site->kind == PMT_RESID_MID ? &residuals->mid : &residuals->skip[site->index];
  char has[PMT_SHAPE_TEXT], wants[PMT_SHAPE_TEXT];
  PmtTensor sum;

  if (!pmt_shape_equal (&residual->shape, &x->shape)) {
    g_autofree char *name = site->kind == PMT_RESID_MID ? g_strdup (MID_RESIDUAL) : g_strdup_printf (RESIDUAL "%d", site->index);
    pmt_context_fail (ctx, PMT_ERROR_INPUT, "The tensor \"%s\" has the shape %s (NHWC) and the network has %s there.", name,
                      pmt_shape_text (&residual->shape, has, sizeof has), pmt_shape_text (&x->shape, wants, sizeof wants));
    return;
  }
  sum = pmt_tensor_new (ctx, x->shape);
  if (!sum.data)
    return;
  ctx->kernels->add (x->data, residual->data, sum.data, (size_t) pmt_tensor_size (sum));
  *x = sum;
}

static const char *const unet_inputs[] = { "sample", "timestep", "encoder_hidden_states", "timestep_cond", "text_embeds", "time_ids", NULL };

/* Reads all residuals; any other tensor that the network does not take is an error. */
static gboolean
read_residuals (Net *net, const PmtUnetConfig *config, Residuals *residuals, GError **error)
{
  int skips = config->n_levels * config->layers_per_block + config->n_levels;

  for (guint i = 0; i < pmt_safetensors_count (net->in); i++) {
    const PmtSafetensor *tensor = pmt_safetensors_at (net->in, i);
    const int64_t any[4] = { -1, -1, -1, -1 };
    const char *name = tensor->name;
    char *end = NULL;
    guint64 index;

    if (g_strv_contains (unet_inputs, name))
      continue;
    if (strcmp (name, MID_RESIDUAL) == 0) {
      if (!pmt_net_check (net->in, tensor, 4, any, error))
        return FALSE;
      residuals->mid = pmt_net_read (&net->ctx, net->in, tensor);
      continue;
    }
    index = g_str_has_prefix (name, RESIDUAL) ? g_ascii_strtoull (name + strlen (RESIDUAL), &end, 10) : 0;
    if (!end || end == name + strlen (RESIDUAL) || *end != '\0' || index >= (guint64) skips || index >= MOST_SKIPS) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                   "The network takes no tensor \"%s\"; it takes sample, timestep, encoder_hidden_states, timestep_cond, text_embeds, time_ids, "
                   RESIDUAL "0 to %d and " MID_RESIDUAL ".", name, skips - 1);
      return FALSE;
    }
    if (!pmt_net_check (net->in, tensor, 4, any, error))
      return FALSE;
    residuals->skip[index] = pmt_net_read (&net->ctx, net->in, tensor);
  }
  return TRUE;
}

/* A matrix with one line for each row; PMT_NO_TENSOR when it is not there. The network itself says what width it takes. */
static gboolean
read_added (Net *net, const char *name, int64_t rows, PmtTensor *added, GError **error)
{
  const PmtSafetensor *tensor = pmt_safetensors_lookup (net->in, name);
  const int64_t shape[2] = { rows, -1 };

  if (!tensor)
    return TRUE;
  if (!pmt_net_check (net->in, tensor, 2, shape, error))
    return FALSE;
  *added = pmt_net_read (&net->ctx, net->in, tensor);
  return !pmt_context_take_error (&net->ctx, error);
}

static gboolean
run_unet (Net *net, GError **error)
{
  const PmtSafetensor *sample = pmt_net_find (net->in, "sample", error);
  const PmtSafetensor *hidden = sample ? pmt_net_find (net->in, "encoder_hidden_states", error) : NULL;
  g_autofree Residuals *residuals = g_new0 (Residuals, 1);
  PmtTaps taps = { .user = residuals, .resid_wants = residual_wants, .resid = residual_add };
  const PmtUnetConfig *config;
  PmtUnetInput input = { 0 };
  PmtUnet *unet;
  PmtTensor output;
  float *timesteps;
  PmtUnetChoice choice = PMT_UNET_MAIN;

  if (!hidden)
    return FALSE;
  /* of several UNets, the first that takes so many channels */
  for (int k = PMT_N_UNETS - 1; sample->rank == 4 && k >= 0; k--)
    if (sample->dim[1] == pmt_model_unet_channels (net->model, (PmtUnetChoice) k))
      choice = (PmtUnetChoice) k;
  config = pmt_model_unet_config (net->model, choice);
  if (!pmt_net_check (net->in, sample, 4, (const int64_t[]) { -1, config->in_channels, -1, -1 }, error) ||
      !pmt_net_check (net->in, hidden, 3, (const int64_t[]) { sample->dim[0], -1, config->cross_attention_dim }, error) ||
      !read_residuals (net, config, residuals, error) || !read_added (net, "timestep_cond", sample->dim[0], &input.timestep_cond, error) ||
      !read_added (net, "text_embeds", sample->dim[0], &input.text_embeds, error) ||
      !read_added (net, "time_ids", sample->dim[0], &input.time_ids, error))
    return FALSE;
  timesteps = pmt_net_read_timesteps (net->in, sample->dim[0], error);
  unet = timesteps ? pmt_model_unet (net->model, choice, net->ctx.cancel, error) : NULL;
  if (!unet) {
    free (timesteps);
    return FALSE;
  }
  input.sample = pmt_net_read (&net->ctx, net->in, sample);
  input.timesteps = timesteps;
  input.context = pmt_net_read (&net->ctx, net->in, hidden);
  output = pmt_unet_forward (&net->ctx, unet, &input, &taps);
  free (timesteps);
  return !pmt_context_take_error (&net->ctx, error) && pmt_net_add (&net->out, "sample", output, error);
}

static gboolean
run_vae_encode (Net *net, GError **error)
{
  const PmtSafetensor *tensor = pmt_net_find_any (net->in, (const char *const[]) { "sample", "x", NULL }, error);
  int factor = pmt_vae_factor (pmt_model_vae_config (net->model));
  PmtTensor moments, halves[2];
  PmtVae *vae;
  int64_t pixels, channels;

  if (!tensor || !pmt_net_check (net->in, tensor, 4, (const int64_t[]) { -1, 3, -1, -1 }, error))
    return FALSE;
  if (tensor->dim[2] % factor || tensor->dim[3] % factor) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "The tensor \"%s\" has sides that are no multiples of %d; crop or enlarge it.",
                 tensor->name, factor);
    return FALSE;
  }
  vae = pmt_model_vae (net->model, net->ctx.cancel, error);
  if (!vae)
    return FALSE;
  moments = pmt_vae_encode (&net->ctx, vae, pmt_net_read (&net->ctx, net->in, tensor));
  channels = pmt_tensor_dim (moments, 3) / 2;
  for (int half = 0; half < 2; half++)
    halves[half] = pmt_tensor_new (&net->ctx, PMT_SHAPE4 (pmt_tensor_dim (moments, 0), pmt_tensor_dim (moments, 1),
                                                          pmt_tensor_dim (moments, 2), channels));
  if (pmt_context_take_error (&net->ctx, error))
    return FALSE;
  pixels = pmt_tensor_size (halves[0]) / channels;
  for (int64_t i = 0; i < pixels; i++)
    for (int half = 0; half < 2; half++)
      memcpy (halves[half].data + i * channels, moments.data + (2 * i + half) * channels, (size_t) channels * sizeof (float));
  return pmt_net_add (&net->out, "latent_dist.mean", halves[0], error) &&
         pmt_net_add (&net->out, "latent_dist.logvar", halves[1], error);
}

static gboolean
run_vae_decode (Net *net, GError **error)
{
  const PmtSafetensor *tensor = pmt_net_find_any (net->in, (const char *const[]) { "z", "sample", NULL }, error);
  const PmtVaeConfig *config = pmt_model_vae_config (net->model);
  PmtTensor latents, picture;
  PmtVae *vae;

  if (!tensor || !pmt_net_check (net->in, tensor, 4, (const int64_t[]) { -1, config->latent_channels, -1, -1 }, error))
    return FALSE;
  vae = pmt_model_vae (net->model, net->ctx.cancel, error);
  if (!vae)
    return FALSE;
  latents = pmt_net_read (&net->ctx, net->in, tensor);
  /* pmt_vae_decode takes latents as the UNet has them, diffusers' decode() as the autoencoder has them */
  pmt_vae_scale_latents (config, latents.data, pmt_tensor_size (latents) / config->latent_channels);
  picture = pmt_vae_decode (&net->ctx, vae, latents);
  return !pmt_context_take_error (&net->ctx, error) && pmt_net_add (&net->out, "sample", picture, error);
}

static gboolean
add_penultimate (Net *net, PmtClipText *text, const int32_t *ids, const PmtSafetensor *shape, GError **error)
{
  const int layers = pmt_clip_text_config (text)->layers;
  g_autofree char *name = g_strdup_printf ("hidden_states.%d", layers - 1);
  PmtClipTextOutput output;

  if (pmt_model_text_use (net->model).skip == 0)
    return TRUE;
  output = pmt_clip_text_forward (&net->ctx, text, ids, shape->dim[0], shape->dim[1], 1, false);
  return !pmt_context_take_error (&net->ctx, error) && pmt_net_add (&net->out, name, output.hidden, error);
}

/* Text encoder `k` of the model. With SDXL also hidden_states.N, the layer before the last as transformers numbers it. */
static gboolean
run_text_at (Net *net, int k, GError **error)
{
  const PmtSafetensor *tensor = pmt_net_find_any (net->in, (const char *const[]) { "input_ids", NULL }, error);
  const PmtClipTextConfig *config = pmt_model_text_config_at (net->model, k);
  g_autofree int32_t *ids = NULL;
  PmtClipTextOutput output;
  PmtClipText *text;
  PmtTensor values;

  if (!tensor || !pmt_net_check (net->in, tensor, 2, (const int64_t[]) { -1, -1 }, error))
    return FALSE;
  if (tensor->dim[1] > config->max_positions) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "The tensor \"%s\" has %" G_GINT64_FORMAT " tokens a row; the text encoder takes %d.",
                 tensor->name, (gint64) tensor->dim[1], config->max_positions);
    return FALSE;
  }
  values = pmt_net_read (&net->ctx, net->in, tensor);
  if (pmt_context_take_error (&net->ctx, error))
    return FALSE;
  ids = g_new (int32_t, tensor->count);
  for (uint64_t i = 0; i < tensor->count; i++) {
    if (!(values.data[i] >= 0 && values.data[i] < (float) config->vocab_size) || values.data[i] != floorf (values.data[i])) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "The tensor \"%s\" holds %g, which is no token id; they go from 0 to %d.",
                   tensor->name, values.data[i], config->vocab_size - 1);
      return FALSE;
    }
    ids[i] = (int32_t) values.data[i];
  }
  text = pmt_model_text_at (net->model, k, net->ctx.cancel, error);
  if (!text)
    return FALSE;
  output = pmt_clip_text_forward (&net->ctx, text, ids, tensor->dim[0], tensor->dim[1], 0, true);
  return !pmt_context_take_error (&net->ctx, error) && pmt_net_add (&net->out, "last_hidden_state", output.hidden, error) &&
         pmt_net_add (&net->out, config->projection ? "text_embeds" : "pooler_output", output.pooled, error) &&
         add_penultimate (net, text, ids, tensor, error);
}

static gboolean
run_text (Net *net, GError **error)
{
  return run_text_at (net, 0, error);
}

static gboolean
run_text_2 (Net *net, GError **error)
{
  const int last = pmt_model_n_texts (net->model) - 1;

  if (pmt_model_text_component (net->model, last) == PMT_COMPONENT_TEXT_2)
    return run_text_at (net, last, error);
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "The model '%s' has one text encoder and no second one; take the network text.",
               pmt_model_path (net->model));
  return FALSE;
}

static const struct {
  const char *name;
  gboolean (*run) (Net *net, GError **error);
  /* the network is a file or folder of its own, not part of a model */
  gboolean (*run_file) (const char *path, PmtContext *ctx, const PmtSafetensors *in, PmtNetOut *out, GError **error);
} nets[] = {
  { "unet", run_unet },
  { "vae-encode", run_vae_encode },
  { "vae-decode", run_vae_decode },
  { "text", run_text },
  { "text2", run_text_2 },
  { "controlnet", NULL, pmt_net_controlnet },
  { "t2i-adapter", NULL, pmt_net_t2i_adapter },
  { "image-encoder", NULL, pmt_net_image_encoder },
};

static gboolean
run_net (const char *name, const char *model, const char *in, const char *out, GError **error)
{
  Net net = { .ctx = { .cancel = pmt_cli_cancel () } };
  gboolean good = FALSE;
  PmtCpuLevel level;
  gsize i = 0;

  while (i < G_N_ELEMENTS (nets) && strcmp (nets[i].name, name) != 0)
    i++;
  if (i == G_N_ELEMENTS (nets)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "There is no network '%s'; there are unet, vae-encode, vae-decode, text, text2, controlnet, "
                 "t2i-adapter and image-encoder.", name);
    return FALSE;
  }
  if (nets[i].run_file && !model) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "The network '%s' needs --model, its file or folder.", name);
    return FALSE;
  }
  if (!pmt_cpu_select (&level, error))
    return FALSE;
  net.ctx.kernels = pmt_kernels_get (level);
  net.ctx.step = pmt_arena_new ("the network's activations", pmt_memory_available (), error);
  net.in = net.ctx.step ? pmt_safetensors_open (in, error) : NULL;
  net.model = net.in && nets[i].run ? pmt_model_open (model, error) : NULL;
  if (net.model)
    good = nets[i].run (&net, error);
  else if (net.in && nets[i].run_file)
    good = nets[i].run_file (model, &net.ctx, net.in, &net.out, error);
  good = good && pmt_net_write (&net.out, out, error);
  g_clear_error (&net.ctx.error);
  pmt_net_clear (&net.out);
  pmt_model_unref (net.model);
  pmt_safetensors_free (net.in);
  pmt_arena_free (net.ctx.step);
  return good;
}

static gboolean
run (int argc, char **argv, GError **error)
{
  g_autofree char *name = NULL, *model = NULL, *in = NULL, *out = NULL;
  int threads = 0;
  const GOptionEntry entries[] = {
    { "model", 0, 0, G_OPTION_ARG_FILENAME, &model, "Diffusers folder or single-file checkpoint (default: the bundled model)", "PATH" },
    { "in", 0, 0, G_OPTION_ARG_FILENAME, &in, "Tensors to run on", "IN.safetensors" },
    { "out", 0, 0, G_OPTION_ARG_FILENAME, &out, "Tensors to write", "OUT.safetensors" },
    { "threads", 0, 0, G_OPTION_ARG_INT, &threads, "Processor cores to use (default: all)", "N" },
    G_OPTION_ENTRY_NULL,
  };

  if (!pmt_cli_parse (&pmt_command_net, "NAME",
                      "Tensors are NCHW and named as in diffusers:\n"
                      "  unet        sample, timestep, encoder_hidden_states [, text_embeds and time_ids (SDXL), timestep_cond (LCM),\n"
                      "              down_block_additional_residuals.N, mid_block_additional_residual] -> sample\n"
                      "  vae-encode  sample (picture, -1..1) -> latent_dist.mean, latent_dist.logvar\n"
                      "  vae-decode  z (not scaled) -> sample\n"
                      "  text        input_ids -> last_hidden_state, pooler_output (text_embeds with a projection)\n"
                      "  text2       the same with SDXL's second text encoder\n"
                      "  controlnet  sample, timestep, encoder_hidden_states, controlnet_cond (picture, 0..1) [, text_embeds,\n"
                      "              time_ids, conditioning_scale, guess_mode] -> down_block_res_samples.N, mid_block_res_sample\n"
                      "  t2i-adapter x (picture, 0..1) -> features.N\n"
                      "  image-encoder  pixel_values (resized, normalised) -> last_hidden_state, hidden_states.N (the one before it),\n"
                      "              image_embeds (with a projection)\n"
                      "The last three take their own file or folder as --model.",
                      entries, argc, argv, &name, 1, error))
    return FALSE;
  if (!in || !out) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, "The command needs --in and --out, two safetensors files.");
    return FALSE;
  }
  if (threads < 0 || threads > 1024) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, "--threads takes a whole number from 0 (all cores) to 1024.");
    return FALSE;
  }
  pmt_threads_set (threads);
  return run_net (name, model, in, out, error);
}

const PmtCommand pmt_command_net = { "net", "Run one network on given tensors.", run };
