#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes OUTDIR/composed: what methods without gradients make of the tiny model of OUTDIR/runs (make_runs.py), each as a loop of its own
over diffusers' networks and schedulers. usage: make_composed.py OUTDIR"""
import json
import shutil
import sys
from pathlib import Path

import diffusers
import torch
import transformers
from diffusers import AutoencoderKL, DDIMInverseScheduler, DDIMScheduler, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextModel, CLIPTokenizer

from make_runs import HEIGHT, LENGTH, WIDTH, inputs

DEFAULTS = {"prompt": "a red circle", "negative": "blurry", "steps": 5, "guidance": 5.0, "seed": 3, "params": {}}
CASES = [
    {"name": "and", "method": "composable", "prompt": "a red circle AND a blue house :0.7",
     "terms": [["a red circle", 1.0], ["a blue house", 0.7]]},
    {"name": "and-not", "method": "composable", "prompt": "a red circle:.8 AND a house AND NOT blue:1.3",
     "terms": [["a red circle", 0.8], ["a house", 1.0], ["blue", -1.3]]},
    {"name": "and-parameter", "method": "composable", "prompt": "house left of circle", "guidance": 1.0,
     "params": {"terms": "red AND NOT circle : 0.5"}, "terms": [["house left of circle", 1.0], ["red", 1.0], ["circle", -0.5]]},
    {"name": "panorama", "method": "multidiffusion", "steps": 4, "width": 128, "params": {"window": 6, "stride": 2}},
    {"name": "panorama-wrap", "method": "multidiffusion", "steps": 4, "width": 128, "params": {"window": 8, "stride": 3, "wrap": True}},
    {"name": "regions", "method": "multidiffusion", "steps": 6, "params": {"window": 8, "bootstrap": 0.5, "colours": 3},
     "regions": [[[0.0, 0.25, 0.5, 1.0], "a blue house", 1.0], [[0.25, 0.0, 1.0, 0.5], "red", 2.0]]},
    {"name": "regions-windows", "method": "multidiffusion", "steps": 4, "params": {"window": 5, "stride": 2, "bootstrap": 0.0},
     "regions": [[[0.5, 0.0, 1.0, 1.0], "a blue house", 1.0]]},
    {"name": "diffedit", "method": "diffedit", "steps": 6, "params": {"source": "a blue house", "ratio": 0.7, "noises": 3, "clamp": 2.0}},
    {"name": "diffedit-guided", "method": "diffedit", "steps": 5, "guidance": 2.0, "params": {"noises": 2, "noise-strength": 0.8, "guided": True, "threshold": 0.3}},
    {"name": "diffedit-mask", "method": "diffedit", "steps": 6, "masked": True, "params": {"source": "a house", "ratio": 1.0}},
]


class Model:
    def __init__(self, folder):
        self.words = CLIPTokenizer.from_pretrained(folder / "tokenizer")
        self.text = CLIPTextModel.from_pretrained(folder / "text_encoder", torch_dtype=torch.float32).eval()
        self.vae = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32).eval()
        self.net = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32).eval()
        self.config = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())

    def scheduler(self, cls, steps):
        keys = cls.__init__.__wrapped__.__code__.co_varnames
        made = cls(**{k: v for k, v in {**self.config, "clip_sample": False}.items() if k in keys})
        made.set_timesteps(steps)
        return made

    def says(self, prompt):
        ids = self.words(prompt, padding="max_length", max_length=LENGTH, truncation=True, return_tensors="pt").input_ids
        return self.text(ids)[0]

    def eps(self, z, t, *contexts):
        """One prediction per context."""
        out = self.net(z.repeat(len(contexts), 1, 1, 1), t, torch.cat(contexts)).sample
        return out.chunk(len(contexts))

    def guided(self, z, t, negative, positive, g):
        u, c = self.eps(z, t, negative, positive)
        return u + g * (c - u)

    def encode(self, picture):
        x = self.vae.encode(picture.permute(2, 0, 1)[None] * 2 - 1).latent_dist.mode()
        return x * self.vae.config.scaling_factor


