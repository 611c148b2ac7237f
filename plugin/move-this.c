/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/move-this.h"

#include <glib/gi18n.h>
#include <libgimp/gimpui.h>
#include <math.h>

#include "plugin/capture.h"
#include "plugin/clash.h"
#include "plugin/error.h"
#include "plugin/procedure.h"
#include "plugin/recipe-method.h"
#include "plugin/recipe-layer.h"
#include "ui/box-canvas.h"
#include "ui/fields.h"
#include "ui/form.h"

#define METHOD "self-guidance"
#define LEAST_SIZE 0.1
#define MOST_SIZE 10.0
/* Of the small picture, in pixels. */
#define PICTURE_WIDTH 420
#define PICTURE_HEIGHT 300

/* ---- the job ---- */

typedef struct Move {
  char *words;
  double right, down, resize;
} Move;

/* A picture that was moved already has that in its recipe, and moves on from there. */
static void
add_method (JsonObject *recipe, const Move *move)
{
  JsonObject *old = pmt_recipe_method (recipe, METHOD), *method = json_object_new ();
  double right = move->right, down = move->down, resize = move->resize;

  if (old && g_strcmp0 (json_object_get_string_member_with_default (old, "words", ""), move->words) == 0) {
    right += json_object_get_double_member_with_default (old, "right", 0);
    down += json_object_get_double_member_with_default (old, "down", 0);
    resize *= json_object_get_double_member_with_default (old, "resize", 1);
  }
  json_object_set_string_member (method, "id", METHOD);
  json_object_set_string_member (method, "words", move->words);
  json_object_set_double_member (method, "right", CLAMP (right, -1, 1));
  json_object_set_double_member (method, "down", CLAMP (down, -1, 1));
  json_object_set_double_member (method, "resize", CLAMP (resize, LEAST_SIZE, MOST_SIZE));
  pmt_recipe_put_method (recipe, method);
}

static gboolean
check (JsonObject *recipe, const Move *move, GError **error)
{
  const char *problem = NULL;

  if (!move->words[0])
    problem = _("It is not said what shall move: write the word that the prompt has for it.");
  else if (move->right == 0 && move->down == 0 && move->resize == 1)
    problem = _("Nothing moves: drag the box to where the thing shall be, or change its size.");
  if (problem)
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, problem);
  return !problem;
}

/* FALSE + error: a fill is held by its place and cannot move, and some of what a picture is painted with does not let it. */
static gboolean
can_move (JsonObject *recipe, GError **error)
{
  const char *clash;

  if (g_strcmp0 (json_object_get_string_member_with_default (recipe, "task", ""), "generate") != 0) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("The layer's place was filled or edited, and things stay in it: select a layer of a generated picture."));
    return FALSE;
  }
  clash = pmt_clash_with (recipe, METHOD);
  if (clash && pmt_clash_is_boxes (recipe))
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("Boxes say where the things of this picture are: open it under Filters > Pentimento > Recipe > Use Settings and move the box there."));
  else if (clash)
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("This picture was painted with “%s”, beside which nothing can be moved by its word: cut the thing out, move it by hand, and go over "
                   "both places with Refine Selection."),
                 clash);
  return !clash;
}

/* What the active layer carries. FALSE + error. */
static gboolean
read_layer (GimpImage *image, GimpDrawable **drawables, GimpLayer **layer, JsonObject **recipe, PmtInputs **inputs, GError **error)
{
  if (!pmt_recipe_read (image, drawables, layer, recipe, inputs, error))
    return FALSE;
  if (can_move (*recipe, error))
    return TRUE;
  g_clear_pointer (recipe, json_object_unref);
  g_clear_pointer (inputs, pmt_inputs_free);
  return FALSE;
}

static PmtJob *
start (GimpImage *image, GimpDrawable **drawables, GimpProcedureConfig *config, const PmtJobHandlers *handlers, gpointer user, GError **error)
{
  const PmtAgain how = { -1, 1, FALSE, NULL };
  JsonObject *recipe = NULL;
  PmtInputs *inputs = NULL;
  GimpLayer *layer = NULL;
  Move move = { NULL, 0, 0, 1 };
  gboolean good;

  if (!read_layer (image, drawables, &layer, &recipe, &inputs, error))
    return NULL;
  g_object_get (config, "words", &move.words, "right", &move.right, "down", &move.down, "resize", &move.resize, NULL);
  move.words = move.words ? g_strstrip (move.words) : g_strdup ("");
  good = check (recipe, &move, error);
  if (good)
    add_method (recipe, &move);
  g_free (move.words);
  if (good)
    return pmt_job_start_recipe (image, layer, recipe, inputs, &how, handlers, user, error);
  json_object_unref (recipe);
  pmt_inputs_free (inputs);
  return NULL;
}

/* ---- the window ---- */

/* A box over the layer's picture: from the selection to where it was dragged. */
typedef struct Drag {
  GObject *config;
  GPtrArray *boxes; /* one */
  PmtBoxEntry from;
  PmtBoxCanvas *canvas;
} Drag;

