/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/serve/worker.h"

typedef struct Work {
  PmtWorkFunc func; /* NULL ends the thread */
  void *task;
} Work;

struct PmtWorker {
  GAsyncQueue *queue;
  GThread *thread;
  PmtModelCache *cache;
};

static gpointer
work (gpointer user)
{
  PmtWorker *self = user;

  for (;;) {
    Work *next = g_async_queue_pop (self->queue);
    PmtWorkFunc func = next->func;

    if (func)
      func (next->task, self->cache);
    g_free (next);
    if (!func)
      return NULL;
  }
}

PmtWorker *
pmt_worker_new (const char *name)
{
  PmtWorker *self = g_new0 (PmtWorker, 1);

  self->queue = g_async_queue_new ();
  self->cache = pmt_model_cache_new ();
  self->thread = g_thread_new (name, work, self);
  return self;
}

void
pmt_worker_push (PmtWorker *self, PmtWorkFunc func, void *task)
{
  Work *next = g_new (Work, 1);

  next->func = func;
  next->task = task;
  g_async_queue_push (self->queue, next);
}

void
pmt_worker_free (PmtWorker *self)
{
  if (!self)
    return;
  pmt_worker_push (self, NULL, NULL);
  g_thread_join (self->thread);
  g_async_queue_unref (self->queue);
  pmt_model_cache_free (self->cache);
  g_free (self);
}
