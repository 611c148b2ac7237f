/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/job/job.h"

/* Seeds are those of torch's CPU generator, which takes 32 bits. */
#define LARGEST_SEED 4294967295.0

static const PmtParamChoice syntaxes[] = {
  { "weights", N_("Weights, as (word:1.2)") },
  { "plain", N_("Plain text") },
  { NULL, NULL },
};
static const PmtParamChoice long_prompts[] = {
  { "chunks", N_("Read in parts") },
  { "truncate", N_("Cut off") },
  { NULL, NULL },
};
static const PmtParamChoice tilings[] = {
  { "auto", N_("Where memory is short") },
  { "on", N_("Always") },
  { "off", N_("Never") },
  { NULL, NULL },
};
static const PmtParamChoice predictions[] = {
  { "auto", N_("As the model says") },
  { "epsilon", N_("Noise") },
  { "v_prediction", N_("Velocity") },
  { "sample", N_("Picture") },
  { NULL, NULL },
};

/* In the order of PmtFillMode. */
static const PmtParamChoice modes[] = {
  { "fill", N_("Fill") },
  { "expand", N_("Expand") },
  { "add", N_("Add") },
  { "remove", N_("Remove") },
  { "replace", N_("Replace background") },
  { "refine", N_("Refine") },
  { NULL, NULL },
};
static const PmtParamChoice prefills[] = {
  { "auto", N_("As the mode advises") },
  { "none", N_("What is there") },
  { "surroundings", N_("The colours around") },
  { "blur", N_("What is there, blurred") },
  { "gray", N_("Mid-grey") },
  { NULL, NULL },
};
static const PmtParamChoice colour_ways[] = {
  { "lab", N_("Mean and spread") },
  { "shift", N_("Mean alone") },
  { NULL, NULL },
};
static const PmtParamChoice seams[] = {
  { "feather", N_("Soft edge") },
  { "gradient", N_("Continued gradients") },
  { NULL, NULL },
};

/* clang-format off */
#define SAMPLING                                                                                                                    \
  { "steps", N_("St_eps"), N_("Denoising steps; 0 takes what the model recommends."), PMT_PARAM_INT, 0, 1000, 0 },                   \
  { "stop-after", N_("Stop after"), N_("The estimate after so many steps becomes the picture; 0 goes through all."), PMT_PARAM_INT, 0,  \
    2000, 0 },                                                                                                                      \
  { "sampler", N_("Sa_mpler"), N_("How noise becomes a picture; empty takes what the model recommends."), PMT_PARAM_STRING,         \
    .text = "" },                                                                                                                   \
  { "eta", N_("_Eta"), N_("How much fresh noise samplers that can add at each step; -1 takes what the sampler advises."),           \
    PMT_PARAM_DOUBLE, -1, 1, -1 },                                                                                                  \
  { "seed", N_("Se_ed"), N_("The same seed gives the same picture; -1 chooses one."), PMT_PARAM_INT, -1, LARGEST_SEED, -1 },        \
  { "variants", N_("_Variants"), N_("How many pictures to make, with consecutive seeds."), PMT_PARAM_INT, 1, 64, 1 },              \
  { "prompt-syntax", N_("Prompt synta_x"), N_("What brackets and tags in prompts mean."), PMT_PARAM_CHOICE, .text = "weights",      \
    .choices = syntaxes },                                                                                                          \
  { "long-prompts", N_("_Long prompts"), N_("What becomes of words that the text encoder cannot take at once."), PMT_PARAM_CHOICE,   \
    .text = "chunks", .choices = long_prompts },                                                                                    \
  { "prediction", N_("Pre_diction"), N_("What the network predicts, where the model's files don't say it or are wrong."),           \
    PMT_PARAM_CHOICE, .text = "auto", .choices = predictions },                                                                     \
  { "refiner", N_("_Refiner"), N_("A second model of the same latents (SDXL) that finishes; empty: none."), PMT_PARAM_STRING,       \
    .text = "" },                                                                                                                   \
  { "refiner-start", N_("Refiner fro_m"), N_("Part of the noise levels after which the refiner goes on."), PMT_PARAM_DOUBLE,         \
    0.01, 0.99, 0.8 },                                                                                                              \
  { "full-size", N_("Refine at full si_ze"), N_("Paint a second time, in tiles, what is larger than the model's own size."),          \
    PMT_PARAM_BOOL, 0, 1, 0 },                                                                                                      \
  { "full-size-strength", N_("Strength at _full size"), N_("How much the second time may change."), PMT_PARAM_DOUBLE, 0.05, 1,        \
    0.4 },                                                                                                                          \
  { "vae-tiling", N_("_Tiles"), N_("Whether the autoencoder works in tiles, which takes less memory."), PMT_PARAM_CHOICE,           \
    .text = "auto", .choices = tilings },                                                                                           \
  { "taesd", N_("Tin_y autoencoder"), N_("File of a tiny autoencoder (TAESD) that decodes instead: quicker, less exact."),          \
    PMT_PARAM_STRING, .text = "" },                                                                                                 \
  { "vae", N_("_VAE"), N_("File or folder of another VAE in place of the model's own; empty: none."), PMT_PARAM_STRING, .text = "" }, \
  { "unet", N_("_UNet"), N_("File or folder of another UNet in place of the model's own; empty: none."), PMT_PARAM_STRING,            \
    .text = "" }

