/* SPDX-License-Identifier: GPL-3.0-or-later */
/* IP-Adapter against diffusers' pipeline, what it leaves alone, which files it takes. */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/sample/grounding.h"

static PmtModel *model;
static char *base, *plus;
static GroundingPicture a, b;

static PmtRequest
request (const PmtReference *references, int n)
{
  return (PmtRequest) { .model = model, .prompt = "a red house", .negative = "blue", .width = 48, .height = 64, .steps = 4, .guidance = 5,
                        .strength = 1, .seed = 5, .sampler = pmt_sampler_find ("ddim", NULL), .references = references,
                        .n_references = n };
}

static PmtResult
run (const PmtReference *references, int n)
{
  PmtRequest q = request (references, n);
  return runs_do (&q);
}

static void
test_parity (void)
{
  grounding_check ("ip-");
}

/* Strength 0, and times in which no step lies, change nothing: not a bit, also beside a method that wants the same sites. */
static void
test_nothing (void)
{
  PmtReference none = grounding_reference (base, &a), never = grounding_reference (plus, &b);
  none.strength = 0;
  never.start = 0.9;
  never.end = 0.95;
  const PmtReference both[2] = { none, never };
  PmtResult plain = run (NULL, 0), with = run (both, 2);
  runs_assert_equal (&plain, &with);
  PmtMethodUse use = runs_use ("noop");
  PmtRequest q = request (both, 2);
  q.methods = &use;
  q.n_methods = 1;
  PmtResult watched = runs_do (&q);
  q.n_references = 0;
  PmtResult watched_plain = runs_do (&q);
  runs_assert_equal (&watched, &watched_plain);
  none.strength = 0.5;
  PmtResult half = run (&none, 1);
  runs_assert_differ (&half, &plain);
  pmt_param_values_clear (&use.values);
  pmt_result_clear (&plain);
  pmt_result_clear (&with);
  pmt_result_clear (&watched);
  pmt_result_clear (&watched_plain);
  pmt_result_clear (&half);
}

/* Rows in one call or singly: the same bytes. The order of references of different adapters matters only to rounding. */
static void
test_rows (void)
{
  const PmtReference both[2] = { grounding_reference (base, &a), grounding_reference (plus, &b) };
  const PmtReference turned[2] = { both[1], both[0] };
  PmtRequest q = request (both, 2);
  PmtResult together = runs_do (&q);
  q.rows_per_call = 1;
  PmtResult singly = runs_do (&q);
  runs_assert_equal (&together, &singly);
  PmtResult other = run (turned, 2);
  g_assert_cmpfloat (runs_distance (other.latent, together.latent, runs_latent_size (&together)), <, 1e-4);
  pmt_result_clear (&together);
  pmt_result_clear (&singly);
  pmt_result_clear (&other);
}

/* The same picture twice in one attention is that picture once, to rounding; in two attentions of half the strength also. */
static void
test_shared (void)
{
  PmtReference one = grounding_reference (base, &a);
  const PmtReference twice[2] = { one, one };
  PmtReference half = one, rest = one;
  half.strength = 0.25;
  rest.strength = 0.75;
  const PmtReference split[2] = { half, rest };
  PmtResult single = run (&one, 1), shared = run (twice, 2), parts = run (split, 2);
  g_assert_cmpfloat (runs_distance (shared.latent, single.latent, runs_latent_size (&single)), <, 1e-4);
  g_assert_cmpfloat (runs_distance (parts.latent, single.latent, runs_latent_size (&single)), <, 1e-4);
  pmt_result_clear (&single);
  pmt_result_clear (&shared);
  pmt_result_clear (&parts);
}

