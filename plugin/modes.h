/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a fill can be for. plug-in-pentimento-fill takes each as its argument `mode`; each but the first has a procedure of its own too, with
 * its own place in the menu and its own defaults (fill.h). */
#pragma once

#include <libgimp/gimp.h>

typedef struct PmtMode {
  const char *id;         /* as in recipes */
  const char *label;      /* N_() */
  const char *procedure;  /* its own */
  const char *menu;       /* N_() */
  const char *summary;    /* N_() one line */
  const char *help;       /* N_() */
  const char *prompt_tip; /* N_() */
  double strength;        /* what it begins with */
  gboolean invert;        /* what is masked stays */
  gboolean uncovered;     /* without a selection, what no opaque pixel covers is painted; the canvas can grow */
  gboolean slim;          /* hardly any soft edge: feather at most 1 % of the mask's diagonal */
  const char *unselected; /* N_() the refusal where nothing is selected; NULL: then everything is meant */
  const char *prompt;     /* in place of an empty prompt; for the model, hence not translated. NULL: stays empty */
} PmtMode;

/* Ends with an entry without id. */
extern const PmtMode pmt_modes[];
const PmtMode *pmt_mode_find (const char *id); /* NULL: there is none */
const PmtMode *pmt_mode_find_procedure (const char *name);
/* By the argument `mode`, else by the procedure; NULL for procedures that fill nothing. */
const PmtMode *pmt_mode_of (GimpProcedureConfig *config);

/* The argument `mode`, for a procedure that leaves it open. */
void pmt_mode_add_argument (GimpProcedure *procedure);
/* grow-left, grow-right, grow-top, grow-bottom, grow-unit: by how much the canvas grows. */
void pmt_mode_add_growth (GimpProcedure *procedure);
