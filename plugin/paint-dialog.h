/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The dialog of a procedure that paints: settings above, progress and sentences below. It starts the job, stops it on Escape and stays
 * open, keeps what was typed, and delivers. What the settings are is the procedure's form. */
#pragma once

#include <gtk/gtk.h>
#include <libgimp/gimp.h>

typedef struct PmtPaintDialog PmtPaintDialog;

typedef struct PmtPaintForm {
  const char *title; /* N_() */
  /* Makes the widgets, bound to the config; *prompt is the one (pmt_prompt_new) that gets the focus. */
  GtkWidget *(*settings) (PmtPaintDialog *dialog, GtkWidget **prompt);
} PmtPaintForm;

/* Runs until it is closed: the new layers (NULL-terminated, free with g_free) or NULL when it was cancelled. */
GimpLayer **pmt_paint_dialog_run (const PmtPaintForm *form, GimpProcedure *procedure, GimpProcedureConfig *config, GimpImage *image,
                                  GimpDrawable **drawables);

/* For a form's `settings`: the config, rows that procedures share, and the box that all is put in. */
GObject *pmt_paint_dialog_config (PmtPaintDialog *dialog);
GimpImage *pmt_paint_dialog_image (PmtPaintDialog *dialog);
void pmt_paint_dialog_list_preprocessors (PmtPaintDialog *dialog, GtkWidget *const *choices, int n); /* once */
void pmt_paint_dialog_add_seed (PmtPaintDialog *dialog, GtkWidget *form);     /* seed, variants */
void pmt_paint_dialog_add_steps (PmtPaintDialog *dialog, GtkWidget *form);
void pmt_paint_dialog_add_sampling (PmtPaintDialog *dialog, GtkWidget *form); /* sampler, methods; once */
GtkWidget *pmt_paint_dialog_box (PmtPaintDialog *dialog, GtkWidget *prompt, GtkWidget *form, GtkWidget *advanced);
