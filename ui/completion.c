/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ui/completion.h"

#include <glib/gi18n.h>
#include <string.h>

/* More would not be read; another letter makes them fewer. */
#define MOST_ROWS 50
#define LIST_HEIGHT 150
#define LONGEST_PREFIX 200

static const char *const openings[PMT_N_COMPLETIONS] = { "<lora:", "<hypernet:", NULL };

typedef struct Completion {
  GtkWidget *text, *popover, *list;
  char **names[PMT_N_COMPLETIONS];
  gboolean asked; /* by Ctrl+Space: for the word at the cursor */
  int start;      /* offset of what an insertion replaces */
} Completion;

static Completion *
completion_of (GtkWidget *text)
{
  return g_object_get_data (G_OBJECT (text), "pmt-completion");
}

static gboolean
is_open (const Completion *completion)
{
  return gtk_widget_get_visible (completion->popover);
}

static void
close_list (Completion *completion)
{
  completion->asked = FALSE;
  gtk_widget_hide (completion->popover);
}

/* ---- what stands before the cursor ---- */

static void
cursor_of (const Completion *completion, GtkTextIter *at)
{
  GtkTextBuffer *buffer = gtk_text_view_get_buffer (GTK_TEXT_VIEW (completion->text));

  gtk_text_buffer_get_iter_at_mark (buffer, at, gtk_text_buffer_get_insert (buffer));
}

/* The beginning of a tag that is open at the cursor: its kind and what it says so far (newly allocated), or NULL. */
static char *
open_tag (Completion *completion, PmtCompletionKind *kind)
{
  GtkTextIter at, start;
  g_autofree char *line = NULL;
  const char *tag;

  cursor_of (completion, &at);
  start = at;
  gtk_text_iter_set_line_offset (&start, 0);
  line = gtk_text_iter_get_text (&start, &at);
  tag = strrchr (line, '<');
  for (int i = 0; tag && i < PMT_N_COMPLETIONS; i++) {
    const gsize length = openings[i] ? strlen (openings[i]) : 0;
    if (!length || g_ascii_strncasecmp (tag, openings[i], length) != 0 || strpbrk (tag + length, ":>"))
      continue;
    *kind = (PmtCompletionKind) i;
    completion->start = gtk_text_iter_get_offset (&start) + (int) g_utf8_pointer_to_offset (line, tag);
    return g_strdup (tag + length);
  }
  return NULL;
}

/* The word that ends at the cursor; may be empty. */
static char *
word_before (Completion *completion)
{
  GtkTextIter at, start;

  cursor_of (completion, &at);
  start = at;
  while (gtk_text_iter_backward_char (&start)) {
    const gunichar c = gtk_text_iter_get_char (&start);
    if (g_unichar_isspace (c) || strchr ("(),:<>[]", c < 128 ? (int) c : 'x')) {
      gtk_text_iter_forward_char (&start);
      break;
    }
  }
  completion->start = gtk_text_iter_get_offset (&start);
  return gtk_text_iter_get_text (&start, &at);
}

/* ---- the list ---- */

static char *
insertion (PmtCompletionKind kind, const char *name)
{
  return openings[kind] ? g_strconcat (openings[kind], name, ":1>", NULL) : g_strdup (name);
}

/* Some themes show the chosen row only in a list that has the focus, which stays with the text. */
static void
show_choice (GtkWidget *row)
{
  g_autoptr (GtkCssProvider) style = gtk_css_provider_new ();

  gtk_css_provider_load_from_data (style, "row { padding: 3px 6px; } row:selected { background: alpha(currentColor, 0.25); }", -1, NULL);
  gtk_style_context_add_provider (gtk_widget_get_style_context (row), GTK_STYLE_PROVIDER (style), GTK_STYLE_PROVIDER_PRIORITY_APPLICATION);
}

static void
add_row (Completion *completion, PmtCompletionKind kind, const char *name)
{
  g_autofree char *shown = completion->asked && openings[kind] ? g_strconcat (openings[kind], name, ">", NULL) : g_strdup (name);
  GtkWidget *row = gtk_list_box_row_new (), *label = gtk_label_new (shown);

  gtk_label_set_xalign (GTK_LABEL (label), 0);
  gtk_label_set_ellipsize (GTK_LABEL (label), PANGO_ELLIPSIZE_MIDDLE);
  gtk_label_set_width_chars (GTK_LABEL (label), 24);
  gtk_label_set_max_width_chars (GTK_LABEL (label), 40);
  gtk_widget_set_can_focus (row, FALSE);
  show_choice (row);
  gtk_container_add (GTK_CONTAINER (row), label);
  g_object_set_data_full (G_OBJECT (row), "pmt-name", g_strdup (name), g_free);
  g_object_set_data_full (G_OBJECT (row), "pmt-insertion", insertion (kind, name), g_free);
  gtk_widget_show_all (row);
  gtk_container_add (GTK_CONTAINER (completion->list), row);
}

