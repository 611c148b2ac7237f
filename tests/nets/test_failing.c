/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whatever operation of a pass is the one that fails, the pass ends with that error and nothing else happens: cancelled before each
 * operation in turn, and with memory for ever more of them. */
#include "engine/nets/clip_text.h"
#include "engine/nets/unet.h"
#include "engine/nets/vae.h"
#include "tests/nets/nets_case.h"

#define MEMORY_STEPS 40
#define PAGES 8192 /* an arena rounds its limit up to whole pages */

typedef struct Subject {
  PmtUnet *unet;
  PmtVae *vae;
  PmtClipText *text;
  const float *timesteps;
  PmtTensor a, b;
  const int32_t *ids;
  int64_t rows, tokens;
} Subject;

static PmtTensor
forward (PmtContext *ctx, const Subject *s)
{
  if (s->unet)
    return pmt_unet_forward (ctx, s->unet, &(PmtUnetInput) { s->a, s->timesteps, s->b }, NULL);
  if (s->vae)
    return pmt_vae_sample (ctx, s->vae, pmt_vae_encode (ctx, s->vae, pmt_vae_decode (ctx, s->vae, s->a)), PMT_NO_TENSOR, true);
  return pmt_clip_text_forward (ctx, s->text, s->ids, s->rows, s->tokens, 1, true).pooled;
}

typedef struct Countdown {
  PmtCancel cancel;
  int left, seen;
} Countdown;

static void
count_down (void *user, const PmtContext *ctx)
{
  Countdown *count = user;
  if (strcmp (ctx->op, "move") == 0) /* not stopped by a cancel */
    return;
  count->seen++;
  if (count->seen == count->left)
    pmt_cancel_request (&count->cancel);
}

static void
check_cancelled (PmtContext *ctx, const Subject *s, PmtTensor wanted)
{
  GError *error = NULL;
  Countdown whole = { .left = -1 };
  PmtFrame frame = pmt_frame_open (ctx);
  ctx->on_op = count_down;
  ctx->on_op_user = &whole;
  g_assert_true (nets_same_bytes (forward (ctx, s), wanted));
  for (int at = 1; at < whole.seen; at++) {
    Countdown count = { .left = at };
    ctx->cancel = &count.cancel;
    ctx->on_op_user = &count;
    g_assert_null (forward (ctx, s).data);
    g_assert_true (pmt_context_take_error (ctx, &error));
    g_assert_error (error, PMT_ERROR, PMT_ERROR_CANCELLED);
    g_clear_error (&error);
    g_assert_cmpint (count.seen, ==, at);
    pmt_frame_close (ctx, frame, PMT_NO_TENSOR);
  }
  g_test_message ("cancelled after each of %d operations", whole.seen - 1);
  ctx->cancel = NULL;
  ctx->on_op = NULL;
}

static void
check_short_of_memory (PmtContext *ctx, const Subject *s, PmtTensor wanted)
{
  GError *error = NULL;
  PmtArena *enough = ctx->step;
  size_t before = pmt_arena_used (enough);
  pmt_arena_reset_peak (enough);
  g_assert_true (nets_same_bytes (forward (ctx, s), wanted));
  size_t peak = pmt_arena_peak (enough) - before;
  g_assert_cmpuint (peak, >, PAGES);
  for (int step = 0; step < MEMORY_STEPS; step++) {
    ctx->step = pmt_arena_new ("small", (peak - PAGES) * (size_t) step / MEMORY_STEPS + 1, &error);
    g_assert_no_error (error);
    g_assert_null (forward (ctx, s).data);
    g_assert_true (pmt_context_take_error (ctx, &error));
    g_assert_error (error, PMT_ERROR, PMT_ERROR_MEMORY);
    g_clear_error (&error);
    pmt_arena_free (ctx->step);
  }
  ctx->step = pmt_arena_new ("enough", peak + PAGES, &error);
  g_assert_no_error (error);
  g_assert_true (nets_same_bytes (forward (ctx, s), wanted));
  pmt_arena_free (ctx->step);
  ctx->step = enough;
}

static void
check (PmtContext *ctx, const Subject *s)
{
  PmtTensor wanted = forward (ctx, s);
  nets_context_check (ctx);
  check_cancelled (ctx, s, wanted);
  check_short_of_memory (ctx, s, wanted);
}

static void
test_unet (void)
{
  GError *error = NULL;
  PmtUnetConfig config;
  NetsCase *nets = nets_case_open ("unet-fill-deep", "diffusion_pytorch_model", PMT_NAMES_UNET);
  g_assert_true (pmt_unet_config_parse (nets->config, nets->file, &config, &error));
  PmtContext *ctx = nets_context_new (false);
  Subject subject = { .unet = pmt_unet_new (&config, nets->weights, NULL, &error) };
  g_assert_no_error (error);
  subject.a = nets_read (ctx, nets, "sample");
  subject.b = nets_read (ctx, nets, "encoder_hidden_states");
  subject.timesteps = nets_read (ctx, nets, "timestep").data;
  check (ctx, &subject);
  pmt_unet_free (subject.unet);
  nets_context_free (ctx);
  nets_case_close (nets);
}

static void
test_vae (void)
{
  GError *error = NULL;
  PmtVaeConfig config;
  NetsCase *nets = nets_case_open ("vae-three-levels", "diffusion_pytorch_model", PMT_NAMES_VAE);
  g_assert_true (pmt_vae_config_parse (nets->config, nets->file, &config, &error));
  PmtContext *ctx = nets_context_new (false);
  Subject subject = { .vae = pmt_vae_new (&config, nets->weights, NULL, &error) };
  g_assert_no_error (error);
  subject.a = nets_read (ctx, nets, "latents");
  check (ctx, &subject);
  pmt_vae_free (subject.vae);
  nets_context_free (ctx);
  nets_case_close (nets);
}

static void
test_text (void)
{
  GError *error = NULL;
  PmtClipTextConfig config;
  NetsCase *nets = nets_case_open ("text-projection", "model", PMT_NAMES_CLIP_TEXT);
  g_assert_true (pmt_clip_text_config_parse (nets->config, nets->file, &config, &error));
  PmtContext *ctx = nets_context_new (false);
  Subject subject = { .text = pmt_clip_text_new (&config, nets->weights, NULL, &error) };
  g_assert_no_error (error);
  g_autofree int32_t *ids = nets_read_ids (nets, "ids", &subject.rows, &subject.tokens);
  subject.ids = ids;
  check (ctx, &subject);
  pmt_clip_text_free (subject.text);
  nets_context_free (ctx);
  nets_case_close (nets);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/nets/failing/unet", test_unet);
  g_test_add_func ("/nets/failing/vae", test_vae);
  g_test_add_func ("/nets/failing/text", test_text);
  return g_test_run ();
}
