/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ui/box-canvas.h"

#include <glib/gi18n.h>
#include <math.h>

#define LARGEST_WIDTH 420
#define LARGEST_HEIGHT 220
/* Pixels around a handle that take hold of it. */
#define GRIP 6
/* A press that moves less than this many pixels draws no box. */
#define SMALLEST_DRAG 6
/* Parts of the canvas by which a key moves. */
#define KEY_STEP 0.01

typedef enum { DRAG_NONE, DRAG_MOVE, DRAG_SIZE, DRAG_NEW } Drag;
enum { SIDE_LEFT = 1, SIDE_RIGHT = 2, SIDE_TOP = 4, SIDE_BOTTOM = 8 };

struct PmtBoxCanvas {
  GtkWidget *area;
  GPtrArray *boxes;
  PmtBoxCanvasHandlers handlers;
  gpointer user;
  GdkPixbuf *picture;
  int width, height; /* shown, in pixels */
  int chosen;
  Drag drag;
  int sides;             /* which of them a drag moves */
  double press_x, press_y;
  PmtBoxEntry start;     /* the chosen box as the drag began; the phrase is not its own */
};

static const double hues[] = { 0.00, 0.58, 0.33, 0.12, 0.80, 0.47, 0.92, 0.20, 0.68 };

void
pmt_box_colour (guint i, GdkRGBA *colour)
{
  *colour = (GdkRGBA) { 0, 0, 0, 1 };
  gtk_hsv_to_rgb (hues[i % G_N_ELEMENTS (hues)], 0.85, 0.95, &colour->red, &colour->green, &colour->blue);
}

static PmtBoxEntry *
chosen_box (const PmtBoxCanvas *canvas)
{
  return canvas->chosen >= 0 && canvas->chosen < (int) canvas->boxes->len ? g_ptr_array_index (canvas->boxes, (guint) canvas->chosen) : NULL;
}

/* The picture stands in the middle of what the widget was given. */
static void
origin (const PmtBoxCanvas *canvas, double *x, double *y)
{
  *x = MAX (gtk_widget_get_allocated_width (canvas->area) - canvas->width, 0) / 2;
  *y = MAX (gtk_widget_get_allocated_height (canvas->area) - canvas->height, 0) / 2;
}

/* ---- said to those who do not see it ---- */

static void
describe (PmtBoxCanvas *canvas)
{
  AtkObject *accessible = gtk_widget_get_accessible (canvas->area);
  const PmtBoxEntry *box = chosen_box (canvas);
  g_autofree char *text = NULL;

  if (box)
    text = g_strdup_printf (_("Box %d of %u: %s. From %.0f %% to %.0f %% across, from %.0f %% to %.0f %% down"), canvas->chosen + 1,
                            canvas->boxes->len, box->phrase[0] ? box->phrase : _("no phrase yet"), box->x0 * 100, box->x1 * 100, box->y0 * 100,
                            box->y1 * 100);
  else
    text = g_strdup_printf (ngettext ("Picture with %u layout box", "Picture with %u layout boxes", canvas->boxes->len), canvas->boxes->len);
  atk_object_set_name (accessible, text);
}

/* ---- drawing ---- */

static void
draw_picture (PmtBoxCanvas *canvas, cairo_t *cairo)
{
  if (canvas->picture) {
    cairo_save (cairo);
    cairo_scale (cairo, (double) canvas->width / gdk_pixbuf_get_width (canvas->picture),
                 (double) canvas->height / gdk_pixbuf_get_height (canvas->picture));
    gdk_cairo_set_source_pixbuf (cairo, canvas->picture, 0, 0);
    cairo_paint (cairo);
    cairo_restore (cairo);
  } else {
    cairo_set_source_rgb (cairo, 0.5, 0.5, 0.5);
    cairo_rectangle (cairo, 0, 0, canvas->width, canvas->height);
    cairo_fill (cairo);
  }
}

