/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/nets/taesd.h"

#include "engine/nets/layers.h"
#include "engine/weights/kinds.h"
#include "engine/weights/source_files.h"
#include "engine/weights/tensor_file.h"

enum { MOST_LAYERS = 64, MOST_WIDTH = 1024 };

/* Both halves are plain lists of layers. What has no weights is told by its gap in the numbers: the first one of the decoder is the
 * activation of its first convolution, the others enlarge. */
typedef enum { CONV, BLOCK, ACTIVATION, ENLARGE } LayerKind;

typedef struct Layer {
  LayerKind kind;
  PmtConv conv[3]; /* CONV: the first */
  int in, out;
} Layer;

typedef struct Half {
  Layer *layers;
  int n;
  int factor; /* pixels per latent pixel */
} Half;

struct PmtTaesd {
  PmtWeights *weights; /* gone once they are loaded */
  PmtWeightPool *pool;
  Half decoder, encoder; /* n 0 = not there */
  int latent_channels;
};

/* ---- structure, from names and shapes ------------------------------------------------------------------------------------ */

static gboolean
incomplete (const PmtTaesd *taesd, const char *what, GError **error)
{
  g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT, _("The tiny autoencoder '%s' lacks %s or has it in an unusable shape; fetch it again."),
               pmt_weights_label (taesd->weights), what);
  return FALSE;
}

/* A 3x3 kernel of widths that make sense. */
static gboolean
find_conv (PmtTaesd *taesd, const char *name, int *in, int *out)
{
  PmtWeightInfo info;
  g_autofree char *weight = g_strconcat (name, ".weight", NULL);
  if (!pmt_weights_lookup (taesd->weights, weight, &info) || info.rank != 4 || info.dim[2] != 3 || info.dim[3] != 3 || info.dim[0] < 1 ||
      info.dim[0] > MOST_WIDTH || info.dim[1] < 1 || info.dim[1] > MOST_WIDTH)
    return FALSE;
  *in = (int) info.dim[1];
  *out = (int) info.dim[0];
  return TRUE;
}

static PmtConv
declare_conv (PmtTaesd *taesd, const char *name, int in, int out, bool bias, int stride)
{
  PmtConv conv = { .params = PMT_CONV_3X3 };
  conv.params.stride = stride;
  conv.w = pmt_weight_pool_declare_conv (taesd->pool, name, "weight", PMT_SHAPE4 (out, in, 3, 3), conv.params);
  if (bias)
    conv.b = pmt_weight_pool_declare (taesd->pool, name, "bias", PMT_LAYOUT_PLAIN, PMT_SHAPE1 (out));
  return conv;
}

static gboolean
declare_block (PmtTaesd *taesd, const char *name, Layer *layer)
{
  layer->kind = BLOCK;
  for (int k = 0; k < 3; k++) {
    int in, out;
    g_autofree char *conv = g_strdup_printf ("%s.conv.%d", name, 2 * k);
    if (!find_conv (taesd, conv, &in, &out) || in != out)
      return FALSE;
    layer->in = layer->out = in;
    layer->conv[k] = declare_conv (taesd, conv, in, out, true, 1);
  }
  return layer->conv[0].w != PMT_NO_WEIGHT;
}

/* Layer `name`; one without weights if there is none of that name. */
static gboolean
declare_layer (PmtTaesd *taesd, const char *name, bool is_encoder, Half *half, GError **error)
{
  Layer *layer = &half->layers[half->n];
  g_autofree char *weight = g_strconcat (name, ".weight", NULL), *bias = g_strconcat (name, ".bias", NULL);
  g_autofree char *inner = g_strconcat (name, ".conv.0.weight", NULL);
  if (pmt_weights_has (taesd->weights, inner)) {
    if (!declare_block (taesd, name, layer))
      return incomplete (taesd, inner, error);
  } else if (pmt_weights_has (taesd->weights, weight)) {
    if (!find_conv (taesd, name, &layer->in, &layer->out))
      return incomplete (taesd, weight, error);
    const bool has_bias = pmt_weights_has (taesd->weights, bias), halves = is_encoder && !has_bias;
    layer->conv[0] = declare_conv (taesd, name, layer->in, layer->out, has_bias, halves ? 2 : 1);
    half->factor *= halves ? 2 : 1;
  } else {
    if (half->n == 0 || is_encoder)
      return incomplete (taesd, weight, error);
    layer->kind = half->n == 1 ? ACTIVATION : ENLARGE;
    layer->in = layer->out = half->layers[half->n - 1].out;
    half->factor *= layer->kind == ENLARGE ? 2 : 1;
  }
  if (half->n > 0 && layer->in != half->layers[half->n - 1].out)
    return incomplete (taesd, name, error);
  half->n++;
  return TRUE;
}

