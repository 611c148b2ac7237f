/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plug-in-pentimento-models, Filters > Pentimento > Models: which models there are, where they are looked for, and more of them. */
#pragma once

#include <libgimp/gimp.h>

#define PMT_PROCEDURE_MODELS "plug-in-pentimento-models"

GimpProcedure *pmt_models_procedure_new (GimpPlugIn *plug_in, const char *name);
