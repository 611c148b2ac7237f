/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The editor of layout boxes by mouse and keyboard; what it writes, and what it does with texts that it cannot read. */
#include <string.h>

#include "tests/ui/window.h"
#include "ui/box-editor.h"
#include "ui/box-list.h"

#define TWO "[{\"box\":[0.1,0.1,0.4,0.5],\"phrase\":\"a red fox\"},{\"box\":[0.5,0.2,0.9,0.8],\"phrase\":\"a tree\"}]"

typedef struct Scene {
  GObject *settings; /* whose "label" is the boxes' text */
  GtkWidget *editor, *window, *area;
} Scene;

static void
open_scene (Scene *scene, const char *text)
{
  scene->settings = g_object_ref_sink (G_OBJECT (gtk_label_new (text)));
  scene->editor = pmt_box_editor_new (scene->settings, "label", 400, 200);
  scene->window = window_new (scene->editor);
  scene->area = first_of (scene->editor, GTK_TYPE_DRAWING_AREA);
  gtk_widget_grab_focus (scene->area);
}

static void
close_scene (Scene *scene)
{
  gtk_widget_destroy (scene->window);
  settle ();
  g_object_unref (scene->settings);
}

static void
assert_text (const Scene *scene, const char *expected)
{
  g_assert_cmpstr (gtk_label_get_text (GTK_LABEL (scene->settings)), ==, expected);
}

/* Where a part of the canvas is in the drawing area. */
static void
to_pixels (const Scene *scene, double *x, double *y)
{
  int width, height;

  gtk_widget_get_size_request (scene->area, &width, &height);
  *x = (gtk_widget_get_allocated_width (scene->area) - width) / 2 + *x * width;
  *y = (gtk_widget_get_allocated_height (scene->area) - height) / 2 + *y * height;
}

static void
drag_part (const Scene *scene, double x0, double y0, double x1, double y1)
{
  to_pixels (scene, &x0, &y0);
  to_pixels (scene, &x1, &y1);
  drag (scene->area, x0, y0, x1, y1);
}

static PmtBoxEntry *
box_of (const Scene *scene, GPtrArray *list, guint i)
{
  g_autofree char *problem = NULL;

  g_ptr_array_set_size (list, 0);
  g_assert_true (pmt_box_list_parse (list, gtk_label_get_text (GTK_LABEL (scene->settings)), &problem));
  g_assert_cmpuint (list->len, >, i);
  return g_ptr_array_index (list, i);
}

static void
assert_box (const Scene *scene, guint i, double x0, double y0, double x1, double y1)
{
  g_autoptr (GPtrArray) list = pmt_box_list_new ();
  const PmtBoxEntry *box = box_of (scene, list, i);

  g_assert_cmpfloat_with_epsilon (box->x0, x0, 0.011);
  g_assert_cmpfloat_with_epsilon (box->y0, y0, 0.011);
  g_assert_cmpfloat_with_epsilon (box->x1, x1, 0.011);
  g_assert_cmpfloat_with_epsilon (box->y1, y1, 0.011);
}

