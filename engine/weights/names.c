/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/weights/names.h"

#include <string.h>

/* Same-place parts of a module's path in both worlds. `ours` and `theirs` end at a dot. */
typedef struct Pair {
  const char *ours, *theirs;
} Pair;

static const Pair unet_top[] = {
  { "conv_in.", "input_blocks.0.0." },
  { "conv_norm_out.", "out.0." },
  { "conv_out.", "out.2." },
  { "time_embedding.linear_1.", "time_embed.0." },
  { "time_embedding.linear_2.", "time_embed.2." },
  { "time_embedding.cond_proj.", "time_embed.cond_proj." },
  { "add_embedding.linear_1.", "label_emb.0.0." },
  { "add_embedding.linear_2.", "label_emb.0.2." },
  { "mid_block.attentions.0.", "middle_block.1." },
};

static const Pair unet_resnet[] = {
  { "norm1.", "in_layers.0." },  { "conv1.", "in_layers.2." },  { "time_emb_proj.", "emb_layers.1." },
  { "norm2.", "out_layers.0." }, { "conv2.", "out_layers.3." }, { "conv_shortcut.", "skip_connection." },
};

static const Pair vae_attention[] = {
  { "group_norm.", "norm." }, { "to_q.", "q." }, { "to_k.", "k." }, { "to_v.", "v." }, { "to_out.0.", "proj_out." },
};

static const Pair controlnet_top[] = {
  { "controlnet_mid_block.", "middle_block_out.0." },
  { "controlnet_cond_embedding.conv_in.", "input_hint_block.0." },
  { "controlnet_cond_embedding.conv_out.", "input_hint_block.14." },
};

static const Pair open_clip_top[] = {
  { "text_model.embeddings.position_embedding.weight", "positional_embedding" },
  { "text_model.embeddings.token_embedding.", "token_embedding." },
  { "text_model.final_layer_norm.", "ln_final." },
};

static const Pair open_clip_layer[] = {
  { "layer_norm1.", "ln_1." },   { "layer_norm2.", "ln_2." },
  { "mlp.fc1.", "mlp.c_fc." },   { "mlp.fc2.", "mlp.c_proj." },
  { "self_attn.out_proj.", "attn.out_proj." },
};

/* Joined in OpenCLIP, in this order. */
static const char *const open_clip_joined[] = { "self_attn.q_proj.", "self_attn.k_proj.", "self_attn.v_proj." };

static const Pair vae_resnet[] = { { "conv_shortcut.", "nin_shortcut." } };
static const Pair vae_top[] = { { "conv_norm_out.", "norm_out." } };

/* diffusers before 0.15 */
static const Pair vae_old_attention[] = {
  { ".to_q.", ".query." }, { ".to_k.", ".key." }, { ".to_v.", ".value." }, { ".to_out.0.", ".proj_attn." },
};

static gboolean
take (const char **s, const char *literal)
{
  size_t n = strlen (literal);
  if (strncmp (*s, literal, n) != 0)
    return FALSE;
  *s += n;
  return TRUE;
}

/* "12." */
static gboolean
take_number (const char **s, int *number)
{
  const char *c = *s;
  int value = 0;
  if (!g_ascii_isdigit (*c))
    return FALSE;
  for (; g_ascii_isdigit (*c); c++) {
    value = value * 10 + (*c - '0');
    if (value > 9999)
      return FALSE;
  }
  if (*c != '.')
    return FALSE;
  *s = c + 1;
  *number = value;
  return TRUE;
}

/* Writes `head` + `rest` with the first matching pair replaced at the front of rest. */
static gboolean
translate (const Pair *pairs, size_t n, gboolean to_theirs, const char *head, const char *rest, char *out)
{
  for (size_t i = 0; i < n; i++) {
    const char *at = rest;
    if (take (&at, to_theirs ? pairs[i].ours : pairs[i].theirs))
      return g_snprintf (out, PMT_NAME_SIZE, "%s%s%s", head, to_theirs ? pairs[i].theirs : pairs[i].ours, at) < PMT_NAME_SIZE;
  }
  return FALSE;
}

