/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Gradients of whole networks against torch's own (tests/reference/make_gradients.py): the UNet to latent and text, of its output and of
 * attention maps with the network stopped behind the last of them; the autoencoder's two halves; the text encoder to token rows. */
#include <string.h>

#include "engine/nets/clip_text.h"
#include "engine/nets/unet.h"
#include "engine/nets/vae.h"
#include "engine/tensor/tape.h"
#include "tests/nets/nets_case.h"

static PmtSafetensors *stored;

/* "NAME.WHAT" of the stored gradients, in ctx. */
static PmtTensor
read_stored (PmtContext *ctx, const char *name, const char *what)
{
  g_autofree char *key = g_strdup_printf ("%s.%s", name, what);
  NetsCase view = { .io = stored };
  return nets_read (ctx, &view, key);
}

static void
compare (PmtContext *ctx, const char *name, const char *what, PmtTensor got)
{
  nets_context_check (ctx);
  g_assert_nonnull (got.data);
  const double off = nets_difference (got, read_stored (ctx, name, what));
  g_test_message ("%s.%s: %.2e", name, what, off);
  g_assert_cmpfloat (off, <, NETS_TOLERANCE);
}

/* ---- UNet -------------------------------------------------------------------------------------------------------------- */

typedef struct Probes {
  PmtTensor mid, up; /* probabilities */
  int after;         /* attentions asked about after the second was seen */
} Probes;

static bool
is_mid (const PmtAttnSite *site)
{
  return site->place == PMT_PLACE_MID && site->cross && site->depth == 0;
}

static unsigned
wants (void *user, const PmtAttnSite *site)
{
  Probes *probes = user;
  probes->after += probes->up.data && site->layer > 0;
  return is_mid (site) || (site->place == PMT_PLACE_UP && !site->cross && !probes->up.data) ? PMT_ATTN_PROBS : 0;
}

static void
attn (void *user, PmtContext *ctx, PmtAttnStage stage, PmtAttnCall *call)
{
  Probes *probes = user;
  *(is_mid (call->site) ? &probes->mid : &probes->up) = call->probs;
}

static bool
seen (void *user)
{
  return ((Probes *) user)->up.data != NULL;
}

static PmtUnetInput
read_input (PmtContext *ctx, NetsCase *nets)
{
  PmtUnetInput in = { .sample = pmt_tape_leaf (ctx->tape, nets_read (ctx, nets, "sample")),
                      .context = pmt_tape_leaf (ctx->tape, nets_read (ctx, nets, "encoder_hidden_states")),
                      .timesteps = nets_read (ctx, nets, "timestep").data };
  if (nets_has (nets, "text_embeds")) {
    in.text_embeds = nets_read (ctx, nets, "text_embeds");
    in.time_ids = nets_read (ctx, nets, "time_ids");
  }
  return in;
}

static void
test_unet (gconstpointer name)
{
  GError *error = NULL;
  PmtUnetConfig config;
  NetsCase *nets = nets_case_open (name, "diffusion_pytorch_model", PMT_NAMES_UNET);
  g_assert_true (pmt_unet_config_parse (nets->config, nets->file, &config, &error));
  PmtUnet *unet = pmt_unet_new (&config, nets->weights, NULL, &error);
  g_assert_no_error (error);
  for (int maps = 0; maps < 2; maps++) {
    PmtContext *ctx = nets_context_new (false);
    PmtTape *tape = ctx->tape = pmt_tape_new ();
    PmtUnetInput in = read_input (ctx, nets);
    Probes probes = { PMT_NO_TENSOR, PMT_NO_TENSOR, 0 };
    const PmtTaps taps = { .user = &probes, .attn_wants = wants, .attn = attn, .seen = seen };
    PmtTensor out = pmt_unet_forward (ctx, unet, &in, maps ? &taps : NULL);
    nets_context_check (ctx);
    if (maps) {
      g_assert_null (out.data);
      g_assert_cmpint (probes.after, ==, 0);
      const PmtTensor of[] = { probes.mid, probes.up };
      const PmtTensor seeds[] = { pmt_tensor_view (read_stored (ctx, name, "map0"), probes.mid.shape),
                                  pmt_tensor_view (read_stored (ctx, name, "map1"), probes.up.shape) };
      pmt_tape_backward_several (ctx, of, seeds, 2);
    } else {
      pmt_tape_backward (ctx, out, read_stored (ctx, name, "weights"));
    }
    ctx->tape = NULL;
    compare (ctx, name, maps ? "sample.maps" : "sample", pmt_tape_gradient (tape, in.sample));
    compare (ctx, name, maps ? "context.maps" : "context", pmt_tape_gradient (tape, in.context));
    pmt_tape_free (tape);
    nets_context_free (ctx);
  }
  pmt_unet_free (unet);
  nets_case_close (nets);
}

/* ---- autoencoder ------------------------------------------------------------------------------------------------------- */

