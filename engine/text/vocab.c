/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/text/vocab.h"

#include <string.h>

#include <gio/gio.h>

#include "engine/base/datadir.h"
#include "engine/text/unicode.h"

#define MAX_ID (1 << 22)

/* CLIP's (and GPT-2's) printable alphabet: bytes that print stand for themselves, the other 68 follow as U+0100 and up. */
static gboolean
prints (int byte)
{
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

static void
fill_alphabet (PmtVocab *vocab)
{
  gunichar next = 0x100;
  for (int byte = 0; byte < 256; byte++) {
    int n = g_unichar_to_utf8 (prints (byte) ? (gunichar) byte : next, vocab->byte_symbol[byte]);
    vocab->byte_symbol[byte][n] = 0;
    if (!prints (byte))
      next++;
  }
}

static void
clear_added (void *data)
{
  g_free (((PmtAddedToken *) data)->content);
}

PmtVocab *
pmt_vocab_new (void)
{
  PmtVocab *vocab = g_new0 (PmtVocab, 1);

  vocab->ids = g_hash_table_new (g_str_hash, g_str_equal);
  vocab->symbols = g_ptr_array_new_with_free_func (g_free);
  vocab->merges = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  vocab->added = g_array_new (FALSE, FALSE, sizeof (PmtAddedToken));
  g_array_set_clear_func (vocab->added, clear_added);
  vocab->bos = vocab->eos = vocab->pad = vocab->unknown = -1;
  vocab->length = 77;
  fill_alphabet (vocab);
  return vocab;
}

void
pmt_vocab_free (PmtVocab *vocab)
{
  if (!vocab)
    return;
  g_hash_table_unref (vocab->ids);
  g_hash_table_unref (vocab->merges);
  g_ptr_array_unref (vocab->symbols);
  g_array_unref (vocab->added);
  g_free (vocab);
}

int
pmt_vocab_id (const PmtVocab *vocab, const char *symbol)
{
  return GPOINTER_TO_INT (g_hash_table_lookup (vocab->ids, symbol)) - 1;
}

gboolean
pmt_vocab_add (PmtVocab *vocab, const char *symbol, int id)
{
  if (id < 0 || id >= MAX_ID || pmt_vocab_id (vocab, symbol) >= 0)
    return FALSE;
  if ((guint) id >= vocab->symbols->len)
    g_ptr_array_set_size (vocab->symbols, id + 1);
  if (vocab->symbols->pdata[id])
    return FALSE;
  vocab->symbols->pdata[id] = g_strdup (symbol);
  g_hash_table_insert (vocab->ids, vocab->symbols->pdata[id], GINT_TO_POINTER (id + 1));
  return TRUE;
}

static gint64
pair_key (int left, int right)
{
  return (gint64) left << 32 | right;
}

gboolean
pmt_vocab_add_merge (PmtVocab *vocab, const char *left, const char *right, int rank)
{
  g_autofree char *joined = g_strconcat (left, right, NULL);
  int a = pmt_vocab_id (vocab, left), b = pmt_vocab_id (vocab, right), id = pmt_vocab_id (vocab, joined);

  if (a < 0 || b < 0 || id < 0)
    return FALSE;
  PmtMerge *merge = g_new (PmtMerge, 1);
  *merge = (PmtMerge) { .pair = pair_key (a, b), .rank = rank, .id = id };
  g_hash_table_replace (vocab->merges, &merge->pair, merge);
  return TRUE;
}

const PmtMerge *
pmt_vocab_merge (const PmtVocab *vocab, int left, int right)
{
  gint64 pair = pair_key (left, right);
  return g_hash_table_lookup (vocab->merges, &pair);
}

gboolean
pmt_vocab_add_token (PmtVocab *vocab, const char *content, int id, gboolean normalized)
{
  PmtAddedToken token = { NULL, id, normalized };

  if (id < 0 || id >= MAX_ID)
    return FALSE;
  for (guint i = 0; i < vocab->added->len; i++) {
    if (strcmp (g_array_index (vocab->added, PmtAddedToken, i).content, content) == 0) {
      g_array_remove_index (vocab->added, i);
      break;
    }
  }
  if (pmt_vocab_id (vocab, content) < 0)
    pmt_vocab_add (vocab, content, id);
  /* what is told of the vocabulary's size counts this id too, whatever symbol has it */
  if ((guint) id >= vocab->symbols->len)
    g_ptr_array_set_size (vocab->symbols, id + 1);
  token.content = g_strdup (content);
  g_array_append_val (vocab->added, token);
  return TRUE;
}

static int
compare_added (gconstpointer a, gconstpointer b)
{
  size_t x = strlen (((const PmtAddedToken *) a)->content), y = strlen (((const PmtAddedToken *) b)->content);
  return x > y ? -1 : x < y;
}

void
pmt_vocab_finish (PmtVocab *vocab)
{
  char symbol[16];

  for (int byte = 0; byte < 256; byte++) {
    vocab->byte_id[byte] = pmt_vocab_id (vocab, vocab->byte_symbol[byte]);
    g_snprintf (symbol, sizeof symbol, "%s</w>", vocab->byte_symbol[byte]);
    vocab->byte_end_id[byte] = pmt_vocab_id (vocab, symbol);
  }
  /* A token that is matched in cleaned text has to be cleaned itself. */
  for (guint i = 0; i < vocab->added->len; i++) {
    PmtAddedToken *token = &g_array_index (vocab->added, PmtAddedToken, i);
    if (token->normalized) {
      char *clean = pmt_text_clean (token->content, -1);
      g_free (token->content);
      token->content = clean;
    }
  }
  g_array_sort (vocab->added, compare_added);
}

static char *
read_gzip (const char *path, GError **error)
{
  g_autoptr (GFile) file = g_file_new_for_path (path);
  g_autoptr (GError) local = NULL;
  g_autoptr (GFileInputStream) raw = g_file_read (file, NULL, &local);
  g_autoptr (GConverter) unzip = G_CONVERTER (g_zlib_decompressor_new (G_ZLIB_COMPRESSOR_FORMAT_GZIP));
  g_autoptr (GOutputStream) memory = g_memory_output_stream_new_resizable ();

  if (raw) {
    g_autoptr (GInputStream) plain = g_converter_input_stream_new (G_INPUT_STREAM (raw), unzip);
    g_output_stream_splice (memory, plain, G_OUTPUT_STREAM_SPLICE_CLOSE_TARGET, NULL, &local);
  }
  if (local) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT, _("The vocabulary '%s' cannot be read (%s); install Pentimento again."), path,
                 local->message);
    return NULL;
  }
  gsize size = g_memory_output_stream_get_data_size (G_MEMORY_OUTPUT_STREAM (memory));
  return g_strndup (g_memory_output_stream_get_data (G_MEMORY_OUTPUT_STREAM (memory)), size);
}

