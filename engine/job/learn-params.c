/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/job/learn-job.h"

const PmtParam pmt_learn_params[] = {
  { "word", N_("_Word"), N_("What stands for the concept in prompts: a new word, or for a LoRA any rare one."), PMT_PARAM_STRING, .text = "" },
  { "thing", N_("_Kind of thing"), N_("What it is a kind of, in a word or two: cat, chair, watercolour. Learning begins there."), PMT_PARAM_STRING, .text = "" },
  { "style", N_("It is a st_yle"), N_("The pictures have a manner of painting in common, not a thing."), PMT_PARAM_BOOL, 0, 1, 0 },
  { "steps", N_("St_eps"), N_("More steps learn more closely, and too many of them the pictures by heart; 0 takes what is usual."), PMT_PARAM_INT, 0, 1000000, 0 },
  { "accumulate", N_("_Pictures a step"), N_("How many pictures, with their noise, one step is taken from; more make steps steadier and slower."), PMT_PARAM_INT, 1, 1000, 1 },
  { "rate", N_("Learning _rate"), N_("How far a step goes; 0 takes what is usual."), PMT_PARAM_DOUBLE, 0, 1, 0 },
  { "text-rate", N_("Rate of the te_xt encoder"), N_("How far a step of the words goes; 0 takes what is usual."), PMT_PARAM_DOUBLE, 0, 1, 0 },
  { "vectors", N_("_Vectors"), N_("Of a word: how many of the prompt's places it takes; more hold more."), PMT_PARAM_INT, 1, 64, 1 },
  { "rank", N_("Ra_nk"), N_("Of a LoRA: how much it can hold, and how large its file is."), PMT_PARAM_INT, 1, 320, 8 },
  { "alpha", N_("_Alpha"), N_("Of a LoRA: its changes are multiplied by this and divided by the rank; 0 takes the rank."), PMT_PARAM_DOUBLE, 0, 10000, 0 },
  { "texts", N_("Text en_coder too"), N_("A LoRA learns for the text encoder as well: names are caught better, and memory and time grow."), PMT_PARAM_BOOL, 0, 1, 0 },
  { "flip", N_("_Mirrored pictures too"), N_("For what has no left and right."), PMT_PARAM_BOOL, 0, 1, 0 },
  { "prior", N_("Pictures of the k_ind"), N_("So many pictures of the whole kind are made first, and the LoRA keeps the model painting them as it does; 0: none."), PMT_PARAM_INT, 0,
    10000, 0 },
  { "prior-weight", N_("Wei_ght of these"), N_("How much they count beside the pictures that are learned."), PMT_PARAM_DOUBLE, 0, 100, 1 },
  { "min-snr", N_("_SNR limit"), N_("Weights of noise levels are cut there, which steadies learning (5 is usual); 0: all levels weigh the same."), PMT_PARAM_DOUBLE, 0, 1000,
    0 },
  { "seed", N_("Se_ed"), N_("The same seed learns the same."), PMT_PARAM_INT, 0, 4294967295.0, 0 },
  { NULL },
};
