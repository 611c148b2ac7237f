/* SPDX-License-Identifier: GPL-3.0-or-later */
/* plug-in-pentimento-learn, Filters > Pentimento > Learn a Concept: a word or a LoRA out of a few pictures, as a file that prompts find. No image
 * changes. */
#pragma once

#include <libgimp/gimp.h>

#define PMT_PROCEDURE_LEARN "plug-in-pentimento-learn"

GimpProcedure *pmt_learn_procedure_new (GimpPlugIn *plug_in, const char *name);
