/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plug-in-pentimento-history, Filters > Pentimento > History: what was painted in this session of GIMP, to be applied later or to take the
 * settings from. */
#pragma once

#include <libgimp/gimp.h>

#define PMT_PROCEDURE_HISTORY "plug-in-pentimento-history"

GimpProcedure *pmt_history_procedure_new (GimpPlugIn *plug_in, const char *name);
