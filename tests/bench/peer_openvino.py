#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""peer_openvino.py FOLDER SIZE STEPS THREADS bf16|int8 OUT.npy CONVERTED: the picture of tests/bench/peers.py with OpenVINO's runtime.

The networks are converted from the torch modules once and kept in the folder CONVERTED; int8 has the UNet's weights and activations
quantized by nncf, calibrated on the latents of a run of its own. It warms up with two steps, then times one picture; the last line is JSON.
Called by peers.py."""

import sys
import time
from pathlib import Path

import numpy
import openvino
import peer_common as common
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

CALIBRATION_STEPS = 4


class Decoder(torch.nn.Module):
    def __init__(self, vae):
        super().__init__()
        self.vae = vae

    def forward(self, latents):
        return self.vae.decode(latents, return_dict=False)[0]


class Unet(torch.nn.Module):
    def __init__(self, unet):
        super().__init__()
        self.unet = unet

    def forward(self, sample, timestep, text):
        return self.unet(sample, timestep, text, return_dict=False)[0]


class Text(torch.nn.Module):
    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder

    def forward(self, ids):
        return self.encoder(ids).last_hidden_state


def make_module(folder, name):
    """The torch module of a network, and what it is traced with: small, as no shape stays in the trace."""
    if name == "unet":
        unet = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32).eval()
        return Unet(unet), (torch.randn(2, 4, 16, 16), torch.tensor(501.0), torch.randn(2, 77, 768))
    if name == "vae":
        vae = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32).eval()
        return Decoder(vae), (torch.randn(1, 4, 16, 16),)
    return Text(common.text_encoder_of(folder, torch.float32)), (common.token_ids(),)


def shapes_of(name, size):
    side = size // 8
    return {"unet": [[2, 4, side, side], [], [2, 77, 768]], "vae": [[1, 4, side, side]], "text": [[2, 77]]}[name]


def convert(folder, kept, name, size):
    """Every shape is fixed, which is what the runtime is quickest with."""
    path = kept / f"{name}-{size}.xml"
    if not path.exists():
        module, example = make_module(folder, name)
        with torch.no_grad():
            model = openvino.convert_model(module, example_input=example)
        model.reshape({model.input(i): shape for i, shape in enumerate(shapes_of(name, size))})
        openvino.save_model(model, path, compress_to_fp16=True)
    return path


def compile_model(core, path, threads):
    return core.compile_model(path, "CPU", {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1,
                                            "INFERENCE_PRECISION_HINT": "bf16"})


def quantize(core, folder, kept, size, threads):
    path = kept / f"unet-int8-{size}.xml"
    if path.exists():
        return path
    import nncf

    source = convert(folder, kept, "unet", size)
    seen = []
    nets = {"text": compile_model(core, convert(folder, kept, "text", size), threads), "unet": compile_model(core, source, threads)}
    picture(nets, folder, size, CALIBRATION_STEPS, seen)
    del nets
    # its weights are f16 in the file, and in f32 once read for quantizing
    model = nncf.quantize(core.read_model(source), nncf.Dataset(seen), model_type=nncf.ModelType.TRANSFORMER, subset_size=len(seen))
    openvino.save_model(model, path, compress_to_fp16=True)
    return path


def picture(nets, folder, size, steps, seen=None):
    scheduler = common.scheduler_of(folder)
    scheduler.set_timesteps(steps)
    clock = common.Clock()
    text = nets["text"](common.token_ids().numpy())[0]
    clock.tick("text")
    latents = common.initial_noise(size)
    for t in scheduler.timesteps:
        inputs = [latents.numpy().repeat(2, axis=0), numpy.array(float(t), dtype=numpy.float32), text]
        if seen is not None:
            seen.append([array.copy() for array in inputs])
        without, with_words = torch.from_numpy(nets["unet"](inputs)[0]).chunk(2)
        latents = scheduler.step(without + common.GUIDANCE * (with_words - without), t, latents).prev_sample
        clock.tick("step")
    if "vae" not in nets:
        return clock, None
    decoded = torch.from_numpy(nets["vae"]((latents / 0.18215).numpy())[0])
    pixels = (decoded / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).numpy()
    clock.tick("decode")
    return clock, pixels


def main():
    folder, size, steps, threads, precision, out, kept = (Path(sys.argv[1]), *map(int, sys.argv[2:5]), *sys.argv[5:7], Path(sys.argv[7]))
    torch.set_num_threads(threads)
    kept.mkdir(parents=True, exist_ok=True)
    core = openvino.Core()
    unet = quantize(core, folder, kept, size, threads) if precision == "int8" else convert(folder, kept, "unet", size)
    paths = {"text": convert(folder, kept, "text", size), "unet": unet, "vae": convert(folder, kept, "vae", size)}
    if out == "-":
        return
    begin = time.monotonic()
    nets = {name: compile_model(core, path, threads) for name, path in paths.items()}
    loaded = time.monotonic()
    picture(nets, folder, size, 2)
    warm = time.monotonic()
    clock, pixels = picture(nets, folder, size, steps)
    numpy.save(out, (pixels[0] * 255).round().astype(numpy.uint8))
    common.report(version=f"openvino {openvino.__version__.split('-')[0]}", load=loaded - begin, warm=warm - loaded, pixels=pixels,
                  **common.figures_of(clock))


if __name__ == "__main__":
    main()
