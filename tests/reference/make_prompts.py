#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes OUTDIR/prompts: chunks and weights of prompts with CLIP's vocabulary, contexts of a tiny text encoder, and whole runs with
weights, chunks and learned words. usage: make_prompts.py OUTDIR

No package has AUTOMATIC1111's prompts, so its rules (formats.md 2.6, 2.7) are written down here once more, in the plainest way: every
character carries its own weight. Learned words are diffusers' load_textual_inversion."""
import json
import random
import re
import shutil
import sys
import tempfile
from pathlib import Path

import diffusers
import torch
import transformers
from diffusers import DDIMScheduler, StableDiffusionPipeline
from safetensors.torch import save_file
from transformers import CLIPTokenizer

import make_runs
import make_tokens

BREAK = object()
COMMA_REACH = 20


# ---- the rules of weights and chunks ---------------------------------------------------------------------------------------

def weigh(prompt):
    """[(text, weight)] with BREAK between; characters of equal weight side by side are one text."""
    out, opened = [], {"(": [], "[": []}

    def close(kind, factor):
        start = opened[kind].pop()
        for item in out[start:]:
            if item is not BREAK:
                item[1] *= factor

    def plain(text):
        pieces = re.split(r"\s*\bBREAK\b\s*", text)
        for k, piece in enumerate(pieces):
            if k:
                out.append(BREAK)
            out.extend([c, 1.0] for c in piece)

    at = 0
    while at < len(prompt):
        c = prompt[at]
        number = re.match(r":\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*\)", prompt[at:])
        run = re.match(r"[^\\()\[\]:]+", prompt[at:])
        if c == "\\":
            if prompt[at + 1:at + 2] and prompt[at + 1] in "\\()[]":
                out.append([prompt[at + 1], 1.0])
                at += 1
            at += 1
        elif c in "([":
            opened[c].append(len(out))
            at += 1
        elif number and opened["("]:
            close("(", float(number.group(1)))
            at += number.end()
        elif c == ")" and opened["("]:
            close("(", 1.1)
            at += 1
        elif c == "]" and opened["["]:
            close("[", 1 / 1.1)
            at += 1
        else:
            plain(run.group(0) if run else c)
            at += run.end() if run else 1
    while opened["("]:
        close("(", 1.1)
    while opened["["]:
        close("[", 1 / 1.1)
    merged = []
    for item in out:
        if item is BREAK:
            merged.append(BREAK)
        elif merged and merged[-1] is not BREAK and merged[-1][1] == item[1]:
            merged[-1][0] += item[0]
        else:
            merged.append(list(item))
    return merged


def units(prompt, tokenizer, learned):
    """Lists of ids that stay together, with their weight; learned: {trigger: ids}."""
    names = sorted(learned, key=len, reverse=True)
    pattern = "|".join((r"(?<!\w)" if re.match(r"\w", n) else "") + re.escape(n) + (r"(?!\w)" if re.search(r"\w$", n) else "")
                       for n in names)
    for part in weigh(prompt):
        if part is BREAK:
            yield BREAK
            continue
        pieces = re.split(f"({pattern})", part[0], flags=re.IGNORECASE) if names else [part[0]]
        for k, piece in enumerate(pieces):
            if k % 2:
                yield learned[next(n for n in names if n.lower() == piece.lower())], part[1]
            else:
                for token in tokenizer(piece, add_special_tokens=False, truncation=False).input_ids:
                    yield [token], part[1]


def chunk(prompt, tokenizer, learned, room):
    """Chunks of [(id, weight)]."""
    comma = tokenizer.get_vocab()[",</w>"]
    chunks, last_comma = [[]], None

    def turn(moved=()):
        nonlocal last_comma
        chunks.append(list(moved))
        last_comma = None

    ended = False
    for unit in units(prompt, tokenizer, learned):
        ended = unit is BREAK
        if unit is BREAK:
            turn()
            continue
        ids, weight = unit
        now = chunks[-1]
        if ids == [comma]:
            last_comma = len(now)
        elif len(now) == room and last_comma is not None and len(now) - last_comma <= COMMA_REACH:
            moved = now[last_comma + 1:]
            del now[last_comma + 1:]
            turn(moved)
        if len(chunks[-1]) + len(ids) > room:
            turn()
        chunks[-1].extend((i, weight) for i in ids)
    if len(chunks) > 1 and ended and not chunks[-1]:
        chunks.pop()
    return chunks


# ---- contexts --------------------------------------------------------------------------------------------------------------

def context(model, chunks, n_chunks, skip, restore=True):
    """[n_chunks * length, width] of one prompt."""
    tokenizer, encoder = model["tokenizer"], model["text_encoder"]
    length = tokenizer.model_max_length
    parts = []
    for k in range(n_chunks):
        items = chunks[k] if k < len(chunks) else []
        ids = [tokenizer.bos_token_id] + [i for i, _ in items] + [tokenizer.eos_token_id]
        ids += [tokenizer.pad_token_id] * (length - len(ids))
        weights = torch.tensor([1.0] + [w for _, w in items] + [1.0] * (length - 1 - len(items)))
        with torch.no_grad():
            hidden = encoder(torch.tensor([ids]), output_hidden_states=True).hidden_states[-(skip + 1)]
            z = getattr(encoder, "text_model", encoder).final_layer_norm(hidden)[0]
        before = z.mean()
        z = z * weights[:, None]
        parts.append(z * (before / z.mean()) if restore else z)
    return torch.cat(parts)