/* The order of the symbols is fixed: byte symbols that print, the others, the same with "</w>", one per merge, BOS, EOS. */
static void
add_clip_alphabet (PmtVocab *vocab)
{
  int id = 0;
  for (int end = 0; end < 2; end++)
    for (int printing = 1; printing >= 0; printing--)
      for (int byte = 0; byte < 256; byte++)
        if (prints (byte) == printing) {
          g_autofree char *symbol = g_strconcat (vocab->byte_symbol[byte], end ? "</w>" : "", NULL);
          pmt_vocab_add (vocab, symbol, id++);
        }
}

PmtVocab *
pmt_vocab_new_clip (GError **error)
{
  g_autofree char *path = pmt_data_path ("clip/merges.txt.gz", error);
  g_autofree char *text = path ? read_gzip (path, error) : NULL;
  if (!text)
    return NULL;

  PmtVocab *vocab = pmt_vocab_new ();
  add_clip_alphabet (vocab);
  int rank = 0;
  char *line = strchr (text, '\n'); /* the first line is a header */
  while (line && line[1]) {
    char *left = line + 1, *right = strchr (left, ' ');
    line = strchr (left, '\n');
    if (line)
      *line = 0;
    if (!right || (line && right > line))
      break;
    *right++ = 0;
    g_autofree char *joined = g_strconcat (left, right, NULL);
    if (!pmt_vocab_add (vocab, joined, 512 + rank) || !pmt_vocab_add_merge (vocab, left, right, rank))
      break;
    rank++;
  }
  if (rank != 48894) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT, _("The vocabulary '%s' is damaged after %d merges; install Pentimento again."), path,
                 rank);
    pmt_vocab_free (vocab);
    return NULL;
  }
  vocab->bos = 49406;
  vocab->eos = vocab->pad = vocab->unknown = 49407;
  /* As transformers sets SD 1's files up: BOS is found in any case of letters, EOS, being the pad token too, only as it is written. */
  pmt_vocab_add_token (vocab, "<|startoftext|>", 49406, TRUE);
  pmt_vocab_add_token (vocab, "<|endoftext|>", 49407, FALSE);
  pmt_vocab_finish (vocab);
  return vocab;
}