static void
draw_phrase (PmtBoxCanvas *canvas, cairo_t *cairo, const PmtBoxEntry *box)
{
  const double room = (box->x1 - box->x0) * canvas->width - 8;
  PangoLayout *layout;
  int width, height;

  if (!box->phrase[0] || room < 16)
    return;
  layout = gtk_widget_create_pango_layout (canvas->area, box->phrase);
  pango_layout_set_width (layout, (int) room * PANGO_SCALE);
  pango_layout_set_ellipsize (layout, PANGO_ELLIPSIZE_END);
  pango_layout_set_single_paragraph_mode (layout, TRUE);
  pango_layout_get_pixel_size (layout, &width, &height);
  if (height + 4 < (box->y1 - box->y0) * canvas->height) {
    cairo_set_source_rgba (cairo, 0, 0, 0, 0.65);
    cairo_rectangle (cairo, box->x0 * canvas->width + 1, box->y0 * canvas->height + 1, width + 8, height + 2);
    cairo_fill (cairo);
    cairo_set_source_rgb (cairo, 1, 1, 1);
    cairo_move_to (cairo, box->x0 * canvas->width + 5, box->y0 * canvas->height + 2);
    pango_cairo_show_layout (cairo, layout);
  }
  g_object_unref (layout);
}

static void
draw_handles (PmtBoxCanvas *canvas, cairo_t *cairo, const PmtBoxEntry *box)
{
  for (int i = 0; i < 9; i++) {
    const double x = (box->x0 + (box->x1 - box->x0) * (i % 3) / 2) * canvas->width;
    const double y = (box->y0 + (box->y1 - box->y0) * (i / 3) / 2) * canvas->height;
    if (i == 4)
      continue;
    cairo_rectangle (cairo, floor (x) - 3, floor (y) - 3, 7, 7);
    cairo_set_source_rgb (cairo, 1, 1, 1);
    cairo_fill_preserve (cairo);
    cairo_set_source_rgb (cairo, 0, 0, 0);
    cairo_set_line_width (cairo, 1);
    cairo_stroke (cairo);
  }
}

/* A dark line under the coloured one, so that it shows on any picture. */
static void
draw_box (PmtBoxCanvas *canvas, cairo_t *cairo, guint i)
{
  const PmtBoxEntry *box = g_ptr_array_index (canvas->boxes, i);
  const gboolean chosen = (int) i == canvas->chosen;
  GdkRGBA colour;

  pmt_box_colour (i, &colour);
  cairo_rectangle (cairo, floor (box->x0 * canvas->width) + 0.5, floor (box->y0 * canvas->height) + 0.5,
                   floor ((box->x1 - box->x0) * canvas->width), floor ((box->y1 - box->y0) * canvas->height));
  cairo_set_source_rgba (cairo, colour.red, colour.green, colour.blue, chosen ? 0.25 : 0.1);
  cairo_fill_preserve (cairo);
  cairo_set_source_rgba (cairo, 0, 0, 0, 0.7);
  cairo_set_line_width (cairo, chosen ? 5 : 3);
  cairo_stroke_preserve (cairo);
  gdk_cairo_set_source_rgba (cairo, &colour);
  cairo_set_line_width (cairo, chosen ? 3 : 1.5);
  cairo_stroke (cairo);
  draw_phrase (canvas, cairo, box);
}

static gboolean
on_draw (GtkWidget *area, cairo_t *cairo, PmtBoxCanvas *canvas)
{
  const PmtBoxEntry *box = chosen_box (canvas);
  double x, y;

  origin (canvas, &x, &y);
  cairo_translate (cairo, x, y);
  draw_picture (canvas, cairo);
  for (guint i = 0; i < canvas->boxes->len; i++)
    if ((int) i != canvas->chosen)
      draw_box (canvas, cairo, i);
  if (box) {
    draw_box (canvas, cairo, (guint) canvas->chosen);
    draw_handles (canvas, cairo, box);
  }
  if (gtk_widget_has_focus (area))
    gtk_render_focus (gtk_widget_get_style_context (area), cairo, 0, 0, canvas->width, canvas->height);
  return GDK_EVENT_PROPAGATE;
}