#define TRANSLATE(pairs, to_theirs, head, rest, out) translate (pairs, G_N_ELEMENTS (pairs), to_theirs, head, rest, out)

static gboolean
join (char *out, const char *head, const char *rest)
{
  return g_snprintf (out, PMT_NAME_SIZE, "%s%s", head, rest) < PMT_NAME_SIZE;
}

/* ---- UNet ------------------------------------------------------------------------------------------------------------- */

static int
unet_to_ldm (const PmtSpelling *s, const char *name, char out[][PMT_NAME_SIZE])
{
  const int stride = s->layers_per_block + 1;
  char head[64];
  int i, j;
  const char *at = name;

  if (TRANSLATE (unet_top, TRUE, "", name, out[0]))
    return 1;
  if (take (&at, "mid_block.resnets.") && take_number (&at, &j)) {
    g_snprintf (head, sizeof head, "middle_block.%d.", j == 0 ? 0 : 2);
    return j <= 1 && TRANSLATE (unet_resnet, TRUE, head, at, out[0]);
  }
  at = name;
  gboolean down = take (&at, "down_blocks.");
  if (!down && !take (&at, "up_blocks."))
    return 0;
  if (!take_number (&at, &i) || i >= s->levels)
    return 0;
  if (take (&at, "resnets.")) {
    if (!take_number (&at, &j) || j >= stride)
      return 0;
    g_snprintf (head, sizeof head, down ? "input_blocks.%d.0." : "output_blocks.%d.0.", stride * i + j + (down ? 1 : 0));
    return TRANSLATE (unet_resnet, TRUE, head, at, out[0]);
  }
  if (take (&at, "attentions.")) {
    if (!take_number (&at, &j) || j >= stride)
      return 0;
    g_snprintf (head, sizeof head, down ? "input_blocks.%d.1." : "output_blocks.%d.1.", stride * i + j + (down ? 1 : 0));
    return join (out[0], head, at);
  }
  if (down && take (&at, "downsamplers.0.conv.")) {
    g_snprintf (head, sizeof head, "input_blocks.%d.0.op.", stride * (i + 1));
    return join (out[0], head, at);
  }
  if (!down && take (&at, "upsamplers.0.conv.")) {
    /* The upsampler stands after the attention where the block has one. */
    for (int k = 0; k < 2; k++) {
      g_snprintf (head, sizeof head, "output_blocks.%d.%d.conv.", stride * i + stride - 1, 2 - k);
      if (!join (out[k], head, at))
        return 0;
    }
    return 2;
  }
  return 0;
}

static gboolean
unet_from_ldm (const PmtSpelling *s, const char *name, char *out)
{
  const int stride = s->layers_per_block + 1;
  char head[64];
  int block, part;
  const char *at = name;

  if (TRANSLATE (unet_top, FALSE, "", name, out))
    return TRUE;
  if (take (&at, "middle_block.") && take_number (&at, &part) && (part == 0 || part == 2)) {
    g_snprintf (head, sizeof head, "mid_block.resnets.%d.", part / 2);
    return TRANSLATE (unet_resnet, FALSE, head, at, out);
  }
  at = name;
  gboolean down = take (&at, "input_blocks.");
  if (!down && !take (&at, "output_blocks."))
    return FALSE;
  if (!take_number (&at, &block) || !take_number (&at, &part))
    return FALSE;
  if (down)
    block--;
  if (block < 0 || block / stride >= s->levels)
    return FALSE;
  int i = block / stride, j = block % stride;
  const char *side = down ? "down" : "up";
  if (down && part == 0 && j == stride - 1 && take (&at, "op.")) {
    g_snprintf (head, sizeof head, "down_blocks.%d.downsamplers.0.conv.", i);
    return join (out, head, at);
  }
  if (!down && part > 0 && take (&at, "conv.")) {
    g_snprintf (head, sizeof head, "up_blocks.%d.upsamplers.0.conv.", i);
    return join (out, head, at);
  }
  if (part == 0) {
    g_snprintf (head, sizeof head, "%s_blocks.%d.resnets.%d.", side, i, j);
    return TRANSLATE (unet_resnet, FALSE, head, at, out);
  }
  g_snprintf (head, sizeof head, "%s_blocks.%d.attentions.%d.", side, i, j);
  return part == 1 && join (out, head, at);
}

