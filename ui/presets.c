/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ui/presets.h"

#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <string.h>

#define MEMBER "pentimento-presets"
#define LARGEST_FILE (4 << 20)
#define PLACEHOLDER "{prompt}"

/* What a preset may set. */
static const char *const kept[] = { "sampler", "steps", "guidance", "text-guidance", "image-guidance", "strength", "methods", "variants",
                                    "width", "height", "context", "grow", "feather", "source", "full-size", "full-size-strength" };

struct PmtPresets {
  char *own_path;
  JsonArray *shipped, *own; /* of objects with a name */
  gboolean own_damaged;
  char *problem;
};

/* ---- reading ---- */

const char *
pmt_preset_text (JsonObject *object, const char *member)
{
  JsonNode *node = json_object_get_member (object, member);

  return node && JSON_NODE_HOLDS_VALUE (node) && json_node_get_value_type (node) == G_TYPE_STRING ? json_node_get_string (node) : "";
}

static gboolean
is_name (const char *name)
{
  return name[0] && strlen (name) <= PMT_PRESET_NAME_LENGTH && !strpbrk (name, "\n\r\t") && name[strspn (name, " ")];
}

static JsonArray *
array_of (JsonNode *root)
{
  JsonObject *object = root && JSON_NODE_HOLDS_OBJECT (root) ? json_node_get_object (root) : NULL;
  JsonNode *version = object ? json_object_get_member (object, MEMBER) : NULL, *presets = object ? json_object_get_member (object, "presets") : NULL;

  return version && JSON_NODE_HOLDS_VALUE (version) && json_node_get_int (version) == 1 && presets && JSON_NODE_HOLDS_ARRAY (presets)
             ? json_node_get_array (presets)
             : NULL;
}

/* New reference; entries that are no presets are left out. NULL with a sentence when it is no such file. */
static JsonArray *
read_file (const char *path, char **problem)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  JsonArray *all, *good;
  GStatBuf info;

  if (g_stat (path, &info) != 0)
    return json_array_new ();
  if (info.st_size <= LARGEST_FILE && g_file_get_contents (path, &text, NULL, &error) && g_utf8_validate (text, -1, NULL) &&
      json_parser_load_from_data (parser, text, -1, &error) && (all = array_of (json_parser_get_root (parser)))) {
    good = json_array_new ();
    for (guint i = 0; i < json_array_get_length (all); i++) {
      JsonNode *node = json_array_get_element (all, i);
      if (JSON_NODE_HOLDS_OBJECT (node) && is_name (pmt_preset_text (json_node_get_object (node), "name")))
        json_array_add_element (good, json_node_copy (node));
    }
    return good;
  }
  *problem = g_strdup_printf (_("The presets in %s cannot be read (%s): mend the file, or save a preset, which puts it aside."), path,
                              error ? error->message : _("it is no list of presets"));
  return NULL;
}

/* What is in the user's file by now. */
static void
read_own (PmtPresets *presets)
{
  g_clear_pointer (&presets->own, json_array_unref);
  g_clear_pointer (&presets->problem, g_free);
  presets->own = read_file (presets->own_path, &presets->problem);
  presets->own_damaged = presets->own == NULL;
  if (!presets->own)
    presets->own = json_array_new ();
}

PmtPresets *
pmt_presets_new (const char *shipped, const char *own)
{
  PmtPresets *presets = g_new0 (PmtPresets, 1);
  g_autofree char *problem = NULL;

  presets->own_path = g_strdup (own);
  read_own (presets);
  presets->shipped = read_file (shipped, &problem);
  if (!presets->shipped)
    presets->shipped = json_array_new ();
  if (!presets->problem)
    presets->problem = g_steal_pointer (&problem);
  return presets;
}

void
pmt_presets_free (PmtPresets *presets)
{
  if (!presets)
    return;
  json_array_unref (presets->shipped);
  json_array_unref (presets->own);
  g_free (presets->own_path);
  g_free (presets->problem);
  g_free (presets);
}

const char *
pmt_presets_problem (const PmtPresets *presets)
{
  return presets->problem;
}

/* ---- looking up ---- */

static int
index_of (JsonArray *array, const char *name)
{
  for (guint i = 0; i < json_array_get_length (array); i++)
    if (strcmp (pmt_preset_text (json_array_get_object_element (array, i), "name"), name) == 0)
      return (int) i;
  return -1;
}

static void
add_names (GStrvBuilder *names, JsonArray *array, JsonArray *known)
{
  for (guint i = 0; i < json_array_get_length (array); i++) {
    const char *name = pmt_preset_text (json_array_get_object_element (array, i), "name");
    if (index_of (array, name) == (int) i && (!known || index_of (known, name) < 0))
      g_strv_builder_add (names, name);
  }
}

char **
pmt_presets_names (const PmtPresets *presets)
{
  g_autoptr (GStrvBuilder) names = g_strv_builder_new ();

  add_names (names, presets->shipped, NULL);
  add_names (names, presets->own, presets->shipped);
  return g_strv_builder_end (names);
}

