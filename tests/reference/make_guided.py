#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes OUTDIR/guided: what methods that lead the prediction, or what it is made from, by a gradient make of seeds and pictures on
OUTDIR/runs/tiny (make_runs.py), as loops over diffusers' networks with torch's autograd.
usage: make_guided.py OUTDIR"""
import json
import shutil
import sys
from pathlib import Path

import diffusers
import make_ranking
import numpy as np
import torch
import torch.nn.functional as F
import transformers
from diffusers import DDIMInverseScheduler
from make_attention_losses import GUIDANCE, HEIGHT, NEGATIVE, PROMPT, SEED, STEPS, WIDTH, Model, at_level, probed
from make_runs import inputs
from safetensors.torch import save_file
from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

H, W = HEIGHT // 8, WIDTH // 8
LENGTH = 77
SELF = [
    {"name": "self-move", "words": "red circle", "right": 0.25, "down": -0.125, "resize": 1.0, "scale": 8.0, "position": 5.0, "size": 5.0, "shape": 8.0,
     "appearance": 1.7, "others-shape": 1.0, "others-appearance": 0.5, "until": 0.5, "end": 0.9},
    {"name": "self-resize", "words": "blue house", "right": 0.0, "down": 0.0, "resize": 1.4, "scale": 12.0, "position": 1.0, "size": 20.0, "shape": 2.0,
     "appearance": 0.0, "others-shape": 2.0, "others-appearance": 0.0, "until": 1.0, "end": 1.0},
]
UNIVERSAL = [
    {"name": "universal-colour", "loss": "mean-colour", "colours": "#ff8000", "right": 0.6, "bottom": 0.8, "scale": 40.0},
    {"name": "universal-palette", "loss": "palette", "colours": "#ff2010; #1040ff; ffffff", "scale": 0.0, "backward": 4, "rate": 40.0, "end": 0.7},
    {"name": "universal-quick", "loss": "palette", "colours": "#ff2010; #1040ff", "scale": 60.0, "quick": True, "start": 0.2},
    {"name": "universal-mask", "loss": "mask", "colours": "#30c030", "left": 0.3, "top": 0.2, "scale": 2.0, "backward": 1, "rate": 1.0, "repeats": 2, "end": 0.7},
    {"name": "universal-clip", "loss": "clip", "text": "a blue house", "scale": 20.0, "backward": 2, "rate": 8.0},
]
NULL_TEXT = [
    {"name": "null-text", "iterations": 4, "rate": 0.05, "enough": 1e-5, "source": PROMPT},
    {"name": "null-text-edit", "iterations": 3, "rate": 0.02, "enough": 0.002, "source": "a house"},
]
ZERO = [
    {"name": "zero", "from": "circle", "to": "house", "amount": 2.0, "photo": False},
    {"name": "zero-photo", "from": "blue house", "to": "green star", "amount": 0.1, "rounds": 2, "photo": True},
]
SENTENCES = ["a photo of a {}", "a picture of a {}", "a close-up of a {}", "a {} in the middle", "a small {}", "a large {}", "one {} on a plain background",
             "a bright photo of the {}", "a drawing of a {}", "the {} and nothing else"]
PLACES = {"red circle": [2, 3], "blue house": [7, 8]}
ALL = list(range(1, 9))  # of the prompt's words


def run(m, tracks, before=None, lead=None, context=None, steps=STEPS, guidance=GUIDANCE, start=0, negative=NEGATIVE):
    """DDIM with guidance on latents {name: z}. before(i, t, latents) may move them; lead(name, i, t, latents, e) the noise."""
    m.schedule.set_timesteps(steps)
    uncond = m.says(negative)
    for i, t in enumerate(m.schedule.timesteps[start:]):
        if before:
            before(i, t, tracks)
        made = {}
        for name, z in tracks.items():
            cond = (context or {}).get(name, None)
            low, high = m.net(torch.cat([z] * 2), t, torch.cat([uncond, m.says(PROMPT) if cond is None else cond])).sample.chunk(2)
            made[name] = low + guidance * (high - low)
        if lead:
            made = {name: lead(name, i, t, tracks, e) for name, e in made.items()}
        for name in tracks:
            tracks[name] = m.schedule.step(made[name], t, tracks[name]).prev_sample
    return tracks


def abar(m, t):
    return m.schedule.alphas_cumprod[int(t)]


# ---- self-guidance


def stretch(x):
    return (x - x.min()) / (x.max() - x.min())


def thing(mean, tokens):
    a = mean[:, tokens].sum(-1)
    shape = stretch(torch.sigmoid(10 * (stretch(a) - 0.5)))
    x = (torch.arange(W) + 0.5).repeat(H) / W
    y = (torch.arange(H) + 0.5).repeat_interleave(W) / H
    return shape, (x * a).sum() / a.sum(), (y * a).sum() / a.sum(), shape.mean()


def moved(shape, x, y, c):
    """The shape resized about its centre and moved, sampled between cells with nothing beyond."""
    if c["right"] == 0 and c["down"] == 0 and c["resize"] == 1:
        return shape
    u = (torch.arange(W) + 0.5) / W
    v = (torch.arange(H) + 0.5) / H
    u, v = x + (u - x - c["right"]) / c["resize"], y + (v - y - c["down"]) / c["resize"]
    grid = torch.stack([(2 * u - 1)[None, :].expand(H, W), (2 * v - 1)[:, None].expand(H, W)], -1)
    return F.grid_sample(shape.reshape(1, 1, H, W), grid[None].float(), align_corners=False)[0, 0].flatten()


def look(feature, shape):
    inside = (shape.detach() > 0.5).reshape(1, 1, H, W).float()
    inside = F.interpolate(inside, size=feature.shape[-2:], mode="nearest")
    return (feature * inside).sum((0, 2, 3)) / inside.sum()


def shown(m, z, t, cond):
    kept = {}
    hook = m.net.up_blocks[0].register_forward_hook(lambda _m, _i, out: kept.__setitem__("feature", out))
    maps = probed(m, z, t, cond)
    hook.remove()
    ups = {k: v for k, v in maps.items() if k.startswith("up")}
    return torch.cat(at_level(ups, "attn2")).mean(0), kept["feature"]


def self_loss(now, before, c):
    loss = 0
    words = [(PLACES[c["words"]], 1, True)] + [([k], 1 / (len(ALL) - len(PLACES[c["words"]])), False) for k in ALL if k not in PLACES[c["words"]]]
    for tokens, share, own in words:
        shape, x, y, size = thing(now[0], tokens)
        rshape, rx, ry, rsize = thing(before[0], tokens)
        if own:
            loss = loss + c["position"] * ((x - rx - c["right"]).abs() + (y - ry - c["down"]).abs()) + c["size"] * (size - c["resize"] ** 2 * rsize).abs()
            loss = loss + c["shape"] * (shape - moved(rshape, rx, ry, c)).abs().mean()
        else:
            loss = loss + c["others-shape"] * share * (shape - rshape).abs().mean()
        weight = c["appearance"] if own else c["others-appearance"] * share
        if weight:
            loss = loss + weight * (look(now[1], shape) - look(before[1], rshape)).abs().mean()
    return loss


def self_guidance(m, c):
    cond = m.says(PROMPT)
    every, seen = round(c["until"] * STEPS), []

    def lead(name, i, t, tracks, e):
        if name != "picture" or i >= round(c["end"] * STEPS) or (i >= every and (i - every) % 2 == 0):
            return e
        with torch.enable_grad():
            z = tracks["picture"].detach().requires_grad_()
            loss = self_loss(shown(m, z, t, cond), [v.detach() for v in shown(m, tracks["reference"], t, cond)], c)
            seen.append(float(loss.detach()))
            return e + c["scale"] * (1 - abar(m, t)) ** 0.5 * torch.autograd.grad(loss, z)[0]

    z = m.start()
    made = run(m, {"picture": z, "reference": z.clone()}, lead=lead)["picture"]
    print(c["name"], [round(v, 4) for v in seen])
    return made


# ---- universal guidance


def colours(text):
    return torch.tensor([[int(c.strip().lstrip("#")[k:k + 2], 16) / 255 for k in (0, 2, 4)] for c in text.split(";")])


def clip_loss(m, c, x):
    """1 - the cosine that make_ranking's CLIP finds, of the picture's middle."""
    size = torch.tensor((make_ranking.SIZE, make_ranking.SIZE))
    height, width = (size * torch.tensor((HEIGHT, WIDTH)) // min(HEIGHT, WIDTH)).tolist()
    x = F.interpolate(x / 2 + 0.5, (height, width), mode="bicubic", antialias=True)
    top, left = (height - make_ranking.SIZE) // 2, (width - make_ranking.SIZE) // 2
    x = x[:, :, top:top + make_ranking.SIZE, left:left + make_ranking.SIZE]
    mean, deviation = (torch.tensor(v).view(1, 3, 1, 1) for v in (OPENAI_CLIP_MEAN, OPENAI_CLIP_STD))
    ids = m.words(c["text"], padding="max_length", max_length=m.words.model_max_length, truncation=True, return_tensors="pt").input_ids
    out = m.clip(input_ids=ids, pixel_values=(x - mean) / deviation)
    return 1 - (out.image_embeds * out.text_embeds).sum()


def picture_loss(m, c, x):
    """x [1, 3, height, width] around [-1, 1]."""
    if c["loss"] == "clip":
        return clip_loss(m, c, x)
    v = (torch.arange(HEIGHT) + 0.5)[:, None] / HEIGHT
    u = (torch.arange(WIDTH) + 0.5)[None, :] / WIDTH
    place = ((u > c.get("left", 0)) & (u < c.get("right", 1)) & (v > c.get("top", 0)) & (v < c.get("bottom", 1))).float()
    p, wanted = x[0] / 2 + 0.5, colours(c["colours"])
    away = (p[None] - wanted[:, :, None, None]).square().sum(1)  # [colours, height, width]
    if c["loss"] == "mean-colour":
        return ((p * place).sum((1, 2)) / place.sum() - wanted[0]).square().sum()
    if c["loss"] == "palette":
        return (away.amin(0) * place).sum() / place.sum()
    d = away[0] / (2 * 0.35 ** 2)
    return (place * d - (1 - place) * torch.log(1 - 0.9999 * torch.exp(-d))).mean()


def universal_guidance(m, c):
    generator = torch.Generator("cpu").manual_seed(SEED)
    z = torch.randn((1, 4, H, W), generator=generator)
    m.schedule.set_timesteps(STEPS)
    cond, uncond, seen = m.says(PROMPT), m.says(NEGATIVE), []

    def eps(z, t):
        low, high = m.net(torch.cat([z] * 2), t, torch.cat([uncond, cond])).sample.chunk(2)
        return low + GUIDANCE * (high - low)

    def decoded(clean):
        return m.vae.decode(clean / m.vae.config.scaling_factor).sample

    def clean(z, e, a):
        return (z - (1 - a) ** 0.5 * e) / a ** 0.5

    def led(z, t):
        a, e = abar(m, t), eps(z, t)
        if c["scale"]:
            with torch.enable_grad():
                x = z.detach().requires_grad_()
                loss = picture_loss(m, c, decoded(clean(x, e.detach() if c.get("quick") else eps(x, t), a)))
                seen.append(float(loss.detach()))
                e = e + c["scale"] * (1 - a) ** 0.5 * torch.autograd.grad(loss, x)[0]
        far = torch.zeros_like(z)
        at = clean(z, e, a)
        for _ in range(c.get("backward", 0)):
            with torch.enable_grad():
                x = (at + far).detach().requires_grad_()
                far = far - c["rate"] * torch.autograd.grad(picture_loss(m, c, decoded(x)), x)[0]
        return e - (a / (1 - a)) ** 0.5 * far

    for i, t in enumerate(m.schedule.timesteps):
        acts = round(c.get("start", 0) * STEPS) <= i < round(c.get("end", 1) * STEPS)
        for k in range(c.get("repeats", 1) if acts else 1):
            if k:
                ratio = abar(m, t) / (abar(m, m.schedule.timesteps[i + 1]) if i + 1 < STEPS else m.schedule.final_alpha_cumprod)
                z = ratio ** 0.5 * z + (1 - ratio) ** 0.5 * torch.randn(z.shape, generator=generator)
            z = m.schedule.step(led(z, t) if acts else eps(z, t), t, z).prev_sample
    print(c["name"], [round(v, 4) for v in seen], "final", round(float(picture_loss(m, c, decoded(z))), 4))
    return z


# ---- null-text inversion


def photo_latent(m):
    picture, _ = inputs()
    return m.vae.encode(picture.permute(2, 0, 1)[None] * 2 - 1).latent_dist.mode() * m.vae.config.scaling_factor


def invert(m, z, cond, noise=lambda e: e):
    """DDIM upwards without guidance: the latents on the way, the clean one first. `noise` may change the predicted noise."""
    inverse = DDIMInverseScheduler.from_config(m.schedule.config, clip_sample=False)
    inverse.set_timesteps(STEPS)
    path = [z]
    for t in inverse.timesteps:
        path.append(inverse.step(noise(m.net(path[-1], t, cond).sample), t, path[-1]).prev_sample)
    return path


def null_text(m, c):
    source = m.says(c["source"])
    path = invert(m, photo_latent(m), source)
    m.schedule.set_timesteps(STEPS)
    z, u, found, seen = path[-1], m.says(NEGATIVE), [], []
    for i, t in enumerate(m.schedule.timesteps):
        e, u = m.net(z, t, source).sample, u.detach().clone()
        with torch.enable_grad():
            u.requires_grad_()
            adam = torch.optim.Adam([u], lr=c["rate"] * (1 - i / (2 * STEPS)))
            for _ in range(c["iterations"]):
                low = m.net(z, t, u).sample
                loss = (m.schedule.step(low + GUIDANCE * (e - low), t, z).prev_sample - path[-2 - i]).square().mean()
                adam.zero_grad()
                loss.backward()
                adam.step()
                seen.append(float(loss.detach()))
                if loss < c["enough"] + 1e-3 * i / STEPS:
                    break
        u = u.detach()
        found.append(u)
        low = m.net(z, t, u).sample
        z = m.schedule.step(low + GUIDANCE * (e - low), t, z).prev_sample
    z, cond = path[-1], m.says(PROMPT)
    for i, t in enumerate(m.schedule.timesteps):
        low, high = m.net(torch.cat([z] * 2), t, torch.cat([found[i], cond])).sample.chunk(2)
        z = m.schedule.step(low + GUIDANCE * (high - low), t, z).prev_sample
    print(c["name"], [round(v, 5) for v in seen])
    return z


# ---- pix2pix-zero


def likeness(e, bits):
    """Sum over channels, sizes and axes of mean (e shifted e)^2. The shifts are never 0, which the authors' code allows."""
    total = 0
    for x in e[0]:
        x = x[None, None]
        while True:
            for axis in (2, 3):
                total = total + (x * torch.roll(x, -(1 + int(bits.random_raw()) % max(x.shape[axis] // 2, 1)), axis)).mean() ** 2
            if x.shape[2] <= 8 or x.shape[3] < 4:
                break
            x = F.avg_pool2d(x, 2)
    return total


def even(e, c, bits):
    for _ in range(c.get("rounds", 5)):
        for _ in range(5):
            with torch.enable_grad():
                x = e.detach().requires_grad_()
                e = e - 20 / 5 * torch.autograd.grad(likeness(x, bits), x)[0]
        with torch.enable_grad():
            x = e.detach().requires_grad_()
            e = e - 20 * torch.autograd.grad(x.var() + x.mean() ** 2 - 1 - torch.log(x.var() + 1e-7), x)[0]
    return e


def pix2pix_zero(m, c):
    cond = m.says(PROMPT)
    turned = cond + sum(m.says(s.format(c["to"])) - m.says(s.format(c["from"])) for s in SENTENCES) / len(SENTENCES)
    z, seen, bits = m.start(), [], np.random.MT19937()
    bits._legacy_seeding(SEED)
    if c["photo"]:
        z = invert(m, photo_latent(m), cond, lambda e: even(e, c, bits))[-1]

    def crosses(kept):
        return {k: v for k, v in kept.items() if "attn2" in k}

    def before(i, t, tracks):
        then = {k: v.detach() for k, v in crosses(probed(m, tracks["reference"], t, cond)).items()}
        with torch.enable_grad():
            x = tracks["picture"].detach().requires_grad_()
            loss = sum((v - then[k]).square().sum((1, 2)).mean() for k, v in crosses(probed(m, x, t, turned)).items())
            tracks["picture"] = (x - c["amount"] * torch.autograd.grad(loss, x)[0]).detach()
        seen.append(float(loss.detach()))

    made = run(m, {"picture": z, "reference": z.clone()}, before=before, context={"picture": turned})["picture"]
    print(c["name"], [round(v, 4) for v in seen])
    return made


TOPICS = [(pix2pix_zero, ZERO), (null_text, NULL_TEXT), (self_guidance, SELF), (universal_guidance, UNIVERSAL)]


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: make_guided.py OUTDIR")
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    diffusers.logging.set_verbosity_error()
    out_dir = Path(sys.argv[1])
    root = out_dir / "guided"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    m, out = Model(out_dir / "runs" / "tiny"), {}
    m.clip = make_ranking.clip(m.words).requires_grad_(False)
    with torch.no_grad():
        out["plain"] = run(m, {"picture": m.start()})["picture"][0].contiguous()
        for make, cases in TOPICS:
            for c in cases:
                out[c["name"]] = make(m, c)[0].contiguous()
    for name, made in out.items():
        change = float((made - out["plain"]).abs().max() / out["plain"].abs().max())
        print(f"{name}: {change:.4f} away from the plain run")
        assert torch.isfinite(made).all() and (name == "plain" or change > 1e-3), name
    save_file(out, root / "guided.safetensors")
    versions = {"torch": torch.__version__, "diffusers": diffusers.__version__, "transformers": transformers.__version__}
    (root / "guided.json").write_text(json.dumps({
        "made_with": versions, "width": WIDTH, "height": HEIGHT, "steps": STEPS, "guidance": GUIDANCE, "seed": SEED, "prompt": PROMPT, "negative": NEGATIVE,
        **{make.__name__.replace("_", "-"): cases for make, cases in TOPICS}}, indent=1) + "\n")


if __name__ == "__main__":
    main()
