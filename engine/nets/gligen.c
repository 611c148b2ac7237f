/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/nets/gligen.h"

#include <math.h>
#include <string.h>

#include "engine/nets/layers.h"
#include "engine/nets/unet_sites.h"
#include "engine/weights/kinds.h"
#include "engine/weights/names.h"
#include "engine/weights/pickle.h"

#define NORM_EPS 1e-5f
#define FREQUENCIES 8
#define PLACE_WIDTH (FREQUENCIES * 2 * 4) /* sine and cosine of four numbers */

/* GatedSelfAttentionDense */
typedef struct Fuser {
  int heads;
  PmtDense linear; /* of objects, to the block's width */
  PmtNorm norm1, norm2;
  PmtDense q, k, v, out, ff_in, ff_out;
  PmtWeightRef alpha_attn, alpha_dense;
} Fuser;

struct PmtGligen {
  PmtWeights *weights; /* gone once they are loaded */
  PmtWeightPool *pool;
  int phrase_width, object_width;
  PmtWeightRef null_phrase, null_place;
  PmtDense linears[3];
  Fuser *fusers;
  int blocks;
};

/* ---- where the weights are ------------------------------------------------------------------------------------------- */

static PmtWeights *
open_weights (const char *path, GError **error)
{
  if (!g_file_test (path, G_FILE_TEST_EXISTS)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_NOT_FOUND,
                 _("There is no GLIGEN model at '%s'; give a model's folder or a .safetensors file with its weights."), path);
    return NULL;
  }
  if (g_file_test (path, G_FILE_TEST_IS_DIR)) {
    g_autofree char *unet = g_build_filename (path, "unet", NULL);
    const bool model = g_file_test (unet, G_FILE_TEST_IS_DIR);
    return pmt_weights_new_folder (model ? unet : path, "diffusion_pytorch_model", NULL, PMT_NAMES_PLAIN, error);
  }
  if (pmt_content_of (path) == PMT_CONTENT_PICKLE) {
    pmt_pickle_refuse (path, error);
    return NULL;
  }
  return pmt_weights_new_file (path, PMT_NAMES_PLAIN, error);
}

/* What a file without grounding weights is instead. Newly allocated. */
static char *
describe (const char *path)
{
  PmtSafetensors *file = g_file_test (path, G_FILE_TEST_IS_REGULAR) ? pmt_safetensors_open (path, NULL) : NULL;
  char *text = g_strdup (file ? pmt_kind_label (pmt_kind_detect (file)) : "a model");
  pmt_safetensors_free (file);
  return text;
}

static gboolean
find_prefix (PmtWeights *weights, const char *path, const char **prefix, GError **error)
{
  static const char *const prefixes[] = { "", "model.diffusion_model.", "unet.", "diffusion_model." };
  for (size_t i = 0; i < G_N_ELEMENTS (prefixes); i++) {
    g_autofree char *text_image = g_strconcat (prefixes[i], "position_net.linears_text.0.weight", NULL);
    g_autofree char *null = g_strconcat (prefixes[i], "position_net.null_positive_feature", NULL);
    if (pmt_weights_has (weights, text_image)) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                   _("'%s' is a GLIGEN model for phrases and pictures; use one for phrases (\"text box\")."), path);
      return FALSE;
    }
    if (pmt_weights_has (weights, null)) {
      *prefix = prefixes[i];
      return TRUE;
    }
  }
  g_autofree char *what = describe (path);
  g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
               _("'%s' is %s without grounding weights, which boxes need; choose a GLIGEN model, or give a GLIGEN file for Stable "
                 "Diffusion 1.x as the layout's model."),
               path, what);
  return FALSE;
}

