/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pictures that steer a job beside its prompt: layers, groups, the visible picture or the open strokes of paths, as the control pictures of
 * a ControlNet or T2I-Adapter, or as references of an IP-Adapter. Nothing here changes the image. */
#pragma once

#include <json-glib/json-glib.h>
#include <libgimp/gimp.h>

#include "plugin/rect.h"

/* How many a procedure takes. Their arguments are control-source, control-layer, control-type, control-model, control-preprocess,
 * control-strength, control-start and control-end, those of the second and third with -2 and -3 behind. */
#define PMT_CONTROLS 3

typedef enum { PMT_CONTROL_LAYER, PMT_CONTROL_VISIBLE, PMT_CONTROL_STROKES } PmtControlSource;

typedef struct PmtControl {
  char *blob; /* name of its picture in the recipe and on the wire: "control-0", "reference-1" */
  PmtControlSource source;
  GimpLayer *layer; /* PMT_CONTROL_LAYER; NULL when it could not be found again */
  char *layer_name;
} PmtControl;

PmtControl *pmt_control_new (const char *blob, PmtControlSource source, GimpLayer *layer);
void pmt_control_free (PmtControl *control);

void pmt_controls_add_arguments (GimpProcedure *procedure);
/* An argument's name for the n-th control, from 0. Newly allocated. */
char *pmt_controls_argument (const char *name, int n);
/* Whether the n-th control has a picture; whether any has one that is followed, and not only taken after. FALSE where there are none. */
gboolean pmt_controls_used (GObject *config, int n);
gboolean pmt_controls_follow (GObject *config);
/* The value of control-source. */
const char *pmt_controls_source (PmtControlSource source);
/* NULL-terminated pairs of id and label, translated: the types that control-type takes. */
extern const char *const pmt_control_types[][2];

/* Writes the recipe's controls and references; the PmtControls in order, none where none is asked for. NULL + PMT_ERROR_INPUT. */
GPtrArray *pmt_controls_from_config (GimpProcedureConfig *config, GimpImage *image, JsonObject *recipe, GError **error);

/* The control's picture over area, as pmt_capture_picture gives it. A layer is taken for itself, hidden or not, with its mask.
 * PMT_ERROR_INPUT names a layer that is gone or nowhere in area. */
GBytes *pmt_control_capture (const PmtControl *control, GimpImage *image, const PmtRect *area, GError **error);
