/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GGUF files (ggml's container, versions 2 and 3), as strictly read as safetensors: whatever breaks a rule is PMT_ERROR_FORMAT with a
 * sentence that names the file and the rule; after a successful open every tensor lies inside the mapping, none overlaps another.
 *
 * A GGUF file presents itself as PmtSafetensors: shapes in PyTorch's order, string values as metadata (for SD models there is hardly any:
 * what the file is, its names tell), values in blocks read as f32 by pmt_safetensors_read_f32. pmt_safetensors_header gives all bytes
 * before the data. Shapes that ComfyUI's converter has flattened to fit the blocks are restored. */
#pragma once

#include "engine/weights/safetensors.h"

PmtSafetensors *pmt_gguf_open (const char *path, GError **error);
/* The same over memory that must outlive the result; `label` stands for the path. */
PmtSafetensors *pmt_gguf_open_memory (const void *bytes, size_t size, const char *label, GError **error);