/* The block's fuser as the file spells it, in diffusers' names or LDM's; NULL when it is neither way there. Newly allocated. */
static char *
fuser_name (PmtWeights *weights, const char *prefix, const PmtUnetConfig *unet, const char *block)
{
  const PmtSpelling ldm = { .names = PMT_NAMES_UNET, .ldm = TRUE, .layers_per_block = unet->layers_per_block, .levels = unet->n_levels };
  char spelled[PMT_NAME_SPELLINGS][PMT_NAME_SIZE];
  g_autofree char *ours = g_strconcat (block, ".fuser.alpha_attn", NULL);
  g_autofree char *plain = g_strconcat (prefix, ours, NULL);
  if (pmt_weights_has (weights, plain))
    return g_strconcat (prefix, block, ".fuser", NULL);
  for (int i = 0, n = pmt_spelling_candidates (&ldm, ours, spelled); i < n; i++) {
    g_autofree char *theirs = g_strconcat (prefix, spelled[i], NULL);
    if (pmt_weights_has (weights, theirs))
      return g_strndup (theirs, strlen (theirs) - strlen (".alpha_attn"));
  }
  return NULL;
}

/* ---- structure -------------------------------------------------------------------------------------------------------- */

static void
declare_fuser (PmtGligen *g, Fuser *fuser, const char *prefix, const PmtUnetSite *site)
{
  const int width = site->width;
  fuser->heads = site->heads;
  fuser->linear = pmt_dense_declare (g->pool, prefix, "linear", g->object_width, width, true);
  fuser->norm1 = pmt_norm_declare (g->pool, prefix, "norm1", width);
  fuser->q = pmt_dense_declare (g->pool, prefix, "attn.to_q", width, width, false);
  fuser->k = pmt_dense_declare (g->pool, prefix, "attn.to_k", width, width, false);
  fuser->v = pmt_dense_declare (g->pool, prefix, "attn.to_v", width, width, false);
  fuser->out = pmt_dense_declare (g->pool, prefix, "attn.to_out.0", width, width, true);
  fuser->norm2 = pmt_norm_declare (g->pool, prefix, "norm2", width);
  fuser->ff_in = pmt_dense_declare (g->pool, prefix, "ff.net.0.proj", width, 8 * width, true);
  fuser->ff_out = pmt_dense_declare (g->pool, prefix, "ff.net.2", 4 * width, width, true);
  fuser->alpha_attn = pmt_weight_pool_declare (g->pool, prefix, "alpha_attn", PMT_LAYOUT_PLAIN, PMT_SHAPE1 (1));
  fuser->alpha_dense = pmt_weight_pool_declare (g->pool, prefix, "alpha_dense", PMT_LAYOUT_PLAIN, PMT_SHAPE1 (1));
}

static gboolean
declare_fusers (PmtGligen *g, const char *path, const char *top, const PmtUnetConfig *unet, GError **error)
{
  g_autofree PmtUnetSite *sites = pmt_unet_sites (unet, &g->blocks);
  g->fusers = g_new0 (Fuser, MAX (g->blocks, 1));
  for (int i = 0; i < g->blocks; i++) {
    g_autofree char *prefix = fuser_name (g->weights, top, unet, sites[i].name);
    g_autofree char *linear = g_strconcat (prefix ? prefix : "", ".linear.weight", NULL);
    PmtWeightInfo info;
    if (!prefix || !pmt_weights_lookup (g->weights, linear, &info) || info.rank != 2 || info.dim[0] != sites[i].width) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                   _("The GLIGEN weights in '%s' do not fit the model: there are none for %s %d wide; use those that were made for this "
                     "model's family."),
                   path, sites[i].name, sites[i].width);
      return FALSE;
    }
    declare_fuser (g, &g->fusers[i], prefix, &sites[i]);
  }
  return TRUE;
}

