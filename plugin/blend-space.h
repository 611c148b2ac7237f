/* SPDX-License-Identifier: GPL-3.0-or-later */
/* In which colour space a new layer is mixed in, so that where its mask is 0 nothing changes, not even in the last bit. */
#pragma once

#include <libgimp/gimp.h>

/* For a layer that goes directly above `below` (NULL: on top of its siblings under `parent`, NULL: the image's top level). Call it
 * before the layer is inserted. */
GimpLayerColorSpace pmt_blend_space_choose (GimpImage *image, GimpLayer *parent, GimpLayer *below);
