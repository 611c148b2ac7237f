/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/cli/bench-error.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/cpu.h"
#include "engine/base/threads.h"
#include "engine/cli/cli.h"
#include "engine/kernels/packed.h"
#include "engine/sample/run.h"

#define PROMPT "a red circle left of a blue house"
static const char usual_methods[] = "deepcache,token-merging,guidance-interval";
static const double equal_psnr = 999;

/* One line: a precision, or a method in f32. The first one is what the others are held against. */
typedef struct Line {
  PmtPrecision precision;
  const PmtMethod *method; /* NULL = none */
  double distance, psnr;   /* means over seeds */
  double seconds;          /* of all seeds, the first one's loading included */
  char *refused;           /* why it does not run here */
} Line;

static const char *
line_name (const Line *line)
{
  return line->method ? line->method->id : pmt_precision_name (line->precision);
}

static gboolean
paint (const PmtErrorBench *bench, PmtModel *model, const Line *line, int seed, const PmtCancel *cancel, PmtResult *result, GError **error)
{
  PmtMethodUse use = { .method = line->method };
  PmtRequest q = { .model = model, .prompt = PROMPT, .width = bench->width, .height = bench->height, .steps = bench->steps, .guidance = bench->guidance,
                   .strength = 1, .eta = -1, .seed = (uint64_t) seed, .sampler = pmt_sampler_find ("ddim", NULL), .preview = PMT_PREVIEW_NONE, .cancel = cancel };
  if (line->method) {
    pmt_param_values_init (&use.values, line->method->params);
    q.methods = &use;
    q.n_methods = 1;
  }
  const gboolean good = pmt_run (&q, result, error);
  if (line->method)
    pmt_param_values_clear (&use.values);
  return good;
}

static double
latent_distance (const PmtResult *a, const PmtResult *b)
{
  double apart = 0, size = 0;
  for (int64_t i = 0; i < (int64_t) b->latent_width * b->latent_height * b->latent_channels; i++) {
    apart += pow ((double) a->latent[i] - b->latent[i], 2);
    size += pow (b->latent[i], 2);
  }
  return sqrt (apart / MAX (size, 1e-30));
}

/* Of what a file would hold. */
static double
picture_psnr (const PmtResult *a, const PmtResult *b)
{
  const int64_t n = (int64_t) b->width * b->height * 3;
  double sum = 0;
  for (int64_t i = 0; i < n; i++)
    sum += pow (round (a->image[i] * 255.0) - round (b->image[i] * 255.0), 2);
  return sum > 0 ? 10 * log10 (255.0 * 255.0 * (double) n / sum) : equal_psnr;
}

/* All seeds of one line; the first line's results are kept in `exact`. */
static gboolean
measure_line (const PmtErrorBench *bench, PmtModel *model, Line *line, PmtResult *exact, bool first, const PmtCancel *cancel, GError **error)
{
  const double begin = pmt_work_clock ();
  line->psnr = first ? equal_psnr : 0;
  for (int seed = 1; seed <= bench->seeds; seed++) {
    PmtResult *to = &exact[seed - 1], made;
    if (!paint (bench, model, line, seed, cancel, first ? to : &made, error))
      return FALSE;
    if (first)
      continue;
    line->distance += latent_distance (&made, to) / bench->seeds;
    line->psnr += picture_psnr (&made, to) / bench->seeds;
    pmt_result_clear (&made);
  }
  line->seconds = pmt_work_clock () - begin;
  return TRUE;
}

/* What this processor or this model cannot do is said in its line. */
static gboolean
measure_all (const PmtErrorBench *bench, Line *lines, int n, PmtResult *exact, const PmtCancel *cancel, GError **error)
{
  PmtModel *model = NULL;
  gboolean good = TRUE;
  for (int i = 0; i < n && good; i++) {
    GError *failed = NULL;
    if (!model || pmt_model_precision (model) != lines[i].precision) {
      g_clear_pointer (&model, pmt_model_unref);
      model = pmt_model_open (bench->model, error);
      good = model != NULL;
    }
    if (!good)
      break;
    if (pmt_model_set_precision (model, lines[i].precision, &failed) && measure_line (bench, model, &lines[i], exact, i == 0, cancel, &failed))
      continue;
    if (i > 0 && (g_error_matches (failed, PMT_ERROR, PMT_ERROR_UNSUPPORTED) || g_error_matches (failed, PMT_ERROR, PMT_ERROR_INPUT))) {
      lines[i].refused = g_strdup (failed->message);
      g_error_free (failed);
    } else {
      g_propagate_error (error, failed);
      good = FALSE;
    }
  }
  if (model)
    pmt_model_unref (model);
  return good;
}

/* ---- what came out ----------------------------------------------------------------------------------------------------- */

