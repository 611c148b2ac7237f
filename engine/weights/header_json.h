/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The safetensors header's own JSON reader (RFC 8259), stricter than general ones: bounded nesting, no duplicate keys in any object, exact
 * 64-bit numbers, no NUL in names. Works on untrusted bytes; private to the safetensors reader. */
#pragma once

#include <glib.h>

#include "engine/weights/safetensors.h"

#define PMT_HEADER_MAX_DEPTH 8

typedef struct PmtHeaderEntry {
  const char *name; /* owned by PmtHeader.strings */
  const char *dtype;
  int rank;
  int64_t dim[PMT_SAFETENSORS_MAX_RANK];
  uint64_t begin, end;
} PmtHeaderEntry;

typedef struct PmtHeaderPair {
  const char *key, *value;
} PmtHeaderPair;

typedef struct PmtHeader {
  GStringChunk *strings;
  GArray *entries;  /* PmtHeaderEntry, sorted by name */
  GArray *metadata; /* PmtHeaderPair, sorted by key */
} PmtHeader;

/* Parses `size` bytes of header. On failure FALSE and *why (newly allocated): what is wrong, as the middle of a sentence. The header must
 * be cleared in both cases. */
gboolean pmt_header_parse (PmtHeader *header, const char *text, gsize size, char **why);
void pmt_header_clear (PmtHeader *header);
