/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which noise a picture begins with: a number, dice for a new one, and a lock that keeps the one that was used last. */
#pragma once

#include <gtk/gtk.h>

/* property: an integer, -1 while each run takes another seed. last: an integer property, the seed that was used last, -1 for none; while the
 * lock is open it stands beside "random". Typing a number or throwing the dice closes the lock; opening it means random again. */
GtkWidget *pmt_seed_row_new (GObject *object, const char *property, const char *last);
