/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/sample/weight_set.h"
#include "tests/methods/loras.h"
#include "tests/sample/edits.h"

static Loras loras;

static void
free_edits (PmtWeightEdit *edits, int n)
{
  for (int i = 0; i < n; i++)
    g_free ((char *) edits[i].path);
}

/* Strengths of 0 load nothing: the plain run to the bit, even where the path leads nowhere. */
static void
test_nothing (void)
{
  PmtWeightEdit edits[] = { loras_edit (&loras, "kohya", 0, 0), { g_strdup ("/nowhere/at-all.safetensors"), 0, 0 } };
  PmtResult plain = loras_run (&loras, NULL, 0), none = loras_run (&loras, edits, 2);
  runs_assert_equal (&plain, &none);
  pmt_result_clear (&plain);
  pmt_result_clear (&none);
  free_edits (edits, 2);
}

/* With, other strength, with again, without: each is what it was the first time, to the bit. */
static void
test_taken_out (void)
{
  PmtWeightEdit edits[] = { loras_edit (&loras, "kohya", 1, 1), loras_edit (&loras, "lycoris", 0.5, 0) };
  PmtResult plain = loras_run (&loras, NULL, 0), one = loras_run (&loras, edits, 1), two = loras_run (&loras, edits, 2);
  edits[0].strength = 0.25;
  PmtResult weak = loras_run (&loras, edits, 1);
  runs_assert_differ (&one, &plain);
  runs_assert_differ (&two, &one);
  runs_assert_differ (&weak, &one);
  edits[0].strength = 1;
  PmtResult again = loras_run (&loras, edits, 1), same = loras_run (&loras, edits, 1), without = loras_run (&loras, NULL, 0);
  runs_assert_equal (&one, &again);
  runs_assert_equal (&one, &same);
  runs_assert_equal (&plain, &without);
  PmtResult *all[] = { &plain, &one, &two, &weak, &again, &same, &without };
  for (size_t i = 0; i < G_N_ELEMENTS (all); i++)
    pmt_result_clear (all[i]);
  free_edits (edits, 2);
}

/* UNet and text encoders are changed apart. */
static void
test_parts (void)
{
  PmtWeightEdit edit = loras_edit (&loras, "kohya", 1, 0);
  PmtResult plain = loras_run (&loras, NULL, 0), unet = loras_run (&loras, &edit, 1);
  edit.strength = 0;
  edit.text_strength = 1;
  PmtResult text = loras_run (&loras, &edit, 1);
  runs_assert_differ (&unet, &plain);
  runs_assert_differ (&text, &plain);
  runs_assert_differ (&text, &unet);
  pmt_result_clear (&plain);
  pmt_result_clear (&unet);
  pmt_result_clear (&text);
  free_edits (&edit, 1);
}

static size_t
weight_bytes (const PmtWeightEdit *edits, int n)
{
  PmtRequest q = loras.request;
  GError *error = NULL;
  PmtCost cost;
  q.weight_edits = edits;
  q.n_weight_edits = n;
  pmt_run_cost (&q, &cost, &error);
  g_assert_no_error (error);
  return cost.weight_bytes;
}

/* The cost holds the changed weights; two files that change the same ones need no more than one; what is kept goes with the next run. */
static void
test_memory (void)
{
  PmtWeightEdit edits[] = { loras_edit (&loras, "kohya", 1, 1), loras_edit (&loras, "second", 1, 1) };
  const size_t none = weight_bytes (NULL, 0), one = weight_bytes (edits, 1), both = weight_bytes (edits, 2);
  const size_t unet = pmt_unet_weight_bytes (pmt_model_unet_dry (loras.model, 0, NULL));
  g_assert_cmpuint (one, >, none + unet / 2);
  g_assert_cmpuint (both, ==, one);
  PmtResult plain = loras_run (&loras, NULL, 0);
  const size_t before = pmt_model_resident_bytes (loras.model);
  PmtResult with = loras_run (&loras, edits, 2);
  g_assert_cmpuint (pmt_model_resident_bytes (loras.model), ==, before + both - none);
  PmtResult again = loras_run (&loras, NULL, 0);
  g_assert_cmpuint (pmt_model_resident_bytes (loras.model), ==, before);
  PmtRequest q = loras.request;
  q.weight_edits = edits;
  q.n_weight_edits = 2;
  q.memory_limit = plain.peak_bytes + (both - none) / 2;
  runs_refused (&q, PMT_ERROR_MEMORY, "memory");
  pmt_result_clear (&plain);
  pmt_result_clear (&with);
  pmt_result_clear (&again);
  free_edits (edits, 2);
}

