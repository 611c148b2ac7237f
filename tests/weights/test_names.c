/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Single-file names against diffusers' converters: a bijection over every tensor of the networks (make_weights.py). */
#include <string.h>

#include "engine/weights/names.h"
#include "tests/weights/files.h"

typedef struct Case {
  const char *path, *model, *component, *prefix;
  PmtSpelling spelling;
} Case;

static const Case cases[] = {
  { "/names/sd1/unet", "sd1", "unet", "model.diffusion_model.", { PMT_NAMES_UNET, TRUE, 2, 4 } },
  { "/names/sd1/vae", "sd1", "vae", "first_stage_model.", { PMT_NAMES_VAE, TRUE, 2, 4 } },
  { "/names/sd1/text", "sd1", "text_encoder", "cond_stage_model.transformer.", { PMT_NAMES_CLIP_TEXT, TRUE, 0, 0 } },
  { "/names/small/unet", "small", "unet", "model.diffusion_model.", { PMT_NAMES_UNET, TRUE, 1, 3 } },
  { "/names/small/vae", "small", "vae", "first_stage_model.", { PMT_NAMES_VAE, TRUE, 1, 2 } },
  { "/names/small/text", "small", "text_encoder", "cond_stage_model.transformer.", { PMT_NAMES_CLIP_TEXT, TRUE, 0, 0 } },
};

static void
test_case (gconstpointer user)
{
  const Case *c = user;
  JsonArray *names = json_object_get_array_member (json_object_get_object_member (files_names (), c->model), c->component);
  g_autoptr (GHashTable) stored = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  char candidates[PMT_NAME_SPELLINGS][PMT_NAME_SIZE], canonical[PMT_NAME_SPELLINGS][PMT_NAME_SIZE];
  guint n = json_array_get_length (names);

  for (guint i = 0; i < n; i++)
    g_hash_table_add (stored, g_strdup (json_array_get_string_element (json_array_get_array_element (names, i), 1)));
  g_assert_cmpuint (g_hash_table_size (stored), ==, n);
  for (guint i = 0; i < n; i++) {
    JsonArray *item = json_array_get_array_element (names, i);
    const char *ours = json_array_get_string_element (item, 0), *theirs = json_array_get_string_element (item, 1);
    int count = pmt_spelling_candidates (&c->spelling, ours, candidates), found = 0;
    for (int k = 0; k < count; k++) {
      g_autofree char *full = g_strconcat (c->prefix, candidates[k], NULL);
      if (g_hash_table_contains (stored, full)) {
        g_assert_cmpstr (full, ==, theirs);
        found++;
      }
    }
    if (found != 1)
      g_error ("'%s' has %d stored spellings, not one ('%s')", ours, found, theirs);
    g_assert_true (g_str_has_prefix (theirs, c->prefix));
    g_assert_cmpint (pmt_spelling_canonical (&c->spelling, theirs + strlen (c->prefix), canonical), ==, 1);
    g_assert_cmpstr (canonical[0], ==, ours);
  }
}

/* Names that are nobody's, or try to run past a buffer. */
static void
test_strangers (void)
{
  static const char *const unet[] = { "", ".", "down_blocks.", "down_blocks.0", "down_blocks.x.resnets.0.norm1.weight",
                                      "down_blocks.4.resnets.0.norm1.weight", "down_blocks.0.resnets.3.norm1.weight",
                                      "down_blocks.99999999999.resnets.0.norm1.weight", "mid_block.resnets.2.norm1.weight",
                                      "down_blocks.0.resnets.0.norm9.weight", "up_blocks.0.other.0.weight", "encoder.conv_in.weight" };
  static const char *const ldm[] = { "", "input_blocks.", "input_blocks.0.1.x", "input_blocks.1", "input_blocks.99.0.in_layers.0.weight",
                                     "middle_block.3.x", "input_blocks.1.0.other.weight", "output_blocks.0.0.strange" };
  const PmtSpelling spelling = { PMT_NAMES_UNET, TRUE, 2, 4 };
  char candidates[PMT_NAME_SPELLINGS][PMT_NAME_SIZE], canonical[PMT_NAME_SPELLINGS][PMT_NAME_SIZE];
  g_autofree char *tail = g_strnfill (400, 'x'), *longer = g_strconcat ("down_blocks.0.attentions.0.", tail, NULL);

  for (guint i = 0; i < G_N_ELEMENTS (unet); i++)
    g_assert_cmpint (pmt_spelling_candidates (&spelling, unet[i], candidates), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (ldm); i++)
    g_assert_cmpint (pmt_spelling_canonical (&spelling, ldm[i], canonical), ==, 0);
  g_assert_cmpint (pmt_spelling_candidates (&spelling, longer, candidates), ==, 0);
}

/* Spellings of older diffusers and newer transformers. */
static void
test_other_versions (void)
{
  const PmtSpelling vae = { PMT_NAMES_VAE, FALSE, 0, 0 }, text = { PMT_NAMES_CLIP_TEXT, FALSE, 0, 0 };
  static const char *const pairs[][2] = {
    { "encoder.mid_block.attentions.0.to_q.weight", "encoder.mid_block.attentions.0.query.weight" },
    { "encoder.mid_block.attentions.0.to_k.bias", "encoder.mid_block.attentions.0.key.bias" },
    { "decoder.mid_block.attentions.0.to_v.weight", "decoder.mid_block.attentions.0.value.weight" },
    { "decoder.mid_block.attentions.0.to_out.0.bias", "decoder.mid_block.attentions.0.proj_attn.bias" },
  };
  char candidates[PMT_NAME_SPELLINGS][PMT_NAME_SIZE], canonical[PMT_NAME_SPELLINGS][PMT_NAME_SIZE];

  for (guint i = 0; i < G_N_ELEMENTS (pairs); i++) {
    g_assert_cmpint (pmt_spelling_candidates (&vae, pairs[i][0], candidates), ==, 2);
    g_assert_cmpstr (candidates[0], ==, pairs[i][0]);
    g_assert_cmpstr (candidates[1], ==, pairs[i][1]);
    g_assert_true (pmt_spelling_canonical (&vae, pairs[i][1], canonical));
    g_assert_cmpstr (canonical[0], ==, pairs[i][0]);
  }
  g_assert_cmpint (pmt_spelling_candidates (&text, "text_model.final_layer_norm.bias", candidates), ==, 2);
  g_assert_cmpstr (candidates[1], ==, "final_layer_norm.bias");
  g_assert_true (pmt_spelling_canonical (&text, "encoder.layers.0.mlp.fc1.bias", canonical));
  g_assert_cmpstr (canonical[0], ==, "text_model.encoder.layers.0.mlp.fc1.bias");
  g_assert_false (pmt_spelling_canonical (&text, "text_model.embeddings.position_ids", canonical));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    g_test_add_data_func (cases[i].path, &cases[i], test_case);
  g_test_add_func ("/names/strangers", test_strangers);
  g_test_add_func ("/names/other-versions", test_other_versions);
  return g_test_run ();
}
