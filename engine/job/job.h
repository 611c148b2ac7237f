/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A job is a recipe (include/pentimento/protocol.h) with its input pictures. The command line and the server both build one and run
 * it here; nothing else knows both JSON and networks. */
#pragma once

#include <json-glib/json-glib.h>

#include "engine/image/picture.h"
#include "engine/image/prefill.h"
#include "engine/image/region.h"
#include "engine/sample/run.h"

/* What a fill is for. */
typedef enum { PMT_MODE_FILL, PMT_MODE_EXPAND, PMT_MODE_ADD, PMT_MODE_REMOVE, PMT_MODE_REPLACE, PMT_MODE_REFINE } PmtFillMode;

typedef enum { PMT_TASK_GENERATE, PMT_TASK_FILL, PMT_TASK_EDIT } PmtTask;
#define PMT_TASK_LAST PMT_TASK_EDIT

/* What a job may bring beside prompt and picture (engine/sample/inputs.h says what each does). Pictures are named: the name is a file's
 * path on the command line, a blob's name in the protocol. All strings are owned; "" = not given. */
typedef struct PmtJobControl {
  char *model;
  char *type;       /* "canny", "depth" …; one of the choices of its table */
  char *image;      /* "" = the job's own image, with -1 under its mask where the type is "inpaint" */
  char *image_hash; /* SHA-256 of the pixels, in a recipe that the engine wrote */
  char *preprocess; /* id of a preprocessor that makes the control picture out of `image` */
  double strength, start, end;
  gboolean guess;
} PmtJobControl;

typedef struct PmtJobReference {
  char *model, *encoder, *image, *image_hash;
  double strength, start, end;
} PmtJobReference;

typedef struct PmtJobBox {
  double x0, y0, x1, y1;
  char *phrase;
} PmtJobBox;

/* A prompt for a part of the picture; the part is a box in 0..1, or the light parts of a picture. */
typedef struct PmtJobRegionPrompt {
  double x0, y0, x1, y1; /* all 0 with a mask */
  char *mask, *mask_hash;
  char *prompt;
  double weight;
} PmtJobRegionPrompt;

typedef struct PmtJobLora {
  char *path;
  double strength, text_strength;
} PmtJobLora;

typedef struct PmtJobWord {
  char *path, *word;
} PmtJobWord;

typedef struct PmtJobExtras {
  PmtJobControl *controls;
  PmtJobReference *references;
  char *layout_model; /* "" = the base model has the layers itself */
  double layout_beta;
  PmtJobBox *boxes;
  PmtJobRegionPrompt *regions;
  int n_regions;
  PmtJobLora *loras;
  PmtJobWord *words;
  char **lora_folders; /* where "<lora:NAME>" in the prompt is looked for, beside the user's own folder; NULL = none */
  int n_controls, n_references, n_boxes, n_loras, n_words;
  int clip_skip;
} PmtJobExtras;

enum { PMT_JOB_MAX_REGIONS = 16, PMT_JOB_MAX_CONTROLS = 8, PMT_JOB_MAX_REFERENCES = 8, PMT_JOB_MAX_BOXES = 30, PMT_JOB_MAX_LORAS = 32, PMT_JOB_MAX_WORDS = 64 };

