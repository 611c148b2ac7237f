/* SPDX-License-Identifier: GPL-3.0-or-later */
/* LoRAs and hypernetworks that the prompt names: which files they mean, what is refused. */
#include <string.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "engine/job/private.h"
#include "engine/job/prompt-names.h"
#include "engine/weights/library.h"

static char *folder;

static char *
touch (const char *name)
{
  char *path = g_build_filename (folder, name, NULL);
  g_autofree char *parent = g_path_get_dirname (path);
  g_assert_cmpint (g_mkdir_with_parents (parent, 0700), ==, 0);
  g_assert_true (g_file_set_contents (path, "x", 1, NULL));
  return path;
}

static PmtJob *
job_of (const char *prompt, const char *negative, const char *syntax)
{
  JsonObject *recipe = json_object_new (), *lora = json_object_new ();
  JsonArray *folders = json_array_new (), *loras = json_array_new ();
  GError *error = NULL;

  json_object_set_int_member (recipe, "pentimento", 1);
  json_object_set_string_member (recipe, "task", "generate");
  json_object_set_string_member (recipe, "prompt", prompt);
  json_object_set_string_member (recipe, "negative-prompt", negative);
  if (syntax)
    json_object_set_string_member (recipe, "prompt-syntax", syntax);
  json_array_add_string_element (folders, folder);
  json_object_set_array_member (recipe, "lora-folders", folders);
  json_object_set_string_member (lora, "path", "/first");
  json_array_add_object_element (loras, lora);
  json_object_set_array_member (recipe, "loras", loras);
  PmtJob *job = pmt_job_parse (recipe, &error);
  g_assert_no_error (error);
  json_object_unref (recipe);
  return job;
}

static gboolean
plan_of (const PmtJob *job, PmtJobPlan *plan, GError **error)
{
  memset (plan, 0, sizeof *plan);
  plan->notes = g_ptr_array_new_with_free_func (g_free);
  plan->loras = g_new0 (PmtWeightEdit, 1);
  plan->loras[0].path = "/first";
  plan->n_loras = 1;
  return pmt_job_plan_tags (job, plan, error);
}

static void
test_found (void)
{
  g_autofree char *one = touch ("one.safetensors"), *deep = touch ("styles/old/Paper cut.v2.GGUF"), *net = touch ("net.safetensors");
  g_autofree char *both = touch ("both.safetensors"), *pickle = touch ("both.pt"), *other = touch ("one-more.safetensors");
  GError *error = NULL;
  PmtJobPlan plan;
  PmtJob *job = job_of ("a <lora:one:0.5> <lora:Paper cut.v2:0.2:0.4> (b:1.2) <hypernet:net:0.3><lora:both>", "c <lora:one:9>", NULL);

  g_assert_true (plan_of (job, &plan, &error));
  g_assert_no_error (error);
  g_assert_cmpint (plan.n_loras, ==, 5);
  const PmtWeightEdit wanted[] = { { "/first", 0, 0 }, { one, 0.5, 0.5 }, { deep, 0.4, 0.2 }, { net, 0.3, 0.3 }, { both, 1, 1 } };
  for (int i = 0; i < plan.n_loras; i++) {
    g_assert_cmpstr (plan.loras[i].path, ==, wanted[i].path);
    g_assert_cmpfloat (plan.loras[i].strength, ==, wanted[i].strength);
    g_assert_cmpfloat (plan.loras[i].text_strength, ==, wanted[i].text_strength);
  }
  g_assert_cmpuint (plan.notes->len, ==, 1);
  g_assert_cmpstr (plan.notes->pdata[0], ==,
                   "LoRAs act on the whole picture: the tag <lora:one> in the negative prompt was left out.");
  pmt_job_plan_clear (job, &plan);
  pmt_job_free (job);
}

/* The folder of another program that was added by hand too, a link to it, a link to the file: one file. */
static void
test_one_file_by_many_ways (void)
{
  g_autofree char *one = touch ("ways/once.safetensors"), *short_name = touch ("ways/brief.sft");
  g_autofree char *ways = g_build_filename (folder, "ways", NULL), *link = g_build_filename (folder, "link", NULL);
  g_autofree char *inner = g_build_filename (folder, "ways/deeper/once.safetensors", NULL), *deeper = g_path_get_dirname (inner);
  GError *error = NULL;
  PmtJobPlan plan;
  PmtJob *job = job_of ("a <lora:once:0.5><lora:brief>", "", NULL);
  char **own = job->extras.lora_folders;

  g_assert_cmpint (g_mkdir (deeper, 0700) | symlink (ways, link) | symlink (one, inner), ==, 0);
  job->extras.lora_folders = (char *[]) { folder, ways, link, NULL };
  g_auto (GStrv) folders = pmt_names_folders (PMT_NAMES_LORAS, job->extras.lora_folders);
  g_assert_cmpuint (g_strv_length (folders), ==, 3); /* with our own, which need not exist */
  g_assert_true (plan_of (job, &plan, &error));
  g_assert_no_error (error);
  g_assert_cmpint (plan.n_loras, ==, 3);
  g_assert_true (pmt_library_same_file (plan.loras[1].path, one));
  g_assert_true (pmt_library_same_file (plan.loras[2].path, short_name));
  job->extras.lora_folders = own;
  pmt_job_plan_clear (job, &plan);
  pmt_job_free (job);
  g_unlink (link);
  g_unlink (inner);
  g_rmdir (deeper);
}