/* ---- changes ---- */

void
pmt_box_canvas_update (PmtBoxCanvas *canvas)
{
  if (canvas->chosen >= (int) canvas->boxes->len)
    canvas->chosen = (int) canvas->boxes->len - 1;
  describe (canvas);
  gtk_widget_queue_draw (canvas->area);
}

int
pmt_box_canvas_chosen (const PmtBoxCanvas *canvas)
{
  return canvas->chosen;
}

void
pmt_box_canvas_choose (PmtBoxCanvas *canvas, int i)
{
  if (i == canvas->chosen)
    return;
  canvas->chosen = i;
  pmt_box_canvas_update (canvas);
}

static void
tell_changed (PmtBoxCanvas *canvas)
{
  pmt_box_canvas_update (canvas);
  canvas->handlers.changed (canvas->user);
}

static void
remove_chosen (PmtBoxCanvas *canvas)
{
  if (!chosen_box (canvas))
    return;
  canvas->handlers.removed (canvas->user, (guint) canvas->chosen);
  pmt_box_canvas_update (canvas);
}

/* Moves the whole box, or those of its sides, by parts of the canvas, and keeps it in the canvas. */
static void
move_box (PmtBoxEntry *box, const PmtBoxEntry *from, int sides, double dx, double dy)
{
  if (!sides) {
    dx = CLAMP (dx, -from->x0, 1 - from->x1);
    dy = CLAMP (dy, -from->y0, 1 - from->y1);
    box->x0 = from->x0 + dx;
    box->x1 = from->x1 + dx;
    box->y0 = from->y0 + dy;
    box->y1 = from->y1 + dy;
    return;
  }
  if (sides & SIDE_LEFT)
    box->x0 = CLAMP (from->x0 + dx, 0, from->x1 - PMT_BOX_LEAST);
  if (sides & SIDE_RIGHT)
    box->x1 = CLAMP (from->x1 + dx, from->x0 + PMT_BOX_LEAST, 1);
  if (sides & SIDE_TOP)
    box->y0 = CLAMP (from->y0 + dy, 0, from->y1 - PMT_BOX_LEAST);
  if (sides & SIDE_BOTTOM)
    box->y1 = CLAMP (from->y1 + dy, from->y0 + PMT_BOX_LEAST, 1);
}

void
pmt_box_canvas_insert (PmtBoxCanvas *canvas)
{
  if (canvas->boxes->len >= PMT_BOX_LIST_MOST) {
    gtk_widget_error_bell (canvas->area);
    return;
  }
  /* each a little further, so that none hides the one before */
  const double shift = 0.04 * (double) (canvas->boxes->len % 6);
  pmt_box_list_add (canvas->boxes, 0.3 + shift, 0.3 + shift, 0.7 + shift, 0.7 + shift, "");
  canvas->chosen = (int) canvas->boxes->len - 1;
  pmt_box_canvas_update (canvas);
  canvas->handlers.added (canvas->user);
}

/* ---- mouse ---- */

static int
grip_at (const PmtBoxCanvas *canvas, const PmtBoxEntry *box, double x, double y)
{
  const double left = box->x0 * canvas->width, right = box->x1 * canvas->width, top = box->y0 * canvas->height, bottom = box->y1 * canvas->height;
  int sides = 0;

  if (x < left - GRIP || x > right + GRIP || y < top - GRIP || y > bottom + GRIP)
    return 0;
  if (fabs (x - right) <= GRIP)
    sides |= SIDE_RIGHT;
  else if (fabs (x - left) <= GRIP)
    sides |= SIDE_LEFT;
  if (fabs (y - bottom) <= GRIP)
    sides |= SIDE_BOTTOM;
  else if (fabs (y - top) <= GRIP)
    sides |= SIDE_TOP;
  return sides;
}

