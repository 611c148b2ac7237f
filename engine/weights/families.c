/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/weights/families.h"

#include <string.h>

/* Configurations as runwayml/stable-diffusion-v1-5 ships them, keys at their constructor defaults left out. */
static const char sd1_unet[] =
  "{\"_class_name\":\"UNet2DConditionModel\",\"sample_size\":64,\"in_channels\":4,\"out_channels\":4,"
  "\"block_out_channels\":[320,640,1280,1280],\"layers_per_block\":2,\"cross_attention_dim\":768,\"attention_head_dim\":8,"
  "\"norm_num_groups\":32,\"norm_eps\":1e-05,"
  "\"down_block_types\":[\"CrossAttnDownBlock2D\",\"CrossAttnDownBlock2D\",\"CrossAttnDownBlock2D\",\"DownBlock2D\"],"
  "\"up_block_types\":[\"UpBlock2D\",\"CrossAttnUpBlock2D\",\"CrossAttnUpBlock2D\",\"CrossAttnUpBlock2D\"]}";
static const char sd1_vae[] =
  "{\"_class_name\":\"AutoencoderKL\",\"sample_size\":512,\"in_channels\":3,\"out_channels\":3,\"latent_channels\":4,"
  "\"block_out_channels\":[128,256,512,512],\"layers_per_block\":2,\"norm_num_groups\":32,\"scaling_factor\":0.18215}";
static const char sd1_text[] =
  "{\"architectures\":[\"CLIPTextModel\"],\"hidden_size\":768,\"intermediate_size\":3072,\"num_hidden_layers\":12,"
  "\"num_attention_heads\":12,\"hidden_act\":\"quick_gelu\",\"layer_norm_eps\":1e-05,\"max_position_embeddings\":77,"
  "\"vocab_size\":49408,\"eos_token_id\":2,\"bos_token_id\":0,\"pad_token_id\":1}";
static const char sd1_scheduler[] =
  "{\"_class_name\":\"PNDMScheduler\",\"beta_start\":0.00085,\"beta_end\":0.012,\"beta_schedule\":\"scaled_linear\","
  "\"num_train_timesteps\":1000,\"set_alpha_to_one\":false,\"skip_prk_steps\":true,\"steps_offset\":1,"
  "\"clip_sample\":false,\"timestep_spacing\":\"leading\",\"prediction_type\":\"epsilon\"}";

/* As stabilityai/stable-diffusion-2-1, -xl-base-1.0 and -xl-refiner-1.0 ship them. */
static const char sd2_unet[] =
  "{\"_class_name\":\"UNet2DConditionModel\",\"sample_size\":96,\"in_channels\":4,\"out_channels\":4,"
  "\"block_out_channels\":[320,640,1280,1280],\"layers_per_block\":2,\"cross_attention_dim\":1024,"
  "\"attention_head_dim\":[5,10,20,20],\"use_linear_projection\":true,\"norm_num_groups\":32,\"norm_eps\":1e-05,"
  "\"down_block_types\":[\"CrossAttnDownBlock2D\",\"CrossAttnDownBlock2D\",\"CrossAttnDownBlock2D\",\"DownBlock2D\"],"
  "\"up_block_types\":[\"UpBlock2D\",\"CrossAttnUpBlock2D\",\"CrossAttnUpBlock2D\",\"CrossAttnUpBlock2D\"]}";
static const char sd2_text[] =
  "{\"architectures\":[\"CLIPTextModel\"],\"hidden_size\":1024,\"intermediate_size\":4096,\"num_hidden_layers\":23,"
  "\"num_attention_heads\":16,\"hidden_act\":\"gelu\",\"layer_norm_eps\":1e-05,\"max_position_embeddings\":77,"
  "\"vocab_size\":49408,\"eos_token_id\":2,\"bos_token_id\":0,\"pad_token_id\":1}";
static const char sd2_scheduler[] =
  "{\"_class_name\":\"DDIMScheduler\",\"beta_start\":0.00085,\"beta_end\":0.012,\"beta_schedule\":\"scaled_linear\","
  "\"num_train_timesteps\":1000,\"set_alpha_to_one\":false,\"steps_offset\":1,\"clip_sample\":false,"
  "\"timestep_spacing\":\"leading\",\"prediction_type\":\"v_prediction\"}";

