/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/cli/job-options.h"

#include <stdio.h>
#include <string.h>

#include "engine/cli/options-extras.h"
#include "engine/cli/param-options.h"
#include "pentimento/protocol.h"

#define DESCRIPTION                                                                                                                  \
  "Without --model the bundled model is used. A PNG that is written carries its recipe in the chunk '" PMT_RECIPE_PARASITE "'.\n"    \
  "Ctrl-C stops; a second one stops at once."

/* What the command line gives beside the parameter table. */
typedef struct Given {
  char *model, *size, *precision, *threads, *context, *grow, *feather;
  char **methods;
  PmtExtraOptions extras;
} Given;

void
pmt_job_files_clear (PmtJobFiles *files)
{
  g_free (files->image);
  g_free (files->mask);
  g_free (files->noise);
  g_free (files->latents);
  g_free (files->out);
  g_free (files->layer);
  memset (files, 0, sizeof *files);
}

static void
given_clear (Given *given)
{
  g_free (given->model);
  g_free (given->size);
  g_free (given->precision);
  g_free (given->threads);
  g_free (given->context);
  g_free (given->grow);
  g_free (given->feather);
  g_strfreev (given->methods);
  pmt_extra_options_clear (&given->extras);
}

/* An edit's prompt is an instruction. */
static const char *
option_name (PmtTask task, const PmtParam *p)
{
  return task == PMT_TASK_EDIT && strcmp (p->id, "prompt") == 0 ? "instruction" : p->id;
}

/* Whether a piece between commas begins with "key=": other pieces go on with the value before them, so that prompts may have commas. */
static bool
begins_with_key (const char *piece)
{
  const char *at = piece + strspn (piece, " \t");
  const size_t n = strspn (at, "abcdefghijklmnopqrstuvwxyz0123456789-");
  return n > 0 && at[n + strspn (at + n, " \t")] == '=';
}

static char **
split_pairs (const char *text)
{
  g_auto (GStrv) pieces = g_strsplit (text, ",", -1);
  GPtrArray *pairs = g_ptr_array_new ();
  for (char **piece = pieces; *piece; piece++) {
    char **last = pairs->len ? (char **) &pairs->pdata[pairs->len - 1] : NULL;
    if (!last || begins_with_key (*piece)) {
      g_ptr_array_add (pairs, g_strdup (*piece));
    } else {
      char *longer = g_strconcat (*last, ",", *piece, NULL);
      g_free (*last);
      *last = longer;
    }
  }
  g_ptr_array_add (pairs, NULL);
  return (char **) g_ptr_array_free (pairs, FALSE);
}

/* A method as on the command line, "ID:key=value,key=value", as the recipe has it. */
static JsonNode *
read_method (const char *text, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (text, ":", 2);
  g_auto (GStrv) pairs = split_pairs (parts[0] && parts[1] ? parts[1] : "");
  const PmtMethod *method = pmt_method_find (parts[0] ? parts[0] : "", error);
  g_autofree char *where = method ? g_strdup_printf ("method %s", method->id) : NULL;
  PmtParamValues values;
  JsonNode *node = NULL;
  gboolean good = TRUE;

  if (!method)
    return NULL;
  pmt_param_values_init (&values, method->params);
  for (char **pair = pairs; good && *pair; pair++) {
    g_auto (GStrv) sides = g_strsplit (*pair, "=", 2);
    if (!sides[0] || !sides[1]) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "In --method, '%s' is not of the form key=value.", *pair);
      good = FALSE;
    } else
      good = pmt_param_values_set_text (&values, g_strstrip (sides[0]), sides[1], where, error);
  }
  if (good) {
    node = pmt_param_values_to_json (&values);
    json_object_set_string_member (json_node_get_object (node), "id", method->id);
  }
  pmt_param_values_clear (&values);
  return node;
}

static gboolean
read_region (const Given *given, JsonObject *recipe, GError **error)
{
  JsonObject *region = json_object_new ();

  json_object_set_object_member (recipe, "region", region);
  if (given->context)
    json_object_set_string_member (region, "mode", given->context);
  return pmt_cli_check_utf8 ("--context", given->context, error) &&
         (!given->grow || pmt_cli_set_number ("--grow", given->grow, 1000, region, "grow", FALSE, error)) &&
         (!given->feather || pmt_cli_set_number ("--feather", given->feather, 1000, region, "feather", FALSE, error));
}

/* Of those that the table of parameters has. */
static void
make_paths_absolute (JsonObject *recipe)
{
  static const char *const names[] = { "vae", "unet", "taesd", "refiner" };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *text = g_strdup (json_object_get_string_member_with_default (recipe, names[i], ""));
    if (*text)
      pmt_cli_set_model (recipe, names[i], text);
  }
}

