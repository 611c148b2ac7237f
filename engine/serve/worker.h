/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One thread that does one thing after the other, with a model cache of its own. The server has two: one for jobs, one for
 * questions (estimates, tokens, lists), so that a question is answered while a job runs. */
#pragma once

#include "engine/job/job.h"

typedef struct PmtWorker PmtWorker;
typedef void (*PmtWorkFunc) (void *task, PmtModelCache *cache);

PmtWorker *pmt_worker_new (const char *name);
/* `task` must be free to be used from the worker's thread until `func` returns; func frees it. */
void pmt_worker_push (PmtWorker *worker, PmtWorkFunc func, void *task);
/* Waits for what was pushed, then ends the thread. */
void pmt_worker_free (PmtWorker *worker);