/* Whether pictures and latents are worth comparing: the spread of the exact latents, and the share of values at the ends of the range. */
static void
describe_exact (const PmtErrorBench *bench, const PmtResult *exact, double *spread, double *clipped)
{
  double square = 0, values = 0, ends = 0, all = 0;
  for (int k = 0; k < bench->seeds; k++) {
    const int64_t n = (int64_t) exact[k].latent_width * exact[k].latent_height * exact[k].latent_channels, m = (int64_t) exact[k].width * exact[k].height * 3;
    for (int64_t i = 0; i < n; i++)
      square += pow (exact[k].latent[i], 2);
    for (int64_t i = 0; i < m; i++)
      ends += exact[k].image[i] <= 0 || exact[k].image[i] >= 1;
    values += (double) n;
    all += (double) m;
  }
  *spread = sqrt (square / values);
  *clipped = ends / all;
}

static void
print_text (const PmtErrorBench *bench, const Line *lines, int n, double spread, double clipped)
{
  printf ("%s, %d threads, %s, %dx%d, %d steps, guidance %g, seeds 1 to %d; seconds of the %s, loading included\n", pmt_cpu_model (), pmt_threads (), bench->model,
          bench->width, bench->height, bench->steps, bench->guidance, bench->seeds, pmt_work_clock_name ());
  printf ("latents of f32: root mean square %.3f; %.1f %% of its pictures' values are clipped\n", spread, 100 * clipped);
  printf ("%-20s %16s %14s %10s\n", "against f32", "latent, relative", "picture, PSNR", "seconds");
  for (int i = 0; i < n; i++)
    if (lines[i].refused)
      printf ("%-20s %s\n", line_name (&lines[i]), lines[i].refused);
    else
      printf ("%-20s %16.5f %11.1f dB %10.2f\n", line_name (&lines[i]), lines[i].distance, lines[i].psnr, lines[i].seconds);
}

static void
print_json (const PmtErrorBench *bench, const Line *lines, int n, double spread, double clipped)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new (), *errors = json_object_new ();
  json_object_set_string_member (object, "cpu", pmt_cpu_model ());
  json_object_set_int_member (object, "threads", pmt_threads ());
  json_object_set_string_member (object, "model", bench->model);
  json_object_set_int_member (object, "width", bench->width);
  json_object_set_int_member (object, "height", bench->height);
  json_object_set_int_member (object, "steps", bench->steps);
  json_object_set_int_member (object, "seeds", bench->seeds);
  json_object_set_double_member (object, "guidance", bench->guidance);
  json_object_set_double_member (object, "latent_rms", spread);
  json_object_set_double_member (object, "clipped", clipped);
  for (int i = 0; i < n; i++) {
    JsonObject *line = json_object_new ();
    if (lines[i].refused) {
      json_object_set_string_member (line, "refused", lines[i].refused);
    } else {
      json_object_set_double_member (line, "latent_error", lines[i].distance);
      json_object_set_double_member (line, "psnr", lines[i].psnr);
      json_object_set_double_member (line, "seconds", lines[i].seconds);
    }
    json_object_set_object_member (errors, line_name (&lines[i]), line);
  }
  json_object_set_object_member (object, "errors", errors);
  json_node_take_object (node, object);
  pmt_cli_print_json (node);
}

/* f32 first, its methods while its weights are there, then the other precisions. */
static GArray *
make_lines (const PmtErrorBench *bench, GError **error)
{
  const char *methods = bench->methods ? bench->methods : usual_methods;
  g_auto (GStrv) words = g_strsplit (methods, ",", -1);
  GArray *lines = g_array_new (FALSE, TRUE, sizeof (Line));
  g_array_append_vals (lines, &(Line) { .precision = PMT_PRECISION_F32 }, 1);
  for (int i = 0; words[i] && methods[0]; i++) {
    const Line line = { .precision = PMT_PRECISION_F32, .method = pmt_method_find (words[i], error) };
    if (!line.method) {
      g_array_unref (lines);
      return NULL;
    }
    g_array_append_val (lines, line);
  }
  for (PmtPrecision p = 0; p < PMT_PRECISIONS; p++)
    if (p != PMT_PRECISION_F32)
      g_array_append_vals (lines, &(Line) { .precision = p }, 1);
  return lines;
}

gboolean
pmt_bench_error (const PmtErrorBench *bench, bool json, const PmtCancel *cancel, GError **error)
{
  GArray *list = make_lines (bench, error);
  if (!list)
    return FALSE;
  Line *lines = (Line *) list->data;
  const int n = (int) list->len;
  g_autofree PmtResult *exact = g_new0 (PmtResult, bench->seeds);
  const gboolean good = measure_all (bench, lines, n, exact, cancel, error);
  if (good) {
    double spread, clipped;
    describe_exact (bench, exact, &spread, &clipped);
    (json ? print_json : print_text) (bench, lines, n, spread, clipped);
  }
  for (int k = 0; k < bench->seeds; k++)
    pmt_result_clear (&exact[k]);
  for (int i = 0; i < n; i++)
    g_free (lines[i].refused);
  g_array_unref (list);
  return good;
}
