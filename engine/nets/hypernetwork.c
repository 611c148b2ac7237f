/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/nets/hypernetwork.h"

#include <string.h>

#include "engine/weights/tensor_file.h"

#define MOST_PLACES 64
#define NORM_EPS 1e-5f

typedef enum { PART_LINEAR, PART_NORM, PART_ACTIVATION } PartKind;

typedef struct Part {
  PartKind kind;
  PmtDense dense;
  PmtNorm norm;
} Part;

typedef struct Mlp {
  int64_t width;
  bool values;
  Part parts[2 * MOST_PLACES];
  int n_parts;
} Mlp;

/* What stands between linear layers; the ones with kernels of their own come first. */
typedef enum { ACT_NONE, ACT_RELU, ACT_SILU, ACT_GELU, ACT_OTHER } Act;

struct PmtHypernetwork {
  char *path;
  PmtWeightPool *pool;
  GArray *mlps; /* of Mlp */
  Act act;
  PmtActivate other;
};

/* ---- the header --------------------------------------------------------------------------------------------------------- */

static gboolean
refuse (const PmtHypernetwork *hyper, PmtError code, const char *why, GError **error)
{
  g_set_error (error, PMT_ERROR, code, _("The hypernetwork '%s' %s; use another one."), hyper->path, why);
  return FALSE;
}

static bool
says_true (const char *text)
{
  return text && (g_ascii_strcasecmp (text, "true") == 0 || strcmp (text, "1") == 0);
}

static gboolean
read_activation (PmtHypernetwork *hyper, const PmtSafetensors *file, GError **error)
{
  const char *name = pmt_safetensors_metadata (file, "activation_func");
  g_autofree char *low = name ? g_ascii_strdown (name, -1) : NULL;
  if (!low || !*low || strcmp (low, "linear") == 0 || strcmp (low, "none") == 0 || strcmp (low, "identity") == 0)
    return TRUE;
  if (strcmp (low, "swish") == 0) { /* as that program spells torch's Hardswish */
    hyper->act = ACT_OTHER;
    hyper->other = PMT_ACTIVATE_HARD_SWISH;
    return TRUE;
  }
  hyper->act = strcmp (low, "relu") == 0 ? ACT_RELU : strcmp (low, "silu") == 0 ? ACT_SILU : strcmp (low, "gelu") == 0 ? ACT_GELU : ACT_OTHER;
  if (hyper->act != ACT_OTHER)
    return TRUE;
  for (int i = 0; i < PMT_N_ACTIVATES; i++)
    if (strcmp (low, pmt_activate_name ((PmtActivate) i)) == 0) {
      hyper->other = (PmtActivate) i;
      return TRUE;
    }
  g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED, _("The hypernetwork '%s' uses the activation '%.40s', which is not known here; use another one."),
               hyper->path, name);
  return FALSE;
}

/* The tensor of a place; the oldest files call places 0 and 1 linear1 and linear2. */
static const PmtSafetensor *
place_tensor (const PmtSafetensors *file, int64_t width, bool values, int place, const char *part)
{
  g_autofree char *name = g_strdup_printf ("%d.%d.linear.%d.%s", (int) width, values, place, part);
  const PmtSafetensor *t = pmt_safetensors_lookup (file, name);
  if (t || place > 1)
    return t;
  g_autofree char *old = g_strdup_printf ("%d.%d.linear%d.%s", (int) width, values, place + 1, part);
  return pmt_safetensors_lookup (file, old);
}

static void
declare (PmtHypernetwork *hyper, Mlp *mlp, const PmtSafetensor *weight, int place, int64_t in)
{
  /* Named as stored, but for the oldest spelling, which pmt_hypernetwork_load looks up. */
  g_autofree char *prefix = g_strdup_printf ("%d.%d.linear", (int) mlp->width, mlp->values);
  g_autofree char *name = g_strdup_printf ("%d", place);
  Part *part = &mlp->parts[mlp->n_parts++];
  if (weight->rank == 2) {
    *part = (Part) { .kind = PART_LINEAR };
    part->dense = pmt_dense_declare (hyper->pool, prefix, name, (int) in, (int) weight->dim[0], true);
  } else {
    *part = (Part) { .kind = PART_NORM };
    part->norm = pmt_norm_declare (hyper->pool, prefix, name, (int) in);
  }
}