/* The smallest box there: a small one inside a large one can be reached. -1: none. */
static int
box_at (const PmtBoxCanvas *canvas, double x, double y)
{
  double least = INFINITY;
  int found = -1;

  for (guint i = 0; i < canvas->boxes->len; i++) {
    const PmtBoxEntry *box = g_ptr_array_index (canvas->boxes, i);
    const double size = (box->x1 - box->x0) * (box->y1 - box->y0);
    if (x >= box->x0 * canvas->width && x <= box->x1 * canvas->width && y >= box->y0 * canvas->height && y <= box->y1 * canvas->height &&
        size < least) {
      least = size;
      found = (int) i;
    }
  }
  return found;
}

static void
point (const PmtBoxCanvas *canvas, double event_x, double event_y, double *x, double *y)
{
  double left, top;

  origin (canvas, &left, &top);
  *x = event_x - left;
  *y = event_y - top;
}

static gboolean
on_press (GtkWidget *area, GdkEventButton *event, PmtBoxCanvas *canvas)
{
  const PmtBoxEntry *box = chosen_box (canvas);
  double x, y;

  if (event->button != GDK_BUTTON_PRIMARY || event->type != GDK_BUTTON_PRESS)
    return GDK_EVENT_PROPAGATE;
  gtk_widget_grab_focus (area);
  point (canvas, event->x, event->y, &x, &y);
  canvas->press_x = x;
  canvas->press_y = y;
  canvas->sides = box ? grip_at (canvas, box, x, y) : 0;
  if (canvas->sides) {
    canvas->drag = DRAG_SIZE;
  } else {
    const int hit = box_at (canvas, x, y);
    pmt_box_canvas_choose (canvas, hit);
    canvas->drag = hit >= 0 ? DRAG_MOVE : DRAG_NEW;
  }
  box = chosen_box (canvas);
  if (box)
    canvas->start = *box;
  return GDK_EVENT_STOP;
}

/* The press on empty ground has become a box. */
static gboolean
begin_new (PmtBoxCanvas *canvas, double x, double y)
{
  if (fabs (x - canvas->press_x) < SMALLEST_DRAG || fabs (y - canvas->press_y) < SMALLEST_DRAG || canvas->boxes->len >= PMT_BOX_LIST_MOST)
    return FALSE;
  pmt_box_list_add (canvas->boxes, 0, 0, 0, 0, "");
  canvas->chosen = (int) canvas->boxes->len - 1;
  return TRUE;
}

static void
span (double from, double to, int size, double *low, double *high)
{
  *low = CLAMP (MIN (from, to) / size, 0, 1 - PMT_BOX_LEAST);
  *high = CLAMP (MAX (from, to) / size, *low + PMT_BOX_LEAST, 1);
}

static void
show_cursor (PmtBoxCanvas *canvas, double x, double y)
{
  static const char *const names[16] = { [SIDE_LEFT] = "w-resize", [SIDE_RIGHT] = "e-resize", [SIDE_TOP] = "n-resize", [SIDE_BOTTOM] = "s-resize",
                                         [SIDE_LEFT | SIDE_TOP] = "nw-resize", [SIDE_RIGHT | SIDE_TOP] = "ne-resize",
                                         [SIDE_LEFT | SIDE_BOTTOM] = "sw-resize", [SIDE_RIGHT | SIDE_BOTTOM] = "se-resize" };
  const PmtBoxEntry *box = chosen_box (canvas);
  const int sides = box ? grip_at (canvas, box, x, y) : 0;
  GdkCursor *cursor = gdk_cursor_new_from_name (gtk_widget_get_display (canvas->area),
                                                sides ? names[sides] : box_at (canvas, x, y) >= 0 ? "move" : "crosshair");

  gdk_window_set_cursor (gtk_widget_get_window (canvas->area), cursor);
  g_clear_object (&cursor);
}

