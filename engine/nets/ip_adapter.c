/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/nets/ip_adapter.h"

#include <string.h>

#include "engine/nets/layers.h"
#include "engine/nets/unet_sites.h"
#include "engine/weights/kinds.h"
#include "engine/weights/pickle.h"

#define NORM_EPS 1e-5f
#define BASE_TOKENS 4 /* of the base form; the file's shapes give only their product with the width */
#define HEAD_WIDTH 64 /* of the resampler, by convention */
#define MOST_SITES 1024
#define MOST_DEPTH 64

typedef struct ResamplerLayer {
  PmtNorm norm_states, norm_latents, ff_norm;
  PmtDense q, out, ff_in, ff_out;
  PmtWeightRef kv; /* read in halves, so it is not packed for products */
} ResamplerLayer;

typedef struct Site {
  int width;
  PmtDense k, v;
} Site;

struct PmtIpAdapter {
  PmtIpAdapterConfig config;
  char *path;
  PmtWeights *weights; /* gone once they are loaded */
  PmtWeightPool *pool;
  PmtDense first, last; /* base: first; plus: proj_in, proj_out; full: the perceptron */
  PmtNorm norm;
  PmtWeightRef latents;
  ResamplerLayer *layers;
  Site *sites;
};

/* ---- what the file is ------------------------------------------------------------------------------------------------- */

static gboolean
find (PmtWeights *weights, const char *name, int rank, PmtWeightInfo *info)
{
  if (!pmt_weights_lookup (weights, name, info) || info->rank != rank)
    return FALSE;
  for (int i = 0; i < rank; i++)
    if (info->dim[i] < 1 || info->dim[i] > 1 << 20)
      return FALSE;
  return TRUE;
}

static gboolean
incomplete (const char *path, const char *what, GError **error)
{
  g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT, _("The IP-Adapter '%s' lacks %s or has it in an unusable shape; download it again."), path,
               what);
  return FALSE;
}

static gboolean
refuse_face (const char *path, const char *name, GError **error)
{
  g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
               _("'%s' is an %s, which needs a face recognition network besides; use an IP-Adapter of the kinds base, plus, plus-face or "
                 "full-face."),
               path, name);
  return FALSE;
}

static gboolean
detect_plus (PmtIpAdapterConfig *c, PmtWeights *w, const char *path, GError **error)
{
  PmtWeightInfo latents, in, out, q, ff;
  if (!find (w, "image_proj.latents", 3, &latents) || latents.dim[0] != 1 || !find (w, "image_proj.proj_in.weight", 2, &in)
      || !find (w, "image_proj.proj_out.weight", 2, &out) || !find (w, "image_proj.layers.0.0.to_q.weight", 2, &q)
      || !find (w, "image_proj.layers.0.1.1.weight", 2, &ff))
    return incomplete (path, "a part of its resampler", error);
  if (q.dim[0] % HEAD_WIDTH)
    return incomplete (path, "heads 64 wide", error);
  *c = (PmtIpAdapterConfig) { .kind = PMT_IP_PLUS, .image_width = (int) in.dim[1], .context_width = (int) out.dim[0],
                              .tokens = (int) latents.dim[1], .hidden = (int) latents.dim[2], .inner = (int) q.dim[0],
                              .heads = (int) q.dim[0] / HEAD_WIDTH, .ff = (int) ff.dim[0] };
  for (; c->depth < MOST_DEPTH; c->depth++) {
    g_autofree char *name = g_strdup_printf ("image_proj.layers.%d.0.to_q.weight", c->depth);
    if (!pmt_weights_has (w, name))
      break;
  }
  return TRUE;
}

