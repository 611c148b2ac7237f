/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every spelling of every module that a LoRA may change, in one table. Flattened names cannot be turned back ("to_out_0" and "proj_in"
 * both have underscores of their own), so none is ever taken apart. */
#include <string.h>

#include "engine/weights/lora_parts.h"
#include "engine/weights/names.h"

struct PmtLoraNames {
  GHashTable *stems; /* spelling (owned) -> GArray of PmtLoraTarget (owned) */
};

/* ---- endings ---------------------------------------------------------------------------------------------------------- */

static const struct {
  const char *ending;
  PmtLoraRole role;
} endings[] = {
  { ".lora_down.weight", PMT_LORA_DOWN },
  { ".lora_up.weight", PMT_LORA_UP },
  { ".lora_mid.weight", PMT_LORA_MID },
  { ".lora_linear_layer.down.weight", PMT_LORA_DOWN },
  { ".lora_linear_layer.up.weight", PMT_LORA_UP },
  { ".lora.down.weight", PMT_LORA_DOWN },
  { ".lora.up.weight", PMT_LORA_UP },
  { "_lora.down.weight", PMT_LORA_DOWN },
  { "_lora.up.weight", PMT_LORA_UP },
  { ".alpha", PMT_LORA_ALPHA },
  { ".dora_scale", PMT_LORA_DORA },
  { ".hada_w1_a", PMT_LORA_HADA_W1_A },
  { ".hada_w1_b", PMT_LORA_HADA_W1_B },
  { ".hada_w2_a", PMT_LORA_HADA_W2_A },
  { ".hada_w2_b", PMT_LORA_HADA_W2_B },
  { ".hada_t1", PMT_LORA_HADA_T1 },
  { ".hada_t2", PMT_LORA_HADA_T2 },
  { ".lokr_w1", PMT_LORA_LOKR_W1 },
  { ".lokr_w1_a", PMT_LORA_LOKR_W1_A },
  { ".lokr_w1_b", PMT_LORA_LOKR_W1_B },
  { ".lokr_w2", PMT_LORA_LOKR_W2 },
  { ".lokr_w2_a", PMT_LORA_LOKR_W2_A },
  { ".lokr_w2_b", PMT_LORA_LOKR_W2_B },
  { ".lokr_t2", PMT_LORA_LOKR_T2 },
  { ".diff", PMT_LORA_DIFF },
  { ".diff_b", PMT_LORA_DIFF_BIAS },
  { ".w_norm", PMT_LORA_DIFF },
  { ".b_norm", PMT_LORA_DIFF_BIAS },
};

/* PEFT: ".lora_A.weight", with the adapter's name between in files that were saved from a running model. */
static const struct {
  const char *inner, *last;
  PmtLoraRole role;
} inners[] = {
  { ".lora_A.", "weight", PMT_LORA_DOWN },
  { ".lora_B.", "weight", PMT_LORA_UP },
  { ".lora_B.", "bias", PMT_LORA_UP_BIAS },
  { ".lora_magnitude_vector", "", PMT_LORA_MAGNITUDE },
};

size_t
pmt_lora_role_of (const char *key, PmtLoraRole *role)
{
  for (size_t i = 0; i < G_N_ELEMENTS (endings); i++)
    if (g_str_has_suffix (key, endings[i].ending)) {
      *role = endings[i].role;
      return strlen (key) - strlen (endings[i].ending);
    }
  for (size_t i = 0; i < G_N_ELEMENTS (inners); i++) {
    const char *at = strstr (key, inners[i].inner);
    if (!at || at == key)
      continue;
    const char *tail = at + strlen (inners[i].inner), *dot = strrchr (tail, '.');
    if (*inners[i].last && strcmp (dot ? dot + 1 : tail, inners[i].last) != 0)
      continue;
    *role = inners[i].role;
    return (size_t) (at - key);
  }
  return 0;
}

/* ---- spellings -------------------------------------------------------------------------------------------------------- */

static void
free_targets (gpointer targets)
{
  g_array_unref (targets);
}

