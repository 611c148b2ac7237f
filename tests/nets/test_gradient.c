/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Networks are made of operations only, so a tape sees through them: the gradient of a projection of the output, by what goes in, against
 * central differences along random directions. */
#include <math.h>

#include "engine/nets/unet.h"
#include "engine/nets/vae.h"
#include "engine/ops/ops.h"
#include "engine/tensor/tape.h"
#include "tests/nets/nets_case.h"

/* f32 forward passes leave about three digits in a difference. */
#define GRADIENT_TOLERANCE 5e-3
#define STEP 5e-3f

typedef struct Subject {
  PmtUnet *unet;
  PmtVae *vae;
  const float *timesteps;
  bool encodes;
  PmtTensor input[2]; /* sample and text; latents; or pictures */
  int n_inputs;
  const PmtTaps *taps;
} Subject;

static PmtTensor
forward (PmtContext *ctx, const Subject *s, const PmtTensor *input)
{
  PmtUnetInput in = { .sample = input[0], .timesteps = s->timesteps, .context = input[1] };
  if (s->encodes)
    return pmt_vae_encode (ctx, s->vae, input[0]);
  return s->unet ? pmt_unet_forward (ctx, s->unet, &in, s->taps) : pmt_vae_decode (ctx, s->vae, input[0]);
}

static double
dot (PmtTensor a, PmtTensor b)
{
  double sum = 0.0;
  g_assert_true (pmt_shape_equal (&a.shape, &b.shape));
  for (int64_t i = 0; i < pmt_tensor_size (a); i++)
    sum += (double) a.data[i] * (double) b.data[i];
  return sum;
}

static double
projected (PmtContext *ctx, const Subject *s, int which, PmtTensor direction, float step, PmtTensor weights)
{
  PmtTensor input[2] = { s->input[0], s->input[1] };
  input[which] = pmt_add (ctx, input[which], pmt_scale (ctx, direction, step));
  PmtTensor out = forward (ctx, s, input);
  nets_context_check (ctx);
  return dot (out, weights);
}

static void
check (PmtContext *ctx, const Subject *s)
{
  PmtTensor plain = forward (ctx, s, s->input);
  nets_context_check (ctx);
  PmtTensor weights = nets_random (ctx, plain.shape, 21), leaf[2];
  ctx->tape = pmt_tape_new ();
  for (int i = 0; i < 2; i++)
    leaf[i] = i < s->n_inputs ? pmt_tape_leaf (ctx->tape, s->input[i]) : PMT_NO_TENSOR;
  PmtTensor out = forward (ctx, s, leaf);
  nets_context_check (ctx);
  g_assert_true (nets_same_bytes (out, plain));
  pmt_tape_backward (ctx, out, weights);
  nets_context_check (ctx);
  PmtTensor gradient[2];
  for (int i = 0; i < s->n_inputs; i++)
    gradient[i] = pmt_tape_gradient (ctx->tape, leaf[i]);
  PmtTape *tape = ctx->tape;
  ctx->tape = NULL;
  for (int i = 0; i < s->n_inputs; i++) {
    g_assert_nonnull (gradient[i].data);
    /* Along the gradient itself, where the difference is largest, and along a random direction. */
    double size = sqrt (dot (gradient[i], gradient[i]));
    PmtTensor along = pmt_scale (ctx, gradient[i], (float) (1.0 / size));
    PmtTensor random = nets_random (ctx, s->input[i].shape, 31 + (uint64_t) i);
    PmtTensor directions[] = { along, pmt_scale (ctx, random, (float) (1.0 / sqrt (dot (random, random)))) };
    for (size_t d = 0; d < G_N_ELEMENTS (directions); d++) {
      double up = projected (ctx, s, i, directions[d], STEP, weights), down = projected (ctx, s, i, directions[d], -STEP, weights);
      double differences = (up - down) / (2.0 * (double) STEP), claimed = dot (gradient[i], directions[d]);
      g_test_message ("input %d: gradient %.6g, differences %.6g, of %.4g at most", i, claimed, differences, size);
      g_assert_cmpfloat (fabs (claimed - differences), <=, GRADIENT_TOLERANCE * size);
    }
  }
  pmt_tape_free (tape);
}

static unsigned
wants_probs (void *user, const PmtAttnSite *site)
{
  return PMT_ATTN_PROBS;
}

static void
look_on (void *user, PmtContext *ctx, PmtAttnStage stage, PmtAttnCall *call)
{
  g_assert_cmpint (call->probs.node != 0, ==, ctx->tape != NULL);
}

static void
test_unet (gconstpointer with_taps)
{
  GError *error = NULL;
  PmtUnetConfig config;
  NetsCase *nets = nets_case_open ("unet-middle", "diffusion_pytorch_model", PMT_NAMES_UNET);
  g_assert_true (pmt_unet_config_parse (nets->config, nets->file, &config, &error));
  PmtTaps taps = { .attn_wants = wants_probs, .attn = look_on };
  Subject subject = { .unet = pmt_unet_new (&config, nets->weights, NULL, &error), .n_inputs = 2, .taps = with_taps ? &taps : NULL };
  g_assert_no_error (error);
  PmtContext *ctx = nets_context_new (false);
  subject.timesteps = nets_read (ctx, nets, "timestep").data;
  subject.input[0] = nets_read (ctx, nets, "sample");
  subject.input[1] = nets_read (ctx, nets, "encoder_hidden_states");
  check (ctx, &subject);
  nets_context_free (ctx);
  pmt_unet_free (subject.unet);
  nets_case_close (nets);
}

static void
test_vae (void)
{
  GError *error = NULL;
  PmtVaeConfig config;
  NetsCase *nets = nets_case_open ("vae-plain", "diffusion_pytorch_model", PMT_NAMES_VAE);
  g_assert_true (pmt_vae_config_parse (nets->config, nets->file, &config, &error));
  Subject subject = { .vae = pmt_vae_new (&config, nets->weights, NULL, &error), .n_inputs = 1 };
  g_assert_no_error (error);
  PmtContext *ctx = nets_context_new (false);
  subject.input[0] = nets_read (ctx, nets, "latents");
  check (ctx, &subject);

  subject.encodes = true;
  subject.input[0] = nets_read (ctx, nets, "pictures");
  check (ctx, &subject);

  /* In tiles it says so instead of giving no gradient. */
  ctx->tape = pmt_tape_new ();
  PmtTensor pictures = pmt_tape_leaf (ctx->tape, nets_random (ctx, PMT_SHAPE4 (1, 64, 64, 3), 5));
  g_assert_null (pmt_vae_encode_tiled (ctx, subject.vae, pictures).data);
  g_assert_true (pmt_context_take_error (ctx, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED);
  g_clear_error (&error);
  pmt_tape_free (ctx->tape);
  ctx->tape = NULL;
  nets_context_free (ctx);
  pmt_vae_free (subject.vae);
  nets_case_close (nets);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/nets/gradient/unet/fused", NULL, test_unet);
  g_test_add_data_func ("/nets/gradient/unet/tapped", "taps", test_unet);
  g_test_add_func ("/nets/gradient/vae", test_vae);
  return g_test_run ();
}
