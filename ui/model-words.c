/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ui/model-words.h"

#include <glib/gi18n.h>

static const char *const words[][2] = {
  { "checkpoint", N_("Model") },          { "diffusers-folder", N_("Model (folder)") }, { "lora", N_("LoRA") },
  { "controlnet", N_("ControlNet") },     { "t2i-adapter", N_("T2I-Adapter") },         { "ip-adapter", N_("IP-Adapter") },
  { "clip-vision", N_("Image encoder") }, { "gligen", N_("Box network") },              { "embedding", N_("Embedding") },
  { "hypernetwork", N_("Hypernetwork") }, { "vae", N_("VAE") },                         { "taesd", N_("Tiny decoder") },
  { "unet", N_("UNet alone") },           { "text-encoder", N_("Text encoder") },       { "other", N_("Other") },
  { "pickle", N_("Pickled file") },       { "unknown", N_("Unknown") },
};

const char *const pmt_model_kinds[] = { "checkpoint", "diffusers-folder", "lora", "controlnet", "t2i-adapter", "ip-adapter", "clip-vision", "gligen", "embedding",
                                        "hypernetwork", "vae", "taesd", "unet", "text-encoder", "other", "pickle", "unknown", NULL };

static const char *const origins[][2] = {
  { "own", N_("Pentimento") },         { "added", N_("Added by you") }, { "a1111", "AUTOMATIC1111" },          { "forge", "Forge" },
  { "reforge", "reForge" },            { "comfyui", "ComfyUI" },        { "invokeai", "InvokeAI" },            { "krita", "Krita AI Diffusion" },
};

static const char *
look_up (const char *const (*table)[2], gsize n, const char *id)
{
  for (gsize i = 0; i < n; i++)
    if (g_str_equal (table[i][0], id))
      return _(table[i][1]);
  return id;
}

const char *
pmt_model_kind_word (const char *kind)
{
  return look_up (words, G_N_ELEMENTS (words), kind);
}

const char *
pmt_model_use_word (const char *use)
{
  if (g_str_equal (use, "inpaint"))
    return _("for Fill");
  return g_str_equal (use, "edit") ? _("for Edit") : NULL;
}

const char *
pmt_model_origin_word (const char *origin)
{
  return look_up (origins, G_N_ELEMENTS (origins), origin);
}

char *
pmt_model_size_text (gint64 bytes)
{
  return bytes < 0 ? g_strdup (_("not known")) : g_format_size ((guint64) bytes);
}