/* ---- ControlNet: the UNet's way down and middle, and its own layers --------------------------------------------------- */

static gboolean
controlnet_own_to_ldm (const char *name, char *out)
{
  char head[64];
  const char *at = name;
  int k;

  if (TRANSLATE (controlnet_top, TRUE, "", name, out))
    return TRUE;
  if (take (&at, "controlnet_down_blocks.") && take_number (&at, &k)) {
    g_snprintf (head, sizeof head, "zero_convs.%d.0.", k);
    return join (out, head, at);
  }
  at = name;
  if (take (&at, "controlnet_cond_embedding.blocks.") && take_number (&at, &k) && k < 6) {
    g_snprintf (head, sizeof head, "input_hint_block.%d.", 2 * (k + 1));
    return join (out, head, at);
  }
  return FALSE;
}

static gboolean
controlnet_own_from_ldm (const char *name, char *out)
{
  char head[64];
  const char *at = name;
  int k;

  if (TRANSLATE (controlnet_top, FALSE, "", name, out))
    return TRUE;
  if (take (&at, "zero_convs.") && take_number (&at, &k) && take (&at, "0.")) {
    g_snprintf (head, sizeof head, "controlnet_down_blocks.%d.", k);
    return join (out, head, at);
  }
  at = name;
  if (take (&at, "input_hint_block.") && take_number (&at, &k) && k % 2 == 0 && k >= 2 && k <= 12) {
    g_snprintf (head, sizeof head, "controlnet_cond_embedding.blocks.%d.", k / 2 - 1);
    return join (out, head, at);
  }
  return FALSE;
}

/* ---- OpenCLIP's text encoder ------------------------------------------------------------------------------------------ */

static int
open_clip_candidates (const char *name, char out[][PMT_NAME_SIZE])
{
  char head[64];
  const char *at = name;
  int k;

  if (strcmp (name, "text_projection.weight") == 0) /* the second is that of files whose matrix was turned round already */
    return join (out[0], "", "text_projection") + join (out[1], "", name);
  if (TRANSLATE (open_clip_top, TRUE, "", name, out[0]))
    return 1;
  if (!take (&at, "text_model.encoder.layers.") || !take_number (&at, &k))
    return 0;
  g_snprintf (head, sizeof head, "transformer.resblocks.%d.", k);
  for (size_t i = 0; i < G_N_ELEMENTS (open_clip_joined); i++) {
    const char *rest = at;
    if (take (&rest, open_clip_joined[i]))
      return g_snprintf (out[0], PMT_NAME_SIZE, "%sattn.in_proj_%s", head, rest) < PMT_NAME_SIZE;
  }
  return TRANSLATE (open_clip_layer, TRUE, head, at, out[0]);
}

static int
open_clip_canonical (const char *stored, char out[][PMT_NAME_SIZE])
{
  char head[64];
  const char *at = stored;
  int k;

  if (strcmp (stored, "text_projection") == 0 || strcmp (stored, "text_projection.weight") == 0)
    return join (out[0], "", "text_projection.weight");
  if (TRANSLATE (open_clip_top, FALSE, "", stored, out[0]))
    return 1;
  if (!take (&at, "transformer.resblocks.") || !take_number (&at, &k))
    return 0;
  g_snprintf (head, sizeof head, "text_model.encoder.layers.%d.", k);
  if (!take (&at, "attn.in_proj_"))
    return TRANSLATE (open_clip_layer, FALSE, head, at, out[0]);
  for (size_t i = 0; i < G_N_ELEMENTS (open_clip_joined); i++)
    if (g_snprintf (out[i], PMT_NAME_SIZE, "%s%s%s", head, open_clip_joined[i], at) >= PMT_NAME_SIZE)
      return 0;
  return (int) G_N_ELEMENTS (open_clip_joined);
}

