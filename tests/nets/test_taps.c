/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The taps of nets/taps.h: where they are called, that looking changes nothing, and that what they assign is what flows on. */
#include <string.h>

#include "engine/nets/unet.h"
#include "engine/ops/ops.h"
#include "tests/nets/nets_case.h"

/* Fused and explicit attention are the same sums in another order. */
#define PATH_TOLERANCE 1e-5

typedef struct Fixture {
  NetsCase *nets;
  PmtUnet *unet;
  PmtContext *ctx;
  PmtUnetInput input;
} Fixture;

static void
set_up (Fixture *f, gconstpointer name)
{
  GError *error = NULL;
  PmtUnetConfig config;
  f->nets = nets_case_open (name, "diffusion_pytorch_model", PMT_NAMES_UNET);
  g_assert_true (pmt_unet_config_parse (f->nets->config, f->nets->file, &config, &error));
  f->unet = pmt_unet_new (&config, f->nets->weights, NULL, &error);
  g_assert_no_error (error);
  f->ctx = nets_context_new (false);
  f->input = (PmtUnetInput) { .sample = nets_read (f->ctx, f->nets, "sample"),
                              .timesteps = nets_read (f->ctx, f->nets, "timestep").data,
                              .context = nets_read (f->ctx, f->nets, "encoder_hidden_states") };
}

static void
tear_down (Fixture *f, gconstpointer name)
{
  nets_context_free (f->ctx);
  pmt_unet_free (f->unet);
  nets_case_close (f->nets);
}

static PmtTensor
run (Fixture *f, const PmtTaps *taps)
{
  PmtTensor out = pmt_unet_forward (f->ctx, f->unet, &f->input, taps);
  nets_context_check (f->ctx);
  return out;
}

/* Residual stream */

static bool
resid_all (void *user, const PmtResidSite *site)
{
  return true;
}

static void
add_constant (PmtContext *ctx, PmtTensor *x, float value)
{
  PmtTensor constant = pmt_tensor_new (ctx, x->shape);
  for (int64_t i = 0; i < pmt_tensor_size (constant); i++)
    constant.data[i] = value;
  *x = pmt_add (ctx, *x, constant);
}

/* The constants of residual_outputs in make_nets.py. */
static void
as_control_net (void *user, PmtContext *ctx, const PmtResidSite *site, PmtTensor *x)
{
  if (site->kind == PMT_RESID_SKIP)
    add_constant (ctx, x, 0.05f * (float) (site->index + 1));
  if (site->kind == PMT_RESID_MID)
    add_constant (ctx, x, -0.5f);
}

static void
as_adapter (void *user, PmtContext *ctx, const PmtResidSite *site, PmtTensor *x)
{
  if (site->kind == PMT_RESID_DOWN)
    add_constant (ctx, x, 0.3f - 0.2f * (float) site->level);
}

static void
test_control (Fixture *f, gconstpointer name)
{
  PmtTaps taps = { .resid_wants = resid_all, .resid = as_control_net };
  PmtTensor out = run (f, &taps);
  nets_compare (f->ctx, f->nets, "out_control", out);
  g_assert_cmpfloat (nets_difference (out, nets_read (f->ctx, f->nets, "out")), >, 10 * NETS_TOLERANCE);
}

static void
test_adapter (Fixture *f, gconstpointer name)
{
  PmtTaps taps = { .resid_wants = resid_all, .resid = as_adapter };
  PmtTensor out = run (f, &taps);
  nets_compare (f->ctx, f->nets, "out_adapter", out);
  g_assert_cmpfloat (nets_difference (out, nets_read (f->ctx, f->nets, "out")), >, 10 * NETS_TOLERANCE);
}

typedef struct ResidLog {
  int down, downsampled, mid, up, skip;
} ResidLog;

