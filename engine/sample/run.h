/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One run: prompt and inputs -> picture. The job room turns recipes into requests; this room knows no files and no JSON. */
#pragma once

#include "engine/sample/extra.h"
#include "engine/sample/inputs.h"
#include "engine/sample/method.h"
#include "engine/sample/model.h"
#include "engine/text/prompt_tokens.h"

typedef enum { PMT_STAGE_LOAD, PMT_STAGE_TEXT, PMT_STAGE_ENCODE, PMT_STAGE_SAMPLE, PMT_STAGE_DECODE } PmtStage;
const char *pmt_stage_name (PmtStage stage); /* "load", "text", "encode", "sample", "decode" */

typedef struct PmtProgress {
  PmtStage stage;
  int step, of;          /* within the stage; of == 0: unknown */
  double fraction;       /* of the whole run, 0..1, never falling; loading counts as 0 */
  double eta;            /* seconds left, < 0 while unknown */
  PmtTensor latent;      /* sample stage: the present clean estimate [1, h, w, c] for previews, else PMT_NO_TENSOR */
  const uint8_t *preview; /* with a new estimate: [preview_height, preview_width, 3] RGB of it (run_preview.c), else NULL; valid in the call */
  int preview_width, preview_height;
} PmtProgress;

typedef struct PmtMethodUse {
  const PmtMethod *method;
  PmtParamValues values; /* owned by the request's maker */
} PmtMethodUse;

/* What progress shows of unfinished pictures: the latent through a linear map, nothing, or the picture as the run would decode it, which
 * takes its time. The result is the same to the bit. */
typedef enum { PMT_PREVIEW_LINEAR, PMT_PREVIEW_NONE, PMT_PREVIEW_DECODED } PmtPreview;

#define PMT_STOP_AT_ONCE (-1)

typedef enum { PMT_VAE_TILING_AUTO, PMT_VAE_TILING_ON, PMT_VAE_TILING_OFF } PmtVaeTiling;

/* A second stage for pictures that are wanted larger than the network is good for: what the run made is scaled to this size and refined
 * there, in windows of the model's native size. It gets the prompts, region prompts, LoRAs, learned words and the seed, and none of the
 * controls, references, boxes and methods. A run that is kept, or stops, before this stage ends with the scaled picture. */
typedef struct PmtFullSize {
  int width, height; /* pixels, any; width 0 = no such stage */
  double strength;   /* (0, 1]: how much of the scaled picture may change */
  const float *mask; /* [height, width] 0..1, 1 = refine, the rest stays as it is; NULL = all */
  /* Looks at the scaled picture [height, width, 3] and may change it before it is refined; NULL = nothing is to be done. */
  gboolean (*prepare) (void *user, float *picture, GError **error);
  void *user;
} PmtFullSize;

