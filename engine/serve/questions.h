/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a client may ask beside running a job. */
#pragma once

#include "engine/serve/blobs.h"
#include "engine/serve/connection.h"
#include "engine/serve/worker.h"

/* Answers `message` if its type is a question (estimate, tokens, models, names, methods, samplers, preprocessors, preprocess, masks): takes it, and of `blobs`
 * the pictures that were sent for it, and returns TRUE. Slow ones are answered from `worker`. */
gboolean pmt_question_answer (PmtWorker *worker, PmtConnection *connection, PmtMessage *message, PmtBlobs *blobs);
