/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sampler, steps and guidance that a job leaves open: what the model's files show. */
#include <string.h>

#include <glib/gstdio.h>

#include "engine/job/private.h"

static const char *const files[] = { "unet/config.json", "unet/diffusion_pytorch_model.safetensors", "vae/config.json",
                                     "vae/diffusion_pytorch_model.safetensors", "text_encoder/config.json", "text_encoder/model.safetensors" };
static const char *const folders[] = { "unet", "vae", "text_encoder", "scheduler" };

/* The tiny model with that scheduler and with further members of the UNet's config. */
static char *
make_model (const char *scheduler, const char *unet)
{
  char *folder = g_dir_make_tmp ("pmt-choice-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "scheduler", "scheduler_config.json", NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (folders); i++) {
    g_autofree char *made = g_build_filename (folder, folders[i], NULL);
    g_assert_cmpint (g_mkdir (made, 0700), ==, 0);
  }
  g_assert_true (g_file_set_contents (path, scheduler, -1, NULL));
  for (gsize i = 0; i < G_N_ELEMENTS (files); i++) {
    g_autofree char *from = g_build_filename (g_getenv ("PMT_TEST_DATA"), "runs", "tiny", files[i], NULL);
    g_autofree char *to = g_build_filename (folder, files[i], NULL), *text = NULL;
    gsize size;
    g_assert_true (g_file_get_contents (from, &text, &size, NULL));
    if (i == 0) {
      g_autoptr (GString) config = g_string_new (text);
      g_string_truncate (config, (gsize) (strrchr (config->str, '}') - config->str));
      g_string_append_printf (config, "%s}", unet);
      g_assert_true (g_file_set_contents (to, config->str, -1, NULL));
    } else {
      g_assert_true (g_file_set_contents (to, text, (gssize) size, NULL));
    }
  }
  return folder;
}

static void
remove_model (const char *folder)
{
  for (gsize i = 0; i < G_N_ELEMENTS (files); i++) {
    g_autofree char *path = g_build_filename (folder, files[i], NULL);
    g_unlink (path);
  }
  g_autofree char *scheduler = g_build_filename (folder, "scheduler", "scheduler_config.json", NULL);
  g_autofree char *own = g_build_filename (folder, "pentimento.json", NULL);
  g_unlink (scheduler);
  g_unlink (own);
  for (gsize i = 0; i < G_N_ELEMENTS (folders); i++) {
    g_autofree char *path = g_build_filename (folder, folders[i], NULL);
    g_rmdir (path);
  }
  g_assert_cmpint (g_rmdir (folder), ==, 0);
}

static PmtJobChoice
choose (const char *folder, const PmtModelParts *parts, const char *sampler, int steps, double guidance)
{
  g_autoptr (GError) error = NULL;
  PmtModel *model = pmt_model_open_with (folder, parts, &error);
  g_assert_no_error (error);
  const PmtJob job = { .sampler = sampler ? pmt_sampler_find (sampler, NULL) : NULL, .steps = steps, .guidance = guidance };
  PmtJobChoice choice;
  pmt_job_choose (&job, model, &choice, &error);
  g_assert_no_error (error);
  pmt_model_unref (model);
  return choice;
}

static void
assert_choice (PmtJobChoice choice, const char *sampler, int steps, double guidance)
{
  g_assert_cmpstr (choice.sampler->id, ==, sampler);
  g_assert_cmpint (choice.steps, ==, steps);
  g_assert_cmpfloat (choice.guidance, ==, guidance);
}

typedef struct Case {
  const char *name, *scheduler, *unet;
  const char *sampler;
  int steps;
  double guidance;
} Case;

#define USUAL "dpmpp-2m-karras", 20, 7
#define BETAS "\"beta_start\":0.00085,\"beta_end\":0.012,\"beta_schedule\":\"scaled_linear\",\"num_train_timesteps\":1000,"

