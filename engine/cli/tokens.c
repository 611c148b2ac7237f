/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "engine/cli/cli.h"
#include "engine/sample/model.h"

static void
print_json (const PmtTokenizer *tokenizer, const PmtTokens *tokens, const int *ids, int length, int cut)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();
  JsonArray *padded = json_array_new (), *list = json_array_new ();

  for (int i = 0; i < length; i++)
    json_array_add_int_element (padded, ids[i]);
  for (int i = 0; i < tokens->n_tokens; i++) {
    const PmtToken *token = &tokens->token[i];
    const char *symbol = pmt_tokenizer_symbol (tokenizer, token->id);
    JsonObject *entry = json_object_new ();

    json_object_set_int_member (entry, "id", token->id);
    json_object_set_string_member (entry, "symbol", symbol ? symbol : "");
    json_object_set_int_member (entry, "begin", token->begin);
    json_object_set_int_member (entry, "end", token->end);
    json_object_set_int_member (entry, "word", token->word);
    json_array_add_object_element (list, entry);
  }
  json_object_set_string_member (object, "text", tokens->text);
  json_object_set_int_member (object, "count", tokens->n_tokens);
  json_object_set_int_member (object, "limit", length - 2);
  json_object_set_int_member (object, "cut", cut);
  json_object_set_array_member (object, "ids", padded);
  json_object_set_array_member (object, "tokens", list);
  json_node_take_object (node, object);
  pmt_cli_print_json (node);
}

static gboolean
run (int argc, char **argv, GError **error)
{
  g_autofree char *path = NULL, *prompt = NULL;
  g_autofree int *ids = NULL;
  gboolean json = FALSE;
  const GOptionEntry entries[] = {
    { "model", 0, 0, G_OPTION_ARG_FILENAME, &path, "Whose vocabulary (default: the bundled model's)", "PATH" },
    { "prompt", 0, 0, G_OPTION_ARG_FILENAME, &prompt, "The text", "TEXT" },
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON: ids as the text encoder gets them, and each token of the text", NULL },
    G_OPTION_ENTRY_NULL,
  };
  PmtModel *model;
  PmtTokenizer *tokenizer;
  PmtTokens tokens = { 0 };
  int length, cut;

  if (!pmt_cli_parse (&pmt_command_tokens, NULL, NULL, entries, argc, argv, NULL, 0, error))
    return FALSE;
  if (!prompt) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, "No text was given; add --prompt TEXT.");
    return FALSE;
  }
  model = pmt_model_open (path, error);
  if (!model)
    return FALSE;
  tokenizer = pmt_model_tokenizer (model, error);
  if (tokenizer) {
    length = pmt_tokenizer_length (tokenizer);
    ids = g_new0 (int, length);
    cut = pmt_tokenizer_encode_padded (tokenizer, prompt, length, ids, &tokens);
    if (json)
      print_json (tokenizer, &tokens, ids, length, cut);
    else {
      for (int i = 0; i < tokens.n_tokens; i++)
        printf ("%6d %s%s\n", tokens.token[i].id, pmt_tokenizer_symbol (tokenizer, tokens.token[i].id),
                i >= length - 2 ? "  (cut)" : "");
      printf ("%d of %d tokens%s\n", tokens.n_tokens, length - 2, cut ? ", the rest is cut" : "");
    }
    pmt_tokens_clear (&tokens);
  }
  pmt_model_unref (model);
  return tokenizer != NULL;
}

const PmtCommand pmt_command_tokens = { "tokens", "Show how a text is cut into tokens.", run };