static gboolean
detect (PmtIpAdapterConfig *c, PmtWeights *w, const char *path, GError **error)
{
  PmtWeightInfo info, inner;
  if (pmt_weights_has (w, "image_proj.perceiver_resampler.proj_in.weight"))
    return refuse_face (path, "IP-Adapter FaceID Plus", error);
  if (pmt_weights_has (w, "ip_adapter.0.to_q_lora.down.weight")
      || (pmt_weights_has (w, "image_proj.proj.0.weight") && pmt_weights_has (w, "image_proj.norm.weight")))
    return refuse_face (path, "IP-Adapter FaceID", error);
  if (find (w, "image_proj.proj.weight", 2, &info)) {
    if (info.dim[0] % BASE_TOKENS)
      return incomplete (path, "four tokens", error);
    *c = (PmtIpAdapterConfig) { .kind = PMT_IP_BASE, .image_width = (int) info.dim[1], .context_width = (int) info.dim[0] / BASE_TOKENS,
                                .tokens = BASE_TOKENS };
    return TRUE;
  }
  if (find (w, "image_proj.proj.3.weight", 1, &info)) {
    if (!find (w, "image_proj.proj.0.weight", 2, &inner) || inner.dim[0] != inner.dim[1])
      return incomplete (path, "a part of its projection", error);
    *c = (PmtIpAdapterConfig) { .kind = PMT_IP_FULL, .image_width = (int) inner.dim[1], .context_width = (int) info.dim[0] };
    return TRUE;
  }
  if (pmt_weights_has (w, "image_proj.latents"))
    return detect_plus (c, w, path, error);
  g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
               _("'%s' is an IP-Adapter of a form that this version does not know; use one for Stable Diffusion 1.x or XL of the kinds "
                 "base, plus or full-face."),
               path);
  return FALSE;
}

/* ---- structure -------------------------------------------------------------------------------------------------------- */

static ResamplerLayer
declare_layer (PmtWeightPool *pool, const PmtIpAdapterConfig *c, int index)
{
  ResamplerLayer layer;
  g_autofree char *prefix = g_strdup_printf ("image_proj.layers.%d", index);
  layer.norm_states = pmt_norm_declare (pool, prefix, "0.norm1", c->hidden);
  layer.norm_latents = pmt_norm_declare (pool, prefix, "0.norm2", c->hidden);
  layer.q = pmt_dense_declare (pool, prefix, "0.to_q", c->hidden, c->inner, false);
  layer.kv = pmt_weight_pool_declare (pool, prefix, "0.to_kv.weight", PMT_LAYOUT_PLAIN, PMT_SHAPE2 (2 * c->inner, c->hidden));
  layer.out = pmt_dense_declare (pool, prefix, "0.to_out", c->inner, c->hidden, false);
  layer.ff_norm = pmt_norm_declare (pool, prefix, "1.0", c->hidden);
  layer.ff_in = pmt_dense_declare (pool, prefix, "1.1", c->hidden, c->ff, false);
  layer.ff_out = pmt_dense_declare (pool, prefix, "1.3", c->ff, c->hidden, false);
  return layer;
}

static void
declare_projection (PmtIpAdapter *a)
{
  const PmtIpAdapterConfig *c = &a->config;
  switch (c->kind) {
    case PMT_IP_BASE:
      a->first = pmt_dense_declare (a->pool, "image_proj", "proj", c->image_width, c->tokens * c->context_width, true);
      a->norm = pmt_norm_declare (a->pool, "image_proj", "norm", c->context_width);
      break;
    case PMT_IP_FULL:
      a->first = pmt_dense_declare (a->pool, "image_proj", "proj.0", c->image_width, c->image_width, true);
      a->last = pmt_dense_declare (a->pool, "image_proj", "proj.2", c->image_width, c->context_width, true);
      a->norm = pmt_norm_declare (a->pool, "image_proj", "proj.3", c->context_width);
      break;
    case PMT_IP_PLUS:
      a->latents = pmt_weight_pool_declare (a->pool, "image_proj", "latents", PMT_LAYOUT_PLAIN, PMT_SHAPE3 (1, c->tokens, c->hidden));
      a->first = pmt_dense_declare (a->pool, "image_proj", "proj_in", c->image_width, c->hidden, true);
      a->last = pmt_dense_declare (a->pool, "image_proj", "proj_out", c->hidden, c->context_width, true);
      a->norm = pmt_norm_declare (a->pool, "image_proj", "norm_out", c->context_width);
      a->layers = g_new0 (ResamplerLayer, MAX (c->depth, 1));
      for (int i = 0; i < c->depth; i++)
        a->layers[i] = declare_layer (a->pool, c, i);
      break;
  }
}

