/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Name lists of published files (make_name_lists.py) and sparse files made of them. Failures end the test. */
#pragma once

#include "tests/weights/files.h"

typedef struct ListRow {
  char *name, *dtype;
  int rank;
  gint64 dim[8];
  char *part; /* "unet", "text2" …; "-": nothing that a network asks for */
  char *ours; /* canonical names, with "|" between them */
} ListRow;

/* Rows of a list (ListRow *), kept for the process. */
const GPtrArray *list_rows (const char *list);
/* All names of lists, in the file's order. */
const GPtrArray *list_names (void);

/* A sparse safetensors file with the list's tensors, in `folder`; gives the path. Values are zero and take no room. */
char *list_write (const char *list, const char *folder, const char *file);
