/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where other programs of this kind keep their models when they were installed as their own instructions say. */
#include <string.h>

#include "engine/weights/library.h"

typedef struct Place {
  const char *origin, *path; /* below the home folder, or below a folder of the home folder that people put programs in */
} Place;

static const Place places[] = {
  { "a1111", "stable-diffusion-webui/models" },
  { "a1111", "stable-diffusion-webui/embeddings" },
  { "a1111", "stable-diffusion-webui/extensions/sd-webui-controlnet/models" },
  { "forge", "stable-diffusion-webui-forge/models" },
  { "forge", "stable-diffusion-webui-forge/embeddings" },
  { "reforge", "stable-diffusion-webui-reForge/models" },
  { "reforge", "stable-diffusion-webui-reForge/embeddings" },
  { "comfyui", "ComfyUI/models" },
  { "comfyui", "comfy/ComfyUI/models" },
  { "invokeai", "invokeai/models" },
  { "krita", ".local/share/krita/ai_diffusion/server/models" },
  { "krita", ".local/share/krita/ai_diffusion/server/ComfyUI/models" },
  { "krita", ".local/share/krita-ai-diffusion/server/models" },
  { "krita", ".local/share/krita-ai-diffusion/server/ComfyUI/models" },
  { "krita", ".var/app/org.kde.krita/data/krita/ai_diffusion/server/models" },
  { "krita", ".var/app/org.kde.krita/data/krita/ai_diffusion/server/ComfyUI/models" },
};

static const char *const parents[] = { "", "Documents", "Programs", "apps", "src" };

/* Two names of one folder count once. */
static gboolean
is_listed (GPtrArray *folders, const char *real)
{
  for (guint i = 0; i < folders->len; i++) {
    const PmtLibraryFolder *folder = folders->pdata[i];
    g_autofree char *other = realpath (folder->path, NULL);
    if (strcmp (other ? other : folder->path, real) == 0)
      return TRUE;
  }
  return FALSE;
}

static void
add (GPtrArray *folders, const char *path, const char *origin)
{
  char *real = realpath (path, NULL);

  if (real && g_file_test (real, G_FILE_TEST_IS_DIR) && !is_listed (folders, real))
    g_ptr_array_add (folders, pmt_library_folder_new (path, origin));
  free (real);
}

/* The value of "key: value", without quotes and comments; NULL for a line without one. */
static char *
yaml_value (const char *line)
{
  const char *colon = strchr (line, ':');
  char *value, *comment;

  if (!colon)
    return NULL;
  value = g_strdup (colon + 1);
  comment = strstr (value, " #");
  if (comment)
    *comment = '\0';
  g_strstrip (value);
  if (strlen (value) >= 2 && (value[0] == '"' || value[0] == '\'') && value[strlen (value) - 1] == value[0]) {
    memmove (value, value + 1, strlen (value));
    value[strlen (value) - 1] = '\0';
  }
  return value;
}

static char *
below (const char *base, const char *value)
{
  if (g_str_has_prefix (value, "~/"))
    return g_build_filename (g_get_home_dir (), value + 2, NULL);
  return g_path_is_absolute (value) || !base ? g_strdup (value) : g_build_filename (base, value, NULL);
}

/* ComfyUI's list of further folders: sections of "kind: path" below their "base_path". Its blocks of several lines ("kind: |") hold one path
 * a line. Whatever else YAML can do is not looked at: a path that does not exist is skipped anyway. */
static void
add_listed_by_comfyui (GPtrArray *folders, const char *models)
{
  g_autofree char *file = g_build_filename (models, "..", "extra_model_paths.yaml", NULL);
  g_autofree char *text = NULL, *base = NULL;
  g_auto (GStrv) lines = NULL;

  if (!g_file_get_contents (file, &text, NULL, NULL) || !g_utf8_validate (text, -1, NULL))
    return;
  lines = g_strsplit (text, "\n", -1);
  for (char **line = lines; *line; line++) {
    g_autofree char *value = NULL, *path = NULL;
    if (!g_ascii_isspace ((*line)[0])) { /* a section, or a comment */
      if (strchr (*line, ':') && (*line)[0] != '#')
        g_clear_pointer (&base, g_free);
      continue;
    }
    g_strstrip (*line);
    if ((*line)[0] == '#' || !(*line)[0])
      continue;
    value = yaml_value (*line);
    if (!value)
      value = g_strdup (*line); /* of a block */
    if (!value[0] || strcmp (value, "|") == 0)
      continue;
    path = below (base, value);
    if (g_str_has_prefix (*line, "base_path:")) {
      g_free (base);
      base = g_steal_pointer (&path);
    } else if (g_path_is_absolute (path))
      add (folders, path, "comfyui");
  }
}

void
pmt_library_add_found (GPtrArray *folders)
{
  const char *root = g_getenv ("INVOKEAI_ROOT");

  for (gsize i = 0; i < G_N_ELEMENTS (parents); i++)
    for (gsize k = 0; k < G_N_ELEMENTS (places); k++) {
      g_autofree char *path = g_build_filename (g_get_home_dir (), parents[i], places[k].path, NULL);
      add (folders, path, places[k].origin);
      if (strcmp (places[k].origin, "comfyui") == 0)
        add_listed_by_comfyui (folders, path);
    }
  if (root && g_path_is_absolute (root)) {
    g_autofree char *path = g_build_filename (root, "models", NULL);
    add (folders, path, "invokeai");
  }
}