static const Case cases[] = {
  { "sd1", "{\"_class_name\":\"PNDMScheduler\"," BETAS "\"steps_offset\":1}", "", USUAL },
  { "sd2-v", "{\"_class_name\":\"DDIMScheduler\"," BETAS "\"prediction_type\":\"v_prediction\",\"timestep_spacing\":\"trailing\","
             "\"rescale_betas_zero_snr\":true}", "", USUAL },
  { "sdxl", "{\"_class_name\":\"EulerDiscreteScheduler\"," BETAS "\"prediction_type\":\"epsilon\",\"timestep_spacing\":\"leading\"}", "", USUAL },
  { "sdxl-v", "{\"_class_name\":\"EulerDiscreteScheduler\"," BETAS "\"prediction_type\":\"v_prediction\",\"timestep_spacing\":\"trailing\","
              "\"rescale_betas_zero_snr\":true}", "", USUAL },
  { "v-trailing", "{\"_class_name\":\"EulerDiscreteScheduler\"," BETAS "\"prediction_type\":\"v_prediction\","
                  "\"timestep_spacing\":\"trailing\"}", "", USUAL },
  { "zero-snr", "{\"_class_name\":\"EulerDiscreteScheduler\"," BETAS "\"prediction_type\":\"epsilon\",\"timestep_spacing\":\"trailing\","
                "\"rescale_betas_zero_snr\":true}", "", USUAL },
  { "euler-a", "{\"_class_name\":\"EulerAncestralDiscreteScheduler\"," BETAS "\"timestep_spacing\":\"linspace\"}", "", USUAL },
  { "no-class", "{" BETAS "\"timestep_spacing\":\"trailing\"}", "", USUAL },
  { "sd-turbo", "{\"_class_name\":\"EulerDiscreteScheduler\"," BETAS "\"prediction_type\":\"epsilon\",\"timestep_spacing\":\"trailing\","
                "\"trained_betas\":null,\"use_karras_sigmas\":false}", "", "euler-trailing", 4, 1 },
  { "sdxl-turbo", "{\"_class_name\":\"EulerAncestralDiscreteScheduler\"," BETAS "\"prediction_type\":\"epsilon\","
                  "\"timestep_spacing\":\"trailing\"}", "", "euler-a-trailing", 4, 1 },
  { "lcm-scheduler", "{\"_class_name\":\"LCMScheduler\"," BETAS "\"original_inference_steps\":50,\"timestep_spacing\":\"leading\"}", "",
    "lcm", 4, 1.5 },
  { "lcm-unet", "{\"_class_name\":\"PNDMScheduler\"," BETAS "\"steps_offset\":1}", ",\"time_cond_proj_dim\":32", "lcm", 4, 8 },
};

static void
test_case (gconstpointer user)
{
  const Case *c = user;
  const PmtModelParts own = { NULL, NULL };
  g_autofree char *folder = make_model (c->scheduler, c->unet);

  assert_choice (choose (folder, &own, NULL, 0, -1), c->sampler, c->steps, c->guidance);
  assert_choice (choose (folder, &own, c->sampler, 0, -1), c->sampler, c->steps, c->guidance);
  /* what the job says goes before, each for itself */
  assert_choice (choose (folder, &own, NULL, 9, -1), c->sampler, 9, c->guidance);
  assert_choice (choose (folder, &own, NULL, 0, 3), c->sampler, c->steps, 3);
  assert_choice (choose (folder, &own, "heun", 0, -1), "heun", c->steps, c->guidance);
  /* and then what the folder recommends */
  g_autofree char *file = g_build_filename (folder, "pentimento.json", NULL);
  g_assert_true (g_file_set_contents (file, "{\"steps\": 3}", -1, NULL));
  assert_choice (choose (folder, &own, NULL, 0, -1), c->sampler, 3, c->guidance);
  remove_model (folder);
}

/* The scheduler was shipped with the UNet, not with what stands in for it. */
static void
test_replaced (void)
{
  const Case *turbo = &cases[8];
  g_autofree char *folder = make_model (turbo->scheduler, "");
  g_autofree char *unet = g_build_filename (g_getenv ("PMT_TEST_DATA"), "runs", "tiny", "unet", NULL);

  assert_choice (choose (folder, &(PmtModelParts) { unet, NULL }, NULL, 0, -1), USUAL);
  remove_model (folder);
}

/* A method for which the usual guidance is too much says so; what the job asks for is taken as it is, and a model that wants less has less. */
static void
test_method (void)
{
  PmtMethodUse use = { .method = pmt_method_find ("edict", NULL) };
  const double asked[] = { -1, 7 }, models[] = { 7, 1 };

  for (int turbo = 0; turbo <= 1; turbo++) {
    g_autofree char *folder = make_model (cases[turbo ? 8 : 0].scheduler, "");
    PmtModel *model = pmt_model_open (folder, NULL);
    for (gsize i = 0; i < G_N_ELEMENTS (asked); i++) {
      const PmtJob job = { .guidance = asked[i], .methods = &use, .n_methods = 1 };
      PmtJobChoice choice;
      g_assert_true (pmt_job_choose (&job, model, &choice, NULL));
      g_assert_cmpfloat (choice.guidance, ==, asked[i] >= 0 ? asked[i] : MIN (models[turbo], 3));
    }
    pmt_model_unref (model);
    remove_model (folder);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *path = g_strconcat ("/choice/", cases[i].name, NULL);
    g_test_add_data_func (path, &cases[i], test_case);
  }
  g_test_add_func ("/choice/replaced", test_replaced);
  g_test_add_func ("/choice/method", test_method);
  return g_test_run ();
}
