#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes OUTDIR/schedules.json, noise schedules, and OUTDIR/schedules/ID.json for each sampler: whole sampling runs of diffusers'
schedulers over model outputs that a formula gives, so that tests/sample/test_schedules.c can repeat them without a network.

What a sampler is compared with stands at the head ("reference") of its file in tests/data/schedules, which is all that has to be written
by hand for a new one; this script fills in the rest:
  class         the scheduler in diffusers
  config        what makes it this sampler
  levels        "abar" where it works on the timesteps' own noise levels, "sigma" where it has sigmas of its own
  step          what its step() takes of "generator" and "eta"
  predictions   those that it knows (default: all)
  spacings      those that make a difference (default: all); ["leading"] where `config` has its own
  zero_snr      it can rescale to zero terminal SNR
  etas          values of eta besides the default
  own_grid      its timesteps depend on the strength
  ends_clean    its last latent is its last estimate of the clean one
  also          further changes of the configuration
usage: make_schedules.py OUTDIR"""
import json
import math
import sys
from pathlib import Path

import diffusers
import numpy as np
import torch

STORED = Path(__file__).resolve().parent.parent / "data" / "schedules"
SHAPE = (1, 4, 2, 2)
SIZE = 16
SEED = 41
STEPS = (1, 2, 4, 10, 25, 50)

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


def run(about, config, steps, kind, strength=1.0, eta=None, image=False):
    """One whole sampling. Only what differs from BASE and the defaults is written."""
    cls = getattr(diffusers, about["class"])
    whole = {**BASE, **config}
    scheduler = cls(**accepted(cls, {**BASE, "clip_sample": False, **about["config"], **config}))
    first = 0
    if about.get("own_grid"):
        scheduler.set_timesteps(steps, strength=strength)
    else:
        scheduler.set_timesteps(steps)
        first = max(steps - min(int(steps * strength), steps), 0) * scheduler.order
    generator = torch.Generator("cpu").manual_seed(SEED)
    noise = torch.randn(SHAPE, generator=generator)
    timesteps = scheduler.timesteps[first:]
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(first)
    if image:
        clean = torch.tensor(np.cos(np.arange(SIZE) * 0.7), dtype=torch.float32).reshape(SHAPE)
        x = scheduler.add_noise(clean, noise, timesteps[:1])
    else:
        x = noise * scheduler.init_noise_sigma
    start = x.clone()
    for j, t in enumerate(timesteps):
        i = first + j
        shown = scheduler.scale_model_input(x, t)
        if about["levels"] == "abar":
            abar = float(scheduler.alphas_cumprod[t])
            a, s = math.sqrt(abar), math.sqrt(1.0 - abar)
        else:
            sigma = float(scheduler.sigmas[i])
            a = 1.0 / math.sqrt(1.0 + sigma * sigma)
            s = sigma * a
        out = model_output(kind, whole["prediction_type"], i, a, s, shown.double().numpy().reshape(-1))
        out = torch.tensor(out, dtype=torch.float32).reshape(SHAPE)
        more = {"generator": generator} if "generator" in about["step"] else {}
        if eta is not None:
            more["eta"] = eta
        x = scheduler.step(out, t, x, return_dict=False, **more)[0]
    assert torch.isfinite(x).all(), (about, config, steps)
    result = {"config": config, "steps": steps, "model": kind}
    if strength != 1.0:
        result["strength"] = strength
    if eta is not None:
        result["eta"] = eta
    if image:
        result["start"] = numbers(start)
    result["final"] = numbers(x)
    if kind == "gauss" and whole["prediction_type"] == "epsilon":
        result["init_sigma"] = float(scheduler.init_noise_sigma)
        result["timesteps"] = numbers(scheduler.timesteps)
        if about["levels"] == "sigma":
            result["sigmas"] = numbers(scheduler.sigmas)
    return result


def runs(about):
    predictions = about.get("predictions", ["epsilon", "v_prediction", "sample"])
    spacings = about.get("spacings", ["leading", "trailing", "linspace"])
    out = []
    for prediction in predictions:
        config = {} if prediction == "epsilon" else {"prediction_type": prediction}
        for spacing in spacings:
            spaced = config if spacing == "leading" else {**config, "timestep_spacing": spacing}
            for steps in STEPS:
                out.append(run(about, spaced, steps, "gauss"))
            out.append(run(about, spaced, 10, "wild"))
        for strength in (0.3, 0.75, 0.95, 1.0):
            out.append(run(about, config, 4 if about.get("own_grid") else 20, "wild" if strength == 0.75 else "gauss",
                           strength=strength, image=True))
    out.append(run(about, {}, 50, "wild"))
    out.append(run(about, {}, 7, "wild"))
    if about.get("zero_snr"):
        for prediction in [p for p in predictions if p != "epsilon"]:
            for steps in (1, 4, 10, 50):
                out.append(run(about, {"prediction_type": prediction, "timestep_spacing": "trailing", "rescale_betas_zero_snr": True},
                               steps, "gauss"))
    out.append(run(about, {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02}, 10, "gauss"))
    out.append(run(about, {"steps_offset": 0}, 10, "gauss"))
    for eta in about.get("etas", []):
        for kind in ("gauss", "wild"):
            out.append(run(about, {}, 10, kind, eta=eta))
    for config in about.get("also", []):
        for steps in (7, 20):
            for kind in ("gauss", "wild"):
                out.append(run(about, config, steps, kind))
    return out


def tables():
    out = []
    for config in ({}, {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02}, {"rescale_betas_zero_snr": True},
                   {"num_train_timesteps": 500}):
        cls = diffusers.DDIMScheduler
        scheduler = cls(**accepted(cls, {**BASE, "clip_sample": False, **config}))
        n = scheduler.config.num_train_timesteps
        at = [0, 1, 2, 3, n // 4, n // 2, n // 2 + 1, 3 * n // 4, n - 2, n - 1]
        out.append({"config": {**BASE, **config}, "at": at, "abar": numbers(scheduler.alphas_cumprod[at]),
                    "sum": float(scheduler.alphas_cumprod.double().sum())})
    return out


def inversions():
    """DDIM run backwards: what comes of a clean latent."""
    out = []
    for prediction in ("epsilon", "v_prediction", "sample"):
        for more in ({}, {"set_alpha_to_one": True}, {"timestep_spacing": "trailing"},
                     {"timestep_spacing": "trailing", "rescale_betas_zero_snr": True}):
            if prediction == "epsilon" and more.get("rescale_betas_zero_snr") or prediction == "sample" and more.get("set_alpha_to_one"):
                continue  # division by zero
            for steps in (1, 7, 50):
                config = {**BASE, "prediction_type": prediction, **more}
                scheduler = diffusers.DDIMInverseScheduler(**accepted(diffusers.DDIMInverseScheduler, {**config, "clip_sample": False}))
                scheduler.set_timesteps(steps)
                x = torch.tensor(np.cos(np.arange(SIZE) * 0.7), dtype=torch.float32).reshape(SHAPE)
                for i, t in enumerate(scheduler.timesteps):
                    abar = float(scheduler.alphas_cumprod[t])
                    made = model_output("gauss", prediction, i, math.sqrt(abar), math.sqrt(1.0 - abar), x.double().numpy().reshape(-1))
                    x = scheduler.step(torch.tensor(made, dtype=torch.float32).reshape(SHAPE), int(t), x).prev_sample
                assert torch.isfinite(x).all(), config
                out.append({"config": config, "steps": steps, "timesteps": numbers(scheduler.timesteps), "final": numbers(x)})
    return out


def write(path, data):
    path.write_text(json.dumps(data, separators=(",", ":")).replace('{"config":', '\n{"config":') + "\n")


def main():
    torch.set_num_threads(1)
    made_with = {"torch": torch.__version__, "diffusers": diffusers.__version__, "numpy": np.__version__}
    out = Path(sys.argv[1])
    write(out / "schedules.json", {"made_with": made_with, "tables": tables(), "inversions": inversions()})
    (out / "schedules").mkdir(exist_ok=True)
    heads = [(path.name, json.loads(path.read_text())["reference"]) for path in sorted(STORED.glob("*.json"))]
    assert heads, f"{STORED} holds no sampler"
    for name, about in heads:
        made = runs(about)
        write(out / "schedules" / name, {"reference": about, "made_with": made_with, "base": BASE, "seed": SEED, "runs": made})
        print(f"{name}: {len(made)} runs, {(out / 'schedules' / name).stat().st_size} bytes")


if __name__ == "__main__":
    main()
