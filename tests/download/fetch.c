/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fetch URL TARGET [--bytes N] [--sha256 HEX] [--retry-ms N] [--stall-ms N] [--stop-at BYTES]: one download (plugin/download.h), told on
 * standard output: "STAGE DONE OF" lines, then "done" or "error SENTENCE" or "stopped". */
#include <glib.h>
#include <stdio.h>

#include "plugin/download.h"

static GMainLoop *loop;
static PmtDownload *download;
static gint64 stop_at = -1;
static int finishes;

static void
on_progress (gpointer user, const PmtDownloadProgress *progress)
{
  static const char *const stages[] = { "fetching", "waiting", "checking" };

  g_assert_true (finishes == 0);
  printf ("%s %" G_GINT64_FORMAT " %" G_GINT64_FORMAT "\n", stages[progress->stage], progress->done, progress->of);
  fflush (stdout);
  if (stop_at >= 0 && progress->done >= stop_at) {
    puts ("stopped");
    g_clear_pointer (&download, pmt_download_free); /* from within a handler, as a button would */
    g_timeout_add (300, G_SOURCE_FUNC (g_main_loop_quit), loop); /* nothing may come any more */
  }
}

static void
on_finished (gpointer user, const GError *error)
{
  g_assert_true (finishes++ == 0);
  if (error)
    printf ("error %s\n", error->message);
  else
    puts ("done");
  g_main_loop_quit (loop);
}

int
main (int argc, char **argv)
{
  PmtDownloadWish wish = { .bytes = -1 };
  int retry_ms = 0, stall_ms = 0;
  char *sha256 = NULL;
  const GOptionEntry entries[] = {
    { "bytes", 0, 0, G_OPTION_ARG_INT64, &wish.bytes, NULL, NULL },    { "sha256", 0, 0, G_OPTION_ARG_STRING, &sha256, NULL, NULL },
    { "retry-ms", 0, 0, G_OPTION_ARG_INT, &retry_ms, NULL, NULL },     { "stall-ms", 0, 0, G_OPTION_ARG_INT, &stall_ms, NULL, NULL },
    { "stop-at", 0, 0, G_OPTION_ARG_INT64, &stop_at, NULL, NULL },     G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("URL TARGET");
  const PmtDownloadHandlers handlers = { on_progress, on_finished };

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, NULL) || argc != 3)
    return 2;
  wish.url = argv[1];
  wish.target = argv[2];
  wish.sha256 = sha256;
  wish.retry_ms = (guint) retry_ms;
  wish.stall_ms = (guint) stall_ms;
  loop = g_main_loop_new (NULL, FALSE);
  download = pmt_download_start (&wish, &handlers, NULL);
  g_main_loop_run (loop);
  pmt_download_free (download);
  g_main_loop_unref (loop);
  g_free (sha256);
  return 0;
}
