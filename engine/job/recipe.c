/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/base/cpu.h"
#include "engine/base/threads.h"
#include "engine/job/private.h"
#include "engine/kernels/packed.h"
#include "pentimento/protocol.h"

static JsonArray *
int_array (const int *values, int n)
{
  JsonArray *array = json_array_new ();

  for (int i = 0; i < n; i++)
    json_array_add_int_element (array, values[i]);
  return array;
}

static void
set_box (JsonObject *object, const char *name, const PmtBox *box)
{
  json_object_set_array_member (object, name, int_array ((int[]) { box->x, box->y, box->width, box->height }, 4));
}

static JsonObject *
region_of (const PmtJob *job, const PmtJobPlan *plan)
{
  static const char *const modes[] = { "auto", "selection", "whole" };
  JsonObject *region = json_object_new ();

  json_object_set_array_member (region, "canvas", int_array ((int[]) { plan->canvas_width, plan->canvas_height }, 2));
  set_box (region, "selection", &plan->selection);
  json_object_set_string_member (region, "mode", modes[job->region.mode]);
  json_object_set_double_member (region, "grow", plan->region.grow);
  json_object_set_double_member (region, "feather", plan->region.feather);
  json_object_set_double_member (region, "blend", plan->region.blend);
  set_box (region, "context", &plan->region.context);
  return region;
}

static JsonArray *
methods_of (const PmtJob *job)
{
  JsonArray *methods = json_array_new ();

  for (int i = 0; i < job->n_methods; i++) {
    g_autoptr (JsonNode) values = pmt_param_values_to_json (&job->methods[i].values);
    JsonObject *method = json_object_new (), *from = json_node_get_object (values);
    JsonObjectIter iter;
    const char *name;
    JsonNode *value;

    json_object_set_string_member (method, "id", job->methods[i].method->id);
    json_object_iter_init_ordered (&iter, from);
    while (json_object_iter_next_ordered (&iter, &name, &value))
      json_object_set_member (method, name, json_node_copy (value));
    json_array_add_object_element (methods, method);
  }
  return methods;
}

static const char *const predictions[] = {
  [PMT_PREDICT_EPSILON] = "epsilon", [PMT_PREDICT_V] = "v_prediction", [PMT_PREDICT_SAMPLE] = "sample"
};

static const char *const tilings[] = { [PMT_VAE_TILING_AUTO] = "auto", [PMT_VAE_TILING_ON] = "on", [PMT_VAE_TILING_OFF] = "off" };

static const char *const modes[] = { [PMT_MODE_FILL] = "fill",     [PMT_MODE_EXPAND] = "expand",   [PMT_MODE_ADD] = "add",
                                     [PMT_MODE_REMOVE] = "remove", [PMT_MODE_REPLACE] = "replace", [PMT_MODE_REFINE] = "refine" };

static void
add_fill (const PmtJob *job, JsonObject *recipe)
{
  json_object_set_string_member (recipe, "mode", modes[job->mode]);
  json_object_set_string_member (recipe, "prefill", job->prefill ? job->prefill->id : "none");
  json_object_set_boolean_member (recipe, "colour-match", job->colour_match);
  json_object_set_string_member (recipe, "colour-match-by", job->colour_shift_only ? "shift" : "lab");
  json_object_set_string_member (recipe, "seam", job->gradient_seam ? "gradient" : "feather");
}

JsonObject *
pmt_job_recipe (const PmtJob *job, PmtModel *model, const PmtJobPlan *plan, guint64 seed)
{
  JsonObject *recipe = json_object_new ();
  PmtCpuLevel level = PMT_CPU_PORTABLE;

  pmt_cpu_select (&level, NULL);
  json_object_set_int_member (recipe, "pentimento", PMT_RECIPE_VERSION);
  json_object_set_string_member (recipe, "task", pmt_task_name (job->task));
  json_object_set_string_member (recipe, "model", job->model);
  if (pmt_model_hash (model))
    json_object_set_string_member (recipe, "model-hash", pmt_model_hash (model));
  json_object_set_string_member (recipe, "prompt", job->prompt);
  json_object_set_string_member (recipe, "negative-prompt", job->negative);
  json_object_set_int_member (recipe, "seed", (gint64) seed);
  json_object_set_int_member (recipe, "variants", 1);
  json_object_set_string_member (recipe, "sampler", plan->choice.sampler->id);
  json_object_set_int_member (recipe, "steps", plan->choice.steps);
  if (job->stop_after)
    json_object_set_int_member (recipe, "stop-after", job->stop_after);
  if (job->task == PMT_TASK_EDIT) {
    json_object_set_double_member (recipe, "text-guidance", plan->choice.guidance);
    json_object_set_double_member (recipe, "image-guidance", job->image_guidance);
  } else {
    json_object_set_double_member (recipe, "guidance", plan->choice.guidance);
    if (plan->has_image)
      json_object_set_double_member (recipe, "strength", job->strength);
  }
  json_object_set_double_member (recipe, "eta", job->eta);
  json_object_set_string_member (recipe, "prompt-syntax", job->syntax == PMT_SYNTAX_A1111 ? "weights" : "plain");
  json_object_set_string_member (recipe, "long-prompts", job->long_prompts == PMT_LONG_CHUNKS ? "chunks" : "truncate");
  if (job->has_prediction)
    json_object_set_string_member (recipe, "prediction", predictions[job->prediction]);
  json_object_set_string_member (recipe, "vae-tiling", tilings[job->tiling]);
  if (job->taesd[0])
    json_object_set_string_member (recipe, "taesd", job->taesd);
  if (job->vae[0])
    json_object_set_string_member (recipe, "vae", job->vae);
  if (job->unet[0])
    json_object_set_string_member (recipe, "unet", job->unet);
  if (job->refiner[0]) {
    json_object_set_string_member (recipe, "refiner", job->refiner);
    json_object_set_double_member (recipe, "refiner-start", job->refiner_start);
  }
  pmt_job_full_recipe (job, recipe);
  if (job->task == PMT_TASK_GENERATE && plan->full_width)
    json_object_set_array_member (recipe, "size", int_array ((int[]) { plan->full_width, plan->full_height }, 2));
  else
    json_object_set_array_member (recipe, "size", int_array ((int[]) { plan->width, plan->height }, 2));
  if (job->task == PMT_TASK_FILL)
    add_fill (job, recipe);
  if (job->task != PMT_TASK_GENERATE)
    json_object_set_object_member (recipe, "region", region_of (job, plan));
  if (job->n_methods)
    json_object_set_array_member (recipe, "methods", methods_of (job));
  pmt_job_extras_recipe (job, plan, recipe);
  json_object_set_string_member (recipe, "precision", pmt_precision_name (pmt_model_precision (model)));
  json_object_set_int_member (recipe, "threads", pmt_threads ());
  json_object_set_string_member (recipe, "engine", PMT_VERSION);
  json_object_set_string_member (recipe, "cpu", pmt_cpu_name (level));
  return recipe;
}
