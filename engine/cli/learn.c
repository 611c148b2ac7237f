/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine/cli/cli.h"
#include "engine/cli/param-options.h"
#include "engine/cli/progress.h"
#include "engine/image/file.h"
#include "engine/job/learn-job.h"
#include "pentimento/protocol.h"

typedef struct Given {
  char *model, *size, *precision, *threads, *class_prompt, *out;
  char **images, **sentences;
  gboolean captions, lines, json, estimate;
} Given;

static void
given_clear (Given *given)
{
  g_free (given->model);
  g_free (given->size);
  g_free (given->precision);
  g_free (given->threads);
  g_free (given->class_prompt);
  g_free (given->out);
  g_strfreev (given->images);
  g_strfreev (given->sentences);
}

static void
add_entries (GArray *entries, Given *given)
{
  const GOptionArg file = G_OPTION_ARG_FILENAME, files = G_OPTION_ARG_FILENAME_ARRAY;

  pmt_cli_add_entry (entries, "model", file, &given->model, "Diffusers folder or single-file checkpoint to learn with (default: the bundled model)", "PATH");
  pmt_cli_add_entry (entries, "image", files, &given->images, "A picture of what is to be learned; once for each", "FILE");
  pmt_cli_add_entry (entries, "captions", G_OPTION_ARG_NONE, &given->captions, "Take each picture's caption from the text file beside it (cat.png: cat.txt)", NULL);
  pmt_cli_add_entry (entries, "sentence", files, &given->sentences, "A caption with {} in place of the concept, for pictures without one; may be repeated", "TEXT");
  pmt_cli_add_entry (entries, "size", file, &given->size, "Size to learn at (default: the model's own)", "WxH");
  pmt_cli_add_entry (entries, "class-prompt", file, &given->class_prompt, "With --prior: what its pictures show (default: a picture of THING)", "TEXT");
  pmt_cli_add_entry (entries, "precision", file, &given->precision, "f32, bf16, int8 or auto", "P");
  pmt_cli_add_entry (entries, "threads", file, &given->threads, "Processor cores to use (default: all)", "N");
  pmt_cli_add_entry (entries, "progress", G_OPTION_ARG_NONE, &given->lines, "One line per step instead of a bar", NULL);
  pmt_cli_add_entry (entries, "estimate", G_OPTION_ARG_NONE, &given->estimate, "Say what it would take, and learn nothing", NULL);
  pmt_cli_add_entry (entries, "json", G_OPTION_ARG_NONE, &given->json, "Print what came of it as JSON", NULL);
  pmt_cli_add_entry (entries, "out", file, &given->out, "File to write", "FILE.safetensors");
}

/* The text beside a picture, without spaces around it. */
static char *
read_caption (const char *picture, GError **error)
{
  const char *dot = strrchr (picture, '.'), *slash = strrchr (picture, '/');
  g_autofree char *path = g_strdup_printf ("%.*s.txt", (int) (dot && (!slash || dot > slash) ? (size_t) (dot - picture) : strlen (picture)), picture);
  char *text;

  if (!g_file_get_contents (path, &text, NULL, NULL)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_NOT_FOUND, "The caption of '%s' could not be read from '%s'; write that file, or leave --captions out.", picture,
                 path);
    return NULL;
  }
  if (!g_utf8_validate (text, -1, NULL) || !*g_strstrip (text)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT, "The file '%s' is no caption, being empty or not UTF-8; correct it, or leave --captions out.", path);
    g_clear_pointer (&text, g_free);
  }
  return text;
}

static gboolean
add_pictures (JsonObject *job, const Given *given, GError **error)
{
  JsonArray *pictures = json_array_new ();

  json_object_set_array_member (job, "pictures", pictures);
  for (char **path = given->images; path && *path; path++) {
    JsonObject *picture = json_object_new ();
    json_array_add_object_element (pictures, picture);
    g_autofree char *name = g_strdup_printf ("picture-%d", (int) (path - given->images));
    json_object_set_string_member (picture, "image", name);
    if (!given->captions)
      continue;
    g_autofree char *caption = read_caption (*path, error);
    if (!caption)
      return FALSE;
    json_object_set_string_member (picture, "caption", caption);
  }
  return TRUE;
}

