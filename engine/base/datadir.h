/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where the files of data/ are at run time (vocabulary, bundled model). */
#pragma once

#include <glib.h>

#include "engine/base/error.h"

/* Path of a data file or folder, `name` relative to data/ ("clip/merges.txt.gz"). Looked for under PENTIMENTO_DATADIR if that is set (and
 * nowhere else then), beside the executable (EXEDIR/data), and in data/ of the build tree (the build links EXEDIR/../data to the
 * source tree). Newly allocated; NULL + PMT_ERROR_NOT_FOUND that names the places. */
char *pmt_data_path (const char *name, GError **error);

/* The first of two places relative to the running program that exists: where it is installed, and in the build tree. Newly allocated,
 * NULL when there is neither. */
char *pmt_program_path (const char *installed, const char *built);
