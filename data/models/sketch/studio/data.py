# SPDX-License-Identifier: GPL-3.0-or-later
"""Prepared arrays as training reads them: on a GPU they lie in its memory whole, on a CPU they are mapped files.

Everything that can be computed from a column in a moment (control pictures, depth, bits) is not stored but made here, on
the device.
"""
import os

import numpy as np
import torch

from . import attention, conditions
from .kinds import KINDS
from .prepare import MOST, SIDE, length
from .words import PLACES

CHUNK = {"cuda": 256, "cpu": 16}  # pictures encoded at once: on a processor what fits its cache

LEAST = 5000  # rows with latents that training begins with


def bits(packed):
    """uint8 rows of bits -> float 0 or 1, n x 1 x SIDE x SIDE."""
    shifts = torch.arange(7, -1, -1, device=packed.device, dtype=torch.uint8)
    return ((packed[..., None] >> shifts) & 1).flatten(-2).float()[:, None]


def pictures(u8):
    """uint8 n x h x w x 3 -> float n x 3 x h x w, -1 … 1."""
    return (u8.permute(0, 3, 1, 2).float() / 127.5 - 1).contiguous()


class Set:
    """self.n rows, of which self.have[column] have latents so far."""

    def __init__(self, folder, name, device, rows=0, grow=None):
        self.folder, self.name, self.device = os.path.join(folder, name), name, device
        self.n = length(folder, name)
        if not self.n:
            raise SystemExit(f"{self.folder}: not there or of another data version; run python -m studio.prepare first")
        self.n = min(self.n, rows) if rows else self.n
        self.columns, self.have, self.grow = {}, {}, grow

    def column(self, name):
        if name not in self.columns:
            a = np.load(os.path.join(self.folder, name + ".npy"), mmap_mode="r")[:self.n]
            self.columns[name] = torch.from_numpy(np.array(a)).to(self.device) if self.device != "cpu" else a
        return self.columns[name]

    def rows(self, name, at):
        """Rows `at` (a tensor of indices on the device) of a column."""
        c = self.column(name)
        return c[at] if torch.is_tensor(c) else torch.from_numpy(np.ascontiguousarray(c[at.numpy()]))

    def latents(self, name, vae, make, work):
        """A column of the autoencoder's means, unscaled, f16: encoded once, kept in `work`, and more of them when the set has
        grown; no more than `grow` (None: all) in one call, as a processor is slow at it. make(rows) -> pictures."""
        path = os.path.join(work, f"latents-{self.name}-{name}.npy")
        old = np.load(path) if os.path.exists(path) else np.zeros((0, 4, SIDE // 8, SIDE // 8), np.float16)
        wanted = self.n if self.grow is None else min(self.n, max(len(old) + self.grow, LEAST))
        if len(old) < wanted:
            out = torch.empty(wanted, 4, SIDE // 8, SIDE // 8, dtype=torch.float16)
            out[:len(old)] = torch.from_numpy(old)
            with torch.no_grad(), torch.autocast(self.device, torch.bfloat16):
                chunk = CHUNK[self.device]
                for i in range(len(old), wanted, chunk):
                    at = torch.arange(i, min(i + chunk, wanted), device=self.device)
                    out[i:i + chunk] = vae.encode(make(at)).latent_dist.mean.half().cpu()
            np.save(path + ".new.npy", out.numpy())
            os.replace(path + ".new.npy", path)
        a = np.load(path)[:self.n]
        self.have[name] = len(a)
        self.columns["latents-" + name] = torch.from_numpy(a).to(self.device) if self.device != "cpu" else a

    def cells(self, work):
        """The column "cells": how much of each cell of the 16 x 16 grid each thing covers. Made once, grown like latents."""
        path = os.path.join(work, f"cells-{self.name}.npy")
        old = np.load(path) if os.path.exists(path) else np.zeros((0, MOST, attention.GRID, attention.GRID), np.uint8)
        if len(old) < self.n:
            instances = np.load(os.path.join(self.folder, "instances.npy"), mmap_mode="r")
            parts = [old, *(attention.cells(instances[i:min(i + 256, self.n)], MOST) for i in range(len(old), self.n, 256))]
            np.save(path + ".new.npy", np.concatenate(parts))
            os.replace(path + ".new.npy", path)
        a = np.load(path)[:self.n]
        self.columns["cells"] = torch.from_numpy(a).to(self.device) if self.device != "cpu" else a

    def close_ups(self, rows, side, least, other):
        """Windows of side x side cells that one thing fills: int n x 4 of (row, thing, top, left) over the first `rows` rows. The thing
        lies in the window whole and is at least `least` cells; all others together cover at most `other` of the window."""
        c = np.asarray(self.columns["cells"][:rows], np.float32) / 255
        out = []
        for j in range(c.shape[1]):
            mine, all_ = c[:, j], c.sum(1)
            across, down = mine.max(1) > .1, mine.max(2) > .1
            size = lambda a: np.where(a.any(1), a.shape[1] - a[:, ::-1].argmax(1) - a.argmax(1), 99)
            fits = np.flatnonzero((mine.sum((1, 2)) >= least) & (size(across) <= side) & (size(down) <= side))
            rng = np.random.default_rng(j)
            place = []
            for line in (down[fits], across[fits]):
                first, last = line.argmax(1), line.shape[1] - 1 - line[:, ::-1].argmax(1)
                low, high = np.maximum(last - side + 1, 0), np.minimum(first, line.shape[1] - side)
                place.append(low + (rng.random(len(fits)) * (high - low + 1)).astype(int))
            for row, top, left in zip(fits, *place):
                window = np.s_[row, top:top + side, left:left + side]
                if (all_[window] - mine[window]).mean() <= other:
                    out.append((row, j, top, left))
        return torch.tensor(out, device=self.device).view(-1, 4)

    def seen(self, at):
        """The pictures with grey holes."""
        return pictures(self.rows("picture", at)) * (1 - bits(self.rows("hole", at)))

    def instances(self, at):
        return self.rows("instances", at).long()

    def control(self, kind, at):
        """The control pictures, float 0 … 1, n x 3 x SIDE x SIDE."""
        if kind in ("edge", "scribble"):
            return bits(self.rows(kind, at)).expand(-1, 3, -1, -1)
        inst = self.instances(at)
        n = len(at)
        y = (torch.arange(SIDE, device=self.device) + .5) / SIDE
        horizon, place = self.rows("horizon", at)[:, None], self.rows("place", at).long()
        grounded = torch.tensor([p.ground is not None for p in PLACES.values()], device=self.device)[place][:, None]
        ground = (y[None] >= horizon) & grounded
        if kind == "depth":
            rows = torch.where(ground, 20 + 90 * (y[None] - horizon) / (1 - horizon).clamp(min=.05), torch.tensor(8.0, device=self.device)).floor()
            table = torch.zeros(9, 9, device=self.device)
            for count in range(1, 9):
                table[count, 1:count + 1] = torch.tensor(conditions.depth_levels(count), dtype=torch.float, device=self.device)
            levels = table[inst.flatten(1).amax(1)]
            grey = torch.where(inst > 0, levels.gather(1, inst.flatten(1)).view_as(inst), rows[:, :, None].expand(-1, -1, SIDE))
            # stretched to the full range, as the engine's preprocessor does
            low, high = grey.flatten(1).amin(1)[:, None, None], grey.flatten(1).amax(1)[:, None, None]
            grey = (grey - low) / (high - low).clamp(min=1)
            return grey[:, None].expand(-1, 3, -1, -1)
        rows = len(KINDS) + place[:, None] + len(PLACES) * ground
        kinds = torch.zeros(n, 9, dtype=torch.long, device=self.device)
        kinds[:, 1:1 + MOST] = self.rows("kind", at).long()
        ids = torch.where(inst > 0, kinds.gather(1, inst.flatten(1)).view_as(inst), rows[:, :, None].expand(-1, -1, SIDE))
        palette = torch.from_numpy(conditions.segment_table()[1]).to(self.device).float() / 255
        return palette[ids].permute(0, 3, 1, 2).contiguous()
