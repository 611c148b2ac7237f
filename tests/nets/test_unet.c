/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The UNet against diffusers' outputs, and what it promises about rows, dry runs, cancelling and bad input. */
#include <string.h>

#include "engine/nets/time_embedding.h"
#include "engine/nets/unet.h"
#include "tests/nets/nets_case.h"

static const char *const names[] = { "unet-sd1",      "unet-sd2-odd",  "unet-deep",     "unet-fill",
                                     "unet-middle",   "unet-edit-odd", "unet-fill-deep", "unet-sdxl",
                                     "unet-refiner",  "unet-lcm" };

static NetsCase *
open_case (const char *name)
{
  return nets_case_open (name, "diffusion_pytorch_model", PMT_NAMES_UNET);
}

static PmtUnet *
load (const NetsCase *nets)
{
  GError *error = NULL;
  PmtUnetConfig config;
  pmt_unet_config_parse (nets->config, nets->file, &config, &error);
  g_assert_no_error (error);
  PmtUnet *unet = pmt_unet_new (&config, nets->weights, NULL, &error);
  g_assert_no_error (error);
  return unet;
}

static PmtUnetInput
read_input (PmtContext *ctx, const NetsCase *nets)
{
  PmtUnetInput input = { .sample = nets_read (ctx, nets, "sample"), .timesteps = nets_read (ctx, nets, "timestep").data,
                         .context = nets_read (ctx, nets, "encoder_hidden_states") };
  if (nets_has (nets, "text_embeds")) {
    input.text_embeds = nets_read (ctx, nets, "text_embeds");
    input.time_ids = nets_read (ctx, nets, "time_ids");
  }
  if (nets_has (nets, "timestep_cond"))
    input.timestep_cond = nets_read (ctx, nets, "timestep_cond");
  return input;
}

static void
test_parity (gconstpointer name)
{
  NetsCase *nets = open_case (name);
  PmtUnet *unet = load (nets);
  PmtContext *ctx = nets_context_new (false);
  PmtUnetInput input = read_input (ctx, nets);
  nets_compare (ctx, nets, "out", pmt_unet_forward (ctx, unet, &input, NULL));
  nets_context_free (ctx);
  pmt_unet_free (unet);
  nets_case_close (nets);
}

/* Four rows, each with its own time and text, give alone what they give in batches of two, three and four. */
static void
test_rows (gconstpointer name)
{
  NetsCase *nets = open_case (name);
  PmtUnet *unet = load (nets);
  const PmtUnetConfig *config = pmt_unet_config (unet);
  PmtContext *ctx = nets_context_new (false);
  const float times[4] = { 900.0f, 11.0f, 411.5f, 0.0f };
  PmtTensor sample = nets_random (ctx, PMT_SHAPE4 (4, 13, 9, config->in_channels), 1);
  PmtTensor text = nets_random (ctx, PMT_SHAPE3 (4, 6, config->cross_attention_dim), 2);
  PmtTensor alone[4];
  for (int row = 0; row < 4; row++) {
    PmtUnetInput input = { pmt_tensor_rows (sample, row, 1), times + row, pmt_tensor_rows (text, row, 1) };
    alone[row] = pmt_unet_forward (ctx, unet, &input, NULL);
    nets_context_check (ctx);
  }
  g_assert_false (nets_same_bytes (alone[0], alone[1]));
  for (int rows = 2; rows <= 4; rows++) {
    PmtUnetInput input = { pmt_tensor_rows (sample, 0, rows), times, pmt_tensor_rows (text, 0, rows) };
    PmtTensor together = pmt_unet_forward (ctx, unet, &input, NULL);
    nets_context_check (ctx);
    for (int row = 0; row < rows; row++)
      g_assert_true (nets_same_bytes (pmt_tensor_rows (together, row, 1), alone[row]));
  }
  nets_context_free (ctx);
  pmt_unet_free (unet);
  nets_case_close (nets);
}

