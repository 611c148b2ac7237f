/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/history.h"

#include <errno.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin/asked.h"
#include "plugin/error.h"
#include "plugin/look.h"
#include "plugin/recipe.h"
#include "plugin/session.h"

#define DEFAULT_MEGABYTES 1000
#define LOOK_SIDE 320
/* Files of an entry; the first is written last, and what has none is no entry. */
#define ENTRY "entry.json"
#define PICTURE "picture.f32"
#define BLEND "blend.f32"
#define LOOK "look.png"
#define APPLIED "applied"
/* Beside the sessions. */
#define KEEP "keep"

static char *
root_path (void)
{
  return g_build_filename (g_get_user_cache_dir (), "pentimento", "history", NULL);
}

/* The root, made when it is not there; NULL when it is not this user's alone. */
static char *
open_root (void)
{
  g_autofree char *root = root_path ();
  struct stat info;

  if (g_mkdir_with_parents (root, 0700) != 0 || lstat (root, &info) != 0 || !S_ISDIR (info.st_mode) || info.st_uid != getuid () ||
      chmod (root, 0700) != 0)
    return NULL;
  return g_steal_pointer (&root);
}

static guint64
limit (void)
{
  const char *text = g_getenv ("PENTIMENTO_HISTORY_MB");
  const guint64 megabytes = text ? g_ascii_strtoull (text, NULL, 10) : DEFAULT_MEGABYTES;

  return MIN (megabytes, G_MAXUINT32) * 1000000;
}

/* ---- folders ---- */

/* Names in a folder, sorted; what begins with a dot is left out. */
static GPtrArray *
names_in (const char *folder)
{
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name (dir)))
    if (name[0] != '.')
      g_ptr_array_add (names, g_strdup (name));
  g_ptr_array_sort_values (names, (GCompareFunc) g_strcmp0);
  return names;
}

/* With all that is in it. Links are removed, not followed. */
static void
remove_folder (const char *folder)
{
  g_autoptr (GPtrArray) names = names_in (folder);

  for (guint i = 0; i < names->len; i++) {
    g_autofree char *path = g_build_filename (folder, g_ptr_array_index (names, i), NULL);
    if (g_file_test (path, G_FILE_TEST_IS_DIR) && !g_file_test (path, G_FILE_TEST_IS_SYMLINK))
      remove_folder (path);
    else
      g_unlink (path);
  }
  g_rmdir (folder);
}

static guint64
size_of (const char *folder)
{
  g_autoptr (GPtrArray) names = names_in (folder);
  guint64 size = 0;

  for (guint i = 0; i < names->len; i++) {
    g_autofree char *path = g_build_filename (folder, g_ptr_array_index (names, i), NULL);
    struct stat info;
    if (lstat (path, &info) == 0)
      size += (guint64) info.st_size;
  }
  return size;
}

static int
by_last_part (gconstpointer a, gconstpointer b)
{
  const char *one = *(char *const *) a, *two = *(char *const *) b;

  return g_strcmp0 (strrchr (one, '/'), strrchr (two, '/'));
}

/* The folders of all entries, the oldest first, whichever session they are of. */
static GPtrArray *
entry_folders (const char *root)
{
  GPtrArray *folders = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) sessions = names_in (root);

  for (guint i = 0; i < sessions->len; i++) {
    g_autofree char *session = g_build_filename (root, g_ptr_array_index (sessions, i), NULL);
    g_autoptr (GPtrArray) names = names_in (session);
    for (guint k = 0; k < names->len; k++)
      g_ptr_array_add (folders, g_build_filename (session, g_ptr_array_index (names, k), NULL));
  }
  g_ptr_array_sort (folders, by_last_part);
  return folders;
}

/* What the mark says: nothing, as long as the user wants results kept; the session in which that was taken back, as long as it lives: what is
 * seen there stays until its end. NULL: there is no mark. Newly allocated. */
static char *
read_mark (const char *root)
{
  g_autofree char *path = g_build_filename (root, KEEP, NULL);
  char *text = NULL;

  return g_file_get_contents (path, &text, NULL, NULL) ? text : NULL;
}

gboolean
pmt_history_keeps (void)
{
  g_autofree char *root = root_path (), *mark = read_mark (root);

  return mark && !mark[0];
}

/* Of sessions that are over and whose GIMP could not clean up (a crash, a machine that was switched off), or which were kept and are not any
 * more. */
