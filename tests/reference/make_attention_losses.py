#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes OUTDIR/losses: what methods that follow the gradient of an attention loss make of seeds on OUTDIR/runs/tiny (make_runs.py).
Attend-and-Excite is diffusers' pipeline; layout guidance and attention refocusing are written over diffusers' UNet with torch's autograd.
usage: make_attention_losses.py OUTDIR"""
import json
import shutil
import sys
from pathlib import Path

import diffusers
import torch
import torch.nn.functional as F
import transformers
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionAttendAndExcitePipeline, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from safetensors.torch import save_file
from transformers import CLIPTextModel, CLIPTokenizer

WIDTH, HEIGHT, STEPS, GUIDANCE, SEED = 64, 48, 6, 5.0, 5
PROMPT, NEGATIVE = "a red circle left of a blue house", "blurry"
CIRCLE, HOUSE = [3], [8]  # positions
BOXES = [((0.0, 0.1, 0.5, 0.9), [2, 3], "red circle"), ((0.55, 0.3, 0.95, 1.0), [7, 8], "blue house")]
EXCITE = [
    {"name": "excite", "words": "circle house", "steps": 4, "thresholds": {0: 0.05, 2: 0.5, 3: 0.8}, "scale": 20},
    {"name": "excite-one", "words": "house", "steps": 6, "thresholds": {}, "scale": 60},
]
LAYOUT = [
    {"name": "layout", "scale": 30.0, "threshold": 0.2, "iterations": 3, "steps": 3},
    {"name": "layout-far", "scale": 300.0, "threshold": 0.001, "iterations": 2, "steps": 5},
]
REFOCUS = [
    {"name": "refocus", "scale": 1.0, "cross": 1.0, "self": 1.0, "enough": 0.2, "until": 0.72},
    {"name": "refocus-far", "scale": 20.0, "cross": 0.5, "self": 30.0, "enough": 1.0, "until": 1.0},
]


class Probe(AttnProcessor):
    """The plain attention, that also keeps its probabilities [heads, T, S]."""

    def __init__(self, kept, name):
        super().__init__()
        self.kept, self.name = kept, name

    def __call__(self, attn, *args, **kwargs):
        scores = attn.get_attention_scores

        def keep(*a):
            self.kept[self.name] = scores(*a)
            return self.kept[self.name]

        attn.get_attention_scores = keep
        try:
            return super().__call__(attn, *args, **kwargs)
        finally:
            attn.get_attention_scores = scores


class Model:
    def __init__(self, folder):
        self.words = CLIPTokenizer.from_pretrained(folder / "tokenizer")
        self.text = CLIPTextModel.from_pretrained(folder / "text_encoder", torch_dtype=torch.float32).eval().requires_grad_(False)
        self.vae = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32).eval().requires_grad_(False)
        self.net = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32).eval().requires_grad_(False)
        self.schedule = DDIMScheduler.from_pretrained(folder / "scheduler", clip_sample=False)

    def says(self, prompt):
        ids = self.words(prompt, padding="max_length", max_length=self.words.model_max_length, truncation=True, return_tensors="pt").input_ids
        return self.text(ids)[0]

    def start(self):
        return torch.randn((1, 4, HEIGHT // 8, WIDTH // 8), generator=torch.Generator("cpu").manual_seed(SEED))


def excite(m, c):
    pipe = StableDiffusionAttendAndExcitePipeline(vae=m.vae, text_encoder=m.text, tokenizer=m.words, unet=m.net, scheduler=m.schedule, safety_checker=None,
                                                  feature_extractor=None, requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    indices = [i for i, word in pipe.get_indices(PROMPT).items() if word.removesuffix("</w>") in c["words"].split()]
    processors = dict(m.net.attn_processors)
    made = pipe(PROMPT, token_indices=indices, negative_prompt=NEGATIVE, height=HEIGHT, width=WIDTH, num_inference_steps=STEPS, guidance_scale=GUIDANCE,
                latents=m.start(), output_type="latent", attn_res=(HEIGHT // 8, WIDTH // 8), max_iter_to_alter=c["steps"],
                thresholds={int(k): v for k, v in c["thresholds"].items()}, scale_factor=c["scale"]).images
    m.net.set_attn_processor(processors)
    return made


def inside(box, height, width):
    mask = torch.zeros(height, width)
    x0, y0, x1, y1 = int(box[0] * width), int(box[1] * height), int(box[2] * width), int(box[3] * height)
    mask[y0:y1, x0:x1] = 1
    return mask


def layout_loss(kept, boxes):
    sites = ["mid_block.attentions.0.transformer_blocks.0.attn2.processor"] + [k for k in kept if k.startswith("up_blocks.1") and "attn2" in k]
    loss = 0
    for k in sites:
        a = kept[k]
        height = HEIGHT // 8 if a.shape[1] == (HEIGHT // 8) * (WIDTH // 8) else HEIGHT // 16
        width = a.shape[1] // height
        for box, tokens, _ in boxes:
            mask = inside(box, height, width).flatten()
            loss = loss + sum((1 - (a[:, :, t] * mask).sum(-1) / a[:, :, t].sum(-1)).square().mean() for t in tokens) / len(tokens)
    return loss / (len(boxes) * len(sites))


def guided_run(m, before):
    """DDIM with guidance; `before` may move the latent in front of each step."""
    m.schedule.set_timesteps(STEPS)
    cond, uncond, z = m.says(PROMPT), m.says(NEGATIVE), m.start()
    for i, t in enumerate(m.schedule.timesteps):
        z = before(i, t, z, cond)
        e = m.net(torch.cat([z] * 2), t, torch.cat([uncond, cond])).sample
        low, high = e.chunk(2)
        z = m.schedule.step(low + GUIDANCE * (high - low), t, z).prev_sample
    return z


def probed(m, z, t, cond):
    kept = {}
    plain = dict(m.net.attn_processors)
    m.net.set_attn_processor({k: Probe(kept, k) for k in plain})
    m.net(z, t, cond)
    m.net.set_attn_processor(plain)
    return kept


def layout(m, c):
    last = 1e4
    seen = []

    def before(i, t, z, cond):
        nonlocal last
        for _ in range(c["iterations"] if i < c["steps"] else 0):
            if last / c["scale"] <= c["threshold"]:
                break
            with torch.enable_grad():
                z = z.detach().requires_grad_()
                loss = layout_loss(probed(m, z, t, cond), BOXES) * c["scale"]
                z = (z - torch.autograd.grad(loss, z)[0] * (1 - m.schedule.alphas_cumprod[t])).detach()
            last = float(loss)
            seen.append(last)
        return z

    made = guided_run(m, before)
    print(c["name"], [round(v, 4) for v in seen])
    return made


def smoothed(map):
    """Of Attend-and-Excite: 3 x 3, exp (-(d / (2 * 0.5))^2), borders reflected."""
    line = torch.tensor([-1.0, 0.0, 1.0]).square().neg().exp()
    kernel = line[:, None] * line[None, :]
    return F.conv2d(F.pad(map[None, None], (1, 1, 1, 1), mode="reflect"), (kernel / kernel.sum())[None, None])[0, 0]


def at_level(kept, kind):
    """Probabilities at the latent's own grid, which is the level that methods address in the tiny model, outside the middle."""
    return [v for k, v in kept.items() if kind in k and not k.startswith("mid") and v.shape[1] == (HEIGHT // 8) * (WIDTH // 8)]


def refocus_loss(kept, c, at):
    height, width = HEIGHT // 8, WIDTH // 8
    early = at < 15
    maps = (torch.cat(at_level(kept, "attn2")).mean(0)[:, 1:-1] * 100).softmax(-1)
    places = [inside(box, height, width) for box, _, _ in BOXES]
    background = 1 - torch.stack(places).amax(0)
    cross, weakest = 0, []
    for i, (_, tokens, _) in enumerate(BOXES):
        for token in tokens:
            m = smoothed(maps[:, token - 1].reshape(height, width))
            top = m[places[i] > 0].max()
            weakest.append(float(top.detach()))
            cross = cross + (6 if top < 0.1 else 1 if top < 0.2 or early else 0) * (1 - top)
            for j, place in enumerate(places):
                if j != i:
                    there = m[place > 0].max()
                    cross = cross + (4 if there > 0.15 else 1 if there > 0.1 or early else 0) * there
            cross = cross + 0.5 * m[background > 0].max()
    leak, sites = 0, at_level(kept, "attn1")
    for a in sites:
        for place in places:
            p = place.flatten()
            leak = leak + ((a * p[None, :, None]).sum(1) / p.sum() * (1 - p)).sum(-1).mean() / len(sites)
    return (c["cross"] * cross + c["self"] * leak) / len(BOXES), min(weakest)


def refocus(m, c):
    seen = []

    def before(i, t, z, cond):
        at = i * 50 // STEPS
        times = [2, 2, 6, 6, 6, 3, 3, 3, 3, 3][at] if at < 10 else 2 if at <= 35 and at % 5 == 0 else 0
        for _ in range(times if i < round(c["until"] * STEPS) else 0):
            with torch.enable_grad():
                z = z.detach().requires_grad_()
                loss, weakest = refocus_loss(probed(m, z, t, cond), c, at)
                seen.append(float(loss))
                if loss <= 0.1 or weakest >= c["enough"]:
                    z = z.detach()
                    break
                z = (z - torch.autograd.grad(loss, z)[0] * c["scale"] * (4 if at < 5 else 3 if at < 20 else 1)).detach()
        return z

    made = guided_run(m, before)
    print(c["name"], [round(v, 4) for v in seen])
    return made


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: make_attention_losses.py OUTDIR")
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    diffusers.logging.set_verbosity_error()
    root = Path(sys.argv[1]) / "losses"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    m, out = Model(Path(sys.argv[1]) / "runs" / "tiny"), {}
    with torch.no_grad():
        plain = guided_run(m, lambda i, t, z, cond: z)
        for make, cases in ((excite, EXCITE), (layout, LAYOUT), (refocus, REFOCUS)):
            for c in cases:
                out[c["name"]] = make(m, c)[0].contiguous()
        out["plain"] = plain[0].contiguous()
    for name, made in out.items():
        change = float((made - plain[0]).abs().max() / plain.abs().max())
        print(f"{name}: {change:.4f} away from the plain run")
        assert torch.isfinite(made).all() and (name == "plain" or change > 1e-3), name
    save_file(out, root / "losses.safetensors")
    versions = {"torch": torch.__version__, "diffusers": diffusers.__version__, "transformers": transformers.__version__}
    (root / "losses.json").write_text(json.dumps({
        "made_with": versions, "width": WIDTH, "height": HEIGHT, "steps": STEPS, "guidance": GUIDANCE, "seed": SEED, "prompt": PROMPT, "negative": NEGATIVE,
        "boxes": [{"box": b, "phrase": p} for b, _, p in BOXES], "excite": EXCITE, "layout": LAYOUT, "refocus": REFOCUS}, indent=1) + "\n")


if __name__ == "__main__":
    main()
