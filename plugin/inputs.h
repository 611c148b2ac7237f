/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What of the picture a job was given. A recipe names its input pictures and does not hold them; this, kept with each new layer beside its
 * recipe, says where in the image they are found again: which layers, which place, and the selection as it was.
 *
 * Parasite "pentimento-inputs", a JSON object: {source: "none"|"visible"|"layer", layer: {tattoo, name}, canvas: [w, h], area: [x, y, w, h],
 * before: [x, y, w, h] (absent: the canvas did not grow), mask: base64 of the deflated f32 (absent: everything), sign: number, origin: tattoo of the first layer made of these inputs,
 * continued: tattoo (absent: none), controls: [{image, source: "layer"|"visible"|"strokes", layer}], asked: what the dialog was asked for
 * (asked.h; absent: not known)}. */
#pragma once

#include <json-glib/json-glib.h>
#include <libgimp/gimp.h>

#include "plugin/rect.h"

#define PMT_INPUTS_PARASITE "pentimento-inputs"

typedef enum { PMT_SOURCE_NONE, PMT_SOURCE_VISIBLE, PMT_SOURCE_LAYER } PmtSource;

typedef struct PmtInputs {
  PmtSource source;
  GimpLayer *layer; /* PMT_SOURCE_LAYER, and where the mask was a layer's; NULL when it could not be found again */
  char *layer_name;
  GPtrArray *controls; /* PmtControl */
  PmtRect canvas, area;
  PmtRect before;     /* the canvas as it was at the start, in the one that it becomes when results are delivered; width 0: it stays */
  GBytes *mask;       /* of area's size, f32; NULL: everything */
  gboolean signed_picture; /* a picture was sent, with this sign (capture.h) */
  double sign;
  JsonObject *asked; /* NULL: not known */
  guint origin; /* 0: the layer that these inputs are attached to first */
  guint continued; /* tattoo of the layer of the same origin whose picture was gone on with; 0: none */
  int references;
} PmtInputs;

PmtInputs *pmt_inputs_new (void);
PmtInputs *pmt_inputs_ref (PmtInputs *inputs);
PmtInputs *pmt_inputs_copy (const PmtInputs *inputs);
/* Gives up one reference; NULL is fine. */
void pmt_inputs_free (PmtInputs *inputs);

/* The canvas of the image is to become another with these inputs' results and has not done so yet. */
gboolean pmt_inputs_grow (const PmtInputs *inputs, GimpImage *image);

/* "none", "visible" or "layer"; anything else is the visible picture. */
PmtSource pmt_source_from_name (const char *name);
const char *pmt_source_name (PmtSource source);

/* Keeps them with a layer of the image. The first call settles the origin. */
void pmt_inputs_attach (PmtInputs *inputs, GimpItem *item);

/* The parasite's object, for other places to keep them; and back again, with the layers looked for in the image. NULL + PMT_ERROR_INPUT,
 * which calls the carrier by `name`. */
JsonObject *pmt_inputs_to_json (PmtInputs *inputs);
PmtInputs *pmt_inputs_from_json (JsonObject *object, GimpImage *image, const char *name, GError **error);

/* NULL + PMT_ERROR_INPUT when the layer has none or damaged ones. Layers that are gone are no error here. */
PmtInputs *pmt_inputs_read (GimpLayer *layer, GError **error);
/* The origin of a layer's inputs; 0 = it has none. */
guint pmt_inputs_origin (GimpItem *item);
/* The tattoo of the layer that they continue; 0 = none. */
guint pmt_inputs_continued (GimpItem *item);
