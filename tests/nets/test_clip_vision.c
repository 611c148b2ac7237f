/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The image encoder against transformers: pixels, every layer's states, the embedding; which files it takes. */
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "engine/image/clip_pixels.h"
#include "engine/nets/clip_vision.h"
#include "tests/nets/nets_case.h"

static char *
data_path (const char *name)
{
  return g_build_filename (g_getenv ("PMT_TEST_DATA"), "grounding", name, NULL);
}

static PmtSafetensors *
open_tensors (const char *name)
{
  GError *error = NULL;
  g_autofree char *path = data_path (name);
  PmtSafetensors *file = pmt_safetensors_open (path, &error);
  g_assert_no_error (error);
  return file;
}

static PmtClipVision *
open_vision (const char *name)
{
  GError *error = NULL;
  g_autofree char *path = data_path (name);
  PmtClipVision *vision = pmt_clip_vision_open (path, &error);
  g_assert_no_error (error);
  pmt_clip_vision_load (vision, NULL, &error);
  g_assert_no_error (error);
  return vision;
}

/* ---- pixels ----------------------------------------------------------------------------------------------------------- */

/* Our values are those of an 8-bit picture too; a tie may be rounded the other way, which is one step of 1/255. Pillow 13 resizes pictures
 * more than twice as tall as wide in the other direction first and rounds in between: three steps then. */
static void
test_pixels (void)
{
  PmtSafetensors *file = open_tensors ("pixels.safetensors");
  const float step[3] = { 1 / 255.0f / 0.26862954f, 1 / 255.0f / 0.26130258f, 1 / 255.0f / 0.27577711f };
  int pictures = 0, values = 0, off = 0;
  for (;; pictures++) {
    GError *error = NULL;
    g_autofree char *name = g_strdup_printf ("%d.picture", pictures), *pixels = g_strdup_printf ("%d.pixels", pictures);
    const PmtSafetensor *from = pmt_safetensors_lookup (file, name), *to = pmt_safetensors_lookup (file, pixels);
    if (!from)
      break;
    g_autofree float *rgb = g_new (float, from->count), *want = g_new (float, to->count), *got = g_new (float, to->count);
    pmt_safetensors_read_f32 (file, from, 0, from->count, rgb, &error);
    g_assert_no_error (error);
    pmt_safetensors_read_f32 (file, to, 0, to->count, want, &error);
    g_assert_no_error (error);
    pmt_clip_pixels (rgb, (int) from->dim[1], (int) from->dim[0], (int) to->dim[0], got, &error);
    g_assert_no_error (error);
    const bool tall = from->dim[0] > 2 * from->dim[1];
    for (uint64_t i = 0; i < to->count; i++) {
      const float distance = fabsf (got[i] - want[i]);
      g_assert_cmpfloat (distance, <=, step[i % 3] * (tall ? 3.01f : 1.01f));
      off += distance > 1e-4f && !tall;
    }
    values += tall ? 0 : (int) to->count;
  }
  g_test_message ("%d of %d values differ, each by 1/255 (tall pictures aside)", off, values);
  g_assert_cmpint (pictures, ==, 5);
  g_assert_cmpint (off, <=, values / 1000);
  pmt_safetensors_free (file);
}