static JsonObject *
make_base (const Given *given, GError **error)
{
  JsonObject *base = json_object_new ();

  json_object_set_int_member (base, "pentimento", PMT_RECIPE_VERSION);
  json_object_set_string_member (base, "task", "generate");
  if (given->model)
    pmt_cli_set_model (base, "model", given->model);
  if (given->class_prompt)
    json_object_set_string_member (base, "prompt", given->class_prompt);
  if (given->precision)
    json_object_set_string_member (base, "precision", given->precision);
  if ((!given->threads || pmt_cli_set_number ("--threads", given->threads, 1024, base, "threads", TRUE, error)) &&
      (!given->size || pmt_cli_set_size (given->size, base, error)))
    return base;
  json_object_unref (base);
  return NULL;
}

static gboolean
check_texts (const Given *given, GError **error)
{
  for (char **text = given->sentences; text && *text; text++)
    if (!pmt_cli_check_utf8 ("--sentence", *text, error))
      return FALSE;
  if (!given->images || !given->out) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, given->images ? "learn writes a file; name it with --out." : "learn needs pictures; name each with --image.");
    return FALSE;
  }
  return pmt_cli_check_utf8 ("--model", given->model, error) && pmt_cli_check_utf8 ("--class-prompt", given->class_prompt, error) &&
         pmt_cli_check_utf8 ("--precision", given->precision, error) && pmt_cli_check_utf8 ("--out", given->out, error);
}

static JsonObject *
make_job (const char *kind, const Given *given, char *const *texts, GError **error)
{
  JsonObject *base = check_texts (given, error) && pmt_cli_check_utf8 ("KIND", kind, error) ? make_base (given, error) : NULL;
  JsonObject *job;

  if (!base)
    return NULL;
  job = json_object_new ();
  json_object_set_int_member (job, "pentimento", PMT_RECIPE_VERSION);
  json_object_set_string_member (job, "task", "learn");
  json_object_set_string_member (job, "kind", kind);
  json_object_set_object_member (job, "base", base);
  g_autofree char *out = g_canonicalize_filename (given->out, NULL);
  json_object_set_string_member (job, "out", out);
  if (given->sentences) {
    JsonArray *sentences = json_array_new ();
    for (char **text = given->sentences; *text; text++)
      json_array_add_string_element (sentences, *text);
    json_object_set_array_member (job, "sentences", sentences);
  }
  if (!pmt_cli_set_values (job, pmt_learn_params, NULL, texts, error) || !add_pictures (job, given, error))
    g_clear_pointer (&job, json_object_unref);
  return job;
}

typedef struct Learning {
  const Given *given;
  GPtrArray *names; /* of the pictures, as the job has them */
  PmtBar bar;
} Learning;

static void
on_progress (void *user, const PmtLearnProgress *progress)
{
  pmt_bar_show_learning (&((Learning *) user)->bar, progress);
}

static gboolean
give_picture (void *user, const char *name, PmtPicture *picture, GError **error)
{
  const Learning *learning = user;
  guint i;

  if (!g_ptr_array_find_with_equal_func (learning->names, name, g_str_equal, &i))
    g_assert_not_reached ();
  return pmt_picture_load (learning->given->images[i], picture, NULL, error);
}

static gboolean
learn (const PmtLearnJob *job, const Given *given, PmtLearnResult *result, GError **error)
{
  g_autoptr (GPtrArray) names = pmt_learn_job_pictures (job);
  Learning learning = { given, names };
  const PmtLearnHooks hooks = { .cancel = pmt_cli_cancel (), .picture = give_picture, .progress = on_progress, .user = &learning };
  PmtModelCache *cache = pmt_model_cache_new ();
  gboolean good;

  pmt_bar_init (&learning.bar, given->lines);
  good = pmt_learn_job_run (job, cache, &hooks, result, error);
  pmt_bar_clear (&learning.bar);
  pmt_model_cache_free (cache);
  return good;
}