/* The last part of loading is where changes are applied. */
static void
stop_at_last (void *user, const PmtProgress *progress)
{
  if (progress->stage == PMT_STAGE_LOAD && progress->step == progress->of - 1)
    pmt_cancel_request (user);
}

static void
test_cancel (void)
{
  PmtWeightEdit edit = loras_edit (&loras, "kohya", 1, 1);
  PmtResult first = loras_run (&loras, NULL, 0); /* networks are loaded: what is left is to apply */
  PmtCancel cancel = { false };
  PmtRequest q = loras.request;
  q.weight_edits = &edit;
  q.n_weight_edits = 1;
  q.cancel = &cancel;
  q.progress = stop_at_last;
  q.progress_user = &cancel;
  runs_refused (&q, PMT_ERROR_CANCELLED, "Applying the LoRA was cancelled");
  PmtResult after = loras_run (&loras, NULL, 0);
  runs_assert_equal (&first, &after);
  pmt_result_clear (&first);
  pmt_result_clear (&after);
  free_edits (&edit, 1);
}

/* ---- rows that choose their set ----------------------------------------------------------------------------------------- */

static int wanted_set[2]; /* of cond and uncond rows */

static gboolean
choose_sets (void *user, PmtRun *run, PmtStep *step, GError **error)
{
  for (int i = 0; i < step->rows.n; i++)
    step->rows.row[i].weight_set = wanted_set[strcmp (step->rows.row[i].role, PMT_ROW_UNCOND) == 0];
  return TRUE;
}

static PmtResult
run_sets (int cond, int uncond, PmtWeightEdit *edit)
{
  static const PmtMethod chooser = { .id = "test-chooser", .label = "x", .summary = "x.", .order = 5000, .internal = true, .branch = choose_sets };
  const PmtMethodUse use = { .method = &chooser };
  PmtRequest q = loras.request;
  q.weight_edits = edit;
  q.n_weight_edits = 1;
  q.methods = &use;
  q.n_methods = 1;
  wanted_set[0] = cond;
  wanted_set[1] = uncond;
  return runs_do (&q);
}

/* Set 0 in all rows is the plain run, set 1 the run with the file, and mixed rows are neither. Text encoders are left alone here. */
static void
test_rows (void)
{
  PmtWeightEdit edit = loras_edit (&loras, "kohya", 1, 0);
  PmtResult plain = loras_run (&loras, NULL, 0), with = loras_run (&loras, &edit, 1);
  PmtResult none = run_sets (0, 0, &edit), all = run_sets (1, 1, &edit), mixed = run_sets (1, 0, &edit);
  runs_assert_equal (&none, &plain);
  runs_assert_equal (&all, &with);
  runs_assert_differ (&mixed, &plain);
  runs_assert_differ (&mixed, &with);
  PmtResult *results[] = { &plain, &with, &none, &all, &mixed };
  for (size_t i = 0; i < G_N_ELEMENTS (results); i++)
    pmt_result_clear (results[i]);
  free_edits (&edit, 1);
}

/* ---- files that do not fit ------------------------------------------------------------------------------------------------ */

