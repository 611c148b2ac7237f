# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the averaged weights as f16 into the model folder, in diffusers layout.

    python export.py WORK FOLDER vae                       vae.pt -> vae/
    python export.py WORK FOLDER unet [--name NAME]        NAME.pt -> unet_fill/, text_encoder/, unet/
    python export.py WORK FOLDER unet --only unet|unet_fill --name NAME    one network's own copy
"""
import argparse
import json
import os

import numpy as np
import torch
from safetensors.torch import save_file

import nets
from examples import make
from vocab import table

INDEX = {"_class_name": "StableDiffusionPipeline",
         "feature_extractor": [None, None], "image_encoder": [None, None],
         "requires_safety_checker": False, "safety_checker": [None, None],
         "scheduler": ["diffusers", "DDIMScheduler"],
         "text_encoder": ["transformers", "CLIPTextModel"],
         "tokenizer": ["transformers", "CLIPTokenizer"],
         "unet": ["diffusers", "UNet2DConditionModel"],
         "unet_fill": ["diffusers", "UNet2DConditionModel"],
         "vae": ["diffusers", "AutoencoderKL"]}

TEXT_KEYS = ("model_type", "vocab_size", "hidden_size", "intermediate_size", "projection_dim",
             "num_hidden_layers", "num_attention_heads", "max_position_embeddings", "hidden_act",
             "layer_norm_eps", "bos_token_id", "eos_token_id", "pad_token_id")

SCHEDULER = {"_class_name": "DDIMScheduler", "beta_start": .00085, "beta_end": .012,
             "beta_schedule": "scaled_linear", "num_train_timesteps": 1000, "clip_sample": False,
             "prediction_type": "v_prediction", "set_alpha_to_one": False, "steps_offset": 1,
             "timestep_spacing": "leading"}


def write_json(value, *where):
    path = os.path.join(*where)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f, indent=2)
        f.write("\n")


def write_weights(state, folder, name, title):
    os.makedirs(folder, exist_ok=True)
    half = {k: v.detach().half().contiguous() for k, v in state.items() if "position_ids" not in k}
    worst = max(v.abs().max().item() for v in half.values())
    if not np.isfinite(worst):
        raise SystemExit(f"{folder}: a weight does not fit f16")
    save_file(half, os.path.join(folder, name),
              metadata={"format": "pt", "title": title, "licence": "CC0-1.0"})
    print(folder, sum(v.numel() for v in half.values()), "parameters, largest", round(worst, 2))


def config_of(net):
    config = {k: v for k, v in net.config.items() if not k.startswith("_")}
    return {"_class_name": type(net).__name__, **config}


def export_vae(work, folder):
    vae = nets.make_vae().eval()
    vae.load_state_dict(torch.load(os.path.join(work, "vae.pt")))
    latent = make(5_000_000, 512, vae, 1.0)["latent"].astype(np.float32)
    print("latents: std", latent.std().round(4), "by channel", latent.std((0, 2, 3)).round(3),
          "mean", latent.mean((0, 2, 3)).round(3))
    config = config_of(vae)
    config["scaling_factor"] = round(float(1 / latent.std()), 5)
    write_json(config, folder, "vae", "config.json")
    write_weights(vae.state_dict(), os.path.join(folder, "vae"),
                  "diffusion_pytorch_model.safetensors", "Pentimento sketch autoencoder")


def export_unet(work, folder, name, only):
    text, net = nets.make_text(len(table())), nets.make_unet(9)
    saved = torch.load(os.path.join(work, name + ".pt"))
    torch.nn.ModuleList([net, text]).load_state_dict(saved["average"])
    print(saved["state"])
    if only != "unet":
        write_json(config_of(net), folder, "unet_fill", "config.json")
        write_weights(net.state_dict(), os.path.join(folder, "unet_fill"),
                      "diffusion_pytorch_model.safetensors", "Pentimento sketch fill network")
    if only != "unet_fill":
        state = dict(net.state_dict())
        state["conv_in.weight"] = state["conv_in.weight"][:, :4]
        write_json(config_of(nets.make_unet(4)), folder, "unet", "config.json")
        write_weights(state, os.path.join(folder, "unet"),
                      "diffusion_pytorch_model.safetensors", "Pentimento sketch network")
    if not only:
        known = text.config.to_dict()
        write_json({"architectures": ["CLIPTextModel"], **{k: known[k] for k in TEXT_KEYS}}, folder,
                   "text_encoder", "config.json")
        state = text.state_dict()
        if not any(k.startswith("text_model.") for k in state):
            state = {"text_model." + k: v for k, v in state.items()}
        write_weights(state, os.path.join(folder, "text_encoder"), "model.safetensors",
                      "Pentimento sketch text encoder")
    write_json(INDEX, folder, "model_index.json")
    write_json(SCHEDULER, folder, "scheduler", "scheduler_config.json")


def main():
    a = argparse.ArgumentParser()
    a.add_argument("work")
    a.add_argument("folder")
    a.add_argument("what", choices=("vae", "unet"))
    a.add_argument("--name", default="unet")
    a.add_argument("--only", choices=("unet", "unet_fill"))
    a = a.parse_args()
    if a.what == "vae":
        export_vae(a.work, a.folder)
    else:
        export_unet(a.work, a.folder, a.name, a.only)


if __name__ == "__main__":
    main()
