/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/cli/job-options.h"
#include "engine/cli/progress.h"
#include "engine/image/file.h"
#include "engine/image/resize.h"
#include "engine/weights/safetensors.h"

typedef struct Execution {
  const PmtJob *job;
  const PmtJobFiles *files;
  PmtPicture image, mask;
  PmtPicture *pictures; /* of controls and references */
  PmtNamedPicture *named;
  int n_pictures;
  gboolean image_has_alpha;
  PmtBar bar;
  GHashTable *said; /* notes printed already: variants repeat them */
} Execution;

static void
on_progress (void *user, const PmtProgress *progress, int variant, int variants)
{
  Execution *run = user;

  pmt_bar_show (&run->bar, progress, variant, variants);
}

static void
print_notes (Execution *run, GPtrArray *notes)
{
  for (guint i = 0; i < notes->len; i++) {
    const char *text = g_ptr_array_index (notes, i);
    if (g_hash_table_add (run->said, g_strdup (text)))
      fprintf (stderr, "%s\n", text);
  }
}

/* "out.png" for one picture, "out-2.png" for the second of several. */
static char *
numbered (const char *path, int variant, int variants)
{
  const char *dot = strrchr (path, '.'), *slash = strrchr (path, '/');

  if (variants <= 1)
    return g_strdup (path);
  if (!dot || (slash && dot < slash))
    return g_strdup_printf ("%s-%d", path, variant + 1);
  return g_strdup_printf ("%.*s-%d%s", (int) (dot - path), path, variant + 1, dot);
}

/* Where the result's box lies in the image that was given, which may be the context alone. */
static void
box_in_image (const Execution *run, const PmtJobResult *result, int *x, int *y)
{
  const PmtBox *context = &run->job->region.context;
  gboolean context_only = context->width > 0 && run->image.width == context->width && run->image.height == context->height;

  *x = result->box.x - (context_only ? context->x : 0);
  *y = result->box.y - (context_only ? context->y : 0);
}

static gboolean
write_layer (const Execution *run, const PmtJobResult *result, GError **error)
{
  g_autofree char *path = numbered (run->files->layer, result->variant, result->variants);
  PmtPicture layer;
  gboolean good;
  int left, top;

  if (!pmt_picture_init (&layer, run->image.width, run->image.height, 4, error))
    return FALSE;
  box_in_image (run, result, &left, &top);
  for (int y = 0; y < result->picture.height; y++)
    for (int x = 0; x < result->picture.width; x++) {
      size_t at = (size_t) y * (size_t) result->picture.width + (size_t) x;
      float *to = layer.data + ((size_t) (top + y) * (size_t) layer.width + (size_t) (left + x)) * 4;
      memcpy (to, result->picture.data + at * 4, 3 * sizeof (float));
      to[3] = result->blend.data[at];
    }
  good = pmt_picture_save (&layer, TRUE, NULL, path, error);
  pmt_picture_clear (&layer);
  return good;
}

/* "out-map-blue-house.png" beside "out.png". */
static char *
map_path (const char *path, const char *name)
{
  const char *dot = strrchr (path, '.'), *slash = strrchr (path, '/');
  const int stem = dot && (!slash || dot > slash) ? (int) (dot - path) : (int) strlen (path);
  g_autofree char *safe = g_strdup (name);
  for (char *c = safe; *c; c++)
    if ((guchar) *c < 0x80 && !g_ascii_isalnum (*c))
      *c = '-';
  return g_strdup_printf ("%.*s-map-%s%s", stem, path, safe, path + stem);
}

/* Grey pictures of the size of what the network made, white where a map is highest. */
static gboolean
write_map (const PmtJobResult *result, const PmtMap *map, const char *picture, GError **error)
{
  const int w = result->map_width, h = result->map_height;
  const size_t cells = (size_t) map->width * (size_t) map->height;
  g_autofree char *path = map_path (picture, map->name);
  PmtPicture grey = { 0 };
  float *large = pmt_pixels_new ((size_t) w * (size_t) h, error);
  float top = 0;

  for (size_t i = 0; i < cells; i++)
    top = MAX (top, map->values[i]);
  gboolean good = large && pmt_resize (PMT_FILTER_LINEAR, map->values, map->width, map->height, 1, large, w, h, error) &&
                  pmt_picture_init (&grey, w, h, 4, error);
  for (size_t i = 0; good && i < (size_t) w * (size_t) h; i++) {
    const float v = top > 0 ? large[i] / top : 0;
    memcpy (grey.data + i * 4, (float[4]) { v, v, v, 1 }, 4 * sizeof (float));
  }
  good = good && pmt_picture_save (&grey, FALSE, NULL, path, error);
  if (good)
    printf ("%s map of \"%s\", highest %.4g\n", path, map->name, top);
  pmt_picture_clear (&grey);
  free (large);
  return good;
}

static gboolean
write_latents (const Execution *run, const PmtJobResult *result, GError **error)
{
  g_autofree char *path = numbered (run->files->latents, result->variant, result->variants);
  PmtSafetensorOut tensor = {
    .name = "latents",
    .dtype = PMT_DTYPE_F32,
    .rank = 4,
    .dim = { 1, result->latent_shape[0], result->latent_shape[1], result->latent_shape[2] },
    .data = result->latent,
  };

  return pmt_safetensors_write (path, &tensor, 1, NULL, error);
}