typedef struct PmtJob {
  PmtTask task;
  char *model; /* path; "" = bundled */
  char *model_hash; /* of the model that the recipe was made with; NULL = not known */
  char *prompt, *negative;
  gint64 seed; /* -1 = choose one at run */
  int variants;
  const PmtSampler *sampler; /* NULL = what the model recommends */
  int steps;                 /* 0 = what the model recommends */
  int stop_after;            /* evaluations after which the present estimate is the picture; 0 = all */
  double guidance;           /* < 0 = what the model recommends; edit: of the instruction */
  double image_guidance;     /* edit */
  double strength, eta;
  PmtSyntax syntax;
  PmtLongPrompt long_prompts;
  gboolean has_prediction; /* otherwise the model's files say it */
  PmtPrediction prediction;
  char *refiner; /* path; "" = none */
  double refiner_start;
  gboolean full_size;        /* a picture larger than the model's own size is refined at its own (run.h: PmtFullSize) */
  double full_size_strength;
  PmtVaeTiling tiling;
  char *taesd; /* path; "" = none */
  char *unet, *vae; /* files in place of the model's own; "" = none */
  int width, height; /* of the run, and of the picture at full size (generate); 0 = the image's, else native (generate), or from the region (fill) */
  PmtRegionRequest region; /* fill, edit; canvas_width 0 = the image's */
  gboolean has_selection;  /* fill, edit: region.selection was in the recipe; otherwise the mask's bounds are taken */
  PmtFillMode mode;        /* fill */
  const PmtPrefill *prefill; /* fill; NULL = none */
  gboolean colour_match;   /* fill */
  gboolean colour_shift_only; /* by the mean alone, in the encoded values */
  gboolean gradient_seam;  /* fill: a membrane carries the difference at the blend mask's border inwards */
  PmtMethodUse *methods;
  int n_methods;
  PmtJobExtras extras;
  int precision; /* a PmtPrecision; -1 = what suits model and machine */
  int threads; /* 0 = all */
} PmtJob;

/* Checks every field: unknown fields, tasks, samplers or methods, wrong types and ranges are PMT_ERROR_INPUT naming the field. Defaults
 * come from the task's parameter table (pmt_job_params). Missing "pentimento" version is an error. Fields that only the engine writes
 * (engine, cpu) and those that name input files ("image", "mask"; see `run`) must have the right type and are not used. */
PmtJob *pmt_job_parse (JsonObject *recipe, GError **error);
void pmt_job_free (PmtJob *job);
/* The tasks' parameters (prompt, steps, guidance, …) as tables; they feed CLI options, `methods --json` and the plug-in. Steps 0, guidance
 * -1 and sampler "" stand for what the model recommends: the values of a file pentimento.json in the model's folder
 * ({"steps": 20, "guidance": 4.0, "sampler": "ddim"}, each optional), otherwise those of a latent consistency or Turbo model where the folder
 * shows that it is one, otherwise 20 steps, guidance 7, dpmpp-2m-karras. */
const PmtParam *pmt_job_params (PmtTask task);
const char *pmt_task_name (PmtTask task);
/* {"generate": table, "fill": table, "edit": table}. New reference. */
JsonNode *pmt_tasks_to_json (void);

/* The tables of what a job may bring: each entry of "controls", "references", "loras" and "embeddings" has these fields, "layout" has
 * those of its table and "boxes". */
typedef enum { PMT_EXTRA_CONTROLS, PMT_EXTRA_REFERENCES, PMT_EXTRA_LAYOUT, PMT_EXTRA_LORAS, PMT_EXTRA_EMBEDDINGS } PmtExtraKind;
#define PMT_EXTRA_LAST PMT_EXTRA_EMBEDDINGS
const char *pmt_job_extra_name (PmtExtraKind kind); /* "controls" … */
const PmtParam *pmt_job_extra_params (PmtExtraKind kind);
/* {"controls": table, …}. New reference. */
JsonNode *pmt_job_extras_to_json (void);

/* Names of all pictures that the job refers to beside its image and mask, each once, in the job's order. The strings are the job's. */
GPtrArray *pmt_job_picture_names (const PmtJob *job);

/* One model in memory between jobs: give the same cache to every call. */
typedef struct PmtModelCache PmtModelCache;
PmtModelCache *pmt_model_cache_new (void);
void pmt_model_cache_free (PmtModelCache *cache);
/* `parts` NULL: whichever the model has at present, for questions that its UNet and VAE have no say in. New reference. */
PmtModel *pmt_model_cache_get (PmtModelCache *cache, const char *path, const PmtModelParts *parts, GError **error);
/* The second model of a job, kept beside the first until a job has none (path ""): *model is then NULL. New reference. */
gboolean pmt_model_cache_get_refiner (PmtModelCache *cache, const char *path, PmtModel **model, GError **error);