static void
clean_sessions (const char *root)
{
  g_autofree char *mark = read_mark (root);
  g_autoptr (GPtrArray) names = NULL;

  if (mark && (!mark[0] || pmt_session_lives (mark)))
    return;
  names = names_in (root);
  for (guint i = 0; i < names->len; i++) {
    const char *name = g_ptr_array_index (names, i);
    g_autofree char *path = g_build_filename (root, name, NULL);
    if (strcmp (name, KEEP) == 0)
      g_unlink (path);
    else if (!pmt_session_lives (name))
      remove_folder (path);
  }
}

void
pmt_history_clean (const char *session)
{
  g_autofree char *root = open_root ();

  if (root)
    clean_sessions (root); /* the session's own, and what was kept until its end */
}

/* This session's folder, made when it is not there; then somebody waits for the session's end. NULL: it cannot be made. */
static char *
open_session (const char *root)
{
  g_autofree char *name = pmt_session_name (), *folder = g_build_filename (root, name, NULL);

  if (g_file_test (folder, G_FILE_TEST_IS_DIR))
    return g_steal_pointer (&folder);
  if (g_mkdir (folder, 0700) != 0)
    return NULL;
  pmt_session_watch (name);
  return g_steal_pointer (&folder);
}

void
pmt_history_set_keeps (gboolean keeps)
{
  g_autofree char *root = open_root (), *path = root ? g_build_filename (root, KEEP, NULL) : NULL, *session = NULL, *name = NULL;

  if (!root || keeps == pmt_history_keeps ())
    return;
  name = keeps ? g_strdup ("") : pmt_session_name ();
  if (!keeps)
    session = open_session (root); /* for its end, also where nothing is painted until then */
  g_file_set_contents_full (path, name, -1, G_FILE_SET_CONTENTS_NONE, 0600, NULL);
}

/* The oldest go until there is room for `more` bytes. */
static void
make_room (const char *root, guint64 more)
{
  g_autoptr (GPtrArray) folders = entry_folders (root);
  guint64 sum = more;

  for (guint i = 0; i < folders->len; i++)
    sum += size_of (g_ptr_array_index (folders, i));
  for (guint i = 0; i < folders->len && sum > limit (); i++) {
    sum -= size_of (g_ptr_array_index (folders, i));
    remove_folder (g_ptr_array_index (folders, i));
  }
}

/* ---- writing ---- */

static gboolean
write_file (const char *folder, const char *name, gconstpointer data, gsize size)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);

  return g_file_set_contents_full (path, data, (gssize) size, G_FILE_SET_CONTENTS_NONE, 0600, NULL);
}

static gboolean
write_bytes (const char *folder, const char *name, GBytes *bytes)
{
  return write_file (folder, name, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
}

static gboolean
write_look (const char *folder, GimpImage *image, const PmtResult *result)
{
  PmtLook look = pmt_look_new (image, result, LOOK_SIDE);
  g_autofree char *png = NULL;
  gsize size = 0;
  gboolean good = gdk_pixbuf_save_to_buffer (look.picture, &png, &size, "png", NULL, NULL) && write_file (folder, LOOK, png, size);

  pmt_look_clear (&look);
  return good;
}

static gboolean
write_entry (const char *folder, GimpImage *image, const PmtResult *result)
{
  const int box[] = { result->box.x, result->box.y, result->box.width, result->box.height };
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();
  JsonArray *array = json_array_new ();
  g_autofree char *text = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (box); i++)
    json_array_add_int_element (array, box[i]);
  json_object_set_int_member (object, "time", g_get_real_time () / G_USEC_PER_SEC);
  json_object_set_int_member (object, "image", gimp_image_get_id (image));
  json_object_set_int_member (object, "seed", result->seed);
  json_object_set_array_member (object, "box", array);
  json_object_set_object_member (object, "recipe", json_object_ref (result->recipe));
  json_object_set_object_member (object, "inputs", pmt_inputs_to_json (result->inputs));
  json_node_take_object (node, object);
  text = json_to_string (node, FALSE);
  return write_file (folder, ENTRY, text, strlen (text));
}

/* Named after the time; two of the same moment get numbers. NULL: it cannot be made. */
static char *
make_entry_folder (const char *session)
{
  const gint64 now = g_get_real_time ();

  for (guint number = 0; number < 100; number++) {
    g_autofree char *name = g_strdup_printf ("%016" G_GINT64_MODIFIER "x-%02u", now, number);
    g_autofree char *folder = g_build_filename (session, name, NULL);
    if (g_mkdir (folder, 0700) == 0)
      return g_steal_pointer (&folder);
    if (errno != EEXIST)
      break;
  }
  return NULL;
}