static gboolean
on_motion (GtkWidget *area, GdkEventMotion *event, PmtBoxCanvas *canvas)
{
  PmtBoxEntry *box;
  double x, y;

  point (canvas, event->x, event->y, &x, &y);
  if (canvas->drag == DRAG_NONE) {
    show_cursor (canvas, x, y);
    return GDK_EVENT_PROPAGATE;
  }
  if (canvas->drag == DRAG_NEW && !chosen_box (canvas) && !begin_new (canvas, x, y))
    return GDK_EVENT_STOP;
  box = chosen_box (canvas);
  if (canvas->drag == DRAG_NEW) {
    span (canvas->press_x, x, canvas->width, &box->x0, &box->x1);
    span (canvas->press_y, y, canvas->height, &box->y0, &box->y1);
  } else {
    move_box (box, &canvas->start, canvas->sides, (x - canvas->press_x) / canvas->width, (y - canvas->press_y) / canvas->height);
  }
  gtk_widget_queue_draw (area);
  return GDK_EVENT_STOP;
}

static gboolean
on_release (GtkWidget *area, GdkEventButton *event, PmtBoxCanvas *canvas)
{
  const Drag drag = canvas->drag;
  const PmtBoxEntry *box = chosen_box (canvas);

  canvas->drag = DRAG_NONE;
  canvas->sides = 0;
  if (drag == DRAG_NEW && box)
    canvas->handlers.added (canvas->user);
  else if (drag != DRAG_NONE && box &&
           (box->x0 != canvas->start.x0 || box->y0 != canvas->start.y0 || box->x1 != canvas->start.x1 || box->y1 != canvas->start.y1))
    tell_changed (canvas);
  pmt_box_canvas_update (canvas);
  return GDK_EVENT_STOP;
}

/* Takes back a drag under way. */
static gboolean
cancel_drag (PmtBoxCanvas *canvas)
{
  PmtBoxEntry *box = chosen_box (canvas);

  if (canvas->drag == DRAG_NONE || !box)
    return FALSE;
  if (canvas->drag == DRAG_NEW) {
    g_ptr_array_remove_index (canvas->boxes, (guint) canvas->chosen);
    canvas->chosen = -1;
  } else {
    move_box (box, &canvas->start, 0, 0, 0);
  }
  canvas->drag = DRAG_NONE;
  pmt_box_canvas_update (canvas);
  return TRUE;
}

/* ---- keyboard ---- */

static gboolean
on_arrow (PmtBoxCanvas *canvas, guint key, gboolean resize)
{
  PmtBoxEntry *box = chosen_box (canvas);
  PmtBoxEntry from;
  const double dx = key == GDK_KEY_Left ? -KEY_STEP : key == GDK_KEY_Right ? KEY_STEP : 0;
  const double dy = key == GDK_KEY_Up ? -KEY_STEP : key == GDK_KEY_Down ? KEY_STEP : 0;

  if (!box)
    return GDK_EVENT_STOP; /* arrows must not leave the field by chance */
  from = *box;
  move_box (box, &from, resize ? SIDE_RIGHT | SIDE_BOTTOM : 0, dx, dy);
  tell_changed (canvas);
  return GDK_EVENT_STOP;
}

static gboolean
on_tab (PmtBoxCanvas *canvas, int by)
{
  const int next = canvas->chosen < 0 && by < 0 ? -1 : canvas->chosen + by;

  if (next < 0 || next >= (int) canvas->boxes->len)
    return GDK_EVENT_PROPAGATE;
  pmt_box_canvas_choose (canvas, next);
  return GDK_EVENT_STOP;
}

