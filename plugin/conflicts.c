/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/conflicts.h"

#include <glib/gi18n.h>

#include "plugin/boxes.h"
#include "plugin/controls.h"
#include "plugin/error.h"
#include "plugin/wishes.h"

/* What the settings make use of. */
enum { SURE = 1, WIDE = 2, FOLLOW = 4, BOXES_BY_WORDS = 8, BOXES_OTHERWISE = 16, BOXES_ALONE = 32 };

/* One row for each two that meet in the `conflicts` of engine/methods: multidiffusion (WIDE, BOXES_ALONE) and layout-forward (BOXES_BY_WORDS). */
static const struct {
  int one, other;
  const char *sentence;
} conflicts[] = {
  { WIDE, SURE, N_("“Make sure of” cannot be used for a panorama: empty it, or set “Panorama” to “No”.") },
  { WIDE, FOLLOW,
    N_("Pictures cannot be followed in a panorama: set those under “Follow pictures” to “None”, or set “Panorama” to “No”.") },
  { WIDE, BOXES_BY_WORDS | BOXES_OTHERWISE,
    N_("In a panorama layout boxes can only act by “Each box from its phrase alone”: choose that in “Boxes act by”, or set “Panorama” to “No”.") },
  { SURE, BOXES_BY_WORDS,
    N_("“Make sure of” cannot be used with layout boxes that act by the words' attention, as they do automatically without a box network: empty it, "
       "or choose another way in “Boxes act by”.") },
  { SURE, BOXES_ALONE,
    N_("“Make sure of” cannot be used with layout boxes that act by “Each box from its phrase alone”: empty it, or choose another way in “Boxes act "
       "by”.") },
  { FOLLOW, BOXES_ALONE,
    N_("Pictures cannot be followed where layout boxes act by “Each box from its phrase alone”: set those under “Follow pictures” to “None”, or "
       "choose another way in “Boxes act by”.") },
};

static int
uses_of (GimpProcedureConfig *config)
{
  const char *boxes = pmt_boxes_way (config);
  int uses = 0;

  if (boxes)
    uses = g_str_equal (boxes, "layout-forward") ? BOXES_BY_WORDS : g_str_equal (boxes, "regions") ? BOXES_ALONE : BOXES_OTHERWISE;
  if (pmt_wishes_sure (config))
    uses |= SURE;
  if (pmt_wishes_wide (config))
    uses |= WIDE;
  if (pmt_controls_follow (G_OBJECT (config)))
    uses |= FOLLOW;
  return uses;
}

gboolean
pmt_conflicts_check (GimpProcedureConfig *config, GError **error)
{
  const int uses = uses_of (config);

  for (gsize i = 0; i < G_N_ELEMENTS (conflicts); i++)
    if ((uses & conflicts[i].one) && (uses & conflicts[i].other)) {
      g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, _(conflicts[i].sentence));
      return FALSE;
    }
  return TRUE;
}
