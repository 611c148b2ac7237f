/* SPDX-License-Identifier: GPL-3.0-or-later */
/* LoRA (Hu et al. 2021) on the projections of all attentions of the UNet, and if asked for of the text encoders: W + alpha / rank up down, down
 * random and up zero at first, so that nothing changes before the first step. */
#include <math.h>
#include <string.h>

#include "engine/learn/private.h"
#include "engine/weights/safetensors.h"

static const char *const things[] = { "a picture of {}", NULL };
static const char *const styles[] = { "a picture in the style of {}", NULL };

static gboolean
check (const PmtLearnRequest *q, GError **error)
{
  if (q->rank < 1 || q->rank > 320) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("A LoRA's rank is 1 to 320, not %d."), q->rank);
    return FALSE;
  }
  if (!(q->alpha >= 0 && q->alpha <= 1e4)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("A LoRA's alpha is 0 to 10000, not %g."), q->alpha);
    return FALSE;
  }
  return TRUE;
}

/* Whether a weight is one of an attention's four projections. */
static bool
is_projection (const char *name)
{
  static const char *const ends[] = { ".to_q.weight", ".to_k.weight", ".to_v.weight", ".to_out.0.weight",
                                      ".q_proj.weight", ".k_proj.weight", ".v_proj.weight", ".out_proj.weight" };
  for (guint i = 0; i < G_N_ELEMENTS (ends); i++)
    if (g_str_has_suffix (name, ends[i]))
      return true;
  return false;
}

/* Calls `each` for all weights that are changed, net by net: the UNet's, then each text encoder's. `n` counts them. */
typedef gboolean (*Each) (void *user, int net, PmtWeightPool *pool, PmtWeightRef ref, int n, GError **error);

static gboolean
for_all (const PmtLearnRequest *q, const PmtLearnNets *nets, Each each, void *user, GError **error)
{
  int n = 0;
  for (int net = 0; net <= (q->texts ? nets->n_texts : 0); net++) {
    PmtWeightPool *pool = net == 0 ? pmt_unet_weights (nets->unet) : pmt_clip_text_weights (nets->text[net - 1]);
    for (PmtWeightRef ref = 1; ref <= pmt_weight_pool_count (pool); ref++)
      if (is_projection (pmt_weight_pool_name (pool, ref)) && !each (user, net, pool, ref, n++, error))
        return FALSE;
  }
  return TRUE;
}

typedef struct Work {
  const PmtLearnRequest *request;
  const PmtLearnNets *nets;
  PmtParameters *parameters;
  bool in;
  GArray *out; /* PmtSafetensorOut */
  GPtrArray *owned;
  uint16_t alpha;
} Work;

/* kohya's name of a module, "lora_unet_down_blocks_0_…_to_q", with ending. */
static char *
file_name (const Work *work, int net, const PmtWeightPool *pool, PmtWeightRef ref, const char *ending)
{
  const char *weight = pmt_weight_pool_name (pool, ref);
  const char *prefix = net == 0 ? "lora_unet_" : work->nets->n_texts == 1 ? "lora_te_" : net == 1 ? "lora_te1_" : "lora_te2_";
  g_autofree char *module = g_strndup (weight, strlen (weight) - strlen (".weight"));
  return g_strconcat (prefix, g_strdelimit (module, ".", '_'), ending, NULL);
}

static gboolean
add_one (void *user, int net, PmtWeightPool *pool, PmtWeightRef ref, int n, GError **error)
{
  Work *work = user;
  const PmtShape shape = pmt_weight_pool_shape (pool, ref, NULL);
  const int group = net == 0 ? PMT_LEARN_GROUP_MAIN : PMT_LEARN_GROUP_TEXT, rank = work->request->rank;
  g_autofree char *down = file_name (work, net, pool, ref, ".lora_down.weight"), *up = file_name (work, net, pool, ref, ".lora_up.weight");
  return pmt_parameters_add (work->parameters, down, PMT_SHAPE2 (rank, shape.dim[1]), group, error).data &&
         pmt_parameters_add (work->parameters, up, PMT_SHAPE2 (shape.dim[0], rank), group, error).data;
}

static gboolean
add (const PmtLearnRequest *q, const PmtLearnNets *nets, PmtParameters *parameters, GError **error)
{
  return for_all (q, nets, add_one, &(Work) { .request = q, .nets = nets, .parameters = parameters }, error);
}

static gint
by_name (gconstpointer a, gconstpointer b, gpointer parameters)
{
  return strcmp (pmt_parameters_name (parameters, *(const int *) a), pmt_parameters_name (parameters, *(const int *) b));
}

