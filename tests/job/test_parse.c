/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a job may say: every kind of refusal names its field, and what is left out gets the table's default. */
#include <string.h>

#include "engine/job/job.h"

static PmtJob *
parse (const char *text, GError **error)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  GError *problem = NULL;

  json_parser_load_from_data (parser, text, -1, &problem);
  g_assert_no_error (problem);
  return pmt_job_parse (json_node_get_object (json_parser_get_root (parser)), error);
}

static void
test_defaults (void)
{
  GError *error = NULL;
  PmtJob *job = parse ("{\"pentimento\": 1, \"task\": \"generate\"}", &error);

  g_assert_no_error (error);
  g_assert_cmpint (job->task, ==, PMT_TASK_GENERATE);
  g_assert_cmpstr (job->model, ==, "");
  g_assert_cmpstr (job->prompt, ==, "");
  g_assert_cmpint (job->seed, ==, -1);
  g_assert_cmpint (job->variants, ==, 1);
  g_assert_null (job->sampler);
  g_assert_cmpint (job->steps, ==, 0);
  g_assert_cmpfloat (job->guidance, <, 0);
  g_assert_cmpfloat (job->strength, ==, 0.75);
  g_assert_cmpint (job->width, ==, 0);
  g_assert_cmpint (job->n_methods, ==, 0);
  pmt_job_free (job);

  job = parse ("{\"pentimento\": 1, \"task\": \"fill\"}", &error);
  g_assert_no_error (error);
  g_assert_cmpfloat (job->strength, ==, 1);
  g_assert_true (job->colour_match);
  g_assert_false (job->has_selection);
  g_assert_cmpfloat (job->region.grow, <, 0);
  g_assert_cmpfloat (job->region.feather, <, 0);
  g_assert_cmpint (job->region.mode, ==, PMT_CONTEXT_AUTO);
  pmt_job_free (job);
}

/* What decides how a picture is made, beside what is in it: read, and written into the recipe's request. */
static void
test_ways (void)
{
  GError *error = NULL;
  PmtJob *job = parse ("{\"pentimento\": 1, \"task\": \"generate\"}", &error);

  g_assert_no_error (error);
  g_assert_true (job->syntax == PMT_SYNTAX_A1111 && job->long_prompts == PMT_LONG_CHUNKS && !job->has_prediction && job->eta < 0);
  g_assert_true (job->tiling == PMT_VAE_TILING_AUTO);
  g_assert_cmpstr (job->taesd, ==, "");
  g_assert_cmpstr (job->refiner, ==, "");
  pmt_job_free (job);
  job = parse ("{\"pentimento\": 1, \"task\": \"generate\", \"prompt-syntax\": \"plain\", \"long-prompts\": \"truncate\","
               " \"prediction\": \"v_prediction\", \"refiner\": \"/r\", \"refiner-start\": 0.6, \"vae-tiling\": \"on\", \"taesd\": \"/t\"}",
               &error);
  g_assert_no_error (error);
  g_assert_true (job->syntax == PMT_SYNTAX_PLAIN && job->long_prompts == PMT_LONG_TRUNCATE);
  g_assert_true (job->has_prediction && job->prediction == PMT_PREDICT_V && job->refiner_start == 0.6);
  g_assert_true (job->tiling == PMT_VAE_TILING_ON);
  g_assert_cmpstr (job->refiner, ==, "/r");
  g_assert_cmpstr (job->taesd, ==, "/t");
  pmt_job_free (job);
}

