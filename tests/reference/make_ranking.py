#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes OUTDIR/ranking: a tiny whole CLIP (random weights, the tokenizer of OUTDIR/runs/tiny of make_runs.py), pictures, and how well transformers'
CLIPModel finds each of them to go with a text.
usage: make_ranking.py OUTDIR"""
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import torch
import transformers
from PIL import Image
from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

PROMPTS = ["a red circle", "a blue house left of a red circle"]
SIZE = 24


def pictures():
    y, x = np.mgrid[0:40, 0:52]
    waves = np.stack([0.5 + 0.5 * np.sin(x / 5), 0.5 + 0.5 * np.cos(y / 3), (x + y) / 92], -1)
    red = np.zeros((40, 52, 3))
    red[..., 0] = ((x - 26) ** 2 + (y - 20) ** 2 < 150) * 0.9
    noise = np.random.default_rng(4).random((30, 30, 3))
    return {name: Image.fromarray((p * 255).round().astype(np.uint8)) for name, p in (("waves", waves), ("red", red), ("noise", noise))}


def clip(words):
    """A tiny CLIP of random weights, the same ones each time."""
    torch.manual_seed(7)
    shared = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "hidden_act": "quick_gelu"}
    m = CLIPModel(CLIPConfig(
        text_config={**shared, "vocab_size": len(words), "max_position_embeddings": words.model_max_length, "eos_token_id": words.eos_token_id,
                     "bos_token_id": words.bos_token_id, "pad_token_id": words.pad_token_id},
        vision_config={**shared, "image_size": SIZE, "patch_size": 6}, projection_dim=12)).eval()
    for p in m.parameters():
        p.data += torch.randn_like(p) * 0.2
    return m


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: make_ranking.py OUTDIR")
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    root, tiny = Path(sys.argv[1]) / "ranking", Path(sys.argv[1]) / "runs" / "tiny" / "tokenizer"
    shutil.rmtree(root, ignore_errors=True)
    folder = root / "clip"
    folder.mkdir(parents=True)
    words = CLIPTokenizer.from_pretrained(tiny)
    m = clip(words)
    m.save_pretrained(folder)
    for f in tiny.iterdir():
        shutil.copy(f, folder / f.name)
    made = pictures()
    look = CLIPImageProcessorPil(size={"shortest_edge": SIZE}, crop_size={"height": SIZE, "width": SIZE})
    scores = {}
    with torch.no_grad():
        for name, picture in made.items():
            picture.save(root / f"{name}.png")
            pixels = look(picture, return_tensors="pt")["pixel_values"]
            for prompt in PROMPTS:
                ids = words(prompt, padding="max_length", max_length=words.model_max_length, truncation=True, return_tensors="pt").input_ids
                out = m(input_ids=ids, pixel_values=pixels)
                scores.setdefault(prompt, {})[name] = float((out.image_embeds * out.text_embeds).sum())
    print(scores)
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    (root / "scores.json").write_text(json.dumps({"made_with": versions, "scores": scores}, indent=1) + "\n")


if __name__ == "__main__":
    main()
