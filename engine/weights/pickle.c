/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/weights/pickle.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

/* The first bytes of a regular file; 0 for anything else. A pipe must not keep us waiting for somebody who writes. */
static gsize
read_head (const char *path, void *head, gsize size)
{
  int fd = g_open (path, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0);
  struct stat info;
  gssize n = 0;

  if (fd < 0)
    return 0;
  if (fstat (fd, &info) == 0 && S_ISREG (info.st_mode))
    n = read (fd, head, size);
  close (fd);
  return n > 0 ? (gsize) n : 0;
}

PmtContent
pmt_content_of (const char *path)
{
  unsigned char head[64] = { 0 };
  const gsize n = read_head (path, head, sizeof head - 1);
  const char *text = (const char *) head;
  if (n >= 4 && memcmp (head, "PK\003\004", 4) == 0)
    return PMT_CONTENT_PICKLE;
  /* PROTO opcode and a protocol number; the length of a safetensors header has zeros where a pickle goes on with opcodes. */
  if (n >= 8 && head[0] == 0x80 && head[1] >= 1 && head[1] <= 5 && (head[4] | head[5] | head[6] | head[7]) != 0)
    return PMT_CONTENT_PICKLE;
  if (n >= 4 && memcmp (head, "GGUF", 4) == 0)
    return PMT_CONTENT_GGUF;
  if (g_str_has_prefix (text, "version https://git-lfs"))
    return PMT_CONTENT_LFS_POINTER;
  if (g_ascii_strncasecmp (text, "<!doctype", 9) == 0 || g_ascii_strncasecmp (text, "<html", 5) == 0)
    return PMT_CONTENT_WEB_PAGE;
  return PMT_CONTENT_OTHER;
}

void
pmt_pickle_refuse (const char *path, GError **error)
{
  g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
               _("'%s' is a pickled PyTorch file, which is not opened because loading one can run any program; convert it in Python "
                 "with safetensors.torch.save_file(torch.load(FILE, weights_only=True, map_location='cpu'), 'NAME.safetensors'), "
                 "taking its 'state_dict' entry if it has one."),
               path);
}
