/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Presets: a style that is written around the prompt, and settings, under a name. Those that come with the program are in one file, the
 * user's own in another: {"pentimento-presets": 1, "presets": [{"name", "prompt"?: "oil painting of {prompt}", "negative-prompt"?,
 * "settings"?: {property: value}}, …]}. */
#pragma once

#include <gio/gio.h>
#include <json-glib/json-glib.h>

#define PMT_PRESET_NAME_LENGTH 100 /* bytes, at most */

typedef struct PmtPresets PmtPresets;

/* Neither file need exist. One that cannot be read is as good as empty, and problem says so. */
PmtPresets *pmt_presets_new (const char *shipped, const char *own);
void pmt_presets_free (PmtPresets *presets); /* NULL is fine */
/* A sentence about files that cannot be read; NULL when all is well. */
const char *pmt_presets_problem (const PmtPresets *presets);

/* NULL-terminated, the shipped ones first; free with g_strfreev. */
char **pmt_presets_names (const PmtPresets *presets);
gboolean pmt_presets_is_own (const PmtPresets *presets, const char *name);
/* Borrowed until the next change; NULL where there is none. */
JsonObject *pmt_presets_get (const PmtPresets *presets, const char *name);

/* These write the user's file, with what others have put into it meanwhile, so that it is the old or the new one at any time; a file that
 * cannot be read is put aside first. FALSE with a sentence in *problem (newly allocated). */
gboolean pmt_presets_put (PmtPresets *presets, const char *name, JsonObject *preset, char **problem); /* takes preset; replaces its namesake */
gboolean pmt_presets_rename (PmtPresets *presets, const char *from, const char *to, char **problem);
gboolean pmt_presets_delete (PmtPresets *presets, const char *name, char **problem);

/* "prompt" or "negative-prompt" as they are written; "" where there is no text. */
const char *pmt_preset_text (JsonObject *preset, const char *member);
/* The prompt in the preset's style: in the place of "{prompt}", or before it. "" stays without a comma too much. Newly allocated. */
char *pmt_preset_prompt (JsonObject *preset, const char *prompt);
char *pmt_preset_negative (JsonObject *preset, const char *negative);
/* Sets the object's properties that the preset knows and that presets may set; others, and values that do not fit, stay.
 * only_defaults: what is not at its default stays too. */
void pmt_preset_apply (JsonObject *preset, GObject *object, gboolean only_defaults);
/* A new preset of the object's settings. NULL for an empty text. */
JsonObject *pmt_preset_take (GObject *object, const char *prompt, const char *negative, gboolean with_model);
