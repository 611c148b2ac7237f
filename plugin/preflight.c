/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/preflight.h"

#include <glib/gi18n.h>

#include "plugin/capture.h"
#include "plugin/conflicts.h"
#include "plugin/engine-list.h"
#include "plugin/error.h"
#include "ui/fields.h"
#include "ui/preflight.h"

/* Settings that change while a slider moves are asked about once. */
#define SETTLE_MS 400
/* GIMP tells plug-ins nothing of its selection: looked at so often. */
#define LOOK_MS 1000

struct PmtPreflight {
  GimpImage *image;
  GimpDrawable **drawables;
  GimpProcedureConfig *config;
  PmtJobStart *start;
  gulong changed;
  GtkWidget *bar;
  PmtJob *job; /* the question under way */
  PmtRect canvas, selection;
  guint settle, look;
  gboolean paused, refused, shrink;
};

void
pmt_preflight_add_arguments (GimpProcedure *procedure)
{
  gimp_procedure_add_boolean_argument (procedure, "shrink-to-fit", _("Paint smaller where memory is short"),
                                       _("A picture that does not fit into memory is painted as large as fits, and enlarged; otherwise it is refused"),
                                       FALSE, G_PARAM_READWRITE);
  gimp_procedure_add_choice_aux_argument (procedure, "preview", _("Preview"), _("What is shown of a picture in the making"),
                                          gimp_choice_new_with_values ("quick", 0, _("Quick"), NULL, "exact", 1, _("Exact"), NULL, "off", 2,
                                                                       _("Off"), NULL, NULL),
                                          "quick", G_PARAM_READWRITE);
}

GtkWidget *
pmt_preflight_preview_choice (GObject *config)
{
  GtkWidget *choice = pmt_choice_new (config, "preview");

  pmt_choice_add (choice, "quick", _("Quick"));
  pmt_choice_add (choice, "exact", _("Exact, takes longer"));
  pmt_choice_add (choice, "off", _("Off"));
  return choice;
}

static void ask_soon (PmtPreflight *self);

static void
on_shrink (gpointer user)
{
  PmtPreflight *self = user;

  self->shrink = TRUE;
  ask_soon (self);
}

static void
show (PmtPreflight *self, const PmtEstimate *estimate)
{
  g_autofree char *line = pmt_estimate_fits (estimate) ? pmt_estimate_line (estimate) : pmt_estimate_refusal (estimate);

  self->refused = !pmt_estimate_fits (estimate);
  if (!self->refused) {
    pmt_preflight_bar_say (self->bar, line);
  } else {
    g_autofree char *size = pmt_estimate_size (estimate->most_width, estimate->most_height);
    g_autofree char *remedy = g_strdup_printf (_("Pa_int at %s"), size);
    pmt_preflight_bar_refuse (self->bar, line, estimate->most_width > 0 && !estimate->fixed ? remedy : NULL, on_shrink, self);
  }
}

static void
on_progress (gpointer user, double fraction, const char *text)
{
}

static void
on_finished (gpointer user, const GError *error)
{
  PmtPreflight *self = user;
  const PmtEstimate *estimate = pmt_job_estimate (self->job);

  if (estimate) {
    show (self, estimate);
    pmt_engine_list_again ();
  } else if (error && g_error_matches (error, PMT_ERROR, PMT_ERROR_ENGINE)) {
    pmt_preflight_bar_say (self->bar, ""); /* the job itself will say what is wrong with the engine */
  } else if (error) {
    pmt_preflight_bar_refuse (self->bar, error->message, NULL, NULL, NULL);
  }
  g_clear_pointer (&self->job, pmt_job_free);
}

