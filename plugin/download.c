/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/download.h"

#include <glib/gi18n.h>
#include <inttypes.h>
#include <libsoup/soup.h>
#include <string.h>

#include "plugin/download-part.h"
#include "plugin/error.h"

#define RETRIES 4 /* in a row without a byte */
#define RETRY_MS 2000
#define STALL_MS 60000
#define REDIRECTS 8
#define CHUNK (256 << 10)
#define TICK_MS 250
#define RATE_SECONDS 4.0

struct PmtDownload {
  int refs; /* the owner's, and one per operation under way */
  gboolean dead;
  PmtDownloadHandlers handlers;
  gpointer user;
  char *first_url, *url, *target, *sha256;
  gint64 bytes, total; /* wanted, told by the server; -1: not known */
  guint retry_ms, stall_ms;

  PmtPart part;
  SoupSession *session;
  GCancellable *cancellable; /* of the present try */
  SoupMessage *message;
  GInputStream *body;
  GError *stalled; /* the present try was given up for this reason */
  int redirects, tries;
  gboolean began_anew;
  guint timer, ticker;

  PmtDownloadStage stage;
  gint64 last_byte;        /* monotonic time */
  gint64 tick_at, tick_size, summed;
  double rate;
};

static void begin (PmtDownload *self);
static void read_more (PmtDownload *self);

static PmtDownload *
hold (PmtDownload *self)
{
  self->refs++;
  return self;
}

static void
release (PmtDownload *self)
{
  if (--self->refs > 0)
    return;
  pmt_part_clear (&self->part);
  g_clear_object (&self->session);
  g_clear_object (&self->cancellable);
  g_clear_object (&self->message);
  g_clear_object (&self->body);
  g_clear_error (&self->stalled);
  g_free (self->first_url);
  g_free (self->url);
  g_free (self->target);
  g_free (self->sha256);
  g_free (self);
}

static void
stop (PmtDownload *self)
{
  self->dead = TRUE;
  g_clear_handle_id (&self->timer, g_source_remove);
  g_clear_handle_id (&self->ticker, g_source_remove);
  if (self->cancellable)
    g_cancellable_cancel (self->cancellable);
}

/* The end; takes error. */
static void
end (PmtDownload *self, GError *error)
{
  if (self->dead) {
    g_clear_error (&error);
    return;
  }
  stop (self);
  hold (self);
  pmt_part_clear (&self->part); /* another download may have it from now on */
  self->handlers.finished (self->user, error);
  g_clear_error (&error);
  release (self);
}

static void fail (PmtDownload *self, const char *format, ...) G_GNUC_PRINTF (2, 3);

static void
fail (PmtDownload *self, const char *format, ...)
{
  va_list args;
  GError *error;

  va_start (args, format);
  error = g_error_new_valist (PMT_ERROR, PMT_ERROR_DOWNLOAD, format, args);
  va_end (args);
  end (self, error);
}

/* ---- progress ---- */

static void
tell (PmtDownload *self)
{
  PmtDownloadProgress progress = { self->stage, self->part.size, self->total, self->rate, -1 };

  if (self->stage == PMT_DOWNLOAD_CHECKING)
    progress = (PmtDownloadProgress) { self->stage, __atomic_load_n (&self->summed, __ATOMIC_RELAXED), self->part.size, 0, -1 };
  else if (self->rate > 0 && self->total > 0)
    progress.left = (double) (self->total - self->part.size) / self->rate;
  self->handlers.progress (self->user, &progress);
}

