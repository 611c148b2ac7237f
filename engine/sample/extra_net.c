/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/sample/extra_net.h"

typedef struct ExtraNet {
  const PmtExtraNetClass *class;
  void *net;
  PmtWeights *weights; /* until loaded */
} ExtraNet;

void *
pmt_extra_net_new (const PmtExtraNetClass *class, void *net, PmtWeights *weights)
{
  if (!net) {
    pmt_weights_free (weights);
    return NULL;
  }
  ExtraNet *extra = g_new0 (ExtraNet, 1);
  *extra = (ExtraNet) { class, net, weights };
  return extra;
}

void *
pmt_extra_net (const void *extra)
{
  return ((const ExtraNet *) extra)->net;
}

gboolean
pmt_extra_net_load (void *data, const PmtCancel *cancel, GError **error)
{
  ExtraNet *extra = data;
  if (!extra->class->load (extra->net, extra->weights, cancel, error))
    return FALSE;
  g_clear_pointer (&extra->weights, pmt_weights_free);
  return TRUE;
}

size_t
pmt_extra_net_bytes (const void *data)
{
  const ExtraNet *extra = data;
  return pmt_weight_pool_bytes (extra->class->weights (extra->net));
}

void
pmt_extra_net_free (void *data)
{
  ExtraNet *extra = data;
  extra->class->free (extra->net);
  pmt_weights_free (extra->weights);
  g_free (extra);
}
