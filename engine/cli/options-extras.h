/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The options of what a job may bring beside prompt and picture: controls, references, boxes, LoRAs, learned words. */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

typedef struct PmtExtraOptions {
  char **controls, **references, **boxes, **regions, **region_masks, **loras, **lora_folders, **embeddings;
  char *layout_model, *layout_beta, *clip_skip;
} PmtExtraOptions;
void pmt_extra_options_clear (PmtExtraOptions *options);

/* Appends the GOptionEntry rows that fill *options. */
void pmt_extra_options_add (GArray *entries, PmtExtraOptions *options);
/* Adds the recipe's fields; files are named by absolute paths. PMT_ERROR_INPUT naming the option. */
gboolean pmt_extra_options_read (const PmtExtraOptions *options, JsonObject *recipe, GError **error);

/* The recipe's "embeddings" out of repeated --embedding (NULL = none). NULL + error. */
JsonArray *pmt_extra_embeddings_read (char **texts, GError **error);

/* Pictures that a job file names, relative to its folder, become absolute paths. */
void pmt_extra_files_resolve (JsonObject *recipe, const char *folder);
