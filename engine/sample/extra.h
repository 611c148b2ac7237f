/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Extras: networks that a run uses beside the model's own (ControlNet, adapters, LoRA, a tiny decoder …). They are kept with the model
 * between runs, known by class, path and the UNet they were checked against, and go when a run starts that does not use them.
 *
 * A method asks for its extra in state_new (pmt_run_extra), which opens it: headers and configs are read, the structure is made, nothing
 * heavy is loaded, so the same call serves dry runs. The loop counts its memory, loads it with the other networks before the text hooks,
 * and refuses the run when it does not fit. In a dry run it is never loaded: its weights have shapes and no values. */
#pragma once

#include "engine/base/cancel.h"
#include "engine/sample/model.h"

typedef struct PmtRun PmtRun;

typedef struct PmtExtraClass {
  const char *what; /* "ControlNet"; in messages */
  /* Reads headers, checks that the file is of this kind and fits `model`, of whose UNets the run uses `unet` (what it is, what fits:
   * PMT_ERROR_UNSUPPORTED or PMT_ERROR_FORMAT), makes the structure. */
  void *(*open) (PmtModel *model, PmtUnetChoice unet, const char *path, GError **error);
  gboolean (*load) (void *extra, const PmtCancel *cancel, GError **error); /* called once, before values are needed */
  size_t (*bytes) (const void *extra);                                     /* memory when loaded */
  void (*free) (void *extra);
} PmtExtraClass;

/* From state_new only. Owned by the model; valid as long as the run. NULL + error when it cannot be opened. */
void *pmt_run_extra (PmtRun *run, const PmtExtraClass *class, const char *path, GError **error);

/* ---- for the run loop and model.c ---- */

typedef struct PmtExtra PmtExtra;
typedef struct PmtExtras PmtExtras; /* all extras of one model */
PmtExtras *pmt_extras_new (void);
void pmt_extras_free (PmtExtras *extras);
PmtExtras *pmt_model_extras (PmtModel *model);

/* Opens, or finds: a file that changed on disk is opened again, unless it is in use by the present round. */
PmtExtra *pmt_extras_get (PmtExtras *extras, PmtModel *model, PmtUnetChoice unet, const PmtExtraClass *class, const char *path,
                          GError **error);
void *pmt_extra_data (const PmtExtra *extra);
size_t pmt_extra_bytes (const PmtExtra *extra);
bool pmt_extra_loaded (const PmtExtra *extra);
gboolean pmt_extra_load (PmtExtra *extra, const PmtCancel *cancel, GError **error);
/* A round is one run with its dry run before it. Begin it, let it get what it uses, then sweep away what it did not. */
void pmt_extras_begin (PmtExtras *extras);
void pmt_extras_sweep (PmtExtras *extras);
size_t pmt_extras_resident_bytes (const PmtExtras *extras);
