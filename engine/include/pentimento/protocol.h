/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The engine's protocol, for every client (the GIMP plug-in is one). Public: needs nothing but a C compiler.
 *
 * Transport: a Unix stream socket (`pentimento-engine serve --socket PATH`) or standard input and output (`--stdio`).
 * A message is one line of UTF-8 JSON, an object of at most PMT_PROTOCOL_MAX_LINE bytes ended by '\n', followed by exactly `bytes`
 * (default 0) bytes of payload. Every object has "type" (string) and "id" (integer chosen by the client, >= 0; answers carry the id of
 * what they answer). Unknown fields are ignored; an unknown type is answered by "error".
 *
 * Payloads are pixels: little-endian f32, row by row, no padding. Pictures have 4 channels R, G, B, A, sRGB-encoded, straight alpha,
 * 0..1 (values outside are clipped); masks have 1 channel, 0..1, 1 = regenerate.
 *
 * client -> engine
 *   hello      {protocol: PMT_PROTOCOL_VERSION, client: "name version"}          first message; answered by hello
 *   blob       {name, width, height, channels: 1|4, dtype: "f32"} + payload; kept until the next job or preprocess with this id
 *              name is "image", "mask" (the only one with 1 channel), or what a control or reference of the job calls its picture
 *              ("control-0", "reference-1", …; at most 100 bytes). At most 256 wait at a time, of PMT_PROTOCOL_MAX_PAYLOAD bytes together
 *   job        {job: {…recipe…}, preview: "linear" (default) | "none" | "decoded"}
 *                                     runs it with the blobs of this id; answers: queued?, progress*, (blob + result)*, done | error
 *                                     A job of the task "learn" (below) answers queued?, progress*, learned, done | error; it gives way
 *                                     to jobs of other tasks that come meanwhile (queued again), and goes on after them
 *   estimate   {job: {…recipe…}, preview: as for job}      answers estimate, without running; blobs are not needed. Of a job of the task
 *                                     "learn": memory-bytes, available-bytes, fits, seconds; word and out may be missing
 *   cancel     {}                     the job of this id stops; it answers with error code "cancelled"
 *   keep       {}                     the job of this id finishes the evaluation under way, decodes its estimate and makes no further
 *                                     variants; that result's recipe has "stop-after", which makes the same picture again
 *   models | methods | samplers | preprocessors {}    answers of the same type; models {folder, models: [...], left-off: files beyond what
 *                                     one line has room for, cut?: a folder that holds more names than are looked at}
 *   names      {kind: "loras"|"hypernetworks"|"embeddings"}   what the folders of models have for prompts; answers names {kind,
 *                                     names: [{name, path}], sorted, at most 2000}
 *   preprocess {preprocess: "ID" or "ID:key=value,…"}   makes a control picture of the blob "image" of this id (some look at a blob "mask"
 *                                     too); answers preprocess {width, height, channels: 4, dtype: "f32"} + payload of the same size,
 *                                     transparent where an inpainting ControlNet is to see nothing
 *   masks      {job: {…recipe of a fill or edit…}, most-side = 512}   with a blob "mask" of this id; answers blob "denoise" (where the network
 *                                     paints, and how much), blob "blend" (how its result is laid in), both of the region's context and at
 *                                     most most-side pixels long, then masks {region as in estimate, size}
 *   tokens     {model?, prompt, prompt-syntax?, long-prompts?, embeddings?: as in a recipe}
 *                                     answers tokens {count, limit: tokens of a chunk, cut, chunks, counts: [tokens of each chunk],
 *                                     ends: [byte of the prompt where each further chunk begins], words: [learned words in it],
 *                                     text-encoders: [{count, limit, cut, chunks}]}
 *   bye        {}                     the engine closes the connection; so does end of file, which also cancels this client's job
 *
 * engine -> client
 *   hello      {protocol, engine: "version", build: "id", cpu, threads}
 *   queued     {ahead: n}             another client's job is running; sent once
 *   progress   {stage: "load"|"text"|"encode"|"sample"|"decode", step, of, fraction: 0..1, eta: seconds or null, variant, variants}
 *              learning: stage "prior" (pictures of the class) | "load" | "encode" | "look" (at the loss) | "learn", no variants, and loss once there is one
 *              with a new estimate also preview: {width, height}, and the payload is that picture: width * height * 3 bytes, RGB, sRGB,
 *              one pixel for one or more of the latent's, or, decoded, for one or more of the picture's; stretch it over the picture
 *   blob       {name: "blend", width, height, channels: 1, dtype: "f32"} + payload      fill, edit: before each result, size of its box
 *   map        {name: a word or phrase, width, height, channels: 1, dtype: "f32"} + payload      before each result, where a method makes
 *              such (word-maps): values from 0 on over what the network made, on a grid of their own
 *   result     {variant, variants, seed, box: [x, y, w, h] in picture pixels, width, height, channels: 4, dtype: "f32",
 *               notes: [sentences], recipe: {…}} + payload
 *   learned    {out: path of the file that was written, steps, values: how many were found, loss-before, loss-after: on the same noise}
 *   done       {seconds, peak-bytes}
 *   estimate   {memory-bytes: the engine's process at its largest, available-bytes: what it could have, fits, largest: [w, h] where it does
 *               not and something smaller does, tiled: the autoencoder works in tiles, seconds: number or null, of the work once the model
 *               is in memory, size: [w, h], evaluations,
 *               region: {context: [x, y, w, h], box: [x, y, w, h], grow, feather, blend} for fill and edit}
 *   error      {code: name of a PmtError, message: one sentence}
 *
 * Recipe (also a layer's parasite and the file that `pentimento-engine run` takes): see PMT_RECIPE_VERSION below.
 *   pentimento       1
 *   task             "generate" | "fill" | "edit"
 *   model            path, or "" for the bundled model            model-hash  quick hash, written by the engine
 *   prompt, negative-prompt, seed (integer, -1 = choose), variants (1..64)
 *   stop-after       evaluations after which the present estimate becomes the picture (0 = all)
 *   sampler, steps, guidance, strength, eta (-1 = what the sampler advises)
 *                    edit: the prompt is an instruction; text-guidance = 7.5 and image-guidance = 1.5 in place of guidance and strength
 *   prompt-syntax    "weights" (default: weights in brackets, BREAK and tags count) | "plain"
 *   long-prompts     "chunks" (default) | "truncate"
 *   prediction       "auto" (default) | "epsilon" | "v_prediction" | "sample": where the model's files don't say it or are wrong
 *   refiner, refiner-start   path of a second model of the same latents (SDXL) and the part of the noise levels at which it takes over
 *   vae-tiling       "auto" (default: where memory is short) | "on" | "off";  taesd: path of a tiny autoencoder that decodes instead
 *   vae, unet        paths of a VAE and a UNet that stand in for the model's own ("" = none)
 *   size             [w, h] of the run in pixels; for fill and edit optional (chosen from the region)
 *   region           fill, edit: {canvas: [W, H], selection: [x, y, w, h] bounds of the mask in canvas pixels,
 *                           mode: "auto"|"selection"|"whole", grow: -1 = auto, feather: -1 = auto (pixels),
 *                           context: [x, y, w, h]}
 *                    image and mask blobs cover exactly `context`; when it is absent they cover the canvas
 *   mode             fill: "fill" (default) | "expand" | "add" | "remove" | "replace" | "refine": what it is for
 *   prefill          fill: "auto" (default) | "none" | "surroundings" | "blur" | "gray": what stands under the mask at first. auto: fill blur,
 *                    expand and remove surroundings, add and replace gray, refine none
 *   colour-match     fill: true (default) brings the result's colours to those in a ring around the mask;  colour-match-by: "lab" (default:
 *                    mean and spread in L*a*b*) | "shift" (mean of the encoded values)
 *   seam             fill: "feather" (default) | "gradient": a membrane carries the difference at the blend mask's border inwards
 *   methods          [{id, …parameters…}]
 *   controls         [{type, image, model, strength 0..10 = 1, start = 0, end = 1 (parts of the run), preprocess, guess, image-hash}], at
 *                    most 8. type: "canny", "depth" … (`methods --json` lists them). image: name of a blob, or path on the command line;
 *                    absent: the job's own image (type "inpaint": with what is masked hidden). It covers what the image covers; another
 *                    size is scaled. model: file or folder of a ControlNet or T2I-Adapter; a "depth" without one is the depth of a depth
 *                    model. preprocess: "ID" or "ID:key=value,…" makes the control picture out of an ordinary one
 *   references       [{image, model, encoder, strength 0..10 = 1, start, end, image-hash}], at most 8: pictures to take after (IP-Adapter)
 *   layout           {model, beta = 0.3, boxes: [{box: [x0, y0, x1, y1] in 0..1, phrase}], at most 30} (GLIGEN)
 *   region-prompts   [{box: [x0, y0, x1, y1] in 0..1, or mask: name of a picture as for controls, whose light parts count; prompt,
 *                    weight 0.01..100 = 1, mask-hash}], at most 16: prompts for parts of the picture (MultiDiffusion); `prompt` is for the rest
 *   loras            [{path, strength = 1, text-strength = strength}], at most 32
 *   lora-folders     at most 32 folders in which the prompt's <lora:NAME:S> and <hypernet:NAME:S> are looked for, by file name
 *   embeddings       [{path, word}], at most 64 learned words
 *   clip-skip        0..12
 *   image-hash is written by the engine: SHA-256 of the picture, so that a run with another one can say so
 *   precision, threads, engine, cpu   written by the engine
 *
 * Something to be learned from a few pictures (`methods --json` has "learn": {kinds, params}):
 *   pentimento 1, task "learn", kind "word" | "lora"
 *   base             a recipe of the task "generate" with nothing but model (vae, unet), size, prediction, precision, threads, and what
 *                    pictures of the class are made with (prompt = "a picture of THING", negative-prompt, sampler, steps, guidance, seed)
 *   pictures         [{image: name of a blob of 4 channels, caption?}], at most 200
 *   sentences        [texts with {} for the concept], for pictures without a caption; absent: the kind's own
 *   out              path of the safetensors file to write; PATH.learning holds what a cancelled job has found, and the same job goes on there
 *   word, thing, style, steps (0 = usual), accumulate, rate, text-rate (0 = usual), vectors, rank, alpha, texts, flip, prior, prior-weight,
 *   min-snr, seed: as the table says */
#pragma once

#define PMT_PROTOCOL_VERSION 1
#define PMT_PROTOCOL_MAX_LINE (1 << 20)
#define PMT_PROTOCOL_MAX_PAYLOAD ((unsigned long long) 1 << 32)
#define PMT_RECIPE_VERSION 1
#define PMT_RECIPE_PARASITE "pentimento-recipe"
