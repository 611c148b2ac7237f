/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/nets/unet_sites.h"

/* `level` is where the config's lists have it, `index` the number of the down or up block. */
static void
add (GArray *sites, const PmtUnetConfig *config, int level, PmtPlace place, int index, const char *block, int layers)
{
  for (int layer = 0; layer < layers; layer++)
    for (int depth = 0; depth < config->transformer_layers[level]; depth++) {
      PmtUnetSite site = { .place = place, .level = index, .layer = layer, .depth = depth, .width = config->block_out_channels[level],
                           .heads = config->heads[level] };
      g_snprintf (site.name, sizeof site.name, "%s.attentions.%d.transformer_blocks.%d", block, layer, depth);
      g_array_append_val (sites, site);
    }
}

PmtUnetSite *
pmt_unet_sites (const PmtUnetConfig *config, int *n)
{
  GArray *sites = g_array_new (FALSE, FALSE, sizeof (PmtUnetSite));
  const int last = config->n_levels - 1;
  char block[32];
  for (int i = 0; i <= last; i++) {
    g_snprintf (block, sizeof block, "down_blocks.%d", i);
    if (config->down_has_attention[i])
      add (sites, config, i, PMT_PLACE_DOWN, i, block, config->layers_per_block);
  }
  if (!config->mid_plain)
    add (sites, config, last, PMT_PLACE_MID, 0, "mid_block", 1);
  for (int i = 0; i <= last; i++) {
    g_snprintf (block, sizeof block, "up_blocks.%d", i);
    if (config->up_has_attention[i])
      add (sites, config, last - i, PMT_PLACE_UP, i, block, config->layers_per_block + 1);
  }
  *n = (int) sites->len;
  return (PmtUnetSite *) g_array_free (sites, FALSE);
}

int
pmt_unet_site_processor (const PmtUnetSite *sites, int n, int block)
{
  int middle = 0, after = 0;
  for (int i = 0; i < n; i++) {
    middle += sites[i].place == PMT_PLACE_MID;
    after += sites[i].place == PMT_PLACE_UP;
  }
  g_assert (block >= 0 && block < n);
  switch (sites[block].place) {
    case PMT_PLACE_DOWN:
      return block;
    case PMT_PLACE_UP:
      return block - middle;
    case PMT_PLACE_MID:
      return block + after;
  }
  g_assert_not_reached ();
}
