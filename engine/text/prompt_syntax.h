/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Prompt syntax: weights, BREAK and tags as AUTOMATIC1111's web UI has them.
 *
 *   (x)        weight * 1.1            [x]       weight / 1.1          (x:1.3)   weight * 1.3
 *   \( \) \[ \] \\                     the character itself
 *   BREAK                              what follows begins a new chunk
 *   <lora:NAME:S> <lora:NAME:T:S> <lora:NAME:te=T:unet=S> <lyco:…>    a LoRA: text encoders T, UNet S; taken out of the text
 *   <hypernet:NAME:S>                                                 a hypernetwork; taken out of the text
 *
 * Brackets nest; those left open reach to the end; closing ones that nothing opened are text; neighbours of equal weight are one part.
 * "(cat, hat:1.2)" weighs both words; ":1.2" counts only before the ")" of an open "(". Two things differ on purpose: BREAK inside
 * brackets is a break (there: the word with weight -1.1), and a number with two points ("1.2.3") is text (there: a crash). `AND` and
 * "[from:to:when]" have no meaning here and stay text.
 *
 * Linear in the prompt's length: brackets more than 128 deep are matched and weigh nothing, and weights stay within ±1e6. */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "engine/base/error.h"

typedef enum { PMT_SYNTAX_A1111, PMT_SYNTAX_PLAIN } PmtSyntax; /* plain: every character is text */

/* A run of equal weight, in bytes [begin, end) of PmtPrompt.text; or a BREAK, which has no bytes. Tokens never reach across parts. */
typedef struct PmtPromptPart {
  int begin, end;
  double weight; /* 1 for a BREAK */
  bool is_break;
} PmtPromptPart;

typedef struct PmtPromptTag {
  char *name;
  bool hypernetwork; /* else a LoRA */
  double strength, text_strength; /* of the UNet and of the text encoders, -100..100 */
} PmtPromptTag;

typedef struct PmtPrompt {
  char *text;  /* what is left without syntax, valid UTF-8 */
  int *source; /* length of text + 1 values: the byte of the given prompt at which each byte of text begins */
  PmtPromptPart *part;
  int n_parts; /* at least 1 */
  PmtPromptTag *tag; /* in the order of the prompt */
  int n_tags;
} PmtPrompt;

/* `text` may hold any bytes; invalid UTF-8 becomes U+FFFD, and `source` then counts in the repaired prompt. FALSE + PMT_ERROR_INPUT for
 * a tag whose strength is no number, with *prompt cleared. */
gboolean pmt_prompt_parse (const char *text, PmtSyntax syntax, PmtPrompt *prompt, GError **error);
/* The same text with its brackets and weights and without its tags, valid UTF-8; g_free it. NULL + error as above. */
char *pmt_prompt_without_tags (const char *text, GError **error);
void pmt_prompt_clear (PmtPrompt *prompt); /* frees the content, not the struct */