static void
test_regions (void)
{
  PmtJobPlan plan;
  PmtJob *job = job_of ("a house", "", NULL);
  GError *error = NULL;
  PmtJobRegionPrompt region = { .prompt = "a tree <lora:oak:0.5>" };

  job->extras.regions = &region;
  job->extras.n_regions = 1;
  g_assert_true (plan_of (job, &plan, &error));
  g_assert_no_error (error);
  g_assert_cmpint (plan.n_loras, ==, 1);
  g_assert_cmpuint (plan.notes->len, ==, 1);
  g_assert_cmpstr (plan.notes->pdata[0], ==,
                   "LoRAs act on the whole picture: the tag <lora:oak> in a region's prompt was left out; put it into the prompt.");
  job->extras.regions = NULL;
  job->extras.n_regions = 0;
  pmt_job_plan_clear (job, &plan);
  pmt_job_free (job);
}

static void
test_plain (void)
{
  PmtJobPlan plan;
  PmtJob *job = job_of ("a <lora:nowhere:0.5>", "", "plain");
  GError *error = NULL;
  g_assert_true (plan_of (job, &plan, &error));
  g_assert_cmpint (plan.n_loras, ==, 1);
  pmt_job_plan_clear (job, &plan);
  pmt_job_free (job);
}

static void
refused (const char *prompt, PmtError code, const char *sentence)
{
  g_autoptr (GError) error = NULL;
  PmtJobPlan plan;
  PmtJob *job = job_of (prompt, "", NULL);
  g_assert_false (plan_of (job, &plan, &error));
  g_assert_error (error, PMT_ERROR, (int) code);
  g_assert_cmpstr (error->message, ==, sentence);
  pmt_job_plan_clear (job, &plan);
  pmt_job_free (job);
}

static void
test_refused (void)
{
  g_autofree char *first = touch ("a/twin.safetensors"), *second = touch ("b/twin.safetensors");
  g_autofree char *own = g_build_filename (g_get_user_data_dir (), "pentimento", "loras", NULL);
  g_autofree char *missing =
    g_strdup_printf ("The prompt's tag <lora:../one> names no file: there is no '../one.safetensors' in '%s', '%s'; put it there, correct the "
                     "name, or take the tag out.", folder, own);
  refused ("<lora:../one:1>", PMT_ERROR_NOT_FOUND, missing);
  const char *format = "The prompt's tag <lora:twin> fits more than one file, '%s' and '%s'; rename one of them, or take the tag out and choose "
                       "the file itself.";
  g_autofree char *one_way = g_strdup_printf (format, first, second), *other_way = g_strdup_printf (format, second, first);
  g_autoptr (GError) error = NULL;
  PmtJobPlan plan;
  PmtJob *job = job_of ("<lora:twin:1>", "", NULL);
  g_assert_false (plan_of (job, &plan, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
  g_assert_true (strcmp (error->message, one_way) == 0 || strcmp (error->message, other_way) == 0);
  pmt_job_plan_clear (job, &plan);
  pmt_job_free (job);
  g_autofree char *again = touch ("one.safetensors");
  g_autoptr (GString) many = g_string_new (NULL);
  for (int i = 0; i < 32; i++)
    g_string_append (many, "<lora:one:1>");
  refused (many->str, PMT_ERROR_INPUT, "The job has 33 LoRAs and can have at most 32; take some out.");
  refused ("<lora:one:x>", PMT_ERROR_INPUT,
           "The prompt's tag <lora:one:x> cannot be read; write <lora:NAME:STRENGTH> with a strength from -100 to 100.");
}

static void
test_folders (void)
{
  g_autoptr (GError) error = NULL;
  JsonParser *parser = json_parser_new ();
  json_parser_load_from_data (parser, "{\"pentimento\": 1, \"task\": \"generate\", \"lora-folders\": [1]}", -1, NULL);
  g_assert_null (pmt_job_parse (json_node_get_object (json_parser_get_root (parser)), &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
  g_assert_nonnull (strstr (error->message, "lora-folders"));
  g_object_unref (parser);
}

static void
remove_all (const char *path)
{
  GDir *dir = g_dir_open (path, 0, NULL);
  const char *name;
  while (dir && (name = g_dir_read_name (dir))) {
    g_autofree char *inner = g_build_filename (path, name, NULL);
    remove_all (inner);
  }
  g_clear_pointer (&dir, g_dir_close);
  g_remove (path);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  folder = g_dir_make_tmp ("pmt-tags-XXXXXX", NULL);
  g_assert_nonnull (folder);
  g_setenv ("XDG_DATA_HOME", folder, TRUE); /* nobody's own files: the user's folder does not exist */
  g_test_add_func ("/tags/found", test_found);
  g_test_add_func ("/tags/one-file-by-many-ways", test_one_file_by_many_ways);
  g_test_add_func ("/tags/regions", test_regions);
  g_test_add_func ("/tags/plain", test_plain);
  g_test_add_func ("/tags/refused", test_refused);
  g_test_add_func ("/tags/folders", test_folders);
  int status = g_test_run ();
  remove_all (folder);
  g_free (folder);
  return status;
}
