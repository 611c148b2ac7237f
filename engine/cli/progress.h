/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Progress on stderr: a bar with the time left on a terminal, one line per step when asked for, else nothing. */
#pragma once

#include "engine/learn/learn.h"

typedef struct PmtBar {
  gboolean terminal, lines;
  gboolean shown; /* a bar stands in the present line */
  int last_step, last_variant;
  int last_stage;
} PmtBar;

void pmt_bar_init (PmtBar *bar, gboolean lines);
void pmt_bar_show (PmtBar *bar, const PmtProgress *progress, int variant, int variants);
void pmt_bar_show_learning (PmtBar *bar, const PmtLearnProgress *progress);
/* Takes the bar away, before other output. */
void pmt_bar_clear (PmtBar *bar);