/* A copy of NAME with `n` further keys and without `drop` of its own; its path, to be removed. */
static char *
changed_copy (const char *name, const char *const *more, guint n, guint keep)
{
  g_autofree char *path = loras_path (&loras, name);
  GError *error = NULL;
  PmtSafetensors *file = pmt_safetensors_open (path, &error);
  g_assert_no_error (error);
  static const float zeros[64];
  g_autoptr (GArray) out = g_array_new (FALSE, FALSE, sizeof (PmtSafetensorOut));
  g_autoptr (GPtrArray) values = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; i < MIN (keep, pmt_safetensors_count (file)); i++) {
    const PmtSafetensor *t = pmt_safetensors_at (file, i);
    float *v = g_new (float, t->count);
    pmt_safetensors_read_f32 (file, t, 0, t->count, v, &error);
    g_assert_no_error (error);
    PmtSafetensorOut o = { .name = t->name, .dtype = PMT_DTYPE_F32, .rank = t->rank, .data = v };
    memcpy (o.dim, t->dim, sizeof o.dim);
    g_array_append_val (out, o);
    g_ptr_array_add (values, v);
  }
  for (guint i = 0; i < n; i++) {
    PmtSafetensorOut o = { .name = more[i], .dtype = PMT_DTYPE_F32, .rank = 2, .dim = { 2, 8 }, .data = zeros };
    g_array_append_val (out, o);
  }
  char *made = g_strdup_printf ("%s/pmt-lora-%d-%u.safetensors", g_get_tmp_dir (), (int) getpid (), g_random_int ());
  pmt_safetensors_write (made, (const PmtSafetensorOut *) (const void *) out->data, out->len, NULL, &error);
  g_assert_no_error (error);
  pmt_safetensors_free (file);
  return made;
}

static void
refused_file (const char *path, PmtError code, const char *part)
{
  const PmtWeightEdit edit = { path, 1, 1 };
  PmtRequest q = loras.request;
  q.weight_edits = &edit;
  q.n_weight_edits = 1;
  runs_refused (&q, code, part);
}

/* Some keys that fit nothing: the rest is applied, and a note lists them. */
static void
test_unmatched (void)
{
  static const char *const more[] = { "lora_unet_nothing_here.lora_down.weight", "lora_unet_nothing_here.lora_up.weight", "what.is.this",
                                      "lora_te_also_nothing.alpha" };
  g_autofree char *path = changed_copy ("kohya", more, 4, 10000);
  PmtWeightEdit edits[] = { { path, 1, 1 }, loras_edit (&loras, "kohya", 1, 1) };
  PmtResult some = loras_run (&loras, edits, 1), whole = loras_run (&loras, edits + 1, 1);
  runs_assert_equal (&some, &whole);
  g_assert_null (whole.notes);
  g_assert_nonnull (some.notes);
  g_assert_cmpuint (g_strv_length (some.notes), ==, 1);
  g_assert_nonnull (strstr (some.notes[0], "4 tensors of the LoRA"));
  g_assert_nonnull (strstr (some.notes[0], path));
  g_assert_nonnull (strstr (some.notes[0], "lora_te_also_nothing.alpha"));
  pmt_result_clear (&some);
  pmt_result_clear (&whole);

  g_autofree char *few = changed_copy ("kohya", more, 4, 3);
  refused_file (few, PMT_ERROR_UNSUPPORTED, "of the 7 tensors in the LoRA");
  refused_file (few, PMT_ERROR_UNSUPPORTED, "choose a LoRA for this model");
  g_remove (path);
  g_remove (few);
  free_edits (edits + 1, 1);
}

/* Names as long as files may have them are told cut. */
static void
test_long_name (void)
{
  g_autofree char *name = g_strnfill (2 << 20, 'x');
  const char *const more[] = { name };
  g_autofree char *path = changed_copy ("kohya", more, 1, 10000), *few = changed_copy ("kohya", more, 1, 0);
  PmtWeightEdit edit = { path, 1, 1 };
  PmtResult some = loras_run (&loras, &edit, 1);
  g_autoptr (GError) error = NULL;
  PmtResult none;
  PmtRequest q = loras.request;
  g_assert_nonnull (some.notes);
  g_assert_nonnull (strstr (some.notes[0], "xxx..."));
  g_assert_cmpuint (strlen (some.notes[0]), <, 2000);
  pmt_result_clear (&some);
  edit.path = few;
  q.weight_edits = &edit;
  q.n_weight_edits = 1;
  g_assert_false (pmt_run (&q, &none, &error));
  g_assert_cmpuint (strlen (error->message), <, 2000);
  g_remove (path);
  g_remove (few);
}