static void
test_keyboard (void)
{
  Scene scene;

  open_scene (&scene, TWO);
  g_assert_true (key (scene.window, GDK_KEY_Tab, 0));
  g_assert_nonnull (strstr (atk_object_get_name (gtk_widget_get_accessible (scene.area)), "Box 1 of 2: a red fox"));
  key (scene.window, GDK_KEY_Right, 0);
  key (scene.window, GDK_KEY_Down, 0);
  assert_box (&scene, 0, 0.11, 0.11, 0.41, 0.51);
  key (scene.window, GDK_KEY_Right, GDK_SHIFT_MASK);
  key (scene.window, GDK_KEY_Up, GDK_SHIFT_MASK);
  assert_box (&scene, 0, 0.11, 0.11, 0.42, 0.50);
  for (int i = 0; i < 30; i++)
    key (scene.window, GDK_KEY_Left, 0);
  assert_box (&scene, 0, 0, 0.11, 0.31, 0.50);
  for (int i = 0; i < 99; i++)
    key (scene.window, GDK_KEY_Left, GDK_SHIFT_MASK);
  assert_box (&scene, 0, 0, 0.11, PMT_BOX_LEAST, 0.50);
  key (scene.window, GDK_KEY_Tab, 0);
  g_assert_nonnull (strstr (atk_object_get_name (gtk_widget_get_accessible (scene.area)), "Box 2 of 2: a tree"));
  shot (scene.window, "boxes");
  key (scene.window, GDK_KEY_Tab, 0); /* past the last one the focus leaves */
  g_assert_false (gtk_widget_is_focus (scene.area));
  gtk_widget_grab_focus (scene.area);
  key (scene.window, GDK_KEY_Delete, 0);
  assert_text (&scene, "[{\"box\":[0.0,0.11,0.01,0.5],\"phrase\":\"a red fox\"}]");
  key (scene.window, GDK_KEY_Delete, 0);
  assert_text (&scene, "");
  g_assert_true (gtk_widget_is_focus (scene.area));
  close_scene (&scene);
}

static void
test_new (void)
{
  g_autoptr (GPtrArray) list = pmt_box_list_new ();
  Scene scene;

  open_scene (&scene, "");
  key (scene.window, GDK_KEY_Insert, 0);
  type_text (scene.window, "an owl"); /* its phrase has the focus */
  g_assert_cmpstr (box_of (&scene, list, 0)->phrase, ==, "an owl");
  assert_box (&scene, 0, 0.3, 0.3, 0.7, 0.7);
  gtk_widget_grab_focus (scene.area);
  drag_part (&scene, 0.95, 0.9, 0.75, 0.5);
  type_text (scene.window, "x");
  g_assert_cmpstr (box_of (&scene, list, 1)->phrase, ==, "x");
  assert_box (&scene, 1, 0.75, 0.5, 0.95, 0.9);
  drag_part (&scene, 0.1, 0.1, 0.102, 0.102); /* a click makes none */
  g_assert_nonnull (box_of (&scene, list, 1));
  g_assert_cmpuint (list->len, ==, 2);
  gtk_button_clicked (GTK_BUTTON (named (scene.editor, "Delete box 1")));
  g_assert_cmpstr (box_of (&scene, list, 0)->phrase, ==, "x");
  for (int i = 0; i < PMT_BOX_LIST_MOST + 5; i++) {
    gtk_widget_grab_focus (scene.area);
    key (scene.window, GDK_KEY_Insert, 0);
  }
  g_assert_nonnull (box_of (&scene, list, PMT_BOX_LIST_MOST - 1));
  g_assert_cmpuint (list->len, ==, PMT_BOX_LIST_MOST);
  close_scene (&scene);
}

static void
test_mouse (void)
{
  Scene scene;

  open_scene (&scene, TWO);
  drag_part (&scene, 0.2, 0.3, 0.3, 0.4);
  assert_box (&scene, 0, 0.2, 0.2, 0.5, 0.6);
  drag_part (&scene, 0.5, 0.6, 0.6, 0.9); /* the chosen one's corner, although the other box lies there too */
  assert_box (&scene, 0, 0.2, 0.2, 0.6, 0.9);
  drag_part (&scene, 0.3, 0.5, 2, 2);
  assert_box (&scene, 0, 0.6, 0.3, 1, 1);
  assert_box (&scene, 1, 0.5, 0.2, 0.9, 0.8);
  close_scene (&scene);
}