static gboolean
on_tick (gpointer user)
{
  PmtDownload *self = user;
  gint64 now = g_get_monotonic_time ();
  double seconds = (double) (now - self->tick_at) / G_USEC_PER_SEC;

  if (self->stage == PMT_DOWNLOAD_FETCHING && seconds > 0) {
    /* what came lately counts more; a part that was emptied counts for nothing */
    double present = (double) MAX (self->part.size - self->tick_size, 0) / seconds, weight = MIN (seconds / RATE_SECONDS, 1);
    self->rate = self->rate > 0 ? self->rate + (present - self->rate) * weight : present;
    if (now - self->last_byte > (gint64) self->stall_ms * 1000 && self->cancellable && !g_cancellable_is_cancelled (self->cancellable)) {
      self->stalled = g_error_new (G_IO_ERROR, G_IO_ERROR_TIMED_OUT, _("nothing came for %u seconds"), MAX (self->stall_ms / 1000, 1));
      g_cancellable_cancel (self->cancellable);
    }
  }
  self->tick_at = now;
  self->tick_size = self->part.size;
  tell (self);
  return G_SOURCE_CONTINUE;
}

/* ---- another try ---- */

static gboolean
on_retry (gpointer user)
{
  PmtDownload *self = user;

  self->timer = 0;
  self->redirects = 0;
  g_free (self->url);
  self->url = g_strdup (self->first_url); /* where that led to may hold for minutes only */
  begin (self);
  return G_SOURCE_REMOVE;
}

/* Something that may be better in a moment. */
static void
try_again (PmtDownload *self, const char *why)
{
  const char *host = g_uri_get_host (soup_message_get_uri (self->message));

  if (self->tries++ >= RETRIES) {
    fail (self, _("The download from %s broke off again and again (%s): check the connection, then download again; what has come is kept."), host, why);
    return;
  }
  self->stage = PMT_DOWNLOAD_WAITING;
  self->rate = 0;
  tell (self);
  if (!self->dead)
    self->timer = g_timeout_add (self->retry_ms << (self->tries - 1), on_retry, self);
}

static void
broken (PmtDownload *self, const GError *error)
{
  const char *host = g_uri_get_host (soup_message_get_uri (self->message));

  if (self->stalled) {
    g_autoptr (GError) why = g_steal_pointer (&self->stalled);
    try_again (self, why->message);
  } else if (error->domain == G_TLS_ERROR)
    fail (self, _("The connection to %s is not safe (%s): check the clock and the network, or download the file in a browser and import it."), host,
          error->message);
  else if (error->domain == G_RESOLVER_ERROR)
    fail (self, _("The address of %s was not found (%s): check the connection to the internet, then download again."), host, error->message);
  else if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_PROXY_FAILED) || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_PROXY_AUTH_FAILED) ||
           g_error_matches (error, G_IO_ERROR, G_IO_ERROR_PROXY_NOT_ALLOWED) || g_error_matches (error, G_IO_ERROR, G_IO_ERROR_PROXY_NEED_AUTH))
    fail (self, _("The proxy did not connect to %s (%s): check the proxy in the system's network settings."), host, error->message);
  else
    try_again (self, error->message);
}

/* ---- the whole file is there ---- */

static void
on_summed (GObject *source, GAsyncResult *result, gpointer user)
{
  PmtDownload *self = user;
  GError *error = NULL;
  g_autofree char *sum = pmt_part_checksum_finish (result, &error);

  if (self->dead) {
    g_clear_error (&error);
  } else if (sum && g_ascii_strcasecmp (sum, self->sha256) != 0) {
    pmt_part_remove (&self->part);
    fail (self, _("The checksum of %s is not the expected one, so it is damaged or another file, and was removed: download it again, and if it "
                  "repeats do not use this address."),
          self->target);
  } else {
    if (sum)
      pmt_part_finish (&self->part, &error);
    end (self, error);
  }
  release (self);
}

static void
complete (PmtDownload *self)
{
  GError *error = NULL;

  if (self->bytes >= 0 && self->part.size != self->bytes) {
    gint64 size = self->part.size;
    pmt_part_remove (&self->part);
    fail (self, _("The file from %s has %" PRId64 " bytes where %" PRId64 " were expected, so it is another file, and was removed: look at the model's page."),
          self->first_url, size, self->bytes);
    return;
  }
  if (!self->sha256) {
    pmt_part_finish (&self->part, &error);
    end (self, error);
    return;
  }
  self->stage = PMT_DOWNLOAD_CHECKING;
  self->summed = 0;
  g_clear_object (&self->cancellable);
  self->cancellable = g_cancellable_new ();
  pmt_part_checksum_async (self->part.path, &self->summed, self->cancellable, on_summed, hold (self));
}

