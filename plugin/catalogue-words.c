/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the models of data/catalogue.json are for, for the translators: the plug-in shows these sentences translated. A test keeps both
 * alike. */
#include "plugin/catalogue.h"

#include <glib/gi18n.h>

const char *const pmt_catalogue_words[] = {
  N_("Pictures and fills of 512 pixels; most add-ons are made for it"),
  N_("The same in full precision, twice the size"),
  N_("Made for Fill: sees what is around the selection"),
  N_("Made for Edit by Instruction"),
  N_("Pictures of 512 pixels, another text encoder than 1.5"),
  N_("Pictures of 768 pixels"),
  N_("Pictures of 1024 pixels; slow without much memory"),
  N_("Cleaner faces and lines than the VAE of 1.5"),
  N_("A tiny decoder for quick previews"),
  N_("Four to eight steps in place of twenty, with the sampler LCM"),
  N_("Follows edges"),
  N_("Follows how far things are"),
  N_("Follows rough strokes and open paths"),
  N_("Follows a clean drawing"),
  N_("Follows outlines loosely"),
  N_("Follows coloured areas, a colour for each thing"),
  N_("Keeps a picture while its details are painted anew"),
  N_("Lets any 1.5 model fill a selection"),
  N_("Follows edges; much smaller than a ControlNet"),
  N_("Follows rough strokes; much smaller than a ControlNet"),
  N_("Puts what a box says into the box"),
  N_("Takes style and content from a picture"),
  N_("Keeps closer to the picture"),
  N_("What IP-Adapters see pictures with"),
  NULL,
};