static void
test_vae (gconstpointer name)
{
  GError *error = NULL;
  PmtVaeConfig config;
  NetsCase *nets = nets_case_open (name, "diffusion_pytorch_model", PMT_NAMES_VAE);
  g_assert_true (pmt_vae_config_parse (nets->config, nets->file, &config, &error));
  PmtVae *vae = pmt_vae_new (&config, nets->weights, NULL, &error);
  g_assert_no_error (error);
  PmtContext *ctx = nets_context_new (false);
  PmtTape *tape = ctx->tape = pmt_tape_new ();
  PmtTensor latents = pmt_tape_leaf (tape, nets_read (ctx, nets, "latents"));
  pmt_tape_backward (ctx, pmt_vae_decode (ctx, vae, latents), read_stored (ctx, name, "decoded"));
  compare (ctx, name, "latents", pmt_tape_gradient (tape, latents));

  PmtTensor pictures = pmt_tape_leaf (tape, nets_read (ctx, nets, "pictures"));
  PmtTensor moments = pmt_vae_encode (ctx, vae, pictures);
  PmtTensor drawn = pmt_vae_sample (ctx, vae, moments, read_stored (ctx, name, "noise"), true);
  nets_context_check (ctx);
  const PmtTensor of[] = { moments, drawn }, seeds[] = { read_stored (ctx, name, "moments"), read_stored (ctx, name, "drawn") };
  pmt_tape_backward_several (ctx, of, seeds, 2);
  compare (ctx, name, "pictures", pmt_tape_gradient (tape, pictures));
  ctx->tape = NULL;
  pmt_tape_free (tape);
  nets_context_free (ctx);
  pmt_vae_free (vae);
  nets_case_close (nets);
}

/* ---- text encoder ------------------------------------------------------------------------------------------------------ */

/* Every word but the ends is a learned one whose vector is the table's own: what comes back for it is the table's gradient. */
static void
test_text (gconstpointer name)
{
  GError *error = NULL;
  PmtClipTextConfig config;
  NetsCase *nets = nets_case_open (name, "model", PMT_NAMES_CLIP_TEXT);
  g_assert_true (pmt_clip_text_config_parse (nets->config, nets->file, &config, &error));
  PmtClipText *text = pmt_clip_text_new (&config, nets->weights, NULL, &error);
  g_assert_no_error (error);
  PmtContext *ctx = nets_context_new (false);
  int64_t rows, tokens;
  g_autofree int32_t *ids = nets_read_ids (nets, "ids", &rows, &tokens), *learned_ids = g_new (int32_t, rows * tokens);
  const PmtWeightPool *pool = pmt_clip_text_weights (text);
  PmtTensor table = pmt_tensor_new (ctx, PMT_SHAPE2 (config.vocab_size, config.hidden));
  pmt_weight_pool_read (pool, pmt_weight_pool_find (pool, "text_model.embeddings.token_embedding.weight"), table.data);
  /* The place of the pooled vector is found by id, so the ends keep theirs. */
  const bool by_largest = config.eos_token_id == 2;
  int32_t end = config.eos_token_id;
  for (int64_t i = 0; i < rows * tokens && by_largest; i++)
    end = MAX (end, ids[i]);
  int words = 0;
  for (int64_t i = 0; i < rows * tokens; i++) {
    const bool keeps = ids[i] == end || (by_largest && ids[i] == ids[0]);
    learned_ids[i] = keeps ? ids[i] : config.vocab_size + ids[i];
    words += !keeps;
  }
  g_assert_cmpint (words, >, 8);
  PmtTape *tape = ctx->tape = pmt_tape_new ();
  PmtTensor learned = pmt_tape_leaf (tape, table);
  PmtClipTextOutput out = pmt_clip_text_forward_learned (ctx, text, learned, learned_ids, rows, tokens, 0, true);
  nets_context_check (ctx);
  const PmtTensor of[] = { out.hidden, out.pooled }, seeds[] = { read_stored (ctx, name, "hidden"), read_stored (ctx, name, "pooled") };
  pmt_tape_backward_several (ctx, of, seeds, 2);
  nets_context_check (ctx);
  PmtTensor got = pmt_tape_gradient (tape, learned), want = read_stored (ctx, name, "rows");
  ctx->tape = NULL;
  /* Rows that kept the table's own ids have no gradient here. */
  for (int64_t i = 0; i < rows * tokens; i++)
    if (learned_ids[i] < config.vocab_size)
      memset (pmt_tensor_rows (want, learned_ids[i], 1).data, 0, (size_t) config.hidden * sizeof (float));
  g_test_message ("%s: %.2e", (const char *) name, nets_difference (got, want));
  g_assert_cmpfloat (nets_difference (got, want), <, NETS_TOLERANCE);
  pmt_tape_free (tape);
  nets_context_free (ctx);
  pmt_clip_text_free (text);
  nets_case_close (nets);
}

int
main (int argc, char **argv)
{
  static const char *const unets[] = { "unet-sd1", "unet-sd2-odd", "unet-sdxl" };
  static const char *const vaes[] = { "vae-three-levels", "vae-plain", "vae-mean-std" };
  static const char *const texts[] = { "text-quick-gelu", "text-projection" };
  g_test_init (&argc, &argv, NULL);
  g_autofree char *path = g_build_filename (g_getenv ("PMT_TEST_DATA"), "gradients.safetensors", NULL);
  GError *error = NULL;
  stored = pmt_safetensors_open (path, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < G_N_ELEMENTS (unets); i++)
    g_test_add_data_func (g_strdup_printf ("/nets/autograd/%s", unets[i]), unets[i], test_unet);
  for (guint i = 0; i < G_N_ELEMENTS (vaes); i++)
    g_test_add_data_func (g_strdup_printf ("/nets/autograd/%s", vaes[i]), vaes[i], test_vae);
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    g_test_add_data_func (g_strdup_printf ("/nets/autograd/%s", texts[i]), texts[i], test_text);
  const int status = g_test_run ();
  pmt_safetensors_free (stored);
  return status;
}