static void
test_everything (void)
{
  GError *error = NULL;
  PmtJob *job = parse ("{\"pentimento\": 1, \"task\": \"fill\", \"model\": \"/m\", \"model-hash\": \"ab\", \"prompt\": \"a \\u00fc\","
                       " \"negative-prompt\": \"n\", \"seed\": 4294967295, \"variants\": 3, \"sampler\": \"euler\", \"steps\": 12,"
                       " \"guidance\": 3.5, \"strength\": 0.4, \"eta\": 0.25, \"size\": [64, 48], \"colour-match\": false,"
                       " \"region\": {\"canvas\": [300, 200], \"selection\": [10, 20, 30, 40], \"mode\": \"selection\", \"grow\": 2,"
                       " \"feather\": 3.5, \"blend\": 1.5, \"context\": [0, 8, 100, 110]}, \"methods\": [], \"precision\": \"f32\","
                       " \"threads\": 2, \"engine\": \"0.1\", \"cpu\": \"v3\", \"image\": \"i.png\", \"mask\": \"m.png\"}",
                       &error);

  g_assert_no_error (error);
  g_assert_cmpint (job->task, ==, PMT_TASK_FILL);
  g_assert_cmpstr (job->model, ==, "/m");
  g_assert_cmpstr (job->model_hash, ==, "ab");
  g_assert_cmpstr (job->prompt, ==, "a \xc3\xbc");
  g_assert_cmpstr (job->negative, ==, "n");
  g_assert_cmpint (job->seed, ==, 4294967295);
  g_assert_cmpint (job->variants, ==, 3);
  g_assert_cmpstr (job->sampler->id, ==, "euler");
  g_assert_cmpint (job->steps, ==, 12);
  g_assert_cmpfloat (job->guidance, ==, 3.5);
  g_assert_cmpfloat (job->strength, ==, 0.4);
  g_assert_cmpfloat (job->eta, ==, 0.25);
  g_assert_true (job->width == 64 && job->height == 48);
  g_assert_false (job->colour_match);
  g_assert_true (job->region.canvas_width == 300 && job->region.canvas_height == 200);
  g_assert_true (job->has_selection && job->region.selection.x == 10 && job->region.selection.height == 40);
  g_assert_cmpint (job->region.mode, ==, PMT_CONTEXT_SELECTION);
  g_assert_cmpfloat (job->region.grow, ==, 2);
  g_assert_cmpfloat (job->region.feather, ==, 3.5);
  g_assert_true (job->region.context.y == 8 && job->region.context.width == 100);
  g_assert_cmpint (job->threads, ==, 2);
  pmt_job_free (job);
}

/* What a mode begins with, unless the recipe says something else. */
static void
test_modes (void)
{
  static const char *const modes[][2] = { { "fill", "blur" }, { "expand", "surroundings" }, { "add", "gray" }, { "remove", "surroundings" },
                                          { "replace", "gray" }, { "refine", NULL } };
  GError *error = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (modes); i++) {
    g_autofree char *text = g_strdup_printf ("{\"pentimento\": 1, \"task\": \"fill\", \"mode\": \"%s\"}", modes[i][0]);
    g_autofree char *told = g_strdup_printf ("{\"pentimento\": 1, \"task\": \"fill\", \"mode\": \"%s\", \"prefill\": \"none\","
                                             " \"colour-match-by\": \"shift\", \"seam\": \"gradient\"}", modes[i][0]);
    PmtJob *job = parse (text, &error);
    g_assert_no_error (error);
    g_assert_cmpuint (job->mode, ==, i);
    g_assert_cmpstr (job->prefill ? job->prefill->id : NULL, ==, modes[i][1]);
    g_assert_false (job->colour_shift_only || job->gradient_seam);
    pmt_job_free (job);
    job = parse (told, &error);
    g_assert_no_error (error);
    g_assert_null (job->prefill);
    g_assert_true (job->colour_shift_only && job->gradient_seam);
    pmt_job_free (job);
  }
}

