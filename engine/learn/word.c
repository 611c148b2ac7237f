/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Textual inversion (Gal et al. 2022): one or more vectors of each text encoder's table of words, and nothing else. */
#include <string.h>

#include "engine/learn/private.h"
#include "engine/weights/safetensors.h"

static const char *const things[] = {
  "a picture of {}", "a photo of {}", "a close view of {}", "a bright picture of {}", "a dark picture of {}", "one {}", "a clear photo of {}",
  "{} seen from the front", "a picture with {} in the middle", "a small picture of {}", NULL,
};
static const char *const styles[] = {
  "a picture in the style of {}", "a painting in the style of {}", "a scene in the style of {}", "a detail in the style of {}",
  "a bright picture in the style of {}", "a dark picture in the style of {}", "a large work in the style of {}", NULL,
};

static const char table[] = "text_model.embeddings.token_embedding.weight";

/* Names that mean something else in files of words (nets/learned_word.h) and of tensors. */
static const char *const reserved[] = { "emb_params", "text_encoders_0", "text_encoders_1", "clip_l", "clip_g", "__metadata__", NULL };

static bool
is_word (const char *word)
{
  for (const char *c = word; *c; c++)
    if ((guchar) *c < 0x20 || *c == 0x7f)
      return false;
  return *word && g_utf8_validate (word, -1, NULL) && !strpbrk (word, " ()[]<>{}:,|\\\"") && !g_strv_contains (reserved, word);
}

static gboolean
check (const PmtLearnRequest *q, GError **error)
{
  const int room = pmt_model_text_config (q->model)->max_positions - 2;
  if (!q->word || !is_word (q->word)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("\"%s\" cannot be a word to learn; write one without spaces and brackets that no prompt has otherwise, such as my-cat."), q->word ? q->word : "");
    return FALSE;
  }
  if (q->vectors < 1 || q->vectors > MIN (room, 64)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("A word can have 1 to %d vectors, not %d."), MIN (room, 64), q->vectors);
    return FALSE;
  }
  if (q->n_prior == 0)
    return TRUE;
  g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, _("A learned word leaves the model as it is, so pictures of its class have no use; leave them out."));
  return FALSE;
}

static gboolean
add (const PmtLearnRequest *q, const PmtLearnNets *nets, PmtParameters *parameters, GError **error)
{
  for (int k = 0; k < nets->n_texts; k++) {
    const PmtShape shape = PMT_SHAPE2 (q->vectors, pmt_clip_text_config (nets->text[k])->hidden);
    if (!pmt_parameters_add (parameters, k ? "word-2" : "word", shape, PMT_LEARN_GROUP_MAIN, error).data)
      return FALSE;
  }
  return TRUE;
}

/* Adds a row of the table to `sum`. */
static void
add_row (double *sum, PmtTensor words, int64_t row, double factor)
{
  const int64_t width = pmt_tensor_dim (words, 1);
  for (int64_t i = 0; i < width; i++)
    sum[i] += factor * (double) words.data[row * width + i];
}

/* Vector v of n begins as the thing's v-th word, and again from the first; where the thing has more words than there are vectors, as the mean of those
 * whose turn it would be. Without a thing: as the mean word. */
static void
first_vector (PmtTensor words, const PmtTokens *tokens, int v, int n, double *sum)
{
  int count = 0;
  for (int i = v; i < tokens->n_tokens; i += n)
    count++;
  for (int i = v; i < tokens->n_tokens; i += n)
    add_row (sum, words, tokens->token[i].id, 1.0 / count);
  if (count == 0 && tokens->n_tokens > 0)
    add_row (sum, words, tokens->token[v % tokens->n_tokens].id, 1);
}

static gboolean
begin (const PmtLearnRequest *q, const PmtLearnNets *nets, PmtParameters *parameters, GError **error)
{
  for (int k = 0; k < nets->n_texts; k++) {
    PmtContext ctx = { 0 };
    const PmtWeightPool *pool = pmt_clip_text_weights (nets->text[k]);
    const PmtTensor words = pmt_weight (&ctx, pool, pmt_weight_pool_find (pool, table)), rows = pmt_parameters_value (parameters, k);
    const int64_t width = pmt_tensor_dim (words, 1), n = pmt_tensor_dim (words, 0);
    g_autofree double *mean = g_new0 (double, width), *sum = g_new (double, width);
    PmtTokens tokens;
    pmt_tokenizer_encode (nets->tokenizer[k], q->thing ? q->thing : "", &tokens);
    for (int64_t w = 0; w < n && tokens.n_tokens == 0; w++)
      add_row (mean, words, w, 1.0 / (double) n);
    for (int v = 0; v < q->vectors; v++) {
      memcpy (sum, mean, (size_t) width * sizeof *sum);
      first_vector (words, &tokens, v, q->vectors, sum);
      for (int64_t i = 0; i < width; i++)
        rows.data[v * width + i] = (float) sum[i];
    }
    pmt_tokens_clear (&tokens);
  }
  return TRUE;
}

static PmtTensor
rows (const PmtParameters *parameters, int k)
{
  return pmt_parameters_value (parameters, k);
}

/* diffusers' form, a tensor named as the word; with two encoders clip_l and clip_g, as SDXL's are. */
static gboolean
write_file (const PmtLearnRequest *q, const PmtLearnNets *nets, PmtParameters *parameters, GError **error)
{
  PmtSafetensorOut out[PMT_MODEL_MAX_TEXTS] = { { 0 } };
  g_autoptr (GHashTable) about = g_hash_table_new (g_str_hash, g_str_equal);
  for (int k = 0; k < nets->n_texts; k++) {
    const PmtTensor value = pmt_parameters_value (parameters, k);
    const bool big = pmt_model_text_component (q->model, k) == PMT_COMPONENT_TEXT_2;
    out[k] = (PmtSafetensorOut) { .name = nets->n_texts == 1 ? q->word : big ? "clip_g" : "clip_l", .dtype = PMT_DTYPE_F32, .rank = 2, .data = value.data };
    memcpy (out[k].dim, value.shape.dim, 2 * sizeof (int64_t));
  }
  g_hash_table_insert (about, (char *) "word", (char *) q->word);
  g_hash_table_insert (about, (char *) "base", (char *) pmt_model_family (q->model));
  return pmt_safetensors_write (q->out, out, (guint) nets->n_texts, about, error);
}

const PmtLearnKind pmt_learn_kind_word = {
  .id = "word",
  .label = N_("A word"),
  .summary = N_("Finds a new word for what the pictures show: a file of a few kilobytes that leaves the model as it is."),
  .things = things,
  .styles = styles,
  .learns_word = true,
  .rate = 5e-4,
  .steps = 3000,
  .check = check,
  .add = add,
  .begin = begin,
  .rows = rows,
  .write = write_file,
};
