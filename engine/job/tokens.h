/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How a prompt is cut into tokens and chunks, for those who write it. */
#pragma once

#include "engine/job/job.h"

/* The job's prompt with its syntax, learned words and way with long prompts, by the model's first text encoder:
 *   count, limit    tokens in all, and the most in a chunk;    cut   tokens that are left out
 *   chunks, counts  number of chunks, and the tokens in each
 *   ends            for each chunk but the first, the byte of the prompt at which it begins
 *   words           learned words in the prompt, each as often as it stands there
 *   text-encoders   [{count, limit, cut, chunks}] of each encoder (SDXL has two)
 * with `all` also
 *   text            the prompt without its syntax
 *   ids             what the encoder gets: chunks times (limit + 2) ids; those of learned words lie above the vocabulary
 *   tokens          [{id, symbol, weight, word: number of its word, begin, end: bytes of the prompt from which that word came,
 *                   chunk: -1 = cut, position}]
 * Reads no weights. New reference; NULL + error. */
JsonObject *pmt_job_tokens (const PmtJob *job, PmtModel *model, gboolean all, GError **error);
