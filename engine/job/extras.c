/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a job may bring beside prompt and picture: its tables, and the end of it. */
#include "engine/job/private.h"

/* clang-format off */
static const PmtParamChoice control_types[] = {
  { "canny", N_("Canny edges") },
  { "scribble", N_("Scribble") },
  { "sketch", N_("Sketch") },
  { "lineart", N_("Line art") },
  { "softedge", N_("Soft edges") },
  { "mlsd", N_("Straight lines") },
  { "depth", N_("Depth") },
  { "normal", N_("Surface normals") },
  { "seg", N_("Segments") },
  { "openpose", N_("Pose") },
  { "color", N_("Colours") },
  { "inpaint", N_("Inpainting") },
  { "tile", N_("Tile") },
  { "shuffle", N_("Shuffle") },
  { "ip2p", N_("Instruction") },
  { "other", N_("Other") },
  { NULL, NULL },
};

#define WHEN                                                                                                                        \
  { "start", N_("_From"), N_("Part of the run after which it acts."), PMT_PARAM_DOUBLE, 0, 1, 0 },                                  \
  { "end", N_("_Until"), N_("Part of the run until which it acts."), PMT_PARAM_DOUBLE, 0, 1, 1 }

static const PmtParam control_params[] = {
  { "type", N_("_Type"), N_("What the control picture shows."), PMT_PARAM_CHOICE, .text = "other", .choices = control_types },
  { "image", N_("_Picture"), N_("The control picture; empty takes the job's own picture."), PMT_PARAM_STRING, .text = "" },
  { "model", N_("_Network"), N_("File or folder of a ControlNet or T2I-Adapter; none for the depth of a depth model."), PMT_PARAM_STRING,
    .text = "" },
  { "strength", N_("S_trength"), N_("How strongly the picture steers."), PMT_PARAM_DOUBLE, 0, 10, 1 },
  WHEN,
  { "preprocess", N_("P_reprocess"), N_("Makes the control picture out of an ordinary one: a preprocessor, as ID or ID:key=value."),
    PMT_PARAM_STRING, .text = "" },
  { "guess", N_("_Guess"), N_("Let the picture lead, on the prompt's half only (ControlNet)."), PMT_PARAM_BOOL, 0, 1, 0 },
  { NULL },
};

static const PmtParam reference_params[] = {
  { "image", N_("_Picture"), N_("The picture to take after."), PMT_PARAM_STRING, .text = "" },
  { "model", N_("_Adapter"), N_("File of an IP-Adapter."), PMT_PARAM_STRING, .text = "" },
  { "encoder", N_("_Encoder"), N_("Its image encoder; empty looks beside the adapter and in the model."), PMT_PARAM_STRING, .text = "" },
  { "strength", N_("S_trength"), N_("How closely the picture is followed."), PMT_PARAM_DOUBLE, 0, 10, 1 },
  WHEN,
  { NULL },
};

static const PmtParam layout_params[] = {
  { "model", N_("_Network"), N_("File or folder of GLIGEN's layers; empty where the model has them itself."), PMT_PARAM_STRING, .text = "" },
  { "beta", N_("_Until"), N_("Part of the run in which the boxes act."), PMT_PARAM_DOUBLE, 0, 1, 0.3 },
  { NULL },
};

static const PmtParam lora_params[] = {
  { "path", N_("_File"), N_("File of a LoRA, LoCon, DoRA or hypernetwork."), PMT_PARAM_STRING, .text = "" },
  { "strength", N_("S_trength"), N_("How much of it is added to the network."), PMT_PARAM_DOUBLE, -10, 10, 1 },
  { "text-strength", N_("Te_xt strength"), N_("How much is added to the text encoder; absent: the same."), PMT_PARAM_DOUBLE, -10, 10, 1 },
  { NULL },
};

static const PmtParam embedding_params[] = {
  { "path", N_("_File"), N_("File of a learned word (textual inversion)."), PMT_PARAM_STRING, .text = "" },
  { "word", N_("_Word"), N_("What stands for it in prompts; empty: the file's own word, else its name."), PMT_PARAM_STRING, .text = "" },
  { NULL },
};
/* clang-format on */
#undef WHEN

static const struct {
  const char *name;
  const PmtParam *params;
} kinds[] = {
  [PMT_EXTRA_CONTROLS] = { "controls", control_params },
  [PMT_EXTRA_REFERENCES] = { "references", reference_params },
  [PMT_EXTRA_LAYOUT] = { "layout", layout_params },
  [PMT_EXTRA_LORAS] = { "loras", lora_params },
  [PMT_EXTRA_EMBEDDINGS] = { "embeddings", embedding_params },
};

const char *
pmt_job_extra_name (PmtExtraKind kind)
{
  return kinds[kind].name;
}

const PmtParam *
pmt_job_extra_params (PmtExtraKind kind)
{
  return kinds[kind].params;
}

JsonNode *
pmt_job_extras_to_json (void)
{
  JsonNode *node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();

  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    json_object_set_member (object, kinds[i].name, pmt_param_table_to_json (kinds[i].params));
  json_node_take_object (node, object);
  return node;
}

static void
add_name (GPtrArray *names, char *name)
{
  if (name[0] && !g_ptr_array_find_with_equal_func (names, name, g_str_equal, NULL))
    g_ptr_array_add (names, name);
}

GPtrArray *
pmt_job_picture_names (const PmtJob *job)
{
  const PmtJobExtras *extras = &job->extras;
  GPtrArray *names = g_ptr_array_new ();

  for (int i = 0; i < extras->n_controls; i++)
    add_name (names, extras->controls[i].image);
  for (int i = 0; i < extras->n_references; i++)
    add_name (names, extras->references[i].image);
  for (int i = 0; i < extras->n_regions; i++)
    add_name (names, extras->regions[i].mask);
  return names;
}

void
pmt_job_extras_clear (PmtJobExtras *extras)
{
  for (int i = 0; i < extras->n_controls; i++) {
    PmtJobControl *control = &extras->controls[i];
    g_free (control->model);
    g_free (control->type);
    g_free (control->image);
    g_free (control->image_hash);
    g_free (control->preprocess);
  }
  for (int i = 0; i < extras->n_references; i++) {
    PmtJobReference *reference = &extras->references[i];
    g_free (reference->model);
    g_free (reference->encoder);
    g_free (reference->image);
    g_free (reference->image_hash);
  }
  for (int i = 0; i < extras->n_boxes; i++)
    g_free (extras->boxes[i].phrase);
  for (int i = 0; i < extras->n_regions; i++) {
    g_free (extras->regions[i].mask);
    g_free (extras->regions[i].mask_hash);
    g_free (extras->regions[i].prompt);
  }
  for (int i = 0; i < extras->n_loras; i++)
    g_free (extras->loras[i].path);
  for (int i = 0; i < extras->n_words; i++) {
    g_free (extras->words[i].path);
    g_free (extras->words[i].word);
  }
  g_free (extras->controls);
  g_free (extras->references);
  g_free (extras->layout_model);
  g_free (extras->boxes);
  g_free (extras->regions);
  g_free (extras->loras);
  g_free (extras->words);
  g_strfreev (extras->lora_folders);
}