static void
print (const char *out, const PmtLearnResult *result, gboolean json)
{
  if (!json) {
    printf ("%s: %" G_GINT64_FORMAT " values in %d steps, %.0f s; loss on fixed noise %.4f before and %.4f after\n", out, result->parameters, result->steps,
            result->seconds, result->loss_before, result->loss_after);
    return;
  }
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();
  json_object_set_string_member (object, "out", out);
  json_object_set_int_member (object, "values", result->parameters);
  json_object_set_int_member (object, "steps", result->steps);
  json_object_set_double_member (object, "seconds", result->seconds);
  json_object_set_double_member (object, "loss-before", result->loss_before);
  json_object_set_double_member (object, "loss-after", result->loss_after);
  json_node_take_object (node, object);
  pmt_cli_print_json (node);
}

static gboolean
estimate (const PmtLearnJob *job, gboolean json, GError **error)
{
  PmtModelCache *cache = pmt_model_cache_new ();
  PmtLearnEstimate told;
  const gboolean good = pmt_learn_job_estimate (job, cache, &told, error);

  pmt_model_cache_free (cache);
  if (!good)
    return FALSE;
  if (!json) {
    g_autofree char *needs = g_format_size_full (told.memory_bytes, G_FORMAT_SIZE_IEC_UNITS), *there = g_format_size_full (told.available_bytes, G_FORMAT_SIZE_IEC_UNITS);
    printf ("%s of memory, of %s that there are", needs, there);
    if (told.seconds >= 0)
      printf ("; about %.0f minutes", ceil (told.seconds / 60));
    putchar ('\n');
    return TRUE;
  }
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();
  json_object_set_int_member (object, "memory-bytes", (gint64) told.memory_bytes);
  json_object_set_int_member (object, "available-bytes", (gint64) told.available_bytes);
  json_object_set_boolean_member (object, "fits", told.fits);
  if (told.seconds >= 0)
    json_object_set_double_member (object, "seconds", told.seconds);
  json_node_take_object (node, object);
  pmt_cli_print_json (node);
  return TRUE;
}

static char *
describe (void)
{
  GString *text = g_string_new ("Learns a concept from a few pictures; what it finds is a small file for --lora or --embedding. KIND is one of these:\n");
  for (int i = 0; pmt_learn_kinds[i]; i++)
    g_string_append_printf (text, "  %-6s %s Usual: %d steps, rate %g, text rate %g.\n", pmt_learn_kinds[i]->id, pmt_learn_kinds[i]->summary, pmt_learn_kinds[i]->steps,
                            pmt_learn_kinds[i]->rate, pmt_learn_kinds[i]->text_rate);
  g_string_append (text, "Ctrl-C stops; what was found is kept in FILE.learning, and the same command goes on from there.");
  return g_string_free (text, FALSE);
}

static gboolean
run (int argc, char **argv, GError **error)
{
  g_autoptr (GArray) entries = g_array_new (TRUE, TRUE, sizeof (GOptionEntry));
  g_autoptr (GPtrArray) helps = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *kind = NULL, *description = describe ();
  PmtLearnResult result;
  PmtLearnJob *job = NULL;
  JsonObject *object = NULL;
  Given given = { 0 };
  int n = 0;

  while (pmt_learn_params[n].id)
    n++;
  g_autofree char **texts = g_new0 (char *, n + 1);
  add_entries (entries, &given);
  for (int i = 0; i < n; i++) {
    g_ptr_array_add (helps, pmt_cli_param_help (&pmt_learn_params[i]));
    pmt_cli_add_entry (entries, pmt_learn_params[i].id, G_OPTION_ARG_FILENAME, &texts[i], helps->pdata[i], pmt_cli_param_placeholder (&pmt_learn_params[i]));
  }
  if (pmt_cli_parse (&pmt_command_learn, "KIND", description, (GOptionEntry *) (void *) entries->data, argc, argv, &kind, 1, error))
    object = make_job (kind, &given, texts, error);
  job = object ? pmt_learn_job_parse (object, error) : NULL;
  const gboolean good = job && (given.estimate ? estimate (job, given.json, error) : learn (job, &given, &result, error));
  if (good && !given.estimate)
    print (given.out, &result, given.json);
  pmt_learn_job_free (job);
  g_clear_pointer (&object, json_object_unref);
  for (int i = 0; i < n; i++)
    g_free (texts[i]);
  given_clear (&given);
  return good;
}

const PmtCommand pmt_command_learn = { "learn", "Learn a concept from a few pictures, as a word or a LoRA.", run };
