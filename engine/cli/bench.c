/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How fast a model's networks are here, by kind of operation, beside what the machine can do at best in the same minute. */
#include <stdio.h>
#include <string.h>

#include "engine/base/clock.h"
#include "engine/base/cpu.h"
#include "engine/base/threads.h"
#include "engine/cli/bench-error.h"
#include "engine/cli/bench-methods.h"
#include "engine/cli/bench-networks.h"
#include "engine/cli/bench-ops.h"
#include "engine/cli/bench-scaling.h"
#include "engine/cli/cli.h"
#include "engine/kernels/packed.h"

/* ---- what came out ------------------------------------------------------------------------------------------------------ */

static double
gbs (const PmtBenchPart *part)
{
  return part->seconds > 0 ? part->bytes * 1e-9 / part->seconds : 0;
}

static void
print_ceiling (const PmtCeiling *c)
{
  printf ("best products (GFLOP/s): OpenBLAS f32 %.0f, ", c->openblas);
  if (c->dnnl_version[0])
    printf ("oneDNN %s f32 %.0f, bf16 %.0f, int8 %.0f, ", c->dnnl_version, c->dnnl[PMT_PRECISION_F32], c->dnnl[PMT_PRECISION_BF16],
            c->dnnl[PMT_PRECISION_INT8]);
  else
    printf ("no oneDNN, ");
  printf ("tiles f32 %.0f, bf16 %.0f, int8 %.0f; copy %.1f GB/s\n", c->tiles[PMT_PRECISION_F32], c->tiles[PMT_PRECISION_BF16],
          c->tiles[PMT_PRECISION_INT8], c->copy);
}

static void
print_part (const PmtBench *b, const char *network, const char *kind, const PmtBenchPart *part, double most)
{
  printf ("%-12s %-26s %6d %10.4f %10.2f %9.1f %7.0f%% %8.3f %8.1f %8.0f%%\n", network, kind, part->calls, part->seconds, part->flop * 1e-9,
          pmt_bench_speed (part), 100 * pmt_bench_speed (part) / most, part->bytes * 1e-9, gbs (part), 100 * gbs (part) / b->ceiling.copy);
}

static void
print_text (const PmtBench *b)
{
  const PmtPrecision precision = pmt_model_precision (b->model);
  printf ("%s, %d threads, %s, %dx%d, products in %s, seconds of the %s\n", pmt_cpu_model (), pmt_threads (), pmt_model_path (b->model), b->width, b->height,
          pmt_precision_name (precision), pmt_work_clock_name ());
  print_ceiling (&b->ceiling);
  printf ("%-12s %-26s %6s %10s %10s %9s %8s %8s %8s %9s\n", "network", "kind", "calls", "seconds", "GFLOP", "GFLOP/s", "of best", "GB", "GB/s", "of copy");
  for (int i = 0; i < PMT_BENCH_NETWORKS; i++) {
    const PmtBenchTiming *t = &b->timing[i];
    const double most = pmt_bench_ceiling_of (b, i);
    if (!b->wanted[i])
      continue;
    print_part (b, pmt_bench_network_name[i], "all", &t->all, most);
    for (int k = 0; k < PMT_BENCH_KINDS; k++)
      print_part (b, "", pmt_bench_kind_name[k], &t->kind[k], most);
    printf ("%-12s weights %.0f MB, ready in %.2f s, activations %.0f MB\n", "", (double) t->weights * 1e-6, t->ready, (double) t->activations * 1e-6);
    if (b->ops > 0)
      pmt_bench_ops_print (t->ops, (guint) b->ops, b->ceiling.copy);
  }
  printf ("most memory: %.0f MB\n", (double) b->peak * 1e-6);
}

static JsonObject *
part_json (const PmtBench *b, const PmtBenchPart *part)
{
  JsonObject *object = json_object_new ();
  json_object_set_double_member (object, "seconds", part->seconds);
  json_object_set_double_member (object, "gflop", part->flop * 1e-9);
  json_object_set_double_member (object, "gflops", pmt_bench_speed (part));
  json_object_set_double_member (object, "gbytes", part->bytes * 1e-9);
  json_object_set_double_member (object, "gbs", gbs (part));
  json_object_set_double_member (object, "of_copy", gbs (part) / b->ceiling.copy);
  return object;
}