static void
add_one (const char *session, GimpImage *image, PmtResult *result)
{
  g_autofree char *folder = make_entry_folder (session);

  if (!folder)
    return;
  if (!write_bytes (folder, PICTURE, result->picture) || (result->blend && !write_bytes (folder, BLEND, result->blend)) ||
      !write_look (folder, image, result) || !write_entry (folder, image, result)) {
    remove_folder (folder);
    return;
  }
  g_free (result->kept);
  result->kept = g_steal_pointer (&folder);
}

void
pmt_history_add (GimpImage *image, PmtResult *result)
{
  g_autofree char *root = open_root (), *session = NULL;
  const guint64 size = g_bytes_get_size (result->picture) + (result->blend ? g_bytes_get_size (result->blend) : 0);

  if (!root || result->only_maps || pmt_asked_forgets (result->inputs->asked) || size > limit () / 4)
    return;
  clean_sessions (root);
  session = open_session (root);
  if (!session)
    return;
  make_room (root, size);
  add_one (session, image, result);
}

static gboolean
has (const PmtResult *result)
{
  g_autofree char *path = result->kept ? g_build_filename (result->kept, ENTRY, NULL) : NULL;

  return path && g_file_test (path, G_FILE_TEST_EXISTS); /* later ones may have needed its room */
}

guint
pmt_history_lacks (GPtrArray *results)
{
  guint n = 0;

  for (guint i = 0; i < results->len; i++)
    n += !has (g_ptr_array_index (results, i));
  return n;
}

char *
pmt_history_explain (GimpImage *image, GPtrArray *results, const GError *error)
{
  const gboolean closed = !gimp_image_is_valid (image);

  if (results->len == 0 || pmt_history_lacks (results) > 0)
    return closed && results->len > 0 ? g_strdup (_("The image was closed while the job ran, and the history does not keep what was painted: "
                                                    "open the image and start the job again."))
                                      : g_strdup (error->message);
  if (closed)
    return g_strdup (_("The image was closed while the job ran. What was painted is in the history: open the image, then Filters > Pentimento "
                       "> History."));
  return g_strdup_printf (_("%s What was painted is in the history, too."), error->message);
}

void
pmt_history_applied (GPtrArray *results)
{
  for (guint i = 0; i < results->len; i++) {
    const PmtResult *result = g_ptr_array_index (results, i);
    if (result->kept)
      write_file (result->kept, APPLIED, "", 0);
  }
}

void
pmt_history_forget (GPtrArray *results)
{
  for (guint i = 0; i < results->len; i++) {
    PmtResult *result = g_ptr_array_index (results, i);
    if (result->kept)
      remove_folder (result->kept);
    g_clear_pointer (&result->kept, g_free);
  }
}

/* ---- reading ---- */

static void
entry_free (gpointer data)
{
  PmtHistoryEntry *entry = data;

  g_free (entry->folder);
  g_free (entry->id);
  g_free (entry->look);
  json_object_unref (entry->recipe);
  g_free (entry);
}

/* The entry's object, or NULL. */
static JsonNode *
read_entry (const char *folder)
{
  g_autofree char *path = g_build_filename (folder, ENTRY, NULL), *text = NULL;
  JsonNode *node = g_file_get_contents (path, &text, NULL, NULL) ? json_from_string (text, NULL) : NULL;

  if (node && !JSON_NODE_HOLDS_OBJECT (node))
    g_clear_pointer (&node, json_node_unref);
  return node;
}

static JsonObject *
object_of (JsonObject *object, const char *member)
{
  JsonNode *node = json_object_get_member (object, member);

  return node && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
}

static PmtHistoryEntry *
entry_new (const char *folder)
{
  g_autoptr (JsonNode) node = read_entry (folder);
  JsonObject *object = node ? json_node_get_object (node) : NULL, *recipe = object ? object_of (object, "recipe") : NULL;
  g_autofree char *applied = g_build_filename (folder, APPLIED, NULL);
  PmtHistoryEntry *entry;

  if (!recipe)
    return NULL;
  entry = g_new0 (PmtHistoryEntry, 1);
  entry->folder = g_strdup (folder);
  entry->id = g_path_get_basename (folder);
  entry->time = json_object_get_int_member_with_default (object, "time", 0);
  entry->seed = json_object_get_int_member_with_default (object, "seed", 0);
  entry->recipe = json_object_ref (recipe);
  entry->applied = g_file_test (applied, G_FILE_TEST_EXISTS);
  entry->look = g_build_filename (folder, LOOK, NULL);
  return entry;
}