static gboolean
declare_objects (PmtGligen *g, const char *path, const char *prefix, const PmtUnetConfig *unet, GError **error)
{
  static const char *const linears[3] = { "linears.0", "linears.2", "linears.4" };
  g_autofree char *top = g_strconcat (prefix, "position_net", NULL);
  g_autofree char *null = g_strconcat (top, ".null_positive_feature", NULL), *last = g_strconcat (top, ".linears.4.weight", NULL);
  PmtWeightInfo phrase, object; /* object: [width, width inside the little network] */
  if (!pmt_weights_lookup (g->weights, null, &phrase) || phrase.rank != 1 || phrase.dim[0] < 1 || phrase.dim[0] > 1 << 16
      || !pmt_weights_lookup (g->weights, last, &object) || object.rank != 2 || object.dim[0] < 1 || object.dim[0] > 1 << 16
      || object.dim[1] < 1 || object.dim[1] > 1 << 16) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT, _("The GLIGEN weights in '%s' are incomplete (position_net); download the file again."),
                 path);
    return FALSE;
  }
  g->phrase_width = (int) phrase.dim[0];
  g->object_width = (int) object.dim[0];
  if (g->object_width != unet->cross_attention_dim || g->phrase_width != unet->cross_attention_dim) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                 _("The GLIGEN weights in '%s' are for text of width %d and the model has text of width %d; use those that were made for "
                   "this model's family."),
                 path, g->phrase_width, unet->cross_attention_dim);
    return FALSE;
  }
  g->null_phrase = pmt_weight_pool_declare (g->pool, top, "null_positive_feature", PMT_LAYOUT_PLAIN, PMT_SHAPE1 (g->phrase_width));
  g->null_place = pmt_weight_pool_declare (g->pool, top, "null_position_feature", PMT_LAYOUT_PLAIN, PMT_SHAPE1 (PLACE_WIDTH));
  const int inside = (int) object.dim[1];
  for (int i = 0; i < 3; i++)
    g->linears[i] = pmt_dense_declare (g->pool, top, linears[i], i ? inside : g->phrase_width + PLACE_WIDTH,
                                       i < 2 ? inside : g->object_width, true);
  return TRUE;
}

PmtGligen *
pmt_gligen_open (const char *path, const PmtUnetConfig *unet, GError **error)
{
  const char *prefix = "";
  PmtWeights *weights = open_weights (path, error);
  if (!weights)
    return NULL;
  PmtGligen *g = g_new0 (PmtGligen, 1);
  g->weights = weights;
  g->pool = pmt_weight_pool_new ("GLIGEN", PMT_PRECISION_F32);
  if (find_prefix (weights, path, &prefix, error) && declare_objects (g, path, prefix, unet, error)
      && declare_fusers (g, path, prefix, unet, error))
    return g;
  pmt_gligen_free (g);
  return NULL;
}

gboolean
pmt_gligen_load (PmtGligen *gligen, const PmtCancel *cancel, GError **error)
{
  if (!pmt_weight_pool_load (gligen->pool, gligen->weights, cancel, error))
    return FALSE;
  g_clear_pointer (&gligen->weights, pmt_weights_free);
  return TRUE;
}

void
pmt_gligen_free (PmtGligen *gligen)
{
  if (!gligen)
    return;
  g_free (gligen->fusers);
  pmt_weight_pool_free (gligen->pool);
  pmt_weights_free (gligen->weights);
  g_free (gligen);
}

size_t
pmt_gligen_weight_bytes (const PmtGligen *gligen)
{
  return pmt_weight_pool_bytes (gligen->pool);
}

PmtWeightPool *
pmt_gligen_weights (const PmtGligen *gligen)
{
  return gligen->pool;
}

int
pmt_gligen_phrase_width (const PmtGligen *gligen)
{
  return gligen->phrase_width;
}

int
pmt_gligen_blocks (const PmtGligen *gligen)
{
  return gligen->blocks;
}

/* ---- one pass --------------------------------------------------------------------------------------------------------- */

/* For each frequency 100^(k/8): sine of the four numbers, then their cosine. */
static void
place_features (const double box[4], float out[PLACE_WIDTH])
{
  for (int k = 0; k < FREQUENCIES; k++) {
    const float f = powf (100.0f, (float) k / FREQUENCIES);
    for (int i = 0; i < 4; i++) {
      out[k * 8 + i] = sinf (f * (float) box[i]);
      out[k * 8 + 4 + i] = cosf (f * (float) box[i]);
    }
  }
}

