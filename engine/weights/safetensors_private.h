/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of tensors that every container's reader fills: safetensors.c and gguf.c. */
#pragma once

#include "engine/weights/header_json.h"
#include "engine/weights/safetensors.h"

struct PmtSafetensors {
  char *path;
  const uint8_t *bytes;
  size_t size;
  gboolean mapped; /* bytes come from mmap */
  size_t header_offset, header_size; /* what identifies the file's content: all that stands before the data */
  PmtHeader header; /* owns the strings */
  PmtSafetensor *tensors; /* in order of data */
  guint *by_name;         /* indices into tensors, in order of names */
  guint n_tensors;
};

/* Maps file->path. */
gboolean pmt_tensor_table_map (PmtSafetensors *file, GError **error);
/* Sorts file->tensors by their data, and file->by_name (n_tensors long) by name. */
void pmt_tensor_table_sort (PmtSafetensors *file);
void pmt_tensor_table_sort_names (PmtSafetensors *file);
/* Names come from the file: whatever they hold, a message stays one line of moderate length. Changes `text`, which may get shorter. */
void pmt_tensor_table_tidy (char *text);
