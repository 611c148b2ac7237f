/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/mask-view.h"

#include <gegl.h>
#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

#include "plugin/capture.h"
#include "plugin/engine-client.h"
#include "plugin/error.h"
#include "plugin/inputs.h"
#include "plugin/modes.h"
#include "plugin/place.h"
#include "plugin/recipe.h"
#include "ui/mask-picture.h"

/* Settings that change while somebody types are asked about once. */
#define SETTLE_MS 400
/* Of what is shown while it is not true any more. */
#define DOUBTFUL 0.4

typedef struct View {
  GimpProcedureConfig *config;
  GimpImage *image;
  GimpDrawable **drawables;
  GtkWidget *box, *picture, *said; /* picture NULL: nothing was asked for yet */
  PmtEngineClient *client;
  guint settle;
  gboolean by_itself; /* asked because settings have changed: the focus stays where it is */
  PmtPlace place;
  JsonObject *recipe;
  PmtRect canvas, bounds, context, box_rect;
  gboolean everything; /* nothing is selected */
  GBytes *mask;
} View;

static void
stop (View *view)
{
  g_clear_pointer (&view->client, pmt_engine_client_free);
  g_clear_pointer (&view->recipe, json_object_unref);
  g_clear_pointer (&view->mask, g_bytes_unref);
  pmt_place_clear (&view->place);
}

static void
view_free (gpointer data)
{
  View *view = data;

  g_clear_handle_id (&view->settle, g_source_remove);
  stop (view);
  g_free (view);
}

static void
say (View *view, const char *sentence)
{
  gtk_label_set_text (GTK_LABEL (view->said), sentence);
  gtk_widget_set_visible (view->said, sentence[0] != '\0');
  if (view->picture)
    gtk_widget_set_visible (view->picture, sentence[0] == '\0');
}

static void
fail (View *view, const GError *error)
{
  g_autofree char *sentence = g_strdup (error->message);

  stop (view);
  say (view, sentence);
}

static void
ask (View *view, const char *type, gint64 id)
{
  JsonObject *message = pmt_engine_message_new (type, id);

  json_object_set_object_member (message, "job", json_object_ref (view->recipe));
  json_object_set_int_member (message, "most-side", PMT_MASK_PICTURE_SIDE);
  pmt_engine_client_send (view->client, message, NULL);
}

static GdkRectangle
to_gdk (const PmtRect *rect)
{
  return (GdkRectangle) { rect->x, rect->y, rect->width, rect->height };
}

/* ---- the picture ---- */

/* The context with some of the canvas around it. */
static PmtRect
choose_view (const View *view)
{
  const PmtRect *c = &view->context;
  const int pad = MAX (c->width, c->height) / 6;
  const int left = MAX (c->x - pad, 0), top = MAX (c->y - pad, 0);

  return (PmtRect) { left, top, MIN (c->x + c->width + pad, view->canvas.width) - left, MIN (c->y + c->height + pad, view->canvas.height) - top };
}

/* gimp_drawable_get_sub_thumbnail frees its pixels twice (GIMP 3.0.4). NULL without memory. */
static GdkPixbuf *
read_small (GimpDrawable *drawable, int x, int y, int width, int height, double scale)
{
  const int across = MAX ((int) (width * scale), 1), down = MAX ((int) (height * scale), 1);
  GdkPixbuf *pixbuf = gdk_pixbuf_new (GDK_COLORSPACE_RGB, TRUE, 8, across, down);
  g_autoptr (GeglBuffer) buffer = gimp_drawable_get_buffer (drawable);

  if (pixbuf)
    gegl_buffer_get (buffer, GEGL_RECTANGLE ((int) (x * scale), (int) (y * scale), across, down), scale, babl_format ("R'G'B'A u8"),
                     gdk_pixbuf_get_pixels (pixbuf), gdk_pixbuf_get_rowstride (pixbuf), GEGL_ABYSS_CLAMP);
  return pixbuf;
}

/* What of it the image has now. */
static void
show_picture (View *view)
{
  const PmtRect shown = choose_view (view), there = pmt_place_in_image (&view->place, &shown);
  const int x = MAX (there.x, 0), y = MAX (there.y, 0);
  const int width = MIN (there.x + there.width, gimp_image_get_width (view->image)) - x;
  const int height = MIN (there.y + there.height, gimp_image_get_height (view->image)) - y;
  const double scale = MIN (1, 2.0 * PMT_MASK_PICTURE_SIDE / MAX (MAX (width, height), 1));
  GimpLayer *seen = width > 0 && height > 0 ? gimp_layer_new_from_visible (view->image, view->image, NULL) : NULL;
  GdkRectangle all = to_gdk (&shown), at = { x - there.x + shown.x, y - there.y + shown.y, MAX (width, 0), MAX (height, 0) };
  GdkPixbuf *pixbuf = NULL;

  if (seen) {
    pixbuf = read_small (GIMP_DRAWABLE (seen), x, y, width, height, scale);
    gimp_item_delete (GIMP_ITEM (seen));
  }
  pmt_mask_picture_show (view->picture, &all, pixbuf, &at);
  g_clear_object (&pixbuf);
}

