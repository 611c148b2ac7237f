/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/base/language.h"

#include <libintl.h>
#include <locale.h>

#include "engine/base/datadir.h"

void
pmt_language_use (void)
{
  g_autofree char *folder = pmt_program_path ("locale", "../../po");

  setlocale (LC_CTYPE, "");
  setlocale (LC_MESSAGES, "");
  if (folder)
    bindtextdomain (GETTEXT_PACKAGE, folder);
  bind_textdomain_codeset (GETTEXT_PACKAGE, "UTF-8");
  textdomain (GETTEXT_PACKAGE);
}