/* A network without weights in a dry context counts the memory and the operations of the real one, and touches nothing. */
static void
test_dry (gconstpointer name)
{
  GError *error = NULL;
  NetsCase *nets = open_case (name);
  PmtUnet *unet = load (nets);
  PmtUnet *hollow = pmt_unet_new (pmt_unet_config (unet), NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (pmt_unet_weight_bytes (hollow), ==, pmt_unet_weight_bytes (unet));

  PmtContext *ctx = nets_context_new (false), *dry = nets_context_new (true);
  PmtUnetInput input = read_input (ctx, nets);
  size_t before = pmt_arena_used (ctx->step), before_dry = pmt_arena_used (dry->step);
  PmtTensor out = pmt_unet_forward (ctx, unet, &input, NULL);
  PmtTensor planned = pmt_unet_forward (dry, hollow, &input, NULL);
  nets_context_check (ctx);
  nets_context_check (dry);
  g_assert_true (pmt_shape_equal (&out.shape, &planned.shape));
  g_assert_cmpfloat (dry->flops, ==, ctx->flops);
  g_assert_cmpfloat (ctx->flops, >, 1e6);
  g_assert_cmpuint (pmt_arena_peak (dry->step) - before_dry, ==, pmt_arena_peak (ctx->step) - before);
  /* Only the output is left. */
  g_assert_cmpuint (pmt_arena_used (ctx->step) - before, <, (size_t) pmt_tensor_size (out) * sizeof (float) + 256);

  /* Outside a dry context a network without weights is an error, not a crash. */
  pmt_unet_forward (ctx, hollow, &input, NULL);
  g_assert_true (pmt_context_take_error (ctx, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INTERNAL);
  g_clear_error (&error);
  nets_context_free (dry);
  nets_context_free (ctx);
  pmt_unet_free (hollow);
  pmt_unet_free (unet);
  nets_case_close (nets);
}

/* The embedding of guidance scales, and a network that takes it and is not given it. */
static void
test_guidance (void)
{
  NetsCase *nets = open_case ("unet-lcm");
  PmtUnet *unet = load (nets);
  PmtContext *ctx = nets_context_new (false);
  PmtUnetInput input = read_input (ctx, nets);
  PmtTensor w = nets_read (ctx, nets, "w");
  nets_compare (ctx, nets, "timestep_cond",
                pmt_guidance_embedding (ctx, w.data, w.shape.dim[0], pmt_unet_config (unet)->time_cond_proj_dim));
  input.timestep_cond = PMT_NO_TENSOR;
  nets_compare (ctx, nets, "out_untold", pmt_unet_forward (ctx, unet, &input, NULL));
  nets_context_free (ctx);
  pmt_unet_free (unet);
  nets_case_close (nets);
}

static void
assert_refused (PmtContext *ctx, PmtUnet *unet, const PmtUnetInput *input, const char *says)
{
  GError *error = NULL;
  g_assert_null (pmt_unet_forward (ctx, unet, input, NULL).data);
  g_assert_true (pmt_context_take_error (ctx, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
  if (!strstr (error->message, says))
    g_error ("'%s' does not say '%s'", error->message, says);
  g_clear_error (&error);
}

/* Added conditions that are missing, too many, or of another model. */
static void
test_wrong_conditions (void)
{
  NetsCase *nets = open_case ("unet-sdxl"), *plain_case = open_case ("unet-sd1");
  PmtUnet *unet = load (nets), *plain = load (plain_case);
  PmtContext *ctx = nets_context_new (false);
  PmtUnetInput good = read_input (ctx, nets), bad = good, other = read_input (ctx, plain_case);
  bad.text_embeds = PMT_NO_TENSOR;
  assert_refused (ctx, unet, &bad, "was given a pooled text of 0 and 6 time ids");
  bad = good;
  bad.time_ids = nets_random (ctx, PMT_SHAPE2 (2, 5), 5);
  assert_refused (ctx, unet, &bad, "6 numbers each, 46 in all, and was given a pooled text of 10 and 5 time ids");
  bad = good;
  bad.time_ids = pmt_tensor_rows (good.time_ids, 0, 1);
  assert_refused (ctx, unet, &bad, "time ids");
  bad = good;
  bad.timestep_cond = nets_random (ctx, PMT_SHAPE2 (2, 32), 6);
  assert_refused (ctx, unet, &bad, "takes no guidance embedding");
  other.text_embeds = good.text_embeds;
  assert_refused (ctx, plain, &other, "takes no pooled text");
  nets_compare (ctx, nets, "out", pmt_unet_forward (ctx, unet, &good, NULL));
  nets_context_free (ctx);
  pmt_unet_free (plain);
  pmt_unet_free (unet);
  nets_case_close (plain_case);
  nets_case_close (nets);
}

typedef struct Countdown {
  PmtCancel *cancel;
  int left, seen;
} Countdown;

static void
count_down (void *user, const PmtContext *ctx)
{
  Countdown *count = user;
  count->seen++;
  if (--count->left == 0)
    pmt_cancel_request (count->cancel);
}

static void
test_cancel (void)
{
  GError *error = NULL;
  NetsCase *nets = open_case ("unet-fill");
  PmtUnet *unet = load (nets);
  PmtCancel cancel = { false };
  Countdown count = { &cancel, 20, 0 };
  PmtContext *ctx = nets_context_new (false);
  PmtUnetInput input = read_input (ctx, nets);
  ctx->cancel = &cancel;
  ctx->on_op = count_down;
  ctx->on_op_user = &count;
  g_assert_null (pmt_unet_forward (ctx, unet, &input, NULL).data);
  g_assert_true (pmt_context_take_error (ctx, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_cmpint (count.seen, <=, 21);

  /* Loading looks at the flag too. */
  g_assert_null (pmt_unet_new (pmt_unet_config (unet), nets->weights, &cancel, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_CANCELLED);
  g_clear_error (&error);
  nets_context_free (ctx);
  pmt_unet_free (unet);
  nets_case_close (nets);
}

static void
test_wrong_weights (void)
{
  GError *error = NULL;
  NetsCase *nets = open_case ("unet-fill");
  PmtUnetConfig config;
  g_assert_true (pmt_unet_config_parse (nets->config, nets->file, &config, &error));
  config.layers_per_block = 2;
  g_assert_null (pmt_unet_new (&config, nets->weights, NULL, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_NOT_FOUND);
  g_assert_nonnull (strstr (error->message, "down_blocks.0.resnets.1."));
  g_clear_error (&error);
  config.layers_per_block = 1;
  config.in_channels = 4;
  g_assert_null (pmt_unet_new (&config, nets->weights, NULL, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_FORMAT);
  g_assert_nonnull (strstr (error->message, "conv_in.weight"));
  g_clear_error (&error);
  nets_case_close (nets);
}

static void
test_wrong_input (void)
{
  GError *error = NULL;
  NetsCase *nets = open_case ("unet-sd1");
  PmtUnet *unet = load (nets);
  PmtContext *ctx = nets_context_new (false);
  PmtUnetInput good = read_input (ctx, nets), bad[4];
  for (size_t i = 0; i < G_N_ELEMENTS (bad); i++)
    bad[i] = good;
  bad[0].sample = nets_random (ctx, PMT_SHAPE4 (2, 16, 16, 9), 3);
  bad[1].context = nets_random (ctx, PMT_SHAPE3 (2, 7, 13), 4);
  bad[2].context = pmt_tensor_rows (good.context, 0, 1);
  bad[3].sample = PMT_NO_TENSOR;
  for (size_t i = 0; i < G_N_ELEMENTS (bad); i++) {
    g_assert_null (pmt_unet_forward (ctx, unet, &bad[i], NULL).data);
    g_assert_true (pmt_context_take_error (ctx, &error));
    g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
    g_clear_error (&error);
  }
  nets_compare (ctx, nets, "out", pmt_unet_forward (ctx, unet, &good, NULL));
  nets_context_free (ctx);
  pmt_unet_free (unet);
  nets_case_close (nets);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *path = g_strconcat ("/nets/unet/parity/", names[i], NULL);
    g_test_add_data_func (path, names[i], test_parity);
  }
  g_test_add_data_func ("/nets/unet/rows/convolutional", "unet-sd1", test_rows);
  g_test_add_data_func ("/nets/unet/rows/linear", "unet-deep", test_rows);
  g_test_add_data_func ("/nets/unet/dry/even", "unet-sd1", test_dry);
  g_test_add_data_func ("/nets/unet/dry/odd", "unet-middle", test_dry);
  g_test_add_data_func ("/nets/unet/dry/added", "unet-refiner", test_dry);
  g_test_add_data_func ("/nets/unet/dry/guidance", "unet-lcm", test_dry);
  g_test_add_func ("/nets/unet/guidance", test_guidance);
  g_test_add_func ("/nets/unet/wrong-conditions", test_wrong_conditions);
  g_test_add_func ("/nets/unet/cancel", test_cancel);
  g_test_add_func ("/nets/unet/wrong-weights", test_wrong_weights);
  g_test_add_func ("/nets/unet/wrong-input", test_wrong_input);
  return g_test_run ();
}