/* Odd numbers are cross-attentions; even ones, the self-attentions between them, have no weights. */
static gboolean
declare_sites (PmtIpAdapter *a, GError **error)
{
  PmtIpAdapterConfig *c = &a->config;
  a->sites = g_new0 (Site, MOST_SITES);
  for (; c->sites < MOST_SITES; c->sites++) {
    g_autofree char *prefix = g_strdup_printf ("ip_adapter.%d", 2 * c->sites + 1);
    g_autofree char *name = g_strconcat (prefix, ".to_k_ip.weight", NULL);
    PmtWeightInfo info;
    if (!pmt_weights_has (a->weights, name))
      break;
    if (!find (a->weights, name, 2, &info))
      return incomplete (a->path, name, error);
    Site *site = &a->sites[c->sites];
    site->width = (int) info.dim[0];
    site->k = pmt_dense_declare (a->pool, prefix, "to_k_ip", c->context_width, site->width, false);
    site->v = pmt_dense_declare (a->pool, prefix, "to_v_ip", c->context_width, site->width, false);
  }
  return c->sites > 0 || incomplete (a->path, "its attention weights (ip_adapter.1.to_k_ip.weight)", error);
}

static PmtWeights *
open_weights (const char *path, GError **error)
{
  if (pmt_content_of (path) == PMT_CONTENT_PICKLE) {
    pmt_pickle_refuse (path, error);
    return NULL;
  }
  if (g_file_test (path, G_FILE_TEST_IS_DIR)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED, _("'%s' is a folder; give the IP-Adapter's .safetensors file."), path);
    return NULL;
  }
  PmtSafetensors *file = pmt_safetensors_open (path, error);
  if (!file)
    return NULL;
  const PmtKind kind = pmt_kind_detect (file);
  pmt_safetensors_free (file);
  if (kind == PMT_KIND_IP_ADAPTER)
    return pmt_weights_new_file (path, PMT_NAMES_PLAIN, error);
  g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED, _("'%s' is %s, not an IP-Adapter; give an IP-Adapter for the reference picture."),
               path, pmt_kind_label (kind));
  return NULL;
}

PmtIpAdapter *
pmt_ip_adapter_open (const char *path, GError **error)
{
  PmtWeights *weights = open_weights (path, error);
  if (!weights)
    return NULL;
  PmtIpAdapter *a = g_new0 (PmtIpAdapter, 1);
  a->path = g_strdup (path);
  a->weights = weights;
  a->pool = pmt_weight_pool_new ("IP-Adapter", PMT_PRECISION_F32);
  if (detect (&a->config, weights, path, error)) {
    declare_projection (a);
    if (declare_sites (a, error))
      return a;
  }
  pmt_ip_adapter_free (a);
  return NULL;
}

gboolean
pmt_ip_adapter_load (PmtIpAdapter *adapter, const PmtCancel *cancel, GError **error)
{
  if (!pmt_weight_pool_load (adapter->pool, adapter->weights, cancel, error))
    return FALSE;
  g_clear_pointer (&adapter->weights, pmt_weights_free);
  return TRUE;
}

void
pmt_ip_adapter_free (PmtIpAdapter *adapter)
{
  if (!adapter)
    return;
  g_free (adapter->layers);
  g_free (adapter->sites);
  pmt_weight_pool_free (adapter->pool);
  pmt_weights_free (adapter->weights);
  g_free (adapter->path);
  g_free (adapter);
}

const PmtIpAdapterConfig *
pmt_ip_adapter_config (const PmtIpAdapter *adapter)
{
  return &adapter->config;
}

size_t
pmt_ip_adapter_weight_bytes (const PmtIpAdapter *adapter)
{
  return pmt_weight_pool_bytes (adapter->pool);
}

PmtWeightPool *
pmt_ip_adapter_weights (const PmtIpAdapter *adapter)
{
  return adapter->pool;
}

/* ---- what it fits ----------------------------------------------------------------------------------------------------- */

static const char *
base_name (int context_width)
{
  switch (context_width) {
    case 768:
      return "Stable Diffusion 1.x";
    case 1024:
      return "Stable Diffusion 2.x";
    case 2048:
      return "Stable Diffusion XL";
    default:
      return "another network";
  }
}

