/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GIMP keeps the settings of a call for the next one, but none of the layers, channels and paths among them. Which of them there were is kept
 * here, so that a call with last values (Filters > Repeat) does not silently do without what was to be protected. */
#pragma once

#include <libgimp/gimp.h>

/* The argument "last-items", of dialogs alone. */
void pmt_last_items_add_argument (GimpProcedure *procedure);
/* Notes what the settings have now; nothing where they have no such argument. */
void pmt_last_items_note (GimpProcedureConfig *config);
/* What was noted and the settings lack, as a sentence that says so; NULL: nothing. Newly allocated. */
char *pmt_last_items_missing (GimpProcedureConfig *config);