static void
ask (PmtPreflight *self)
{
  const PmtJobHandlers handlers = { on_progress, on_finished };
  g_autoptr (GError) error = NULL;

  g_clear_pointer (&self->job, pmt_job_free);
  pmt_capture_bounds (self->image, &self->canvas, &self->selection);
  if (!pmt_conflicts_check (self->config, &error)) {
    pmt_preflight_bar_refuse (self->bar, error->message, NULL, NULL, NULL);
    return;
  }
  self->job = (self->start ? self->start : pmt_job_start) (self->image, self->drawables, self->config, &handlers, self, &error);
  if (self->job)
    pmt_job_only_ask (self->job);
  if (self->job && self->shrink)
    pmt_job_shrink (self->job);
  if (!self->job)
    pmt_preflight_bar_say (self->bar, ""); /* an unfinished setting; said when the job is started */
}

static gboolean
on_settled (gpointer user)
{
  PmtPreflight *self = user;

  self->settle = 0;
  if (!self->paused && gimp_image_is_valid (self->image))
    ask (self);
  return G_SOURCE_REMOVE;
}

static void
ask_soon (PmtPreflight *self)
{
  if (self->paused)
    return;
  g_clear_handle_id (&self->settle, g_source_remove);
  self->settle = g_timeout_add (SETTLE_MS, on_settled, self);
  pmt_preflight_bar_doubt (self->bar);
}

static gboolean
on_look (gpointer user)
{
  PmtPreflight *self = user;
  PmtRect canvas, selection;

  if (self->paused || self->settle || self->job || !gimp_image_is_valid (self->image))
    return G_SOURCE_CONTINUE;
  pmt_capture_bounds (self->image, &canvas, &selection);
  if (!pmt_rect_equal (&canvas, &self->canvas) || !pmt_rect_equal (&selection, &self->selection))
    ask_soon (self);
  return G_SOURCE_CONTINUE;
}

/* What is painted costs the same whatever the words are; a long prompt is the exception, and the job's own estimate knows it. Where a form
 * starts its own job, there may be none before the words are there. */
static void
on_changed (GObject *config, GParamSpec *spec, PmtPreflight *self)
{
  static const char *const never[] = { "seed", "forget-prompts", "when-done", "last-items", NULL };
  static const char *const words[] = { "prompt", "negative-prompt", "instruction", NULL };

  if (!g_strv_contains (never, spec->name) && (self->start || !g_strv_contains (words, spec->name)))
    ask_soon (self);
}

PmtPreflight *
pmt_preflight_new (GimpImage *image, GimpDrawable **drawables, GimpProcedureConfig *config, PmtJobStart *start)
{
  PmtPreflight *self = g_new0 (PmtPreflight, 1);

  self->image = g_object_ref (image);
  self->drawables = drawables;
  self->config = g_object_ref (config);
  self->start = start;
  self->bar = g_object_ref_sink (pmt_preflight_bar_new ());
  self->changed = g_signal_connect (config, "notify", G_CALLBACK (on_changed), self);
  self->look = g_timeout_add (LOOK_MS, on_look, self);
  ask_soon (self);
  return self;
}

GtkWidget *
pmt_preflight_bar (PmtPreflight *self)
{
  return self->bar;
}

gboolean
pmt_preflight_shrinks (PmtPreflight *self)
{
  return self->shrink;
}

gboolean
pmt_preflight_refuses (PmtPreflight *self)
{
  return self->refused;
}

void
pmt_preflight_pause (PmtPreflight *self, gboolean pause)
{
  self->paused = pause;
  gtk_widget_set_visible (self->bar, !pause);
  if (pause) {
    g_clear_handle_id (&self->settle, g_source_remove);
    g_clear_pointer (&self->job, pmt_job_free);
  } else {
    ask_soon (self); /* the time is measured now */
  }
}

void
pmt_preflight_free (PmtPreflight *self)
{
  if (!self)
    return;
  g_clear_handle_id (&self->settle, g_source_remove);
  g_clear_handle_id (&self->look, g_source_remove);
  g_signal_handler_disconnect (self->config, self->changed);
  g_clear_pointer (&self->job, pmt_job_free);
  g_object_unref (self->bar);
  g_object_unref (self->config);
  g_object_unref (self->image);
  g_free (self);
}