/* In alphabetical order, so that the values do not depend on how a network is put together here. */
static gboolean
begin (const PmtLearnRequest *q, const PmtLearnNets *nets, PmtParameters *parameters, GError **error)
{
  const int n = pmt_parameters_count (parameters) / 2;
  g_autofree int *order = g_new (int, n);
  PmtRng rng;
  for (int i = 0; i < n; i++)
    order[i] = 2 * i;
  g_sort_array (order, (gsize) n, sizeof *order, by_name, parameters);
  pmt_rng_seed (&rng, q->seed);
  for (int i = 0; i < n; i++) {
    const PmtTensor down = pmt_parameters_value (parameters, order[i]);
    pmt_rng_normal (&rng, (size_t) pmt_tensor_size (down), down.data);
    for (int64_t k = 0; k < pmt_tensor_size (down); k++)
      down.data[k] /= (float) q->rank;
  }
  return TRUE;
}

static double
alpha_of (const PmtLearnRequest *q)
{
  return q->alpha > 0 ? q->alpha : q->rank;
}

static gboolean
attach_one (void *user, int net, PmtWeightPool *pool, PmtWeightRef ref, int n, GError **error)
{
  Work *work = user;
  const PmtLowRank low_rank = { .down = pmt_parameters_value (work->parameters, 2 * n), .up = pmt_parameters_value (work->parameters, 2 * n + 1),
                                .scale = (float) (alpha_of (work->request) / work->request->rank) };
  pmt_weight_pool_add_low_rank (pool, ref, work->in ? &low_rank : NULL);
  return TRUE;
}

static void
attach (const PmtLearnRequest *q, const PmtLearnNets *nets, PmtParameters *parameters, bool in)
{
  Work work = { .request = q, .nets = nets, .parameters = parameters, .in = in };
  for_all (q, nets, attach_one, &work, NULL);
}

/* The values of parameter i as f16, in the memory of its gradient, which nobody needs any more. */
static gboolean
add_out (Work *work, int i, GError **error)
{
  const PmtTensor value = pmt_parameters_value (work->parameters, i);
  uint16_t *half = (uint16_t *) (void *) pmt_parameters_gradient (work->parameters, value).data;
  PmtSafetensorOut out = { .name = pmt_parameters_name (work->parameters, i), .dtype = PMT_DTYPE_F16, .rank = 2, .data = half };
  memcpy (out.dim, value.shape.dim, 2 * sizeof *out.dim);
  for (int64_t k = 0; k < pmt_tensor_size (value); k++) {
    half[k] = pmt_f16_from_f32 (value.data[k]);
    if ((half[k] & 0x7c00) == 0x7c00)
      return pmt_refuse (error, PMT_ERROR_INPUT, _("What was learned has values that are too large for a file of 16 bits; learn anew with a lower learning rate."));
  }
  g_array_append_val (work->out, out);
  return TRUE;
}

static gboolean
write_one (void *user, int net, PmtWeightPool *pool, PmtWeightRef ref, int n, GError **error)
{
  Work *work = user;
  PmtSafetensorOut alpha = { .name = file_name (work, net, pool, ref, ".alpha"), .dtype = PMT_DTYPE_F16, .data = &work->alpha };
  g_ptr_array_add (work->owned, (char *) alpha.name);
  g_array_append_val (work->out, alpha);
  return add_out (work, 2 * n, error) && add_out (work, 2 * n + 1, error);
}

/* kohya's names, which all programs of this field read. */
static gboolean
write_file (const PmtLearnRequest *q, const PmtLearnNets *nets, PmtParameters *parameters, GError **error)
{
  g_autoptr (GArray) out = g_array_new (FALSE, FALSE, sizeof (PmtSafetensorOut));
  g_autoptr (GPtrArray) owned = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GHashTable) about = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, g_free);
  Work work = { .request = q, .nets = nets, .parameters = parameters, .out = out, .owned = owned };
  work.alpha = pmt_f16_from_f32 ((float) alpha_of (q));
  if (!for_all (q, nets, write_one, &work, error))
    return FALSE;
  g_hash_table_insert (about, (char *) "ss_network_module", g_strdup ("networks.lora"));
  g_hash_table_insert (about, (char *) "ss_network_dim", g_strdup_printf ("%d", q->rank));
  g_hash_table_insert (about, (char *) "ss_network_alpha", g_strdup_printf ("%g", alpha_of (q)));
  g_hash_table_insert (about, (char *) "base", g_strdup (pmt_model_family (q->model)));
  g_autofree char *caption = pmt_learn_caption (q, 0, 0);
  g_hash_table_insert (about, (char *) "caption", g_utf8_make_valid (caption, -1));
  return pmt_safetensors_write (q->out, (const PmtSafetensorOut *) (const void *) out->data, out->len, about, error);
}

const PmtLearnKind pmt_learn_kind_lora = {
  .id = "lora",
  .label = N_("A LoRA"),
  .summary = N_("Learns what the pictures show, or how they are painted, as a LoRA: a file of some megabytes that is added to the model in use."),
  .things = things,
  .styles = styles,
  .rate = 1e-4,
  .text_rate = 5e-5,
  .steps = 800,
  .check = check,
  .add = add,
  .begin = begin,
  .attach = attach,
  .write = write_file,
};
