#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fits the linear map from latents to colours that previews are drawn with (engine/sample/preview.h), by least squares over scenes that
the autoencoder has encoded, and writes it into MODEL/pentimento.json. usage: preview.py MODEL"""
import json
import re
import sys
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL

from scenes import draw, scene


def main():
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    vae = AutoencoderKL.from_pretrained(folder / "vae").eval()
    rows = []
    factor = 2 ** (len(vae.config.block_out_channels) - 1)
    for seed in range(96):
        picture = draw(scene(seed)).astype(np.float32) / 255
        size = len(picture)
        with torch.no_grad():
            z = vae.encode(torch.tensor(picture).permute(2, 0, 1)[None] * 2 - 1).latent_dist.mode() * vae.config.scaling_factor
        small = picture.reshape(size // factor, factor, size // factor, factor, 3).mean((1, 3))
        rows.append((z[0].permute(1, 2, 0).reshape(-1, z.shape[1]).double().numpy(), small.reshape(-1, 3).astype(np.float64) * 2 - 1))
    z, rgb = np.concatenate([r[0] for r in rows]), np.concatenate([r[1] for r in rows])
    design = np.concatenate([z, np.ones((len(z), 1))], 1)
    fit, *_ = np.linalg.lstsq(design, rgb, rcond=None)
    made = design @ fit
    print("correlation per colour:", [round(float(np.corrcoef(made[:, c], rgb[:, c])[0, 1]), 3) for c in range(3)])
    path = folder / "pentimento.json"
    config = json.loads(path.read_text())
    digits = lambda row: [round(float(v), 4) for v in row]
    config["preview"] = {"factors": [digits(r) for r in fit[:-1]], "bias": digits(fit[-1])}
    text = json.dumps(config, indent=2)
    path.write_text(re.sub(r"\[\s+(-?[\d.]+),\s+(-?[\d.]+),\s+(-?[\d.]+)\s+\]", r"[\1, \2, \3]", text) + "\n")


if __name__ == "__main__":
    main()
