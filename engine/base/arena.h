/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Memory for tensors and pictures: a reserved range of addresses, handed out from the bottom, given back by marks.
 *
 * The range is reserved without backing pages, so an arena costs what is touched, and a dry run (PmtContext.dry), which
 * allocates everything and touches nothing, measures a job's exact peak for free. GLib's allocator is not used for tensors: it
 * aborts the process when memory is short, and here a shortage is an error that names the size. */
#pragma once

#include <glib.h>
#include <stddef.h>

#include "engine/base/error.h"

typedef struct PmtArena PmtArena;
typedef size_t PmtArenaMark;

/* Reserves `limit` bytes of addresses. NULL + PMT_ERROR_MEMORY when even that fails. `name` (static string) is used in errors. */
PmtArena *pmt_arena_new (const char *name, size_t limit, GError **error);
/* For dry runs, which touch nothing: as many addresses as limits on the process allow, up to 256 GiB. */
PmtArena *pmt_arena_new_dry (const char *name, GError **error);
void pmt_arena_free (PmtArena *arena); /* NULL is fine */
/* For an arena that will be filled to its limit: its pages may come in large pieces, where the system has such, which takes a fraction of the
 * time. */
void pmt_arena_expect_full (PmtArena *arena);

/* 64-byte aligned, uninitialised. NULL + PMT_ERROR_MEMORY naming arena, request and limit. bytes == 0 gives a valid pointer. */
void *pmt_arena_alloc (PmtArena *arena, size_t bytes, GError **error);

PmtArenaMark pmt_arena_mark (const PmtArena *arena);
/* Everything handed out since `mark` is gone. */
void pmt_arena_release (PmtArena *arena, PmtArenaMark mark);
/* Gives the pages above the current mark back to the system (between stages of a job whose needs differ much). */
void pmt_arena_trim (PmtArena *arena);

size_t pmt_arena_used (const PmtArena *arena);
size_t pmt_arena_peak (const PmtArena *arena); /* highest `used` since new or reset_peak */
void pmt_arena_reset_peak (PmtArena *arena);