gboolean
pmt_ip_adapter_check_unet (const PmtIpAdapter *adapter, const PmtUnetConfig *unet, const char *model, GError **error)
{
  const PmtIpAdapterConfig *c = &adapter->config;
  int n;
  if (c->context_width != unet->cross_attention_dim) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                 _("The IP-Adapter '%s' is for %s (text of width %d) and the model '%s' has text of width %d; use an IP-Adapter that was "
                   "made for this model's family."),
                 adapter->path, base_name (c->context_width), c->context_width, model, unet->cross_attention_dim);
    return FALSE;
  }
  g_autofree PmtUnetSite *sites = pmt_unet_sites (unet, &n);
  gboolean fits = n == c->sites;
  for (int i = 0; i < n && fits; i++)
    fits = adapter->sites[pmt_unet_site_processor (sites, n, i)].width == sites[i].width;
  if (!fits)
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                 _("The IP-Adapter '%s' has weights for %d attentions that are not those of the model '%s', which has %d; use an IP-Adapter "
                   "that was made for this model's family."),
                 adapter->path, c->sites, model, n);
  return fits;
}

bool
pmt_ip_adapter_takes (const PmtIpAdapter *adapter, const PmtClipVisionConfig *vision)
{
  const PmtIpAdapterConfig *c = &adapter->config;
  return c->image_width == (c->kind == PMT_IP_BASE ? vision->projection : vision->hidden);
}

char *
pmt_ip_adapter_encoder_text (const PmtIpAdapter *adapter)
{
  const PmtIpAdapterConfig *c = &adapter->config;
  const bool base = c->kind == PMT_IP_BASE;
  const char *name = NULL;
  if (c->image_width == (base ? 1024 : 1280))
    name = " (ViT-H/14)";
  else if (c->image_width == (base ? 1280 : 1664))
    name = " (ViT-bigG/14)";
  else if (c->image_width == (base ? 768 : 1024))
    name = " (ViT-L/14)";
  return g_strdup_printf (base ? "with a projection to %d%s" : "of width %d%s", c->image_width, name ? name : "");
}

/* ---- one pass --------------------------------------------------------------------------------------------------------- */

static PmtTensor
run_layer (PmtContext *ctx, const PmtIpAdapter *a, const ResamplerLayer *layer, PmtTensor states, PmtTensor x, PmtFrame frame)
{
  const PmtAttentionParams params = { .heads = a->config.heads, .precision = pmt_weight_pool_precision (a->pool) };
  const int inner = a->config.inner;
  PmtTensor s = pmt_norm_run_layer (ctx, a->pool, &layer->norm_states, states, NORM_EPS);
  PmtTensor l = pmt_norm_run_layer (ctx, a->pool, &layer->norm_latents, x, NORM_EPS);
  PmtTensor q = pmt_dense_run (ctx, a->pool, &layer->q, l), both = pmt_tokens_join (ctx, s, l);
  PmtTensor kv = pmt_weight (ctx, a->pool, layer->kv);
  if (pmt_context_failed (ctx))
    return PMT_NO_TENSOR;
  PmtTensor k = pmt_linear (ctx, both, pmt_tensor_rows (kv, 0, inner), PMT_NO_TENSOR);
  PmtTensor v = pmt_linear (ctx, both, pmt_tensor_rows (kv, inner, inner), PMT_NO_TENSOR);
  PmtTensor out = pmt_dense_run (ctx, a->pool, &layer->out, pmt_attention (ctx, q, k, v, params));
  x = pmt_frame_close (ctx, frame, pmt_add (ctx, out, x));
  PmtTensor h = pmt_norm_run_layer (ctx, a->pool, &layer->ff_norm, x, NORM_EPS);
  h = pmt_dense_run (ctx, a->pool, &layer->ff_out, pmt_gelu (ctx, pmt_dense_run (ctx, a->pool, &layer->ff_in, h)));
  return pmt_frame_close (ctx, frame, pmt_add (ctx, h, x));
}

