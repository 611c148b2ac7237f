/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The door to every file of named tensors, whichever container it is. */
#pragma once

#include "engine/weights/safetensors.h"

/* Opens a safetensors or a GGUF file by its content; both present themselves as PmtSafetensors. Whatever else the path leads to is refused
 * with a sentence that says what it is: a pickle (PMT_ERROR_UNSUPPORTED, with how to convert it), a folder, a web page, a Git LFS
 * pointer, a file that is cut short. */
PmtSafetensors *pmt_tensor_file_open (const char *path, GError **error);