static void
test_pixel_refusals (void)
{
  GError *error = NULL;
  float rgb[3 * 70] = { 0 }, out[3 * 16];
  g_assert_false (pmt_clip_pixels (rgb, 70, 1, 4, out, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
  g_assert_nonnull (strstr (error->message, "70 x 1"));
  g_clear_error (&error);
  g_assert_true (pmt_clip_pixels (rgb, 60, 1, 4, out, &error));
  g_assert_no_error (error);
}

/* ---- the network ------------------------------------------------------------------------------------------------------ */

/* What is stored is NCHW; comparisons are NHWC or token sequences. */
static PmtTensor
stored (PmtContext *ctx, const PmtSafetensors *file, const char *name)
{
  const NetsCase nets = { .io = (PmtSafetensors *) file };
  return nets_read (ctx, &nets, name);
}

static void
compare (PmtContext *ctx, const PmtSafetensors *file, const char *name, PmtTensor got)
{
  NetsCase nets = { .name = (char *) "clip-vision", .io = (PmtSafetensors *) file };
  nets_compare (ctx, &nets, name, got);
}

static void
test_states (gconstpointer name)
{
  g_autofree char *io_name = g_build_filename (name, "io.safetensors", NULL);
  PmtSafetensors *io = open_tensors (io_name);
  PmtClipVision *vision = open_vision (name);
  PmtContext *ctx = nets_context_new (false);
  PmtTensor pixels = stored (ctx, io, "pixels");
  const PmtClipVisionConfig *config = pmt_clip_vision_config (vision);
  const bool projects = pmt_safetensors_lookup (io, "embeds") != NULL;
  g_assert_cmpint (config->projection > 0, ==, projects);
  for (int skip = 0; skip <= config->layers; skip++) {
    g_autofree char *hidden = g_strdup_printf ("hidden.%d", skip);
    PmtClipVisionOutput out = pmt_clip_vision_forward (ctx, vision, pixels, skip, projects);
    nets_context_check (ctx);
    compare (ctx, io, hidden, out.hidden);
    if (projects)
      compare (ctx, io, "embeds", out.embeds);
    /* a row is the same alone */
    PmtClipVisionOutput one = pmt_clip_vision_forward (ctx, vision, pmt_tensor_rows (pixels, 1, 1), skip, false);
    nets_context_check (ctx);
    g_assert_true (nets_same_bytes (pmt_tensor_rows (out.hidden, 1, 1), one.hidden));
  }
  nets_context_free (ctx);
  pmt_clip_vision_free (vision);
  pmt_safetensors_free (io);
}

static void
test_dry (void)
{
  GError *error = NULL;
  g_autofree char *path = data_path ("image_encoder");
  PmtClipVision *hollow = pmt_clip_vision_open (path, &error), *vision = open_vision ("image_encoder");
  PmtContext *dry = nets_context_new (true), *ctx = nets_context_new (false);
  PmtTensor planned = nets_random (ctx, PMT_SHAPE4 (1, 16, 16, 3), 3), pixels = pmt_tensor_new (dry, planned.shape);
  PmtClipVisionOutput a = pmt_clip_vision_forward (dry, hollow, pixels, 1, true), b = pmt_clip_vision_forward (ctx, vision, planned, 1, true);
  nets_context_check (ctx);
  nets_context_check (dry);
  g_assert_true (pmt_shape_equal (&a.hidden.shape, &b.hidden.shape));
  g_assert_true (pmt_shape_equal (&a.embeds.shape, &b.embeds.shape));
  g_assert_cmpuint (pmt_arena_peak (dry->step), ==, pmt_arena_peak (ctx->step));
  g_assert_cmpfloat (dry->flops, ==, ctx->flops);
  g_assert_cmpuint (pmt_clip_vision_weight_bytes (vision), ==, pmt_clip_vision_weight_bytes (hollow));
  nets_context_free (ctx);
  nets_context_free (dry);
  pmt_clip_vision_free (vision);
  pmt_clip_vision_free (hollow);
}

static void
fails (PmtContext *ctx, PmtClipVision *vision, PmtTensor pixels, int skip, bool embeds, const char *words)
{
  GError *error = NULL;
  g_assert_null (pmt_clip_vision_forward (ctx, vision, pixels, skip, embeds).hidden.data);
  g_assert_true (pmt_context_take_error (ctx, &error));
  if (!strstr (error->message, words))
    g_error ("\"%s\" does not say \"%s\"", error->message, words);
  g_clear_error (&error);
}

static void
test_wrong_input (void)
{
  PmtClipVision *vision = open_vision ("vision-plain");
  PmtContext *ctx = nets_context_new (false);
  PmtTensor right = nets_random (ctx, PMT_SHAPE4 (1, 15, 15, 3), 1), wrong = nets_random (ctx, PMT_SHAPE4 (1, 16, 15, 3), 1);
  fails (ctx, vision, wrong, 0, false, "15 x 15 x 3");
  fails (ctx, vision, right, 3, false, "2 layers");
  fails (ctx, vision, right, 0, true, "no projection");
  nets_context_free (ctx);
  pmt_clip_vision_free (vision);
}

/* ---- files ------------------------------------------------------------------------------------------------------------ */

/* A header whose tensors have no values worth reading: what an encoder is, is told by shapes. */
static char *
write_shapes (const char *folder, int width, int projection, const char *prefix)
{
  const struct {
    const char *name;
    int rank;
    int64_t dim[4];
  } shapes[] = {
    { "embeddings.class_embedding", 1, { width } },
    { "embeddings.patch_embedding.weight", 4, { width, 3, 1, 1 } },
    { "embeddings.position_embedding.weight", 2, { 5, width } },
    { "encoder.layers.0.mlp.fc1.weight", 2, { 3, width } },
    { "encoder.layers.1.mlp.fc1.weight", 2, { 3, width } },
  };
  GError *error = NULL;
  char *path = g_build_filename (folder, "encoder.safetensors", NULL);
  PmtSafetensorOut out[8] = { 0 };
  guint n = 0;
  g_autofree float *values = g_new0 (float, 8 * (gsize) width);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  for (; n < G_N_ELEMENTS (shapes); n++) {
    out[n] = (PmtSafetensorOut) { .name = g_strconcat (prefix, shapes[n].name, NULL), .dtype = PMT_DTYPE_F32, .rank = shapes[n].rank,
                                  .data = values };
    memcpy (out[n].dim, shapes[n].dim, sizeof shapes[n].dim);
    g_ptr_array_add (names, (char *) out[n].name);
  }
  g_autofree float *projected = g_new0 (float, (gsize) (projection * width) + 1);
  if (projection)
    out[n++] = (PmtSafetensorOut) { .name = "visual_projection.weight", .dtype = PMT_DTYPE_F32, .rank = 2, .dim = { projection, width },
                                    .data = projected };
  pmt_safetensors_write (path, out, n, NULL, &error);
  g_assert_no_error (error);
  return path;
}

static void
test_shapes (void)
{
  GError *error = NULL;
  char *folder = g_dir_make_tmp ("pentimento-test-XXXXXX", &error);
  g_assert_no_error (error);
  const struct {
    int width, heads, projection;
    PmtActivation activation;
    const char *prefix;
  } known[] = { { 1280, 16, 1024, PMT_ACT_GELU, "vision_model." }, { 1664, 16, 1280, PMT_ACT_GELU, "vision_model." },
                { 1024, 16, 768, PMT_ACT_QUICK_GELU, "" }, { 768, 12, 0, PMT_ACT_QUICK_GELU, "" } };
  for (guint i = 0; i < G_N_ELEMENTS (known); i++) {
    g_autofree char *path = write_shapes (folder, known[i].width, known[i].projection, known[i].prefix);
    PmtClipVision *vision = pmt_clip_vision_open (path, &error);
    g_assert_no_error (error);
    const PmtClipVisionConfig *c = pmt_clip_vision_config (vision);
    g_assert_cmpint (c->heads, ==, known[i].heads);
    g_assert_cmpint (c->projection, ==, known[i].projection);
    g_assert_cmpint (c->activation, ==, known[i].activation);
    g_assert_cmpint (c->layers, ==, 2);
    g_assert_cmpint (c->image_size, ==, 2);
    pmt_clip_vision_free (vision);
    g_unlink (path);
  }
  g_autofree char *path = write_shapes (folder, 40, 0, "vision_model.");
  g_assert_null (pmt_clip_vision_open (path, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, "width 40"));
  g_clear_error (&error);
  g_unlink (path);
  g_rmdir (folder);
  g_free (folder);
}

static void
refuses_config (const char *text, const char *words)
{
  GError *error = NULL;
  PmtClipVisionConfig config;
  g_autoptr (JsonObject) object = pmt_config_from_text (text, "config.json");
  g_assert_false (pmt_clip_vision_config_parse (object, "config.json", &config, &error));
  if (!strstr (error->message, words))
    g_error ("\"%s\" does not say \"%s\"", error->message, words);
  g_clear_error (&error);
}

static void
test_config (void)
{
  GError *error = NULL;
  PmtClipVisionConfig config;
  refuses_config ("{\"hidden_size\": 8}", "patch_size");
  refuses_config ("{\"patch_size\": 8, \"hidden_act\": \"relu\"}", "relu");
  refuses_config ("{\"patch_size\": 8, \"hidden_size\": 10, \"num_attention_heads\": 4}", "4 attention heads");
  refuses_config ("{\"patch_size\": 8, \"num_channels\": 4}", "num_channels");
  refuses_config ("{\"patch_size\": 300}", "patch_size");
  refuses_config ("{\"patch_size\": 8, \"num_hidden_layers\": -1}", "num_hidden_layers");
  g_autoptr (JsonObject) whole = pmt_config_from_text ("{\"projection_dim\": 7, \"vision_config\": {\"patch_size\": 14, \"hidden_size\": 24}}",
                                                       "config.json");
  g_assert_true (pmt_clip_vision_config_parse (whole, "config.json", &config, &error));
  g_assert_cmpint (config.projection, ==, 7);
  g_assert_cmpint (config.patch, ==, 14);
  g_assert_cmpint (config.hidden, ==, 24);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/nets/clip-vision/pixels", test_pixels);
  g_test_add_func ("/nets/clip-vision/pixel-refusals", test_pixel_refusals);
  g_test_add_data_func ("/nets/clip-vision/states/projection", "image_encoder", test_states);
  g_test_add_data_func ("/nets/clip-vision/states/plain", "vision-plain", test_states);
  g_test_add_func ("/nets/clip-vision/dry", test_dry);
  g_test_add_func ("/nets/clip-vision/wrong-input", test_wrong_input);
  g_test_add_func ("/nets/clip-vision/shapes", test_shapes);
  g_test_add_func ("/nets/clip-vision/config", test_config);
  return g_test_run ();
}
