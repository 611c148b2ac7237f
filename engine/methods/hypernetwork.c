/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hypernetworks: what the UNet's attentions make keys and values from passes through small networks first, one for keys and one for
 * values per width (nets/hypernetwork.h). Several act one after another, as the request lists them. */
#include <math.h>
#include <string.h>

#include "engine/nets/hypernetwork.h"
#include "engine/sample/run.h"

typedef struct Use {
  const PmtHypernetwork *hyper;
  double strength;
} Use;

typedef struct State {
  Use *uses;
  int n_uses;
} State;

static void *
hyper_open (PmtModel *model, PmtUnetChoice choice, const char *path, GError **error)
{
  PmtHypernetwork *hyper = pmt_hypernetwork_new (path, error);
  const int width = pmt_model_unet_config (model, choice)->cross_attention_dim;
  if (hyper && !pmt_hypernetwork_has_width (hyper, width)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                 _("The hypernetwork '%s' changes no text of width %d, which the model '%s' has; choose one that was made for this model."), path,
                 width, pmt_model_path (model));
    g_clear_pointer (&hyper, pmt_hypernetwork_free);
  }
  return hyper;
}

static gboolean
hyper_load (void *hyper, const PmtCancel *cancel, GError **error)
{
  return pmt_hypernetwork_load (hyper, cancel, error);
}

static size_t
hyper_bytes (const void *hyper)
{
  return pmt_hypernetwork_bytes (hyper);
}

static void
hyper_free (void *hyper)
{
  pmt_hypernetwork_free (hyper);
}

static const PmtExtraClass hyper_class = { "hypernetwork", hyper_open, hyper_load, hyper_bytes, hyper_free };

static bool
is_used (const PmtWeightEdit *edit)
{
  return edit->strength != 0 && pmt_hypernetwork_is (edit->path);
}

static bool
implied (const PmtRun *run)
{
  for (int i = 0; i < run->request->n_weight_edits; i++)
    if (is_used (&run->request->weight_edits[i]))
      return true;
  return false;
}

static void
state_free (void *user)
{
  State *state = user;
  g_free (state->uses);
  g_free (state);
}

static void *
state_new (PmtRun *run, const PmtParamValues *values, GError **error)
{
  State *state = g_new0 (State, 1);
  state->uses = g_new0 (Use, run->request->n_weight_edits + 1);
  for (int i = 0; i < run->request->n_weight_edits; i++) {
    const PmtWeightEdit *edit = &run->request->weight_edits[i];
    if (!is_used (edit))
      continue;
    if (!(fabs (edit->strength) <= 100)) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The strength of the hypernetwork '%s' is %g and has to be from -100 to 100."), edit->path,
                   edit->strength);
      state_free (state);
      return NULL;
    }
    Use *use = &state->uses[state->n_uses++];
    *use = (Use) { pmt_run_extra (run, &hyper_class, edit->path, error), edit->strength };
    if (!use->hyper) {
      state_free (state);
      return NULL;
    }
  }
  return state;
}

/* Widths are met in the tap: those that no file has pass through. */
static unsigned
attn_wants (void *user, const PmtAttnSite *site)
{
  return PMT_ATTN_SOURCES;
}

static void
attn (void *user, PmtRun *run, PmtStep *step, PmtAttnStage stage, PmtAttnCall *call)
{
  const State *state = user;
  if (stage != PMT_ATTN_SOURCES)
    return;
  for (int i = 0; i < state->n_uses; i++) {
    const Use *use = &state->uses[i];
    call->source_k = pmt_hypernetwork_run (&run->ctx, use->hyper, false, use->strength, call->source_k);
    call->source_v = pmt_hypernetwork_run (&run->ctx, use->hyper, true, use->strength, call->source_v);
  }
}

const PmtMethod pmt_method_hypernetwork = {
  .id = "hypernetwork",
  .label = N_("Hypernetwork"),
  .summary = N_("Lets small networks change how the text is read."),
  .order = 560, /* after those that give keys and values other sources (structured) */
  .internal = true,
  .implied = implied,
  .state_new = state_new,
  .state_free = state_free,
  .attn_wants = attn_wants,
  .attn = attn,
};
