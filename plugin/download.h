/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One file from the web, as the user asked for it by a click: nothing else in Pentimento uses the network.
 *
 * Goes on where an earlier try ended (FILE.part), if the server still has the same file; tries again by itself when the connection breaks;
 * checks length and SHA-256; and only then gives the file its name. Addresses, redirects included, must be https; http is for this machine
 * alone, from this machine. The name of the file is the caller's: what a server calls it is not looked at. GIO's proxy settings apply. */
#pragma once

#include <glib.h>

typedef struct PmtDownload PmtDownload;

typedef struct PmtDownloadWish {
  const char *url;
  const char *target; /* path of the finished file; its folder is made */
  gint64 bytes;       /* -1: not known */
  const char *sha256; /* hexadecimal; NULL: not known, then only the length is checked */
  guint retry_ms;     /* before the second try, doubled for each further one; 0: the default */
  guint stall_ms;     /* a connection that is silent for so long is given up; 0: the default */
} PmtDownloadWish;

typedef enum { PMT_DOWNLOAD_FETCHING, PMT_DOWNLOAD_WAITING, PMT_DOWNLOAD_CHECKING } PmtDownloadStage;

typedef struct PmtDownloadProgress {
  PmtDownloadStage stage;
  gint64 done, of; /* bytes; of -1: not known */
  double rate;     /* bytes a second; 0: not known yet */
  double left;     /* seconds; -1: not known yet */
} PmtDownloadProgress;

typedef struct PmtDownloadHandlers {
  void (*progress) (gpointer user, const PmtDownloadProgress *progress); /* a few times a second */
  /* The end, once, the last call; error NULL: the file is at `target`. Every error is a sentence with what to do next. */
  void (*finished) (gpointer user, const GError *error);
} PmtDownloadHandlers;

/* No handler is called before this returns. */
PmtDownload *pmt_download_start (const PmtDownloadWish *wish, const PmtDownloadHandlers *handlers, gpointer user);
/* Ends it, running or not; what has come is kept for the next time. NULL is fine. No handler is called any more. */
void pmt_download_free (PmtDownload *download);