static void
test_refusals (void)
{
  static const char *const other[] = { "lora_unet_conv_out.lora_down.weight" };
  static const float zeros[4096];
  const PmtSafetensorOut wide[] = {
    { .name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight", .dtype = PMT_DTYPE_F32, .rank = 2,
      .dim = { 1, 2048 }, .data = zeros },
    { .name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_up.weight", .dtype = PMT_DTYPE_F32, .rank = 2,
      .dim = { 640, 1 }, .data = zeros },
  };
  const PmtSafetensorOut oft = { .name = "lora_unet_mid_block_attentions_0_proj_in.oft_blocks", .dtype = PMT_DTYPE_F32, .rank = 3,
                                 .dim = { 2, 4, 4 }, .data = zeros };
  GError *error = NULL;
  g_autofree char *path = g_strdup_printf ("%s/pmt-lora-%d.safetensors", g_get_tmp_dir (), (int) getpid ());
  refused_file ("/nowhere/at-all.safetensors", PMT_ERROR_NOT_FOUND, "/nowhere/at-all.safetensors");

  pmt_safetensors_write (path, wide, 2, NULL, &error);
  g_assert_no_error (error);
  refused_file (path, PMT_ERROR_UNSUPPORTED, "was made for Stable Diffusion XL, and the model");
  refused_file (path, PMT_ERROR_UNSUPPORTED, path);
  pmt_safetensors_write (path, &oft, 1, NULL, &error);
  g_assert_no_error (error);
  refused_file (path, PMT_ERROR_UNSUPPORTED, "OFT");

  static const char pickle[] = "\x80\x02}q\x01(X\x05\x00\x00\x00stateq\x02K\x01X\x04\x00\x00\x00stepq\x03K\x02u.";
  g_file_set_contents (path, pickle, sizeof pickle - 1, &error);
  g_assert_no_error (error);
  refused_file (path, PMT_ERROR_UNSUPPORTED, "pickle");
  g_autofree char *whole = loras_path (&loras, "kohya");
  g_autofree char *bytes = NULL;
  gsize n;
  g_file_get_contents (whole, &bytes, &n, &error);
  g_assert_no_error (error);
  g_file_set_contents (path, bytes, (gssize) n / 2, &error);
  g_assert_no_error (error);
  refused_file (path, PMT_ERROR_FORMAT, path);
  g_remove (path);

  /* half a pair changes nothing */
  g_autofree char *half = changed_copy ("kohya", other, 1, 0);
  refused_file (half, PMT_ERROR_UNSUPPORTED, "1 of the 1 tensors");
  g_remove (half);
  g_autofree char *unet = g_build_filename (loras.folder, "model", "unet", "diffusion_pytorch_model.safetensors", NULL);
  refused_file (unet, PMT_ERROR_UNSUPPORTED, "UNet");
  PmtWeightEdit edit = loras_edit (&loras, "kohya", 1e9, 1);
  PmtRequest q = loras.request;
  q.weight_edits = &edit;
  q.n_weight_edits = 1;
  runs_refused (&q, PMT_ERROR_INPUT, "-100 to 100");
  free_edits (&edit, 1);
}

/* A LoRA of three layers, the first of them the convolution of `channels` inputs that the network begins with; its path, to be removed. */
static char *
first_layer_file (int channels)
{
  static const float halves[128] = { [0 ... 127] = 0.5f };
  const PmtSafetensorOut out[] = {
    { .name = "lora_unet_conv_in.lora_down.weight", .dtype = PMT_DTYPE_F32, .rank = 4, .dim = { 1, channels, 3, 3 }, .data = halves },
    { .name = "lora_unet_conv_in.lora_up.weight", .dtype = PMT_DTYPE_F32, .rank = 4, .dim = { 8, 1, 1, 1 }, .data = halves },
    { .name = "lora_unet_conv_out.lora_down.weight", .dtype = PMT_DTYPE_F32, .rank = 4, .dim = { 1, 8, 3, 3 }, .data = halves },
    { .name = "lora_unet_conv_out.lora_up.weight", .dtype = PMT_DTYPE_F32, .rank = 4, .dim = { 4, 1, 1, 1 }, .data = halves },
    { .name = "lora_unet_time_embedding_linear_1.lora_down.weight", .dtype = PMT_DTYPE_F32, .rank = 2, .dim = { 1, 8 }, .data = halves },
    { .name = "lora_unet_time_embedding_linear_1.lora_up.weight", .dtype = PMT_DTYPE_F32, .rank = 2, .dim = { 32, 1 }, .data = halves },
  };
  GError *error = NULL;
  char *path = g_strdup_printf ("%s/pmt-lora-first-%d-%d.safetensors", g_get_tmp_dir (), channels, (int) getpid ());
  pmt_safetensors_write (path, out, G_N_ELEMENTS (out), NULL, &error);
  g_assert_no_error (error);
  return path;
}

