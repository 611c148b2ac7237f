#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""test_folder.py ROOT: the bundled model's files are complete, small and what the scenes need."""

import json
import math
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import tap
import numpy as np
from PIL import Image

from scenes import scene, words
from vocab import END, LENGTH, START, Tokenizer

WEIGHTS = {"unet": "diffusion_pytorch_model", "unet_fill": "diffusion_pytorch_model",
           "vae": "diffusion_pytorch_model", "text_encoder": "model"}


def config(*where):
    return json.loads(tap.MODEL.joinpath(*where).read_text(encoding="utf-8"))


def tensors(part):
    path = tap.MODEL / part / (WEIGHTS[part] + ".safetensors")
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        start = f.tell()
    header.pop("__metadata__", None)
    assert start + max(t["data_offsets"][1] for t in header.values()) == path.stat().st_size
    return header, path, start


def encode(word, vocabulary, ranks):
    """Byte pair encoding straight from the files."""
    parts = [*word[:-1], word[-1] + "</w>"]
    while True:
        known = [(ranks[p], p) for p in zip(parts, parts[1:]) if p in ranks]
        if not known:
            return [vocabulary[p] for p in parts]
        _, (a, b) = min(known)
        out = []
        for p in parts:
            if out and out[-1] == a and p == b:
                out[-1] = a + b
            else:
                out.append(p)
        parts = out


def read_vocabulary():
    vocabulary = config("tokenizer", "vocab.json")
    lines = (tap.MODEL / "tokenizer" / "merges.txt").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("#version")
    return vocabulary, {tuple(line.split()): i for i, line in enumerate(lines[1:])}


def test_every_caption_word_is_one_token():
    vocabulary, ranks = read_vocabulary()
    for word in words():
        assert len(encode(word, vocabulary, ranks)) == 1, word


def test_vocabulary_has_clips_layout():
    vocabulary, ranks = read_vocabulary()
    assert sorted(vocabulary.values()) == list(range(len(vocabulary)))
    assert len(vocabulary) == 512 + len(ranks) + 2
    assert vocabulary["!"] == 0 and vocabulary["!</w>"] == 256
    assert vocabulary[START] == len(vocabulary) - 2 and vocabulary[END] == len(vocabulary) - 1
    for (a, b), rank in ranks.items():
        assert vocabulary[a + b] == 512 + rank


def test_training_and_files_give_the_same_ids():
    vocabulary, ranks = read_vocabulary()
    own = Tokenizer()
    for seed in range(200):
        caption = scene(seed).caption
        ids = [vocabulary[START]] + [i for w in caption.split() for i in encode(w, vocabulary, ranks)]
        assert own(caption) == ids + [vocabulary[END]] * (LENGTH - len(ids)), caption
    assert len(own("zebra " * 40)) == LENGTH


def test_index_names_what_is_there():
    index = config("model_index.json")
    for part in WEIGHTS:
        assert index[part][1] == (config(part, "config.json").get("_class_name")
                                  or config(part, "config.json")["architectures"][0])
        assert tensors(part)[0]
    assert config("scheduler", "scheduler_config.json")["_class_name"] == index["scheduler"][1]


def test_folder_is_at_most_30_megabytes():
    total = sum(f.stat().st_size for f in tap.MODEL.rglob("*")
                if f.is_file() and "__pycache__" not in f.parts)
    assert total <= 30e6, total


def test_weights_are_f16_and_finite():
    for part in WEIGHTS:
        header, path, start = tensors(part)
        data = path.read_bytes()[start:]
        for name, t in header.items():
            assert t["dtype"] == "F16", (part, name)
            a, b = t["data_offsets"]
            assert b - a == 2 * math.prod(t["shape"])
            assert np.isfinite(np.frombuffer(data[a:b], np.float16)).all(), (part, name)


def test_networks_fit_each_other():
    unet, fill, vae, text = (config(p, "config.json") for p in ("unet", "unet_fill", "vae", "text_encoder"))
    assert unet["in_channels"] == 4 and fill["in_channels"] == 9
    assert {k: v for k, v in unet.items() if k != "in_channels"} == {k: v for k, v in fill.items() if k != "in_channels"}
    assert unet["cross_attention_dim"] == text["hidden_size"]
    assert unet["sample_size"] * 2 ** (len(vae["block_out_channels"]) - 1) == vae["sample_size"] == 128
    assert text["vocab_size"] == len(config("tokenizer", "vocab.json"))
    assert text["max_position_embeddings"] == config("tokenizer", "tokenizer_config.json")["model_max_length"]
    assert text["eos_token_id"] == text["vocab_size"] - 1
    assert .3 < vae["scaling_factor"] < 4


def test_five_cross_attentions_on_the_finest_grid():
    header, _, _ = tensors("unet")
    last = len(config("unet", "config.json")["up_block_types"]) - 1
    sites = {n.rsplit(".transformer_blocks", 1)[0] for n in header if ".attn2.to_k" in n}
    fine = [s for s in sites if s.startswith(("down_blocks.0.", f"up_blocks.{last}."))]
    assert len(fine) >= 5, sorted(sites)


def test_base_and_fill_are_not_the_same_input():
    for part, channels in (("unet", 4), ("unet_fill", 9)):
        header, _, _ = tensors(part)
        assert header["conv_in.weight"]["shape"][1] == channels


def test_demo_picture_is_what_its_script_draws():
    demo = tap.ROOT / "data" / "demo"
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "meadow.png"
        subprocess.run([sys.executable, "-B", str(demo / "make_meadow.py"), str(made)], check=True)
        a, b = (np.asarray(Image.open(p).convert("RGB")).astype(int) for p in (made, demo / "meadow.png"))
    assert a.shape == b.shape
    assert np.abs(a - b).mean() < .5  # Pillow's line joints differ a little between versions


if __name__ == "__main__":
    tap.run(sys.modules[__name__], "folder")