LONG = ("a red circle, a blue house, (red and blue:1.4) left of a house, circle and [house] of red, blue circle and red house, "
        "a (red) circle left of a blue house")
CONTEXTS = [
    {"name": "plain", "prompt": "a red circle left of a blue house", "negative": "blurry"},
    {"name": "empty", "prompt": "", "negative": ""},
    {"name": "weights", "prompt": "a (red:1.5) circle [left] of a ((blue)) house", "negative": "(blurry:0.3)"},
    {"name": "negative-weight", "prompt": "a (red:-0.5) circle of a house", "negative": "house"},
    {"name": "long", "prompt": LONG, "negative": "blurry"},
    {"name": "long-negative", "prompt": "a (red:1.2) circle", "negative": LONG},
    {"name": "break", "prompt": "a red circle BREAK a (blue:1.3) house BREAK", "negative": "BREAK blurry"},
    {"name": "skip", "prompt": "a (red:1.5) circle", "negative": "a [house]", "skip": 1},
    {"name": "learned", "prompt": "a <Red-Thing> left of swirl, swirls of (a <hut>:1.3)", "negative": "SWIRL", "learned": True},
    {"name": "learned-chunks", "prompt": LONG[:75] + " swirl, <red-thing> and a <red-thing> swirl house <hut>", "negative": "red",
     "learned": True},
]
RUNS = ["plain", "weights", "long-negative", "break", "skip", "learned-chunks"]


def write_learned(folder, width):
    """The forms that SD 1 and 2 files have. {trigger: rows}"""
    g = torch.Generator().manual_seed(5)
    rows = {"<red-thing>": torch.randn(2, width, generator=g) * 0.4, "<hut>": torch.randn(1, width, generator=g) * 0.4,
            "swirl": torch.randn(3, width, generator=g) * 0.4}
    folder.mkdir(parents=True)
    save_file({"<red-thing>": rows["<red-thing>"]}, folder / "red.safetensors")
    save_file({"<hut>": rows["<hut>"][0].clone()}, folder / "hut.safetensors")
    save_file({"emb_params": rows["swirl"]}, folder / "swirl.safetensors")
    return rows


def with_rows(model, rows):
    """The model with ids of its own for each row, in order; {trigger: ids}."""
    encoder = model["text_encoder"]
    had = encoder.get_input_embeddings().weight.shape[0]
    encoder.resize_token_embeddings(had + sum(len(r) for r in rows.values()), mean_resizing=False)
    ids, at = {}, had
    with torch.no_grad():
        for name, values in rows.items():
            encoder.get_input_embeddings().weight[at:at + len(values)] = values
            ids[name] = list(range(at, at + len(values)))
            at += len(values)
    return ids


def make_contexts(model, learned, tensors):
    room = model["tokenizer"].model_max_length - 2
    for case in CONTEXTS:
        words = learned if case.get("learned") else {}
        both = [chunk(case[k], model["tokenizer"], words, room) for k in ("prompt", "negative")]
        n = max(len(c) for c in both)
        case["chunks"] = n
        for key, chunks in zip(("prompt", "negative"), both):
            tensors[f"{case['name']}.{key}"] = context(model, chunks, n, case.get("skip", 0)).contiguous()
    assert max(c["chunks"] for c in CONTEXTS) >= 3


# ---- whole runs ------------------------------------------------------------------------------------------------------------

def pipeline(model):
    keys = DDIMScheduler.__init__.__wrapped__.__code__.co_varnames
    scheduler = DDIMScheduler(**{k: v for k, v in {**model["scheduler"], "clip_sample": False}.items() if k in keys})
    pipe = StableDiffusionPipeline(vae=model["vae"], text_encoder=model["text_encoder"], tokenizer=model["tokenizer"],
                                   unet=model["unet"], scheduler=scheduler, safety_checker=None, feature_extractor=None,
                                   requires_safety_checker=False)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def run(pipe, **more):
    return pipe(num_inference_steps=4, guidance_scale=6.0, height=make_runs.HEIGHT, width=make_runs.WIDTH,
                generator=torch.Generator("cpu").manual_seed(11), output_type="latent", **more).images[0].contiguous()


INVERSIONS = [
    {"name": "one", "prompt": "a <hut> left of a red circle", "negative": "blurry"},
    {"name": "several", "prompt": "a <red-thing> circle, <hut> and swirl", "negative": "swirl"},
    {"name": "cut", "prompt": "<hut> " * 25, "negative": ""},
]


