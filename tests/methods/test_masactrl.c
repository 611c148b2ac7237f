/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "engine/methods/attention_map.h"
#include "engine/methods/words.h"
#include "tests/methods/composed.h"
#include "tests/sample/runs.h"

static Runs runs;
static PmtModel *model;

static PmtMethodUse
use_with (const char *id, const char *const *values)
{
  PmtMethodUse use = runs_use (id);
  GError *error = NULL;
  for (; *values; values += 2) {
    pmt_param_values_set_text (&use.values, values[0], values[1], id, &error);
    g_assert_no_error (error);
  }
  return use;
}

static PmtResult
run_with (PmtMethodUse use, const char *sampler)
{
  PmtRequest q = runs_request (&runs, model);
  q.guidance = 5;
  q.sampler = pmt_sampler_find (sampler, NULL);
  q.methods = &use;
  q.n_methods = use.method ? 1 : 0;
  PmtResult r = runs_do (&q);
  if (use.method)
    pmt_param_values_clear (&use.values);
  return r;
}

/* With the source's prompt for both, the target is the source: the plain run on the same sites, to the bit, also with noise in each step. */
static void
test_same_prompts (void)
{
  static const char *const samplers[] = { "ddim", "euler-a", "dpmpp-2m" };
  for (guint i = 0; i < G_N_ELEMENTS (samplers); i++) {
    PmtResult noop = run_with (use_with ("noop", (const char *[]) { "attention", "self", "stages", "qkv", "first-block", "2", "residual", "false", NULL }),
                               samplers[i]);
    PmtResult same = run_with (use_with ("masactrl", (const char *[]) { "source", "a red circle", "from", "0", NULL }), samplers[i]);
    runs_assert_equal (&noop, &same);
    PmtResult both = run_with (use_with ("masactrl", (const char *[]) { "source", "a red circle", "from", "0", "both", "true", NULL }), samplers[i]);
    g_assert_cmpfloat (runs_distance (both.latent, same.latent, runs_latent_size (&same)), <, 1e-4);
    pmt_result_clear (&noop);
    pmt_result_clear (&same);
    pmt_result_clear (&both);
  }
}

/* Never begun, it is the plain run; so it is where no block is far enough back. */
static void
test_never (void)
{
  PmtResult plain = run_with ((PmtMethodUse) { 0 }, "ddim");
  PmtResult late = run_with (use_with ("masactrl", (const char *[]) { "source", "a blue house", "from", "1", NULL }), "ddim");
  PmtResult deep = run_with (use_with ("masactrl", (const char *[]) { "source", "a blue house", "first-block", "4", NULL }), "ddim");
  runs_assert_equal (&plain, &late);
  runs_assert_equal (&plain, &deep);
  PmtResult shared = run_with (use_with ("masactrl", (const char *[]) { "source", "a blue house", "from", "0", NULL }), "ddim");
  PmtResult both = run_with (use_with ("masactrl", (const char *[]) { "source", "a blue house", "from", "0", "both", "true", NULL }), "ddim");
  PmtResult all[] = { plain, shared, both, late, deep };
  for (int i = 0; i < 3; i++)
    for (int k = 0; k < i; k++)
      g_assert_cmpfloat (runs_distance (all[i].latent, all[k].latent, runs_latent_size (&plain)), >, 1e-5);
  for (guint i = 0; i < G_N_ELEMENTS (all); i++)
    pmt_result_clear (&all[i]);
}

/* A thing that is the whole picture is kept apart from nothing: as without, but for the rounding of the other way of attention. A smaller one makes
 * another picture; memory is as computed. */
static void
test_things (void)
{
  const char *const base[] = { "source", "a blue house", "from", "0.25", NULL };
  PmtResult without = run_with (use_with ("masactrl", base), "ddim");
  PmtMethodUse whole = use_with ("masactrl", base), part = use_with ("masactrl", base);
  static const char *const things[][2] = { { "source-thing", "house" }, { "thing", "circle" } };
  GError *error = NULL;
  for (int i = 0; i < 2; i++) {
    pmt_param_values_set_text (&whole.values, things[i][0], things[i][1], "test", &error);
    pmt_param_values_set_text (&part.values, things[i][0], things[i][1], "test", &error);
  }
  pmt_param_values_set_text (&whole.values, "threshold", "0", "test", &error);
  pmt_param_values_set_text (&part.values, "threshold", "0.6", "test", &error);
  g_assert_no_error (error);
  PmtRequest q = runs_request (&runs, model);
  PmtCost cost;
  q.guidance = 5;
  q.methods = &part;
  q.n_methods = 1;
  g_assert_true (pmt_run_cost (&q, &cost, &error));
  PmtResult apart = runs_do (&q), same = run_with (whole, "ddim");
  g_assert_cmpuint (apart.peak_bytes, ==, cost.activation_bytes);
  g_assert_cmpfloat (runs_distance (same.latent, without.latent, runs_latent_size (&same)), <, 1e-4);
  g_assert_cmpfloat (runs_distance (apart.latent, without.latent, runs_latent_size (&same)), >, 1e-4);
  pmt_result_clear (&apart);
  pmt_result_clear (&same);
  pmt_result_clear (&without);
  pmt_param_values_clear (&part.values);
}

