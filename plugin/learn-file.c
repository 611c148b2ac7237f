/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/learn-file.h"

#include <errno.h>
#include <glib/gi18n.h>
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <stdio.h>
#include <string.h>

#include "plugin/error.h"

#define ENDING ".safetensors"
/* A header that is longer is not that of something half learned. */
#define LONGEST_HEADER (64 << 20)

static gboolean
is_word (GObject *config)
{
  g_autofree char *kind = NULL;

  g_object_get (config, "kind", &kind, NULL);
  return g_strcmp0 (kind, "word") == 0;
}

/* As the engine's library has it (engine/weights/library_import.c). */
static char *
own_folder (gboolean word)
{
  return g_build_filename (g_get_user_data_dir (), "pentimento", "models", word ? "embeddings" : "loras", NULL);
}

static char *
with_ending (const char *path)
{
  return g_str_has_suffix (path, ENDING) ? g_strdup (path) : g_strconcat (path, ENDING, NULL);
}

char *
pmt_learn_file_path (GObject *config, GError **error)
{
  g_autofree char *out = NULL, *word = NULL, *thing = NULL, *folder = NULL, *name = NULL, *path = NULL;

  g_object_get (config, "out", &out, "word", &word, "thing", &thing, NULL);
  if (out && g_strstrip (out)[0]) {
    path = g_canonicalize_filename (out, NULL);
    return with_ending (path);
  }
  if (!word || !g_strstrip (word)[0]) {
    g_free (word);
    word = g_strdup (is_word (config) || !thing ? "" : g_strstrip (thing));
  }
  if (!word[0]) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("What is learned has no name: write the word that shall stand for it."));
    return NULL;
  }
  folder = own_folder (is_word (config));
  name = with_ending (g_strdelimit (word, "/\\", '-'));
  return g_build_filename (folder, name[0] == '.' ? name + 1 : name, NULL);
}

gboolean
pmt_learn_file_make_folder (const char *path, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (path);

  if (g_mkdir_with_parents (folder, 0755) == 0)
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The folder %s cannot be made (%s): check who may write there."), folder, g_strerror (errno));
  return FALSE;
}

/* ---- what was interrupted ---- */

static char *
half_of (const char *path)
{
  return g_strconcat (path, ".learning", NULL);
}

/* The header of a safetensors file: its length in eight bytes, then JSON. */
static char *
read_header (const char *path)
{
  FILE *file = g_fopen (path, "rbe");
  guint64 length = 0;
  char *text = NULL;

  if (!file)
    return NULL;
  if (fread (&length, sizeof length, 1, file) == 1 && (length = GUINT64_FROM_LE (length)) < LONGEST_HEADER) {
    text = g_malloc0 (length + 1);
    if (fread (text, 1, length, file) != length)
      g_clear_pointer (&text, g_free);
  }
  fclose (file);
  return text;
}

int
pmt_learn_file_interrupted (const char *path)
{
  g_autofree char *half = half_of (path), *text = read_header (half);
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonNode *root = text && json_parser_load_from_data (parser, text, -1, NULL) ? json_parser_get_root (parser) : NULL;
  JsonNode *about = root && JSON_NODE_HOLDS_OBJECT (root) ? json_object_get_member (json_node_get_object (root), "__metadata__") : NULL;
  const char *step =
    about && JSON_NODE_HOLDS_OBJECT (about) ? json_object_get_string_member_with_default (json_node_get_object (about), "step", NULL) : NULL;

  if (step)
    return (int) CLAMP (g_ascii_strtoll (step, NULL, 10), 0, G_MAXINT);
  return g_file_test (half, G_FILE_TEST_EXISTS) ? 0 : -1;
}

void
pmt_learn_file_begin_anew (const char *path)
{
  g_autofree char *half = half_of (path);

  g_remove (half);
}

/* ---- how it is used ---- */

static char *
name_of (const char *path)
{
  char *name = g_filename_display_basename (path);

  if (g_str_has_suffix (name, ENDING))
    name[strlen (name) - strlen (ENDING)] = '\0';
  return name;
}

char *
pmt_learn_file_words (GObject *config, const char *path)
{
  g_autofree char *name = name_of (path), *word = NULL, *thing = NULL;

  if (is_word (config))
    return g_steal_pointer (&name);
  g_object_get (config, "word", &word, "thing", &thing, NULL);
  return g_strdup_printf ("<lora:%s:1>%s%s%s%s", name, word && word[0] ? " " : "", word ? word : "", thing && thing[0] ? " " : "", thing ? thing : "");
}

char *
pmt_learn_file_sentence (GObject *config, const char *path)
{
  g_autofree char *words = pmt_learn_file_words (config, path), *own = own_folder (is_word (config)), *folder = g_path_get_dirname (path);

  if (!g_str_equal (folder, own))
    return g_strdup_printf (_("“%s” was learned. For prompts to find it, add the folder %s under Models, Folders."), words, folder);
  return g_strdup_printf (_("Learned. Write “%s” in any prompt."), words);
}