static void
set_speed (JsonObject *object, const char *name, double gflops)
{
  if (gflops > 0)
    json_object_set_double_member (object, name, gflops);
  else
    json_object_set_null_member (object, name);
}

static void
print_json (const PmtBench *b)
{
  const PmtPrecision precision = pmt_model_precision (b->model);
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new (), *networks = json_object_new (), *ceiling = json_object_new ();
  json_object_set_string_member (object, "cpu", pmt_cpu_model ());
  json_object_set_int_member (object, "threads", pmt_threads ());
  json_object_set_string_member (object, "seconds_of", pmt_work_clock_name ());
  json_object_set_string_member (object, "precision", pmt_precision_name (precision));
  json_object_set_string_member (object, "model", pmt_model_path (b->model));
  json_object_set_int_member (object, "width", b->width);
  json_object_set_int_member (object, "height", b->height);
  json_object_set_int_member (object, "rows", b->rows);
  for (int i = 0; i < PMT_BENCH_NETWORKS; i++) {
    const PmtBenchTiming *t = &b->timing[i];
    JsonObject *network = part_json (b, &t->all), *parts = json_object_new ();
    if (!b->wanted[i]) {
      json_object_unref (network);
      json_object_unref (parts);
      continue;
    }
    json_object_set_double_member (network, "of_ceiling", pmt_bench_speed (&t->all) / pmt_bench_ceiling_of (b, i));
    json_object_set_int_member (network, "weight_bytes", (gint64) t->weights);
    json_object_set_double_member (network, "ready_seconds", t->ready);
    json_object_set_int_member (network, "activation_bytes", (gint64) t->activations);
    for (int k = 0; k < PMT_BENCH_KINDS; k++) {
      JsonObject *part = part_json (b, &t->kind[k]);
      json_object_set_int_member (part, "calls", t->kind[k].calls);
      json_object_set_object_member (parts, pmt_bench_kind_name[k], part);
    }
    json_object_set_object_member (network, "kinds", parts);
    if (b->ops > 0)
      json_object_set_array_member (network, "ops", pmt_bench_ops_json (t->ops, b->ceiling.copy));
    json_object_set_object_member (networks, pmt_bench_network_name[i], network);
  }
  json_object_set_object_member (object, "networks", networks);
  set_speed (ceiling, "f32_gflops", pmt_ceiling_product (&b->ceiling, PMT_PRECISION_F32));
  set_speed (ceiling, "bf16_gflops", pmt_ceiling_product (&b->ceiling, PMT_PRECISION_BF16));
  set_speed (ceiling, "int8_gflops", pmt_ceiling_product (&b->ceiling, PMT_PRECISION_INT8));
  set_speed (ceiling, "openblas_f32_gflops", b->ceiling.openblas);
  for (PmtPrecision p = 0; p < PMT_PRECISIONS; p++) {
    g_autofree char *tiles = g_strdup_printf ("tiles_%s_gflops", pmt_precision_name (p)), *dnnl = g_strdup_printf ("onednn_%s_gflops", pmt_precision_name (p));
    set_speed (ceiling, tiles, b->ceiling.tiles[p]);
    set_speed (ceiling, dnnl, b->ceiling.dnnl[p]);
  }
  if (b->ceiling.dnnl_version[0])
    json_object_set_string_member (ceiling, "onednn", b->ceiling.dnnl_version);
  else
    json_object_set_null_member (ceiling, "onednn");
  json_object_set_double_member (ceiling, "copy_gbs", b->ceiling.copy);
  json_object_set_object_member (object, "ceiling", ceiling);
  json_object_set_int_member (object, "peak_rss_bytes", (gint64) b->peak);
  json_node_take_object (node, object);
  pmt_cli_print_json (node);
}

/* ---- what is asked for -------------------------------------------------------------------------------------------------- */

static PmtModel *
open_model (const char *path, const char *weights, GError **error)
{
  if (!weights)
    return pmt_model_open (path, error);
  if (path || !g_str_has_prefix (weights, "random:")) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "--weights takes random:sd15, random:sd21 or random:sdxl, in place of --model.");
    return NULL;
  }
  return pmt_model_open (weights, error);
}

