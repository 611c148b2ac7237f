/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plug-in-pentimento-recipe-change-word, Filters > Pentimento > Recipe > Change a Word: the same picture with other words. */
#pragma once

#include <libgimp/gimp.h>

#define PMT_PROCEDURE_CHANGE_WORD "plug-in-pentimento-recipe-change-word"

GimpProcedure *pmt_change_word_procedure_new (GimpPlugIn *plug_in, const char *name);
