/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The file that something learned goes into, and how it is used from there. */
#pragma once

#include <glib-object.h>

/* Where it goes: the config's "out", or, where that is empty, the folder of words or LoRAs below Pentimento's own models, under the word's or
 * thing's name. Newly allocated absolute path that ends in .safetensors; NULL + PMT_ERROR_INPUT when nothing says a name. */
char *pmt_learn_file_path (GObject *config, GError **error);
/* Makes the folder. FALSE + PMT_ERROR_INPUT. */
gboolean pmt_learn_file_make_folder (const char *path, GError **error);

/* At which step learning that was to end in that file was interrupted; -1: it was not. */
int pmt_learn_file_interrupted (const char *path);
void pmt_learn_file_begin_anew (const char *path);

/* What is written in a prompt; newly allocated. */
char *pmt_learn_file_words (GObject *config, const char *path);
/* The sentence that says so. */
char *pmt_learn_file_sentence (GObject *config, const char *path);
