# SPDX-License-Identifier: GPL-3.0-or-later
"""Samples the model with diffusers' own scheduler, judges the pictures, makes a sheet.

    python sample.py FOLDER whole --n 32 --out SHEET.png     one object per prompt
    python sample.py FOLDER pair  --n 32 ...                 two objects, a relation
    python sample.py FOLDER count --n 32 ...                 "two red stars"
    python sample.py FOLDER fill  --n 32 ...                 an object asked for in a hole

--ema WORK/NAME.pt judges the running training's averages instead of the f16 files.
"""
import argparse
import os
import random

import numpy as np
import torch
from diffusers import DDIMScheduler
from PIL import Image, ImageDraw

import holes
import matcher
import nets
from scenes import COLOURS, draw, make_thing, phrase, place, scene
from vocab import Tokenizer, table


class Model:
    def __init__(self, folder, ema=None):
        self.vae, self.text = nets.make_vae().eval(), nets.make_text(len(table())).eval()
        nets.load(self.vae, os.path.join(folder, "vae"))
        self.scale = nets.read_json(os.path.join(folder, "vae", "config.json"))["scaling_factor"]
        self.fill = nets.make_unet(9).eval()
        if ema:
            torch.nn.ModuleList([self.fill, self.text]).load_state_dict(torch.load(ema)["average"])
            self.whole = None
        else:
            self.whole = nets.make_unet(4).eval()
            nets.load(self.text, os.path.join(folder, "text_encoder"))
            nets.load(self.fill, os.path.join(folder, "unet_fill"))
            nets.load(self.whole, os.path.join(folder, "unet"))
        self.scheduler = DDIMScheduler.from_pretrained(os.path.join(folder, "scheduler"))
        self.tokenizer = Tokenizer()

    def latents_of(self, pictures):
        x = torch.from_numpy(np.stack(pictures).transpose(0, 3, 1, 2)).contiguous()
        return self.vae.encode(x).latent_dist.mean * self.scale

    @torch.no_grad()
    def __call__(self, prompts, seed=0, steps=20, guidance=4.0, pictures=None, masks=None):
        """Pictures of the prompts: uint8, n x 128 x 128 x 3. With pictures (uint8) and masks
        (bool, true = to be filled): fills."""
        n, size = len(prompts), 16
        if pictures is not None:
            size = pictures[0].shape[0] // 8
        ids = torch.tensor([self.tokenizer(p) for p in prompts] + [self.tokenizer("")] * n)
        x = torch.randn(n, 4, size, size, generator=torch.Generator().manual_seed(seed))
        with torch.autocast("cpu", torch.bfloat16):
            context = self.text(ids).last_hidden_state
            extra, net = None, self.whole or self.fill
            if pictures is not None:
                net, gray = self.fill, []
                for p, m in zip(pictures, masks):
                    g = p.astype(np.float32) / 127.5 - 1
                    g[m] = 0
                    gray.append(g)
                small = torch.from_numpy(np.stack(masks)[:, ::8, ::8]).float()[:, None]
                extra = torch.cat([small, self.latents_of(gray).float()], 1)
            elif self.whole is None:
                extra = torch.zeros(n, 5, size, size)
            self.scheduler.set_timesteps(steps)
            for t in self.scheduler.timesteps:
                rows = torch.cat([x, extra], 1) if extra is not None else x
                v = net(torch.cat([rows, rows]), t, context).sample.float()
                v = v[n:] + guidance * (v[:n] - v[n:])
                x = self.scheduler.step(v, t, x).prev_sample
            y = self.vae.decode(x / self.scale).sample.float()
        y = ((y + 1) * 127.5).round().clamp(0, 255).byte().numpy().transpose(0, 2, 3, 1)
        if pictures is not None:
            y = np.stack([np.where(m[..., None], new, old)
                          for new, old, m in zip(y, pictures, masks)])
        return y


def fill_task(seed):
    """(picture, mask, prompt, box): a scene without its target, a selection, what to put there."""
    rng = random.Random(seed)
    s = scene(seed, "scatter")
    s.things.pop()
    t = make_thing(rng, 0, 0, 1)
    picture = draw(s)
    r = rng.uniform(20, 38)
    x, y = rng.uniform(r + 2, 126 - r), rng.uniform(r + 2, 126 - r)
    box = (x - r, y - r * rng.uniform(.85, 1), x + r, y + r)
    shape = holes.rectangle if rng.random() < .5 else holes.oval
    return picture, shape(box, (128, 128)), phrase(t), box


def task(kind, seed):
    """(prompt, the things asked for) of a held-out seed."""
    s = scene(seed, {"whole": "one", "pair": "pair", "count": "count"}[kind])
    return s.caption, [(t.kind, t.colour) for t in s.things]


def score(kind, pictures, wanted, boxes):
    """Per picture a dict of what came out right."""
    out = []
    for p, want, box in zip(pictures, wanted, boxes):
        every = matcher.look(p, box)
        seen = [f for f in every if f.sure()]
        pairs, kinds = [(f.kind, f.colour) for f in seen], [f.kind for f in seen]
        out.append({"kind": all(kinds.count(k) >= sum(k == q for q, _ in want) for k, _ in want),
                    "colour": all(c in [f.colour for f in every] for _, c in want),
                    "both": all(pairs.count(w) >= want.count(w) for w in want)
                    and (kind != "count" or len(seen) == len(want))})
    return out


def sheet(pictures, titles, marks, path, columns=8, boxes=None):
    cell = 128
    rows = -(-len(pictures) // columns)
    out = Image.new("RGB", (columns * (cell + 4), rows * (cell + 16)), "white")
    pen = ImageDraw.Draw(out)
    for i, (p, title, good) in enumerate(zip(pictures, titles, marks)):
        x, y = i % columns * (cell + 4), i // columns * (cell + 16)
        out.paste(Image.fromarray(p), (x, y))
        if boxes and boxes[i]:
            b = boxes[i]
            pen.rectangle((x + b[0], y + b[1], x + b[2], y + b[3]), outline=(120, 120, 120))
        pen.text((x, y + 129), title[:25], fill="black" if good else "red")
    out.save(path)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("model")
    a.add_argument("kind", choices=("whole", "pair", "count", "fill"))
    a.add_argument("--n", type=int, default=32)
    a.add_argument("--seed", type=int, default=20_000_000)
    a.add_argument("--steps", type=int, default=20)
    a.add_argument("--guidance", type=float, default=4.0)
    a.add_argument("--ema")
    a.add_argument("--out")
    a = a.parse_args()
    model = Model(a.model, a.ema)
    seeds = range(a.seed, a.seed + a.n)
    if a.kind == "fill":
        old, masks, prompts, boxes = zip(*(fill_task(s) for s in seeds))
        wanted = [[tuple(reversed(matcher.parse(p)))] for p in prompts]
    else:
        prompts, wanted = zip(*(task(a.kind, s) for s in seeds))
        old, masks, boxes = None, None, [None] * a.n
    made = []
    for i in range(0, a.n, 32):
        j = min(i + 32, a.n)
        made += list(model(prompts[i:j], a.seed + i, a.steps, a.guidance,
                           old and old[i:j], masks and masks[i:j]))
    boxes = [b and (b[0] - 3, b[1] - 3, b[2] + 3, b[3] + 3) for b in boxes]
    marks = score(a.kind, made, wanted, boxes)
    for key in marks[0]:
        print(f"{a.kind} {key}: {sum(m[key] for m in marks)}/{a.n}")
    if a.out:
        sheet(made, prompts, [m["both"] for m in marks], a.out, boxes=boxes)


if __name__ == "__main__":
    main()
