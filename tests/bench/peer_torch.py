#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""peer_torch.py FOLDER SIZE STEPS THREADS eager|compiled OUT.npy: the picture of tests/bench/peers.py with diffusers on PyTorch, in bf16 and
channels-last. It warms up with two steps, then times one picture; the last line is JSON. Called by peers.py."""

import sys
import time
from pathlib import Path

import diffusers
import numpy
import peer_common as common
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel


def pipeline_of(folder, compiled):
    unet = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.bfloat16).eval()
    vae = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.bfloat16).eval()
    unet.to(memory_format=torch.channels_last)
    vae.to(memory_format=torch.channels_last)
    if compiled:
        torch._inductor.config.freezing = True  # weights packed once
        unet.forward = torch.compile(unet.forward)
        vae.decoder.forward = torch.compile(vae.decoder.forward)
    pipe = StableDiffusionPipeline(vae=vae, text_encoder=common.text_encoder_of(folder, torch.bfloat16), tokenizer=None, unet=unet,
                                   scheduler=common.scheduler_of(folder), safety_checker=None, feature_extractor=None,
                                   requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def picture(pipe, size, steps):
    clock = common.Clock()
    negative, positive = pipe.text_encoder(common.token_ids()).last_hidden_state.chunk(2)
    clock.tick("text")

    def stepped(_pipe, _i, _t, kwargs):
        clock.tick("step")
        return kwargs

    pixels = pipe(prompt_embeds=positive, negative_prompt_embeds=negative, num_inference_steps=steps, guidance_scale=common.GUIDANCE,
                  latents=common.initial_noise(size).to(torch.bfloat16), height=size, width=size, output_type="np",
                  callback_on_step_end=stepped).images
    clock.tick("decode")
    return clock, pixels


def main():
    folder, size, steps, threads, way, out = Path(sys.argv[1]), *map(int, sys.argv[2:5]), *sys.argv[5:7]
    torch.set_num_threads(threads)
    begin = time.monotonic()
    with torch.no_grad():
        pipe = pipeline_of(folder, way == "compiled")
        loaded = time.monotonic()
        picture(pipe, size, 2)
        warm = time.monotonic()
        clock, pixels = picture(pipe, size, steps)
    numpy.save(out, (pixels[0] * 255).round().astype(numpy.uint8))
    common.report(version=f"torch {torch.__version__}, diffusers {diffusers.__version__}", load=loaded - begin, warm=warm - loaded,
                  pixels=pixels, **common.figures_of(clock))


if __name__ == "__main__":
    main()
