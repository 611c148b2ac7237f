/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What can be learned. A kind is one file with one const PmtLearnKind, and one line in engine/learn/meson.build. */
#pragma once

#include "engine/sample/model.h"
#include "engine/tensor/parameters.h"

struct PmtLearnRequest;

/* Learning rates: the request's rate, or its text_rate. */
enum { PMT_LEARN_GROUP_MAIN, PMT_LEARN_GROUP_TEXT };

/* The networks of a model, with their weights or without. */
typedef struct PmtLearnNets {
  PmtUnet *unet;
  PmtClipText *text[PMT_MODEL_MAX_TEXTS];
  PmtTokenizer *tokenizer[PMT_MODEL_MAX_TEXTS];
  int n_texts;
} PmtLearnNets;

typedef struct PmtLearnKind {
  const char *id, *label, *summary; /* N_() */
  const char *const *things, *const *styles; /* sentences with {} in them, NULL-terminated */
  bool learns_word; /* the word is a new one, of learned vectors */
  double rate, text_rate;
  int steps;
  /* Whether the request says all that this kind needs. */
  gboolean (*check) (const struct PmtLearnRequest *request, GError **error);
  /* Adds what is learned. Shapes alone of `nets` are looked at. */
  gboolean (*add) (const struct PmtLearnRequest *request, const PmtLearnNets *nets, PmtParameters *parameters, GError **error);
  /* First values, from networks that are loaded. */
  gboolean (*begin) (const struct PmtLearnRequest *request, const PmtLearnNets *nets, PmtParameters *parameters, GError **error);
  /* Puts the parameters into the networks (with weights or without), or takes them out. NULL where they go in by words alone. */
  void (*attach) (const struct PmtLearnRequest *request, const PmtLearnNets *nets, PmtParameters *parameters, bool in);
  /* The vectors that stand for the word in text encoder k; NULL = none. */
  PmtTensor (*rows) (const PmtParameters *parameters, int k);
  /* Writes request->out; nobody needs the gradients any more, and their memory may be used. */
  gboolean (*write) (const struct PmtLearnRequest *request, const PmtLearnNets *nets, PmtParameters *parameters, GError **error);
} PmtLearnKind;

extern const PmtLearnKind *const pmt_learn_kinds[]; /* NULL-terminated */
/* NULL + PMT_ERROR_INPUT that lists them. */
const PmtLearnKind *pmt_learn_kind_find (const char *id, GError **error);