static bool
has_layer (PmtTaesd *taesd, const char *prefix, int number)
{
  g_autofree char *weight = g_strdup_printf ("%s%d.weight", prefix, number);
  g_autofree char *inner = g_strdup_printf ("%s%d.conv.0.weight", prefix, number);
  return pmt_weights_has (taesd->weights, weight) || pmt_weights_has (taesd->weights, inner);
}

/* Layers `prefix` first, first + 1, … up to the last that has weights. */
static gboolean
declare_half (PmtTaesd *taesd, const char *prefix, int first, bool is_encoder, Half *half, GError **error)
{
  int last = first;
  for (int k = first; k < MOST_LAYERS; k++)
    last = has_layer (taesd, prefix, k) ? k : last;
  half->layers = g_new0 (Layer, last - first + 1);
  half->factor = 1;
  for (int k = first; k <= last; k++) {
    g_autofree char *name = g_strdup_printf ("%s%d", prefix, k);
    if (!declare_layer (taesd, name, is_encoder, half, error))
      return FALSE;
  }
  const Layer *begin = &half->layers[0], *end = &half->layers[half->n - 1];
  const int latent = is_encoder ? end->out : begin->in, colours = is_encoder ? begin->in : end->out;
  if (begin->kind != CONV || end->kind != CONV || end->conv[0].b == PMT_NO_WEIGHT || colours != 3)
    return incomplete (taesd, is_encoder ? "a part of its encoder" : "a part of its decoder", error);
  if (latent == taesd->latent_channels)
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
               _("The tiny autoencoder '%s' is for latents of %d channels and the model has %d; use the one that belongs to the model."),
               pmt_weights_label (taesd->weights), latent, taesd->latent_channels);
  return FALSE;
}

/* The author's files hold one half each and number its layers alone; the decoder's number 0 is the clamp, which diffusers leaves out. */
static gboolean
declare (PmtTaesd *taesd, GError **error)
{
  static const struct {
    const char *prefix;
    int first;
    bool is_encoder;
  } forms[] = {
    { "decoder.layers.", 0, false }, { "decoder.", 1, false }, { "encoder.layers.", 0, true }, { "encoder.", 0, true }
  };
  for (guint i = 0; i < G_N_ELEMENTS (forms); i++) {
    Half *half = forms[i].is_encoder ? &taesd->encoder : &taesd->decoder;
    if (half->n == 0 && has_layer (taesd, forms[i].prefix, forms[i].first) &&
        !declare_half (taesd, forms[i].prefix, forms[i].first, forms[i].is_encoder, half, error))
      return FALSE;
  }
  if (taesd->decoder.n > 0 || taesd->encoder.n > 0)
    return TRUE;
  const bool is_encoder = has_layer (taesd, "", 0);
  return declare_half (taesd, "", is_encoder ? 0 : 1, is_encoder, is_encoder ? &taesd->encoder : &taesd->decoder, error);
}

static PmtWeights *
open_weights (const char *path, GError **error)
{
  if (g_file_test (path, G_FILE_TEST_IS_DIR))
    return pmt_weights_new_folder (path, "diffusion_pytorch_model", NULL, PMT_NAMES_PLAIN, error);
  PmtSafetensors *file = pmt_tensor_file_open (path, error);
  const PmtSpelling plain = { .names = PMT_NAMES_PLAIN };
  PmtWeights *weights = file ? pmt_weights_new_view (file, "", &plain) : NULL;
  if (weights)
    pmt_weights_own_file (weights, file);
  return weights;
}

PmtTaesd *
pmt_taesd_open (const char *path, int latent_channels, GError **error)
{
  if (!pmt_kind_require (path, PMT_KIND_TAESD, "", NULL, NULL, error))
    return NULL;
  PmtWeights *weights = open_weights (path, error);
  if (!weights)
    return NULL;
  PmtTaesd *taesd = g_new0 (PmtTaesd, 1);
  taesd->weights = weights;
  taesd->pool = pmt_weight_pool_new ("tiny autoencoder", PMT_PRECISION_F32);
  taesd->latent_channels = latent_channels;
  if (!declare (taesd, error))
    g_clear_pointer (&taesd, pmt_taesd_free);
  return taesd;
}

gboolean
pmt_taesd_load (PmtTaesd *taesd, const PmtCancel *cancel, GError **error)
{
  if (!pmt_weight_pool_load (taesd->pool, taesd->weights, cancel, error))
    return FALSE;
  g_clear_pointer (&taesd->weights, pmt_weights_free);
  return TRUE;
}

void
pmt_taesd_free (PmtTaesd *taesd)
{
  if (!taesd)
    return;
  pmt_weights_free (taesd->weights);
  pmt_weight_pool_free (taesd->pool);
  g_free (taesd->decoder.layers);
  g_free (taesd->encoder.layers);
  g_free (taesd);
}

