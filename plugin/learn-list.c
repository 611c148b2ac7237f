/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/learn-list.h"

#include <glib/gi18n.h>
#include <string.h>

#include "plugin/learn-pictures.h"
#include "ui/picture-list.h"

#define SMALL 48
/* So few are learned by heart. */
#define FEW 3

typedef struct State {
  GimpImage *image;
  GtkWidget *list, *remove, *remark;
  void (*changed) (gpointer user);
  gpointer user;
} State;

static State *
state_of (GtkWidget *list)
{
  return g_object_get_data (G_OBJECT (list), "pmt-learn-list");
}

static void
say_count (State *state)
{
  const int n = pmt_picture_list_count (state->list);
  g_autofree char *text = NULL;

  if (n > PMT_LEARN_MOST_PICTURES)
    text = g_strdup_printf (_("%d pictures, and %d can be learned from at once: take some out."), n, PMT_LEARN_MOST_PICTURES);
  else if (n > 0 && n < FEW)
    text = g_strdup_printf (ngettext ("%d picture; of so few the model learns the background too. Three to five are better.",
                                      "%d pictures; of so few the model learns the background too. Three to five are better.", (gulong) n), n);
  else if (n > 0)
    text = g_strdup_printf (ngettext ("%d picture", "%d pictures", (gulong) n), n);
  gtk_label_set_text (GTK_LABEL (state->remark), text ? text : "");
  gtk_widget_set_visible (state->remark, text != NULL);
}

static void
on_changed (gpointer user)
{
  State *state = user;

  say_count (state);
  state->changed (state->user);
}

static void
on_selected (gpointer user, int n)
{
  State *state = user;

  gtk_widget_set_sensitive (state->remove, n > 0);
}

static void
add_picture (State *state, const PmtLearnPicture *picture)
{
  g_autofree char *key = pmt_learn_picture_key (picture), *name = pmt_learn_picture_name (picture);
  g_autoptr (GdkPixbuf) small = pmt_learn_picture_small (picture, SMALL);

  pmt_picture_list_add (state->list, key, small, name, picture->caption);
}

void
pmt_learn_list_add (GtkWidget *list, GPtrArray *pictures)
{
  for (guint i = 0; i < pictures->len; i++)
    add_picture (state_of (list), pictures->pdata[i]);
}

/* ---- files ---- */

static void
say_unread (State *state, GPtrArray *unread)
{
  GtkWidget *window = gtk_message_dialog_new (GTK_WINDOW (gtk_widget_get_toplevel (state->list)), GTK_DIALOG_MODAL | GTK_DIALOG_DESTROY_WITH_PARENT,
                                              GTK_MESSAGE_WARNING, GTK_BUTTONS_CLOSE,
                                              ngettext ("%u file is no picture that can be read here: open it in GIMP and learn from the layer.",
                                                        "%u files are no pictures that can be read here: open them in GIMP and learn from the layers.", unread->len),
                                              unread->len);
  g_autofree char *names = NULL;

  g_ptr_array_add (unread, NULL);
  names = g_strjoinv ("\n", (char **) unread->pdata);
  gtk_message_dialog_format_secondary_text (GTK_MESSAGE_DIALOG (window), "%s", names);
  gtk_window_set_title (GTK_WINDOW (window), _("Pictures to Learn From"));
  gtk_dialog_run (GTK_DIALOG (window));
  gtk_widget_destroy (window);
}

/* The texts beside pictures come with them when all of a folder is chosen or dropped. */
static void
add_files (gpointer user, char **paths)
{
  State *state = user;
  g_autoptr (GPtrArray) pictures = pmt_learn_pictures_new (), unread = g_ptr_array_new_with_free_func (g_free);

  for (; *paths; paths++) {
    g_autofree char *caption = NULL;
    if (g_str_has_suffix (*paths, ".txt"))
      continue;
    if (!g_utf8_validate (*paths, -1, NULL) || !gdk_pixbuf_get_file_info (*paths, NULL, NULL)) {
      g_ptr_array_add (unread, g_filename_display_basename (*paths));
      continue;
    }
    caption = pmt_learn_caption_beside (*paths);
    pmt_learn_pictures_add (pictures, NULL, *paths, caption);
  }
  for (guint i = 0; i < pictures->len; i++)
    add_picture (state, pictures->pdata[i]);
  if (unread->len > 0)
    say_unread (state, unread);
}