PmtTensor
pmt_gligen_objects (PmtContext *ctx, PmtGligen *g, const double (*boxes)[4], PmtTensor phrases, int n)
{
  g_assert (n >= 0 && n <= PMT_GLIGEN_OBJECTS);
  if (n > 0 && !pmt_context_failed (ctx) && (!phrases.data || phrases.shape.dim[phrases.shape.rank - 1] != g->phrase_width))
    pmt_context_fail (ctx, PMT_ERROR_INPUT, "GLIGEN takes phrases of width %d; use the text encoder that belongs to it.", g->phrase_width);
  const size_t width = (size_t) g->phrase_width + PLACE_WIDTH;
  PmtFrame frame = pmt_frame_open (ctx);
  PmtTensor rows = pmt_tensor_new (ctx, PMT_SHAPE3 (1, PMT_GLIGEN_OBJECTS, (int64_t) width));
  PmtTensor null_phrase = pmt_weight (ctx, g->pool, g->null_phrase), null_place = pmt_weight (ctx, g->pool, g->null_place);
  if (pmt_context_failed (ctx))
    return PMT_NO_TENSOR;
  for (int i = 0; i < PMT_GLIGEN_OBJECTS && !ctx->dry; i++) {
    float *row = rows.data + (size_t) i * width;
    memcpy (row, i < n ? phrases.data + (size_t) i * (size_t) g->phrase_width : null_phrase.data, (size_t) g->phrase_width * sizeof *row);
    if (i < n)
      place_features (boxes[i], row + g->phrase_width);
    else
      memcpy (row + g->phrase_width, null_place.data, PLACE_WIDTH * sizeof *row);
  }
  PmtTensor x = pmt_silu (ctx, pmt_dense_run (ctx, g->pool, &g->linears[0], rows));
  x = pmt_silu (ctx, pmt_dense_run (ctx, g->pool, &g->linears[1], x));
  return pmt_frame_close (ctx, frame, pmt_dense_run (ctx, g->pool, &g->linears[2], x));
}

void
pmt_gligen_keys (PmtContext *ctx, PmtGligen *g, int block, PmtTensor objects, PmtTensor *k, PmtTensor *v)
{
  const Fuser *f = &g->fusers[block];
  g_assert (block >= 0 && block < g->blocks);
  PmtTensor o = pmt_norm_run_layer (ctx, g->pool, &f->norm1, pmt_dense_run (ctx, g->pool, &f->linear, objects), NORM_EPS);
  *k = pmt_dense_run (ctx, g->pool, &f->k, o);
  *v = pmt_dense_run (ctx, g->pool, &f->v, o);
}

/* x + tanh(alpha) y */
static PmtTensor
add_gated (PmtContext *ctx, const PmtGligen *g, PmtTensor x, PmtTensor y, PmtWeightRef alpha)
{
  PmtTensor a = pmt_weight (ctx, g->pool, alpha);
  if (pmt_context_failed (ctx))
    return PMT_NO_TENSOR;
  return pmt_add (ctx, x, pmt_scale (ctx, y, tanhf (a.data[0])));
}

PmtTensor
pmt_gligen_fuse (PmtContext *ctx, PmtGligen *g, int block, PmtTensor x, PmtTensor k, PmtTensor v)
{
  const Fuser *f = &g->fusers[block];
  const PmtAttentionParams params = { .heads = f->heads, .precision = pmt_weight_pool_precision (g->pool) };
  g_assert (block >= 0 && block < g->blocks);
  PmtFrame frame = pmt_frame_open (ctx);
  PmtTensor h = pmt_norm_run_layer (ctx, g->pool, &f->norm1, x, NORM_EPS);
  /* Only the picture's own tokens ask; those of objects are there to be looked at. */
  PmtTensor q = pmt_dense_run (ctx, g->pool, &f->q, h);
  k = pmt_tokens_join (ctx, pmt_dense_run (ctx, g->pool, &f->k, h), k);
  v = pmt_tokens_join (ctx, pmt_dense_run (ctx, g->pool, &f->v, h), v);
  h = pmt_dense_run (ctx, g->pool, &f->out, pmt_attention (ctx, q, k, v, params));
  x = pmt_frame_close (ctx, frame, add_gated (ctx, g, x, h, f->alpha_attn));
  h = pmt_norm_run_layer (ctx, g->pool, &f->norm2, x, NORM_EPS);
  h = pmt_dense_run (ctx, g->pool, &f->ff_out, pmt_linear_geglu (ctx, h, pmt_weight (ctx, g->pool, f->ff_in.w), pmt_weight (ctx, g->pool, f->ff_in.b)));
  return pmt_frame_close (ctx, frame, add_gated (ctx, g, x, h, f->alpha_dense));
}
