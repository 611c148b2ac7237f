/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Presets: the file, what they do to settings and prompts, and the row that chooses them. */
#include <glib/gstdio.h>
#include <string.h>

#include "tests/ui/window.h"
#include "ui/preset-row.h"

/* ---- settings as a procedure has them ---- */

enum { PROP_0, PROP_PRESET, PROP_MODEL, PROP_SAMPLER, PROP_STEPS, PROP_GUIDANCE };

typedef struct Settings {
  GObject parent;
  char *preset, *model, *sampler;
  int steps;
  double guidance;
} Settings;

typedef struct SettingsClass {
  GObjectClass parent_class;
} SettingsClass;

GType settings_get_type (void);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Settings, g_object_unref)
G_DEFINE_TYPE (Settings, settings, G_TYPE_OBJECT)

static char **
string_at (Settings *settings, guint id)
{
  return id == PROP_PRESET ? &settings->preset : id == PROP_MODEL ? &settings->model : &settings->sampler;
}

static void
set_property (GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
  Settings *settings = (Settings *) object;

  if (id == PROP_STEPS) {
    settings->steps = g_value_get_int (value);
  } else if (id == PROP_GUIDANCE) {
    settings->guidance = g_value_get_double (value);
  } else {
    g_free (*string_at (settings, id));
    *string_at (settings, id) = g_value_dup_string (value);
  }
}

static void
get_property (GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  Settings *settings = (Settings *) object;

  if (id == PROP_STEPS)
    g_value_set_int (value, settings->steps);
  else if (id == PROP_GUIDANCE)
    g_value_set_double (value, settings->guidance);
  else
    g_value_set_string (value, *string_at (settings, id));
}

static void
finalize (GObject *object)
{
  for (guint id = PROP_PRESET; id <= PROP_SAMPLER; id++)
    g_free (*string_at ((Settings *) object, id));
  G_OBJECT_CLASS (settings_parent_class)->finalize (object);
}

static void
settings_class_init (SettingsClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->set_property = set_property;
  object_class->get_property = get_property;
  object_class->finalize = finalize;
  g_object_class_install_property (object_class, PROP_PRESET, g_param_spec_string ("preset", NULL, NULL, "", G_PARAM_READWRITE));
  g_object_class_install_property (object_class, PROP_MODEL, g_param_spec_string ("model", NULL, NULL, "", G_PARAM_READWRITE));
  g_object_class_install_property (object_class, PROP_SAMPLER, g_param_spec_string ("sampler", NULL, NULL, "", G_PARAM_READWRITE));
  g_object_class_install_property (object_class, PROP_STEPS, g_param_spec_int ("steps", NULL, NULL, 0, 1000, 0, G_PARAM_READWRITE));
  g_object_class_install_property (object_class, PROP_GUIDANCE, g_param_spec_double ("guidance", NULL, NULL, -1, 100, -1, G_PARAM_READWRITE));
}

static void
settings_init (Settings *settings)
{
  settings->guidance = -1;
}

/* ---- files ---- */

static char *
path_of (const char *name)
{
  return g_build_filename (g_getenv ("PMT_UI_TMP"), name, NULL);
}

