/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "engine/cli/cli.h"
#include "engine/cli/options-extras.h"
#include "engine/job/tokens.h"
#include "pentimento/protocol.h"

typedef struct Options {
  char *model, *prompt, *syntax, *long_prompts, **embeddings;
  gboolean json;
} Options;

static void
print_text (JsonObject *answer)
{
  JsonArray *tokens = json_object_get_array_member (answer, "tokens");
  const gint64 chunks = json_object_get_int_member (answer, "chunks"), cut = json_object_get_int_member (answer, "cut");
  gint64 chunk = 0;

  for (guint i = 0; i < json_array_get_length (tokens); i++) {
    JsonObject *token = json_array_get_object_element (tokens, i);
    const gint64 place = json_object_get_int_member (token, "chunk");
    const double weight = json_object_get_double_member (token, "weight");
    for (; chunk < place; chunk++)
      printf ("------ chunk %" G_GINT64_FORMAT "\n", chunk + 2);
    printf ("%6" G_GINT64_FORMAT " %s", json_object_get_int_member (token, "id"), json_object_get_string_member (token, "symbol"));
    if (weight != 1)
      printf ("  × %g", weight);
    puts (place < 0 ? "  (cut)" : "");
  }
  printf ("%" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " tokens", json_object_get_int_member (answer, "count"),
          json_object_get_int_member (answer, "limit") * chunks);
  if (chunks > 1)
    printf (" in %" G_GINT64_FORMAT " chunks", chunks);
  puts (cut ? ", the rest is cut" : "");
}

/* Of a model with two text encoders, the second one where it counts otherwise. */
static void
print_others (JsonObject *answer)
{
  static const char *const fields[] = { "count", "limit", "cut", "chunks" };
  JsonArray *encoders = json_object_get_array_member (answer, "text-encoders");

  for (guint k = 1; k < json_array_get_length (encoders); k++) {
    JsonObject *other = json_array_get_object_element (encoders, k);
    gint64 value[G_N_ELEMENTS (fields)];
    gboolean same = TRUE;
    for (gsize i = 0; i < G_N_ELEMENTS (fields); i++) {
      value[i] = json_object_get_int_member (other, fields[i]);
      same = same && value[i] == json_object_get_int_member (answer, fields[i]);
    }
    if (!same)
      printf ("text encoder %u: %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT " tokens in %" G_GINT64_FORMAT " chunk%s, %" G_GINT64_FORMAT " cut\n",
              k + 1, value[0], value[1] * value[3], value[3], value[3] == 1 ? "" : "s", value[2]);
  }
}

/* The part of a recipe that says how a prompt is read. */
static PmtJob *
make_job (const Options *options, GError **error)
{
  JsonObject *recipe = json_object_new ();
  PmtJob *job = NULL;

  json_object_set_int_member (recipe, "pentimento", PMT_RECIPE_VERSION);
  json_object_set_string_member (recipe, "task", "generate");
  json_object_set_string_member (recipe, "prompt", options->prompt);
  if (options->syntax)
    json_object_set_string_member (recipe, "prompt-syntax", options->syntax);
  if (options->long_prompts)
    json_object_set_string_member (recipe, "long-prompts", options->long_prompts);
  JsonArray *words = pmt_extra_embeddings_read (options->embeddings, error);
  if (words) {
    json_object_set_array_member (recipe, "embeddings", words);
    job = pmt_job_parse (recipe, error);
  }
  json_object_unref (recipe);
  return job;
}

static gboolean
show (const Options *options, GError **error)
{
  PmtJob *job = make_job (options, error);
  PmtModel *model = job ? pmt_model_open (options->model, error) : NULL;
  JsonObject *answer = model ? pmt_job_tokens (job, model, TRUE, error) : NULL;

  if (answer && options->json) {
    g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
    json_node_set_object (node, answer);
    pmt_cli_print_json (node);
  } else if (answer) {
    print_text (answer);
    print_others (answer);
  }
  pmt_job_free (job);
  pmt_model_unref (model);
  const gboolean good = answer != NULL;
  g_clear_pointer (&answer, json_object_unref);
  return good;
}

static gboolean
run (int argc, char **argv, GError **error)
{
  Options o = { NULL };
  const GOptionEntry entries[] = {
    { "model", 0, 0, G_OPTION_ARG_FILENAME, &o.model, "Whose vocabulary (default: the bundled model's)", "PATH" },
    { "prompt", 0, 0, G_OPTION_ARG_FILENAME, &o.prompt, "The text", "TEXT" },
    { "prompt-syntax", 0, 0, G_OPTION_ARG_FILENAME, &o.syntax, "What brackets mean, as in generate", "ID" },
    { "long-prompts", 0, 0, G_OPTION_ARG_FILENAME, &o.long_prompts, "What becomes of a long prompt, as in generate", "ID" },
    { "embedding", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &o.embeddings, "Learned word (textual inversion); may be repeated", "FILE[=WORD]" },
    { "json", 0, 0, G_OPTION_ARG_NONE, &o.json, "Print JSON: ids as the text encoder gets them, and each token of the text", NULL },
    G_OPTION_ENTRY_NULL,
  };
  gboolean good = pmt_cli_parse (&pmt_command_tokens, NULL, NULL, entries, argc, argv, NULL, 0, error);

  if (good && !o.prompt) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, "No text was given; add --prompt TEXT.");
    good = FALSE;
  }
  good = good && pmt_cli_check_utf8 ("--prompt", o.prompt, error) && show (&o, error);
  g_free (o.model);
  g_free (o.prompt);
  g_free (o.syntax);
  g_free (o.long_prompts);
  g_strfreev (o.embeddings);
  return good;
}

const PmtCommand pmt_command_tokens = { "tokens", "Show how a text is cut into tokens.", run };