gboolean
pmt_presets_is_own (const PmtPresets *presets, const char *name)
{
  return index_of (presets->shipped, name) < 0 && index_of (presets->own, name) >= 0;
}

JsonObject *
pmt_presets_get (const PmtPresets *presets, const char *name)
{
  JsonArray *const arrays[] = { presets->shipped, presets->own };

  for (gsize i = 0; i < G_N_ELEMENTS (arrays); i++) {
    const int at = index_of (arrays[i], name);
    if (at >= 0)
      return json_array_get_object_element (arrays[i], (guint) at);
  }
  return NULL;
}

/* ---- writing ---- */

/* What cannot be read may still be mended by hand: it gets a name that nothing has yet. */
static gboolean
put_aside (PmtPresets *presets, char **problem)
{
  g_autofree char *aside = NULL;

  for (int i = 1; !aside || g_file_test (aside, G_FILE_TEST_EXISTS); i++) {
    g_free (aside);
    aside = g_strdup_printf ("%s.damaged-%d", presets->own_path, i);
  }
  if (g_rename (presets->own_path, aside) == 0)
    return TRUE;
  *problem = g_strdup_printf (_("The presets in %s cannot be read and not be put aside: check who may write there."), presets->own_path);
  return FALSE;
}

static gboolean
write_own (PmtPresets *presets, char **problem)
{
  g_autofree char *folder = g_path_get_dirname (presets->own_path), *text = NULL;
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  g_autoptr (GError) error = NULL;
  JsonObject *object = json_object_new ();

  json_node_take_object (node, object);
  json_object_set_int_member (object, MEMBER, 1);
  json_object_set_array_member (object, "presets", json_array_ref (presets->own));
  if (presets->own_damaged && !put_aside (presets, problem))
    return FALSE;
  text = json_to_string (node, TRUE);
  g_mkdir_with_parents (folder, 0700);
  if (g_file_set_contents_full (presets->own_path, text, -1, G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0600, &error)) {
    presets->own_damaged = FALSE;
    g_clear_pointer (&presets->problem, g_free);
    return TRUE;
  }
  *problem = g_strdup_printf (_("The presets cannot be written to %s (%s): check who may write there, and the room on the disk."), presets->own_path,
                              error->message);
  return FALSE;
}

static gboolean
check_name (const PmtPresets *presets, const char *name, char **problem)
{
  if (!is_name (name))
    *problem = g_strdup_printf (_("A preset's name has one line of 1 to %d bytes: choose another one."), PMT_PRESET_NAME_LENGTH);
  else if (index_of (presets->shipped, name) >= 0)
    *problem = g_strdup_printf (_("“%s” comes with Pentimento and stays as it is: choose another name."), name);
  else
    return TRUE;
  return FALSE;
}

gboolean
pmt_presets_put (PmtPresets *presets, const char *name, JsonObject *preset, char **problem)
{
  int at;

  if (!check_name (presets, name, problem)) {
    json_object_unref (preset);
    return FALSE;
  }
  read_own (presets);
  json_object_set_string_member (preset, "name", name);
  at = index_of (presets->own, name);
  if (at >= 0)
    json_array_remove_element (presets->own, (guint) at);
  json_array_add_object_element (presets->own, preset);
  return write_own (presets, problem);
}

gboolean
pmt_presets_rename (PmtPresets *presets, const char *from, const char *to, char **problem)
{
  int at;

  if (!check_name (presets, to, problem))
    return FALSE;
  read_own (presets);
  at = index_of (presets->own, from);
  if (at < 0) {
    *problem = g_strdup_printf (_("There is no preset “%s” of yours any more."), from);
    return FALSE;
  }
  if (strcmp (from, to) != 0 && index_of (presets->own, to) >= 0) {
    *problem = g_strdup_printf (_("There is a preset “%s” already: choose another name, or delete that one first."), to);
    return FALSE;
  }
  json_object_set_string_member (json_array_get_object_element (presets->own, (guint) at), "name", to);
  return write_own (presets, problem);
}

gboolean
pmt_presets_delete (PmtPresets *presets, const char *name, char **problem)
{
  int at;

  read_own (presets);
  at = index_of (presets->own, name);
  if (at < 0)
    return TRUE;
  json_array_remove_element (presets->own, (guint) at);
  return write_own (presets, problem);
}

/* ---- what they do ---- */

static char *
joined (const char *first, const char *second)
{
  return g_strconcat (first, first[0] && second[0] ? ", " : "", second, NULL);
}