PmtStoredPart
pmt_spelling_part (const PmtSpelling *s, const char *canonical, const char *stored)
{
  PmtStoredPart part = { -1, FALSE };
  const char *at = canonical;
  int k;

  if (s->names != PMT_NAMES_OPEN_CLIP)
    return part;
  part.transposed = g_str_has_suffix (stored, "text_projection");
  if (take (&at, "text_model.encoder.layers.") && take_number (&at, &k))
    for (size_t i = 0; i < G_N_ELEMENTS (open_clip_joined); i++)
      if (g_str_has_prefix (at, open_clip_joined[i]))
        part.third = (int) i;
  return part;
}

/* ---- VAE -------------------------------------------------------------------------------------------------------------- */

static gboolean
vae_rest (gboolean to_theirs, const Pair *pairs, size_t n, const char *head, const char *rest, char *out)
{
  return translate (pairs, n, to_theirs, head, rest, out) || join (out, head, rest);
}

static gboolean
vae_to_ldm (const PmtSpelling *s, const char *name, char *out)
{
  char head[64];
  int i, j;
  const char *at = name;
  gboolean encoder = take (&at, "encoder.");

  if (!encoder && !take (&at, "decoder."))
    return join (out, "", name); /* quant_conv, post_quant_conv */
  const char *side = encoder ? "encoder." : "decoder.";
  if (take (&at, "mid_block.resnets.") && take_number (&at, &j)) {
    g_snprintf (head, sizeof head, "%smid.block_%d.", side, j + 1);
    return vae_rest (TRUE, vae_resnet, G_N_ELEMENTS (vae_resnet), head, at, out);
  }
  if (take (&at, "mid_block.attentions.0.")) {
    g_snprintf (head, sizeof head, "%smid.attn_1.", side);
    return TRANSLATE (vae_attention, TRUE, head, at, out);
  }
  if (!take (&at, encoder ? "down_blocks." : "up_blocks."))
    return vae_rest (TRUE, vae_top, G_N_ELEMENTS (vae_top), side, at, out);
  if (!take_number (&at, &i) || i >= s->levels)
    return FALSE;
  if (!encoder)
    i = s->levels - 1 - i; /* LDM counts the decoder's levels from the picture's side */
  const char *way = encoder ? "down" : "up";
  if (take (&at, "resnets.") && take_number (&at, &j)) {
    g_snprintf (head, sizeof head, "%s%s.%d.block.%d.", side, way, i, j);
    return vae_rest (TRUE, vae_resnet, G_N_ELEMENTS (vae_resnet), head, at, out);
  }
  if (!take (&at, encoder ? "downsamplers.0." : "upsamplers.0."))
    return FALSE;
  g_snprintf (head, sizeof head, "%s%s.%d.%ssample.", side, way, i, way);
  return join (out, head, at);
}

static gboolean
vae_from_ldm (const PmtSpelling *s, const char *name, char *out)
{
  char head[64];
  int i, j;
  const char *at = name;
  gboolean encoder = take (&at, "encoder.");

  if (!encoder && !take (&at, "decoder.")) {
    const char *q = name;
    return (take (&q, "quant_conv.") || take (&q, "post_quant_conv.")) && join (out, "", name);
  }
  const char *side = encoder ? "encoder." : "decoder.";
  if (take (&at, "mid.block_")) {
    if (!take_number (&at, &j) || j < 1 || j > 2)
      return FALSE;
    g_snprintf (head, sizeof head, "%smid_block.resnets.%d.", side, j - 1);
    return vae_rest (FALSE, vae_resnet, G_N_ELEMENTS (vae_resnet), head, at, out);
  }
  if (take (&at, "mid.attn_1.")) {
    g_snprintf (head, sizeof head, "%smid_block.attentions.0.", side);
    return TRANSLATE (vae_attention, FALSE, head, at, out);
  }
  if (!take (&at, encoder ? "down." : "up."))
    return vae_rest (FALSE, vae_top, G_N_ELEMENTS (vae_top), side, at, out);
  if (!take_number (&at, &i) || i >= s->levels)
    return FALSE;
  if (!encoder)
    i = s->levels - 1 - i;
  const char *way = encoder ? "down" : "up";
  if (take (&at, "block.")) {
    if (!take_number (&at, &j))
      return FALSE;
    g_snprintf (head, sizeof head, "%s%s_blocks.%d.resnets.%d.", side, way, i, j);
    return vae_rest (FALSE, vae_resnet, G_N_ELEMENTS (vae_resnet), head, at, out);
  }
  if (!take (&at, encoder ? "downsample." : "upsample."))
    return FALSE;
  g_snprintf (head, sizeof head, "%s%s_blocks.%d.%ssamplers.0.", side, way, i, way);
  return join (out, head, at);
}

