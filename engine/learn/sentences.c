/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Captions: a picture's own, or a sentence with the concept in it. */
#include <string.h>

#include "engine/learn/private.h"

static const char *const *
sentences_of (const PmtLearnRequest *q)
{
  return q->sentences ? q->sentences : q->style ? q->kind->styles : q->kind->things;
}

/* What stands for {}: the word, which for a LoRA a thing follows. */
static char *
concept (const PmtLearnRequest *q)
{
  const bool thing = q->thing && *q->thing && !q->kind->learns_word;
  return thing ? g_strconcat (q->word, *q->word ? " " : "", q->thing, NULL) : g_strdup (q->word);
}

/* `text` with every {} replaced. */
static char *
filled (const char *text, const char *with)
{
  g_auto (GStrv) parts = g_strsplit (text, "{}", -1);
  return g_strjoinv (with, parts);
}

char *
pmt_learn_caption (const PmtLearnRequest *q, int picture, uint32_t choice)
{
  const char *const *sentences = sentences_of (q);
  g_autofree char *with = concept (q);
  if (picture >= 0 && q->pictures[picture].caption)
    return filled (q->pictures[picture].caption, with);
  return filled (sentences[choice % g_strv_length ((char **) sentences)], with);
}

gboolean
pmt_learn_check_sentences (const PmtLearnRequest *q, GError **error)
{
  const char *const *sentences = sentences_of (q);
  if (!*sentences) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, _("There is no sentence to learn with; give at least one."));
    return FALSE;
  }
  for (int i = 0; q->kind->learns_word && sentences[i]; i++)
    if (!strstr (sentences[i], "{}")) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The sentence \"%s\" does not say where the word stands; write {} there."), sentences[i]);
      return FALSE;
    }
  for (int i = 0; q->kind->learns_word && i < q->n_pictures; i++) {
    const char *caption = q->pictures[i].caption;
    if (caption && !strstr (caption, "{}") && !strstr (caption, q->word)) {
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The caption \"%s\" lacks the word \"%s\" that is to be learned; put it in, or {} for it."), caption,
                   q->word);
      return FALSE;
    }
  }
  return TRUE;
}