static void
test_memory (void)
{
  GError *error = NULL;
  const PmtReference both[2] = { grounding_reference (base, &a), grounding_reference (plus, &b) };
  PmtRequest q = request (both, 2);
  PmtCost plain, with;
  q.n_references = 0;
  g_assert_true (pmt_run_cost (&q, &plain, &error));
  q.n_references = 2;
  g_assert_true (pmt_run_cost (&q, &with, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (with.weight_bytes, >, plain.weight_bytes);
  g_assert_cmpfloat (with.flops, >, plain.flops);
  PmtResult result = runs_do (&q);
  g_assert_cmpuint (result.peak_bytes, ==, with.activation_bytes);
  pmt_result_clear (&result);
}

static void
refuses (PmtReference r, PmtError code, const char *words)
{
  GError *error = NULL;
  PmtResult result;
  PmtRequest q = request (&r, 1);
  g_assert_false (pmt_run (&q, &result, &error));
  g_test_message ("%s", error->message);
  g_assert_error (error, PMT_ERROR, (int) code);
  if (!strstr (error->message, words))
    g_error ("\"%s\" does not say \"%s\"", error->message, words);
  g_clear_error (&error);
}

static void
test_numbers (void)
{
  PmtReference r = grounding_reference (base, &a);
  r.strength = 11;
  refuses (r, PMT_ERROR_INPUT, "from 0 to 10");
  r = grounding_reference (base, &a);
  r.end = 1.5;
  refuses (r, PMT_ERROR_INPUT, "from 0 to 1");
  r = grounding_reference (NULL, &a);
  refuses (r, PMT_ERROR_INPUT, "needs an IP-Adapter");
  r = grounding_reference (base, &a);
  r.height = 0;
  refuses (r, PMT_ERROR_INPUT, "no picture");
  r = grounding_reference ("/nowhere/ip.safetensors", &a);
  refuses (r, PMT_ERROR_NOT_FOUND, "There is no IP-Adapter at '/nowhere/ip.safetensors'");
}

/* Writes a file of zeros with these tensors, "name:AxBxC" each. */
static char *
write_file (const char *folder, const char *name, const char *const *tensors)
{
  static const float zeros[1 << 16];
  GError *error = NULL;
  char *path = g_build_filename (folder, name, NULL);
  g_autoptr (GArray) list = g_array_new (FALSE, TRUE, sizeof (PmtSafetensorOut));
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  for (int i = 0; tensors[i]; i++) {
    g_auto (GStrv) parts = g_strsplit (tensors[i], ":", 2), sides = g_strsplit (parts[1], "x", -1);
    PmtSafetensorOut out = { .name = g_strdup (parts[0]), .dtype = PMT_DTYPE_F32, .rank = (int) g_strv_length (sides), .data = zeros };
    g_ptr_array_add (names, (char *) out.name);
    int64_t count = 1;
    for (int k = 0; k < out.rank; k++)
      count *= out.dim[k] = atoi (sides[k]);
    g_assert_cmpint (count, <=, G_N_ELEMENTS (zeros));
    g_array_append_val (list, out);
  }
  pmt_safetensors_write (path, (const PmtSafetensorOut *) list->data, list->len, NULL, &error);
  g_assert_no_error (error);
  return path;
}

static void
refuses_file (const char *folder, const char *const *tensors, PmtError code, const char *words)
{
  g_autofree char *path = write_file (folder, "adapter.safetensors", tensors);
  refuses (grounding_reference (path, &a), code, words);
}

static void
test_files (void)
{
  GError *error = NULL;
  char *folder = g_dir_make_tmp ("pentimento-test-XXXXXX", &error);
  g_assert_no_error (error);
  refuses_file (folder, (const char *[]) { "image_proj.proj.0.weight:4x4", "image_proj.proj.2.weight:4x4", "image_proj.norm.weight:4",
                                           "ip_adapter.1.to_k_ip.weight:4x4", NULL },
                PMT_ERROR_UNSUPPORTED, "FaceID");
  refuses_file (folder, (const char *[]) { "image_proj.perceiver_resampler.proj_in.weight:4x4", "ip_adapter.0.to_q_lora.down.weight:4x4", NULL },
                PMT_ERROR_UNSUPPORTED, "face recognition");
  refuses_file (folder, (const char *[]) { "image_proj.something.weight:4x4", NULL }, PMT_ERROR_UNSUPPORTED, "a form that this version");
  refuses_file (folder, (const char *[]) { "image_proj.proj.weight:64x24", "image_proj.norm.weight:16", NULL }, PMT_ERROR_FORMAT,
                "attention weights");
  refuses_file (folder, (const char *[]) { "image_proj.latents:1x4x8", NULL }, PMT_ERROR_FORMAT, "resampler");
  refuses_file (folder, (const char *[]) { "lora_unet_x.lora_down.weight:4x4", "lora_unet_x.lora_up.weight:4x4", NULL },
                PMT_ERROR_UNSUPPORTED, "a LoRA");
  /* text of another width; other attentions */
  refuses_file (folder, (const char *[]) { "image_proj.proj.weight:8192x4", "image_proj.norm.weight:2048", "ip_adapter.1.to_k_ip.weight:4x2048",
                                           "ip_adapter.1.to_v_ip.weight:4x2048", NULL },
                PMT_ERROR_UNSUPPORTED, "Stable Diffusion XL");
  refuses_file (folder, (const char *[]) { "image_proj.proj.weight:64x24", "image_proj.norm.weight:16", "ip_adapter.1.to_k_ip.weight:8x16",
                                           "ip_adapter.1.to_v_ip.weight:8x16", NULL },
                PMT_ERROR_UNSUPPORTED, "1 attentions");
  grounding_remove (folder);
}

static void
link_to (const char *folder, const char *name, const char *target)
{
  g_autofree char *from = grounding_path (target), *to = g_build_filename (folder, name, NULL);
  g_assert_cmpint (symlink (from, to), ==, 0);
}

/* Where the encoder is looked for, and what is said where it is not. */
static void
test_encoder (void)
{
  GError *error = NULL;
  char *folder = g_dir_make_tmp ("pentimento-test-XXXXXX", &error);
  g_assert_no_error (error);
  g_autofree char *inner = g_build_filename (folder, "models", NULL), *adapter = g_build_filename (inner, "ip.safetensors", NULL);
  g_autofree char *encoder = grounding_path ("image_encoder"), *file = grounding_path ("image_encoder/model.safetensors");
  g_autofree char *wrong = grounding_path ("vision-plain"), *up = g_build_filename (folder, "image_encoder", NULL);
  g_autofree char *beside = g_build_filename (inner, "image_encoder", NULL);
  g_assert_cmpint (g_mkdir (inner, 0700), ==, 0);
  link_to (inner, "ip.safetensors", "ip-base.safetensors");
  PmtReference given = grounding_reference (base, &a), r = grounding_reference (adapter, &a);
  PmtResult expected = run (&given, 1);

  refuses (r, PMT_ERROR_NOT_FOUND, "with a projection to 24");
  r.encoder = encoder;
  PmtResult named = run (&r, 1);
  runs_assert_equal (&named, &expected);
  r.encoder = file;
  PmtResult single = run (&r, 1);
  runs_assert_equal (&single, &expected);
  r.encoder = wrong;
  refuses (r, PMT_ERROR_UNSUPPORTED, "width 20 and a projection to 0");
  r.encoder = plus;
  refuses (r, PMT_ERROR_UNSUPPORTED, "not an image encoder");
  r.encoder = "/nowhere/encoder";
  refuses (r, PMT_ERROR_NOT_FOUND, "/nowhere/encoder");

  r.encoder = NULL;
  link_to (folder, "image_encoder", "image_encoder");
  PmtResult above = run (&r, 1);
  runs_assert_equal (&above, &expected);
  link_to (inner, "image_encoder", "vision-plain"); /* one that does not fit is passed over */
  PmtResult over = run (&r, 1);
  runs_assert_equal (&over, &expected);
  g_assert_cmpint (g_unlink (up), ==, 0);
  refuses (r, PMT_ERROR_NOT_FOUND, "is another");
  g_assert_cmpint (g_unlink (beside), ==, 0);
  link_to (inner, "image_encoder", "image_encoder");
  PmtResult near = run (&r, 1);
  runs_assert_equal (&near, &expected);

  pmt_result_clear (&expected);
  pmt_result_clear (&named);
  pmt_result_clear (&single);
  pmt_result_clear (&above);
  pmt_result_clear (&over);
  pmt_result_clear (&near);
  grounding_remove (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  model = grounding_model ();
  base = grounding_path ("ip-base.safetensors");
  plus = grounding_path ("ip-plus.safetensors");
  a = grounding_picture ("picture.a");
  b = grounding_picture ("picture.b");
  g_test_add_func ("/ip-adapter/parity", test_parity);
  g_test_add_func ("/ip-adapter/nothing", test_nothing);
  g_test_add_func ("/ip-adapter/rows", test_rows);
  g_test_add_func ("/ip-adapter/shared", test_shared);
  g_test_add_func ("/ip-adapter/memory", test_memory);
  g_test_add_func ("/ip-adapter/numbers", test_numbers);
  g_test_add_func ("/ip-adapter/files", test_files);
  g_test_add_func ("/ip-adapter/encoder", test_encoder);
  int status = g_test_run ();
  pmt_model_unref (model);
  g_free (base);
  g_free (plus);
  g_free (a.data);
  g_free (b.data);
  return status;
}
