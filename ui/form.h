/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The frame of a dialog: rows of label and field, sections that fold, a prompt of several lines.
 *
 * Everything in ui/ edits a string, number or choice property of an object (the procedure's settings) and follows it, so that
 * resetting or loading settings needs no code. The widgets returned are floating and shown. */
#pragma once

#include <gtk/gtk.h>

/* A grid of two columns; add rows with pmt_form_add. Labels carry mnemonics for their fields. tip: NULL or a sentence. */
GtkWidget *pmt_form_new (void);
void pmt_form_add (GtkWidget *form, const char *label, GtkWidget *field, const char *tip);

/* `content` under a header that folds it away; open at first when `open`. */
GtkWidget *pmt_fold_new (const char *label, GtkWidget *content, gboolean open);

/* `content`, to be scrolled where it would be too high for the screen beside `rest` pixels of other things. What gets the focus comes into
 * sight. */
GtkWidget *pmt_scroll_new (GtkWidget *content, int rest);

/* What is in the window of `inside` has changed: it gets as high as that, and no higher than can be (pmt_scroll_new). shrink: also less high
 * than it is. */
void pmt_window_fit (GtkWidget *inside, gboolean shrink);

/* A label above a text field of `lines` lines for property, a string. Tab leaves it, Ctrl+Return is the dialog's default button,
 * Ctrl+Up and Ctrl+Down change the weight of the words at the cursor (weight.h). Names are completed once they are known (completion.h). */
GtkWidget *pmt_prompt_new (GObject *object, const char *property, const char *label, int lines);
/* The text field itself, to give it the focus. */
GtkWidget *pmt_prompt_text (GtkWidget *prompt);
/* Puts a widget at the end of the line above the text. */
void pmt_prompt_add (GtkWidget *prompt, GtkWidget *widget);
