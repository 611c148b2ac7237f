#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes OUTDIR/full-control: a ControlNet 1.5 and a T2I-Adapter at full size with random weights that f16 holds exactly, as the single
files that their authors publish, and what torch makes of given inputs. About 0.9 GB on disk and 3 GB of memory.
usage: make_controlnet.py OUTDIR"""

import sys
from pathlib import Path

import torch
from diffusers import ControlNetModel, T2IAdapter
from diffusers.loaders import single_file_utils
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "reference"))
from control_names import original_adapter_name, original_controlnet_name  # noqa: E402
from make_nets import VERSIONS, randomise  # noqa: E402

CONTROLNET = dict(block_out_channels=[320, 640, 1280, 1280], down_block_types=["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
                  attention_head_dim=8, cross_attention_dim=768)


def keep(path, tensors):
    save_file({k: v.detach().contiguous() for k, v in tensors.items()}, path, metadata=VERSIONS)


def make_controlnet(out):
    g = torch.Generator().manual_seed(11)
    net = randomise(ControlNetModel(**CONTROLNET), g)
    sample, text = torch.randn(1, 4, 64, 64, generator=g), torch.randn(1, 77, 768, generator=g)
    t, picture = torch.tensor([501.0]), torch.randint(0, 256, (1, 3, 512, 512), generator=g).float() / 255
    down, mid = net(sample, t, text, picture, conditioning_scale=0.9, return_dict=False)
    keep(out / "controlnet-io.safetensors", {"sample": sample, "timestep": t, "encoder_hidden_states": text, "controlnet_cond": picture,
                                             **{str(k): value for k, value in enumerate([*down, mid])}})
    own = net.state_dict()
    single = {"control_model." + original_controlnet_name(k, 2, 4): v for k, v in own.items()}
    # diffusers' converter must turn the names back into its own, value for value
    back = single_file_utils.convert_controlnet_checkpoint(dict(single), dict(net.config))
    for key, value in own.items():
        assert torch.equal(back[key].reshape(value.shape), value), f"{key} was not found again"
    del back
    keep(out / "controlnet.safetensors", {k: v.half() for k, v in single.items()})


def make_adapter(out):
    g = torch.Generator().manual_seed(12)
    net = randomise(T2IAdapter(in_channels=1), g)
    picture = torch.randint(0, 256, (1, 1, 512, 512), generator=g).float() / 255
    keep(out / "t2i-io.safetensors", {"x": picture, **{str(k): value for k, value in enumerate(net(picture))}})
    keep(out / "t2i.safetensors", {original_adapter_name(k, 2, False): v.half() for k, v in net.state_dict().items()})


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: make_controlnet.py OUTDIR")
    out = Path(sys.argv[1]) / "full-control"
    out.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        make_controlnet(out)
        make_adapter(out)


if __name__ == "__main__":
    main()