static void
write_file (const char *path, const char *text)
{
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

/* The files of one test, which are not there at first. */
typedef struct Files {
  char *shipped, *own;
} Files;

static void
new_files (Files *files)
{
  static int n;
  g_autofree char *shipped = g_strdup_printf ("shipped-%d.json", ++n), *own = g_strdup_printf ("own-%d/presets.json", n);

  *files = (Files) { path_of (shipped), path_of (own) };
  write_file (files->shipped, "{\"pentimento-presets\": 1, \"presets\": [{\"name\": \"Oil\", \"prompt\": \"oil painting of {prompt}, thick\","
                              " \"negative-prompt\": \"photo\", \"settings\": {\"steps\": 30}}]}");
}

static void
free_files (Files *files)
{
  g_free (files->shipped);
  g_free (files->own);
}

static void
assert_names (const PmtPresets *presets, const char *expected)
{
  g_auto (GStrv) names = pmt_presets_names (presets);
  g_autofree char *all = g_strjoinv ("|", names);

  g_assert_cmpstr (all, ==, expected);
}

static void
test_file (void)
{
  Files files;
  PmtPresets *presets, *other;
  g_autofree char *problem = NULL;
  g_autoptr (Settings) settings = g_object_new (settings_get_type (), "steps", 12, "model", "/a", NULL);
  GStatBuf info;

  new_files (&files);
  presets = pmt_presets_new (files.shipped, files.own);
  other = pmt_presets_new (files.shipped, files.own);
  g_assert_null (pmt_presets_problem (presets));
  assert_names (presets, "Oil");
  g_assert_true (pmt_presets_put (presets, "Mine", pmt_preset_take (G_OBJECT (settings), "x", "", FALSE), &problem));
  g_assert_true (pmt_presets_put (other, "Yours", pmt_preset_take (G_OBJECT (settings), "", "", TRUE), &problem)); /* from another GIMP */
  assert_names (other, "Oil|Mine|Yours");
  g_assert_true (pmt_presets_rename (presets, "Yours", "Ours", &problem));
  g_assert_false (pmt_presets_rename (presets, "Ours", "Mine", &problem));
  g_assert_nonnull (strstr (problem, "already"));
  g_clear_pointer (&problem, g_free);
  g_assert_false (pmt_presets_put (presets, "Oil", json_object_new (), &problem));
  g_assert_nonnull (strstr (problem, "comes with Pentimento"));
  for (int i = 0; i < 3; i++) {
    const char *const wrong[] = { "", "  ", "two\nlines" };
    g_clear_pointer (&problem, g_free);
    g_assert_false (pmt_presets_put (presets, wrong[i], json_object_new (), &problem));
  }
  g_assert_true (pmt_presets_delete (presets, "Mine", &problem));
  pmt_presets_free (other);
  other = pmt_presets_new (files.shipped, files.own);
  assert_names (other, "Oil|Ours");
  g_assert_true (pmt_presets_is_own (other, "Ours") && !pmt_presets_is_own (other, "Oil"));
  g_assert_cmpint (g_stat (files.own, &info), ==, 0);
  g_assert_cmpint (info.st_mode & 0777, ==, 0600);
  pmt_presets_free (presets);
  pmt_presets_free (other);
  free_files (&files);
}

/* What is damaged is said, and never overwritten. */
static void
test_damaged (void)
{
  static const char *const broken[] = { "{\"pentimento-presets\": 1, \"presets\": [", "[]", "{}", "{\"pentimento-presets\": 2, \"presets\": []}",
                                        "{\"pentimento-presets\": 1, \"presets\": {}}", "\xff\xfe", "" };

  for (gsize i = 0; i < G_N_ELEMENTS (broken); i++) {
    Files files;
    PmtPresets *presets;
    g_autofree char *problem = NULL, *folder = NULL, *aside = NULL, *kept = NULL;
    new_files (&files);
    folder = g_path_get_dirname (files.own);
    aside = g_strconcat (files.own, ".damaged-1", NULL);
    g_mkdir (folder, 0700);
    write_file (files.own, broken[i]);
    presets = pmt_presets_new (files.shipped, files.own);
    g_assert_nonnull (strstr (pmt_presets_problem (presets), files.own));
    assert_names (presets, "Oil");
    g_assert_true (pmt_presets_put (presets, "New", json_object_new (), &problem));
    g_assert_null (pmt_presets_problem (presets));
    assert_names (presets, "Oil|New");
    g_assert_true (g_file_get_contents (aside, &kept, NULL, NULL));
    g_assert_cmpstr (kept, ==, broken[i]);
    pmt_presets_free (presets);
    free_files (&files);
  }
}

static void
test_hostile (void)
{
  Files files;
  PmtPresets *presets;
  g_autofree char *folder = NULL, *prompt = NULL;
  g_autoptr (Settings) settings = g_object_new (settings_get_type (), "steps", 12, NULL);

  new_files (&files);
  folder = g_path_get_dirname (files.own);
  g_mkdir (folder, 0700);
  write_file (files.own, "{\"pentimento-presets\": 1, \"presets\": [7, null, {\"name\": 3}, {\"name\": \"\"}, {\"name\": \"a\\nb\"},"
                         " {\"name\": \"Odd\", \"prompt\": 5, \"negative-prompt\": {}, \"settings\": {\"steps\": 1e99, \"guidance\": \"7\","
                         " \"sampler\": 4, \"model\": null, \"preset\": \"Oil\", \"unknown\": 1}}, {\"name\": \"Odd\", \"prompt\": \"second\"},"
                         " {\"name\": \"Oil\", \"prompt\": \"not the shipped one\"}, {\"name\": \"Flat\", \"settings\": [1]}]}");
  presets = pmt_presets_new (files.shipped, files.own);
  g_assert_null (pmt_presets_problem (presets));
  assert_names (presets, "Oil|Odd|Flat");
  pmt_preset_apply (pmt_presets_get (presets, "Odd"), G_OBJECT (settings), FALSE);
  pmt_preset_apply (pmt_presets_get (presets, "Flat"), G_OBJECT (settings), FALSE);
  g_assert_cmpint (settings->steps, ==, 12);
  g_assert_cmpfloat (settings->guidance, ==, -1);
  g_assert_null (settings->preset);
  prompt = pmt_preset_prompt (pmt_presets_get (presets, "Odd"), "a fox");
  g_assert_cmpstr (prompt, ==, "a fox");
  pmt_presets_free (presets);
  free_files (&files);
}

static void
test_style (void)
{
  static const struct {
    const char *style, *prompt, *expected;
  } cases[] = { { "oil painting of {prompt}, thick", "a fox", "oil painting of a fox, thick" },
                { "thick", "a fox", "a fox, thick" },
                { "", "a fox", "a fox" },
                { "thick", "", "thick" },
                { "{prompt}, thick", "", "thick" },
                { "{prompt} and {prompt}", "{prompt}", "{prompt} and {prompt}" },
                { "100 % {prompt}", "a \\1 $1 & fox", "100 % a \\1 $1 & fox" } };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (JsonObject) preset = json_object_new ();
    g_autofree char *prompt = NULL, *negative = NULL;
    json_object_set_string_member (preset, "prompt", cases[i].style);
    json_object_set_string_member (preset, "negative-prompt", "photo");
    prompt = pmt_preset_prompt (preset, cases[i].prompt);
    g_assert_cmpstr (prompt, ==, cases[i].expected);
    negative = pmt_preset_negative (preset, "blurry");
    g_assert_cmpstr (negative, ==, "blurry, photo");
  }
}

