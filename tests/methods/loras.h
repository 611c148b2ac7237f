/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The tiny model of tests/data/loras (tests/reference/make_loras.py), its LoRA files and hypernetworks, and diffusers' runs with them. */
#pragma once

#include "tests/sample/runs.h"

typedef struct Loras {
  char *folder;
  PmtModel *model;
  PmtSafetensors *latents;
  PmtRequest request; /* as the stored runs were made, without files */
} Loras;

void loras_open (Loras *loras);
void loras_close (Loras *loras);
char *loras_path (const Loras *loras, const char *name); /* of NAME.safetensors; g_free it */
PmtWeightEdit loras_edit (const Loras *loras, const char *name, double strength, double text_strength); /* g_free its path */
/* Adds a test for each stored case whose name begins (or, with `others`, does not begin) with `prefix`. */
void loras_add_cases (const Loras *loras, const char *prefix, bool others);
/* Runs with these edits; errors end the test. */
PmtResult loras_run (const Loras *loras, PmtWeightEdit *edits, int n);
