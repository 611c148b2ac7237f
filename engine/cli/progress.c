/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/cli/progress.h"

#include <math.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define BAR 24

void
pmt_bar_init (PmtBar *bar, gboolean lines)
{
  *bar = (PmtBar) { .terminal = isatty (STDERR_FILENO) && !lines, .lines = lines, .last_step = -1, .last_variant = -1 };
}

static void
format_time (double seconds, char *text, size_t size)
{
  int s = (int) (seconds + 0.5);

  if (seconds < 0)
    g_snprintf (text, size, "time left unknown");
  else if (s >= 3600)
    g_snprintf (text, size, "%d:%02d:%02d left", s / 3600, s / 60 % 60, s % 60);
  else
    g_snprintf (text, size, "%d:%02d left", s / 60, s % 60);
}

/* Whether there is something to show, and somebody to see it. */
static gboolean
is_news (PmtBar *bar, int stage, int step, int variant)
{
  gboolean news = bar->last_step != step || bar->last_stage != stage || bar->last_variant != variant;

  bar->last_step = step;
  bar->last_stage = stage;
  bar->last_variant = variant;
  return bar->terminal || (bar->lines && news);
}

static void
show (PmtBar *bar, double fraction, const char *what, double eta)
{
  int filled = (int) (CLAMP (fraction, 0, 1) * BAR);
  char time[48], line[256];
  struct winsize window;

  format_time (eta, time, sizeof time);
  if (bar->lines) {
    fprintf (stderr, "%3.0f%% %s, %s\n", 100 * fraction, what, time);
    return;
  }
  g_snprintf (line, sizeof line, "[%.*s%.*s] %3.0f%% %s, %s", filled, "########################", BAR - filled, "------------------------", 100 * fraction,
              what, time);
  /* a line that wraps could not be overwritten */
  if (ioctl (STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 1 && window.ws_col < sizeof line)
    line[window.ws_col - 1] = '\0';
  fprintf (stderr, "\r%s\033[K", line);
  fflush (stderr);
  bar->shown = TRUE;
}

void
pmt_bar_show (PmtBar *bar, const PmtProgress *progress, int variant, int variants)
{
  char step[48] = "", which[48] = "", what[128];

  if (!is_news (bar, progress->stage, progress->step, variant))
    return;
  if (progress->of > 0)
    g_snprintf (step, sizeof step, " %d/%d", progress->step, progress->of);
  if (variants > 1)
    g_snprintf (which, sizeof which, "picture %d of %d, ", variant + 1, variants);
  g_snprintf (what, sizeof what, "%s%s%s", which, pmt_stage_name (progress->stage), step);
  show (bar, progress->fraction, what, progress->eta);
}

void
pmt_bar_show_learning (PmtBar *bar, const PmtLearnProgress *progress)
{
  char step[48] = "", loss[48] = "", what[128];

  if (!is_news (bar, progress->stage, progress->step, 0))
    return;
  if (progress->of > 0)
    g_snprintf (step, sizeof step, " %d/%d", progress->step, progress->of);
  if (isfinite (progress->loss))
    g_snprintf (loss, sizeof loss, ", loss %.4f", progress->loss);
  g_snprintf (what, sizeof what, "%s%s%s", pmt_learn_stage_name (progress->stage), step, loss);
  show (bar, progress->fraction, what, progress->eta);
}

void
pmt_bar_clear (PmtBar *bar)
{
  if (!bar->shown)
    return;
  fputs ("\r\033[K", stderr);
  fflush (stderr);
  bar->shown = FALSE;
}