#define COMMON(strength_default, strength_help)                                                                                     \
  { "prompt", N_("_Prompt"), N_("What the picture shows, in words."), PMT_PARAM_STRING, .text = "" },                               \
  { "negative-prompt", N_("_Negative prompt"), N_("What the picture should not show."), PMT_PARAM_STRING, .text = "" },             \
  { "strength", N_("S_trength"), strength_help, PMT_PARAM_DOUBLE, 0.01, 1, strength_default },                                       \
  { "guidance", N_("_Guidance"), N_("How closely the prompt is followed; 1 does not push, -1 takes what the model recommends."),    \
    PMT_PARAM_DOUBLE, -1, 50, -1 },                                                                                                 \
  SAMPLING
/* clang-format on */

static const PmtParam generate_params[] = {
  COMMON (0.75, N_("With an image: how much of it may change; 1 keeps next to nothing.")),
  { NULL },
};

static const PmtParam fill_params[] = {
  COMMON (1, N_("How much of what is there may change; 1 starts anew.")),
  { "mode", N_("_Mode"), N_("What the fill is for."), PMT_PARAM_CHOICE, .text = "fill", .choices = modes },
  { "prefill", N_("Prefi_ll"), N_("What stands under the mask before anything is painted."), PMT_PARAM_CHOICE, .text = "auto",
    .choices = prefills },
  { "colour-match", N_("_Match colours"), N_("Bring the result's colours to those around the mask."), PMT_PARAM_BOOL, 0, 1, 1 },
  { "colour-match-by", N_("Match _by"), N_("What of the colours around the mask is compared."), PMT_PARAM_CHOICE, .text = "lab",
    .choices = colour_ways },
  { "seam", N_("S_eam"), N_("How the result meets the picture."), PMT_PARAM_CHOICE, .text = "feather", .choices = seams },
  { NULL },
};

static const PmtParam edit_params[] = {
  { "prompt", N_("_Instruction"), N_("What is to be changed, as one would say it: make it winter."), PMT_PARAM_STRING, .text = "" },
  { "negative-prompt", N_("_Negative prompt"), N_("What the picture should not show."), PMT_PARAM_STRING, .text = "" },
  { "text-guidance", N_("_Text guidance"), N_("How closely the instruction is followed; 1 does not push."), PMT_PARAM_DOUBLE, 1, 50, 7.5 },
  { "image-guidance", N_("_Image guidance"), N_("How closely the picture is kept; 1 does not push."), PMT_PARAM_DOUBLE, 1, 50, 1.5 },
  SAMPLING,
  { NULL },
};

#undef COMMON
#undef SAMPLING

static const struct {
  const char *name;
  const PmtParam *params;
} tasks[] = {
  [PMT_TASK_GENERATE] = { "generate", generate_params },
  [PMT_TASK_FILL] = { "fill", fill_params },
  [PMT_TASK_EDIT] = { "edit", edit_params },
};

const PmtParam *
pmt_job_params (PmtTask task)
{
  return tasks[task].params;
}

const char *
pmt_task_name (PmtTask task)
{
  return tasks[task].name;
}

JsonNode *
pmt_tasks_to_json (void)
{
  JsonNode *node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();

  for (PmtTask task = PMT_TASK_GENERATE; task <= PMT_TASK_LAST; task++)
    json_object_set_member (object, pmt_task_name (task), pmt_param_table_to_json (pmt_job_params (task)));
  json_node_take_object (node, object);
  return node;
}
