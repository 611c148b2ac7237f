/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The words of a prompt, each with a slider that turns it up or down. */
#pragma once

#include <gtk/gtk.h>

/* prompt and weights are string properties: the words come from the one, "fox:1.5; snow:0.2" goes into the other. Words that stand at 1 are
 * left out, and those of a prompt that changes keep their weight. Weights go from least to most; tip says what they do. */
GtkWidget *pmt_word_weights_new (GObject *object, const char *prompt, const char *weights, double least, double most, const char *tip);
