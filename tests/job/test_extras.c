/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a job brings beside prompt and picture: how it is read, what the networks get to see, what the recipe keeps, what is refused. */
#include <math.h>
#include <string.h>

#include "engine/job/private.h"

static PmtJob *
parse (const char *fields, const char *task, GError **error)
{
  g_autofree char *text = g_strdup_printf ("{'pentimento': 1, 'task': '%s', 'model': 'MODEL', 'seed': 5, 'steps': 2, %s}", task, fields);
  g_autofree char *model = g_build_filename (g_getenv ("PMT_TEST_DATA"), "runs", "tiny", NULL);
  g_autoptr (JsonParser) parser = json_parser_new ();
  GString *json = g_string_new (text);
  GError *problem = NULL;
  PmtJob *job;

  g_string_replace (json, "'", "\"", 0);
  g_string_replace (json, "MODEL", model, 0);
  json_parser_load_from_data (parser, json->str, -1, &problem);
  g_assert_no_error (problem);
  job = pmt_job_parse (json_node_get_object (json_parser_get_root (parser)), error);
  g_string_free (json, TRUE);
  return job;
}

static PmtJob *
parse_good (const char *fields, const char *task)
{
  GError *error = NULL;
  PmtJob *job = parse (fields, task, &error);

  g_assert_no_error (error);
  return job;
}

#define EVERYTHING                                                                                                                   \
  "'controls': [{'type': 'canny', 'image': 'control-0', 'model': '/c', 'strength': 0.5, 'start': 0.1, 'end': 0.9, 'guess': true},"    \
  " {'type': 'depth', 'image': 'control-0'}, {'type': 'inpaint', 'model': '/i'}],"                                                   \
  " 'references': [{'image': 'reference-0', 'model': '/a', 'encoder': '/e', 'strength': 0.25}],"                                      \
  " 'layout': {'model': '/g', 'beta': 1, 'boxes': [{'box': [0, 0.25, 0.5, 1], 'phrase': 'a house'}]},"                                \
  " 'loras': [{'path': '/l'}, {'path': '/m', 'strength': -0.5}, {'path': '/n', 'text-strength': 0}],"                                 \
  " 'embeddings': [{'path': '/w'}, {'path': '/x', 'word': 'cat'}], 'clip-skip': 2"

static void
test_parse (void)
{
  PmtJob *job = parse_good (EVERYTHING, "generate");
  const PmtJobExtras *x = &job->extras;
  g_autoptr (GPtrArray) names = pmt_job_picture_names (job);

  g_assert_cmpint (x->n_controls, ==, 3);
  g_assert_cmpstr (x->controls[0].type, ==, "canny");
  g_assert_cmpstr (x->controls[0].image, ==, "control-0");
  g_assert_cmpstr (x->controls[0].model, ==, "/c");
  g_assert_true (x->controls[0].strength == 0.5 && x->controls[0].start == 0.1 && x->controls[0].end == 0.9 && x->controls[0].guess);
  g_assert_true (x->controls[1].strength == 1 && x->controls[1].start == 0 && x->controls[1].end == 1 && !x->controls[1].guess);
  g_assert_cmpstr (x->controls[1].model, ==, "");
  g_assert_cmpstr (x->controls[2].image, ==, "");
  g_assert_cmpint (x->n_references, ==, 1);
  g_assert_cmpstr (x->references[0].encoder, ==, "/e");
  g_assert_true (x->references[0].strength == 0.25 && x->references[0].end == 1);
  g_assert_cmpstr (x->layout_model, ==, "/g");
  g_assert_true (x->layout_beta == 1 && x->n_boxes == 1 && x->boxes[0].x0 == 0 && x->boxes[0].y0 == 0.25 && x->boxes[0].x1 == 0.5);
  g_assert_cmpstr (x->boxes[0].phrase, ==, "a house");
  g_assert_cmpint (x->n_loras, ==, 3);
  g_assert_true (x->loras[0].strength == 1 && x->loras[0].text_strength == 1);
  g_assert_true (x->loras[1].strength == -0.5 && x->loras[1].text_strength == -0.5);
  g_assert_true (x->loras[2].strength == 1 && x->loras[2].text_strength == 0);
  g_assert_cmpint (x->n_words, ==, 2);
  g_assert_cmpstr (x->words[0].word, ==, "");
  g_assert_cmpstr (x->words[1].word, ==, "cat");
  g_assert_cmpint (x->clip_skip, ==, 2);
  g_assert_cmpuint (names->len, ==, 2);
  g_assert_cmpstr (g_ptr_array_index (names, 0), ==, "control-0");
  g_assert_cmpstr (g_ptr_array_index (names, 1), ==, "reference-0");
  pmt_job_free (job);

  job = parse_good ("'layout': {'boxes': [{'box': [0, 0, 1, 1], 'phrase': ''}]}, 'controls': [], 'loras': []", "fill");
  g_assert_true (job->extras.layout_beta == 0.3 && job->extras.n_controls == 0);
  pmt_job_free (job);
}