/* A model with a network for edits beside its main one: a file is held against the one that the run computes with, so that what fits one
 * and not the other is applied here and noted there, whichever run came first. */
static void
test_other_unet (void)
{
  Runs runs;
  runs_open (&runs);
  PmtModel *model = edits_model ();
  g_autofree char *four = first_layer_file (4), *eight = first_layer_file (8);
  const struct {
    const char *path;
    bool edit, fits;
  } cases[] = { { four, false, true }, { four, true, false }, { eight, true, true }, { eight, false, false }, { four, false, true } };
  for (size_t i = 0; i < G_N_ELEMENTS (cases); i++) {
    const PmtWeightEdit edit = { cases[i].path, 1, 1 };
    PmtRequest q = runs_request (&runs, model);
    q.edit = cases[i].edit;
    q.image = cases[i].edit ? runs.picture : NULL;
    q.image_guidance = 1.5;
    q.steps = 1;
    PmtResult plain = runs_do (&q);
    q.weight_edits = &edit;
    q.n_weight_edits = 1;
    PmtResult with = runs_do (&q);
    runs_assert_differ (&plain, &with);
    if (cases[i].fits)
      g_assert_null (with.notes);
    else {
      g_assert_nonnull (with.notes);
      g_assert_nonnull (strstr (with.notes[0], "2 tensors of the LoRA"));
      g_assert_nonnull (strstr (with.notes[0], "lora_unet_conv_in.lora_up.weight"));
    }
    pmt_result_clear (&plain);
    pmt_result_clear (&with);
  }
  g_remove (four);
  g_remove (eight);
  pmt_model_unref (model);
  runs_close (&runs);
}

/* A folder with the file that diffusers or PEFT put there. */
static void
test_folder (void)
{
  GError *error = NULL;
  g_autofree char *folder = g_dir_make_tmp ("pmt-lora-XXXXXX", &error), *file = g_build_filename (folder, "pytorch_lora_weights.safetensors", NULL);
  g_autofree char *from = loras_path (&loras, "peft"), *bytes = NULL;
  gsize n;
  refused_file (folder, PMT_ERROR_NOT_FOUND, "holds neither");
  g_file_get_contents (from, &bytes, &n, &error);
  g_file_set_contents (file, bytes, (gssize) n, &error);
  g_assert_no_error (error);
  PmtWeightEdit edits[] = { { folder, 1, 1 }, { from, 1, 1 } };
  PmtResult a = loras_run (&loras, edits, 1), b = loras_run (&loras, edits + 1, 1);
  runs_assert_equal (&a, &b);
  pmt_result_clear (&a);
  pmt_result_clear (&b);
  g_remove (file);
  g_rmdir (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  loras_open (&loras);
  loras_add_cases (&loras, "hyper", true);
  g_test_add_func ("/lora/nothing", test_nothing);
  g_test_add_func ("/lora/taken-out", test_taken_out);
  g_test_add_func ("/lora/parts", test_parts);
  g_test_add_func ("/lora/memory", test_memory);
  g_test_add_func ("/lora/cancel", test_cancel);
  g_test_add_func ("/lora/rows", test_rows);
  g_test_add_func ("/lora/unmatched", test_unmatched);
  g_test_add_func ("/lora/long-name", test_long_name);
  g_test_add_func ("/lora/other-unet", test_other_unet);
  g_test_add_func ("/lora/refusals", test_refusals);
  g_test_add_func ("/lora/folder", test_folder);
  int status = g_test_run ();
  loras_close (&loras);
  return status;
}