/* With the button held, no key takes the box away under the hand; Escape takes the drag back. */
static void
test_keys_in_drag (void)
{
  static const guint keys[] = { GDK_KEY_Delete, GDK_KEY_BackSpace, GDK_KEY_Insert, GDK_KEY_Tab, GDK_KEY_Left };
  g_autoptr (GPtrArray) list = pmt_box_list_new ();
  double x0 = 0.2, y0 = 0.3, x1 = 0.3, y1 = 0.4;
  Scene scene;

  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++) {
    open_scene (&scene, TWO);
    if (i == 0) {
      to_pixels (&scene, &x0, &y0);
      to_pixels (&scene, &x1, &y1);
    }
    drag_typing (scene.area, x0, y0, x1, y1, keys[i]);
    assert_box (&scene, 0, 0.2, 0.2, 0.5, 0.6);
    assert_box (&scene, 1, 0.5, 0.2, 0.9, 0.8);
    g_assert_nonnull (box_of (&scene, list, 1));
    g_assert_cmpuint (list->len, ==, 2);
    close_scene (&scene);
  }
  open_scene (&scene, TWO);
  drag_typing (scene.area, x0, y0, x1, y1, GDK_KEY_Escape);
  assert_text (&scene, TWO);
  close_scene (&scene);
}

static char *
one_more (gpointer fails, char **problem)
{
  if (fails)
    *problem = g_strdup ("There is no path.");
  return fails ? NULL : g_strdup ("[{\"box\":[0,0,1,1],\"phrase\":\"a path\"}]");
}

static void
test_import (void)
{
  g_autoptr (GPtrArray) list = pmt_box_list_new ();
  Scene scene;

  open_scene (&scene, TWO);
  pmt_box_editor_add_import (scene.editor, "Paths", "", one_more, NULL);
  gtk_button_clicked (GTK_BUTTON (named (scene.editor, "Paths")));
  g_assert_cmpstr (box_of (&scene, list, 2)->phrase, ==, "a path");
  close_scene (&scene);
  open_scene (&scene, TWO);
  pmt_box_editor_add_import (scene.editor, "Paths", "", one_more, &scene);
  gtk_button_clicked (GTK_BUTTON (named (scene.editor, "Paths")));
  assert_text (&scene, TWO);
  g_assert_true (gtk_widget_get_visible (named (scene.editor, "There is no path.")));
  close_scene (&scene);
}

/* Settings that change from outside show at once; what cannot be read stays as it is until a box is made. */
static void
test_outside (void)
{
  static const char *const broken[] = { "{", "[1]", "[{\"box\":[0,0,1],\"phrase\":\"\"}]", "[{\"box\":[0,0,1,2],\"phrase\":\"\"}]",
                                        "[{\"box\":[0,0,0,1],\"phrase\":\"\"}]", "[{\"box\":[0,0,1,1],\"phrase\":7}]", "\"text\"", "[null]" };
  g_autoptr (GPtrArray) list = pmt_box_list_new ();
  Scene scene;

  open_scene (&scene, "");
  gtk_label_set_text (GTK_LABEL (scene.settings), TWO);
  g_assert_nonnull (named (scene.editor, "Phrase of box 2"));
  for (gsize i = 0; i < G_N_ELEMENTS (broken); i++) {
    gtk_label_set_text (GTK_LABEL (scene.settings), broken[i]);
    settle ();
    assert_text (&scene, broken[i]);
    g_assert_null (named (scene.editor, "Phrase of box 1"));
  }
  gtk_widget_grab_focus (scene.area);
  key (scene.window, GDK_KEY_Insert, 0);
  g_assert_nonnull (box_of (&scene, list, 0));
  g_assert_cmpuint (list->len, ==, 1);
  close_scene (&scene);
}

int
main (int argc, char **argv)
{
  gtk_test_init (&argc, &argv, NULL);
  g_test_add_func ("/box-editor/keyboard", test_keyboard);
  g_test_add_func ("/box-editor/new", test_new);
  g_test_add_func ("/box-editor/mouse", test_mouse);
  g_test_add_func ("/box-editor/keys-in-drag", test_keys_in_drag);
  g_test_add_func ("/box-editor/import", test_import);
  g_test_add_func ("/box-editor/outside", test_outside);
  return g_test_run ();
}