static gboolean
on_key (GtkWidget *area, GdkEventKey *event, PmtBoxCanvas *canvas)
{
  if (canvas->drag != DRAG_NONE && event->keyval != GDK_KEY_Escape)
    return GDK_EVENT_STOP; /* the box in the hand stays the chosen one */
  if (event->state & (GDK_CONTROL_MASK | GDK_MOD1_MASK))
    return GDK_EVENT_PROPAGATE;
  switch (event->keyval) {
  case GDK_KEY_Left:
  case GDK_KEY_Right:
  case GDK_KEY_Up:
  case GDK_KEY_Down:
    return on_arrow (canvas, event->keyval, (event->state & GDK_SHIFT_MASK) != 0);
  case GDK_KEY_Tab:
    return on_tab (canvas, event->state & GDK_SHIFT_MASK ? -1 : 1);
  case GDK_KEY_ISO_Left_Tab:
    return on_tab (canvas, -1);
  case GDK_KEY_Delete:
  case GDK_KEY_KP_Delete:
  case GDK_KEY_BackSpace:
    remove_chosen (canvas);
    return GDK_EVENT_STOP;
  case GDK_KEY_Insert:
  case GDK_KEY_KP_Insert:
    pmt_box_canvas_insert (canvas);
    return GDK_EVENT_STOP;
  case GDK_KEY_Return:
  case GDK_KEY_KP_Enter:
    if (!chosen_box (canvas))
      return GDK_EVENT_PROPAGATE;
    canvas->handlers.named (canvas->user);
    return GDK_EVENT_STOP;
  case GDK_KEY_Escape:
    return cancel_drag (canvas) ? GDK_EVENT_STOP : GDK_EVENT_PROPAGATE;
  default:
    return GDK_EVENT_PROPAGATE;
  }
}

static void
on_destroy (GtkWidget *area, PmtBoxCanvas *canvas)
{
  g_signal_handlers_disconnect_by_data (area, canvas);
  g_clear_object (&canvas->picture);
}

void
pmt_box_canvas_set_picture (PmtBoxCanvas *canvas, GdkPixbuf *picture)
{
  g_set_object (&canvas->picture, picture);
  gtk_widget_queue_draw (canvas->area);
}

GtkWidget *
pmt_box_canvas_widget (PmtBoxCanvas *canvas)
{
  return canvas->area;
}

PmtBoxCanvas *
pmt_box_canvas_new (GPtrArray *boxes, int width, int height, const PmtBoxCanvasHandlers *handlers, gpointer user)
{
  PmtBoxCanvas *canvas = g_new0 (PmtBoxCanvas, 1);
  const double scale = fmin ((double) LARGEST_WIDTH / width, (double) LARGEST_HEIGHT / height);

  canvas->boxes = boxes;
  canvas->handlers = *handlers;
  canvas->user = user;
  canvas->width = MAX ((int) (width * scale), 16);
  canvas->height = MAX ((int) (height * scale), 16);
  canvas->chosen = -1;
  canvas->area = gtk_drawing_area_new ();
  g_object_set_data_full (G_OBJECT (canvas->area), "pmt-canvas", canvas, g_free);
  gtk_widget_set_size_request (canvas->area, canvas->width, canvas->height);
  gtk_widget_set_can_focus (canvas->area, TRUE);
  gtk_widget_add_events (canvas->area, GDK_BUTTON_PRESS_MASK | GDK_BUTTON_RELEASE_MASK | GDK_POINTER_MOTION_MASK | GDK_KEY_PRESS_MASK);
  gtk_widget_set_tooltip_text (canvas->area, _("Draw a box with the mouse, or press Insert; Tab chooses one, arrows move it, Shift+arrows "
                                               "resize it, Delete deletes it, Return is for its phrase"));
  g_signal_connect (canvas->area, "draw", G_CALLBACK (on_draw), canvas);
  g_signal_connect (canvas->area, "button-press-event", G_CALLBACK (on_press), canvas);
  g_signal_connect (canvas->area, "button-release-event", G_CALLBACK (on_release), canvas);
  g_signal_connect (canvas->area, "motion-notify-event", G_CALLBACK (on_motion), canvas);
  g_signal_connect (canvas->area, "key-press-event", G_CALLBACK (on_key), canvas);
  g_signal_connect (canvas->area, "destroy", G_CALLBACK (on_destroy), canvas);
  describe (canvas);
  gtk_widget_show (canvas->area);
  return canvas;
}