/* Fields in place of the dots, and a word that the sentence must have. */
static const struct {
  const char *task, *fields, *names;
  PmtError code;
} refusals[] = {
  { "generate", "\"guidence\": 3", "guidence", PMT_ERROR_INPUT },
  { "generate", "\"prompt\": 3", "prompt", PMT_ERROR_INPUT },
  { "generate", "\"prompt\": null", "prompt", PMT_ERROR_INPUT },
  { "generate", "\"negative-prompt\": []", "negative-prompt", PMT_ERROR_INPUT },
  { "generate", "\"model\": 1", "model", PMT_ERROR_INPUT },
  { "generate", "\"model-hash\": 1", "model-hash", PMT_ERROR_INPUT },
  { "generate", "\"seed\": 1.5", "seed", PMT_ERROR_INPUT },
  { "generate", "\"seed\": -2", "seed", PMT_ERROR_INPUT },
  { "generate", "\"seed\": 4294967296", "seed", PMT_ERROR_INPUT },
  { "generate", "\"seed\": \"7\"", "seed", PMT_ERROR_INPUT },
  { "generate", "\"variants\": 0", "variants", PMT_ERROR_INPUT },
  { "generate", "\"variants\": 65", "variants", PMT_ERROR_INPUT },
  { "generate", "\"sampler\": \"eular\"", "eular", PMT_ERROR_INPUT },
  { "generate", "\"steps\": -1", "steps", PMT_ERROR_INPUT },
  { "generate", "\"steps\": 1001", "steps", PMT_ERROR_INPUT },
  { "generate", "\"steps\": true", "steps", PMT_ERROR_INPUT },
  { "generate", "\"guidance\": 51", "guidance", PMT_ERROR_INPUT },
  { "generate", "\"strength\": 0", "strength", PMT_ERROR_INPUT },
  { "generate", "\"strength\": 1.1", "strength", PMT_ERROR_INPUT },
  { "generate", "\"eta\": 2", "eta", PMT_ERROR_INPUT },
  { "generate", "\"size\": [512]", "size", PMT_ERROR_INPUT },
  { "generate", "\"size\": [512, 0]", "size", PMT_ERROR_INPUT },
  { "generate", "\"size\": [512, -8]", "size", PMT_ERROR_INPUT },
  { "generate", "\"size\": [512.5, 512]", "size", PMT_ERROR_INPUT },
  { "generate", "\"size\": \"512x512\"", "size", PMT_ERROR_INPUT },
  { "generate", "\"size\": [70000, 512]", "size", PMT_ERROR_INPUT },
  { "generate", "\"region\": {}", "region", PMT_ERROR_INPUT },
  { "generate", "\"colour-match\": true", "colour-match", PMT_ERROR_INPUT },
  { "generate", "\"methods\": {}", "methods", PMT_ERROR_INPUT },
  { "generate", "\"methods\": [3]", "methods", PMT_ERROR_INPUT },
  { "generate", "\"methods\": [{\"key\": 1}]", "methods", PMT_ERROR_INPUT },
  { "generate", "\"methods\": [{\"id\": \"magic\"}]", "magic", PMT_ERROR_INPUT },
  { "generate", "\"methods\": [{\"id\": \"guidance\", \"scale\": 3}]", "scale", PMT_ERROR_INPUT },
  { "generate", "\"precision\": \"int4\"", "f32, bf16 or int8", PMT_ERROR_UNSUPPORTED },
  { "generate", "\"precision\": 16", "precision", PMT_ERROR_INPUT },
  { "generate", "\"threads\": -1", "threads", PMT_ERROR_INPUT },
  { "generate", "\"threads\": 2.5", "threads", PMT_ERROR_INPUT },
  { "generate", "\"image\": 3", "image", PMT_ERROR_INPUT },
  { "generate", "\"prompt-syntax\": \"a1111\"", "prompt-syntax", PMT_ERROR_INPUT },
  { "generate", "\"long-prompts\": true", "long-prompts", PMT_ERROR_INPUT },
  { "generate", "\"prediction\": \"noise\"", "prediction", PMT_ERROR_INPUT },
  { "generate", "\"refiner-start\": 1", "refiner-start", PMT_ERROR_INPUT },
  { "generate", "\"vae-tiling\": \"yes\"", "vae-tiling", PMT_ERROR_INPUT },
  { "fill", "\"colour-match\": 1", "colour-match", PMT_ERROR_INPUT },
  { "fill", "\"colour-match-by\": \"hue\"", "colour-match-by", PMT_ERROR_INPUT },
  { "fill", "\"mode\": \"paint\"", "mode", PMT_ERROR_INPUT },
  { "edit", "\"mode\": \"fill\"", "mode", PMT_ERROR_INPUT },
  { "fill", "\"prefill\": \"black\"", "prefill", PMT_ERROR_INPUT },
  { "fill", "\"seam\": \"hard\"", "seam", PMT_ERROR_INPUT },
  { "fill", "\"region\": []", "region", PMT_ERROR_INPUT },
  { "fill", "\"region\": {\"canvas\": [3]}", "region.canvas", PMT_ERROR_INPUT },
  { "fill", "\"region\": {\"canvas\": [0, 3]}", "region.canvas", PMT_ERROR_INPUT },
  { "fill", "\"region\": {\"canvas\": [3, \"3\"]}", "region.canvas", PMT_ERROR_INPUT },
  { "fill", "\"region\": {\"selection\": [1, 2, 3]}", "region.selection", PMT_ERROR_INPUT },
  { "fill", "\"region\": {\"selection\": [-1, 2, 3, 4]}", "region.selection", PMT_ERROR_INPUT },
  { "fill", "\"region\": {\"mode\": \"all\"}", "region.mode", PMT_ERROR_INPUT },
  { "fill", "\"region\": {\"mode\": 1}", "region.mode", PMT_ERROR_INPUT },
  { "fill", "\"region\": {\"grow\": -2}", "region.grow", PMT_ERROR_INPUT },
  { "fill", "\"region\": {\"feather\": 1001}", "region.feather", PMT_ERROR_INPUT },
  { "fill", "\"region\": {\"feather\": \"auto\"}", "region.feather", PMT_ERROR_INPUT },
  { "fill", "\"region\": {\"context\": [0, 0, 5, 5]}", "region.canvas", PMT_ERROR_INPUT },
  { "fill", "\"region\": {\"contxt\": [0, 0, 5, 5]}", "region.contxt", PMT_ERROR_INPUT },
};