/* ---- what keeps things apart, written out ----------------------------------------------------------------------------- */

#define BLUE "a blue house"

enum { TARGET, SOURCE, N_SIDES }; /* as the tracks are */
enum { MOST_CELLS = 512 };
static PmtPhraseMap maps[N_SIDES];
static PmtAttnLevel level;
static double threshold;
static int compared, parted;      /* attentions, and those of them in which the source's place and the target's part */

static gboolean
watch_text (void *user, PmtRun *run, GError **error)
{
  level = pmt_attention_level (run);
  compared = parted = 0;
  for (int side = 0; side < N_SIDES; side++) {
    const char *prompt = side == SOURCE ? BLUE : run->prompt, *thing = side == SOURCE ? "house" : "circle";
    g_autoptr (GArray) columns = pmt_words_columns_or_fail (run, prompt, thing, "the test", error);
    pmt_phrase_map_clear (&maps[side]);
    if (!columns || !pmt_phrase_map_init (&maps[side], run, level, (const int *) columns->data, (int) columns->len, error))
      return FALSE;
  }
  return TRUE;
}

static unsigned
watch_wants (void *user, const PmtAttnSite *site)
{
  if (pmt_attention_maps_here (level, site))
    return PMT_ATTN_PROBS;
  return !site->cross && site->block >= 2 ? PMT_ATTN_QKV | PMT_ATTN_OUT : 0;
}

static bool
place_of (const PmtRun *run, int side, const PmtAttnSite *site, bool *out)
{
  float map[MOST_CELLS], here[MOST_CELLS], low = INFINITY, high = -INFINITY;
  int height, width;
  pmt_attention_grid (run, level, &height, &width);
  g_assert_cmpint (MAX (height * width, site->height * site->width), <=, MOST_CELLS);
  if (!pmt_phrase_map_mean (&maps[side], map))
    return false;
  for (int i = 0; i < height * width; i++) {
    low = MIN (low, map[i]);
    high = MAX (high, map[i]);
  }
  pmt_attention_resize (map, height, width, here, site->height, site->width);
  for (int i = 0; i < site->height * site->width; i++)
    out[i] = (double) (here[i] - low) >= threshold * (double) (high - low);
  return true;
}

/* max |out - what row n's queries get of row m's keys and values, each from the cells of its own kind| */
static double
distance_of (const PmtAttnCall *c, int n, int m, const bool *from, const bool *to)
{
  const int cells = c->site->height * c->site->width, heads = c->site->heads, width = (int) pmt_tensor_dim (c->q, 2), d = width / heads;
  const size_t own = (size_t) (n * cells * width), other = (size_t) (m * cells * width);
  const float *q = c->q.data + own, *k = c->k.data + other, *v = c->v.data + other, *out = c->out.data + own;
  double worst = 0, weight[MOST_CELLS];
  int there[2] = { 0, 0 };
  for (int s = 0; s < cells; s++)
    there[from[s]]++;
  for (int i = 0; i < cells * heads; i++) {
    const int t = i / heads, first = i % heads * d;
    double sum = 0;
    for (int s = 0; s < cells; s++) {
      double dot = 0;
      for (int j = 0; j < d; j++)
        dot += (double) q[t * width + first + j] * (double) k[s * width + first + j];
      weight[s] = from[s] == to[t] || there[to[t]] == 0 ? exp (dot / sqrt (d)) : 0;
      sum += weight[s];
    }
    for (int j = 0; j < d; j++) {
      double mean = 0;
      for (int s = 0; s < cells; s++)
        mean += weight[s] / sum * (double) v[s * width + first + j];
      worst = MAX (worst, fabs (mean - (double) out[t * width + first + j]));
    }
  }
  return worst;
}

