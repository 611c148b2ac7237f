/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A dialog that does not close before somebody was asked: Cancel, Close, Escape and the window's own button. */
#pragma once

#include <gtk/gtk.h>

/* may_close FALSE: the dialog stays. Before the dialog is run; `user` lives as long as it runs. */
void pmt_close_guard_add (GtkDialog *dialog, gboolean (*may_close) (gpointer user), gpointer user);

/* For may_close: a question above the dialog. TRUE: `yes` (a label with a mnemonic) was pressed; `no` is what Return and Escape mean. */
gboolean pmt_close_guard_ask (GtkWindow *parent, const char *question, const char *consequence, const char *no, const char *yes);