/* Those that begin so come before those that have it inside. Returns how many rows there are now. */
static int
add_matches (Completion *completion, PmtCompletionKind kind, const char *prefix, int rows)
{
  g_autofree char *wanted = g_utf8_casefold (prefix, -1);

  for (int inside = 0; inside < 2; inside++)
    for (char **name = completion->names[kind]; name && *name && rows < MOST_ROWS; name++) {
      g_autofree char *folded = g_utf8_casefold (*name, -1);
      const char *found = strstr (folded, wanted);
      if (found && (found != folded) == inside) {
        add_row (completion, kind, *name);
        rows++;
      }
    }
  return rows;
}

static void
choose (Completion *completion, int i)
{
  GtkListBoxRow *row = gtk_list_box_get_row_at_index (GTK_LIST_BOX (completion->list), i);
  GtkAdjustment *adjustment = gtk_list_box_get_adjustment (GTK_LIST_BOX (completion->list));
  GtkAllocation place;

  if (!row)
    return;
  gtk_list_box_select_row (GTK_LIST_BOX (completion->list), row);
  gtk_widget_get_allocation (GTK_WIDGET (row), &place);
  if (adjustment && place.height > 1)
    gtk_adjustment_clamp_page (adjustment, place.y, place.y + place.height);
}

static void
point_at_cursor (Completion *completion)
{
  GtkTextIter at;
  GdkRectangle place;

  gtk_text_buffer_get_iter_at_offset (gtk_text_view_get_buffer (GTK_TEXT_VIEW (completion->text)), &at, completion->start);
  gtk_text_view_get_iter_location (GTK_TEXT_VIEW (completion->text), &at, &place);
  gtk_text_view_buffer_to_window_coords (GTK_TEXT_VIEW (completion->text), GTK_TEXT_WINDOW_WIDGET, place.x, place.y, &place.x, &place.y);
  place.width = MAX (place.width, 1);
  gtk_popover_set_pointing_to (GTK_POPOVER (completion->popover), &place);
}

static void
update (Completion *completion)
{
  g_autoptr (GList) old = gtk_container_get_children (GTK_CONTAINER (completion->list));
  PmtCompletionKind kind;
  g_autofree char *prefix = open_tag (completion, &kind);
  int rows = 0;

  for (GList *row = old; row; row = row->next)
    gtk_widget_destroy (row->data);
  if (prefix) {
    completion->asked = FALSE;
    rows = add_matches (completion, kind, prefix, 0);
  } else if (completion->asked) {
    prefix = word_before (completion);
    if (strlen (prefix) <= LONGEST_PREFIX) {
      rows = add_matches (completion, PMT_COMPLETION_WORDS, prefix, 0);
      rows = add_matches (completion, PMT_COMPLETION_LORAS, prefix, rows);
      rows = add_matches (completion, PMT_COMPLETION_HYPERNETWORKS, prefix, rows);
    }
  }
  if (!rows) {
    close_list (completion);
    return;
  }
  point_at_cursor (completion);
  gtk_widget_show (completion->popover);
  choose (completion, 0);
}

static void
insert_row (Completion *completion, GtkListBoxRow *row)
{
  GtkTextBuffer *buffer = gtk_text_view_get_buffer (GTK_TEXT_VIEW (completion->text));
  g_autofree char *text = g_strdup (g_object_get_data (G_OBJECT (row), "pmt-insertion"));
  GtkTextIter start, end;

  close_list (completion);
  cursor_of (completion, &end);
  gtk_text_buffer_get_iter_at_offset (buffer, &start, completion->start);
  if (text[0] == '<' && gtk_text_iter_get_char (&end) == '>') /* it was closed already */
    gtk_text_iter_forward_char (&end);
  gtk_text_buffer_begin_user_action (buffer);
  gtk_text_buffer_delete (buffer, &start, &end);
  gtk_text_buffer_insert (buffer, &start, text, -1);
  gtk_text_buffer_place_cursor (buffer, &start);
  gtk_text_buffer_end_user_action (buffer);
}

static void
on_row (GtkListBox *list, GtkListBoxRow *row, Completion *completion)
{
  insert_row (completion, row);
}

/* ---- keys ---- */

static gboolean
on_list_key (Completion *completion, guint key)
{
  GtkListBoxRow *row = gtk_list_box_get_selected_row (GTK_LIST_BOX (completion->list));
  const int i = row ? gtk_list_box_row_get_index (row) : -1;

  switch (key) {
  case GDK_KEY_Up:
  case GDK_KEY_KP_Up:
    choose (completion, MAX (i - 1, 0));
    return GDK_EVENT_STOP;
  case GDK_KEY_Down:
  case GDK_KEY_KP_Down:
    choose (completion, i + 1);
    return GDK_EVENT_STOP;
  case GDK_KEY_Tab:
  case GDK_KEY_KP_Tab:
  case GDK_KEY_Return:
  case GDK_KEY_KP_Enter:
    if (row)
      insert_row (completion, row);
    return GDK_EVENT_STOP;
  case GDK_KEY_Escape:
    close_list (completion);
    return GDK_EVENT_STOP;
  case GDK_KEY_Left:
  case GDK_KEY_Right:
  case GDK_KEY_Home:
  case GDK_KEY_End:
    close_list (completion);
    return GDK_EVENT_PROPAGATE;
  default:
    return GDK_EVENT_PROPAGATE;
  }
}

