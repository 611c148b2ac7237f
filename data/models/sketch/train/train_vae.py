# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the autoencoder: python train_vae.py WORK [--minutes 20] [--model FOLDER]

WORK gets vae.pt (a checkpoint, resumed from) and vae.csv (step, seconds, loss,
PSNR). Crops of 64 pixels for the first 70 % of the time, then whole pictures.
One picture in eight has a grey hole, as the fill network's input has.
"""
import argparse
import math
import os
import time

import numpy as np
import torch
import torch.nn.functional as F

import nets
from scenes import draw, scene


def pictures(n, first):
    """n rendered pictures, uint8 n x 3 x 128 x 128, and a point inside an object of each."""
    out, at = np.empty((n, 3, 128, 128), np.uint8), np.empty((n, 2), int)
    rng = np.random.default_rng(first)
    for i in range(n):
        s = scene(first + i, "scatter" if i % 4 == 0 else None)
        p = draw(s).copy()
        t = s.things[rng.integers(len(s.things))]
        at[i] = np.clip((t.x, t.y), 0, 127)
        if i % 8 == 7:
            x, y = rng.integers(0, 90, 2)
            w, h = rng.integers(20, 80, 2)
            p[y:y + h, x:x + w] = 127 + rng.integers(0, 2)
        out[i] = p.transpose(2, 0, 1)
    return out, at


def batch(pool, at, n, side, rng):
    picks = rng.integers(0, len(pool), n)
    if side == 128:
        out = pool[picks]
    else:
        out = np.empty((n, 3, side, side), np.uint8)
        for j, i in enumerate(picks):
            x, y = np.clip(at[i] - side // 2 + rng.integers(-24, 25, 2), 0, 128 - side)
            out[j] = pool[i, :, y:y + side, x:x + side]
    return torch.from_numpy(out).float() / 127.5 - 1


def loss_of(x, y, ramp):
    d = y - x
    chroma = d - d.mean(1, keepdim=True)
    loss = 3 * d.square().mean() + 3 * chroma.square().mean()
    loss = loss + 3 * F.avg_pool2d(d, 8).square().mean()
    slope = (d[..., 1:] - d[..., :-1]).abs().mean() + (d[..., 1:, :] - d[..., :-1, :]).abs().mean()
    return loss + ramp * (.5 * d.abs().mean() + .25 * slope)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("work")
    a.add_argument("--minutes", type=float, default=20)
    a.add_argument("--model", default="", help="start from the f16 weights of this model folder")
    a.add_argument("--pictures", type=int, default=5000)
    a.add_argument("--rate", type=float, default=1.5e-3)
    a = a.parse_args()
    os.makedirs(a.work, exist_ok=True)
    torch.manual_seed(1)
    rng = np.random.default_rng(1)
    vae = nets.make_vae()
    if a.model:
        nets.load(vae, os.path.join(a.model, "vae"))
    keep = os.path.join(a.work, "vae.pt")
    if os.path.exists(keep):
        vae.load_state_dict(torch.load(keep))
    average = {k: v.clone() for k, v in vae.state_dict().items()}
    optimizer = torch.optim.AdamW(vae.parameters(), a.rate, (.9, .99), weight_decay=1e-4)
    pool, at = pictures(a.pictures, 10_000_000)  # far from the seeds of the UNets' examples
    log = open(os.path.join(a.work, "vae.csv"), "a")
    start, step, recent = time.time(), 0, []
    while (done := (time.time() - start) / (60 * a.minutes)) < 1:
        side, n = (64, 20) if done < .7 else (128, 6)
        rate = a.rate * min(1, (step + 1) / 50) * (.02 + .98 * .5 * (1 + math.cos(math.pi * done)))
        for group in optimizer.param_groups:
            group["lr"] = rate
        x = batch(pool, at, n, side, rng)
        with torch.autocast("cpu", torch.bfloat16):
            posterior = vae.encode(x).latent_dist
            y = vae.decode(posterior.sample()).sample
        loss = loss_of(x, y.float(), min(1, done / .2)) + 2e-4 * posterior.kl().mean() / 64
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        hold = min(.998, (1 + step) / (10 + step))
        with torch.no_grad():
            for k, v in vae.state_dict().items():
                average[k].lerp_(v, 1 - hold)
            recent.append((loss.item(), -10 * math.log10((y.float().clamp(-1, 1) - x).square().mean().item() / 4)))
        step += 1
        if step % 50 == 0:
            mean = np.mean(recent, 0)
            print(f"{step},{time.time() - start:.0f},{mean[0]:.5f},{mean[1]:.2f}", file=log, flush=True)
            recent = []
        if step % 400 == 0:
            torch.save(average, keep)
    torch.save(average, keep)


if __name__ == "__main__":
    main()
