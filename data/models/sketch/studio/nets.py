# SPDX-License-Identifier: GPL-3.0-or-later
"""The family's networks: diffusers' and transformers' own classes, configurations small enough that all fit 64 MB in f16.

make(name) returns a new network of a target; start(name, folder) one that begins as the design says (controls as copies of
the base, fill and edit as the base with more inputs, layout around it). `read` and `write` are the f16 files.
"""
import importlib.util
import json
import os

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, ControlNetModel, T2IAdapter, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel

from . import vocab

CONTEXT = 128
VAE = dict(in_channels=3, out_channels=3, latent_channels=4, block_out_channels=[32, 64, 96, 96], layers_per_block=1, norm_num_groups=8,
           down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4, mid_block_add_attention=False,
           force_upcast=False, sample_size=128, scaling_factor=1.0)
UNET = dict(sample_size=16, in_channels=4, out_channels=4, layers_per_block=2, block_out_channels=[80, 80, 80], norm_num_groups=16,
            attention_head_dim=[2, 2, 2], cross_attention_dim=CONTEXT,
            down_block_types=["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"], mid_block_type="UNetMidBlock2DCrossAttn",
            up_block_types=["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"])
TINY = dict(encoder_block_out_channels=[32, 32, 32, 32], decoder_block_out_channels=[32, 32, 32, 32], num_encoder_blocks=[1, 1, 1, 1],
            num_decoder_blocks=[2, 2, 2, 1], latent_channels=4)
ADAPTER = dict(in_channels=3, channels=UNET["block_out_channels"], num_res_blocks=2, downscale_factor=8, adapter_type="full_adapter")
HINT = (16, 24, 32, 48)  # channels of what reads a control picture, 128 to 16 pixels a side

# target -> (folder in the model, file, diffusers class or None)
FILES = {"vae": ("vae", "diffusion_pytorch_model"), "text": ("text_encoder", "model"), "base": ("unet", "diffusion_pytorch_model"),
         "fill": ("unet_fill", "diffusion_pytorch_model"), "edit": ("unet_edit", "diffusion_pytorch_model"),
         "control-edge": ("controlnets/edge", "diffusion_pytorch_model"), "control-scribble": ("controlnets/scribble", "diffusion_pytorch_model"),
         "control-depth": ("controlnets/depth", "diffusion_pytorch_model"),
         "control-segmentation": ("controlnets/segmentation", "diffusion_pytorch_model"),
         "adapter": ("adapters/scribble", "diffusion_pytorch_model"), "layout": ("gligen", "diffusion_pytorch_model"),
         "taesd": ("taesd", "diffusion_pytorch_model")}
CONTROLS = {"control-edge": "edge", "control-scribble": "scribble", "control-depth": "depth", "control-segmentation": "segmentation",
            "adapter": "scribble"}


def first_nets():
    """../train/nets.py, for the autoencoder's identity start."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "train", "nets.py")
    spec = importlib.util.spec_from_file_location("studio.first_nets", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def make_unet(in_channels=4, device="cpu", **more):
    net = UNet2DConditionModel(**{**UNET, "in_channels": in_channels, **more})
    if device == "cpu":  # plain products and softmax are faster there
        net.set_attn_processor(AttnProcessor())
    return net


def make_text():
    n = len(vocab.table())
    return CLIPTextModel(CLIPTextConfig(
        vocab_size=n, hidden_size=CONTEXT, intermediate_size=4 * CONTEXT, num_hidden_layers=4, num_attention_heads=4,
        max_position_embeddings=vocab.LENGTH, hidden_act="quick_gelu", projection_dim=CONTEXT, bos_token_id=n - 2, eos_token_id=n - 1,
        pad_token_id=n - 1))


def make(name, device="cpu"):
    if name == "vae":
        module = first_nets()
        module.VAE = VAE
        return module.make_vae()
    if name == "text":
        return make_text()
    if name == "taesd":
        return AutoencoderTiny(**TINY)
    if name == "adapter":
        return T2IAdapter(**ADAPTER)
    if name == "layout":
        return make_unet(4, device, attention_type="gated")
    if name in CONTROLS:
        return ControlNetModel.from_unet(make_unet(4, device), conditioning_channels=3, conditioning_embedding_out_channels=HINT)
    return make_unet({"base": 4, "fill": 9, "edit": 8}[name], device)


def own(name, state):
    """The tensors that a target's file holds: of the layout set only what the base has not."""
    return {k: v for k, v in state.items() if name != "layout" or "position_net" in k or ".fuser." in k}


def start(name, folder, device="cpu"):
    """A network that begins from the trained base in `folder`, where the design says so."""
    net = make(name, device)
    if name in ("fill", "edit"):
        state = weights(folder, "base")
        wide = torch.zeros_like(net.conv_in.weight)
        wide[:, :4] = state["conv_in.weight"]
        net.load_state_dict({**state, "conv_in.weight": wide})
    elif name == "layout":
        net.load_state_dict(weights(folder, "base"), strict=False)
    elif name.startswith("control-"):
        base = make_unet(4, device)
        base.load_state_dict(weights(folder, "base"))
        net = ControlNetModel.from_unet(base, conditioning_channels=3, conditioning_embedding_out_channels=HINT)
        if device == "cpu":
            net.set_attn_processor(AttnProcessor())
    return net


# ---- files

def has(folder, name):
    part, file = FILES[name]
    return os.path.exists(os.path.join(folder, part, file + ".safetensors"))


def weights(folder, name):
    part, file = FILES[name]
    path = os.path.join(folder, part, file + ".safetensors")
    if not os.path.exists(path):
        raise SystemExit(f"{path}: no weights; train and export '{name}' first (python -m studio.train {name} …)")
    return {k: v.float() for k, v in load_file(path).items()}


def read(name, folder, device="cpu"):
    """A trained network of an exported folder, in f32."""
    net, state = make(name, device), weights(folder, name)
    if name == "text" and not any(k.startswith("text_model.") for k in net.state_dict()):
        state = {k.removeprefix("text_model."): v for k, v in state.items()}
    if name == "layout":
        state = {**weights(folder, "base"), **state}
    missing, unexpected = net.load_state_dict(state, strict=False)
    missing = [k for k in missing if "position_ids" not in k]
    if missing or unexpected:
        raise SystemExit(f"{folder}: '{name}' does not fit: {(missing + list(unexpected))[0]}")
    return net


def write_json(value, *where):
    path = os.path.join(*where)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f, indent=2)
        f.write("\n")


def read_json(*where):
    with open(os.path.join(*where), encoding="utf-8") as f:
        return json.load(f)


def write_weights(state, folder, file, title):
    os.makedirs(folder, exist_ok=True)
    half = {k: v.detach().cpu().half().contiguous() for k, v in state.items() if "position_ids" not in k}
    bad = [k for k, v in half.items() if not v.isfinite().all()]
    if bad:
        raise SystemExit(f"{folder}: {bad[0]} does not fit f16")
    save_file(half, os.path.join(folder, file + ".safetensors"), metadata={"format": "pt", "title": title, "licence": "CC0-1.0"})


def count(name):
    return sum(v.numel() for k, v in own(name, make(name).state_dict()).items() if "position_ids" not in k)