static void
refused (const char *text, const char *names, PmtError code)
{
  g_autoptr (GError) error = NULL;
  PmtJob *job = parse (text, &error);

  if (job || !g_error_matches (error, PMT_ERROR, (int) code) || !strstr (error->message, names) || strchr (error->message, '\n') ||
      !g_str_has_suffix (error->message, "."))
    g_error ("%s: %s", text, job ? "was taken" : error->message);
}

static void
test_refusals (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (refusals); i++) {
    g_autofree char *text = g_strdup_printf ("{\"pentimento\": 1, \"task\": \"%s\", %s}", refusals[i].task, refusals[i].fields);
    refused (text, refusals[i].names, refusals[i].code);
  }
  refused ("{}", "pentimento", PMT_ERROR_INPUT);
  refused ("{\"task\": \"generate\"}", "pentimento", PMT_ERROR_INPUT);
  refused ("{\"pentimento\": \"1\", \"task\": \"generate\"}", "pentimento", PMT_ERROR_INPUT);
  refused ("{\"pentimento\": 2, \"task\": \"generate\"}", "version 2", PMT_ERROR_UNSUPPORTED);
  refused ("{\"pentimento\": 1}", "task", PMT_ERROR_INPUT);
  refused ("{\"pentimento\": 1, \"task\": \"paint\"}", "task", PMT_ERROR_INPUT);
  refused ("{\"pentimento\": 1, \"task\": 0}", "task", PMT_ERROR_INPUT);
}

/* Internal methods follow from the request; naming them would run them twice. */
static void
test_internal_methods_are_refused (void)
{
  int internal = 0;

  for (int i = 0; pmt_methods[i]; i++)
    if (pmt_methods[i]->internal) {
      g_autofree char *text = g_strdup_printf ("{\"pentimento\": 1, \"task\": \"generate\", \"methods\": [{\"id\": \"%s\"}]}",
                                               pmt_methods[i]->id);
      refused (text, pmt_methods[i]->id, PMT_ERROR_INPUT);
      internal++;
    }
  g_assert_cmpint (internal, >, 0);
}

static void
test_tables (void)
{
  g_autoptr (JsonNode) node = pmt_tasks_to_json ();
  JsonObject *tasks = json_node_get_object (node);

  for (PmtTask task = PMT_TASK_GENERATE; task <= PMT_TASK_FILL; task++) {
    JsonArray *table = json_object_get_array_member (tasks, pmt_task_name (task));
    guint n = 0;

    while (pmt_job_params (task)[n].id)
      n++;
    g_assert_cmpuint (json_array_get_length (table), ==, n);
    for (guint i = 0; i < n; i++) {
      const PmtParam *p = &pmt_job_params (task)[i];
      g_assert_cmpstr (json_object_get_string_member (json_array_get_object_element (table, i), "id"), ==, p->id);
      g_assert_true (p->label && p->help && g_str_has_suffix (p->help, "."));
      if (p->type == PMT_PARAM_INT || p->type == PMT_PARAM_DOUBLE)
        g_assert_true (p->min <= p->fallback && p->fallback <= p->max);
    }
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/job/parse/defaults", test_defaults);
  g_test_add_func ("/job/parse/ways", test_ways);
  g_test_add_func ("/job/parse/everything", test_everything);
  g_test_add_func ("/job/parse/modes", test_modes);
  g_test_add_func ("/job/parse/refusals", test_refusals);
  g_test_add_func ("/job/parse/internal-methods-are-refused", test_internal_methods_are_refused);
  g_test_add_func ("/job/tables", test_tables);
  return g_test_run ();
}
