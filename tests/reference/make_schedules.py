#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes OUTDIR/schedules.json: whole sampling runs of diffusers' schedulers over model outputs that a formula gives, so that
tests/sample/test_schedules.c can repeat them without a network. usage: make_schedules.py OUTDIR"""
import json
import math
import sys
from pathlib import Path

import diffusers
import numpy as np
import torch
from diffusers import (DDIMScheduler, DPMSolverMultistepScheduler, EulerAncestralDiscreteScheduler,
                       EulerDiscreteScheduler)

SHAPE = (1, 4, 2, 2)
SIZE = 16
SEED = 41

CLASSES = {
    "ddim": (DDIMScheduler, {"clip_sample": False}),
    "euler": (EulerDiscreteScheduler, {}),
    "euler-a": (EulerAncestralDiscreteScheduler, {}),
    "dpmpp-2m": (DPMSolverMultistepScheduler, {"algorithm_type": "dpmsolver++"}),
    "dpmpp-2m-karras": (DPMSolverMultistepScheduler, {"algorithm_type": "dpmsolver++", "use_karras_sigmas": True}),
}
BASE = {"num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
        "prediction_type": "epsilon", "timestep_spacing": "leading", "steps_offset": 1,
        "set_alpha_to_one": False}


def accepted(cls, config):
    names = cls.__init__.__wrapped__.__code__.co_varnames if hasattr(cls.__init__, "__wrapped__") else ()
    return {k: v for k, v in config.items() if k in names}


def model_output(kind, prediction, i, a, s, x):
    """The output for network input x (flat, double) at level x = a clean + s noise: 'gauss' is the exact denoiser of normal data
    with means sin(k + 1) and deviation 0.5; 'wild' has nothing to do with x."""
    k = np.arange(SIZE)
    if kind == "wild":
        return np.sin(12.9898 * (k + 1) + 78.233 * (i + 1))
    mu, sd = np.sin(k + 1.0), 0.5
    eps = s * (x - a * mu) / (a * a * sd * sd + s * s)
    clean = (a * sd * sd * x + s * s * mu) / (a * a * sd * sd + s * s)
    return {"epsilon": eps, "v_prediction": a * eps - s * clean, "sample": clean}[prediction]


def numbers(t):
    return [float("%.9g" % v) for v in np.asarray(t, dtype=np.float64).reshape(-1)]


def run(sampler, config, steps, kind, strength=1.0, eta=0.0, image=False):
    cls, extra = CLASSES[sampler]
    config = {**BASE, **config}
    scheduler = cls(**accepted(cls, {**config, **extra}))
    scheduler.set_timesteps(steps)
    generator = torch.Generator("cpu").manual_seed(SEED)
    noise = torch.randn(SHAPE, generator=generator)
    first = max(steps - min(int(steps * strength), steps), 0)
    timesteps = scheduler.timesteps[first:]
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(first)
    if image:
        clean = torch.tensor(np.cos(np.arange(SIZE) * 0.7), dtype=torch.float32).reshape(SHAPE)
        x = scheduler.add_noise(clean, noise, timesteps[:1])
    else:
        x = noise * scheduler.init_noise_sigma
    start = x.clone()
    trace = []
    for j, t in enumerate(timesteps):
        i = first + j
        shown = scheduler.scale_model_input(x, t)
        if sampler == "ddim":
            abar = float(scheduler.alphas_cumprod[t])
            a, s = math.sqrt(abar), math.sqrt(1.0 - abar)
        else:
            sigma = float(scheduler.sigmas[i])
            a = 1.0 / math.sqrt(1.0 + sigma * sigma)
            s = sigma * a
        out = model_output(kind, config["prediction_type"], i, a, s, shown.double().numpy().reshape(-1))
        out = torch.tensor(out, dtype=torch.float32).reshape(SHAPE)
        more = {}
        if sampler in ("ddim", "euler-a"):
            more["generator"] = generator
        if sampler == "ddim":
            more["eta"] = eta
        x = scheduler.step(out, t, x, return_dict=False, **more)[0]
        trace.append(float(x.reshape(-1)[5]))
    assert torch.isfinite(x).all(), (sampler, config, steps)
    result = {"sampler": sampler, "config": config, "steps": steps, "model": kind, "strength": strength, "eta": eta,
              "image": image, "first": first, "timesteps": numbers(scheduler.timesteps), "start": numbers(start),
              "trace": numbers(trace), "final": numbers(x), "init_sigma": float(scheduler.init_noise_sigma)}
    if sampler != "ddim":
        result["sigmas"] = numbers(scheduler.sigmas)
    return result


def tables():
    out = []
    for config in ({}, {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02}, {"rescale_betas_zero_snr": True},
                   {"num_train_timesteps": 500}):
        scheduler = DDIMScheduler(**accepted(DDIMScheduler, {**BASE, "clip_sample": False, **config}))
        n = scheduler.config.num_train_timesteps
        at = [0, 1, 2, 3, n // 4, n // 2, n // 2 + 1, 3 * n // 4, n - 2, n - 1]
        out.append({"config": {**BASE, **config}, "at": at, "abar": numbers(scheduler.alphas_cumprod[at]),
                    "sum": float(scheduler.alphas_cumprod.double().sum())})
    return out


def runs():
    out = []
    for sampler in CLASSES:
        for prediction in ("epsilon", "v_prediction"):
            for spacing in ("leading", "trailing", "linspace"):
                if sampler.endswith("karras") and spacing != "leading":
                    continue
                config = {"prediction_type": prediction, "timestep_spacing": spacing}
                for steps in (1, 4, 10, 20, 50):
                    out.append(run(sampler, config, steps, "gauss"))
                    if steps in (10, 50):
                        out.append(run(sampler, config, steps, "wild"))
            for strength in (0.3, 0.75, 1.0):
                for kind in ("gauss", "wild"):
                    out.append(run(sampler, {"prediction_type": prediction}, 20, kind, strength=strength, image=True))
        if sampler != "euler-a":  # diffusers' ancestral Euler refuses it
            for steps in (4, 20):
                out.append(run(sampler, {"prediction_type": "sample"}, steps, "gauss"))
        out.append(run(sampler, {"prediction_type": "v_prediction", "timestep_spacing": "trailing",
                                 "rescale_betas_zero_snr": True}, 10, "gauss"))
        out.append(run(sampler, {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02}, 10, "gauss"))
        out.append(run(sampler, {}, 7, "wild"))
    for eta in (0.3, 1.0):
        for kind in ("gauss", "wild"):
            out.append(run("ddim", {}, 10, kind, eta=eta))
    out.append(run("ddim", {"set_alpha_to_one": True}, 10, "gauss"))
    out.append(run("ddim", {"timestep_spacing": "trailing"}, 7, "wild"))
    return out


def main():
    data = {"made_with": {"torch": torch.__version__, "diffusers": diffusers.__version__, "numpy": np.__version__},
            "seed": SEED, "tables": tables(), "runs": runs()}
    out = Path(sys.argv[1]) / "schedules.json"
    out.write_text(json.dumps(data, separators=(",", ":")) + "\n")
    print(f"{out}: {len(data['runs'])} runs, {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
