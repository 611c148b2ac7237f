/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plug-in-pentimento-recipe-strip, Filters > Pentimento > Recipe > Strip: takes out of an image what says how it was made. */
#pragma once

#include <libgimp/gimp.h>

#define PMT_PROCEDURE_STRIP "plug-in-pentimento-recipe-strip"

GimpProcedure *pmt_strip_procedure_new (GimpPlugIn *plug_in, const char *name);