char *
pmt_preset_prompt (JsonObject *preset, const char *prompt)
{
  const char *style = pmt_preset_text (preset, "prompt");
  g_autoptr (GString) text = g_string_new (style);

  if (!strstr (style, PLACEHOLDER))
    return joined (prompt, style);
  /* by hand: a prompt may itself say {prompt} */
  g_string_truncate (text, 0);
  for (const char *rest = style, *found; rest; rest = found ? found + strlen (PLACEHOLDER) : NULL) {
    found = strstr (rest, PLACEHOLDER);
    g_string_append_len (text, rest, found ? found - rest : (gssize) strlen (rest));
    if (found)
      g_string_append (text, prompt);
  }
  if (!prompt[0] && g_str_has_prefix (text->str, ", "))
    g_string_erase (text, 0, 2);
  return g_string_free (g_steal_pointer (&text), FALSE);
}

char *
pmt_preset_negative (JsonObject *preset, const char *negative)
{
  return joined (negative, pmt_preset_text (preset, "negative-prompt"));
}

/* FALSE for another type and for what the property does not take. */
static gboolean
to_value (JsonNode *node, GParamSpec *spec, GValue *value)
{
  const GType type = JSON_NODE_HOLDS_VALUE (node) ? json_node_get_value_type (node) : G_TYPE_INVALID;
  const gboolean number = type == G_TYPE_INT64 || type == G_TYPE_DOUBLE;

  g_value_init (value, G_PARAM_SPEC_VALUE_TYPE (spec));
  if (G_VALUE_HOLDS_STRING (value) && type == G_TYPE_STRING)
    g_value_set_string (value, json_node_get_string (node));
  else if (G_VALUE_HOLDS_INT (value) && type == G_TYPE_INT64)
    g_value_set_int (value, (int) CLAMP (json_node_get_int (node), G_MININT, G_MAXINT));
  else if (G_VALUE_HOLDS_DOUBLE (value) && number)
    g_value_set_double (value, json_node_get_double (node));
  else if (G_VALUE_HOLDS_BOOLEAN (value) && type == G_TYPE_BOOLEAN)
    g_value_set_boolean (value, json_node_get_boolean (node));
  else
    return FALSE;
  return !g_param_value_validate (spec, value); /* TRUE would say that it had to be changed */
}

static void
apply_one (GObject *object, const char *name, JsonNode *node, gboolean only_defaults)
{
  GParamSpec *spec = g_object_class_find_property (G_OBJECT_GET_CLASS (object), name);
  g_auto (GValue) value = G_VALUE_INIT, now = G_VALUE_INIT;

  if (!spec || !to_value (node, spec, &value))
    return;
  if (only_defaults) {
    g_value_init (&now, G_PARAM_SPEC_VALUE_TYPE (spec));
    g_object_get_property (object, name, &now);
    if (!g_param_value_defaults (spec, &now) && !(G_VALUE_HOLDS_STRING (&now) && !g_value_get_string (&now)))
      return;
  }
  g_object_set_property (object, name, &value);
}

void
pmt_preset_apply (JsonObject *preset, GObject *object, gboolean only_defaults)
{
  JsonNode *node = json_object_get_member (preset, "settings");
  JsonObject *settings = node && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;

  for (gsize i = 0; settings && i <= G_N_ELEMENTS (kept); i++) {
    const char *name = i < G_N_ELEMENTS (kept) ? kept[i] : "model";
    JsonNode *value = json_object_get_member (settings, name);
    if (value)
      apply_one (object, name, value, only_defaults);
  }
}

static void
take_one (JsonObject *settings, GObject *object, const char *name)
{
  GParamSpec *spec = g_object_class_find_property (G_OBJECT_GET_CLASS (object), name);
  g_auto (GValue) value = G_VALUE_INIT;

  if (!spec)
    return;
  g_value_init (&value, G_PARAM_SPEC_VALUE_TYPE (spec));
  g_object_get_property (object, name, &value);
  if (G_VALUE_HOLDS_STRING (&value))
    json_object_set_string_member (settings, name, g_value_get_string (&value) ? g_value_get_string (&value) : "");
  else if (G_VALUE_HOLDS_INT (&value))
    json_object_set_int_member (settings, name, g_value_get_int (&value));
  else if (G_VALUE_HOLDS_DOUBLE (&value))
    json_object_set_double_member (settings, name, g_value_get_double (&value));
  else if (G_VALUE_HOLDS_BOOLEAN (&value))
    json_object_set_boolean_member (settings, name, g_value_get_boolean (&value));
}

JsonObject *
pmt_preset_take (GObject *object, const char *prompt, const char *negative, gboolean with_model)
{
  JsonObject *preset = json_object_new (), *settings = json_object_new ();

  for (gsize i = 0; i < G_N_ELEMENTS (kept); i++)
    take_one (settings, object, kept[i]);
  if (with_model)
    take_one (settings, object, "model");
  if (prompt && prompt[0])
    json_object_set_string_member (preset, "prompt", prompt);
  if (negative && negative[0])
    json_object_set_string_member (preset, "negative-prompt", negative);
  json_object_set_object_member (preset, "settings", settings);
  return preset;
}
