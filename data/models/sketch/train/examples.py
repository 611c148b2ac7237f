# SPDX-License-Identifier: GPL-3.0-or-later
"""Training examples of both UNets, encoded once: shards of arrays in a work folder.

Each scene gives a whole picture with its caption and a fill: a hole, the
latents of the picture with mid-grey in the hole, and what belongs in it.
"""
import os
import random

import numpy as np
import torch

import holes
from scenes import BACKGROUNDS, OPENINGS, draw, phrase, place, scene, whole_mask
from vocab import Tokenizer

SHARD = 2048


def layout_of(seed):
    """Three scenes in ten are scattered things, which only the fill network learns from."""
    return "scatter" if seed % 10 in (2, 5, 8) else None


def fill_of(s, rng):
    """(hole, caption) of a scene: around one of its things, the whole picture, or background."""
    words = random.Random(s.seed + 1)
    u = rng.random()
    if u < .07:
        hole = np.ones((128, 128), bool)
        return hole, s.caption if s.layout != "scatter" else None
    if u < .14:
        things = np.any([whole_mask(s, t) for t in s.things], axis=0)
        hole = holes.elsewhere(things, rng)
        if hole is not None:
            name = s.background
            return hole, words.choice(("empty " + name, name, "an empty " + name))
    t = s.things[-1] if s.layout == "scatter" else words.choice(s.things)
    hole = holes.around(whole_mask(s, t), rng)
    return hole, words.choice(OPENINGS) + phrase(t) + (place(s.background, words)
                                                       if words.random() < .4 else "")


def make(first, n, vae, scale):
    """Examples of the seeds first … first + n - 1, as a dict of arrays."""
    tokenizer = Tokenizer()
    out = {"latent": np.empty((n, 4, 16, 16), np.float16), "seen": np.empty((n, 4, 16, 16), np.float16),
           "hole": np.empty((n, 16, 16), np.uint8), "whole_ids": np.empty((n, 32), np.int16),
           "fill_ids": np.empty((n, 32), np.int16), "whole_ok": np.empty(n, bool)}
    step = 8  # small batches stay in the cache
    for i in range(0, n, step):
        pictures, masked = [], []
        for j in range(i, min(i + step, n)):
            s = scene(first + j, layout_of(first + j))
            rng = np.random.default_rng(first + j)
            p = draw(s)
            hole, text = fill_of(s, rng)
            if text is None:
                text = ""
            m = p.copy().astype(np.float32) / 127.5 - 1
            pictures.append(m.copy())
            m[hole] = 0
            masked.append(m)
            out["hole"][j] = hole[::8, ::8]
            out["whole_ids"][j] = tokenizer(s.caption)
            out["fill_ids"][j] = tokenizer(text)
            out["whole_ok"][j] = s.layout != "scatter"
        x = torch.from_numpy(np.stack(pictures + masked).transpose(0, 3, 1, 2)).contiguous()
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            z = vae.encode(x).latent_dist.mean.float() * scale
        half = len(pictures)
        out["latent"][i:i + half] = z[:half].numpy()
        out["seen"][i:i + half] = z[half:].numpy()
    return out


def path(work, k):
    return os.path.join(work, f"examples-{k:03d}.npz")


class Pool:
    """All examples made so far, in memory; grows by a shard at a time."""

    def __init__(self, work, vae, scale, first=1_000_000):
        self.work, self.vae, self.scale, self.first = work, vae, scale, first
        self.shards, self.data = 0, {}
        while os.path.exists(path(work, self.shards)):
            self.add(dict(np.load(path(work, self.shards))))

    def add(self, shard):
        for k, v in shard.items():
            self.data.setdefault(k, []).append(torch.from_numpy(v))
        self.shards += 1

    def grow(self):
        shard = make(self.first + SHARD * self.shards, SHARD, self.vae, self.scale)
        np.savez(path(self.work, self.shards), **shard)
        self.add(shard)

    def pick(self, n, generator):
        """n random examples: dict of tensors."""
        at = torch.randint(0, self.shards * SHARD, (n,), generator=generator).tolist()
        return {k: torch.stack([v[i // SHARD][i % SHARD] for i in at]) for k, v in self.data.items()}