/* An activation comes right after each linear layer, after the last one only where the file says so. */
static gboolean
read_mlp (PmtHypernetwork *hyper, const PmtSafetensors *file, int64_t width, bool values, bool activate_output, GError **error)
{
  Mlp mlp = { .width = width, .values = values };
  int64_t in = width;
  int last = -1;
  for (int place = 0; place < MOST_PLACES; place++) {
    const PmtSafetensor *weight = place_tensor (file, width, values, place, "weight");
    if (weight && weight->rank == 2)
      last = place;
  }
  for (int place = 0; place < MOST_PLACES; place++) {
    const PmtSafetensor *weight = place_tensor (file, width, values, place, "weight"), *bias = place_tensor (file, width, values, place, "bias");
    if (!weight)
      continue;
    const bool linear = weight->rank == 2;
    if (!bias || weight->rank < 1 || weight->rank > 2 || weight->dim[linear ? 1 : 0] != in || bias->count != (uint64_t) weight->dim[0] ||
        weight->dim[0] < 1 || weight->dim[0] > 1 << 18)
      return refuse (hyper, PMT_ERROR_FORMAT, "has layers that do not fit each other", error);
    declare (hyper, &mlp, weight, place, in);
    in = weight->dim[0];
    if (linear && hyper->act != ACT_NONE && (place != last || activate_output))
      mlp.parts[mlp.n_parts++] = (Part) { .kind = PART_ACTIVATION };
  }
  if (last < 0 || in != width)
    return refuse (hyper, PMT_ERROR_FORMAT, "does not lead back to the width that it starts from", error);
  g_array_append_val (hyper->mlps, mlp);
  return TRUE;
}

/* "768.0.linear.…" -> 768; 0 for other names. */
static int64_t
width_of (const char *name)
{
  char *end;
  const gint64 width = g_ascii_strtoll (name, &end, 10);
  return g_ascii_isdigit (*name) && width > 0 && width <= 1 << 16 && (g_str_has_prefix (end, ".0.linear") || g_str_has_prefix (end, ".1.linear"))
           ? width : 0;
}

static gboolean
read_structure (PmtHypernetwork *hyper, const PmtSafetensors *file, GError **error)
{
  const char *stated = pmt_safetensors_metadata (file, "activate_output");
  const bool activate_output = !stated || says_true (stated); /* what that program takes for files that don't say */
  if (!read_activation (hyper, file, error))
    return FALSE;
  for (guint i = 0; i < pmt_safetensors_count (file); i++) {
    const int64_t width = width_of (pmt_safetensors_at (file, i)->name);
    if (width == 0 || pmt_hypernetwork_has_width (hyper, width))
      continue;
    if (!read_mlp (hyper, file, width, false, activate_output, error) || !read_mlp (hyper, file, width, true, activate_output, error))
      return FALSE;
  }
  return hyper->mlps->len > 0 || refuse (hyper, PMT_ERROR_FORMAT, "has no layers", error);
}

PmtHypernetwork *
pmt_hypernetwork_new (const char *path, GError **error)
{
  PmtSafetensors *file = pmt_tensor_file_open (path, error);
  if (!file)
    return NULL;
  PmtHypernetwork *hyper = g_new0 (PmtHypernetwork, 1);
  hyper->path = g_strdup (path);
  hyper->pool = pmt_weight_pool_new ("hypernetwork", PMT_PRECISION_F32);
  hyper->mlps = g_array_new (FALSE, FALSE, sizeof (Mlp));
  if (!read_structure (hyper, file, error))
    g_clear_pointer (&hyper, pmt_hypernetwork_free);
  pmt_safetensors_free (file);
  return hyper;
}

void
pmt_hypernetwork_free (PmtHypernetwork *hyper)
{
  if (!hyper)
    return;
  pmt_weight_pool_free (hyper->pool);
  g_array_unref (hyper->mlps);
  g_free (hyper->path);
  g_free (hyper);
}

/* ---- weights: the file's, with the oldest spelling turned into the present one -------------------------------------------- */

typedef struct Source {
  PmtWeights base;
  PmtSafetensors *file;
} Source;