/* The job's mask, small. */
static void
show_mask (View *view)
{
  const int longer = MAX (view->context.width, view->context.height);
  const double step = MAX (1, (double) longer / PMT_MASK_PICTURE_SIDE);
  const int width = MAX ((int) (view->context.width / step), 1), height = MAX ((int) (view->context.height / step), 1);
  const float *from = g_bytes_get_data (view->mask, NULL);
  g_autofree float *small = g_new (float, (gsize) width * (gsize) height);
  GdkRectangle at = to_gdk (&view->context);

  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++)
      small[y * width + x] = from[(gsize) (y * step) * (gsize) view->context.width + (gsize) (x * step)];
  pmt_mask_picture_set_mask (view->picture, PMT_MASK_SHOWN_MASK, small, width, height, &at);
}

/* ---- answers ---- */

static void
send_mask (View *view)
{
  JsonObject *message = pmt_engine_message_new ("blob", 2);
  g_autoptr (GError) error = NULL;
  gboolean everything;

  if (!pmt_capture_check (view->image, NULL, FALSE, &error)) {
    json_object_unref (message);
    fail (view, error);
    return;
  }
  view->mask = pmt_place_mask (&view->place, view->image, &view->context, &everything, &error);
  if (!view->mask) {
    json_object_unref (message);
    fail (view, error);
    return;
  }
  if (!view->picture) {
    view->picture = pmt_mask_picture_new ();
    gtk_box_pack_start (GTK_BOX (view->box), view->picture, FALSE, FALSE, 0);
  }
  show_picture (view);
  show_mask (view);
  pmt_recipe_set_region (view->recipe, &view->canvas, &view->bounds, &view->context);
  json_object_set_string_member (message, "name", "mask");
  json_object_set_int_member (message, "width", view->context.width);
  json_object_set_int_member (message, "height", view->context.height);
  json_object_set_int_member (message, "channels", 1);
  json_object_set_string_member (message, "dtype", "f32");
  pmt_engine_client_send (view->client, message, view->mask);
  ask (view, "masks", 2);
}

static gboolean
read_region (View *view, JsonObject *message, PmtRect *context)
{
  JsonNode *node = json_object_get_member (message, "region");
  JsonObject *region = node && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;

  return region && pmt_recipe_get_rect (region, "context", context) && pmt_rect_holds (&view->canvas, context) &&
         pmt_recipe_get_rect (region, "box", &view->box_rect) && pmt_rect_holds (&view->canvas, &view->box_rect);
}

static void
on_estimate (View *view, JsonObject *message)
{
  if (!read_region (view, message, &view->context))
    return;
  pmt_place_context (&view->place, &view->canvas, &view->box_rect, &view->context);
  send_mask (view);
}

static void
on_blob (View *view, JsonObject *message, GBytes *payload)
{
  const char *name = json_object_get_string_member_with_default (message, "name", "");
  const int width = (int) json_object_get_int_member_with_default (message, "width", 0);
  const int height = (int) json_object_get_int_member_with_default (message, "height", 0);
  GdkRectangle at = to_gdk (&view->context);

  if (!payload || width < 1 || height < 1 || width > PMT_MASK_PICTURE_SIDE || height > PMT_MASK_PICTURE_SIDE ||
      g_bytes_get_size (payload) != (gsize) width * (gsize) height * sizeof (float))
    return;
  pmt_mask_picture_set_mask (view->picture, g_strcmp0 (name, "blend") == 0 ? PMT_MASK_SHOWN_BLEND : PMT_MASK_SHOWN_DENOISE,
                             g_bytes_get_data (payload, NULL), width, height, &at);
}

/* Once it has its place. */
static gboolean
on_placed (gpointer picture)
{
  pmt_mask_picture_focus (picture);
  return G_SOURCE_REMOVE;
}

static void
on_masks (View *view, JsonObject *message)
{
  GdkRectangle context = to_gdk (&view->context);
  g_autofree char *sentence = NULL, *all = NULL;
  int width = 0, height = 0;

  if (!pmt_recipe_get_size (message, &width, &height))
    return;
  sentence = g_strdup_printf (_("The model sees %d×%d pixels of the picture and paints them at %d×%d; %d×%d of them change."), view->context.width,
                              view->context.height, width, height, view->box_rect.width, view->box_rect.height);
  if (view->everything)
    all = g_strconcat (_("Nothing is selected, so all of the picture is painted."), " ", sentence, NULL);
  pmt_mask_picture_set_context (view->picture, &context, all ? all : sentence);
  stop (view);
  say (view, "");
  gtk_widget_set_opacity (view->picture, 1);
  if (!view->by_itself)
    g_timeout_add_full (G_PRIORITY_LOW, 100, on_placed, g_object_ref (view->picture), g_object_unref);
}

static void
on_ready (gpointer user, JsonObject *hello)
{
  ask (user, "estimate", 1);
}

