/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The seed's number, dice and lock. */
#include "tests/ui/window.h"
#include "ui/seed-row.h"

typedef struct Scene {
  GObject *settings; /* an adjustment's worth of numbers: a GtkLabel's width-chars is the seed, max-width-chars the last one */
  GtkWidget *row, *window, *spin, *lock, *dice;
} Scene;

static void
open_scene (Scene *scene)
{
  scene->settings = g_object_ref_sink (G_OBJECT (gtk_label_new ("")));
  scene->row = pmt_seed_row_new (scene->settings, "width-chars", "max-width-chars");
  scene->window = window_new (scene->row);
  scene->spin = first_of (scene->row, GTK_TYPE_SPIN_BUTTON);
  scene->lock = named (scene->row, "Keep the seed");
  scene->dice = named (scene->row, "New seed");
}

static void
close_scene (Scene *scene)
{
  gtk_widget_destroy (scene->window);
  settle ();
  g_object_unref (scene->settings);
}

static int
seed_of (const Scene *scene)
{
  return gtk_label_get_width_chars (GTK_LABEL (scene->settings));
}

static void
assert_shows (const Scene *scene, const char *text, gboolean locked)
{
  g_assert_cmpstr (gtk_entry_get_text (GTK_ENTRY (scene->spin)), ==, text);
  g_assert_cmpint (gtk_toggle_button_get_active (GTK_TOGGLE_BUTTON (scene->lock)), ==, locked);
}

static void
test_lock (void)
{
  Scene scene;

  open_scene (&scene);
  assert_shows (&scene, "random", FALSE);
  gtk_button_clicked (GTK_BUTTON (scene.lock)); /* nothing was used yet: one by chance */
  g_assert_cmpint (seed_of (&scene), >=, 0);
  gtk_button_clicked (GTK_BUTTON (scene.lock));
  g_assert_cmpint (seed_of (&scene), ==, -1);
  assert_shows (&scene, "random", FALSE);
  gtk_label_set_max_width_chars (GTK_LABEL (scene.settings), 4711);
  assert_shows (&scene, "random (last: 4711)", FALSE);
  g_assert_cmpint (seed_of (&scene), ==, -1);
  shot (scene.window, "seed");
  gtk_button_clicked (GTK_BUTTON (scene.lock));
  g_assert_cmpint (seed_of (&scene), ==, 4711);
  assert_shows (&scene, "4711", TRUE);
  gtk_label_set_max_width_chars (GTK_LABEL (scene.settings), 99); /* a later run does not move what is locked */
  assert_shows (&scene, "4711", TRUE);
  gtk_button_clicked (GTK_BUTTON (scene.lock));
  assert_shows (&scene, "random (last: 99)", FALSE);
  close_scene (&scene);
}

static void
test_typed (void)
{
  Scene scene;

  open_scene (&scene);
  gtk_label_set_max_width_chars (GTK_LABEL (scene.settings), 5);
  gtk_entry_set_text (GTK_ENTRY (scene.spin), "123");
  gtk_spin_button_update (GTK_SPIN_BUTTON (scene.spin));
  g_assert_cmpint (seed_of (&scene), ==, 123);
  assert_shows (&scene, "123", TRUE);
  gtk_entry_set_text (GTK_ENTRY (scene.spin), "what?");
  gtk_spin_button_update (GTK_SPIN_BUTTON (scene.spin));
  g_assert_cmpint (seed_of (&scene), ==, 123);
  gtk_entry_set_text (GTK_ENTRY (scene.spin), "");
  gtk_spin_button_update (GTK_SPIN_BUTTON (scene.spin));
  g_assert_cmpint (seed_of (&scene), ==, -1);
  assert_shows (&scene, "random (last: 5)", FALSE);
  gtk_label_set_width_chars (GTK_LABEL (scene.settings), 8); /* settings loaded */
  assert_shows (&scene, "8", TRUE);
  close_scene (&scene);
}

static void
test_dice (void)
{
  Scene scene;
  int first;

  open_scene (&scene);
  gtk_button_clicked (GTK_BUTTON (scene.dice));
  first = seed_of (&scene);
  gtk_button_clicked (GTK_BUTTON (scene.dice));
  g_assert_cmpint (first, >=, 0);
  g_assert_cmpint (seed_of (&scene), !=, first); /* one in two thousand million */
  g_assert_true (gtk_toggle_button_get_active (GTK_TOGGLE_BUTTON (scene.lock)));
  close_scene (&scene);
}

int
main (int argc, char **argv)
{
  gtk_test_init (&argc, &argv, NULL);
  g_test_add_func ("/seed-row/lock", test_lock);
  g_test_add_func ("/seed-row/typed", test_typed);
  g_test_add_func ("/seed-row/dice", test_dice);
  return g_test_run ();
}
