/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The part of a recipe that says what the job brought. Pictures keep their names, and the sum by which they are known again. */
#include "engine/job/private.h"

static void
set_text (JsonObject *object, const char *name, const char *text)
{
  if (text && text[0])
    json_object_set_string_member (object, name, text);
}

static JsonArray *
controls_of (const PmtJobExtras *extras, const PmtJobPlan *plan)
{
  JsonArray *array = json_array_new ();

  for (int i = 0; i < extras->n_controls; i++) {
    const PmtJobControl *control = &extras->controls[i];
    JsonObject *object = json_object_new ();
    json_object_set_string_member (object, "type", control->type);
    set_text (object, "image", control->image);
    set_text (object, "image-hash", plan->control_hash[i]);
    set_text (object, "model", control->model);
    set_text (object, "preprocess", control->preprocess);
    json_object_set_double_member (object, "strength", control->strength);
    json_object_set_double_member (object, "start", control->start);
    json_object_set_double_member (object, "end", control->end);
    json_object_set_boolean_member (object, "guess", control->guess);
    json_array_add_object_element (array, object);
  }
  return array;
}

static JsonArray *
references_of (const PmtJobExtras *extras, const PmtJobPlan *plan)
{
  JsonArray *array = json_array_new ();

  for (int i = 0; i < extras->n_references; i++) {
    const PmtJobReference *reference = &extras->references[i];
    JsonObject *object = json_object_new ();
    json_object_set_string_member (object, "image", reference->image);
    set_text (object, "image-hash", plan->reference_hash[i]);
    json_object_set_string_member (object, "model", reference->model);
    set_text (object, "encoder", reference->encoder);
    json_object_set_double_member (object, "strength", reference->strength);
    json_object_set_double_member (object, "start", reference->start);
    json_object_set_double_member (object, "end", reference->end);
    json_array_add_object_element (array, object);
  }
  return array;
}

static JsonObject *
layout_of (const PmtJobExtras *extras)
{
  JsonObject *layout = json_object_new ();
  JsonArray *boxes = json_array_new ();

  for (int i = 0; i < extras->n_boxes; i++) {
    const PmtJobBox *box = &extras->boxes[i];
    const double sides[] = { box->x0, box->y0, box->x1, box->y1 };
    JsonObject *object = json_object_new ();
    JsonArray *array = json_array_new ();
    for (gsize k = 0; k < G_N_ELEMENTS (sides); k++)
      json_array_add_double_element (array, sides[k]);
    json_object_set_array_member (object, "box", array);
    json_object_set_string_member (object, "phrase", box->phrase);
    json_array_add_object_element (boxes, object);
  }
  set_text (layout, "model", extras->layout_model);
  json_object_set_double_member (layout, "beta", extras->layout_beta);
  json_object_set_array_member (layout, "boxes", boxes);
  return layout;
}

static JsonArray *
regions_of (const PmtJobExtras *extras, const PmtJobPlan *plan)
{
  JsonArray *regions = json_array_new ();

  for (int i = 0; i < extras->n_regions; i++) {
    const PmtJobRegionPrompt *region = &extras->regions[i];
    const double sides[] = { region->x0, region->y0, region->x1, region->y1 };
    JsonObject *object = json_object_new ();
    set_text (object, "mask", region->mask);
    set_text (object, "mask-hash", plan->region_hash[i]);
    if (!region->mask[0]) {
      JsonArray *box = json_array_new ();
      for (gsize k = 0; k < G_N_ELEMENTS (sides); k++)
        json_array_add_double_element (box, sides[k]);
      json_object_set_array_member (object, "box", box);
    }
    json_object_set_string_member (object, "prompt", region->prompt);
    json_object_set_double_member (object, "weight", region->weight);
    json_array_add_object_element (regions, object);
  }
  return regions;
}

static JsonArray *
loras_of (const PmtJobExtras *extras)
{
  JsonArray *array = json_array_new ();

  for (int i = 0; i < extras->n_loras; i++) {
    JsonObject *object = json_object_new ();
    json_object_set_string_member (object, "path", extras->loras[i].path);
    json_object_set_double_member (object, "strength", extras->loras[i].strength);
    json_object_set_double_member (object, "text-strength", extras->loras[i].text_strength);
    json_array_add_object_element (array, object);
  }
  return array;
}

static JsonArray *
words_of (const PmtJobExtras *extras)
{
  JsonArray *array = json_array_new ();

  for (int i = 0; i < extras->n_words; i++) {
    JsonObject *object = json_object_new ();
    json_object_set_string_member (object, "path", extras->words[i].path);
    set_text (object, "word", extras->words[i].word);
    json_array_add_object_element (array, object);
  }
  return array;
}

void
pmt_job_extras_recipe (const PmtJob *job, const PmtJobPlan *plan, JsonObject *recipe)
{
  const PmtJobExtras *extras = &job->extras;

  if (extras->n_controls)
    json_object_set_array_member (recipe, "controls", controls_of (extras, plan));
  if (extras->n_references)
    json_object_set_array_member (recipe, "references", references_of (extras, plan));
  if (extras->n_boxes)
    json_object_set_object_member (recipe, "layout", layout_of (extras));
  if (extras->n_regions)
    json_object_set_array_member (recipe, "region-prompts", regions_of (extras, plan));
  if (extras->n_loras)
    json_object_set_array_member (recipe, "loras", loras_of (extras));
  if (extras->n_words)
    json_object_set_array_member (recipe, "embeddings", words_of (extras));
  if (extras->lora_folders && extras->lora_folders[0]) {
    JsonArray *folders = json_array_new ();
    for (char **folder = extras->lora_folders; *folder; folder++)
      json_array_add_string_element (folders, *folder);
    json_object_set_array_member (recipe, "lora-folders", folders);
  }
  if (extras->clip_skip)
    json_object_set_int_member (recipe, "clip-skip", extras->clip_skip);
}