/* ---- the body ---- */

static void
on_read (GObject *source, GAsyncResult *result, gpointer user)
{
  PmtDownload *self = user;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = g_input_stream_read_bytes_finish (G_INPUT_STREAM (source), result, &error);
  GError *failure = NULL;

  if (self->dead) {
    release (self);
    return;
  }
  if (!bytes) {
    broken (self, error);
  } else if (g_bytes_get_size (bytes) == 0) {
    if (self->total >= 0 && self->part.size < self->total)
      try_again (self, _("the connection ended early"));
    else
      complete (self);
  } else if (self->total >= 0 && self->part.size + (gint64) g_bytes_get_size (bytes) > self->total) {
    pmt_part_remove (&self->part);
    fail (self, _("The server of %s sends more than it announced: download it again, and if it repeats look for another address."), self->first_url);
  } else if (!pmt_part_write (&self->part, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), &failure)) {
    end (self, failure);
  } else {
    self->last_byte = g_get_monotonic_time ();
    self->tries = 0;
    read_more (self);
  }
  release (self);
}

static void
read_more (PmtDownload *self)
{
  g_input_stream_read_bytes_async (self->body, CHUNK, G_PRIORITY_DEFAULT, self->cancellable, on_read, hold (self));
}

/* ---- the answer ---- */

static const char *
strong_etag (SoupMessageHeaders *headers)
{
  const char *etag = soup_message_headers_get_one (headers, "ETag");

  return etag && etag[0] == '"' && !strchr (etag, '\n') ? etag : NULL; /* a weak one does not promise the same bytes */
}

/* Once: a part that does not belong to what the server has now. */
static void
begin_anew (PmtDownload *self)
{
  GError *error = NULL;

  if (self->began_anew) {
    fail (self, _("The server of %s changes its answers from one moment to the next: try again later."), self->first_url);
  } else if (pmt_part_empty (&self->part, &error)) {
    self->began_anew = TRUE;
    begin (self);
  } else
    end (self, error);
}

/* The server goes on at `start` of `total` bytes. */
static void
take_body (PmtDownload *self, GInputStream *body, gint64 start, gint64 total)
{
  SoupMessageHeaders *headers = soup_message_get_response_headers (self->message);
  const char *etag = strong_etag (headers);
  GError *error = NULL;

  if (self->bytes >= 0 && total >= 0 && total != self->bytes) {
    fail (self, _("The file at %s has %" PRId64 " bytes where %" PRId64 " were expected, so it is another file: look at the model's page."),
          self->first_url, total, self->bytes);
    return;
  }
  if (start > 0 && etag && self->part.etag && strcmp (etag, self->part.etag) != 0) {
    begin_anew (self);
    return;
  }
  if ((start == 0 && self->part.size > 0 && !pmt_part_empty (&self->part, &error)) ||
      (total >= 0 && !pmt_part_check_room (&self->part, total - self->part.size, &error))) {
    end (self, error);
    return;
  }
  if (start == 0)
    pmt_part_note (&self->part, self->first_url, etag);
  self->total = total;
  g_set_object (&self->body, body);
  read_more (self);
}

static gboolean
is_local (GUri *uri)
{
  const char *host = g_uri_get_host (uri);

  return host && (strcmp (host, "localhost") == 0 || strcmp (host, "127.0.0.1") == 0 || strcmp (host, "::1") == 0);
}

/* https, or http on this machine that was begun there. */
static gboolean
may_go (GUri *from, GUri *to)
{
  const char *scheme = g_uri_get_scheme (to), *host = g_uri_get_host (to);

  if (!host || !host[0])
    return FALSE;
  if (strcmp (scheme, "https") == 0)
    return TRUE;
  return strcmp (scheme, "http") == 0 && is_local (to) && (!from || (strcmp (g_uri_get_scheme (from), "http") == 0 && is_local (from)));
}

