/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Temporary folders and hand-made files for the tests of weights. Failures end the test. */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

#include "engine/weights/safetensors.h"

char *files_folder (void);                 /* new and empty; g_free, after files_remove */
void files_remove (const char *folder);    /* with all that is in it */
char *files_make_folder (const char *folder, const char *name);
void files_write (const char *folder, const char *name, const void *bytes, gssize size);

/* 8 bytes of length (`claimed`, or the header's own when it is 0), header, then `n_data` bytes counting 0, 1, 2, … Newly allocated. */
guint8 *files_safetensors (const char *header, gssize header_size, guint64 claimed, gsize n_data, gsize *size);

/* A sparse file with tensors of these names and shapes, all zero: `names` holds [diffusers name, single-file name, shape], and
 * `column` says which name to use. May be called with several lists. */
typedef struct FilesSparse FilesSparse;
FilesSparse *files_sparse_new (const char *dtype, int value_size);
void files_sparse_add (FilesSparse *sparse, JsonArray *names, guint column);
void files_sparse_add_one (FilesSparse *sparse, const char *name, int rank, const gint64 *dim);
void files_sparse_dtype (FilesSparse *sparse, const char *dtype); /* of the tensors that follow; static text */
char *files_sparse_write (FilesSparse *sparse, const char *folder, const char *name); /* frees it; gives the path */

/* Object of a JSON file in tests/data/weights, kept for the process. */
JsonObject *files_names (void);

/* g_assert for errors: code, and parts of the message. */
void files_assert_error (const GError *error, int code, const char *part, const char *other_part);
