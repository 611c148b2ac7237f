/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The 150 classes of the ADE20K scene parsing benchmark (Zhou et al. 2017) in its order, with the colours that segmentation ControlNets and
 * adapters were trained on. */
#pragma once

#include <glib.h>

#define PMT_ADE_CLASSES 150

typedef struct PmtAdeClass {
  const char *name; /* N_() */
  guint8 rgb[3];
} PmtAdeClass;

extern const PmtAdeClass pmt_ade_classes[PMT_ADE_CLASSES];
