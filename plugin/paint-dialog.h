/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The dialog of a procedure that paints: settings above, progress and sentences below, results to choose from beside them. It starts the
 * job, stops it on Escape and stays open, keeps what was typed, and delivers. What the settings are is the procedure's form. */
#pragma once

#include <gtk/gtk.h>
#include <libgimp/gimp.h>

#include "plugin/deliver.h"
#include "plugin/job.h"

typedef struct PmtPaintDialog PmtPaintDialog;

typedef struct PmtPaintForm {
  const char *title; /* N_() */
  gboolean recipe;   /* works on the active layer's recipe: in the menu of those */
  gboolean channels; /* makes these alone, which an image with a colour table takes too */
  /* Starts the job that the settings describe; NULL: pmt_job_start. Also without a window. */
  PmtJobStart *start;
  /* For reports, where `start` makes a recipe of the settings alone: that recipe. NULL: it is the layer's, or pmt_recipe_from_config's. */
  JsonObject *(*describe) (GimpProcedureConfig *config);
  /* NULL, or puts into the config what depends on the image, before the widgets are made. FALSE + error: there is nothing to ask. */
  gboolean (*prepare) (GimpImage *image, GimpDrawable **drawables, GimpProcedureConfig *config, GError **error);
  /* Makes the widgets, bound to the config; *prompt is the one (pmt_prompt_new) that gets the focus, left NULL where there is none. */
  GtkWidget *(*settings) (PmtPaintDialog *dialog, GtkWidget **prompt);
} PmtPaintForm;

/* The job of the settings, also without a window. NULL + error. */
PmtJob *pmt_paint_form_start (const PmtPaintForm *form, GimpImage *image, GimpDrawable **drawables, GimpProcedureConfig *config,
                              const PmtJobHandlers *handlers, gpointer user, GError **error);
/* Whether what it makes goes into an image with a colour table: that is converted, or nothing but channels comes. */
gboolean pmt_paint_form_converts (const PmtPaintForm *form, GimpProcedureConfig *config);

/* Runs until it is closed: what is new in the image, or NULL when it was cancelled, or NULL + error. It opens with the last settings, and said
 * is NULL; or with those in the config alone, and said is a sentence for the user about them, or "". */
PmtDelivered *pmt_paint_dialog_run (const PmtPaintForm *form, GimpProcedure *procedure, GimpProcedureConfig *config, GimpImage *image,
                                    GimpDrawable **drawables, const char *said, GError **error);

/* For a form's `settings`: the config, rows that procedures share, and the box that all is put in. */
GObject *pmt_paint_dialog_config (PmtPaintDialog *dialog);
GimpImage *pmt_paint_dialog_image (PmtPaintDialog *dialog);
GimpDrawable **pmt_paint_dialog_drawables (PmtPaintDialog *dialog); /* as the procedure got them */
void pmt_paint_dialog_list_preprocessors (PmtPaintDialog *dialog, GtkWidget *const *choices, int n); /* once */
void pmt_paint_dialog_add_seed (PmtPaintDialog *dialog, GtkWidget *form);     /* seed, variants, what to do with results */
void pmt_paint_dialog_add_when_done (PmtPaintDialog *dialog, GtkWidget *form);
void pmt_paint_dialog_add_forget (PmtPaintDialog *dialog, GtkWidget *form);   /* whether prompts are kept; part of the two above */
void pmt_paint_dialog_add_steps (PmtPaintDialog *dialog, GtkWidget *form);
void pmt_paint_dialog_add_sampling (PmtPaintDialog *dialog, GtkWidget *form); /* sampler, methods; once */
GtkWidget *pmt_paint_dialog_box (PmtPaintDialog *dialog, GtkWidget *prompt, GtkWidget *form, GtkWidget *advanced);