static gboolean
set_precision (PmtModel *model, const char *text, GError **error)
{
  if (!text || strcmp (text, "auto") == 0) {
    GError *failed = NULL;
    const PmtPrecision precision = pmt_model_auto_precision (model, &failed);
    if (failed) {
      g_propagate_error (error, failed);
      return FALSE;
    }
    return pmt_model_set_precision (model, precision, error);
  }
  PmtPrecision precision;
  if (pmt_precision_find (text, &precision))
    return pmt_model_set_precision (model, precision, error);
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "--precision takes f32, bf16, int8 or auto, not '%s'.", text);
  return FALSE;
}

static gboolean
set_size (PmtBench *b, const char *text, GError **error)
{
  const int multiple = pmt_model_size_multiple (b->model);
  b->width = b->height = pmt_model_native_size (b->model);
  if (text && !pmt_cli_read_size (text, &b->width, &b->height, error))
    return FALSE;
  if (b->width % multiple == 0 && b->height % multiple == 0)
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "The size %dx%d has sides that are no multiples of %d; take others.", b->width, b->height, multiple);
  return FALSE;
}

static gboolean
set_networks (PmtBench *b, const char *text, GError **error)
{
  g_auto (GStrv) words = g_strsplit (text ? text : "unet,vae_decode,text", ",", -1);
  for (int i = 0; words[i]; i++) {
    int network = 0;
    while (network < PMT_BENCH_NETWORKS && strcmp (words[i], pmt_bench_network_name[network]) != 0)
      network++;
    if (network == PMT_BENCH_NETWORKS) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "--networks takes unet, unet_gradient, vae_decode and text, with commas between them, not '%s'.", words[i]);
      return FALSE;
    }
    b->wanted[network] = true;
  }
  return TRUE;
}

static gboolean
measure (PmtBench *b, GError **error)
{
  if (!pmt_bench_open (b, error) || !pmt_bench_measure_ceiling (b, error))
    return FALSE;
  for (int i = 0; i < PMT_BENCH_NETWORKS; i++)
    if (b->wanted[i] && !pmt_bench_time (b, i, true, error))
      return FALSE;
  return pmt_bench_measure_ceiling (b, error);
}

