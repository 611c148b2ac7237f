/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/word-maps.h"

#include <glib/gi18n.h>

#include "plugin/procedure.h"
#include "plugin/recipe-method.h"
#include "plugin/recipe-layer.h"
#include "ui/fields.h"
#include "ui/form.h"

static PmtJob *
start (GimpImage *image, GimpDrawable **drawables, GimpProcedureConfig *config, const PmtJobHandlers *handlers, gpointer user, GError **error)
{
  const PmtAgain how = { -1, 1, FALSE, NULL };
  g_autofree char *words = NULL;
  JsonObject *method, *recipe;
  PmtInputs *inputs;
  GimpLayer *layer;
  PmtJob *job;

  if (!pmt_recipe_read (image, drawables, &layer, &recipe, &inputs, error))
    return NULL;
  g_object_get (config, "words", &words, NULL);
  method = json_object_new ();
  json_object_set_string_member (method, "id", "word-maps");
  if (words && words[0])
    json_object_set_string_member (method, "words", words);
  pmt_recipe_put_method (recipe, method);
  job = pmt_job_start_recipe (image, layer, recipe, inputs, &how, handlers, user, error);
  if (job)
    pmt_job_set_aim (job, FALSE, TRUE);
  return job;
}

/* The words are those of the layer's prompt, not of the last call's. */
static gboolean
prepare (GimpImage *image, GimpDrawable **drawables, GimpProcedureConfig *config, GError **error)
{
  GimpLayer *layer = pmt_recipe_layer (image, drawables, error);
  g_autoptr (JsonObject) recipe = layer ? pmt_recipe_of_layer (layer, error) : NULL;

  if (recipe)
    g_object_set (config, "words", "", "prompt", pmt_recipe_shown_prompt (recipe), NULL);
  return recipe != NULL;
}

static GtkWidget *
settings (PmtPaintDialog *dialog, GtkWidget **prompt)
{
  GObject *config = pmt_paint_dialog_config (dialog);
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 10), *form = pmt_form_new (), *says;
  g_autofree char *text = NULL, *line = NULL;

  g_object_get (config, "prompt", &text, NULL);
  line = g_strdup_printf (_("The layer's prompt: %s"), text ? text : "");
  says = gtk_label_new (line);
  gtk_label_set_line_wrap (GTK_LABEL (says), TRUE);
  gtk_label_set_xalign (GTK_LABEL (says), 0);
  gtk_label_set_max_width_chars (GTK_LABEL (says), 50);
  gtk_label_set_selectable (GTK_LABEL (says), TRUE);
  gtk_widget_show (says);
  pmt_form_add (form, _("_Words"), pmt_entry_new (config, "words", _("each word of the prompt")),
                _("Words or phrases of the prompt, with “;” between them, as in: fox; deep snow"));
  pmt_paint_dialog_add_forget (dialog, form);
  gtk_box_pack_start (GTK_BOX (box), says, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box), form, FALSE, FALSE, 0);
  gtk_widget_show (box);
  return box;
}

static const PmtPaintForm form = { .title = N_("Word Maps"), .recipe = TRUE, .channels = TRUE, .start = start, .prepare = prepare, .settings = settings };

GimpProcedure *
pmt_word_maps_procedure_new (GimpPlugIn *plug_in, const char *name)
{
  GimpProcedure *procedure = pmt_procedure_new (plug_in, name, _("Word _Maps…"), &form);

  gimp_procedure_set_documentation (procedure, _("Shows where the words of a layer's prompt went, as channels"),
                                    _("The recipe of a layer that Pentimento painted runs again as it was, and it is watched where the model "
                                      "looked for each word. Each word becomes a channel of the image, white where it was looked for most: to see why a "
                                      "word has no effect, or to select a thing by its name. No layer is made."),
                                    name);
  gimp_procedure_add_string_argument (procedure, "words", _("_Words"),
                                      _("Words or phrases of the prompt, with “;” between them; empty: each word for itself"), "", G_PARAM_READWRITE);
  gimp_procedure_add_string_aux_argument (procedure, "prompt", _("_Prompt"), _("What the layer shows"), "", G_PARAM_READWRITE);
  pmt_procedure_add_when_done (procedure);
  pmt_procedure_add_delivered (procedure);
  return procedure;
}