static gboolean
on_key (GtkWidget *text, GdkEventKey *event, Completion *completion)
{
  const GdkModifierType modifiers = event->state & gtk_accelerator_get_default_mod_mask ();

  if (event->keyval == GDK_KEY_space && modifiers == GDK_CONTROL_MASK) {
    completion->asked = TRUE;
    update (completion);
    return GDK_EVENT_STOP;
  }
  return is_open (completion) && !(modifiers & ~GDK_SHIFT_MASK) ? on_list_key (completion, event->keyval) : GDK_EVENT_PROPAGATE;
}

/* Only what the user does: settings that are loaded or reset open no list. */
static void
on_user_action (GtkTextBuffer *buffer, Completion *completion)
{
  if (gtk_widget_is_focus (completion->text))
    update (completion);
}

static gboolean
on_focus_out (GtkWidget *text, GdkEvent *event, Completion *completion)
{
  close_list (completion);
  return GDK_EVENT_PROPAGATE;
}

static void
completion_free (gpointer data)
{
  Completion *completion = data;

  for (int i = 0; i < PMT_N_COMPLETIONS; i++)
    g_strfreev (completion->names[i]);
  g_free (completion);
}

static void
on_destroy (GtkWidget *text, Completion *completion)
{
  g_signal_handlers_disconnect_by_data (gtk_text_view_get_buffer (GTK_TEXT_VIEW (text)), completion);
  g_signal_handlers_disconnect_by_data (text, completion);
}

void
pmt_completion_set_names (GtkWidget *text, PmtCompletionKind kind, const char *const *names)
{
  Completion *completion = completion_of (text);

  g_strfreev (completion->names[kind]);
  completion->names[kind] = g_strdupv ((char **) names);
}

char **
pmt_completion_offered (GtkWidget *text)
{
  Completion *completion = completion_of (text);
  g_autoptr (GStrvBuilder) names = g_strv_builder_new ();
  GtkListBoxRow *row;

  if (!is_open (completion))
    return NULL;
  for (int i = 0; (row = gtk_list_box_get_row_at_index (GTK_LIST_BOX (completion->list), i)); i++)
    g_strv_builder_add (names, g_object_get_data (G_OBJECT (row), "pmt-name"));
  return g_strv_builder_end (names);
}

void
pmt_completion_attach (GtkWidget *text)
{
  Completion *completion = g_new0 (Completion, 1);
  GtkWidget *scroll = gtk_scrolled_window_new (NULL, NULL);

  completion->text = text;
  completion->list = gtk_list_box_new ();
  completion->popover = gtk_popover_new (text);
  gtk_popover_set_modal (GTK_POPOVER (completion->popover), FALSE); /* the text keeps the focus */
  gtk_popover_set_position (GTK_POPOVER (completion->popover), GTK_POS_BOTTOM);
  gtk_list_box_set_activate_on_single_click (GTK_LIST_BOX (completion->list), TRUE);
  gtk_scrolled_window_set_policy (GTK_SCROLLED_WINDOW (scroll), GTK_POLICY_NEVER, GTK_POLICY_AUTOMATIC);
  gtk_scrolled_window_set_propagate_natural_height (GTK_SCROLLED_WINDOW (scroll), TRUE);
  gtk_scrolled_window_set_max_content_height (GTK_SCROLLED_WINDOW (scroll), LIST_HEIGHT);
  gtk_container_add (GTK_CONTAINER (scroll), completion->list);
  gtk_container_add (GTK_CONTAINER (completion->popover), scroll);
  gtk_widget_show_all (scroll);
  atk_object_set_name (gtk_widget_get_accessible (completion->list), _("Names that fit"));
  g_object_set_data_full (G_OBJECT (text), "pmt-completion", completion, completion_free);
  g_signal_connect (text, "key-press-event", G_CALLBACK (on_key), completion);
  g_signal_connect (text, "focus-out-event", G_CALLBACK (on_focus_out), completion);
  g_signal_connect (text, "destroy", G_CALLBACK (on_destroy), completion);
  g_signal_connect (gtk_text_view_get_buffer (GTK_TEXT_VIEW (text)), "end-user-action", G_CALLBACK (on_user_action), completion);
  g_signal_connect (completion->list, "row-activated", G_CALLBACK (on_row), completion);
}
