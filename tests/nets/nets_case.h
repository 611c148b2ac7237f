/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Stored networks with inputs and outputs (tests/reference/make_nets.py) and what the tests of this folder do with them. */
#pragma once

#include "engine/tensor/context.h"
#include "engine/weights/config.h"
#include "engine/weights/safetensors.h"
#include "engine/weights/source.h"

/* max|got - want| / max|want| that a network may be off */
#define NETS_TOLERANCE 1e-4

typedef struct NetsCase {
  char *name;
  char *file; /* config.json's path */
  JsonObject *config;
  PmtWeights *weights;
  PmtSafetensors *io;
} NetsCase;

/* Opens $PMT_TEST_DATA/nets/NAME; anything missing ends the test. */
NetsCase *nets_case_open (const char *name, const char *stem, PmtNames names);
void nets_case_close (NetsCase *nets);

/* A context with an arena of its own and the kernels of this machine. */
PmtContext *nets_context_new (bool dry);
void nets_context_free (PmtContext *ctx);
/* Ends the test with the context's message if it has failed. */
void nets_context_check (PmtContext *ctx);

bool nets_has (const NetsCase *nets, const char *tensor);
/* A stored tensor in ctx; rank 4 is taken from NCHW to NHWC. */
PmtTensor nets_read (PmtContext *ctx, const NetsCase *nets, const char *tensor);
/* Stored integers, newly allocated. */
int32_t *nets_read_ids (const NetsCase *nets, const char *tensor, int64_t *rows, int64_t *tokens);
/* Normal values. */
PmtTensor nets_random (PmtContext *ctx, PmtShape shape, uint64_t seed);

/* max|a - b| / max|b|; infinite where a value is not finite or the shapes differ. */
double nets_difference (PmtTensor a, PmtTensor b);
bool nets_same_bytes (PmtTensor a, PmtTensor b);
/* Compares with a stored tensor, prints the relative error, fails above NETS_TOLERANCE. */
void nets_compare (PmtContext *ctx, const NetsCase *nets, const char *tensor, PmtTensor got);
