#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes OUTDIR/weights: names and shapes of networks in diffusers' and in single-file spelling, the pairing checked by diffusers' own
converters; and a file of all number formats. tests/weights compares. usage: make_weights.py OUTDIR"""
import json
import shutil
import sys
from pathlib import Path

import diffusers
import safetensors
import torch
import transformers
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders import single_file_utils
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

VERSIONS = {"torch": torch.__version__.split("+")[0], "diffusers": diffusers.__version__, "transformers": transformers.__version__,
            "safetensors": safetensors.__version__}

RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0",
          "conv2": "out_layers.3", "conv_shortcut": "skip_connection"}
UNET_TOP = {"conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2", "time_embedding.linear_1": "time_embed.0",
            "time_embedding.linear_2": "time_embed.2"}
VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}


def unet_ldm(name, config):
    """A proposal; the converter decides whether it is right."""
    stride, parts = config["layers_per_block"] + 1, name.split(".")
    for ours, theirs in UNET_TOP.items():
        if name.startswith(ours + "."):
            return theirs + name[len(ours):]
    if parts[0] == "mid_block":
        if parts[1] == "attentions":
            return ".".join(["middle_block.1", *parts[3:]])
        return ".".join([f"middle_block.{2 * int(parts[2])}", RESNET[parts[3]], *parts[4:]])
    down, i, kind, j = parts[0] == "down_blocks", int(parts[1]), parts[2], int(parts[3])
    block = f"{'input' if down else 'output'}_blocks.{stride * i + j + (1 if down else 0)}"
    if kind == "resnets":
        return ".".join([block, "0", RESNET[parts[4]], *parts[5:]])
    if kind == "attentions":
        return ".".join([block, "1", *parts[4:]])
    if down:
        return ".".join([f"input_blocks.{stride * (i + 1)}.0.op", *parts[5:]])
    place = 2 if "CrossAttn" in config["up_block_types"][i] else 1
    return ".".join([f"output_blocks.{stride * i + stride - 1}.{place}", *parts[4:]])


def vae_ldm(name, config):
    levels, parts = len(config["block_out_channels"]), name.split(".")
    if parts[0] not in ("encoder", "decoder"):
        return name
    side, rest = parts[0], parts[1:]
    if rest[0] == "mid_block" and rest[1] == "attentions":
        tail = ".".join(rest[3:])
        ours = next(k for k in VAE_ATTENTION if tail.startswith(k + "."))
        return f"{side}.mid.attn_1.{VAE_ATTENTION[ours]}{tail[len(ours):]}"
    swap = [{"conv_shortcut": "nin_shortcut", "conv_norm_out": "norm_out"}.get(p, p) for p in rest]
    if rest[0] == "mid_block":
        return ".".join([side, f"mid.block_{int(rest[2]) + 1}", *swap[3:]])
    if rest[0] not in ("down_blocks", "up_blocks"):
        return ".".join([side, *swap])
    way, i = rest[0].split("_")[0], int(rest[1])
    i = i if side == "encoder" else levels - 1 - i
    if rest[2] == "resnets":
        return ".".join([side, way, str(i), "block", *swap[3:]])
    return ".".join([side, way, str(i), f"{way}sample", *swap[4:]])


def ldm_shape(ours, shape):
    """Single-file VAEs keep attention as 1x1 convolutions."""
    return [*shape, 1, 1] if ".mid_block.attentions." in ours and ours.endswith("weight") and len(shape) == 2 else list(shape)


def pairs(model, prefix, propose, convert):
    """[diffusers name, single-file name, single-file shape] of every tensor. The converter, fed with single-file names, must give
    each tensor back under the name that it came from."""
    config = dict(model.config)
    shapes = {name: list(t.shape) for name, t in model.state_dict().items()}
    marks, stored = {}, {}
    for k, name in enumerate(shapes):
        ldm = prefix + propose(name, config)
        assert ldm not in stored, ldm
        # one value marks the tensor; a sparse view keeps full-size networks from taking memory
        stored[ldm] = torch.full((1,), float(k)).expand(ldm_shape(name, shapes[name]))
        marks[k] = (name, ldm)
    converted = convert(dict(stored), config)
    assert set(converted) == set(shapes), sorted(set(converted) ^ set(shapes))[:4]
    for name, tensor in converted.items():
        assert marks[int(tensor.flatten()[0])][0] == name, name
        assert list(tensor.shape) == shapes[name], (name, tensor.shape)
    return [[name, ldm, list(stored[ldm].shape)] for name, ldm in marks.values()]


def unet(**config):
    with torch.device("meta"):
        model = UNet2DConditionModel(**config)
    return pairs(model, "model.diffusion_model.", unet_ldm, single_file_utils.convert_ldm_unet_checkpoint)


def vae(**config):
    with torch.device("meta"):
        model = AutoencoderKL(**config)
    return pairs(model, "first_stage_model.", vae_ldm, single_file_utils.convert_ldm_vae_checkpoint)


def text(**config):
    """Single files hold the text encoder under its transformers names."""
    with torch.device("meta"):
        model = CLIPTextModel(CLIPTextConfig(**config))
    shapes = {name: list(t.shape) for name, t in model.state_dict().items() if not name.endswith("position_ids")}
    shapes = {n if n.startswith("text_model.") else "text_model." + n: s for n, s in shapes.items()}
    prefix = "cond_stage_model.transformer."
    stored = {prefix + n: torch.zeros(1).expand(s) for n, s in shapes.items()}
    assert set(single_file_utils.convert_ldm_clip_checkpoint(stored)) == set(shapes)
    return [[n, prefix + n, s] for n, s in shapes.items()]


def dtypes(path):
    values = torch.tensor([0.0, -0.0, 1.0, -1.5, 3.14159274, 65504.0, 6.1e-5, 5.96e-8, 1e-7, -2.0**-15, 0.333, float("inf"),
                           -float("inf"), 1024.5], dtype=torch.float32)
    tensors = {}
    for name, dtype in (("f32", torch.float32), ("f16", torch.float16), ("bf16", torch.bfloat16), ("f64", torch.float64)):
        t = values.to(dtype)
        tensors[name] = t
        tensors[name + ".expected"] = t.to(torch.float32).clone()
    whole = torch.tensor([[0, 1, -1], [2**40, -2**24, 77]], dtype=torch.int64)
    tensors["i64"], tensors["i64.expected"] = whole, whole.to(torch.float32)
    tensors["scalar"] = torch.tensor(2.5)
    tensors["empty"] = torch.zeros(3, 0, 2)
    tensors["u8"] = torch.tensor([1, 2, 3], dtype=torch.uint8)  # makes the data after it unaligned
    save_file(tensors, path, metadata={"modelspec.title": "number formats", **VERSIONS})


def main():
    out = Path(sys.argv[1], "weights")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    small = dict(block_out_channels=[32, 64, 64], layers_per_block=1, cross_attention_dim=24, attention_head_dim=8,
                 down_block_types=["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
                 up_block_types=["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"], in_channels=9, use_linear_projection=True,
                 transformer_layers_per_block=[1, 1, 2])
    blocks = dict(down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4)
    names = {
        "made_with": VERSIONS,
        "sd1": {
            "unet": unet(sample_size=64, cross_attention_dim=768),
            "vae": vae(block_out_channels=[128, 256, 512, 512], layers_per_block=2, latent_channels=4, **blocks),
            "text_encoder": text(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12),
        },
        "small": {
            "unet": unet(**small),
            "vae": vae(block_out_channels=[32, 64], layers_per_block=1, latent_channels=4, down_block_types=["DownEncoderBlock2D"] * 2,
                       up_block_types=["UpDecoderBlock2D"] * 2),
            "text_encoder": text(hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=1, vocab_size=50,
                                 max_position_embeddings=18),
        },
    }
    assert len(names["sd1"]["unet"]) == 686 and len(names["sd1"]["vae"]) == 248
    (out / "names.json").write_text(json.dumps(names, indent=None, separators=(",", ":")).replace("],[\"", "],\n[\"") + "\n",
                                    encoding="utf-8")
    dtypes(out / "dtypes.safetensors")


if __name__ == "__main__":
    main()
