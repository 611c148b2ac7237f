/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Words for what the engine says of models in ids. Translated. */
#pragma once

#include <glib.h>

/* "checkpoint" -> "Checkpoint"; an unknown id is returned as it is. */
const char *pmt_model_kind_word (const char *kind);
/* NULL-terminated ids in the order in which a list of kinds shows them. */
extern const char *const pmt_model_kinds[];
/* What a model can do and others cannot: "inpaint" -> "for Fill", "edit" -> "for Edit"; NULL for any other use. */
const char *pmt_model_use_word (const char *use);
/* Whose folder: "comfyui" -> "ComfyUI". */
const char *pmt_model_origin_word (const char *origin);
/* "2.1 GB"; newly allocated. bytes < 0: "not known". */
char *pmt_model_size_text (gint64 bytes);
