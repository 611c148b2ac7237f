/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A prompt's token counter and the completion of names, by keyboard. */
#include <string.h>

#include "tests/ui/window.h"
#include "ui/completion.h"
#include "ui/form.h"
#include "ui/token-counter.h"

static const char *const loras[] = { "Ink", "drink", "pixel-art", "watercolour (soft)", "ünïcode", NULL };
static const char *const words[] = { "my-cat", "my-dog", NULL };

typedef struct Scene {
  GObject *settings; /* whose "label" is the prompt */
  GtkWidget *prompt, *text, *window;
  int closed; /* how often Escape came through to the window */
} Scene;

static gboolean
on_window_key (GtkWidget *window, GdkEventKey *event, Scene *scene)
{
  scene->closed += event->keyval == GDK_KEY_Escape;
  return GDK_EVENT_PROPAGATE;
}

static void
open_scene (Scene *scene, const char *text)
{
  scene->settings = g_object_ref_sink (G_OBJECT (gtk_label_new (text)));
  scene->prompt = pmt_prompt_new (scene->settings, "label", "_Prompt", 5);
  scene->text = pmt_prompt_text (scene->prompt);
  scene->window = window_new (scene->prompt);
  scene->closed = 0;
  gtk_window_resize (GTK_WINDOW (scene->window), 460, 300);
  g_signal_connect_after (scene->window, "key-press-event", G_CALLBACK (on_window_key), scene);
  gtk_widget_grab_focus (scene->text);
  settle ();
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

static void
assert_offered (const Scene *scene, const char *expected)
{
  g_auto (GStrv) offered = pmt_completion_offered (scene->text);
  g_autofree char *all = offered ? g_strjoinv (" ", offered) : NULL;

  g_assert_cmpstr (all, ==, expected);
}

static void
test_completion (void)
{
  Scene scene;

  open_scene (&scene, "");
  pmt_completion_set_names (scene.text, PMT_COMPLETION_LORAS, loras);
  pmt_completion_set_names (scene.text, PMT_COMPLETION_WORDS, words);
  type_text (scene.window, "a fox <lora");
  assert_offered (&scene, NULL);
  type_text (scene.window, ":in");
  assert_offered (&scene, "Ink drink");
  shot (scene.window, "completion");
  key (scene.window, GDK_KEY_Down, 0);
  key (scene.window, GDK_KEY_Tab, 0);
  assert_text (&scene, "a fox <lora:drink:1>");
  assert_offered (&scene, NULL);
  g_assert_true (gtk_widget_is_focus (scene.text));
  type_text (scene.window, " <lora:wat");
  key (scene.window, GDK_KEY_Escape, 0);
  assert_offered (&scene, NULL);
  g_assert_cmpint (scene.closed, ==, 0);
  key (scene.window, GDK_KEY_Escape, 0);
  g_assert_cmpint (scene.closed, ==, 1);
  type_text (scene.window, "e");
  key (scene.window, GDK_KEY_Return, 0);
  assert_text (&scene, "a fox <lora:drink:1> <lora:watercolour (soft):1>");
  type_text (scene.window, " <lora:zzz");
  assert_offered (&scene, NULL);
  close_scene (&scene);
}

/* Ctrl+Space: words first, then tags; what is not typed by hand opens nothing. */
static void
test_asked (void)
{
  Scene scene;

  open_scene (&scene, "");
  pmt_completion_set_names (scene.text, PMT_COMPLETION_LORAS, loras);
  pmt_completion_set_names (scene.text, PMT_COMPLETION_WORDS, words);
  gtk_label_set_text (GTK_LABEL (scene.settings), "<lora:i");
  settle ();
  assert_offered (&scene, NULL);
  gtk_label_set_text (GTK_LABEL (scene.settings), "");
  type_text (scene.window, "(my");
  assert_offered (&scene, NULL);
  key (scene.window, GDK_KEY_space, GDK_CONTROL_MASK);
  assert_offered (&scene, "my-cat my-dog");
  type_text (scene.window, "-d");
  assert_offered (&scene, "my-dog");
  key (scene.window, GDK_KEY_Return, 0);
  assert_text (&scene, "(my-dog");
  type_text (scene.window, " Ü");
  key (scene.window, GDK_KEY_space, GDK_CONTROL_MASK);
  assert_offered (&scene, "ünïcode");
  key (scene.window, GDK_KEY_Tab, 0);
  assert_text (&scene, "(my-dog <lora:ünïcode:1>");
  key (scene.window, GDK_KEY_space, GDK_CONTROL_MASK);
  assert_offered (&scene, "my-cat my-dog Ink drink pixel-art watercolour (soft) ünïcode");
  gtk_widget_child_focus (scene.window, GTK_DIR_TAB_FORWARD);
  key (scene.window, GDK_KEY_Escape, 0);
  assert_offered (&scene, NULL);
  close_scene (&scene);
}

/* ---- the counter ---- */

typedef struct Asked {
  int times;
  char *text;
} Asked;

static void
on_ask (gpointer user, const char *text)
{
  Asked *asked = user;

  asked->times++;
  g_free (asked->text);
  asked->text = g_strdup (text);
}

static void
wait_for_ask (Asked *asked, int times)
{
  while (asked->times < times)
    gtk_main_iteration ();
}

static void
test_counter (void)
{
  Asked asked = { 0 };
  Scene scene;
  GtkWidget *counter;
  const int edges[] = { 11 }, behind[] = { 11, 40 };
  GtkTextBuffer *buffer;
  GtkTextIter at;

  open_scene (&scene, "Füchse im Schnee");
  counter = pmt_token_counter_new (scene.text, on_ask, &asked);
  pmt_prompt_add (scene.prompt, counter);
  buffer = gtk_text_view_get_buffer (GTK_TEXT_VIEW (scene.text));
  wait_for_ask (&asked, 1);
  g_assert_cmpstr (asked.text, ==, "Füchse im Schnee");
  g_assert_false (gtk_widget_get_visible (counter));
  pmt_token_counter_show (counter, asked.text, &(PmtTokenCount) { .count = 7, .limit = 75 });
  g_assert_cmpstr (gtk_label_get_text (GTK_LABEL (counter)), ==, "7 / 75");
  shot (scene.window, "counter");
  type_text (scene.window, "x y z"); /* one question for all of it */
  wait_for_ask (&asked, 2);
  g_assert_cmpstr (asked.text, ==, "Füchse im Schneex y z");
  pmt_token_counter_show (counter, "an older text", &(PmtTokenCount) { .count = 99, .limit = 75 });
  g_assert_cmpstr (gtk_label_get_text (GTK_LABEL (counter)), ==, "7 / 75");
  gtk_label_set_text (GTK_LABEL (scene.settings), "Füchse im Schnee");
  wait_for_ask (&asked, 3);
  pmt_token_counter_show (counter, asked.text, &(PmtTokenCount) { .count = 80, .limit = 75, .edges = edges, .n_edges = 1 });
  g_assert_cmpstr (gtk_label_get_text (GTK_LABEL (counter)), ==, "80 / 75, read in 2 parts");
  g_assert_nonnull (strstr (gtk_widget_get_tooltip_text (counter), "“Schnee”"));
  gtk_text_buffer_get_iter_at_offset (buffer, &at, 10);
  g_assert_true (gtk_text_iter_starts_tag (&at, NULL));
  pmt_token_counter_show (counter, asked.text, &(PmtTokenCount) { .count = 80, .limit = 75, .edges = behind, .n_edges = 2 });
  g_assert_cmpstr (gtk_label_get_text (GTK_LABEL (counter)), ==, "80 / 75, read in 3 parts");
  g_assert_null (strstr (gtk_widget_get_tooltip_text (counter), "begins at")); /* in what is written around the text */
  pmt_token_counter_show (counter, asked.text, &(PmtTokenCount) { .count = 80, .limit = 75, .cut = 5 });
  g_assert_cmpstr (gtk_label_get_text (GTK_LABEL (counter)), ==, "80 / 75, the end is not read");
  g_assert_false (gtk_text_iter_starts_tag (&at, NULL));
  pmt_token_counter_show (counter, asked.text, NULL);
  g_assert_false (gtk_widget_get_visible (counter));
  pmt_token_counter_ask (counter);
  close_scene (&scene); /* with a question under way */
  g_usleep (400 * 1000);
  settle ();
  g_assert_cmpint (asked.times, ==, 3);
  g_free (asked.text);
}

int
main (int argc, char **argv)
{
  gtk_test_init (&argc, &argv, NULL);
  g_test_add_func ("/prompt/completion", test_completion);
  g_test_add_func ("/prompt/asked", test_asked);
  g_test_add_func ("/prompt/counter", test_counter);
  return g_test_run ();
}
