/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tests/ui/window.h"

#include <string.h>

GtkWidget *
window_new (GtkWidget *widget)
{
  GtkWidget *window = gtk_window_new (GTK_WINDOW_TOPLEVEL);

  gtk_container_set_border_width (GTK_CONTAINER (window), 12);
  gtk_container_add (GTK_CONTAINER (window), widget);
  gtk_widget_show (window);
  settle ();
  return window;
}

void
settle (void)
{
  while (gtk_events_pending ())
    gtk_main_iteration ();
}

static GdkEvent *
event_new (GdkEventType type, GtkWidget *widget)
{
  GdkEvent *event = gdk_event_new (type);
  GdkSeat *seat = gdk_display_get_default_seat (gtk_widget_get_display (widget));
  const gboolean keys = type == GDK_KEY_PRESS || type == GDK_KEY_RELEASE;

  event->any.window = g_object_ref (gtk_widget_get_window (widget));
  event->any.send_event = TRUE;
  gdk_event_set_device (event, keys ? gdk_seat_get_keyboard (seat) : gdk_seat_get_pointer (seat));
  return event;
}

static gboolean
send_key (GtkWidget *window, GdkEventType type, guint keyval, GdkModifierType state)
{
  GdkEvent *event = event_new (type, window);
  GdkKeymapKey *keys = NULL;
  int n = 0;
  gboolean taken;

  event->key.keyval = keyval;
  event->key.state = state;
  if (gdk_keymap_get_entries_for_keyval (gdk_keymap_get_for_display (gtk_widget_get_display (window)), keyval, &keys, &n) && n > 0)
    event->key.hardware_keycode = (guint16) keys[0].keycode;
  g_free (keys);
  taken = gtk_widget_event (window, event);
  gdk_event_free (event);
  settle ();
  return taken;
}

gboolean
key (GtkWidget *window, guint keyval, GdkModifierType state)
{
  gboolean taken = send_key (window, GDK_KEY_PRESS, keyval, state);

  send_key (window, GDK_KEY_RELEASE, keyval, state);
  return taken;
}

void
type_text (GtkWidget *window, const char *text)
{
  for (; *text; text = g_utf8_next_char (text))
    key (window, gdk_unicode_to_keyval (g_utf8_get_char (text)), 0);
}

static void
send_button (GtkWidget *widget, GdkEventType type, double x, double y)
{
  GdkEvent *event = event_new (type, widget);

  event->button.button = GDK_BUTTON_PRIMARY;
  event->button.x = x;
  event->button.y = y;
  gtk_widget_event (widget, event);
  gdk_event_free (event);
}

static void
send_motion (GtkWidget *widget, double x, double y)
{
  GdkEvent *event = event_new (GDK_MOTION_NOTIFY, widget);

  event->motion.x = x;
  event->motion.y = y;
  gtk_widget_event (widget, event);
  gdk_event_free (event);
}

void
drag (GtkWidget *widget, double x0, double y0, double x1, double y1)
{
  drag_typing (widget, x0, y0, x1, y1, 0);
}

void
drag_typing (GtkWidget *widget, double x0, double y0, double x1, double y1, guint keyval)
{
  send_button (widget, GDK_BUTTON_PRESS, x0, y0);
  for (int i = 1; i <= 4; i++) {
    send_motion (widget, x0 + (x1 - x0) * i / 4, y0 + (y1 - y0) * i / 4);
    if (i == 2 && keyval)
      key (gtk_widget_get_toplevel (widget), keyval, 0);
  }
  send_button (widget, GDK_BUTTON_RELEASE, x1, y1);
  settle ();
}

void
shot (GtkWidget *window, const char *name)
{
  const char *folder = g_getenv ("PMT_UI_SHOTS");
  g_autofree char *path = folder ? g_strdup_printf ("%s/%s.png", folder, name) : NULL;
  cairo_surface_t *surface;
  cairo_t *cairo;

  if (!path)
    return;
  for (gint64 end = g_get_monotonic_time () + 300000; g_get_monotonic_time () < end; g_usleep (10000))
    settle (); /* until it is laid out */
  surface = cairo_image_surface_create (CAIRO_FORMAT_RGB24, gtk_widget_get_allocated_width (window), gtk_widget_get_allocated_height (window));
  cairo = cairo_create (surface);
  gtk_widget_draw (window, cairo);
  cairo_destroy (cairo);
  cairo_surface_write_to_png (surface, path);
  cairo_surface_destroy (surface);
}

static GtkWidget *
search (GtkWidget *parent, gboolean (*is_it) (GtkWidget *child, gconstpointer what), gconstpointer what)
{
  GtkWidget *found = NULL;
  GList *children;

  if (is_it (parent, what))
    return parent;
  if (!GTK_IS_CONTAINER (parent))
    return NULL;
  children = gtk_container_get_children (GTK_CONTAINER (parent));
  for (GList *child = children; child && !found; child = child->next)
    found = search (child->data, is_it, what);
  g_list_free (children);
  return found;
}

static gboolean
has_name (GtkWidget *child, gconstpointer name)
{
  const char *own = atk_object_get_name (gtk_widget_get_accessible (child));

  return own && strcmp (own, name) == 0;
}

GtkWidget *
named (GtkWidget *parent, const char *name)
{
  return search (parent, has_name, name);
}

static gboolean
has_type (GtkWidget *child, gconstpointer type)
{
  return g_type_is_a (G_OBJECT_TYPE (child), *(const GType *) type);
}

GtkWidget *
first_of (GtkWidget *parent, GType type)
{
  return search (parent, has_type, &type);
}