static PmtTensor
resample (PmtContext *ctx, const PmtIpAdapter *a, PmtTensor features)
{
  const PmtIpAdapterConfig *c = &a->config;
  const int64_t rows = features.shape.dim[0];
  PmtFrame frame = pmt_frame_open (ctx);
  PmtTensor states = pmt_dense_run (ctx, a->pool, &a->first, features), table = pmt_weight (ctx, a->pool, a->latents);
  g_autofree int32_t *queries = g_new (int32_t, rows * c->tokens);
  for (int64_t i = 0; i < rows * c->tokens; i++)
    queries[i] = (int32_t) (i % c->tokens);
  if (pmt_context_failed (ctx))
    return PMT_NO_TENSOR;
  PmtFrame inner = pmt_frame_open (ctx);
  PmtTensor x = pmt_embedding (ctx, pmt_tensor_view (table, PMT_SHAPE2 (c->tokens, c->hidden)), queries, rows, c->tokens);
  for (int i = 0; i < c->depth; i++)
    x = run_layer (ctx, a, &a->layers[i], states, x, inner);
  x = pmt_dense_run (ctx, a->pool, &a->last, x);
  return pmt_frame_close (ctx, frame, pmt_norm_run_layer (ctx, a->pool, &a->norm, x, NORM_EPS));
}

PmtTensor
pmt_ip_adapter_project (PmtContext *ctx, PmtIpAdapter *a, PmtTensor features)
{
  const PmtIpAdapterConfig *c = &a->config;
  const PmtShape *s = &features.shape;
  char have[PMT_SHAPE_TEXT];
  if (pmt_context_failed (ctx))
    return PMT_NO_TENSOR;
  if (!features.data || s->rank != (c->kind == PMT_IP_BASE ? 2 : 3) || s->dim[s->rank - 1] != c->image_width) {
    pmt_context_fail (ctx, PMT_ERROR_INPUT, "The IP-Adapter takes features of width %d and was given %s; use the encoder it was made for.",
                      c->image_width, pmt_shape_text (s, have, sizeof have));
    return PMT_NO_TENSOR;
  }
  if (c->kind == PMT_IP_PLUS)
    return resample (ctx, a, features);
  PmtFrame frame = pmt_frame_open (ctx);
  PmtTensor x = pmt_dense_run (ctx, a->pool, &a->first, features);
  if (c->kind == PMT_IP_FULL)
    x = pmt_dense_run (ctx, a->pool, &a->last, pmt_gelu (ctx, x));
  else if (x.data)
    x = pmt_tensor_view (x, PMT_SHAPE3 (s->dim[0], c->tokens, c->context_width));
  return pmt_frame_close (ctx, frame, pmt_norm_run_layer (ctx, a->pool, &a->norm, x, NORM_EPS));
}

PmtTensor
pmt_ip_adapter_tokens (PmtContext *ctx, PmtIpAdapter *adapter, PmtClipVision *vision, PmtTensor pixels, bool none)
{
  const bool base = adapter->config.kind == PMT_IP_BASE;
  if (pmt_context_failed (ctx))
    return PMT_NO_TENSOR;
  PmtFrame frame = pmt_frame_open (ctx);
  PmtTensor features;
  if (none && base) {
    features = pmt_tensor_zeros (ctx, PMT_SHAPE2 (pixels.shape.dim[0], adapter->config.image_width));
  } else {
    if (none)
      pixels = pmt_tensor_zeros (ctx, pixels.shape);
    PmtClipVisionOutput out = pmt_clip_vision_forward (ctx, vision, pixels, base ? 0 : 1, base);
    features = base ? out.embeds : out.hidden;
  }
  return pmt_frame_close (ctx, frame, pmt_ip_adapter_project (ctx, adapter, features));
}

void
pmt_ip_adapter_keys (PmtContext *ctx, PmtIpAdapter *adapter, int site, PmtTensor tokens, PmtTensor *k, PmtTensor *v)
{
  g_assert (site >= 0 && site < adapter->config.sites);
  *k = pmt_dense_run (ctx, adapter->pool, &adapter->sites[site].k, tokens);
  *v = pmt_dense_run (ctx, adapter->pool, &adapter->sites[site].v, tokens);
}
