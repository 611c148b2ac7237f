/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Asks for sites and changes nothing there. The fused and the explicit attention differ by rounding, so "equal to the plain run, to
 * the bit" is tested against a run with this method on the sites that the tested method asks for. */
#include <string.h>

#include "engine/sample/run.h"

typedef struct State {
  bool self, cross, residual;
  unsigned stages;
  int first, last;
} State;

static const PmtParamChoice attentions[] = {
  { "none", N_("None") }, { "self", N_("Self") }, { "cross", N_("Cross") }, { "all", N_("All") }, { 0 }
};

static const PmtParam params[] = {
  { .id = "attention", .label = N_("_Attention"), .help = N_("Which attentions are asked for"), .type = PMT_PARAM_CHOICE,
    .text = "all", .choices = attentions },
  { .id = "stages", .label = N_("_Stages"), .help = N_("Stages of them, with commas between: qkv, logits, probs, out, after"),
    .type = PMT_PARAM_STRING, .text = "qkv,logits,probs,out,after" },
  { .id = "first-block", .label = N_("_First block"), .help = N_("Number of the first transformer block"), .type = PMT_PARAM_INT,
    .min = 0, .max = 10000, .fallback = 0 },
  { .id = "last-block", .label = N_("_Last block"), .help = N_("Number of the last transformer block"), .type = PMT_PARAM_INT,
    .min = 0, .max = 10000, .fallback = 10000 },
  { .id = "residual", .label = N_("_Residual stream"), .help = N_("Whether the residual stream is asked for too"),
    .type = PMT_PARAM_BOOL, .min = 0, .max = 1, .fallback = 1 },
  { 0 }
};

static gboolean
read_stages (const char *text, unsigned *stages, GError **error)
{
  static const char *const names[] = { "qkv", "logits", "probs", "out", "after" };
  g_auto (GStrv) words = g_strsplit (text, ",", -1);
  *stages = 0;
  for (int i = 0; words[i]; i++) {
    unsigned k = 0;
    while (k < G_N_ELEMENTS (names) && strcmp (g_strstrip (words[i]), names[k]) != 0)
      k++;
    if (k == G_N_ELEMENTS (names)) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                   _("In method noop, \"%s\" is no stage of attention; choose from qkv, logits, probs, out and after."), words[i]);
      return FALSE;
    }
    *stages |= 1u << k;
  }
  return TRUE;
}

static void *
state_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  const char *attention = pmt_param_text (values, "attention");
  unsigned stages;
  if (!read_stages (pmt_param_text (values, "stages"), &stages, error))
    return NULL;
  State *state = g_new0 (State, 1);
  *state = (State) {
    .self = strcmp (attention, "self") == 0 || strcmp (attention, "all") == 0,
    .cross = strcmp (attention, "cross") == 0 || strcmp (attention, "all") == 0,
    .residual = pmt_param_number (values, "residual") != 0,
    .stages = stages,
    .first = (int) pmt_param_number (values, "first-block"),
    .last = (int) pmt_param_number (values, "last-block"),
  };
  return state;
}

static unsigned
attn_wants (void *user, const PmtAttnSite *site)
{
  const State *state = user;
  return site->block >= state->first && site->block <= state->last && (site->cross ? state->cross : state->self) ? state->stages : 0;
}

static void
attn (void *user, PmtRun *run, PmtStep *step, PmtAttnStage stage, PmtAttnCall *call)
{
}

static bool
resid_wants (void *user, const PmtResidSite *site)
{
  return ((State *) user)->residual;
}

static void
resid (void *user, PmtRun *run, PmtStep *step, const PmtResidSite *site, PmtTensor *x)
{
}

const PmtMethod pmt_method_noop = {
  .id = "noop",
  .label = N_("Nothing"),
  .summary = N_("Looks at the network's inside and changes nothing."),
  .params = params,
  .order = 500,
  .internal = true,
  .state_new = state_new,
  .state_free = g_free,
  .attn_wants = attn_wants,
  .attn = attn,
  .resid_wants = resid_wants,
  .resid = resid,
};