/* Replaces one inner part of a name; FALSE when it has none of them. */
static gboolean
replace_inner (const Pair *pairs, size_t n, gboolean to_theirs, const char *name, char *out)
{
  for (size_t i = 0; i < n; i++) {
    const char *from = to_theirs ? pairs[i].ours : pairs[i].theirs, *found = strstr (name, from);
    if (found)
      return g_snprintf (out, PMT_NAME_SIZE, "%.*s%s%s", (int) (found - name), name, to_theirs ? pairs[i].theirs : pairs[i].ours,
                         found + strlen (from))
             < PMT_NAME_SIZE;
  }
  return FALSE;
}

/* ---- the doors -------------------------------------------------------------------------------------------------------- */

int
pmt_spelling_candidates (const PmtSpelling *s, const char *canonical, char out[PMT_NAME_SPELLINGS][PMT_NAME_SIZE])
{
  const char *at = canonical;

  if (s->names == PMT_NAMES_OPEN_CLIP)
    return open_clip_candidates (canonical, out);
  if (s->ldm && s->names == PMT_NAMES_CONTROLNET && controlnet_own_to_ldm (canonical, out[0]))
    return 1;
  if (s->ldm && (s->names == PMT_NAMES_UNET || s->names == PMT_NAMES_CONTROLNET))
    return unet_to_ldm (s, canonical, out);
  if (s->ldm && s->names == PMT_NAMES_VAE)
    return vae_to_ldm (s, canonical, out[0]);
  if (!join (out[0], "", canonical))
    return 0;
  if (s->names == PMT_NAMES_VAE && strstr (canonical, ".attentions.")
      && replace_inner (vae_old_attention, G_N_ELEMENTS (vae_old_attention), TRUE, canonical, out[1]))
    return 2;
  /* transformers 5.6 and later save the text model without its outer name; so do some merged checkpoints. */
  if (s->names == PMT_NAMES_CLIP_TEXT && take (&at, "text_model."))
    return 1 + join (out[1], "", at);
  return 1;
}

int
pmt_spelling_canonical (const PmtSpelling *s, const char *stored, char out[PMT_NAME_SPELLINGS][PMT_NAME_SIZE])
{
  if (s->names == PMT_NAMES_OPEN_CLIP)
    return open_clip_canonical (stored, out);
  if (s->ldm && s->names == PMT_NAMES_CONTROLNET && controlnet_own_from_ldm (stored, out[0]))
    return 1;
  if (s->ldm && (s->names == PMT_NAMES_UNET || s->names == PMT_NAMES_CONTROLNET))
    return unet_from_ldm (s, stored, out[0]);
  if (s->ldm && s->names == PMT_NAMES_VAE)
    return vae_from_ldm (s, stored, out[0]);
  if (s->names == PMT_NAMES_CLIP_TEXT) {
    if (g_str_has_suffix (stored, "position_ids") || strcmp (stored, "logit_scale") == 0)
      return 0;
    if (g_str_has_prefix (stored, "embeddings.") || g_str_has_prefix (stored, "encoder.")
        || g_str_has_prefix (stored, "final_layer_norm."))
      return join (out[0], "text_model.", stored);
  }
  if (s->names == PMT_NAMES_VAE && strstr (stored, ".attentions.")
      && replace_inner (vae_old_attention, G_N_ELEMENTS (vae_old_attention), FALSE, stored, out[0]))
    return 1;
  return join (out[0], "", stored);
}
