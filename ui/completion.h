/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names that a prompt can say, offered while it is typed: after "<lora:" or "<hypernet:", and for learned words with Ctrl+Space, which offers
 * all three kinds for the word at the cursor. Up and Down choose, Tab or Return inserts, Escape closes the list and nothing else. */
#pragma once

#include <gtk/gtk.h>

typedef enum { PMT_COMPLETION_LORAS, PMT_COMPLETION_HYPERNETWORKS, PMT_COMPLETION_WORDS, PMT_N_COMPLETIONS } PmtCompletionKind;

/* For a GtkTextView, once. */
void pmt_completion_attach (GtkWidget *text);
/* NULL-terminated; copied. */
void pmt_completion_set_names (GtkWidget *text, PmtCompletionKind kind, const char *const *names);
/* The names that are offered now, in their order (NULL-terminated, free with g_strfreev); NULL while there is no list. */
char **pmt_completion_offered (GtkWidget *text);