/* What was taken is what is applied; what a caller said himself stays where only defaults are filled in. */
static void
test_settings (void)
{
  g_autoptr (Settings) from = g_object_new (settings_get_type (), "steps", 12, "guidance", 3.5, "sampler", "euler", "model", "/a", NULL);
  g_autoptr (Settings) to = g_object_new (settings_get_type (), "steps", 7, "model", "/b", NULL);
  g_autoptr (JsonObject) without = pmt_preset_take (G_OBJECT (from), "", "", FALSE);
  g_autoptr (JsonObject) with = pmt_preset_take (G_OBJECT (from), "", "", TRUE);

  pmt_preset_apply (with, G_OBJECT (to), TRUE);
  g_assert_cmpint (to->steps, ==, 7);
  g_assert_cmpstr (to->model, ==, "/b");
  g_assert_cmpstr (to->sampler, ==, "euler");
  g_assert_cmpfloat (to->guidance, ==, 3.5);
  pmt_preset_apply (without, G_OBJECT (to), FALSE);
  g_assert_cmpint (to->steps, ==, 12);
  g_assert_cmpstr (to->model, ==, "/b");
  pmt_preset_apply (with, G_OBJECT (to), FALSE);
  g_assert_cmpstr (to->model, ==, "/a");
}

static void
test_row (void)
{
  Files files;
  g_autoptr (Settings) settings = g_object_new (settings_get_type (), "preset", "", NULL);
  GtkWidget *row, *window, *combo;
  g_autofree char *problem = NULL;
  PmtPresets *presets;

  new_files (&files);
  presets = pmt_presets_new (files.shipped, files.own);
  g_assert_true (pmt_presets_put (presets, "Mine", json_object_new (), &problem));
  row = pmt_preset_row_new (G_OBJECT (settings), "preset", presets, NULL);
  window = window_new (row);
  combo = first_of (row, GTK_TYPE_COMBO_BOX_TEXT);
  g_assert_cmpstr (gtk_combo_box_get_active_id (GTK_COMBO_BOX (combo)), ==, "");
  gtk_combo_box_set_active_id (GTK_COMBO_BOX (combo), "Oil");
  g_assert_cmpstr (settings->preset, ==, "Oil");
  g_assert_cmpint (settings->steps, ==, 30);
  g_assert_true (gtk_widget_get_visible (named (row, "oil painting of {prompt}, thick")));
  shot (window, "preset");
  g_object_set (settings, "preset", "Gone", NULL);
  g_assert_cmpstr (gtk_combo_box_get_active_id (GTK_COMBO_BOX (combo)), ==, "Gone");
  g_assert_nonnull (named (row, "There is no preset “Gone” any more: choose another one."));
  g_object_set (settings, "preset", "Mine", NULL);
  g_assert_cmpint (settings->steps, ==, 30); /* loading settings is not choosing */
  gtk_widget_destroy (window);
  settle ();
  free_files (&files);
}

int
main (int argc, char **argv)
{
  gtk_test_init (&argc, &argv, NULL);
  g_test_add_func ("/presets/file", test_file);
  g_test_add_func ("/presets/damaged", test_damaged);
  g_test_add_func ("/presets/hostile", test_hostile);
  g_test_add_func ("/presets/style", test_style);
  g_test_add_func ("/presets/settings", test_settings);
  g_test_add_func ("/presets/row", test_row);
  return g_test_run ();
}