/* The first meaning of a spelling stays, but for the slices of a joined module, which come one after another. */
static void
add (PmtLoraNames *names, const char *prefix, const char *module, bool flat, const PmtLoraTarget *target)
{
  char *stem = g_strconcat (prefix, module, NULL);
  if (flat)
    for (char *c = stem + strlen (prefix); *c; c++)
      *c = *c == '.' ? '_' : *c;
  GArray *targets = g_hash_table_lookup (names->stems, stem);
  if (targets && (target->all == 1 || targets->len == target->all)) {
    g_free (stem);
    return;
  }
  if (!targets) {
    targets = g_array_new (FALSE, FALSE, sizeof (PmtLoraTarget));
    g_hash_table_insert (names->stems, g_strdup (stem), targets);
  }
  g_array_append_val (targets, *target);
  g_free (stem);
}

static void
add_all (PmtLoraNames *names, const char *const *prefixes, const char *module, bool flat, const PmtLoraTarget *target)
{
  for (; *prefixes; prefixes++)
    add (names, *prefixes, module, flat, target);
}

/* "….attn1.to_q" was "….attn1.processor.to_q_lora" in diffusers before 0.21, to_out.0 being to_out_lora. The caller's `from` is replaced
 * by `to`; NULL where it does not occur. */
static char *
replaced (const char *module, const char *from, const char *to)
{
  const char *at = strstr (module, from);
  return at ? g_strdup_printf ("%.*s%s%s", (int) (at - module), module, to, at + strlen (from)) : NULL;
}

static void
add_replaced (PmtLoraNames *names, const char *const *prefixes, const char *module, const char *from, const char *to,
              const PmtLoraTarget *target)
{
  g_autofree char *spelling = replaced (module, from, to);
  if (spelling)
    add_all (names, prefixes, spelling, false, target);
}

static void
add_unet (PmtLoraNames *names, const PmtLoraModel *model, const char *module, const PmtLoraTarget *target)
{
  static const char *const dotted[] = { "", "unet.", "base_model.model.", "base_model.model.unet.", NULL };
  static const char *const flat[] = { "lora_unet_", "lycoris_", "lycoris_unet_", NULL };
  static const char *const ldm_dotted[] = { "diffusion_model.", "model.diffusion_model.", "unet.", "", NULL };
  const PmtSpelling spelling = { PMT_NAMES_UNET, TRUE, model->layers_per_block, model->levels };
  char ldm[PMT_NAME_SPELLINGS][PMT_NAME_SIZE];

  add_all (names, dotted, module, false, target);
  add_all (names, flat, module, true, target);
  add_replaced (names, dotted, module, ".to_q", ".processor.to_q", target);
  add_replaced (names, dotted, module, ".to_k", ".processor.to_k", target);
  add_replaced (names, dotted, module, ".to_v", ".processor.to_v", target);
  add_replaced (names, dotted, module, ".to_out.0", ".processor.to_out", target);
  add_replaced (names, dotted, module, ".to_out.0", ".to_out", target);

  g_autofree char *whole = g_strconcat (module, ".", NULL); /* spellings are of tensors: the part after the dot stays */
  const int n = pmt_spelling_candidates (&spelling, whole, ldm);
  for (int i = 0; i < n; i++) {
    ldm[i][strlen (ldm[i]) - 1] = '\0';
    add_all (names, flat, ldm[i], true, target);
    add_all (names, ldm_dotted, ldm[i], false, target);
  }
}

/* A text encoder's module in OpenCLIP's names; NULL where that has none. *slice is 1 + the place in a joined projection, or 0. */
static char *
openclip_name (const char *module, int *slice)
{
  static const struct {
    const char *ours, *theirs;
    int slice;
  } parts[] = {
    { ".layer_norm1", ".ln_1", 0 },          { ".layer_norm2", ".ln_2", 0 },          { ".mlp.fc1", ".mlp.c_fc", 0 },
    { ".mlp.fc2", ".mlp.c_proj", 0 },        { ".self_attn.out_proj", ".attn.out_proj", 0 },
    { ".self_attn.q_proj", ".attn.in_proj", 1 }, { ".self_attn.k_proj", ".attn.in_proj", 2 },
    { ".self_attn.v_proj", ".attn.in_proj", 3 },
  };
  static const char layers[] = "text_model.encoder.layers.";
  *slice = 0;
  if (strcmp (module, "text_model.final_layer_norm") == 0)
    return g_strdup ("ln_final");
  if (strcmp (module, "text_model.embeddings.token_embedding") == 0)
    return g_strdup ("token_embedding");
  if (!g_str_has_prefix (module, layers))
    return NULL;
  for (size_t i = 0; i < G_N_ELEMENTS (parts); i++)
    if (g_str_has_suffix (module, parts[i].ours)) {
      const char *layer = module + strlen (layers);
      *slice = parts[i].slice;
      return g_strdup_printf ("transformer.resblocks.%.*s%s", (int) (strlen (layer) - strlen (parts[i].ours)), layer, parts[i].theirs);
    }
  return NULL;
}