typedef struct PmtRequest {
  PmtModel *model;       /* borrowed */
  bool fill;             /* use the model's inpainting UNet when it has one and image and mask are given */
  const char *prompt, *negative; /* NULL = "" */
  PmtSyntax prompt_syntax;     /* 0 = weights, BREAK and tags count; tags are taken out and have no effect here (weight_edits have) */
  PmtLongPrompt long_prompts;  /* 0 = further chunks */
  int width, height;     /* pixels, multiples of pmt_model_size_multiple */
  int steps;
  double guidance;       /* 1 = no guidance pass */
  double strength;       /* (0, 1], used with an image; at 1 inpainting starts from pure noise unless `prefilled`, img2img from image and noise */
  double eta;            /* [0, 1], for samplers that use it; below 0: what the sampler advises */
  uint64_t seed;
  const PmtSampler *sampler;
  const float *image;    /* [height, width, 3] sRGB-encoded 0..1, or NULL */
  const float *mask;     /* [height, width] 0..1, 1 = regenerate, or NULL; needs an image */
  bool prefilled;        /* what stands under the mask is meant as a start: inpainting at strength 1 starts from image and noise too */
  const float *noise;    /* initial unit noise, NCHW [c, h/8, w/8], in place of the seed's; or NULL */
  const float *latent;   /* NCHW [c, h/8, w/8], as the UNet has it, in place of an encoded image; or NULL */

  const PmtControl *controls;
  int n_controls;
  const PmtReference *references;
  int n_references;
  PmtLayout layout;      /* n_boxes 0 = none */
  const PmtRegionPrompt *regions; /* `prompt` is for what they leave */
  int n_regions;
  const PmtWeightEdit *weight_edits;
  int n_weight_edits;
  const PmtLearnedWord *words;
  int n_words;
  bool edit;             /* follow `prompt` as an instruction on `image` (needs a UNet with 8 channels) */
  const float *depth;    /* [height, width] depth of the picture to make, any range, near = large, for a depth model; or NULL */
  double image_guidance; /* edit: how closely the image is kept; 1 = no pass of its own */
  int clip_skip;         /* text-encoder layers left out at the end, beside those that the family leaves out; for both prompts */
  const PmtPrediction *prediction; /* what the UNet predicts, where the model's files don't say or are wrong; NULL = as they say */

  /* SDXL is told sizes of the picture that it is to make. 0 = the picture's own. */
  int original_width, original_height, target_width, target_height;
  int crop_x, crop_y;
  double aesthetic_score, negative_aesthetic_score; /* the refiner's; 0 = 6 and 2.5 */
  /* Part of the noise levels that is gone through, for handing latents from a base model to a refiner (formats.md 7.11). 0 = from the
   * start, to the end. With a start, the image's latents are taken as they are, without noise. */
  double denoising_start, denoising_end;
  bool latent_only;      /* the result's picture is not decoded */
  /* A second model of the same latents (the SDXL refiner) goes on from `refiner_start` of the noise levels, (0, 1), to the end. It gets
   * the prompts and the seed, and none of the controls and methods. NULL = none. */
  PmtModel *refiner;     /* borrowed */
  double refiner_start;
  PmtFullSize full;

  const PmtMethodUse *methods; /* beside those that the request itself implies (guidance, img2img, inpainting) */
  int n_methods;

  const PmtCancel *cancel;
  const atomic_bool *keep; /* set: stop after the evaluation under way and decode its estimate; may be NULL */
  int stop_after;          /* the same after so many evaluations; 0 = go through all. PMT_STOP_AT_ONCE: the latent is decoded as it is */
  PmtPreview preview;
  void (*progress) (void *user, const PmtProgress *progress); /* from the running thread; may be NULL */
  void *progress_user;

  int rows_per_call;     /* rows of one network call; 0 = all at once, or singly where memory is short. Never changes the picture */
  PmtVaeTiling vae_tiling; /* encode and decode in tiles (nets/vae.h), for big pictures; auto: only when the whole does not fit */
  const char *taesd;     /* a tiny autoencoder's file or folder (nets/taesd.h) that decodes in place of the model's; NULL = the model's */
  bool once;             /* no run of the same model is expected after this one: weights go as soon as they are not needed any more */
  size_t memory_limit;   /* bytes for activations and weights still to load; 0 = what the machine can give */
} PmtRequest;

/* Which of the model's UNets a request asks for. */
PmtUnetChoice pmt_request_unet (const PmtRequest *request);

/* Numbers over the picture that a method found on the way, as where a word is looked for: for masks and for people to see. */
typedef struct PmtMap {
  char *name;        /* the word or phrase; several maps of one name are possible */
  int width, height; /* of its own grid, which covers the whole picture */
  float *values;     /* [height, width], at least 0; what one means is the method's to say */
} PmtMap;

/* Work by what its speed depends on: the operation, and whether the autoencoder's few large maps or the others' many small ones. */
typedef enum { PMT_WORK_CONV, PMT_WORK_LINEAR, PMT_WORK_ATTENTION, PMT_WORK_REST } PmtWorkKind;
enum { PMT_WORK_KINDS = PMT_WORK_REST + 1, PMT_WORKS = 2 * PMT_WORK_KINDS }; /* the autoencoder's come second */
PmtWorkKind pmt_work_kind (const char *op); /* of an operation's id */

typedef struct PmtResult {
  float *image;          /* [height, width, 3] sRGB-encoded, clamped to 0..1; owned, pmt_result_clear. NULL with latent_only */
  float *latent;         /* NCHW [c, h/8, w/8], as the UNet left it; owned */
  int width, height;
  int latent_width, latent_height, latent_channels;
  int steps_done;        /* evaluations */
  int stopped_after;     /* of them, where the run was kept early (stop_after gives this picture again); 0 = it went through all */
  int prompt_tokens_cut, negative_tokens_cut; /* tokens that did not fit the text encoder */
  PmtPrediction prediction; /* what the UNet was taken to predict */
  bool vae_tiled;        /* the autoencoder worked in tiles */
  double work[PMT_WORKS], work_seconds[PMT_WORKS]; /* floating point operations, and how long they took */
  size_t peak_bytes;     /* highest use of the run's arenas */
  size_t memory_bytes;   /* the same with the weights that are in memory at that time (PmtCost.memory_bytes) */
  char **notes;          /* sentences for the user from pmt_run_note, NULL-terminated; owned, NULL = none */
  PmtMap *maps;          /* from pmt_run_add_map, in that order; owned, NULL = none */
  int n_maps;
} PmtResult;
void pmt_result_clear (PmtResult *result);