size_t
pmt_taesd_weight_bytes (const PmtTaesd *taesd)
{
  return pmt_weight_pool_bytes (taesd->pool);
}

PmtWeightPool *
pmt_taesd_weights (const PmtTaesd *taesd)
{
  return taesd->pool;
}

bool
pmt_taesd_has_decoder (const PmtTaesd *taesd)
{
  return taesd->decoder.n > 0;
}

bool
pmt_taesd_has_encoder (const PmtTaesd *taesd)
{
  return taesd->encoder.n > 0;
}

int
pmt_taesd_factor (const PmtTaesd *taesd)
{
  return taesd->decoder.n > 0 ? taesd->decoder.factor : taesd->encoder.factor;
}

/* ---- running -------------------------------------------------------------------------------------------------------------- */

static PmtTensor
run_block (PmtContext *ctx, const PmtWeightPool *pool, const Layer *layer, PmtTensor x)
{
  PmtTensor h = pmt_relu (ctx, pmt_conv_run (ctx, pool, &layer->conv[0], x));
  h = pmt_relu (ctx, pmt_conv_run (ctx, pool, &layer->conv[1], h));
  h = pmt_conv_run (ctx, pool, &layer->conv[2], h);
  return pmt_relu (ctx, pmt_add (ctx, h, x));
}

static PmtTensor
run_half (PmtContext *ctx, const PmtTaesd *taesd, const Half *half, PmtTensor x)
{
  PmtFrame frame = pmt_frame_open (ctx);
  for (int i = 0; i < half->n && x.data; i++) {
    const Layer *layer = &half->layers[i];
    switch (layer->kind) {
      case CONV:
        x = pmt_conv_run (ctx, taesd->pool, &layer->conv[0], x);
        break;
      case BLOCK:
        x = run_block (ctx, taesd->pool, layer, x);
        break;
      case ACTIVATION:
        x = pmt_relu (ctx, x);
        break;
      case ENLARGE:
        x = pmt_resize_nearest (ctx, x, 2 * x.shape.dim[1], 2 * x.shape.dim[2]);
        break;
    }
    x = pmt_frame_close (ctx, frame, x);
  }
  return x;
}

/* a * x + b */
static PmtTensor
affine (PmtContext *ctx, PmtTensor x, float a, float b)
{
  x = pmt_scale (ctx, x, a);
  if (!x.data)
    return x;
  PmtTensor shift = pmt_tensor_new (ctx, PMT_SHAPE2 (x.shape.dim[0], x.shape.dim[3]));
  for (int64_t i = 0; shift.data && !ctx->dry && i < pmt_tensor_size (shift); i++)
    shift.data[i] = b;
  return pmt_add_rows (ctx, x, shift);
}

static bool
check (PmtContext *ctx, const Half *half, PmtTensor x, int channels, int multiple, const char *what)
{
  char have[PMT_SHAPE_TEXT];
  if (pmt_context_failed (ctx))
    return false;
  if (half->n > 0 && x.data && x.shape.rank == 4 && x.shape.dim[3] == channels && pmt_shape_size (&x.shape) > 0 &&
      x.shape.dim[1] % multiple == 0 && x.shape.dim[2] % multiple == 0)
    return true;
  pmt_context_fail (ctx, PMT_ERROR_INPUT,
                    "This tiny autoencoder %s %s of N x height x width x %d, sides multiples of %d, and was given %s; use the model's own.",
                    half->n > 0 ? "takes" : "has no half for", what, channels, multiple, pmt_shape_text (&x.shape, have, sizeof have));
  return false;
}

PmtTensor
pmt_taesd_decode (PmtContext *ctx, PmtTaesd *taesd, PmtTensor latents)
{
  if (!check (ctx, &taesd->decoder, latents, taesd->latent_channels, 1, "latents"))
    return PMT_NO_TENSOR;
  PmtFrame frame = pmt_frame_open (ctx);
  PmtTensor x = pmt_scale (ctx, pmt_tanh (ctx, pmt_scale (ctx, latents, 1.0f / 3.0f)), 3.0f);
  x = run_half (ctx, taesd, &taesd->decoder, pmt_frame_close (ctx, frame, x));
  return pmt_frame_close (ctx, frame, affine (ctx, x, 2.0f, -1.0f));
}

PmtTensor
pmt_taesd_encode (PmtContext *ctx, PmtTaesd *taesd, PmtTensor pictures)
{
  if (!check (ctx, &taesd->encoder, pictures, 3, taesd->encoder.factor, "pictures"))
    return PMT_NO_TENSOR;
  PmtFrame frame = pmt_frame_open (ctx);
  PmtTensor x = pmt_frame_close (ctx, frame, affine (ctx, pictures, 0.5f, 0.5f));
  return pmt_frame_close (ctx, frame, run_half (ctx, taesd, &taesd->encoder, x));
}
