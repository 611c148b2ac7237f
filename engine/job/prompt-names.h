/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files that a prompt names: "<lora:NAME>", "<hypernet:NAME>" and learned words. A name is a file's without its ending. */
#pragma once

#include <glib.h>

typedef enum { PMT_NAMES_LORAS, PMT_NAMES_HYPERNETWORKS, PMT_NAMES_EMBEDDINGS, PMT_N_NAMES } PmtNameKind;

/* "loras", "hypernetworks", "embeddings"; FALSE for anything else. */
gboolean pmt_names_parse (const char *id, PmtNameKind *kind);

/* In each folder at most so many names are looked at: a home folder that was added by mistake ends somewhere. */
#define PMT_NAMES_MOST_FILES 100000

/* Folders in which they are looked for: `first` (NULL: none), ours, those of the library that are used. Each once, by whatever
 * ways it can be reached. NULL-terminated, free with g_strfreev; they need not exist. */
char **pmt_names_folders (PmtNameKind kind, char *const *first);

typedef struct PmtName {
  char *name, *path;
} PmtName;

/* What there is in those folders, below them too, sorted, each name once, at most `most`. PmtName, owned by the array. No file is opened, and
 * names that a prompt cannot say (with '<', '>', ':' or ends of lines, or not in UTF-8) are left out. */
GPtrArray *pmt_names_list (PmtNameKind kind, guint most);
