/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The library: folders in which models are looked for, and what lies in them.
 *
 * Folders are our own ($XDG_DATA_HOME/pentimento/models), those that the user added, and those of other programs of this kind when they
 * exist (library_found.c). Each can be switched off. What the user decided is in one file, $XDG_CONFIG_HOME/pentimento/models.json:
 * {"folders": [{"path": "/data/models", "use": true}, …]}; a path that is neither ours nor found is one that was added, "~/" is the home
 * folder, and members that we do not know are kept. */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

#include "engine/base/cancel.h"
#include "engine/base/error.h"

typedef struct PmtLibraryFolder {
  char *path;         /* absolute */
  const char *origin; /* "own", "added", or the program that it belongs to ("a1111", "comfyui" …). Static. */
  gboolean used;      /* not switched off */
} PmtLibraryFolder;

char *pmt_library_own_folder (void);  /* newly allocated; need not exist */
char *pmt_library_config_path (void); /* newly allocated; need not exist */

/* PmtLibraryFolder, our own first; those of other programs only where they exist. NULL + PMT_ERROR_FORMAT when the user's file cannot be
 * understood: it is the user's, so nothing guesses what it meant. */
GPtrArray *pmt_library_folders (GError **error);

typedef enum {
  PMT_LIBRARY_ADD,    /* a folder that is on the list is switched on */
  PMT_LIBRARY_REMOVE, /* only what was added */
  PMT_LIBRARY_USE,
  PMT_LIBRARY_IGNORE
} PmtLibraryChange;
/* Writes the user's file. FALSE + error where there is no such folder (ADD) or it is not on the list (the others). */
gboolean pmt_library_change (const char *path, PmtLibraryChange change, GError **error);

/* Adds folders of other programs that exist, as PmtLibraryFolder (library_found.c). */
void pmt_library_add_found (GPtrArray *folders);
PmtLibraryFolder *pmt_library_folder_new (const char *path, const char *origin);

typedef struct PmtLibraryFile {
  const PmtLibraryFolder *folder;
  const char *path;
  const char *name;   /* path below the folder */
  gboolean is_folder; /* a model or a component in diffusers layout */
  gint64 bytes;       /* a folder's: of all weights in it */
  gint64 changed;     /* nanoseconds of the epoch; a folder's: the newest of its files */
} PmtLibraryFile;

/* FALSE ends the walk. What `file` points at lives as long as the call. */
typedef gboolean PmtLibraryVisit (const PmtLibraryFile *file, gpointer user);
/* Every file or folder of weights in the folders that are used, in a fixed order. Pickles too: the user wonders otherwise why they are not
 * listed. Hidden names and unfinished downloads (*.part) are none. In each folder at most PMT_LIBRARY_MOST_ENTRIES names are looked at: a
 * home folder that was added by mistake ends somewhere. Returns the first folder that holds more; NULL when nothing was left out. */
#define PMT_LIBRARY_MOST_ENTRIES 200000
const PmtLibraryFolder *pmt_library_walk (GPtrArray *folders, PmtLibraryVisit *visit, gpointer user);
/* The same, with another number of names. */
const PmtLibraryFolder *pmt_library_walk_most (GPtrArray *folders, int most, PmtLibraryVisit *visit, gpointer user);

/* Whether two paths lead to one file or folder. */
gboolean pmt_library_same_file (const char *a, const char *b);

/* The file that a bare name means: its name, with or without the ending, or its path below a folder. Newly allocated; NULL +
 * PMT_ERROR_NOT_FOUND, or PMT_ERROR_INPUT when it fits several files. */
char *pmt_library_find (const char *name, GError **error);
/* Whether the library is to be asked: a text without '/' that names nothing here. */
gboolean pmt_library_is_name (const char *text);

/* What each file is (pmt_model_files_inspect), remembered by path, size and time in $XDG_CACHE_HOME/pentimento/models.json. */
typedef struct PmtLibraryCache PmtLibraryCache;
PmtLibraryCache *pmt_library_cache_new (void); /* a file that cannot be read is as good as none */
/* {path, name, folder, origin, is-folder, bytes, kind, form, what, family, label, use, works, problem}, as far as they apply. New
 * reference. */
JsonObject *pmt_library_cache_report (PmtLibraryCache *cache, const PmtLibraryFile *file);
int pmt_library_cache_inspected (const PmtLibraryCache *cache); /* files that had to be opened */
/* Writes what was asked for, and what was known before unless `complete`. A cache that cannot be written is no error. */
void pmt_library_cache_save (PmtLibraryCache *cache, gboolean complete);
void pmt_library_cache_free (PmtLibraryCache *cache);

/* Folder of the library in which a kind belongs ("checkpoints"); NULL for what is no model. `kind` as in `inspect`. */
const char *pmt_library_place (const char *kind);

typedef struct PmtLibraryImport {
  gboolean link; /* a symbolic link instead of a copy */
  const PmtCancel *cancel;
  void (*progress) (gpointer user, gint64 done, gint64 of); /* may be NULL */
  gpointer user;
} PmtLibraryImport;
/* Puts a file or folder into our own folder, where its kind belongs, and returns its new path (newly allocated). NULL + one sentence when it
 * is no model or cannot be used, is in the library already, or does not fit on the disk. What was begun is removed again. `report`: NULL, or
 * takes what `inspect` said. */
char *pmt_library_import (const char *path, const PmtLibraryImport *how, JsonObject **report, GError **error);
