/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The transformer blocks of a UNet, told from its configuration alone: for networks that bring weights for each of them (IP-Adapter,
 * GLIGEN). */
#pragma once

#include "engine/nets/taps.h"
#include "engine/nets/unet.h"

typedef struct PmtUnetSite {
  PmtPlace place;
  int level, layer, depth; /* as PmtAttnSite has them */
  int width, heads;
  char name[96]; /* "down_blocks.0.attentions.1.transformer_blocks.0"; attn1, attn2 and ff are below it */
} PmtUnetSite;

/* All blocks in forward order: entry k is the one whose taps say `block` k. *n is their number. Free with g_free. */
PmtUnetSite *pmt_unet_sites (const PmtUnetConfig *config, int *n);

/* Where block `block` of `sites` stands when blocks are counted as diffusers counts attention processors: down, up, middle. */
int pmt_unet_site_processor (const PmtUnetSite *sites, int n, int block);
