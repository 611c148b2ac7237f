/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plug-in-pentimento-generate, Filters > Pentimento > Generate: a picture out of words, steered by layers and paths, as a new layer. */
#pragma once

#include <libgimp/gimp.h>

#define PMT_PROCEDURE_GENERATE "plug-in-pentimento-generate"

GimpProcedure *pmt_generate_procedure_new (GimpPlugIn *plug_in, const char *name);
