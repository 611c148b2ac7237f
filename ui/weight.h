/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Weights of words in a prompt: "(a red fox:1.2)". */
#pragma once

#include <gtk/gtk.h>

/* Raises or lowers the weight of the selected words, or of the word at the cursor, by step, within 0.1 and 2; at 1 the brackets go away.
 * The words stay selected. FALSE when there is no word. */
gboolean pmt_weight_change (GtkTextBuffer *buffer, double step);
