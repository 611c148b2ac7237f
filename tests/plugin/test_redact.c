/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Nothing of the user's is left in a report, and the numbers are. */
#include <string.h>

#include "plugin/redact.h"

static const char recipe_text[] =
  "{\"task\":\"fill\",\"model\":\"/media/anna/My Models/secret mix.safetensors\",\"prompt\":\"a red fox\",\"seed\":42,\"strength\":0.5,"
  "\"sampler\":\"euler\",\"negative-prompt\":\"\",\"methods\":[{\"id\":\"word-maps\",\"words\":\"fox,snow\",\"scale\":1.5,\"on\":true}],"
  "\"layout\":{\"boxes\":[{\"box\":[0,0,1,1],\"phrase\":\"my dog Rex\"}]},\"embeddings\":[{\"path\":\"c:\\\\x.bin\",\"word\":\"<anna>\"}],"
  "\"controls\":[{\"type\":\"canny\",\"image\":\"/media/anna/p.png\",\"strength\":1}],\"loras\":[{\"path\":\"anna-style.gguf\"}]}";

static JsonObject *
recipe (void)
{
  g_autoptr (JsonNode) node = json_from_string (recipe_text, NULL);

  g_assert_nonnull (node);
  return json_node_dup_object (node);
}

static void
test_recipe (void)
{
  static const char *const gone[] = { "anna", "Anna", "fox", "Rex", "secret", "media", "My Models", "snow", "p.png" };
  static const char *const kept[] = { "\"fill\"", "42", "0.5", "\"euler\"", "word-maps", "1.5", "true", "\"canny\"", "(file, .safetensors)",
                                      "(9 characters)", "\"negative-prompt\" : \"\"", "(file, .gguf)" };
  g_autoptr (JsonObject) object = recipe ();
  g_autoptr (GPtrArray) secrets = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *text = pmt_redact_recipe (object, secrets);
  g_autofree char *line = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (gone); i++)
    if (strstr (text, gone[i]))
      g_error ("“%s” is still in %s", gone[i], text);
  for (gsize i = 0; i < G_N_ELEMENTS (kept); i++)
    if (!strstr (text, kept[i]))
      g_error ("“%s” is no longer in %s", kept[i], text);
  line = pmt_redact_text ("step 3 of 20 for a red fox failed", secrets);
  g_assert_cmpstr (line, ==, "step 3 of 20 for (text) failed");
  /* the object itself is as it was */
  g_assert_cmpstr (json_object_get_string_member (object, "prompt"), ==, "a red fox");
}

static void
test_text (void)
{
  static const char *const cases[][2] = {
    { "The job needs 9 GB and 2 GB are free.", "The job needs 9 GB and 2 GB are free." },
    { "The file /media/anna/My nice Pictures/a b.png is cut.", "The file (path) (file) is cut." },
    { "The layer “Anna's face” has no recipe", "The layer (quoted) has no recipe" },
    { "no 'my tensor' in it, but the engine's own", "no (quoted) in it, but the engine's own" },
    { "it says \"a fox\" and „ein Fuchs“ and «un renard»", "it says (quoted) and (quoted) and (quoted)" },
    { "Cannot open anna-style.safetensors: gone", "Cannot open (file): gone" },
    { "C:\\Users\\anna\\x and\nsecond line", "(path) and\nsecond line" },
    { "pentimento-engine 1.0 serves /run/user/1000/pentimento/1.sock", "pentimento-engine 1.0 serves (path)" },
  };
  g_autoptr (GPtrArray) none = g_ptr_array_new ();

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *text = pmt_redact_text (cases[i][0], none);
    g_assert_cmpstr (text, ==, cases[i][1]);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/plugin/redact/recipe", test_recipe);
  g_test_add_func ("/plugin/redact/text", test_text);
  return g_test_run ();
}