static void
drag_free (gpointer data)
{
  Drag *drag = data;

  g_ptr_array_unref (drag->boxes);
  g_free (drag);
}

static void
on_changed (gpointer user)
{
  Drag *drag = user;
  const PmtBoxEntry *from = &drag->from, *to = g_ptr_array_index (drag->boxes, 0);
  const double before = (from->x1 - from->x0) * (from->y1 - from->y0), after = (to->x1 - to->x0) * (to->y1 - to->y0);
  const double resize = CLAMP (sqrt (after / before), LEAST_SIZE, MOST_SIZE);

  g_object_set (drag->config, "right", (to->x0 + to->x1 - from->x0 - from->x1) / 2, "down", (to->y0 + to->y1 - from->y0 - from->y1) / 2, "resize",
                fabs (resize - 1) < 0.005 ? 1.0 : resize, NULL);
}

/* There is one thing: a box that is drawn anew is where it goes. */
static void
on_added (gpointer user)
{
  Drag *drag = user;

  while (drag->boxes->len > 1)
    g_ptr_array_remove_index (drag->boxes, 0);
  pmt_box_canvas_update (drag->canvas);
  pmt_box_canvas_choose (drag->canvas, 0);
  on_changed (drag);
}

/* Back to where it was. */
static void
on_removed (gpointer user, guint i)
{
  Drag *drag = user;
  PmtBoxEntry *box = g_ptr_array_index (drag->boxes, 0);
  char *phrase = box->phrase;

  *box = drag->from;
  box->phrase = phrase;
  pmt_box_canvas_update (drag->canvas);
  on_changed (drag);
}

static void
on_named (gpointer user)
{
}

static void
on_words (GObject *config, GParamSpec *spec, Drag *drag)
{
  PmtBoxEntry *box = g_ptr_array_index (drag->boxes, 0);

  g_free (box->phrase);
  box->phrase = NULL;
  g_object_get (config, "words", &box->phrase, NULL);
  box->phrase = box->phrase ? box->phrase : g_strdup ("");
  pmt_box_canvas_update (drag->canvas);
}

/* The selection's bounds as parts of the picture; FALSE when they lie outside of it. */
static gboolean
selected_box (GimpImage *image, const PmtRect *area, PmtBoxEntry *box)
{
  PmtRect canvas, selection;

  pmt_capture_bounds (image, &canvas, &selection);
  *box = (PmtBoxEntry) {
    .x0 = CLAMP ((double) (selection.x - area->x) / area->width, 0, 1),
    .y0 = CLAMP ((double) (selection.y - area->y) / area->height, 0, 1),
    .x1 = CLAMP ((double) (selection.x + selection.width - area->x) / area->width, 0, 1),
    .y1 = CLAMP ((double) (selection.y + selection.height - area->y) / area->height, 0, 1),
  };
  return box->x1 - box->x0 >= PMT_BOX_LEAST && box->y1 - box->y0 >= PMT_BOX_LEAST;
}

/* Where the thing is, is what is selected. */
static gboolean
prepare (GimpImage *image, GimpDrawable **drawables, GimpProcedureConfig *config, GError **error)
{
  JsonObject *recipe = NULL;
  PmtInputs *inputs = NULL;
  GimpLayer *layer = NULL;
  PmtBoxEntry box;
  gboolean good;

  if (!read_layer (image, drawables, &layer, &recipe, &inputs, error))
    return FALSE;
  good = !gimp_selection_is_empty (image) && selected_box (image, &inputs->area, &box);
  if (good)
    g_object_set (config, "words", "", "prompt", pmt_recipe_shown_prompt (recipe), "right", 0.0, "down", 0.0, "resize", 1.0, NULL);
  else
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("Nothing of the layer is selected: select the thing that shall move."));
  json_object_unref (recipe);
  pmt_inputs_free (inputs);
  return good;
}

/* The place where the thing comes from is gray, so that it is seen where it was. */
static void
show_picture (const Drag *drag, GimpLayer *layer)
{
  GdkPixbuf *picture = gimp_drawable_get_thumbnail (GIMP_DRAWABLE (layer), PICTURE_WIDTH, PICTURE_HEIGHT, GIMP_PIXBUF_LARGE_CHECKS), *part;
  int width, height, x, y;

  if (!picture)
    return;
  width = gdk_pixbuf_get_width (picture);
  height = gdk_pixbuf_get_height (picture);
  x = (int) (drag->from.x0 * width);
  y = (int) (drag->from.y0 * height);
  part = gdk_pixbuf_new_subpixbuf (picture, x, y, (int) (drag->from.x1 * width) - x, (int) (drag->from.y1 * height) - y);
  if (part)
    gdk_pixbuf_saturate_and_pixelate (part, part, 0.2f, FALSE);
  g_clear_object (&part);
  pmt_box_canvas_set_picture (drag->canvas, picture);
  g_object_unref (picture);
}

static void
on_destroy (GtkWidget *box, Drag *drag)
{
  g_signal_handlers_disconnect_by_data (drag->config, drag);
}

