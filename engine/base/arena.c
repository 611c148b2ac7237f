/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/base/arena.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ALIGNMENT = 64 };

struct PmtArena {
  const char *name;
  unsigned char *base;
  size_t limit; /* a multiple of the page size */
  size_t used;
  size_t peak;
};

/* "1.5 GiB": sizes in errors are read by people. */
static char *
size_text (size_t bytes)
{
  return g_format_size_full (bytes, G_FORMAT_SIZE_IEC_UNITS);
}

PmtArena *
pmt_arena_new (const char *name, size_t limit, GError **error)
{
  size_t page = (size_t) sysconf (_SC_PAGESIZE);
  size_t rounded = limit > SIZE_MAX - page ? SIZE_MAX / page * page : (limit + page - 1) / page * page;
  if (rounded == 0)
    rounded = page;

  void *base = mmap (NULL, rounded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) {
    g_autofree char *text = size_text (limit);
    g_set_error (error, PMT_ERROR, PMT_ERROR_MEMORY,
                 _("The system refused to reserve %s of addresses for %s (%s); allow the process more virtual memory "
                   "or choose a smaller picture."),
                 text, name, g_strerror (errno));
    return NULL;
  }

  PmtArena *arena = g_new0 (PmtArena, 1);
  arena->name = name;
  arena->base = base;
  arena->limit = rounded;
  return arena;
}

PmtArena *
pmt_arena_new_dry (const char *name, GError **error)
{
  for (size_t size = (size_t) 1 << 38; size > (size_t) 1 << 26; size /= 2) {
    PmtArena *arena = pmt_arena_new (name, size, NULL);
    if (arena)
      return arena;
  }
  return pmt_arena_new (name, (size_t) 1 << 26, error);
}

void
pmt_arena_free (PmtArena *arena)
{
  if (!arena)
    return;
  munmap (arena->base, arena->limit);
  g_free (arena);
}

void
pmt_arena_expect_full (PmtArena *arena)
{
#ifdef MADV_HUGEPAGE
  madvise (arena->base, arena->limit, MADV_HUGEPAGE); /* where it fails, small pages do */
#endif
}

void *
pmt_arena_alloc (PmtArena *arena, size_t bytes, GError **error)
{
  /* `used` is always a multiple of ALIGNMENT, so the room left is exact and the rounding cannot overflow past the check. */
  size_t room = arena->limit - arena->used;
  if (bytes > room) {
    g_autofree char *want = size_text (bytes);
    g_autofree char *used = size_text (arena->used);
    g_autofree char *limit = size_text (arena->limit);
    g_set_error (error, PMT_ERROR, PMT_ERROR_MEMORY,
                 _("Memory for %s ran out: %s more were needed with %s of %s in use; choose a smaller picture or fewer "
                   "variants at once."),
                 arena->name, want, used, limit);
    return NULL;
  }
  void *p = arena->base + arena->used;
  size_t rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  arena->used += MIN (rounded, room);
  arena->peak = MAX (arena->peak, arena->used);
  return p;
}

PmtArenaMark
pmt_arena_mark (const PmtArena *arena)
{
  return arena->used;
}

void
pmt_arena_release (PmtArena *arena, PmtArenaMark mark)
{
  g_assert (mark <= arena->used);
  arena->used = mark;
}

void
pmt_arena_trim (PmtArena *arena)
{
  size_t page = (size_t) sysconf (_SC_PAGESIZE);
  size_t from = (arena->used + page - 1) / page * page;
  if (from < arena->limit)
    madvise (arena->base + from, arena->limit - from, MADV_DONTNEED);
}

size_t
pmt_arena_used (const PmtArena *arena)
{
  return arena->used;
}

size_t
pmt_arena_peak (const PmtArena *arena)
{
  return arena->peak;
}

void
pmt_arena_reset_peak (PmtArena *arena)
{
  arena->peak = arena->used;
}