static void
on_message (gpointer user, JsonObject *message, GBytes *payload)
{
  const char *type = json_object_get_string_member (message, "type");
  View *view = user;

  if (strcmp (type, "estimate") == 0) {
    on_estimate (view, message);
  } else if (strcmp (type, "blob") == 0) {
    on_blob (view, message, payload);
  } else if (strcmp (type, "masks") == 0) {
    on_masks (view, message);
  } else if (strcmp (type, "error") == 0) {
    g_autoptr (GError) error =
      g_error_new_literal (PMT_ERROR, PMT_ERROR_JOB, json_object_get_string_member_with_default (message, "message", _("The engine failed and gave no reason: start the job again.")));
    fail (view, error);
  }
}

static void
on_failed (gpointer user, const GError *error)
{
  fail (user, error);
}

static gboolean
begin (View *view, GError **error)
{
  g_autofree char *source = NULL;
  const PmtMode *mode = pmt_mode_of (view->config);
  gboolean layer;

  g_object_get (view->config, "source", &source, NULL);
  layer = pmt_source_from_name (source) == PMT_SOURCE_LAYER;
  if (!pmt_capture_check (view->image, view->drawables, layer, error) ||
      !pmt_place_from_config (&view->place, view->config, view->image, view->drawables,
                              layer ? pmt_capture_active_layer (view->image, view->drawables) : NULL, error) ||
      !pmt_place_bounds (&view->place, view->image, &view->canvas, &view->bounds, error) ||
      !(view->recipe = pmt_recipe_from_config (view->config, error)))
    return FALSE;
  view->everything = pmt_place_is_everything (&view->place, view->image);
  if (mode && mode->slim)
    pmt_recipe_limit_feather (view->recipe, hypot (view->bounds.width, view->bounds.height) / 100);
  pmt_recipe_set_region (view->recipe, &view->canvas, &view->bounds, NULL);
  return TRUE;
}

static void
ask_anew (View *view, gboolean by_itself)
{
  const PmtEngineHandlers handlers = { on_ready, on_message, on_failed };
  g_autoptr (GError) error = NULL;

  g_clear_handle_id (&view->settle, g_source_remove);
  stop (view);
  view->by_itself = by_itself;
  if (!begin (view, &error)) {
    fail (view, error);
    return;
  }
  if (!by_itself || !view->picture)
    say (view, _("Asking the engine…"));
  view->client = pmt_engine_client_new (&handlers, view);
  pmt_engine_client_set_max_payload (view->client, PMT_MASK_PICTURE_SIDE * PMT_MASK_PICTURE_SIDE * sizeof (float));
}

static void
on_clicked (GtkButton *button, View *view)
{
  ask_anew (view, FALSE);
}

static gboolean
on_settled (gpointer user)
{
  View *view = user;

  view->settle = 0;
  ask_anew (view, TRUE);
  return G_SOURCE_REMOVE;
}

/* What is shown, picture or sentence, was true of the settings as they were. Words and what only the run itself needs change nothing. */
static void
on_changed (GObject *config, GParamSpec *spec, GtkWidget *box)
{
  static const char *const others[] = { "prompt",  "negative-prompt", "instruction", "make-sure", "embeddings", "seed",           "last-seed", "variants",
                                        "preview", "when-done",       "steps",       "sampler",   "strength",   "forget-prompts", NULL };
  View *view = g_object_get_data (G_OBJECT (box), "pmt-view");
  const gboolean shows = (view->picture && gtk_widget_get_visible (view->picture)) || gtk_widget_get_visible (view->said);

  if (!shows || g_strv_contains (others, spec->name))
    return;
  if (view->picture)
    gtk_widget_set_opacity (view->picture, DOUBTFUL);
  g_clear_handle_id (&view->settle, g_source_remove);
  view->settle = g_timeout_add (SETTLE_MS, on_settled, view);
}

GtkWidget *
pmt_mask_view_new (GObject *config, GimpImage *image, GimpDrawable **drawables)
{
  GtkWidget *button = gtk_button_new_with_mnemonic (_("Sho_w Masks"));
  View *view = g_new0 (View, 1);

  view->config = GIMP_PROCEDURE_CONFIG (config); /* the dialog keeps all three */
  view->image = image;
  view->drawables = drawables;
  view->box = gtk_box_new (GTK_ORIENTATION_VERTICAL, 6);
  view->said = gtk_label_new (NULL);
  gtk_label_set_xalign (GTK_LABEL (view->said), 0);
  gtk_label_set_line_wrap (GTK_LABEL (view->said), TRUE);
  gtk_label_set_max_width_chars (GTK_LABEL (view->said), 48);
  gtk_widget_set_halign (button, GTK_ALIGN_START);
  gtk_widget_set_tooltip_text (button, _("Draws over a small picture what would be painted and what the model would see"));
  g_object_set_data_full (G_OBJECT (view->box), "pmt-view", view, view_free);
  g_signal_connect (button, "clicked", G_CALLBACK (on_clicked), view);
  g_signal_connect_object (config, "notify", G_CALLBACK (on_changed), view->box, 0);
  gtk_box_pack_start (GTK_BOX (view->box), button, FALSE, FALSE, 0);
  gtk_box_pack_start (GTK_BOX (view->box), view->said, FALSE, FALSE, 0);
  gtk_widget_show (button);
  gtk_widget_show (view->box);
  return view->box;
}
