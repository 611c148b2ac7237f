/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plug-in-pentimento-word-maps, Filters > Pentimento > Recipe > Word Maps: where the words of the active layer's prompt went, as channels. */
#pragma once

#include <libgimp/gimp.h>

#define PMT_PROCEDURE_WORD_MAPS "plug-in-pentimento-recipe-word-maps"

GimpProcedure *pmt_word_maps_procedure_new (GimpPlugIn *plug_in, const char *name);