static void
log_resid (void *user, PmtContext *ctx, const PmtResidSite *site, PmtTensor *x)
{
  ResidLog *log = user;
  g_assert_cmpint (x->shape.rank, ==, 4);
  switch (site->kind) {
    case PMT_RESID_DOWN:
      g_assert_cmpint (site->level, ==, log->down++);
      g_assert_cmpint (log->skip, ==, 0);
      break;
    case PMT_RESID_DOWNSAMPLED:
      g_assert_cmpint (site->level, ==, log->downsampled++);
      g_assert_cmpint (log->downsampled, ==, log->down);
      break;
    case PMT_RESID_JOIN:
      g_assert_cmpint (site->index, ==, 11 - log->skip);
      g_assert_cmpint (site->level, ==, log->up);
      break;
    case PMT_RESID_MID:
      g_assert_cmpint (log->mid++, ==, 0);
      g_assert_cmpint (log->down, ==, 4);
      break;
    case PMT_RESID_SKIP:
      g_assert_cmpint (site->index, ==, 11 - log->skip++);
      g_assert_cmpint (site->level, ==, log->up);
      break;
    case PMT_RESID_UP:
      g_assert_cmpint (site->level, ==, log->up++);
      g_assert_cmpint (log->skip, ==, 3 * log->up);
      break;
  }
}

static void
test_resid_sites (Fixture *f, gconstpointer name)
{
  ResidLog log = { 0 };
  PmtTaps taps = { .user = &log, .resid_wants = resid_all, .resid = log_resid };
  PmtTensor plain = run (f, NULL);
  g_assert_true (nets_same_bytes (run (f, &taps), plain));
  g_assert_cmpint (log.down, ==, 4);
  g_assert_cmpint (log.downsampled, ==, 3);
  g_assert_cmpint (log.mid, ==, 1);
  g_assert_cmpint (log.up, ==, 4);
  g_assert_cmpint (log.skip, ==, 12);
}

/* Attention */

typedef struct AttnTap {
  unsigned wants;
  const PmtUnet *unet;
  const PmtUnetInput *input;
  int calls, asked;
  PmtAttnStage last;
  void (*change) (PmtContext *ctx, PmtAttnStage stage, PmtAttnCall *call);
} AttnTap;

static unsigned
attn_wants (void *user, const PmtAttnSite *site)
{
  AttnTap *tap = user;
  /* Self-attention of block 0, its cross-attention, block 1, …: SD 1.x has 16 blocks. */
  g_assert_cmpint (site->block, ==, tap->asked / 2);
  g_assert_cmpint (site->cross, ==, tap->asked % 2);
  g_autofree char *weight = g_strconcat (site->name, ".to_q.weight", NULL);
  g_assert_cmpint (pmt_weight_pool_find (pmt_unet_weights (tap->unet), weight), !=, PMT_NO_WEIGHT);
  tap->asked++;
  return tap->wants;
}

static void
check_shape (PmtTensor t, int64_t a, int64_t b, int64_t c)
{
  g_assert_nonnull (t.data);
  g_assert_cmpint (t.shape.rank, ==, 3);
  g_assert_cmpint (t.shape.dim[0], ==, a);
  g_assert_cmpint (t.shape.dim[1], ==, b);
  g_assert_cmpint (t.shape.dim[2], ==, c);
}

static void
check_matrix (PmtTensor t, int64_t rows, const PmtAttnSite *site, int64_t tokens, int64_t sources)
{
  g_assert_cmpint (t.shape.rank, ==, 4);
  g_assert_cmpint (t.shape.dim[0], ==, rows);
  g_assert_cmpint (t.shape.dim[1], ==, site->heads);
  g_assert_cmpint (t.shape.dim[2], ==, tokens);
  g_assert_cmpint (t.shape.dim[3], ==, sources);
}