static void
follow (PmtDownload *self)
{
  const char *location = soup_message_headers_get_one (soup_message_get_response_headers (self->message), "Location");
  g_autoptr (GUri) to = location ? g_uri_parse_relative (soup_message_get_uri (self->message), location, SOUP_HTTP_URI_FLAGS, NULL) : NULL;

  if (++self->redirects > REDIRECTS) {
    fail (self, _("The server of %s sends in circles: look for another address on the model's page."), self->first_url);
  } else if (!to || !may_go (soup_message_get_uri (self->message), to)) {
    fail (self, _("The server of %s leads to an address that is not safe (%s): download the file in a browser and import it."), self->first_url,
          location ? location : "-");
  } else {
    g_free (self->url);
    self->url = g_uri_to_string (to);
    begin (self);
  }
}

static void
refused (PmtDownload *self, guint status)
{
  const char *host = g_uri_get_host (soup_message_get_uri (self->message)), *reason = soup_message_get_reason_phrase (self->message);
  g_autofree char *why = g_strdup_printf ("%u %s", status, reason ? reason : "");

  if (status == SOUP_STATUS_NOT_FOUND || status == SOUP_STATUS_GONE)
    fail (self, _("There is no file at %s any more (%s): look for it on the model's page, download it in a browser and import it."), self->first_url, why);
  else if (status == SOUP_STATUS_UNAUTHORIZED || status == SOUP_STATUS_FORBIDDEN)
    fail (self, _("%s does not give out %s without an account (%s): accept the licence on the model's page, download the file in a browser and import it."),
          host, self->first_url, why);
  else if (status == 429 /* too many requests */ || status >= 500)
    try_again (self, why);
  else
    fail (self, _("%s refused to send %s (%s): look at the model's page."), host, self->first_url, why);
}

/* 416: nothing comes after what is there. */
static void
nothing_left (PmtDownload *self)
{
  const char *range = soup_message_headers_get_one (soup_message_get_response_headers (self->message), "Content-Range");
  g_autofree char *whole = g_strdup_printf ("bytes */%" G_GINT64_FORMAT, self->part.size);

  if (range && strcmp (range, whole) == 0)
    complete (self);
  else
    begin_anew (self);
}

static void
on_answer (GObject *source, GAsyncResult *result, gpointer user)
{
  PmtDownload *self = user;
  g_autoptr (GError) error = NULL;
  g_autoptr (GInputStream) body = soup_session_send_finish (SOUP_SESSION (source), result, &error);
  guint status = self->dead || !body ? 0 : soup_message_get_status (self->message);
  goffset start = 0, last = 0, total = -1;

  if (self->dead) {
    release (self);
    return;
  }
  self->last_byte = g_get_monotonic_time ();
  if (!body) {
    broken (self, error);
  } else if (SOUP_STATUS_IS_REDIRECTION (status) && status != SOUP_STATUS_NOT_MODIFIED) {
    follow (self);
  } else if (status == SOUP_STATUS_OK) {
    SoupMessageHeaders *headers = soup_message_get_response_headers (self->message);
    gboolean told = soup_message_headers_get_encoding (headers) == SOUP_ENCODING_CONTENT_LENGTH;
    take_body (self, body, 0, told ? soup_message_headers_get_content_length (headers) : self->bytes);
  } else if (status == SOUP_STATUS_PARTIAL_CONTENT) {
    if (soup_message_headers_get_content_range (soup_message_get_response_headers (self->message), &start, &last, &total) && start == self->part.size &&
        start > 0)
      take_body (self, body, start, total);
    else
      begin_anew (self);
  } else if (status == SOUP_STATUS_REQUESTED_RANGE_NOT_SATISFIABLE && self->part.size > 0) {
    nothing_left (self);
  } else
    refused (self, status);
  release (self);
}

