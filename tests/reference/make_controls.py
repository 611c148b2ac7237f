#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes OUTDIR/nets/controlnet-* and t2i-*: small random ControlNets and T2I-Adapters of diffusers with inputs and outputs, as
make_nets.py writes the other networks; tests/nets compares. Then OUTDIR/controls: whole runs of diffusers' pipelines with such networks
(control_runs.py); tests/methods compares. usage: make_controls.py OUTDIR"""
import sys
from pathlib import Path

import torch
from diffusers import ControlNetModel, T2IAdapter
from safetensors.torch import load_file, save_file

import control_runs
from control_names import original_adapter_name
from make_nets import randomise, save_io, save_model

X, D = "CrossAttnDownBlock2D", "DownBlock2D"
HINTS = dict(conditioning_embedding_out_channels=[4, 4, 8, 8])

# name: (config, rows, height, width, tokens, timesteps, scale); sizes are the latent's, the picture has eight times as many pixels
CONTROLNETS = {
    # Stable Diffusion 1.x in small
    "controlnet-sd1": (dict(block_out_channels=[4, 8, 8, 8], down_block_types=[X, X, X, D], attention_head_dim=4,
                            cross_attention_dim=12, norm_num_groups=4, **HINTS), 2, 6, 4, 5, [981.0, 3.0], 1.0),
    # 2.x: linear projections, heads per level; channels the other way round, sides that no halving divides
    "controlnet-sd2-bgr": (dict(block_out_channels=[4, 8, 12], down_block_types=[X, X, D], attention_head_dim=[2, 4, 2],
                                cross_attention_dim=10, norm_num_groups=4, use_linear_projection=True, layers_per_block=1,
                                controlnet_conditioning_channel_order="bgr", **HINTS), 1, 3, 5, 4, [500.5], 0.6),
    # SDXL's three builds: added conditions, depth per level; attention without blocks; no attention at all
    "controlnet-xl": (dict(block_out_channels=[4, 8, 8], down_block_types=[D, X, X], attention_head_dim=[1, 4, 8],
                           cross_attention_dim=16, norm_num_groups=4, use_linear_projection=True, layers_per_block=1,
                           transformer_layers_per_block=[1, 2, 3], addition_embed_type="text_time", addition_time_embed_dim=6,
                           projection_class_embeddings_input_dim=46, **HINTS), 2, 5, 7, 6, [17.0, 640.0], 1.3),
    "controlnet-xl-mid": (dict(block_out_channels=[4, 8, 8], down_block_types=[D, X, X], attention_head_dim=[1, 4, 8],
                               cross_attention_dim=16, norm_num_groups=4, use_linear_projection=True, layers_per_block=1,
                               transformer_layers_per_block=[0, 0, 1], addition_embed_type="text_time", addition_time_embed_dim=6,
                               projection_class_embeddings_input_dim=46, **HINTS), 1, 4, 6, 6, [17.0], 1.0),
    "controlnet-xl-small": (dict(block_out_channels=[4, 8, 8], down_block_types=[D, D, D], attention_head_dim=[1, 4, 8],
                                 mid_block_type="UNetMidBlock2D", cross_attention_dim=16, norm_num_groups=4,
                                 use_linear_projection=True, layers_per_block=1, transformer_layers_per_block=[0, 0, 0],
                                 addition_embed_type="text_time", addition_time_embed_dim=6,
                                 projection_class_embeddings_input_dim=46, **HINTS), 1, 4, 6, 6, [999.0], 1.0),
    # "shuffle": means over the grid; other widths of the picture's own layers, two of them, so a picture twice as large
    "controlnet-pool": (dict(block_out_channels=[4, 8], down_block_types=[X, D], attention_head_dim=2, cross_attention_dim=8,
                             norm_num_groups=4, layers_per_block=2, global_pool_conditions=True, flip_sin_to_cos=False, freq_shift=1,
                             conditioning_embedding_out_channels=[4, 6]), 2, 7, 5, 3, [400.0, 20.0], 0.8),
}

# name: (config, rows, height, width of the picture)
ADAPTERS = {
    "t2i-full": (dict(channels=[4, 8, 8, 8], num_res_blocks=2, downscale_factor=8, adapter_type="full_adapter"), 2, 24, 40),
    "t2i-full-grey": (dict(in_channels=1, channels=[4, 8, 8, 12], num_res_blocks=2, downscale_factor=8,
                           adapter_type="full_adapter"), 1, 64, 24),
    "t2i-xl": (dict(channels=[4, 8, 12, 12], num_res_blocks=2, downscale_factor=16, adapter_type="full_adapter_xl"), 1, 48, 32),
    "t2i-xl-grey": (dict(in_channels=1, channels=[4, 8, 12, 12], num_res_blocks=1, downscale_factor=16,
                         adapter_type="full_adapter_xl"), 1, 32, 48),
    "t2i-light": (dict(channels=[8, 16, 24], num_res_blocks=4, downscale_factor=8, adapter_type="light_adapter"), 1, 40, 24),
    "t2i-light-grey": (dict(in_channels=1, channels=[8, 16], num_res_blocks=2, downscale_factor=8,
                            adapter_type="light_adapter"), 2, 24, 24),
}


def control_picture(rows, channels, height, width, generator):
    """Values of eight bits, as pictures have them."""
    return torch.randint(0, 256, (rows, channels, height, width), generator=generator).float() / 255


def make_controlnet(out, name, seed):
    config, rows, height, width, tokens, timesteps, scale = CONTROLNETS[name]
    generator = torch.Generator().manual_seed(seed)
    net = randomise(ControlNetModel(**config), generator)
    factor = 2 ** (len(config["conditioning_embedding_out_channels"]) - 1)
    sample = torch.randn(rows, 4, height, width, generator=generator)
    text = torch.randn(rows, tokens, config["cross_attention_dim"], generator=generator)
    picture = control_picture(rows, 3, factor * height, factor * width, generator)
    t = torch.tensor(timesteps)
    io = {"sample": sample, "timestep": t, "encoder_hidden_states": text, "controlnet_cond": picture,
          "conditioning_scale": torch.tensor([scale])}
    added = {}
    if config.get("addition_embed_type"):
        ids = 6
        pooled = config["projection_class_embeddings_input_dim"] - ids * config["addition_time_embed_dim"]
        added = {"text_embeds": torch.randn(rows, pooled, generator=generator),
                 "time_ids": torch.randint(0, 1024, (rows, ids), generator=generator).float()}
        io.update(added)
    for label, guess in (("", False), ("guess.", True)):
        down, mid = net(sample, t, text, picture, conditioning_scale=scale, guess_mode=guess, added_cond_kwargs=added or None,
                        return_dict=False)
        for k, value in enumerate([*down, mid]):
            io[f"{label}{k}"] = value
    save_model(net, out / name)
    save_io(out / name, seed, io)


def make_adapter(out, name, seed):
    config, rows, height, width = ADAPTERS[name]
    generator = torch.Generator().manual_seed(seed)
    net = randomise(T2IAdapter(**config), generator)
    picture = control_picture(rows, config.get("in_channels", 3), height, width, generator)
    io = {"x": picture}
    io.update({str(k): value for k, value in enumerate(net(picture))})
    save_model(net, out / name)
    save_io(out / name, seed, io)
    if not name.endswith("grey"):
        return
    # the same weights under the authors' names
    own = load_file(out / name / "diffusion_pytorch_model.safetensors")
    light = config["adapter_type"] == "light_adapter"
    save_file({original_adapter_name(k, config["num_res_blocks"], light): v for k, v in own.items()},
              out / name / "original.safetensors")


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: make_controls.py OUTDIR")
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    nets = Path(sys.argv[1]) / "nets"
    nets.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        for number, name in enumerate(CONTROLNETS):
            make_controlnet(nets, name, 300 + number)
        for number, name in enumerate(ADAPTERS):
            make_adapter(nets, name, 400 + number)
    control_runs.make(Path(sys.argv[1]) / "controls")


if __name__ == "__main__":
    main()
