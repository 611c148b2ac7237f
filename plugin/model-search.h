/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fills the choosers' list of models (ui/model-offers.h) with what works of the user's folders, while the dialog is open already. */
#pragma once

typedef struct PmtModelSearch PmtModelSearch;

/* Without an answer the choosers have what they had: files can be chosen all the same. */
PmtModelSearch *pmt_model_search_start (void);
/* What the engine said that the model is for ("inpaint", "edit", "" and others); NULL: nothing was heard of it yet. */
const char *pmt_model_search_use (const char *path);
void pmt_model_search_free (PmtModelSearch *search); /* NULL is fine */