static void
add_text (PmtLoraNames *names, const PmtLoraModel *model, const char *module, const PmtLoraTarget *target)
{
  static const char *const first_dotted[] = { "text_encoder.", "", "base_model.model.", "base_model.model.text_encoder.",
                                              "cond_stage_model.transformer.", "conditioner.embedders.0.transformer.",
                                              "cond_stage_model.model.", NULL };
  static const char *const first_flat[] = { "lora_te_", "lora_te1_", "lycoris_te_", "lycoris_text_encoder_", NULL };
  static const char *const second_dotted[] = { "text_encoder_2.", "base_model.model.text_encoder_2.", "conditioner.embedders.1.model.",
                                               "conditioner.embedders.0.model.", NULL };
  static const char *const second_flat[] = { "lora_te2_", "lycoris_text_encoder_2_", NULL };
  const bool second = target->part == PMT_LORA_TEXT_2 || model->refiner;
  const char *const *dotted = second ? second_dotted : first_dotted, *const *flat = second ? second_flat : first_flat;
  const char *inner = g_str_has_prefix (module, "text_model.") ? module + strlen ("text_model.") : NULL;
  PmtLoraTarget slice = *target;
  int place;

  add_all (names, dotted, module, false, target);
  add_all (names, flat, module, true, target);
  if (inner) {
    add_all (names, dotted, inner, false, target);
    add_all (names, flat, inner, true, target);
  }
  add_replaced (names, dotted, module, ".self_attn.q_proj", ".self_attn.to_q", target);
  add_replaced (names, dotted, module, ".self_attn.k_proj", ".self_attn.to_k", target);
  add_replaced (names, dotted, module, ".self_attn.v_proj", ".self_attn.to_v", target);
  add_replaced (names, dotted, module, ".self_attn.out_proj", ".self_attn.to_out", target);

  g_autofree char *openclip = openclip_name (module, &place);
  if (!openclip)
    return;
  if (place > 0) {
    slice.part_row = place - 1;
    slice.all = 3;
  }
  add_all (names, dotted, openclip, false, &slice);
  add_all (names, flat, openclip, true, &slice);
}

PmtLoraNames *
pmt_lora_names_new (const PmtLoraModel *model)
{
  PmtLoraNames *names = g_new0 (PmtLoraNames, 1);
  GHashTable *biases[PMT_LORA_N_PARTS]; /* name -> index + 1 */
  names->stems = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, free_targets);
  for (int part = 0; part < PMT_LORA_N_PARTS; part++)
    biases[part] = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; i < model->n_weights; i++)
    if (g_str_has_suffix (model->weights[i].name, ".bias"))
      g_hash_table_insert (biases[model->weights[i].part], (gpointer) model->weights[i].name, GUINT_TO_POINTER (i + 1));
  for (guint i = 0; i < model->n_weights; i++) {
    const PmtLoraWeight *weight = &model->weights[i];
    if (!g_str_has_suffix (weight->name, ".weight"))
      continue;
    g_autofree char *module = g_strndup (weight->name, strlen (weight->name) - strlen (".weight"));
    g_autofree char *bias = g_strconcat (module, ".bias", NULL);
    const PmtLoraTarget target = { weight->part, i + 1, GPOINTER_TO_UINT (g_hash_table_lookup (biases[weight->part], bias)), 0, 1 };
    if (weight->part == PMT_LORA_UNET)
      add_unet (names, model, module, &target);
    else
      add_text (names, model, module, &target);
  }
  for (int part = 0; part < PMT_LORA_N_PARTS; part++)
    g_hash_table_unref (biases[part]);
  return names;
}

void
pmt_lora_names_free (PmtLoraNames *names)
{
  g_hash_table_unref (names->stems);
  g_free (names);
}

const GArray *
pmt_lora_names_find (const PmtLoraNames *names, const char *stem, size_t length)
{
  g_autofree char *key = g_strndup (stem, length);
  return g_hash_table_lookup (names->stems, key);
}