static const char sdxl_unet[] =
  "{\"_class_name\":\"UNet2DConditionModel\",\"sample_size\":128,\"in_channels\":4,\"out_channels\":4,"
  "\"block_out_channels\":[320,640,1280],\"layers_per_block\":2,\"cross_attention_dim\":2048,"
  "\"attention_head_dim\":[5,10,20],\"transformer_layers_per_block\":[1,2,10],\"use_linear_projection\":true,"
  "\"norm_num_groups\":32,\"norm_eps\":1e-05,\"addition_embed_type\":\"text_time\",\"addition_time_embed_dim\":256,"
  "\"projection_class_embeddings_input_dim\":2816,"
  "\"down_block_types\":[\"DownBlock2D\",\"CrossAttnDownBlock2D\",\"CrossAttnDownBlock2D\"],"
  "\"up_block_types\":[\"CrossAttnUpBlock2D\",\"CrossAttnUpBlock2D\",\"UpBlock2D\"]}";
static const char refiner_unet[] =
  "{\"_class_name\":\"UNet2DConditionModel\",\"sample_size\":128,\"in_channels\":4,\"out_channels\":4,"
  "\"block_out_channels\":[384,768,1536,1536],\"layers_per_block\":2,\"cross_attention_dim\":1280,"
  "\"attention_head_dim\":[6,12,24,24],\"transformer_layers_per_block\":4,\"use_linear_projection\":true,"
  "\"norm_num_groups\":32,\"norm_eps\":1e-05,\"addition_embed_type\":\"text_time\",\"addition_time_embed_dim\":256,"
  "\"projection_class_embeddings_input_dim\":2560,"
  "\"down_block_types\":[\"DownBlock2D\",\"CrossAttnDownBlock2D\",\"CrossAttnDownBlock2D\",\"DownBlock2D\"],"
  "\"up_block_types\":[\"UpBlock2D\",\"CrossAttnUpBlock2D\",\"CrossAttnUpBlock2D\",\"UpBlock2D\"]}";
static const char sdxl_vae[] =
  "{\"_class_name\":\"AutoencoderKL\",\"sample_size\":1024,\"in_channels\":3,\"out_channels\":3,\"latent_channels\":4,"
  "\"block_out_channels\":[128,256,512,512],\"layers_per_block\":2,\"norm_num_groups\":32,\"scaling_factor\":0.13025}";
static const char big_g_text[] =
  "{\"architectures\":[\"CLIPTextModelWithProjection\"],\"hidden_size\":1280,\"intermediate_size\":5120,"
  "\"num_hidden_layers\":32,\"num_attention_heads\":20,\"hidden_act\":\"gelu\",\"layer_norm_eps\":1e-05,"
  "\"max_position_embeddings\":77,\"vocab_size\":49408,\"eos_token_id\":2,\"bos_token_id\":0,\"pad_token_id\":1,"
  "\"projection_dim\":1280}";
static const char sdxl_scheduler[] =
  "{\"_class_name\":\"EulerDiscreteScheduler\",\"beta_start\":0.00085,\"beta_end\":0.012,"
  "\"beta_schedule\":\"scaled_linear\",\"num_train_timesteps\":1000,\"set_alpha_to_one\":false,\"steps_offset\":1,"
  "\"clip_sample\":false,\"timestep_spacing\":\"leading\",\"prediction_type\":\"epsilon\"}";

static const PmtFamily sd1 = {
  .id = "sd1",
  .size_id = "sd15",
  .label = "Stable Diffusion 1.x",
  .supported = TRUE,
  .context_width = 768,
  .native_size = 512,
  .attention_divisor = 32,
  .unet_prefix = "model.diffusion_model.",
  .vae_prefix = "first_stage_model.",
  .text_prefix = "cond_stage_model.transformer.",
  .unet_config = sd1_unet,
  .vae_config = sd1_vae,
  .text_config = sd1_text,
  .scheduler_config = sd1_scheduler,
};

/* The architecture of SD 1 in other sizes: the bundled model, models trained from scratch. All sizes come from configs and shapes. */
static const PmtFamily custom = {
  .id = "custom",
  .label = "Stable Diffusion 1 architecture in a size of its own",
  .supported = TRUE,
  .unet_prefix = "model.diffusion_model.",
  .vae_prefix = "first_stage_model.",
  .text_prefix = "cond_stage_model.transformer.",
  .unet_config = sd1_unet,
  .vae_config = sd1_vae,
  .text_config = sd1_text,
  .scheduler_config = sd1_scheduler,
};