def noise(seed, height=HEIGHT // 8, width=WIDTH // 8):
    return torch.randn((1, 4, height, width), generator=torch.Generator("cpu").manual_seed(seed))


def composable(m, c):
    s = m.scheduler(DDIMScheduler, c["steps"])
    z, negative = noise(c["seed"]), m.says(c["negative"])
    contexts = [m.says(text) for text, _ in c["terms"]]
    for t in s.timesteps:
        u, *e = m.eps(z, t, negative, *contexts)
        e = u + sum(c["guidance"] * w * (x - u) for (_, w), x in zip(c["terms"], e))
        z = s.step(e, t, z).prev_sample
    return z


def starts(length, size, stride, wrap=False):
    if wrap and size < length:
        return list(range(0, length, stride))
    return list(range(0, length - size, stride)) + [length - size]


def multidiffusion(m, c):
    """As the paper's own code has it, with windows flush with the canvas's end, and weights of regions."""
    h, w, p = HEIGHT // 8, c.get("width", WIDTH) // 8, c["params"]
    s = m.scheduler(DDIMScheduler, c["steps"])
    first = noise(c["seed"], h, w)
    z, negative = first, m.says(c["negative"])
    y, x = (torch.arange(h) + 0.5) / h, (torch.arange(w) + 0.5) / w
    prompts, masks, weights = [m.says(c["prompt"])], [torch.ones(h, w)], [1.0]
    for (x0, y0, x1, y1), text, weight in c.get("regions", []):
        inside = ((y >= y0) & (y < y1)).float()[:, None] * ((x >= x0) & (x < x1)).float()[None]
        prompts.append(m.says(text))
        masks.append(inside)
        weights.append(weight)
    masks[0] = (1 - sum(masks[1:], torch.zeros(h, w))).clamp(min=0)
    random = torch.Generator("cpu").manual_seed(c["seed"] + 1)
    flat = []
    if len(prompts) > 1 and p["bootstrap"] > 0:
        flat = [m.encode(colour[None, None].repeat(h * 8, w * 8, 1)) for colour in torch.rand((p["colours"], 3), generator=random)]
    wh, ww = min(p["window"], h), min(p["window"], w)
    for i, t in enumerate(s.timesteps):
        total, count = torch.zeros_like(z), torch.zeros_like(z)
        for top in starts(h, wh, p.get("stride", 8)):
            for left in starts(w, ww, p.get("stride", 8), p.get("wrap", False)):
                rows, columns = slice(top, top + wh), [(left + k) % w for k in range(ww)]
                for k, prompt in enumerate(prompts):
                    mask = masks[k][rows][:, columns]
                    if mask.sum() == 0:
                        continue
                    view = z[:, :, rows][..., columns]
                    if k > 0 and i < int(p["bootstrap"] * c["steps"]):
                        colour = flat[int(torch.randint(0, len(flat), (1,), generator=random))]
                        around = s.add_noise(colour, first, t.reshape(1))[:, :, rows][..., columns]
                        view = view * mask + around * (1 - mask)
                    view = s.step(m.guided(view, t, negative, prompt, c["guidance"]), t, view).prev_sample
                    for column, at in enumerate(columns):
                        total[:, :, rows, at] += weights[k] * mask[:, column] * view[..., column]
                        count[:, :, rows, at] += weights[k] * mask[:, column]
        z = total / count
    return z


def invert(m, z, steps, count, step):
    """Latents from the clean one up; step(z, t) is the prediction."""
    s, path = m.scheduler(DDIMInverseScheduler, steps), [z]
    for t in s.timesteps[:count]:
        z = s.step(step(z, t), int(t), z).prev_sample
        path.append(z)
    return path


def diffedit(m, c):
    p = {"source": "", "ratio": 0.8, "noise-strength": 0.5, "clamp": 3.0, "threshold": 0.5, "guided": False, **c["params"]}
    s, n = m.scheduler(DDIMScheduler, c["steps"]), c["steps"]
    picture, mask = inputs()
    clean, source, target, negative = m.encode(picture), m.says(p["source"]), m.says(c["prompt"]), m.says(c["negative"])
    if c.get("masked"):
        mask = (mask[::8, ::8] >= 0.5).float()
    else:
        t = s.timesteps[n - int(n * p["noise-strength"])]
        drawn = torch.randn((p["noises"], *clean.shape[1:]), generator=torch.Generator("cpu").manual_seed(c["seed"]))
        seen = [s.add_noise(clean, one[None], t.reshape(1)) for one in drawn]
        apart = [(m.guided(x, t, negative, target, c["guidance"]) - m.guided(x, t, negative, source, c["guidance"])).abs() for x in seen]
        apart = torch.cat(apart).mean([0, 1])
        top = apart.mean() * p["clamp"]
        apart = apart.clamp(max=top) / top
        mask = (apart > p["threshold"]).float()
        print("  mask", int(mask.sum()), "of", mask.numel(), "nearest", float((apart - p["threshold"]).abs().min()))
    count = int(n * p["ratio"])
    plain = lambda z, t: m.eps(z, t, source)[0]
    guided = lambda z, t: m.guided(z, t, negative, source, c["guidance"])
    path = invert(m, clean, n, count, guided if p["guided"] else plain)
    z = path[-1]
    for i, t in enumerate(s.timesteps[n - count:]):
        z = s.step(m.guided(z, t, negative, target, c["guidance"]), t, z).prev_sample
        z = mask * z + (1 - mask) * path[count - 1 - i]
    return z


METHODS = {"composable": composable, "multidiffusion": multidiffusion, "diffedit": diffedit}


def main():
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    root = Path(sys.argv[1]) / "composed"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    model = Model(root.parent / "runs" / "tiny")
    tensors, cases = {}, []
    for case in CASES:
        c = {**DEFAULTS, **case}
        z = METHODS[c["method"]](model, c)
        assert torch.isfinite(z).all()
        print(f"{c['name']}: latent {float(z.std()):.3f}")
        cases.append(c)
        tensors[c["name"]] = z[0].contiguous()
    versions = {"torch": torch.__version__, "diffusers": diffusers.__version__, "transformers": transformers.__version__}
    save_file(tensors, root / "composed.safetensors", metadata=versions)
    (root / "composed.json").write_text(json.dumps({"made_with": versions, "cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
