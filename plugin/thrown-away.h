/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Results that the user threw away: a button brings them back until something else takes their place or the dialog closes. Only then are they
 * gone, out of the history too. */
#pragma once

#include <gtk/gtk.h>

#include "plugin/result.h"

typedef struct PmtThrownAway PmtThrownAway;

/* back is called with the results, lent, when they are wanted again. */
PmtThrownAway *pmt_thrown_away_new (void (*back) (gpointer user, GPtrArray *results), gpointer user);
/* Shown while there is something to bring back. */
GtkWidget *pmt_thrown_away_button (PmtThrownAway *self);
/* Results that are not wanted; those of before are gone. */
void pmt_thrown_away_take (PmtThrownAway *self, GPtrArray *results);
/* What there is is gone. */
void pmt_thrown_away_forget (PmtThrownAway *self);
/* Forgets too; NULL is fine. */
void pmt_thrown_away_free (PmtThrownAway *self);
