/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/cli/net-vision.h"

#include "engine/nets/clip_vision.h"

static gboolean
run_vision (PmtClipVision *vision, PmtContext *ctx, const PmtSafetensors *in, PmtNetOut *out, GError **error)
{
  const PmtClipVisionConfig *config = pmt_clip_vision_config (vision);
  const int side = config->image_size;
  const PmtSafetensor *picture = pmt_net_find_any (in, (const char *const[]) { "pixel_values", NULL }, error);
  if (!picture || !pmt_net_check (in, picture, 4, (const int64_t[]) { -1, 3, side, side }, error))
    return FALSE;
  PmtTensor pixels = pmt_net_read (ctx, in, picture);
  g_autofree char *before = g_strdup_printf ("hidden_states.%d", config->layers - 1); /* hidden_states[-2], as adapters take it */
  PmtFrame frame = pmt_frame_open (ctx);
  PmtClipVisionOutput output = pmt_clip_vision_forward (ctx, vision, pixels, 1, config->projection > 0);
  if (pmt_context_take_error (ctx, error) || !pmt_net_add (out, before, output.hidden, error) ||
      (config->projection > 0 && !pmt_net_add (out, "image_embeds", output.embeds, error)))
    return FALSE;
  pmt_frame_close (ctx, frame, PMT_NO_TENSOR);
  output = pmt_clip_vision_forward (ctx, vision, pixels, 0, false);
  if (pmt_context_take_error (ctx, error) || !pmt_net_add (out, "last_hidden_state", output.hidden, error))
    return FALSE;
  return TRUE;
}

gboolean
pmt_net_image_encoder (const char *path, PmtContext *ctx, const PmtSafetensors *in, PmtNetOut *out, GError **error)
{
  PmtClipVision *vision = pmt_clip_vision_open (path, error);
  const gboolean good = vision && pmt_clip_vision_load (vision, ctx->cancel, error) && run_vision (vision, ctx, in, out, error);
  pmt_clip_vision_free (vision);
  return good;
}