typedef struct PmtJobResult {
  int variant, variants;
  guint64 seed;
  PmtPicture picture; /* RGBA, size of box */
  PmtPicture blend;   /* fill, edit: 1 channel, size of box; otherwise empty */
  PmtBox box;         /* in canvas pixels; generate: [0, 0, w, h] */
  JsonObject *recipe; /* complete: running it again gives the same picture */
  GPtrArray *notes;   /* sentences for the user: prompt cut by n tokens, size rounded … */
  float *latent;      /* NCHW, for --dump-latents */
  int latent_shape[3];
  const PmtMap *maps; /* what methods found beside the picture; they cover what the network made, of this size: */
  int n_maps;
  int map_width, map_height;
} PmtJobResult;

typedef struct PmtJobHooks {
  const PmtCancel *cancel;
  const atomic_bool *keep; /* set: the picture under way ends with its present estimate, and no further one is begun */
  PmtPreview preview;
  bool once; /* no job is expected after this one (PmtRequest.once) */
  void (*progress) (void *user, const PmtProgress *progress, int variant, int variants);
  /* Called once per variant that is made; the result is the callee's to read during the call only. FALSE stops the job with *error. */
  gboolean (*result) (void *user, const PmtJobResult *result, GError **error);
  void *user;
} PmtJobHooks;

typedef struct PmtNamedPicture {
  const char *name;
  const PmtPicture *picture; /* 4 channels */
} PmtNamedPicture;

typedef struct PmtJobInputs {
  const PmtPicture *image; /* NULL if none */
  const PmtPicture *mask;
  const PmtNamedPicture *pictures; /* those that controls and references name */
  int n_pictures;
  const float *noise;      /* initial noise, NCHW; length checked by the caller against noise_values */
  size_t noise_values;
} PmtJobInputs;

typedef struct PmtJobStats {
  double seconds;
  size_t peak_bytes; /* activations and packed weights */
} PmtJobStats;

/* For fill and edit, image and mask cover the canvas, or the recipe's context when it has one. Without a mask everything is filled. A control
 * picture covers what the image covers; one of another size is scaled to it, and a note says so.
 * Blocks. A mask of another size than the image, missing inputs, … are PMT_ERROR_INPUT; too little memory is PMT_ERROR_MEMORY with
 * what was needed; nothing is loaded before these checks, but for a UNet that has to show what it predicts before sizes are known. Sets the
 * process's thread count. */
gboolean pmt_job_run (const PmtJob *job, PmtModelCache *cache, const PmtJobInputs *inputs, const PmtJobHooks *hooks,
                      PmtJobStats *stats, GError **error);

typedef struct PmtJobEstimate {
  PmtCost cost;
  size_t memory_bytes;    /* the whole process at its largest */
  size_t available_bytes; /* what it could have, with what it holds now */
  gboolean fits;
  int largest_width, largest_height; /* of that shape that fits, where this one does not; 0 = none */
  double seconds; /* of the work itself, with the model in memory; < 0: not known */
  int width, height;
  PmtRegion region; /* fill, edit */
} PmtJobEstimate;
/* The first of its kind on a machine takes a second, for a measurement. */
gboolean pmt_job_estimate (const PmtJob *job, PmtModelCache *cache, PmtPreview preview, PmtJobEstimate *estimate, GError **error);

/* What a fill or edit would do with a mask, to be looked at before any time is spent. */
typedef struct PmtJobMasks {
  PmtRegion region;
  int run_width, run_height;
  PmtPicture denoise, blend; /* of region.context, one channel; their longer side is at most what was asked for */
} PmtJobMasks;
/* The recipe says the canvas; mask covers it or the context. Nothing is loaded but the model's description. PMT_ERROR_INPUT. */
gboolean pmt_job_masks (const PmtJob *job, PmtModelCache *cache, const PmtPicture *mask, int most, PmtJobMasks *masks, GError **error);
void pmt_job_masks_clear (PmtJobMasks *masks);