#define CONTROL "'controls': [{'model': '/c', 'image': 'a'"
#define BOX "'layout': {'boxes': [{'phrase': 'a', 'box': "

/* Fields, and the sentence that refuses them. */
static const struct {
  const char *fields, *says;
} refusals[] = {
  { "'controls': {}", "The job's field \"controls\" has to be a list of at most 8 objects; change it." },
  { "'controls': [3]", "The job's field \"controls\" has to be a list of objects; change it." },
  { CONTROL ", 'strenght': 1}]", "In control 1 there is no parameter \"strenght\"; it takes type, image, model, strength, start, end, preprocess, guess." },
  { CONTROL ", 'strength': 11}]", "In control 1, \"strength\" has to be from 0 to 10; change its value." },
  { CONTROL ", 'strength': -1}]", "In control 1, \"strength\" has to be from 0 to 10; change its value." },
  { CONTROL ", 'strength': '1'}]", "In control 1, \"strength\" has to be a number; change its value." },
  { CONTROL ", 'start': 0.8, 'end': 0.5}]",
    "In control 1, \"start\" is 0.8 and has to be below \"end\", which is 0.5; change one of them." },
  { CONTROL ", 'end': 1.5}]", "In control 1, \"end\" has to be from 0 to 1; change its value." },
  { CONTROL ", 'guess': 1}]", "In control 1, \"guess\" has to be true or false; change its value." },
  { CONTROL ", 'type': 'cany'}]",
    "In control 1, \"type\" has to be one of canny, scribble, sketch, lineart, softedge, mlsd, depth, normal, seg, openpose, color, inpaint, tile, "
    "shuffle, ip2p, other; change its value." },
  { CONTROL ", 'image-hash': 3}]", "The job's field \"image-hash (control 1)\" has to be a string; change it." },
  { CONTROL "}, {'type': 'canny', 'image': 'a'}]", "In control 2 there is no \"model\"; give the file or folder of a ControlNet or T2I-Adapter." },
  { CONTROL ", 'preprocess': 'magic'}]", "There is no preprocessor \"magic\"" },
  { "'references': 3", "The job's field \"references\" has to be a list of at most 8 objects; change it." },
  { "'references': [{'model': '/a'}]", "In reference 1 there is no \"image\"; give the picture to take after." },
  { "'references': [{'image': 'a'}]", "In reference 1 there is no \"model\"; give the file of an IP-Adapter." },
  { "'references': [{'image': 'a', 'model': '/a', 'guess': true}]", "In reference 1 there is no parameter \"guess\"" },
  { "'region-prompts': {}", "The job's field \"region-prompts\" has to be a list of at most 16 objects" },
  { "'region-prompts': [1]", "The job's field \"region-prompts\" has to be a list of at most 16 objects" },
  { "'region-prompts': [{'box': [0, 0, 1], 'prompt': 'a'}]", "The job's field \"region-prompts.box\" has to be a list of four numbers; change it." },
  { "'region-prompts': [{'box': [0, 0, 0, 1], 'prompt': 'a'}]", "The box of region 1 is [0, 0, 0, 1]; give left, top, right and bottom" },
  { "'region-prompts': [{'box': [0, 0, 1, 1], 'prompt': ''}]", "Region 1 needs a \"prompt\" and either a \"box\" or a \"mask\"; give these." },
  { "'region-prompts': [{'box': [0, 0, 1, 1], 'mask': 'm', 'prompt': 'a'}]", "Region 1 needs a \"prompt\" and either a \"box\" or a \"mask\"" },
  { "'region-prompts': [{'mask': 'm', 'prompt': 'a', 'size': 1}]", "The job's field \"region-prompts\" has to be a list of at most 16" },
  { "'region-prompts': [{'mask': 'm', 'prompt': 'a', 'weight': 0}]", "The job's field \"region-prompts.weight\" has to be a number" },
  { "'layout': []", "The job's field \"layout\" has to be an object; change it." },
  { "'layout': {}", "The job's field \"layout.boxes\" has to be a list of at least one box; change it." },
  { "'layout': {'boxes': [[0, 0, 1, 1]]}",
    "The job's field \"layout.boxes\" has to be a list of {\"box\": [x0, y0, x1, y1], \"phrase\": text}; change it." },
  { BOX "[0, 0, 1]}]}", "The job's field \"layout.boxes\" has to be a list of" },
  { BOX "[0, 0, 1, '1']}]}", "The job's field \"layout.boxes\" has to be boxes of four numbers; change it." },
  { BOX "[0, 0, 1.5, 1]}]}", "Box 1 of the layout reaches to 1.5, outside the picture; its sides are parts of the picture, from 0 to 1." },
  { BOX "[0, -0.1, 1, 1]}]}", "Box 1 of the layout reaches to -0.1, outside the picture; its sides are parts of the picture, from 0 to 1." },
  { BOX "[0.5, 0, 0.5, 1]}]}", "Box 1 of the layout, [0.5, 0, 0.5, 1], is empty; give left, top, right and bottom in this order." },
  { "'layout': {'beta': 2, 'boxes': []}", "In the layout, \"beta\" has to be from 0 to 1; change its value." },
  { "'layout': {'size': 2}", "In the layout there is no parameter \"size\"" },
  { "'loras': [{}]", "In lora 1 there is no \"path\"; give the file of a LoRA." },
  { "'loras': [{'path': 'l', 'strength': 12}]", "In lora 1, \"strength\" has to be from -10 to 10; change its value." },
  { "'embeddings': [{'word': 'w'}]", "In embedding 1 there is no \"path\"; give the file of a learned word." },
  { "'clip-skip': 13", "The job's field \"clip-skip\" has to be a whole number from 0 to 12; change it." },
  { "'clip-skip': 1.5", "The job's field \"clip-skip\" has to be a whole number from 0 to 12; change it." },
};