static const PmtFamily sd2 = {
  .id = "sd2",
  .size_id = "sd21",
  .label = "Stable Diffusion 2.x",
  .supported = TRUE,
  .context_width = 1024,
  .native_size = 768,
  .attention_divisor = 32,
  .unet_prefix = "model.diffusion_model.",
  .vae_prefix = "first_stage_model.",
  .text_prefix = "cond_stage_model.model.",
  .unet_config = sd2_unet,
  .vae_config = sd1_vae,
  .text_config = sd2_text,
  .scheduler_config = sd2_scheduler,
  .text_pads_with_zero = TRUE,
};

static const PmtFamily sdxl = {
  .id = "sdxl",
  .label = "Stable Diffusion XL",
  .supported = TRUE,
  .native_size = 1024,
  .attention_divisor = 32,
  .unet_prefix = "model.diffusion_model.",
  .vae_prefix = "first_stage_model.",
  .text_prefix = "conditioner.embedders.0.transformer.",
  .text_2_prefix = "conditioner.embedders.1.model.",
  .unet_config = sdxl_unet,
  .vae_config = sdxl_vae,
  .text_config = sd1_text,
  .text_2_config = big_g_text,
  .scheduler_config = sdxl_scheduler,
  .force_zeros = TRUE,
};

static const PmtFamily refiner = {
  .id = "sdxl-refiner",
  .label = "Stable Diffusion XL refiner",
  .supported = TRUE,
  .native_size = 1024,
  .attention_divisor = 32,
  .unet_prefix = "model.diffusion_model.",
  .vae_prefix = "first_stage_model.",
  .text_2_prefix = "conditioner.embedders.0.model.",
  .unet_config = refiner_unet,
  .vae_config = sdxl_vae,
  .text_2_config = big_g_text,
  .scheduler_config = sdxl_scheduler,
};

static const PmtFamily upscaler = { .id = "x4-upscaler", .label = "Stable Diffusion x4 upscaler" };

const PmtFamily *const pmt_families[] = { &sd1, &custom, &sd2, &sdxl, &refiner, &upscaler, NULL };

const PmtFamily *
pmt_family_by_id (const char *id)
{
  for (int i = 0; pmt_families[i]; i++)
    if (strcmp (pmt_families[i]->id, id) == 0 || g_strcmp0 (pmt_families[i]->size_id, id) == 0)
      return pmt_families[i];
  return NULL;
}

const PmtFamily *
pmt_family_detect (const PmtUnetTraits *traits)
{
  if (traits->in_channels == 7)
    return &upscaler;
  if (traits->text_time)
    return traits->context_width == 1280 || traits->first_width == 384 ? &refiner : &sdxl;
  for (int i = 0; pmt_families[i]; i++)
    if (pmt_families[i]->context_width == traits->context_width && pmt_families[i]->context_width > 0)
      return pmt_families[i];
  return &custom;
}

gboolean
pmt_family_refuse (const PmtFamily *family, const PmtUnetTraits *traits, const char *path, GError **error)
{
  if (!family->supported) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                 _("'%s' is a %s model, which this version cannot run; use a Stable Diffusion 1.x, 2.x or XL "
                   "model."),
                 path, family->label);
    return TRUE;
  }
  if (!traits->mid_attention) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                 _("'%s' is a distilled model without attention in its middle block, which this version cannot run; use the full "
                   "model it was made from."),
                 path);
    return TRUE;
  }
  if (pmt_unet_use (traits->in_channels, traits->latent_channels) == PMT_UNET_OTHER) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                 _("The UNet of '%s' takes %d input channels, and only 4, 5, 8 and 9 are known; use another model."), path,
                 traits->in_channels);
    return TRUE;
  }
  return FALSE;
}

PmtUnetUse
pmt_unet_use (int in_channels, int latent_channels)
{
  if (in_channels == latent_channels)
    return PMT_UNET_PLAIN;
  if (in_channels == 2 * latent_channels)
    return PMT_UNET_EDIT;
  if (in_channels == 2 * latent_channels + 1)
    return PMT_UNET_INPAINT;
  if (in_channels == latent_channels + 1)
    return PMT_UNET_DEPTH;
  return PMT_UNET_OTHER;
}