static void
look (void *user, PmtContext *ctx, PmtAttnStage stage, PmtAttnCall *call)
{
  AttnTap *tap = user;
  const PmtAttnSite *site = call->site;
  const PmtTensor text = tap->input->context;
  int64_t rows = text.shape.dim[0], tokens = (int64_t) site->height * site->width;
  int64_t width = call->input.shape.dim[2], sources = site->cross ? text.shape.dim[1] : tokens;
  tap->calls++;
  tap->last = stage;
  check_shape (call->input, rows, tokens, width);
  if (site->cross)
    g_assert_true (call->context.data == text.data);
  else
    g_assert_null (call->context.data);
  if (stage == PMT_ATTN_SOURCES) {
    g_assert_true (call->source_k.data == (site->cross ? text : call->input).data && call->source_v.data == call->source_k.data);
    g_assert_null (call->q.data);
  } else {
    check_shape (call->q, rows, tokens, width);
  }
  if (stage == PMT_ATTN_QKV || (stage != PMT_ATTN_SOURCES && !tap->change)) {
    check_shape (call->k, rows, sources, width);
    check_shape (call->v, rows, sources, width);
  }
  if (stage == PMT_ATTN_LOGITS || stage == PMT_ATTN_PROBS)
    check_matrix (call->logits, rows, site, tokens, call->k.shape.dim[1]);
  if (stage == PMT_ATTN_PROBS)
    check_matrix (call->probs, rows, site, tokens, call->k.shape.dim[1]);
  if (stage == PMT_ATTN_OUT)
    check_shape (call->out, rows, tokens, width);
  if (stage == PMT_ATTN_AFTER)
    check_shape (call->hidden, rows, tokens, width);
  if (tap->change)
    tap->change (ctx, stage, call);
}

static PmtTensor
run_attn (Fixture *f, unsigned wants, void (*change) (PmtContext *, PmtAttnStage, PmtAttnCall *))
{
  AttnTap tap = { .wants = wants, .unet = f->unet, .input = &f->input, .change = change };
  PmtTaps taps = { .user = &tap, .attn_wants = attn_wants, .attn = look };
  PmtTensor out = run (f, &taps);
  int stages = 0;
  for (unsigned left = wants; left; left >>= 1)
    stages += left & 1;
  g_assert_cmpint (tap.asked, ==, 32);
  g_assert_cmpint (tap.calls, ==, 32 * stages);
  return out;
}

#define ALL_STAGES (PMT_ATTN_SOURCES | PMT_ATTN_QKV | PMT_ATTN_LOGITS | PMT_ATTN_PROBS | PMT_ATTN_OUT | PMT_ATTN_AFTER)
#define FUSED_STAGES (PMT_ATTN_SOURCES | PMT_ATTN_QKV | PMT_ATTN_OUT | PMT_ATTN_AFTER)

/* Taps that only look: equal to the bit where attention stays fused, within rounding where it runs in steps. */
static void
test_looking (Fixture *f, gconstpointer name)
{
  PmtTensor plain = run (f, NULL);
  g_assert_true (nets_same_bytes (run_attn (f, 0, NULL), plain));
  g_assert_true (nets_same_bytes (run_attn (f, FUSED_STAGES, NULL), plain));
  PmtTensor steps = run_attn (f, ALL_STAGES, NULL);
  g_test_message ("explicit against fused: %.2e", nets_difference (steps, plain));
  g_assert_cmpfloat (nets_difference (steps, plain), <=, PATH_TOLERANCE);
  g_assert_true (nets_same_bytes (run_attn (f, PMT_ATTN_PROBS, NULL), steps));
}

static void
double_all (PmtContext *ctx, PmtAttnStage stage, PmtAttnCall *call)
{
  if (stage == PMT_ATTN_SOURCES)
    call->source_v = pmt_scale (ctx, call->source_v, 2.0f);
  if (stage == PMT_ATTN_QKV)
    call->v = pmt_scale (ctx, call->v, 2.0f);
  if (stage == PMT_ATTN_PROBS)
    call->probs = pmt_scale (ctx, call->probs, 2.0f);
  if (stage == PMT_ATTN_OUT)
    call->out = pmt_scale (ctx, call->out, 2.0f);
}

/* Doubling what values are made from, values, probabilities or the output is the same thing, exactly, since a power of two only moves exponents. */
static void
test_assigning (Fixture *f, gconstpointer name)
{
  PmtTensor plain = run (f, NULL);
  PmtTensor by_values = run_attn (f, PMT_ATTN_QKV, double_all);
  PmtTensor by_output = run_attn (f, PMT_ATTN_OUT, double_all);
  PmtTensor by_probs = run_attn (f, PMT_ATTN_PROBS, double_all);
  g_assert_cmpfloat (nets_difference (by_values, plain), >, 0.01);
  g_assert_true (nets_same_bytes (by_values, by_output));
  g_assert_true (nets_same_bytes (run_attn (f, PMT_ATTN_SOURCES, double_all), by_output));
  g_assert_cmpfloat (nets_difference (by_probs, by_output), <=, PATH_TOLERANCE);
}