static void
test_refusals (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (refusals); i++) {
    g_autoptr (GError) error = NULL;
    PmtJob *job = parse (refusals[i].fields, "generate", &error);

    if (job || !error || !strstr (error->message, refusals[i].says))
      g_error ("%s: %s", refusals[i].fields, error ? error->message : "taken");
    g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
  }
}

/* One more than there may be of each. */
static void
test_limits (void)
{
  const struct {
    const char *open, *one, *close;
    int most;
    const char *says;
  } cases[] = {
    { "'layout': {'boxes': [", "{'box': [0, 0, 1, 1], 'phrase': 'a'}", "]}", 30,
      "The layout has 31 boxes, and its networks know at most 30; leave 1 out." },
    { "'controls': [", "{'model': 'a', 'image': 'b'}", "]", 8, "a list of at most 8 objects" },
    { "'references': [", "{'model': 'a', 'image': 'b'}", "]", 8, "a list of at most 8 objects" },
    { "'loras': [", "{'path': 'a'}", "]", 32, "a list of at most 32 objects" },
    { "'embeddings': [", "{'path': 'a'}", "]", 64, "a list of at most 64 objects" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    for (int over = 0; over <= 1; over++) {
      g_autoptr (GString) text = g_string_new (cases[i].open);
      g_autoptr (GError) error = NULL;
      PmtJob *job;
      for (int k = 0; k < cases[i].most + over; k++)
        g_string_append_printf (text, "%s%s", k ? ", " : "", cases[i].one);
      g_string_append (text, cases[i].close);
      job = parse (text->str, "generate", &error);
      if (!over) {
        g_assert_no_error (error);
        pmt_job_free (job);
      } else if (job || !strstr (error->message, cases[i].says))
        g_error ("%s %d: %s", cases[i].open, cases[i].most + 1, error ? error->message : "taken");
    }
}

/* ---- what the networks see ---- */

static PmtPicture
picture_of (int width, int height, float red, float green, float blue, float alpha)
{
  PmtPicture picture;
  GError *error = NULL;

  pmt_picture_init (&picture, width, height, 4, &error);
  g_assert_no_error (error);
  for (int i = 0; i < width * height; i++)
    memcpy (picture.data + 4 * i, (float[]) { red, green, blue, alpha }, 4 * sizeof (float));
  return picture;
}

typedef struct Planned {
  PmtJob *job;
  PmtModel *model;
  PmtJobPlan plan;
  PmtRequest request;
} Planned;

static void
plan (Planned *p, const char *fields, const char *task, const PmtJobInputs *inputs)
{
  GError *error = NULL;

  p->job = parse_good (fields, task);
  p->model = pmt_model_open (p->job->model, &error);
  g_assert_no_error (error);
  g_assert_true (pmt_job_extras_check (p->job, inputs, &error));
  g_assert_true (pmt_job_plan_sizes (p->job, p->model, inputs, &p->plan, &error));
  if (!pmt_job_plan_pixels (p->job, p->model, inputs, &p->plan, &error))
    g_error ("%s", error->message);
  pmt_job_request (p->job, p->model, &p->plan, &p->request);
}

static void
plan_end (Planned *p)
{
  pmt_job_plan_clear (p->job, &p->plan);
  pmt_model_unref (p->model);
  pmt_job_free (p->job);
}

static gboolean
has_note (const Planned *p, const char *text)
{
  for (guint i = 0; i < p->plan.notes->len; i++)
    if (strstr (g_ptr_array_index (p->plan.notes, i), text))
      return TRUE;
  return FALSE;
}

static void
assert_pixel (const float *pixel, double red, double green, double blue)
{
  if (fabs (pixel[0] - red) > 1e-5 || fabs (pixel[1] - green) > 1e-5 || fabs (pixel[2] - blue) > 1e-5)
    g_error ("(%g, %g, %g) where (%g, %g, %g) is expected", pixel[0], pixel[1], pixel[2], red, green, blue);
}

static void
test_request (void)
{
  PmtPicture sheet = picture_of (64, 48, 0.2f, 0.4f, 0.6f, 0.5f), small = picture_of (20, 10, 1, 0, 0, 1);
  PmtPicture image = picture_of (64, 48, 0.5f, 0.25f, 0.75f, 1), mask = { 64, 48, 1, NULL };
  const PmtNamedPicture pictures[] = { { "reference-0", &small }, { "control-0", &sheet } };
  PmtJobInputs inputs = { .image = &image, .mask = &mask, .pictures = pictures, .n_pictures = 2 };
  Planned p;

  mask.data = pmt_pixels_new (64 * 48, NULL);
  mask.data[100] = 1;
  plan (&p, EVERYTHING ", 'size': [64, 48]", "generate", &inputs);
  g_assert_cmpint (p.request.n_controls, ==, 2); /* the depth is none */
  assert_pixel (p.request.controls[0].image, 0.6, 0.7, 0.8); /* over white */
  g_assert_cmpstr (p.request.controls[0].model, ==, "/c");
  g_assert_true (p.request.controls[0].strength == 0.5 && p.request.controls[0].guess);
  /* inpaint: the job's own image, with -1 under the mask */
  assert_pixel (p.request.controls[1].image, 0.5, 0.25, 0.75);
  assert_pixel (p.request.controls[1].image + 300, -1, -1, -1);
  assert_pixel (p.request.controls[1].image + 303, 0.5, 0.25, 0.75);
  g_assert_nonnull (p.request.depth);
  g_assert_cmpfloat_with_epsilon (p.request.depth[0], 0.7, 1e-5);
  g_assert_cmpint (p.request.n_references, ==, 1);
  g_assert_true (p.request.references[0].width == 20 && p.request.references[0].height == 10);
  assert_pixel (p.request.references[0].image, 1, 0, 0);
  g_assert_cmpint (p.request.layout.n_boxes, ==, 1);
  g_assert_cmpstr (p.request.layout.boxes[0].phrase, ==, "a house");
  g_assert_cmpstr (p.request.layout.model, ==, "/g");
  g_assert_cmpint (p.request.n_weight_edits, ==, 3);
  g_assert_cmpstr (p.request.weight_edits[1].path, ==, "/m");
  g_assert_cmpint (p.request.n_words, ==, 2);
  g_assert_null (p.request.words[0].word);
  g_assert_cmpstr (p.request.words[1].word, ==, "cat");
  g_assert_cmpint (p.request.clip_skip, ==, 2);
  g_assert_cmpuint (p.plan.notes->len, ==, 0);
  plan_end (&p);
  pmt_picture_clear (&sheet);
  pmt_picture_clear (&small);
  pmt_picture_clear (&image);
  pmt_picture_clear (&mask);
}

/* Boxes and masks with prompts of their own come through to the request and back into a recipe. */
static void
test_region_prompts (void)
{
  PmtPicture sheet = picture_of (32, 24, 0, 0, 0, 1);
  const PmtNamedPicture pictures[] = { { "m", &sheet } };
  PmtJobInputs inputs = { .pictures = pictures, .n_pictures = 1 };
  Planned p;

  for (int y = 0; y < 24; y++)
    for (int x = 16; x < 32; x++)
      for (int c = 0; c < 3; c++)
        sheet.data[4 * (y * 32 + x) + c] = 1;
  sheet.data[4 * 31 + 3] = 0.25f; /* nearly transparent: outside */
  plan (&p, "'size': [64, 48], 'region-prompts': [{'box': [0, 0.25, 0.5, 1], 'prompt': 'a house', 'weight': 2}, {'mask': 'm', 'prompt': 'red'}]",
        "generate", &inputs);
  g_assert_cmpint (p.request.n_regions, ==, 2);
  const PmtRegionPrompt *r = p.request.regions;
  g_assert_true (r[0].x0 == 0 && r[0].y0 == 0.25 && r[0].x1 == 0.5 && r[0].y1 == 1 && r[0].weight == 2 && !r[0].mask);
  g_assert_cmpstr (r[0].prompt, ==, "a house");
  g_assert_cmpstr (r[1].prompt, ==, "red");
  g_assert_true (r[1].weight == 1 && r[1].mask);
  for (int i = 0; i < 64 * 48; i++)
    g_assert_true ((r[1].mask[i] >= 0.5f) == (i % 64 >= 32 && !(i % 64 >= 62 && i / 64 < 2)));
  g_assert_true (has_note (&p, "The mask \"m\" is 32×24 pixels and was scaled to fit the run's 64×48."));
  JsonObject *recipe = json_object_new ();
  pmt_job_extras_recipe (p.job, &p.plan, recipe);
  JsonArray *regions = json_object_get_array_member (recipe, "region-prompts");
  g_assert_cmpuint (json_array_get_length (regions), ==, 2);
  JsonObject *first = json_array_get_object_element (regions, 0), *second = json_array_get_object_element (regions, 1);
  g_assert_cmpfloat (json_array_get_double_element (json_object_get_array_member (first, "box"), 1), ==, 0.25);
  g_assert_cmpfloat (json_object_get_double_member (first, "weight"), ==, 2);
  g_assert_cmpstr (json_object_get_string_member (second, "mask"), ==, "m");
  g_assert_cmpuint (strlen (json_object_get_string_member (second, "mask-hash")), ==, 64);
  json_object_unref (recipe);
  plan_end (&p);
  pmt_picture_clear (&sheet);
}

static void
test_other_size_is_scaled_and_said (void)
{
  PmtPicture sheet = picture_of (30, 20, 0, 0, 0, 1);
  const PmtNamedPicture pictures[] = { { "s", &sheet } };
  PmtJobInputs inputs = { .pictures = pictures, .n_pictures = 1 };
  Planned p;

  for (int y = 0; y < 20; y++)
    for (int x = 15; x < 30; x++)
      sheet.data[4 * (y * 30 + x)] = 1;
  plan (&p, "'size': [64, 48], 'controls': [{'type': 'canny', 'model': '/c', 'image': 's'}, {'type': 'seg', 'model': '/s', 'image': 's'},"
            "{'type': 'shuffle', 'model': '/u', 'image': 's'}]",
        "generate", &inputs);
  g_assert_true (p.request.controls[2].pool && !p.request.controls[0].pool && !p.request.controls[1].pool);
  g_assert_true (has_note (&p, "The control picture \"s\" is 30×20 pixels and was scaled to fit the run's 64×48."));
  assert_pixel (p.request.controls[0].image + 3 * (24 * 64 + 4), 0, 0, 0);
  assert_pixel (p.request.controls[0].image + 3 * (24 * 64 + 60), 1, 0, 0);
  for (int i = 0; i < 64 * 48; i++) {
    const float smooth = p.request.controls[0].image[3 * i], flat = p.request.controls[1].image[3 * i];
    g_assert_true (smooth >= 0 && smooth <= 1);
    g_assert_true (flat == (i % 64 >= 32)); /* classes are not mixed */
  }
  plan_end (&p);
  pmt_picture_clear (&sheet);
}

/* The control picture covers the canvas, as the image does, or the context alone. */
static void
test_fill_takes_its_context (void)
{
  PmtPicture image = picture_of (200, 160, 0.5f, 0.5f, 0.5f, 1), mask = { 200, 160, 1, NULL }, sheet = picture_of (200, 160, 0, 0, 0, 1), part;
  const PmtNamedPicture pictures[] = { { "s", &sheet }, { "t", &part } };
  PmtJobInputs inputs = { .image = &image, .mask = &mask, .pictures = pictures, .n_pictures = 1 };
  const char *fields = "'controls': [{'type': 'canny', 'model': '/c', 'image': 's'}], 'region': {'grow': 0, 'feather': 0,"
                       " 'canvas': [200, 160], 'selection': [110, 70, 20, 20], 'context': [100, 60, 64, 48]}, 'size': [64, 48]";
  GError *error = NULL;
  Planned p, q;

  mask.data = pmt_pixels_new (200 * 160, NULL);
  for (int y = 70; y < 90; y++)
    for (int x = 110; x < 130; x++)
      mask.data[y * 200 + x] = 1;
  for (int i = 0; i < 200 * 160; i++) {
    sheet.data[4 * i] = (float) (i % 200) / 200;
    sheet.data[4 * i + 1] = (float) (i / 200) / 160;
  }
  plan (&p, fields, "fill", &inputs);
  g_assert_cmpuint (p.plan.notes->len, ==, 0);
  g_assert_true (p.plan.width == 64 && p.plan.height == 48);
  assert_pixel (p.request.controls[0].image, 100.0 / 200, 60.0 / 160, 0);
  assert_pixel (p.request.controls[0].image + 3 * (47 * 64 + 63), 163.0 / 200, 107.0 / 160, 0);

  /* cut to the context already: the same */
  pmt_picture_crop (&sheet, &(PmtBox) { 100, 60, 64, 48 }, &part, &error);
  g_assert_no_error (error);
  inputs.n_pictures = 2;
  plan (&q, "'controls': [{'type': 'canny', 'model': '/c', 'image': 't'}], 'region': {'grow': 0, 'feather': 0,"
            " 'canvas': [200, 160], 'selection': [110, 70, 20, 20], 'context': [100, 60, 64, 48]}, 'size': [64, 48]", "fill", &inputs);
  g_assert_cmpuint (q.plan.notes->len, ==, 0);
  g_assert_cmpmem (p.request.controls[0].image, 64 * 48 * 12, q.request.controls[0].image, 64 * 48 * 12);
  plan_end (&p);
  plan_end (&q);
  pmt_picture_clear (&image);
  pmt_picture_clear (&mask);
  pmt_picture_clear (&sheet);
  pmt_picture_clear (&part);
}

/* Methods that blend by themselves are for the plain network. */
static void
test_fill_by_a_method (void)
{
  static const struct {
    const char *fields;
    bool fill;
  } jobs[] = { { "'steps': 4", true }, { "'methods': [{'id': 'word-maps', 'words': 'house'}]", true }, { "'methods': [{'id': 'blended-latent'}]", false },
               { "'methods': [{'id': 'diffedit', 'source': 'a house'}]", false } };
  PmtPicture image = picture_of (64, 64, 0.5f, 0.5f, 0.5f, 1), mask = { 64, 64, 1, NULL };
  PmtJobInputs inputs = { .image = &image, .mask = &mask };

  mask.data = pmt_pixels_new (64 * 64, NULL);
  for (int i = 0; i < 64 * 64; i++)
    mask.data[i] = 1;
  for (gsize i = 0; i < G_N_ELEMENTS (jobs); i++) {
    Planned p;
    plan (&p, jobs[i].fields, "fill", &inputs);
    g_assert_true (p.request.fill == jobs[i].fill);
    plan_end (&p);
  }
  pmt_picture_clear (&image);
  pmt_picture_clear (&mask);
}

static void
test_preprocess (void)
{
  PmtPicture sheet = picture_of (64, 48, 0, 0, 0, 1);
  const PmtNamedPicture pictures[] = { { "s", &sheet } };
  PmtJobInputs inputs = { .pictures = pictures, .n_pictures = 1 };
  Planned p;
  int lit = 0;

  for (int i = 0; i < 64 * 48; i++)
    if (i % 64 >= 32)
      for (int c = 0; c < 3; c++)
        sheet.data[4 * i + c] = 1;
  plan (&p, "'size': [64, 48], 'controls': [{'type': 'canny', 'model': '/c', 'image': 's', 'preprocess': 'canny'}]", "generate", &inputs);
  for (int i = 0; i < 64 * 48; i++) {
    const float *pixel = p.request.controls[0].image + 3 * i;
    g_assert_true (pixel[0] == 0 || pixel[0] == 1);
    lit += pixel[0] == 1;
    g_assert_true (pixel[0] == 0 || (i % 64 >= 31 && i % 64 <= 32));
  }
  g_assert_cmpint (lit, ==, 48); /* one line down the middle */
  plan_end (&p);
  pmt_picture_clear (&sheet);
}

static void
refused_picture (const char *fields, const PmtJobInputs *inputs, const char *says)
{
  PmtJob *job = parse_good (fields, "generate");
  g_autoptr (GError) error = NULL;

  g_assert_false (pmt_job_run (job, NULL, inputs, NULL, NULL, &error)); /* before the model is looked at */
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
  g_assert_cmpstr (error->message, ==, says);
  pmt_job_free (job);
}

static void
test_missing_pictures (void)
{
  PmtPicture sheet = picture_of (64, 48, 0, 0, 0, 1);
  const PmtNamedPicture pictures[] = { { "control-1", &sheet } };
  const PmtJobInputs inputs = { .pictures = pictures, .n_pictures = 1 };

  refused_picture (CONTROL "}]", &inputs, "The picture \"a\" of control 1 was not given; send it with the job, or name another.");
  refused_picture ("'controls': [{'image': 'control-1', 'model': 'm'}], 'references': [{'image': 'b', 'model': 'm'}]", &inputs,
                   "The picture \"b\" of reference 1 was not given; send it with the job, or name another.");
  refused_picture ("'controls': [{'model': 'm'}]", &inputs,
                   "The control 1 names no picture, and the job has no image to take instead; give one of them.");
  pmt_picture_clear (&sheet);
}

static void
test_recipe (void)
{
  PmtPicture sheet = picture_of (64, 48, 0.2f, 0.4f, 0.6f, 1), small = picture_of (20, 10, 1, 0, 0, 1);
  PmtPicture image = picture_of (64, 48, 0.5f, 0.25f, 0.75f, 1);
  const PmtNamedPicture pictures[] = { { "reference-0", &small }, { "control-0", &sheet } };
  PmtJobInputs inputs = { .image = &image, .pictures = pictures, .n_pictures = 2 };
  g_autofree char *first = NULL, *second = NULL;
  GError *error = NULL;
  JsonObject *recipe;
  JsonNode *node = json_node_new (JSON_NODE_OBJECT);
  Planned p;
  PmtJob *again;
  PmtJobPlan plan_again;

  plan (&p, EVERYTHING ", 'size': [64, 48]", "generate", &inputs);
  recipe = pmt_job_recipe (p.job, p.model, &p.plan, 5);
  json_node_set_object (node, recipe);
  first = json_to_string (node, FALSE);
  g_assert_nonnull (strstr (first, "\"image\":\"control-0\",\"image-hash\":\""));
  again = pmt_job_parse (recipe, &error);
  g_assert_no_error (error);
  json_object_unref (recipe);
  g_assert_cmpuint (strlen (again->extras.controls[0].image_hash), ==, 64);
  g_assert_cmpstr (again->extras.controls[0].image_hash, ==, again->extras.controls[1].image_hash);
  g_assert_cmpstr (again->extras.controls[0].image_hash, !=, again->extras.references[0].image_hash);

  /* the same pictures: the same recipe, and not a word */
  g_assert_true (pmt_job_plan_sizes (again, p.model, &inputs, &plan_again, &error));
  g_assert_true (pmt_job_plan_pixels (again, p.model, &inputs, &plan_again, &error));
  g_assert_cmpuint (plan_again.notes->len, ==, 0);
  recipe = pmt_job_recipe (again, p.model, &plan_again, 5);
  json_node_set_object (node, recipe);
  second = json_to_string (node, FALSE);
  g_assert_cmpstr (first, ==, second);
  json_object_unref (recipe);
  pmt_job_plan_clear (again, &plan_again);

  /* another one is taken, and told */
  small.data[5] += 0.25f;
  g_assert_true (pmt_job_plan_sizes (again, p.model, &inputs, &plan_again, &error));
  g_assert_true (pmt_job_plan_pixels (again, p.model, &inputs, &plan_again, &error));
  g_assert_cmpuint (plan_again.notes->len, ==, 1);
  g_assert_cmpstr (g_ptr_array_index (plan_again.notes, 0), ==,
                   "The picture \"reference-0\" is not the one that the recipe was made with, so the result will differ.");
  pmt_job_plan_clear (again, &plan_again);
  pmt_job_free (again);
  plan_end (&p);
  json_node_unref (node);
  pmt_picture_clear (&sheet);
  pmt_picture_clear (&small);
  pmt_picture_clear (&image);
}

/* Two depths without a network cannot both be the model's. */
static void
test_two_depths (void)
{
  PmtPicture sheet = picture_of (64, 64, 0.2f, 0.4f, 0.6f, 1);
  const PmtNamedPicture pictures[] = { { "s", &sheet } };
  const PmtJobInputs inputs = { .pictures = pictures, .n_pictures = 1 };
  PmtJob *job = parse_good ("'controls': [{'type': 'depth', 'image': 's'}, {'type': 'depth', 'image': 's'}]", "generate");
  PmtModelCache *cache = pmt_model_cache_new ();
  g_autoptr (GError) error = NULL;

  g_assert_false (pmt_job_run (job, cache, &inputs, NULL, NULL, &error));
  g_assert_cmpstr (error->message, ==,
                   "Two controls of type \"depth\" have no \"model\", and a depth model takes one depth; leave one of them out.");
  pmt_model_cache_free (cache);
  pmt_job_free (job);
  pmt_picture_clear (&sheet);
}

static void
test_tables (void)
{
  g_autoptr (JsonNode) node = pmt_job_extras_to_json ();
  JsonObject *object = json_node_get_object (node);

  g_assert_cmpuint (json_object_get_size (object), ==, PMT_EXTRA_LAST + 1);
  for (PmtExtraKind kind = PMT_EXTRA_CONTROLS; kind <= PMT_EXTRA_LAST; kind++)
    g_assert_cmpuint (json_array_get_length (json_object_get_array_member (object, pmt_job_extra_name (kind))), >=, 2);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/extras/parse", test_parse);
  g_test_add_func ("/extras/refusals", test_refusals);
  g_test_add_func ("/extras/limits", test_limits);
  g_test_add_func ("/extras/request", test_request);
  g_test_add_func ("/extras/region-prompts", test_region_prompts);
  g_test_add_func ("/extras/other-size", test_other_size_is_scaled_and_said);
  g_test_add_func ("/extras/fill-context", test_fill_takes_its_context);
  g_test_add_func ("/extras/fill-by-a-method", test_fill_by_a_method);
  g_test_add_func ("/extras/preprocess", test_preprocess);
  g_test_add_func ("/extras/missing-pictures", test_missing_pictures);
  g_test_add_func ("/extras/two-depths", test_two_depths);
  g_test_add_func ("/extras/recipe", test_recipe);
  g_test_add_func ("/extras/tables", test_tables);
  return g_test_run ();
}
