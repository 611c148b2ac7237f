/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/embeddings.h"

#include <glib/gi18n.h>
#include <string.h>

void
pmt_embeddings_add_argument (GimpProcedure *procedure)
{
  gimp_procedure_add_string_argument (procedure, "embeddings", _("Learned words"),
                                      _("Files of learned words (textual inversion), one a line; a file's name without its ending is the word in "
                                        "the prompt"),
                                      "", G_PARAM_READWRITE);
}

static JsonObject *
word_new (const char *path)
{
  g_autofree char *word = g_path_get_basename (path);
  char *dot = strrchr (word, '.');
  JsonObject *object = json_object_new ();

  if (dot && dot != word)
    *dot = '\0';
  json_object_set_string_member (object, "path", path);
  json_object_set_string_member (object, "word", word);
  return object;
}

JsonArray *
pmt_embeddings_to_json (const char *paths)
{
  g_auto (GStrv) lines = g_strsplit (paths ? paths : "", "\n", -1);
  JsonArray *array = json_array_new ();

  for (char **line = lines; *line; line++)
    if (g_strstrip (*line)[0])
      json_array_add_object_element (array, word_new (*line));
  if (json_array_get_length (array) == 0)
    g_clear_pointer (&array, json_array_unref);
  return array;
}
