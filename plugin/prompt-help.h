/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the engine knows for a prompt that is being typed: how many tokens it has (ui/token-counter.h) and the names that it can say
 * (ui/completion.h). Asking also starts the engine while the user still types. Without an engine there is neither, and typing goes on: the
 * job itself will say what is wrong. */
#pragma once

#include <gtk/gtk.h>

typedef struct PmtPromptHelp PmtPromptHelp;

/* config has "model", "preset" and "embeddings". */
PmtPromptHelp *pmt_prompt_help_new (GObject *config);
/* NULL is fine. Call it while the prompts still are. */
void pmt_prompt_help_free (PmtPromptHelp *help);
/* For a pmt_prompt_new; at most PMT_PROMPTS. member: "prompt" or "negative-prompt", a constant. */
#define PMT_PROMPTS 2
void pmt_prompt_help_add (PmtPromptHelp *help, GtkWidget *prompt, const char *member);

/* Writes the files of the learned words that these prompts say into "embeddings"; other files there stay. What else says some is the job's to look
 * for (embeddings.h). */
void pmt_prompt_help_settle (PmtPromptHelp *help);