/* NULL when the layer lost its parts since `prepare`. */
static GtkWidget *
canvas_new (GObject *config, GimpImage *image, GimpDrawable **drawables)
{
  const PmtBoxCanvasHandlers handlers = { on_changed, on_added, on_removed, on_named };
  GimpLayer *layer = pmt_recipe_layer (image, drawables, NULL);
  PmtInputs *inputs = layer ? pmt_inputs_read (layer, NULL) : NULL;
  GtkWidget *box;
  Drag *drag;

  if (!inputs)
    return NULL;
  box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 0);
  drag = g_new0 (Drag, 1);
  drag->config = config;
  drag->boxes = pmt_box_list_new ();
  selected_box (image, &inputs->area, &drag->from);
  pmt_box_list_add (drag->boxes, drag->from.x0, drag->from.y0, drag->from.x1, drag->from.y1, "");
  drag->canvas = pmt_box_canvas_new (drag->boxes, inputs->area.width, inputs->area.height, &handlers, drag);
  pmt_inputs_free (inputs);
  gtk_widget_set_tooltip_text (pmt_box_canvas_widget (drag->canvas),
                               _("Drag the box, or its corners, to where the thing shall be; arrows move it, Shift+arrows resize it, Delete brings it back"));
  show_picture (drag, layer);
  pmt_box_canvas_choose (drag->canvas, 0);
  gtk_box_pack_start (GTK_BOX (box), pmt_box_canvas_widget (drag->canvas), FALSE, FALSE, 0);
  g_object_set_data_full (G_OBJECT (box), "pmt-drag", drag, drag_free);
  g_signal_connect (config, "notify::words", G_CALLBACK (on_words), drag);
  g_signal_connect (box, "destroy", G_CALLBACK (on_destroy), drag);
  gtk_widget_show (box);
  return box;
}

static GtkWidget *
settings (PmtPaintDialog *dialog, GtkWidget **prompt)
{
  GObject *config = pmt_paint_dialog_config (dialog);
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 10), *form = pmt_form_new (), *says, *canvas;
  g_autofree char *text = NULL, *line = NULL;

  g_object_get (config, "prompt", &text, NULL);
  line = g_strdup_printf (_("The layer's prompt: %s"), text ? text : "");
  says = gtk_label_new (line);
  gtk_label_set_line_wrap (GTK_LABEL (says), TRUE);
  gtk_label_set_xalign (GTK_LABEL (says), 0);
  gtk_label_set_max_width_chars (GTK_LABEL (says), 50);
  gtk_widget_show (says);
  canvas = canvas_new (config, pmt_paint_dialog_image (dialog), pmt_paint_dialog_drawables (dialog));
  pmt_form_add (form, _("_Thing"), pmt_entry_new (config, "words", _("its word in the prompt")), _("The words that the prompt has for the thing that moves"));
  pmt_paint_dialog_add_when_done (dialog, form);
  gtk_box_pack_start (GTK_BOX (box), says, FALSE, FALSE, 0);
  if (canvas)
    gtk_box_pack_start (GTK_BOX (box), canvas, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box), form, FALSE, FALSE, 0);
  gtk_widget_show (box);
  return box;
}

static const PmtPaintForm form = { .title = N_("Move This"), .recipe = TRUE, .start = start, .prepare = prepare, .settings = settings };

GimpProcedure *
pmt_move_procedure_new (GimpPlugIn *plug_in, const char *name)
{
  GimpProcedure *procedure = pmt_procedure_new (plug_in, name, _("_Move This…"), &form);

  gimp_procedure_set_documentation (procedure, _("Moves or resizes a thing of a generated picture"),
                                    _("The recipe of a layer that Generate painted runs again with the same seed, and the model is led to paint one "
                                      "thing elsewhere or in another size and the rest as it was (self-guidance). The result is a new layer above "
                                      "it. It takes about three times as long as the picture took."),
                                    name);
  gimp_procedure_add_string_argument (procedure, "words", _("_Thing"), _("The words that the prompt has for the thing that moves"), "",
                                      G_PARAM_READWRITE);
  gimp_procedure_add_double_argument (procedure, "right", _("_Right"), _("How far it moves, as a part of the picture's width; to the left below 0"), -1,
                                      1, 0, G_PARAM_READWRITE);
  gimp_procedure_add_double_argument (procedure, "down", _("_Down"), _("How far it moves, as a part of the picture's height; up below 0"), -1, 1, 0,
                                      G_PARAM_READWRITE);
  gimp_procedure_add_double_argument (procedure, "resize", _("Re_size"), _("How many times as wide and high it becomes"), LEAST_SIZE, MOST_SIZE, 1,
                                      G_PARAM_READWRITE);
  gimp_procedure_add_string_aux_argument (procedure, "prompt", _("_Prompt"), _("What the layer shows"), "", G_PARAM_READWRITE);
  pmt_procedure_add_when_done (procedure);
  pmt_procedure_add_delivered (procedure);
  return procedure;
}