/* Goes on with a part only where it is sure to be of the same file: the server compares the ETag (If-Range), or the checksum will tell. */
static void
ask_for_the_rest (PmtDownload *self)
{
  SoupMessageHeaders *headers = soup_message_get_request_headers (self->message);
  g_autofree char *range = g_strdup_printf ("bytes=%" G_GINT64_FORMAT "-", self->part.size);

  if (self->part.size == 0 || g_strcmp0 (self->part.url, self->first_url) != 0 || (!self->part.etag && !self->sha256))
    return;
  soup_message_headers_replace (headers, "Range", range);
  if (self->part.etag)
    soup_message_headers_replace (headers, "If-Range", self->part.etag);
}

static void
begin (PmtDownload *self)
{
  g_autoptr (GUri) uri = g_uri_parse (self->url, SOUP_HTTP_URI_FLAGS, NULL);

  if (!uri || !may_go (NULL, uri)) {
    fail (self, _("The address %s is not one that files are downloaded from: it must begin with https://."), self->url);
    return;
  }
  self->stage = PMT_DOWNLOAD_FETCHING;
  self->last_byte = g_get_monotonic_time ();
  g_clear_object (&self->body);
  g_clear_object (&self->message);
  g_clear_object (&self->cancellable);
  g_clear_error (&self->stalled);
  self->cancellable = g_cancellable_new ();
  self->message = soup_message_new_from_uri ("GET", uri);
  soup_message_add_flags (self->message, SOUP_MESSAGE_NO_REDIRECT); /* each is looked at */
  /* what comes must be the bytes that are counted and hashed */
  soup_message_disable_feature (self->message, SOUP_TYPE_CONTENT_DECODER);
  soup_message_headers_replace (soup_message_get_request_headers (self->message), "Accept-Encoding", "identity");
  ask_for_the_rest (self);
  soup_session_send_async (self->session, self->message, G_PRIORITY_DEFAULT, self->cancellable, on_answer, hold (self));
}

static gboolean
on_begin (gpointer user)
{
  PmtDownload *self = user;
  GError *error = NULL;

  self->timer = 0;
  if (!pmt_part_open (&self->part, self->target, &error)) {
    end (self, error);
    return G_SOURCE_REMOVE;
  }
  if (self->bytes >= 0 && self->part.size > self->bytes)
    pmt_part_empty (&self->part, NULL);
  if (self->bytes >= 0 && !pmt_part_check_room (&self->part, self->bytes - self->part.size, &error)) {
    end (self, error);
    return G_SOURCE_REMOVE;
  }
  self->tick_at = g_get_monotonic_time ();
  self->tick_size = self->part.size;
  self->ticker = g_timeout_add (TICK_MS, on_tick, self);
  begin (self);
  return G_SOURCE_REMOVE;
}

PmtDownload *
pmt_download_start (const PmtDownloadWish *wish, const PmtDownloadHandlers *handlers, gpointer user)
{
  PmtDownload *self = g_new0 (PmtDownload, 1);

  self->refs = 1;
  self->handlers = *handlers;
  self->user = user;
  self->first_url = g_strdup (wish->url);
  self->url = g_strdup (wish->url);
  self->target = g_strdup (wish->target);
  self->sha256 = g_strdup (wish->sha256);
  self->bytes = self->total = wish->bytes;
  self->retry_ms = wish->retry_ms ? wish->retry_ms : RETRY_MS;
  self->stall_ms = wish->stall_ms ? wish->stall_ms : STALL_MS;
  self->part.fd = -1;
  self->session = soup_session_new_with_options ("user-agent", "Pentimento/" PMT_VERSION, "timeout", 0, NULL);
  self->timer = g_idle_add (on_begin, self);
  return self;
}

void
pmt_download_free (PmtDownload *download)
{
  if (!download)
    return;
  stop (download);
  pmt_part_clear (&download->part);
  release (download);
}
