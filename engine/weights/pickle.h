/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pickled checkpoints (.ckpt .pt .pth .bin): recognised by content, never read, since loading one can run code. */
#pragma once

#include <glib.h>

#include "engine/base/error.h"

/* What the first bytes of a file say. */
typedef enum {
  PMT_CONTENT_OTHER, /* also a safetensors file, which has no signature */
  PMT_CONTENT_PICKLE,
  PMT_CONTENT_GGUF,
  PMT_CONTENT_LFS_POINTER,
  PMT_CONTENT_WEB_PAGE
} PmtContent;

/* PMT_CONTENT_OTHER also when the file cannot be read: opening it properly will say why. */
PmtContent pmt_content_of (const char *path);

/* Sets PMT_ERROR_UNSUPPORTED with what the file is and how to convert it. */
void pmt_pickle_refuse (const char *path, GError **error);
