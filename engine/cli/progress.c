/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/cli/progress.h"

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

void
pmt_bar_show (PmtBar *bar, const PmtProgress *progress, int variant, int variants)
{
  char time[48], step[48] = "", which[48] = "", line[256];
  struct winsize window;
  int filled = (int) (CLAMP (progress->fraction, 0, 1) * BAR);
  gboolean news = bar->last_step != progress->step || bar->last_stage != progress->stage || bar->last_variant != variant;

  if (!bar->terminal && !(bar->lines && news))
    return;
  bar->last_step = progress->step;
  bar->last_stage = progress->stage;
  bar->last_variant = variant;
  format_time (progress->eta, time, sizeof time);
  if (progress->of > 0)
    g_snprintf (step, sizeof step, " %d/%d", progress->step, progress->of);
  if (variants > 1)
    g_snprintf (which, sizeof which, "picture %d of %d, ", variant + 1, variants);
  if (bar->lines) {
    fprintf (stderr, "%3.0f%% %s%s%s, %s\n", 100 * progress->fraction, which, pmt_stage_name (progress->stage), step, time);
    return;
  }
  g_snprintf (line, sizeof line, "[%.*s%.*s] %3.0f%% %s%s%s, %s", filled, "########################", BAR - filled,
              "------------------------", 100 * progress->fraction, which, pmt_stage_name (progress->stage), step, time);
  /* a line that wraps could not be overwritten */
  if (ioctl (STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 1 && window.ws_col < sizeof line)
    line[window.ws_col - 1] = '\0';
  fprintf (stderr, "\r%s\033[K", line);
  fflush (stderr);
  bar->shown = TRUE;
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