static gboolean
on_result (void *user, const PmtJobResult *result, GError **error)
{
  Execution *run = user;
  g_autofree char *path = numbered (run->files->out, result->variant, result->variants), *recipe = NULL;
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  PmtPicture whole = { 0 };
  gboolean good = TRUE;

  pmt_bar_clear (&run->bar);
  print_notes (run, result->notes);
  json_node_set_object (node, result->recipe);
  recipe = json_to_string (node, FALSE);
  if (result->blend.data) {
    PmtBox all = { 0, 0, run->image.width, run->image.height };
    int x, y;

    box_in_image (run, result, &x, &y);
    good = pmt_picture_crop (&run->image, &all, &whole, error);
    if (good)
      pmt_picture_lay_over (&whole, &result->picture, &result->blend, x, y);
  }
  good = good && (!run->files->layer || write_layer (run, result, error)) &&
         (!run->files->latents || write_latents (run, result, error)) &&
         (whole.data ? pmt_picture_save (&whole, run->image_has_alpha, recipe, path, error)
                     : pmt_picture_save (&result->picture, FALSE, recipe, path, error));
  if (good)
    printf ("%s seed %" G_GUINT64_FORMAT "\n", path, result->seed);
  for (int i = 0; i < result->n_maps && good; i++)
    good = write_map (result, &result->maps[i], path, error);
  fflush (stdout);
  pmt_picture_clear (&whole);
  return good;
}

/* The file's first tensor as f32. */
static float *
read_noise (const char *path, size_t *count, GError **error)
{
  PmtSafetensors *file = pmt_safetensors_open (path, error);
  const PmtSafetensor *tensor;
  float *values = NULL;

  if (!file)
    return NULL;
  if (pmt_safetensors_count (file) == 0)
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "The noise file '%s' holds no tensor; give one with a tensor of shape 1×C×H×W.",
                 path);
  else {
    tensor = pmt_safetensors_at (file, 0);
    *count = tensor->count;
    values = pmt_pixels_new (tensor->count, error);
    if (values && !pmt_safetensors_read_f32 (file, tensor, 0, tensor->count, values, error))
      g_clear_pointer (&values, free);
  }
  pmt_safetensors_free (file);
  return values;
}

static gboolean
check_files (const PmtJobFiles *files, const PmtJob *job, GError **error)
{
  if (!files->out) {
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_INPUT, "No file to write was named; add --out FILE.png.");
    return FALSE;
  }
  if (job->task != PMT_TASK_GENERATE && !files->image) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "No picture to %s was named; add --image FILE.", pmt_task_name (job->task));
    return FALSE;
  }
  if (files->layer && !g_str_has_suffix (files->layer, ".png")) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "A layer needs transparency, so end the name '%s' with .png.", files->layer);
    return FALSE;
  }
  return pmt_picture_check_save (files->out, error) && (!files->layer || pmt_picture_check_save (files->layer, error));
}

/* The pictures that controls and references name are files here. */
static gboolean
load_pictures (Execution *run, const PmtJob *job, GError **error)
{
  g_autoptr (GPtrArray) names = pmt_job_picture_names (job);

  run->pictures = g_new0 (PmtPicture, names->len + 1);
  run->named = g_new0 (PmtNamedPicture, names->len + 1);
  for (guint i = 0; i < names->len; i++) {
    const char *name = g_ptr_array_index (names, i);
    if (!pmt_picture_load (name, &run->pictures[i], NULL, error))
      return FALSE;
    run->named[i] = (PmtNamedPicture) { name, &run->pictures[i] };
    run->n_pictures++;
  }
  return TRUE;
}

static void
execution_clear (Execution *run)
{
  for (int i = 0; i < run->n_pictures; i++)
    pmt_picture_clear (&run->pictures[i]);
  g_free (run->pictures);
  g_free (run->named);
  pmt_picture_clear (&run->image);
  pmt_picture_clear (&run->mask);
  g_hash_table_unref (run->said);
}

gboolean
pmt_job_execute (JsonObject *recipe, const PmtJobFiles *files, GError **error)
{
  Execution run = { .files = files };
  PmtJob *job = pmt_job_parse (recipe, error);
  PmtModelCache *cache = NULL;
  PmtJobInputs inputs = { 0 };
  PmtJobHooks hooks = { .once = true, .progress = on_progress, .result = on_result, .user = &run };
  float *noise = NULL;
  gboolean good;

  if (!job)
    return FALSE;
  run.job = job;
  run.said = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  good = check_files (files, job, error) &&
         (!files->image || pmt_picture_load (files->image, &run.image, &run.image_has_alpha, error)) &&
         (!files->mask || pmt_mask_load (files->mask, &run.mask, error)) && load_pictures (&run, job, error) &&
         (!files->noise || (noise = read_noise (files->noise, &inputs.noise_values, error)));
  if (good) {
    inputs.image = run.image.data ? &run.image : NULL;
    inputs.mask = run.mask.data ? &run.mask : NULL;
    inputs.pictures = run.named;
    inputs.n_pictures = run.n_pictures;
    inputs.noise = noise;
    hooks.cancel = pmt_cli_cancel ();
    pmt_bar_init (&run.bar, files->progress);
    cache = pmt_model_cache_new ();
    good = pmt_job_run (job, cache, &inputs, &hooks, NULL, error);
    pmt_bar_clear (&run.bar);
    pmt_model_cache_free (cache);
  }
  free (noise);
  execution_clear (&run);
  pmt_job_free (job);
  return good;
}