GPtrArray *
pmt_history_list (void)
{
  GPtrArray *entries = g_ptr_array_new_with_free_func (entry_free);
  g_autofree char *root = open_root ();
  g_autoptr (GPtrArray) folders = NULL;

  if (!root)
    return entries;
  clean_sessions (root);
  folders = entry_folders (root);
  for (guint i = folders->len; i > 0; i--) {
    PmtHistoryEntry *entry = entry_new (g_ptr_array_index (folders, i - 1));
    if (entry)
      g_ptr_array_add (entries, entry);
  }
  return entries;
}

/* NULL when the file is gone or has another size. */
static GBytes *
read_bytes (const char *folder, const char *name, const PmtRect *box, gsize channels)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  char *data = NULL;
  gsize size = 0;

  if (!g_file_get_contents (path, &data, &size, NULL))
    return NULL;
  if (size == (gsize) box->width * (gsize) box->height * channels * sizeof (float))
    return g_bytes_new_take (data, size);
  g_free (data);
  return NULL;
}

/* In another image nothing came of the same inputs, and tattoos stand for other layers. */
static void
move_to_image (JsonObject *inputs)
{
  JsonObject *layer = object_of (inputs, "layer");
  JsonNode *node = json_object_get_member (inputs, "controls");
  JsonArray *controls = node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;

  json_object_set_int_member (inputs, "origin", 0);
  json_object_remove_member (inputs, "continued");
  if (layer)
    json_object_remove_member (layer, "tattoo");
  for (guint i = 0; controls && i < json_array_get_length (controls); i++) {
    JsonNode *element = json_array_get_element (controls, i);
    layer = JSON_NODE_HOLDS_OBJECT (element) ? object_of (json_node_get_object (element), "layer") : NULL;
    if (layer)
      json_object_remove_member (layer, "tattoo");
  }
}

/* Numbers of images begin anew with each GIMP. */
static gboolean
is_of_image (const char *folder, JsonObject *entry, GimpImage *image)
{
  g_autofree char *parent = g_path_get_dirname (folder), *of = g_path_get_basename (parent), *session = pmt_session_name ();

  return strcmp (of, session) == 0 && json_object_get_int_member_with_default (entry, "image", -1) == gimp_image_get_id (image);
}

/* object: the entry's; NULL is as good as none. */
static PmtInputs *
inputs_of (const PmtHistoryEntry *entry, JsonObject *object, GimpImage *image)
{
  JsonObject *kept = object ? object_of (object, "inputs") : NULL;

  if (kept && !is_of_image (entry->folder, object, image))
    move_to_image (kept);
  return kept ? pmt_inputs_from_json (kept, image, pmt_recipe_shown_prompt (entry->recipe), NULL) : NULL;
}

PmtInputs *
pmt_history_inputs (const PmtHistoryEntry *entry, GimpImage *image)
{
  g_autoptr (JsonNode) node = read_entry (entry->folder);

  return inputs_of (entry, node ? json_node_get_object (node) : NULL, image);
}

PmtResult *
pmt_history_load (const PmtHistoryEntry *entry, GimpImage *image, GError **error)
{
  g_autoptr (JsonNode) node = read_entry (entry->folder);
  JsonObject *object = node ? json_node_get_object (node) : NULL;
  g_autofree char *blend_path = g_build_filename (entry->folder, BLEND, NULL);
  g_autoptr (GBytes) picture = NULL, blend = NULL;
  PmtInputs *inputs = inputs_of (entry, object, image);
  PmtResult *result = NULL;
  PmtRect box;

  if (inputs && pmt_recipe_get_rect (object, "box", &box) && box.width > 0 && box.height > 0) {
    picture = read_bytes (entry->folder, PICTURE, &box, 4);
    blend = read_bytes (entry->folder, BLEND, &box, 1);
  }
  if (inputs && picture && (blend || !g_file_test (blend_path, G_FILE_TEST_EXISTS))) {
    result = pmt_result_new (&box, picture, blend, entry->seed, entry->recipe, inputs);
    result->kept = g_strdup (entry->folder);
  } else {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("The result “%s” is no longer in the history: older results made room, or its files are damaged. Its settings can be used again."),
                 pmt_recipe_shown_prompt (entry->recipe));
  }
  pmt_inputs_free (inputs);
  return result;
}

void
pmt_history_remove (const PmtHistoryEntry *entry)
{
  remove_folder (entry->folder);
}