static void
watch_out (PmtRun *run, const PmtStep *step, const PmtAttnCall *c)
{
  bool from[MOST_CELLS], to[MOST_CELLS];
  if (!place_of (run, SOURCE, c->site, from) || !place_of (run, TARGET, c->site, to))
    return;
  for (int n = 0; n < step->n_call_rows; n++)
    for (int m = 0; m < step->n_call_rows; m++) {
      const PmtRow *row = &step->rows.row[step->call_row[n]], *other = &step->rows.row[step->call_row[m]];
      if (row->track != TARGET || other->track != SOURCE || strcmp (row->role, other->role) != 0)
        continue;
      g_assert_cmpfloat (distance_of (c, n, m, from, to), <, 1e-5);
      compared++;
      parted += distance_of (c, n, m, to, from) > 1e-3;
    }
}

static void
watch_attn (void *user, PmtRun *run, PmtStep *step, PmtAttnStage stage, PmtAttnCall *c)
{
  for (int side = 0; side < N_SIDES && stage == PMT_ATTN_PROBS && !run->ctx.dry; side++)
    pmt_phrase_map_see (&maps[side], c->probs, pmt_attention_row (step, side));
  if (stage == PMT_ATTN_OUT && !run->ctx.dry)
    watch_out (run, step, c);
}

/* Every query of the target gets what the definition says, and places the other way round would give something else. */
static void
test_apart (void)
{
  static const PmtMethod watch = { .id = "watch", .order = 1000, .text = watch_text, .attn_wants = watch_wants, .attn = watch_attn };
  static const char *const thresholds[] = { "0.3", "0.6", "0" }; /* the last: the thing is everywhere, and nothing around it */
  for (guint i = 0; i < G_N_ELEMENTS (thresholds); i++) {
    const char *const values[] = { "source", BLUE, "from", "0", "source-thing", "house", "thing", "circle", "threshold", thresholds[i], NULL };
    PmtMethodUse uses[2] = { use_with ("masactrl", values), { .method = &watch } };
    PmtRequest q = runs_request (&runs, model);
    threshold = g_ascii_strtod (thresholds[i], NULL);
    q.guidance = 5;
    if (i == 0) { /* more cells than are done at a time */
      q.width = 160;
      q.height = 128;
      q.steps = 2;
    }
    q.methods = uses;
    q.n_methods = 2;
    PmtResult r = runs_do (&q);
    g_assert_cmpint (compared, >=, 2 * q.steps);
    g_assert_true (threshold > 0 ? parted > 0 : parted == 0);
    pmt_result_clear (&r);
    pmt_param_values_clear (&uses[0].values);
  }
  for (int side = 0; side < N_SIDES; side++)
    pmt_phrase_map_clear (&maps[side]);
}

static void
fill (PmtRequest *q, const Runs *r, JsonObject *c)
{
  q->image = json_object_get_boolean_member_with_default (c, "photo", FALSE) ? r->picture : NULL;
}

static void
test_reference (void)
{
  g_assert_cmpint (composed_check (&runs, "masactrl", model, fill), ==, 3);
}

static void
refused (PmtRequest q, const char *says)
{
  GError *error = NULL;
  PmtResult result;
  g_assert_false (pmt_run (&q, &result, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
  if (!strstr (error->message, says))
    g_error ("'%s' does not say '%s'", error->message, says);
  g_clear_error (&error);
}

static void
test_errors (void)
{
  PmtMethodUse use = runs_use ("masactrl");
  PmtRequest q = runs_request (&runs, model);
  q.methods = &use;
  q.n_methods = 1;
  q.image = runs.picture;
  q.sampler = pmt_sampler_find ("euler", NULL);
  refused (q, "choose the sampler ddim");
  q.sampler = pmt_sampler_find ("ddim", NULL);
  q.mask = runs.mask;
  refused (q, "leave the mask out");
  q.image = q.mask = NULL;
  GError *error = NULL;
  pmt_param_values_set_text (&use.values, "thing", "circle", "test", &error);
  refused (q, "source-thing");
  pmt_param_values_set_text (&use.values, "source", "a blue house", "test", &error);
  pmt_param_values_set_text (&use.values, "source-thing", "zebra", "test", &error);
  g_assert_no_error (error);
  refused (q, "zebra");
  pmt_param_values_clear (&use.values);
}

int
main (int argc, char **argv)
{
  static const RunsTest tests[] = {
    { "/masactrl/same-prompts", test_same_prompts },
    { "/masactrl/never", test_never },
    { "/masactrl/reference", test_reference },
    { "/masactrl/things", test_things },
    { "/masactrl/apart", test_apart },
    { "/masactrl/errors", test_errors },
    { 0 }
  };
  return runs_main (argc, argv, &runs, &model, tests);
}
