/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Jobs on their way through the server. All functions are for the main loop's thread. */
#pragma once

#include "engine/serve/blobs.h"
#include "engine/serve/connection.h"
#include "engine/serve/worker.h"

typedef struct PmtJobs PmtJobs;

/* `changed` is called whenever a job has ended. */
PmtJobs *pmt_jobs_new (void (*changed) (void *user), void *user);
/* Cancels everything and waits for the worker. */
void pmt_jobs_free (PmtJobs *jobs);

/* Queues the job in `message` ({"job": recipe}) with its blobs (PmtBlob), which it takes over. A bad recipe, or a picture that is missing
 * or that the job does not speak of, is answered with an error. */
void pmt_jobs_submit (PmtJobs *jobs, PmtConnection *connection, const PmtMessage *message, GPtrArray *blobs);
/* What a "job" or "estimate" message wants to see of unfinished pictures. */
gboolean pmt_jobs_read_preview (const PmtMessage *message, PmtPreview *preview, GError **error);
/* False when this client has no such job. */
gboolean pmt_jobs_cancel (PmtJobs *jobs, PmtConnection *connection, gint64 id);
gboolean pmt_jobs_keep (PmtJobs *jobs, PmtConnection *connection, gint64 id);
/* The client has gone: so do its jobs. */
void pmt_jobs_drop (PmtJobs *jobs, PmtConnection *connection);
int pmt_jobs_pending (const PmtJobs *jobs);