/* Blocks; polls request->cancel at least every 100 ms of work. FALSE + error leaves result cleared. PMT_ERROR_MEMORY before anything
 * heavy is loaded when the run does not fit. */
gboolean pmt_run (const PmtRequest *request, PmtResult *result, GError **error);

/* Tries out what the request's model predicts where its files don't say, as a run would in its course; after pmt_model_settle (model) sizes can be
 * decided. Of the request, only the model, what it is cancelled by and whom it tells count. Nothing happens where memory is short: the run
 * will say so. */
gboolean pmt_run_learn_prediction (const PmtRequest *request, GError **error);

typedef struct PmtCost {
  size_t activation_bytes; /* exact peak of the run's arenas */
  size_t weight_bytes;     /* packed weights of the networks it uses */
  size_t memory_bytes;     /* most of both at one time: text encoders go when prompts are encoded, and where memory is short the UNet goes before
                              the picture is decoded */
  double flops;
  double work[PMT_WORKS];  /* the same by kinds */
  int evaluations;         /* network calls, rows counted singly */
  bool vae_tiled;
  bool fits;               /* into the request's limit or the machine's memory, in the way that takes least */
} PmtCost;
/* The same run with dry contexts, as it would be done with the memory that there is: nothing is loaded or computed. The picture behind
 * request->image is not read. */
gboolean pmt_run_cost (const PmtRequest *request, PmtCost *cost, GError **error);
/* About the largest picture of the request's shape (at full size, where it asks for one) that fits: FALSE, without error, when none does that is worth it (a quarter of the sides). */
gboolean pmt_run_largest (const PmtRequest *request, int *width, int *height);

/* What methods may ask of the run they are in. */
struct PmtRun {
  const PmtRequest *request;
  PmtModel *model;
  PmtUnet *unet;
  PmtVae *vae;
  int n_texts;           /* text encoders: 1, or 2 with SDXL */
  PmtClipText *texts[PMT_MODEL_MAX_TEXTS];
  PmtTokenizer *tokenizers[PMT_MODEL_MAX_TEXTS];
  PmtSchedule *schedule;
  PmtGrid *grid;
  int first;             /* first grid point evaluated (0 unless a method's plan moved it) */
  int last;              /* the grid point that the run ends at: grid->n unless the request ends sooner */
  PmtArena *memory;      /* life of the run */
  PmtContext ctx;        /* step arena; reset between evaluations */
  int weight_set;        /* what text encoders and new rows compute with; 0 unless a method's state_new says otherwise (weight_set.h) */
  PmtUnetChoice unet_choice; /* which of the model's UNets the request asks for */
  int unet_channels;     /* what the UNet takes; known before it is loaded */
  int latent_height, latent_width, latent_channels;
  PmtTensor extra;       /* [1, latent_height, latent_width, c], what the UNet takes beside the latent (a mask, a depth map …), where a method's
                            plan made it: rows of that size get it when they are added; PMT_NO_TENSOR for most UNets */
  PmtTrack **tracks;     /* made by pmt_run_add_track; the first one by the loop */
  int n_tracks;
  int result_track;      /* whose latent becomes the picture; 0 unless a method's plan says otherwise */
  const char *prompt;         /* what `context` says: the request's prompt, unless a method's state_new puts another text here that lives
                                 as long as its state (one of several prompts) */
  PmtTensor context;          /* [1, S, C] of the prompt, in `memory` */
  PmtTensor negative_context; /* [1, S, C]; PMT_NO_TENSOR unless a method encoded it */
  PmtTensor pooled, negative_pooled;     /* [1, P] that belong to these two; PMT_NO_TENSOR where the UNet takes none */
  PmtTensor time_ids, negative_time_ids; /* [1, n], made before the methods' text hooks; PMT_NO_TENSOR where the UNet takes none */
  int negative_tokens_cut;    /* for the result; set by who encodes the negative prompt */
  void **states;         /* one per active method, in order */
  const PmtMethod **methods;
  int n_methods;
};

/* Memory that lasts as long as the run. PMT_NO_TENSOR + error when it is full. `keep` copies. */
PmtTensor pmt_run_new_tensor (PmtRun *run, PmtShape shape, GError **error);
PmtTensor pmt_run_keep (PmtRun *run, PmtTensor t, GError **error);
/* Unit noise [1, h, w, c] (NHWC) from a track's generator, drawn in torch's NCHW order. */
gboolean pmt_run_draw_noise (PmtRun *run, int track, PmtTensor out, GError **error);
/* The unit noise that a track starts from, drawn at the first call (the request's where it has one, for tracks of the picture's size);
 * kept in track->noise. */