static const PmtSafetensor *
source_find (PmtWeights *weights, const char *name)
{
  const Source *source = (Source *) weights;
  const PmtSafetensor *t = pmt_safetensors_lookup (source->file, name);
  const char *at = strstr (name, ".linear.");
  if (t || !at)
    return t;
  const char *place = at + strlen (".linear.");
  g_autofree char *old = g_strdup_printf ("%.*s.linear%d%s", (int) (at - name), name, (int) (*place - '0') + 1, place + 1);
  return pmt_safetensors_lookup (source->file, old);
}

static gboolean
source_lookup (PmtWeights *weights, const char *name, PmtWeightInfo *info)
{
  const PmtSafetensor *t = source_find (weights, name);
  if (!t)
    return FALSE;
  *info = (PmtWeightInfo) { .dtype = t->dtype, .rank = t->rank, .file = weights->label, .stored = t->name };
  memcpy (info->dim, t->dim, sizeof info->dim);
  return TRUE;
}

static gboolean
source_read (PmtWeights *weights, const char *name, int rank, const int64_t *dim, uint64_t begin, uint64_t count, float *dst, GError **error)
{
  return pmt_safetensors_read_f32 (((Source *) weights)->file, source_find (weights, name), begin, count, dst, error);
}

static const PmtWeightsClass source_class = { .lookup = source_lookup, .read = source_read };

gboolean
pmt_hypernetwork_load (PmtHypernetwork *hyper, const PmtCancel *cancel, GError **error)
{
  Source source = { { &source_class, hyper->path }, pmt_tensor_file_open (hyper->path, error) };
  if (!source.file)
    return FALSE;
  const gboolean ok = pmt_weight_pool_load (hyper->pool, &source.base, cancel, error);
  pmt_safetensors_free (source.file);
  return ok;
}

size_t
pmt_hypernetwork_bytes (const PmtHypernetwork *hyper)
{
  return pmt_weight_pool_bytes (hyper->pool);
}

/* ---- running --------------------------------------------------------------------------------------------------------------- */

static const Mlp *
find_mlp (const PmtHypernetwork *hyper, int64_t width, bool values)
{
  for (guint i = 0; i < hyper->mlps->len; i++) {
    const Mlp *mlp = &g_array_index (hyper->mlps, Mlp, i);
    if (mlp->width == width && mlp->values == values)
      return mlp;
  }
  return NULL;
}

bool
pmt_hypernetwork_has_width (const PmtHypernetwork *hyper, int64_t width)
{
  return find_mlp (hyper, width, false) != NULL;
}

static PmtTensor
activate (PmtContext *ctx, const PmtHypernetwork *hyper, PmtTensor x)
{
  switch (hyper->act) {
    case ACT_RELU:
      return pmt_relu (ctx, x);
    case ACT_SILU:
      return pmt_silu (ctx, x);
    case ACT_GELU:
      return pmt_gelu (ctx, x);
    default:
      return pmt_activate (ctx, x, hyper->other);
  }
}

PmtTensor
pmt_hypernetwork_run (PmtContext *ctx, const PmtHypernetwork *hyper, bool values, double strength, PmtTensor x)
{
  const Mlp *mlp = pmt_context_failed (ctx) ? NULL : find_mlp (hyper, pmt_tensor_dim (x, -1), values);
  if (!mlp)
    return x;
  PmtFrame frame = pmt_frame_open (ctx);
  PmtTensor h = x;
  for (int i = 0; i < mlp->n_parts; i++) {
    const Part *part = &mlp->parts[i];
    if (part->kind == PART_LINEAR)
      h = pmt_dense_run (ctx, hyper->pool, &part->dense, h);
    else if (part->kind == PART_NORM)
      h = pmt_norm_run_layer (ctx, hyper->pool, &part->norm, h, NORM_EPS);
    else
      h = activate (ctx, hyper, h);
  }
  return pmt_frame_close (ctx, frame, pmt_add (ctx, x, pmt_scale (ctx, h, (float) strength)));
}

bool
pmt_hypernetwork_is (const char *path)
{
  PmtSafetensors *file = pmt_tensor_file_open (path, NULL);
  bool found = false;
  for (guint i = 0; file && i < pmt_safetensors_count (file) && !found; i++)
    found = width_of (pmt_safetensors_at (file, i)->name) > 0;
  pmt_safetensors_free (file);
  return found;
}
