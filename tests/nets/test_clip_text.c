/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The text encoder against transformers' outputs: every layer, with and without the final norm, and the pooled vector. */
#include "engine/nets/clip_text.h"
#include "tests/nets/nets_case.h"

static const char *const names[] = { "text-quick-gelu", "text-projection", "text-gelu" };

typedef struct Fixture {
  NetsCase *nets;
  PmtClipText *text;
  PmtContext *ctx;
  int32_t *ids;
  int64_t rows, tokens;
} Fixture;

static void
set_up (Fixture *f, gconstpointer name)
{
  GError *error = NULL;
  PmtClipTextConfig config;
  f->nets = nets_case_open (name, "model", PMT_NAMES_CLIP_TEXT);
  pmt_clip_text_config_parse (f->nets->config, f->nets->file, &config, &error);
  g_assert_no_error (error);
  f->text = pmt_clip_text_new (&config, f->nets->weights, NULL, &error);
  g_assert_no_error (error);
  f->ctx = nets_context_new (false);
  f->ids = nets_read_ids (f->nets, "ids", &f->rows, &f->tokens);
}

static void
tear_down (Fixture *f, gconstpointer name)
{
  g_free (f->ids);
  nets_context_free (f->ctx);
  pmt_clip_text_free (f->text);
  nets_case_close (f->nets);
}

static void
test_layers (Fixture *f, gconstpointer name)
{
  for (int skip = 0; skip < pmt_clip_text_config (f->text)->layers; skip++) {
    g_autofree char *hidden = g_strdup_printf ("hidden.%d", skip), *normed = g_strdup_printf ("normed.%d", skip);
    PmtClipTextOutput out = pmt_clip_text_forward (f->ctx, f->text, f->ids, f->rows, f->tokens, skip, false);
    nets_compare (f->ctx, f->nets, hidden, out.hidden);
    nets_compare (f->ctx, f->nets, "pooled", out.pooled);
    out = pmt_clip_text_forward (f->ctx, f->text, f->ids, f->rows, f->tokens, skip, true);
    nets_compare (f->ctx, f->nets, normed, out.hidden);
    nets_compare (f->ctx, f->nets, "pooled", out.pooled);
  }
  PmtClipTextOutput last = pmt_clip_text_forward (f->ctx, f->text, f->ids, f->rows, f->tokens, 0, true);
  nets_compare (f->ctx, f->nets, "last", last.hidden);
}

static void
test_rows (Fixture *f, gconstpointer name)
{
  PmtClipTextOutput all = pmt_clip_text_forward (f->ctx, f->text, f->ids, f->rows, f->tokens, 1, true);
  for (int64_t row = 0; row < f->rows; row++) {
    PmtClipTextOutput one = pmt_clip_text_forward (f->ctx, f->text, f->ids + row * f->tokens, 1, f->tokens, 1, true);
    nets_context_check (f->ctx);
    g_assert_true (nets_same_bytes (pmt_tensor_rows (all.hidden, row, 1), one.hidden));
    g_assert_true (nets_same_bytes (pmt_tensor_rows (all.pooled, row, 1), one.pooled));
  }
}

static void
test_dry (Fixture *f, gconstpointer name)
{
  GError *error = NULL;
  PmtClipText *hollow = pmt_clip_text_new (pmt_clip_text_config (f->text), NULL, NULL, &error);
  g_assert_no_error (error);
  PmtContext *dry = nets_context_new (true);
  PmtClipTextOutput out = pmt_clip_text_forward (f->ctx, f->text, f->ids, f->rows, f->tokens, 1, true);
  PmtClipTextOutput planned = pmt_clip_text_forward (dry, hollow, f->ids, f->rows, f->tokens, 1, true);
  nets_context_check (f->ctx);
  nets_context_check (dry);
  g_assert_true (pmt_shape_equal (&out.hidden.shape, &planned.hidden.shape));
  g_assert_true (pmt_shape_equal (&out.pooled.shape, &planned.pooled.shape));
  g_assert_cmpfloat (dry->flops, ==, f->ctx->flops);
  g_assert_cmpuint (pmt_arena_peak (dry->step), ==, pmt_arena_peak (f->ctx->step));
  nets_context_free (dry);
  pmt_clip_text_free (hollow);
}

static void
expect_refusal (Fixture *f, const int32_t *ids, int64_t tokens, int skip)
{
  GError *error = NULL;
  g_assert_null (pmt_clip_text_forward (f->ctx, f->text, ids, 1, tokens, skip, true).hidden.data);
  g_assert_true (pmt_context_take_error (f->ctx, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
  g_clear_error (&error);
}

static void
test_wrong_input (Fixture *f, gconstpointer name)
{
  const PmtClipTextConfig *config = pmt_clip_text_config (f->text);
  int32_t ids[64] = { 0 };
  expect_refusal (f, ids, config->max_positions + 1, 0);
  expect_refusal (f, ids, 0, 0);
  expect_refusal (f, ids, 3, config->layers);
  expect_refusal (f, ids, 3, -1);
  ids[2] = config->vocab_size;
  expect_refusal (f, ids, 3, 0);
  ids[2] = -1;
  expect_refusal (f, ids, 3, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *path = g_strconcat ("/nets/clip-text/layers/", names[i], NULL);
    g_test_add (path, Fixture, names[i], set_up, test_layers, tear_down);
  }
  g_test_add ("/nets/clip-text/rows", Fixture, "text-projection", set_up, test_rows, tear_down);
  g_test_add ("/nets/clip-text/dry", Fixture, "text-quick-gelu", set_up, test_dry, tear_down);
  g_test_add ("/nets/clip-text/wrong-input", Fixture, "text-gelu", set_up, test_wrong_input, tear_down);
  return g_test_run ();
}