gboolean pmt_run_initial_noise (PmtRun *run, int track, PmtTensor *noise, GError **error);
/* A sentence for the user that comes back with the result (a LoRA's tensors that fit nothing …). Not kept in a dry run. */
void pmt_run_note (PmtRun *run, const char *format, ...) G_GNUC_PRINTF (2, 3);
/* A map that comes back with the result; name and values [height, width] are copied. Not kept in a dry run. */
void pmt_run_add_map (PmtRun *run, const char *name, int width, int height, const float *values);
/* VAE moments of the request's image (or of `pixels` [height, width, 3] 0..1 when not NULL), in the run's memory. Pixels are not
 * read in a dry run. */
gboolean pmt_run_encode (PmtRun *run, const float *pixels, PmtTensor *moments, GError **error);
/* Posterior sample of `moments` (any size) as the UNet has latents, noise drawn from the track; in the run's memory. */
gboolean pmt_run_sample_moments (PmtRun *run, int track, PmtTensor moments, PmtTensor *latent, GError **error);
/* A prompt as the UNet takes it, in the run's memory. tokens_cut (may be NULL): how many tokens did not fit. */
gboolean pmt_run_encode_text (PmtRun *run, const char *text, PmtConditioning *conditioning, int *tokens_cut, GError **error);
/* The request's negative prompt, into negative_context, negative_pooled and negative_tokens_cut. An empty one is an absent one: zeros for
 * models that want that (SDXL), an encoded "" for others. */
gboolean pmt_run_encode_negative (PmtRun *run, GError **error);
/* One sequence through text encoder `k`: `length` ids with their ends and padding -> hidden [1, length, width] as the model's UNet wants
 * it (layers left out, last norm), and in *pooled (may be NULL) [1, P] where the UNet takes that encoder's pooled output, else
 * PMT_NO_TENSOR. In the step arena. */
gboolean pmt_run_encode_ids (PmtRun *run, int k, const int32_t *ids, int length, PmtTensor *hidden, PmtTensor *pooled, GError **error);
/* The first grid point of a run that leaves out `start` of the noise levels (the request's denoising_start); grid->n when nothing is left. */
int pmt_run_first_of_part (const PmtRun *run, double start);
/* Whether `at` is where the run ends with noise left for another one (a refiner): what is kept then has to have that noise too. */
bool pmt_run_goes_on (const PmtRun *run, int at);
/* Tokens of one sequence, ends included, that all of the model's text encoders take: 77. */
int pmt_run_text_length (const PmtRun *run);
/* Chunks of every context of this run: as many as the longest of prompt, negative prompt and expected texts takes; shorter ones are
 * filled with the empty prompt, so that all are of one length. */
int pmt_run_text_chunks (const PmtRun *run);
/* From state_new: a further text that the method will encode, so that it is not cut to the length of the others. */
void pmt_run_expect_text (PmtRun *run, const char *text);
/* `text` as encoder `k` gets it, with this run's syntax, learned words and number of chunks. Row chunk * length + position of the context
 * belongs to a position. Clear it. */
gboolean pmt_run_tokens (PmtRun *run, int k, const char *text, PmtPromptTokens *tokens, GError **error);
/* Where `phrase` stands in the prompt `text` (text/prompt_tokens.h: pmt_prompt_spans); empty when it does not. g_array_unref it; NULL +
 * error. */
GArray *pmt_run_phrase_spans (PmtRun *run, const char *text, const char *phrase, int occurrence, GError **error);
/* A further track with a latent of that size, its own generator (seeded as the request says) and solver. Its index, or -1 + error. */
int pmt_run_add_track (PmtRun *run, int latent_height, int latent_width, GError **error);
/* Adds a row that shows the network a track's present latent: role cond, the track's context, scaled by the sampler. In the step
 * arena. */
PmtRow *pmt_run_add_row (PmtRun *run, PmtStep *step, int track, GError **error);
/* Runs the network on all of step->rows and fills their predictions (step arena). The loop's own means, for nested predictions: make a
 * PmtStep with rows of your own. */
gboolean pmt_run_predict (PmtRun *run, PmtStep *step, GError **error);
/* What the run predicts for the latent x [1, h, w, c] of a track, as in an evaluation at `at`: one "cond" row, all methods' branch hooks,
 * the network, all combine hooks. x is as the sampler has it. Only at->i, n, grid_i, timestep and sigma count. `text` stands in for the
 * track's prompt (NULL = that itself). The result is in the step arena; the track is left as it was. */
gboolean pmt_run_evaluate (PmtRun *run, const PmtStep *at, int track, PmtTensor x, const PmtConditioning *text, PmtTensor *prediction,
                           GError **error);