def make_inversions(folder, tensors):
    """diffusers' own learned words: a fresh model, its loader, its cut."""
    with tempfile.TemporaryDirectory() as scratch:
        pipe = pipeline(make_runs.build(Path(scratch))["tiny"])
    pipe.load_textual_inversion(str(folder / "red.safetensors"))
    pipe.load_textual_inversion(str(folder / "hut.safetensors"))
    pipe.load_textual_inversion(str(folder / "swirl.safetensors"), token="swirl")
    for case in INVERSIONS:
        with torch.no_grad():
            cond, uncond = pipe.encode_prompt(case["prompt"], "cpu", 1, True, case["negative"])
        tensors[f"inversion.{case['name']}.prompt"] = cond[0].contiguous()
        tensors[f"inversion.{case['name']}.negative"] = uncond[0].contiguous()
        tensors[f"inversion.{case['name']}.latent"] = run(pipe, prompt=case["prompt"], negative_prompt=case["negative"])


# ---- chunks with CLIP's own vocabulary -------------------------------------------------------------------------------------

WORDS = ("masterpiece best quality portrait of a young woman in the garden with flowers soft light 35mm photograph by an old master "
         "unbelievably detailed oil on canvas astronaut's horse 1girl sunset café hypernetwork").split()


def long_prompt(rng):
    out = []
    for _ in range(rng.randint(20, 170)):
        word = rng.choice(WORDS)
        kind = rng.random()
        if kind < 0.06:
            word = f"({word}:{rng.choice(['1.2', '0.5', ' 1.35 ', '2', '.7', '-1'])})"
        elif kind < 0.10:
            word = f"(({word}))"
        elif kind < 0.13:
            word = f"[{word}]"
        elif kind < 0.14:
            word = "BREAK"
        elif kind < 0.15:
            word = rng.choice(["(", "[", ")", "]", "\\(", "\\", ":", "(:1.1)"])
        elif kind < 0.19:
            word = rng.choice(["easynegative", "EasyNegative", "easy", "<my thing>", "bad-hands-5"])
        out.append(word + rng.choice(["", "", "", "", ",", ", ,", "."]))
    return rng.choice([" ", "  ", "\n"]).join(out)


LAYOUTS = [
    "", ",", "BREAK", "BREAK BREAK a", "a BREAK", "a BREAK BREAK b", "BREAKfast at BREAK-time", "(a BREAK b:1.2) c", "((((a", "[[b", "a)b]c:1.2)",
    "a " * 75, "a " * 76, "a, " * 38, "a " * 74 + ", b", "a " * 75 + ", b", "a " * 55 + ", " + "b " * 30, "a " * 54 + ", " + "b " * 30,
    "a " * 53 + ", " + "b " * 30, "a, " + "a " * 60 + ", " + "easynegative " * 6, "a " * 73 + "easynegative easynegative", "a " * 72 + "easynegative b",
    "x (easynegative:1.2) [bad-hands-5, EASY] <MY THING>s my thing", "easynegatives xeasynegative easynegative2 _easynegative easynegative-v2",
]


def make_layouts(path):
    learned = {"easynegative": 4, "easy": 1, "<my thing>": 2, "bad-hands-5": 8}
    ids, at = {}, 49408
    for name, n in learned.items():
        ids[name] = list(range(at, at + n))
        at += n
    rng = random.Random(3)
    prompts = LAYOUTS + [long_prompt(rng) for _ in range(40)]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "clip")
        make_tokens.clip_folder(folder)
        tokenizer = CLIPTokenizer.from_pretrained(folder)
    cases = []
    for prompt in prompts:
        chunks = chunk(prompt, tokenizer, ids, 75)
        cases.append([prompt, [[[i for i, _ in c], [round(w, 9) for _, w in c]] for c in chunks]])
    assert max(len(c[1]) for c in cases) >= 4 and sum(len(c[1]) > 1 for c in cases) > 20
    made = {"transformers": transformers.__version__}
    path.write_text(json.dumps({"made_with": made, "learned": list(learned.items()), "cases": cases}, separators=(",", ":")) + "\n")


def main():
    torch.set_num_threads(1)
    root = Path(sys.argv[1]) / "prompts"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    make_layouts(root / "layouts.json")
    with tempfile.TemporaryDirectory() as scratch:
        model = make_runs.build(Path(scratch))["tiny"]
    width = model["text_encoder"].config.hidden_size
    rows = write_learned(root / "learned", width)
    tensors = {}
    make_contexts(model, with_rows(model, rows), tensors)
    pipe = pipeline(model)
    for name in RUNS:
        case = next(c for c in CONTEXTS if c["name"] == name)
        case["run"] = True
        tensors[f"{name}.latent"] = run(pipe, prompt_embeds=tensors[f"{name}.prompt"][None],
                                        negative_prompt_embeds=tensors[f"{name}.negative"][None])
    make_inversions(root / "learned", tensors)
    for name, value in tensors.items():
        assert torch.isfinite(value).all(), name
    versions = {"torch": torch.__version__, "diffusers": diffusers.__version__, "transformers": transformers.__version__}
    save_file(tensors, root / "prompts.safetensors", metadata=versions)
    (root / "prompts.json").write_text(json.dumps({"made_with": versions, "contexts": CONTEXTS, "inversions": INVERSIONS}, indent=1) + "\n")


if __name__ == "__main__":
    main()
