/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plug-in-pentimento-recipe-show, Filters > Pentimento > Recipe > Show: what made the active layer, for people and as text. */
#pragma once

#include <libgimp/gimp.h>

#define PMT_PROCEDURE_SHOW "plug-in-pentimento-recipe-show"

GimpProcedure *pmt_show_procedure_new (GimpPlugIn *plug_in, const char *name);