static gboolean
run (int argc, char **argv, GError **error)
{
  g_autofree char *model = NULL, *weights = NULL, *size = NULL, *precision = NULL, *networks = NULL, *methods = NULL;
  int threads = 0, rows = 1, runs = 1, steps = 0, ops = 0, seeds = 1;
  double guidance = 7.5;
  gboolean json = FALSE, computed = FALSE, scaling = FALSE, quick = FALSE, errors = FALSE, good;
  const GOptionEntry entries[] = {
    { "model", 0, 0, G_OPTION_ARG_FILENAME, &model, "Diffusers folder or single-file checkpoint (default: the bundled model)", "PATH" },
    { "weights", 0, 0, G_OPTION_ARG_FILENAME, &weights, "Random weights in place of a model: random:sd15, random:sd21 or random:sdxl", "W" },
    { "size", 0, 0, G_OPTION_ARG_FILENAME, &size, "Of the picture (default: the model's own)", "WxH" },
    { "precision", 0, 0, G_OPTION_ARG_FILENAME, &precision, "f32, bf16, int8 (quicker and rougher) or auto (bf16 for large models where the processor has it)", "P" },
    { "networks", 0, 0, G_OPTION_ARG_FILENAME, &networks, "Which of them (default: unet,vae_decode,text; also unet_gradient, back to the latent)", "LIST" },
    { "methods", 0, 0, G_OPTION_ARG_FILENAME, &methods, "In place of networks: methods beside plain sampling (all, gradient, or ids)", "LIST" },
    { "steps", 0, 0, G_OPTION_ARG_INT, &steps, "Of the runs with methods (default: 2) or with --error (20)", "N" },
    { "computed", 0, 0, G_OPTION_ARG_NONE, &computed, "Memory and work of methods as computed in advance, without running them", NULL },
    { "scaling", 0, 0, G_OPTION_ARG_NONE, &scaling, "In place of networks: the UNet at 256x256 to 1024x1024, 1 to 4 rows, one thread and all, and whether time grows no faster than work", NULL },
    { "quick", 0, 0, G_OPTION_ARG_NONE, &quick, "With --scaling: up to 512x512, 1 and 2 rows", NULL },
    { "error", 0, 0, G_OPTION_ARG_NONE, &errors, "In place of networks: how far bf16, int8 and methods that save time (or --methods) are from f32 after a whole run", NULL },
    { "guidance", 0, 0, G_OPTION_ARG_DOUBLE, &guidance, "With --error: of the runs (default: 7.5)", "X" },
    { "seeds", 0, 0, G_OPTION_ARG_INT, &seeds, "With --error: runs with so many seeds, their mean counts (default: 1)", "N" },
    { "rows", 0, 0, G_OPTION_ARG_INT, &rows, "Pictures that the UNet works on at once (default: 1)", "N" },
    { "runs", 0, 0, G_OPTION_ARG_INT, &runs, "Take the fastest of so many runs, after one to warm up (default: 1)", "N" },
    { "ops", 0, 0, G_OPTION_ARG_INT, &ops, "List so many kinds and sizes of operation of each network, the longest first (default: 0; JSON has all)", "N" },
    { "threads", 0, 0, G_OPTION_ARG_INT, &threads, "Processor cores to use (default: all)", "N" },
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON", NULL },
    G_OPTION_ENTRY_NULL,
  };
  if (!pmt_cli_parse (&pmt_command_bench, "",
                      "Times the networks by kind of operation, beside the best products and the best copy that the machine manages just\n"
                      "before and after: an hour later the same figures may be others, their ratio (\"of best\") should not. What moves more than\n"
                      "it computes (norm, rest) is measured by the bytes that have to be read and written (\"of copy\"). Work is that of direct\n"
                      "arithmetic, so that convolutions, which need less of it here, may be above 100 %. \"Ready\" is the time to read and pack weights.",
                      entries, argc, argv, NULL, 0, error))
    return FALSE;
  if (threads < 0 || threads > 1024 || rows < 1 || rows > 64 || runs < 1 || runs > 100 || steps < 0 || steps > 1000 || seeds < 1 || seeds > 1000 || ops < 0 || ops > 1000) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT,
                         "--threads takes 0 (all cores) to 1024, --rows 1 to 64, --runs 1 to 100, --steps 0 (the usual number) to 1000, --seeds 1 to 1000 and --ops 0 to 1000.");
    return FALSE;
  }
  if ((quick && !scaling) || (scaling && (size || networks || methods || rows != 1 || ops))) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, "--scaling has sizes and rows of its own and goes without --size, --rows, --networks, --ops and --methods; --quick goes with --scaling.");
    return FALSE;
  }
  if (errors && (scaling || networks || precision || rows != 1 || ops)) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, "--error compares all precisions over whole runs and goes without --precision, --scaling, --networks, --rows and --ops.");
    return FALSE;
  }
  pmt_threads_set (threads);
  PmtBench b = { .rows = rows, .runs = runs, .ops = ops };
  b.model = open_model (model, weights, error);
  good = b.model && set_precision (b.model, precision, error) && set_size (&b, size, error) && set_networks (&b, networks, error);
  const PmtMethodBench beside = { .list = methods, .width = b.width, .height = b.height, .steps = steps ? steps : 2, .timed = !computed };
  const PmtErrorBench against = { .model = b.model ? pmt_model_path (b.model) : NULL, .methods = methods, .width = b.width, .height = b.height,
                                  .steps = steps ? steps : 20, .seeds = seeds, .guidance = guidance };
  if (good && errors)
    good = pmt_bench_error (&against, json, pmt_cli_cancel (), error);
  else if (good && methods)
    good = pmt_bench_methods (b.model, &beside, json, pmt_cli_cancel (), error);
  else if (good && scaling)
    good = pmt_bench_scaling (&b, quick, json, error);
  else if ((good = good && measure (&b, error)) && json)
    print_json (&b);
  else if (good)
    print_text (&b);
  pmt_bench_close (&b);
  pmt_model_unref (b.model);
  return good;
}

const PmtCommand pmt_command_bench = { "bench", "Time a model's networks beside what the machine can do at best.", run };
