/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plug-in-pentimento-describe, Filters > Pentimento > Edit by Description: the picture changes where what it shall show differs from what it
 * shows. */
#pragma once

#include <libgimp/gimp.h>

#define PMT_PROCEDURE_DESCRIBE "plug-in-pentimento-describe"

GimpProcedure *pmt_describe_procedure_new (GimpPlugIn *plug_in, const char *name);