/* Keys and values given twice, side by side, share the attention evenly: nothing changes, though there are twice as many sources. */
static PmtTensor
repeat_sources (PmtContext *ctx, PmtTensor x)
{
  int64_t rows = x.shape.dim[0], each = x.shape.dim[1] * x.shape.dim[2];
  PmtTensor flat = pmt_tensor_view (x, PMT_SHAPE2 (rows, each));
  return pmt_tensor_view (pmt_concat (ctx, flat, flat), PMT_SHAPE3 (rows, 2 * x.shape.dim[1], x.shape.dim[2]));
}

static void
repeat (PmtContext *ctx, PmtAttnStage stage, PmtAttnCall *call)
{
  if (stage != PMT_ATTN_QKV)
    return;
  call->k = repeat_sources (ctx, call->k);
  call->v = repeat_sources (ctx, call->v);
}

static void
raise_logits (PmtContext *ctx, PmtAttnStage stage, PmtAttnCall *call)
{
  if (stage == PMT_ATTN_LOGITS)
    add_constant (ctx, &call->logits, 1.5f);
}

static void
hide_last (PmtContext *ctx, PmtAttnStage stage, PmtAttnCall *call)
{
  if (stage != PMT_ATTN_LOGITS)
    return;
  PmtTensor hidden = pmt_tensor_copy (ctx, call->logits);
  int64_t sources = hidden.shape.dim[3];
  for (int64_t i = sources - 1; i < pmt_tensor_size (hidden); i += sources)
    hidden.data[i] = -1e30f;
  call->logits = hidden;
}

static void
test_sources (Fixture *f, gconstpointer name)
{
  PmtTensor plain = run (f, NULL);
  g_assert_cmpfloat (nets_difference (run_attn (f, PMT_ATTN_QKV, repeat), plain), <=, PATH_TOLERANCE);
  g_assert_cmpfloat (nets_difference (run_attn (f, PMT_ATTN_QKV | PMT_ATTN_PROBS, repeat), plain), <=, PATH_TOLERANCE);
  g_assert_cmpfloat (nets_difference (run_attn (f, PMT_ATTN_LOGITS, raise_logits), plain), <=, PATH_TOLERANCE);
  g_assert_cmpfloat (nets_difference (run_attn (f, PMT_ATTN_LOGITS, hide_last), plain), >, 1e-3);
}

static void
move_after (PmtContext *ctx, PmtAttnStage stage, PmtAttnCall *call)
{
  if (stage == PMT_ATTN_AFTER)
    call->hidden = pmt_add (ctx, call->hidden, call->input);
}

/* hidden is what goes on, residual included: adding the layer-normed input moves the result. */
static void
test_after (Fixture *f, gconstpointer name)
{
  PmtTensor plain = run (f, NULL);
  g_assert_cmpfloat (nets_difference (run_attn (f, PMT_ATTN_AFTER, move_after), plain), >, 0.01);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/nets/taps/control-net/even", Fixture, "unet-sd1", set_up, test_control, tear_down);
  g_test_add ("/nets/taps/control-net/odd", Fixture, "unet-sd2-odd", set_up, test_control, tear_down);
  g_test_add ("/nets/taps/adapter/even", Fixture, "unet-sd1", set_up, test_adapter, tear_down);
  g_test_add ("/nets/taps/adapter/odd", Fixture, "unet-sd2-odd", set_up, test_adapter, tear_down);
  g_test_add ("/nets/taps/resid-sites", Fixture, "unet-sd1", set_up, test_resid_sites, tear_down);
  g_test_add ("/nets/taps/looking/even", Fixture, "unet-sd1", set_up, test_looking, tear_down);
  g_test_add ("/nets/taps/looking/odd", Fixture, "unet-sd2-odd", set_up, test_looking, tear_down);
  g_test_add ("/nets/taps/assigning", Fixture, "unet-sd1", set_up, test_assigning, tear_down);
  g_test_add ("/nets/taps/sources", Fixture, "unet-sd2-odd", set_up, test_sources, tear_down);
  g_test_add ("/nets/taps/after", Fixture, "unet-sd1", set_up, test_after, tear_down);
  return g_test_run ();
}