static gboolean
fill_recipe (JsonObject *recipe, PmtTask task, const Given *given, const PmtParam *params, const char *const *names, char *const *texts, GError **error)
{
  JsonArray *methods;
  gboolean good;

  json_object_set_int_member (recipe, "pentimento", PMT_RECIPE_VERSION);
  json_object_set_string_member (recipe, "task", pmt_task_name (task));
  good = pmt_cli_set_values (recipe, params, names, texts, error);
  if (!good || !pmt_cli_check_utf8 ("--model", given->model, error) || !pmt_cli_check_utf8 ("--precision", given->precision, error))
    return FALSE;
  make_paths_absolute (recipe);
  if (given->model)
    pmt_cli_set_model (recipe, "model", given->model);
  if (given->precision)
    json_object_set_string_member (recipe, "precision", given->precision);
  if (given->threads && !pmt_cli_set_number ("--threads", given->threads, 1024, recipe, "threads", TRUE, error))
    return FALSE;
  if (given->size && !pmt_cli_set_size (given->size, recipe, error))
    return FALSE;
  if (!pmt_extra_options_read (&given->extras, recipe, error))
    return FALSE;
  methods = json_array_new ();
  json_object_set_array_member (recipe, "methods", methods);
  for (char **method = given->methods; method && *method; method++) {
    JsonNode *node = pmt_cli_check_utf8 ("--method", *method, error) ? read_method (*method, error) : NULL;
    if (!node)
      return FALSE;
    json_array_add_element (methods, node);
  }
  return task == PMT_TASK_GENERATE || read_region (given, recipe, error);
}

static void
add_entries (GArray *entries, PmtTask task, Given *given, PmtJobFiles *files)
{
  const GOptionArg file = G_OPTION_ARG_FILENAME;
  gboolean fill = task != PMT_TASK_GENERATE;
  gboolean edit = task == PMT_TASK_EDIT;

  pmt_cli_add_entry (entries, "model", file, &given->model, "Diffusers folder or single-file checkpoint", "PATH");
  pmt_cli_add_entry (entries, "size", file, &given->size, fill ? "Size of the run (default: from the region)" : "Size of the picture", "WxH");
  pmt_cli_add_entry (entries, "image", file, &files->image, edit ? "Picture to edit" : fill ? "Picture to fill" : "Picture to start from", "FILE");
  pmt_cli_add_entry (entries, "mask", file, &files->mask,
             edit   ? "Grey picture of the image's size: white is edited; empty means all"
             : fill ? "Grey picture of the image's size: white is filled; empty means all"
                    : "Where the image may change: white",
             "FILE");
  if (fill) {
    pmt_cli_add_entry (entries, "context", file, &given->context, "What the model sees: auto, selection or whole", "MODE");
    pmt_cli_add_entry (entries, "grow", file, &given->grow, "Pixels that the mask grows by (-1 = automatic)", "PX");
    pmt_cli_add_entry (entries, "feather", file, &given->feather, "Pixels of soft edge (-1 = automatic)", "PX");
    pmt_cli_add_entry (entries, "out-layer", file, &files->layer, "Also write the new part alone, transparent elsewhere", "FILE.png");
  }
  pmt_cli_add_entry (entries, "method", G_OPTION_ARG_FILENAME_ARRAY, &given->methods, "Method with its parameters; may be repeated",
             "ID:key=value,…");
  pmt_extra_options_add (entries, &given->extras);
  pmt_cli_add_entry (entries, "precision", file, &given->precision, "f32, bf16, int8 (quicker and rougher) or auto (bf16 for large models where the processor has it)", "P");
  pmt_cli_add_entry (entries, "threads", file, &given->threads, "Processor cores to use (default: all)", "N");
  pmt_cli_add_entry (entries, "noise", file, &files->noise, "Initial noise: the first tensor of a safetensors file", "FILE");
  pmt_cli_add_entry (entries, "dump-latents", file, &files->latents, "Write the final latents as safetensors", "FILE");
  pmt_cli_add_entry (entries, "progress", G_OPTION_ARG_NONE, &files->progress, "One line per step instead of a bar", NULL);
  pmt_cli_add_entry (entries, "out", file, &files->out, "PNG or JPEG to write; with --variants, -1, -2, … are added to the name", "FILE.png");
}

JsonObject *
pmt_job_options_parse (const PmtCommand *command, PmtTask task, int argc, char **argv, PmtJobFiles *files, GError **error)
{
  const PmtParam *params = pmt_job_params (task);
  g_autoptr (GArray) entries = g_array_new (TRUE, TRUE, sizeof (GOptionEntry));
  g_autoptr (GPtrArray) helps = g_ptr_array_new_with_free_func (g_free);
  g_auto (GStrv) texts = NULL;
  JsonObject *recipe = NULL;
  Given given = { 0 };
  int n = 0;

  memset (files, 0, sizeof *files);
  while (params[n].id)
    n++;
  texts = g_new0 (char *, (gsize) n + 1);
  g_autofree const char **names = g_new0 (const char *, n);
  for (int i = 0; i < n; i++) {
    char *help = pmt_cli_param_help (&params[i]);
    g_ptr_array_add (helps, help);
    names[i] = option_name (task, &params[i]);
    pmt_cli_add_entry (entries, names[i], G_OPTION_ARG_FILENAME, &texts[i], help, pmt_cli_param_placeholder (&params[i]));
  }
  add_entries (entries, task, &given, files);
  if (pmt_cli_parse (command, NULL, DESCRIPTION, (GOptionEntry *) (void *) entries->data, argc, argv, NULL, 0, error)) {
    recipe = json_object_new ();
    if (!fill_recipe (recipe, task, &given, params, names, texts, error))
      g_clear_pointer (&recipe, json_object_unref);
  }
  /* strv holes: each text is owned by its own place */
  for (int i = 0; i < n; i++)
    g_clear_pointer (&texts[i], g_free);
  given_clear (&given);
  if (!recipe)
    pmt_job_files_clear (files);
  return recipe;
}