static void
on_add_files (GtkButton *button, State *state)
{
  g_autoptr (GtkFileChooserNative) chooser =
    gtk_file_chooser_native_new (_("Pictures to Learn From"), GTK_WINDOW (gtk_widget_get_toplevel (state->list)), GTK_FILE_CHOOSER_ACTION_OPEN, _("_Add"), NULL);
  GtkFileFilter *filter = gtk_file_filter_new ();
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GSList) files = NULL;

  gtk_file_filter_set_name (filter, _("Pictures"));
  gtk_file_filter_add_pixbuf_formats (filter);
  gtk_file_chooser_add_filter (GTK_FILE_CHOOSER (chooser), filter);
  gtk_file_chooser_set_select_multiple (GTK_FILE_CHOOSER (chooser), TRUE);
  if (gtk_native_dialog_run (GTK_NATIVE_DIALOG (chooser)) != GTK_RESPONSE_ACCEPT)
    return;
  files = gtk_file_chooser_get_filenames (GTK_FILE_CHOOSER (chooser));
  for (GSList *file = files; file; file = file->next)
    g_ptr_array_add (paths, file->data);
  g_ptr_array_add (paths, NULL);
  add_files (state, (char **) paths->pdata);
}

/* ---- layers ---- */

/* Those in groups too, each by itself. */
static void
add_layers (State *state, GimpItem **items)
{
  for (gsize i = 0; items && items[i]; i++) {
    const PmtLearnPicture picture = { .layer = GIMP_LAYER (items[i]), .caption = (char *) "" };
    if (gimp_item_is_group (items[i])) {
      g_autofree GimpItem **children = gimp_item_get_children (items[i]);
      add_layers (state, children);
    } else {
      add_picture (state, &picture);
    }
  }
}

static void
on_add_layers (GtkButton *button, State *state)
{
  g_autofree GimpLayer **layers = gimp_image_is_valid (state->image) ? gimp_image_get_layers (state->image) : NULL;

  add_layers (state, (GimpItem **) layers);
}

static void
on_remove (GtkButton *button, State *state)
{
  pmt_picture_list_remove_selected (state->list);
}

/* ---- the list ---- */

static void
collect (gpointer user, const char *key, const char *caption)
{
  pmt_learn_pictures_add_key (user, key, caption);
}

GPtrArray *
pmt_learn_list_pictures (GtkWidget *list)
{
  GPtrArray *pictures = pmt_learn_pictures_new ();

  pmt_picture_list_visit (state_of (list)->list, collect, pictures);
  return pictures;
}

static GtkWidget *
button_new (GtkWidget *row, const char *label, const char *tip, GCallback callback, State *state)
{
  GtkWidget *button = gtk_button_new_with_mnemonic (label);

  gtk_widget_set_tooltip_text (button, tip);
  g_signal_connect (button, "clicked", callback, state);
  gtk_box_pack_start (GTK_BOX (row), button, FALSE, FALSE, 0);
  return button;
}

GtkWidget *
pmt_learn_list_new (GimpImage *image, void (*changed) (gpointer user), gpointer user)
{
  const PmtPictureListHandlers handlers = { on_changed, on_selected, add_files };
  GtkWidget *box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 6), *row = gtk_box_new (GTK_ORIENTATION_HORIZONTAL, 6);
  GtkWidget *label = gtk_label_new_with_mnemonic (_("_Pictures to learn from"));
  State *state = g_new0 (State, 1);

  state->image = image;
  state->changed = changed;
  state->user = user;
  state->list = pmt_picture_list_new (_("Pictures to learn from"), _("Three to five pictures of one thing or style: add layers or files, or drop files here."),
                                      _("a sentence is made"), &handlers, state);
  state->remark = gtk_label_new (NULL);
  g_object_set_data_full (G_OBJECT (box), "pmt-learn-list", state, g_free);
  gtk_label_set_xalign (GTK_LABEL (label), 0);
  gtk_label_set_mnemonic_widget (GTK_LABEL (label), pmt_picture_list_view (state->list));
  gtk_label_set_xalign (GTK_LABEL (state->remark), 0);
  gtk_label_set_line_wrap (GTK_LABEL (state->remark), TRUE);
  gtk_label_set_max_width_chars (GTK_LABEL (state->remark), 48);
  button_new (row, _("Add _Files…"), _("A text file of the same name beside a picture is its caption"), G_CALLBACK (on_add_files), state);
  button_new (row, _("Add Layers of This _Image"), _("Each layer is one picture"), G_CALLBACK (on_add_layers), state);
  state->remove = button_new (row, _("Re_move"), _("Take what is selected out of the list; files and layers stay as they are"), G_CALLBACK (on_remove), state);
  gtk_box_set_child_packing (GTK_BOX (row), state->remove, FALSE, FALSE, 0, GTK_PACK_END);
  gtk_widget_set_sensitive (state->remove, FALSE);
  gtk_box_pack_start (GTK_BOX (box), label, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box), state->list, TRUE, TRUE, 0);
  gtk_box_pack_start (GTK_BOX (box), row, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (box), state->remark, FALSE, FALSE, 0);
  gtk_widget_show_all (box);
  say_count (state);
  return box;
}
