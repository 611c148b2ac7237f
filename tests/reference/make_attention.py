#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes OUTDIR/attention: what the methods that work on attention make with the tiny model of make_runs.py, by attention processors in
diffusers' UNet and the equations of the papers. usage: make_attention.py OUTDIR (after make_runs.py has written there)"""
import json
import math
import shutil
import sys
from pathlib import Path

import diffusers
import numpy as np
import torch
import torch.nn.functional as F
import transformers
from diffusers import DDIMScheduler, UNet2DConditionModel
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPTextModel, CLIPTokenizer

WIDTH, HEIGHT, SEED, LENGTH = 64, 48, 11, 20
GRID = (HEIGHT // 8, WIDTH // 8)  # the level that has cross-attention outside the middle


class Model:
    def __init__(self, folder):
        self.tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
        self.text_encoder = CLIPTextModel.from_pretrained(folder / "text_encoder").float().eval()
        self.unet = UNet2DConditionModel.from_pretrained(folder / "unet").float().eval()
        self.schedule = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
        self.site = None  # function of (name, place, q, k, v, logits -> probs) chosen by each run

    def ids(self, text):
        return self.tokenizer(text, padding="max_length", max_length=LENGTH, truncation=True).input_ids

    def encode(self, text):
        return self.text_encoder(torch.tensor([self.ids(text)]))[0]

    def words(self, text):
        """[(word, [positions])]: here each word stands alone between spaces"""
        out, at = [], 1
        for word in text.split():
            n = len(self.tokenizer(word).input_ids) - 2
            out.append((word, list(range(at, at + n))))
            at += n
        return out, at

    def columns(self, text, phrase):
        words, _ = self.words(text)
        names, wanted = [w for w, _ in words], phrase.split()
        return [c for i in range(len(names)) if names[i:i + len(wanted)] == wanted for _, cs in words[i:i + len(wanted)] for c in cs]


class Processor:
    """Attention written out, with a say for `edit` at each stage; `edit` may be None."""

    def __init__(self, name, edit):
        self.name, self.edit = name, edit

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, temb=None):
        x, cross = hidden_states, encoder_hidden_states is not None
        context = encoder_hidden_states if cross else x
        q, k, v = attn.to_q(x), attn.to_k(context), attn.to_v(context)
        split = lambda t: t.reshape(t.shape[0], t.shape[1], attn.heads, -1).transpose(1, 2)  # noqa: E731
        q, k, v = split(q), split(k), split(v)
        if cross and hasattr(self.edit, "outputs"):
            out = self.edit.outputs(attn, split, q, k, v).transpose(1, 2).reshape(x.shape)
            return attn.to_out[1](attn.to_out[0](out))
        raw = q @ k.transpose(-1, -2)
        scale = 1 / math.sqrt(q.shape[-1])
        if cross and hasattr(self.edit, "bias"):
            raw = raw + self.edit.bias(self, raw)
        probs = (raw * scale).softmax(-1)
        if hasattr(self.edit, "probs"):
            probs = self.edit.probs(self, cross, probs)
        out = (probs @ v).transpose(1, 2).reshape(x.shape)
        return attn.to_out[1](attn.to_out[0](out))


def sample(model, rows, edit, steps, guidance, after=None):
    """rows: a list of (context, negative context), one per track, all from the same noise. Batch: all conditional, then all others."""
    scheduler = DDIMScheduler(**{k: v for k, v in model.schedule.items()}, clip_sample=False)
    scheduler.set_timesteps(steps)
    model.unet.set_attn_processor({name: Processor(name, edit) for name in model.unet.attn_processors})
    noise = torch.randn((1, 4, HEIGHT // 8, WIDTH // 8), generator=torch.Generator("cpu").manual_seed(SEED))
    x = torch.cat([noise] * len(rows))
    context = torch.cat([c for c, _ in rows] + [n for _, n in rows])
    for i, t in enumerate(scheduler.timesteps):
        if edit is not None:
            edit.step, edit.steps, edit.tracks = i, steps, len(rows)
            a = scheduler.alphas_cumprod[t]
            edit.sigma = math.sqrt((1 - a) / a)
        e = model.unet(torch.cat([x, x]), t, context).sample
        cond, low = e.chunk(2)
        x = scheduler.step(low + guidance * (cond - low), t, x).prev_sample
        if after is not None:
            x = after(i, x)
    return x


def is_map_site(name):
    """cross-attention at the chosen level, outside the middle"""
    return "attn2" in name and not name.startswith("mid_block")


# ---- prompt-to-prompt ------------------------------------------------------------------------------------------------------

def swap_matrix(model, source, target):
    """T [source columns, target columns] of methods.md A1; columns of the padding keep their place"""
    s, s_end = model.words(source)
    t, t_end = model.words(target)
    assert len(s) == len(t)
    m = torch.zeros(LENGTH, LENGTH)
    m[0, 0] = m[s_end, t_end] = 1
    for j in range(t_end + 1, LENGTH):
        m[max(j, s_end + 1), j] = 1
    for (_, from_), (_, to) in zip(s, t):
        for k, j in enumerate(to):
            for i in [from_[k]] if len(from_) == len(to) else from_:
                m[i, j] = 1 if len(from_) == len(to) else 1 / len(to)
    return m, torch.ones(LENGTH)


def refine_matrix(model, source, target):
    """by the longest common subsequence of token ids, found by the recursion itself"""
    (_, s_end), (_, t_end) = model.words(source), model.words(target)
    s, t = model.ids(source)[1:s_end], model.ids(target)[1:t_end]
    memo = {}

    def best(i, j):
        if i == 0 or j == 0:
            return 0, ()
        if (i, j) not in memo:
            left, up = best(i, j - 1), best(i - 1, j)
            memo[i, j] = left if left[0] >= up[0] else up
            if s[i - 1] == t[j - 1]:
                both = best(i - 1, j - 1)
                if both[0] + 1 > memo[i, j][0]:
                    memo[i, j] = both[0] + 1, both[1] + ((i, j),)
        return memo[i, j]

    m, matched = torch.zeros(LENGTH, LENGTH), torch.zeros(LENGTH)
    for i, j in best(len(s), len(t))[1] + ((0, 0), (s_end, t_end)):
        m[i, j], matched[j] = 1, 1
    for j in range(t_end + 1, LENGTH):
        m[max(j, s_end + 1), j], matched[j] = 1, 1
    return m, matched


class PromptToPrompt:
    def __init__(self, model, c):
        self.source, self.target = c["source"], c["target"]
        self.matrix, self.matched = (swap_matrix if c["mode"] == "swap" else refine_matrix)(model, self.source, self.target)
        self.self_part = c["self"]
        self.part, self.factor = torch.full((LENGTH,), c["cross"]), torch.ones(LENGTH)
        for phrase, value in c.get("word-cross", {}).items():
            self.part[model.columns(self.target, phrase)] = value
        for phrase, value in c.get("weights", {}).items():
            self.factor[model.columns(self.target, phrase)] = value
        self.blend, self.c = c.get("blend", []), c
        columns = lambda text, phrases: [k for p in phrases for k in model.columns(text, p)]  # noqa: E731
        self.looked = [columns(t, self.blend) for t in (self.source, self.target)]
        self.minus = [columns(t, c.get("blend-minus", [])) for t in (self.source, self.target)]
        self.sums = torch.zeros(2, *GRID)
        self.minus_sums = torch.zeros(2, *GRID)
        self.kept = 0

    def probs(self, site, cross, p):
        source, own = p[0], p[1]
        if not cross:
            if self.step < int(self.self_part * self.steps + 1e-6):  # the fallback level takes in all grids of this network
                own = source
        else:
            new = torch.where(self.matched > 0, source @ self.matrix, own) * self.factor
            now = torch.tensor([self.step < int(float(part) * self.steps + 1e-6) for part in self.part])
            own = torch.where(now, new, own)
        p = torch.cat([p[:1], own[None], p[2:]])
        if cross and self.blend and is_map_site(site.name):
            for k in range(2):
                self.sums[k] += p[k][:, :, self.looked[k]].sum(-1).mean(0).reshape(GRID)
                self.minus_sums[k] += p[k][:, :, self.minus[k]].sum(-1).mean(0).reshape(GRID)
        return p

    def mask(self, sums, pool):
        maps = F.max_pool2d(sums[:, None], 3, 1, 1) if pool else sums[:, None]
        top = maps.amax((2, 3), keepdim=True)
        return ((top > 0) & (maps / top > self.c.get("blend-threshold", 0.3))).any(0)[0]

    def after(self, i, x):
        if not self.blend or i < int(self.c.get("blend-start", 0) * self.steps + 1e-6):
            return x
        mask = self.mask(self.sums, True)
        if self.c.get("blend-minus"):
            mask = mask & ~self.mask(self.minus_sums, False)
        self.kept += float((~mask).float().mean())
        return torch.stack([x[0], torch.where(mask, x[1], x[0])])


P2P = [
    {"name": "swap", "source": "a red circle left of a house", "target": "a blue circle left of a house", "mode": "swap", "cross": 0.8, "self": 0.4},
    {"name": "swap-lengths", "source": "a red circle and a house", "target": "a red triangle and a cat", "mode": "swap", "cross": 0.6, "self": 0.0},
    {"name": "refine", "source": "a circle left of a house", "target": "a red circle left of a big blue house", "mode": "refine", "cross": 1.0, "self": 0.6},
    {"name": "reweight", "source": "a red circle left of a house", "target": "a blue circle left of a house", "mode": "swap", "cross": 0.8, "self": 0.4,
     "word-cross": {"blue circle": 0.2, "house": 1.0}, "weights": {"blue": 3.0, "house": -1.0}},
    {"name": "blend", "source": "a red circle left of a house", "target": "a blue circle left of a house", "mode": "swap", "cross": 0.4, "self": 0.2,
     "blend": ["red", "blue"], "blend-threshold": 0.85},
    {"name": "blend-minus", "source": "a circle left of a house", "target": "a red circle left of a big house", "mode": "refine", "cross": 0.6, "self": 0.2,
     "blend": ["circle"], "blend-minus": ["house"], "blend-threshold": 0.8, "blend-start": 0.4},
]


def prompt_to_prompt(model, c):
    negative = model.encode("blurry")
    rows = [(model.encode(c[k]), negative) for k in ("source", "target")]
    edit = PromptToPrompt(model, c)
    made = sample(model, rows, edit, c["steps"], c["guidance"], edit.after)
    plain = sample(model, rows, None, c["steps"], c["guidance"])
    change = float((made[1] - plain[1]).abs().max() / plain[1].abs().max())
    print(f"{c['name']}: against the plain target {change:.3f}, kept {edit.kept / c['steps']:.2f}")
    assert change > 0.02 and torch.equal(made[0], plain[0])
    return made[1]


def p2p_values(c):
    listed = lambda d: "; ".join(f"{k}:{v}" for k, v in d.items()) if isinstance(d, dict) else "; ".join(d)  # noqa: E731
    named = {k: listed(c[k]) for k in ("word-cross", "weights", "blend", "blend-minus") if k in c}
    plain = {k: c[k] for k in ("source", "mode", "cross", "self", "blend-threshold", "blend-start") if k in c}
    return c["target"], {**plain, **named}


# ---- word maps -------------------------------------------------------------------------------------------------------------

class WordMaps:
    def __init__(self, model, c):
        self.columns = {w: model.columns(c["prompt"], w) for w in c["words"]}
        self.part = c.get("from", 0), c.get("to", 1)
        self.seen = {w: [] for w in c["words"]}

    def probs(self, site, cross, p):
        if cross and is_map_site(site.name) and self.part[0] * self.steps - 1e-6 <= self.step < self.part[1] * self.steps - 1e-6:
            for word, columns in self.columns.items():
                self.seen[word].append(p[0][:, :, columns].sum(-1).mean(0).reshape(GRID))
        return p


MAPS = [
    {"name": "phrases", "prompt": "a red circle left of a blue house", "words": ["red circle", "house", "a"]},
    {"name": "part", "prompt": "a red circle left of a blue house", "words": ["blue house"], "from": 0.4, "to": 0.8},
]


def word_maps(model, c):
    edit = WordMaps(model, c)
    made = {"latent": sample(model, [(model.encode(c["prompt"]), model.encode("blurry"))], edit, c["steps"], c["guidance"])[0]}
    for word, seen in edit.seen.items():
        made[f"map.{word}"] = torch.stack(seen).mean(0)
        print(f"{c['name']}, {word}: {float(made[f'map.{word}'].min()):.3f} to {float(made[f'map.{word}'].max()):.3f}")
    return made


def map_values(c):
    return c["prompt"], {"words": "; ".join(c["words"]), **{k: c[k] for k in ("from", "to") if k in c}}


# ---- words in places -------------------------------------------------------------------------------------------------------

def grid_of(cells):
    grids = [(HEIGHT // 8 // k, WIDTH // 8 // k) for k in (1, 2)]
    return next(g for g in grids if g[0] * g[1] == cells)


def cover(box, grid):
    """how much of each cell is in the box: the picture's mask, resized as PIL does"""
    mask = np.zeros((HEIGHT, WIDTH), np.float32)
    x0, y0, x1, y1 = box
    mask[round(y0 * HEIGHT):round(y1 * HEIGHT), round(x0 * WIDTH):round(x1 * WIDTH)] = 1
    return torch.tensor(np.asarray(Image.fromarray(mask, "F").resize((grid[1], grid[0]), Image.Resampling.BILINEAR)))


class PaintWithWords:
    def __init__(self, model, c):
        self.c = c
        self.areas = [(box, model.columns(c["prompt"], phrase)) for box, phrase in c["boxes"]]

    def bias(self, site, raw):
        w = torch.zeros_like(raw)
        for box, columns in self.areas:
            inside = cover(box, grid_of(raw.shape[2])).reshape(-1, 1)
            factor = 0.1 * self.c["strength"] * math.log(1 + self.sigma) * raw[0].max()
            w[0][:, :, columns] += factor * inside
        return w


class LayoutForward:
    def __init__(self, model, c):
        self.c = c
        self.areas = [(box, model.columns(c["prompt"], phrase)) for box, phrase in c["boxes"]]
        _, end = model.words(c["prompt"])
        self.ends = list(range(end, LENGTH)) if c.get("ends") else []

    def window(self, box, grid):
        def line(n, begin, end, feather=0.1):
            at = (torch.arange(n) + 0.5) / n
            beyond = torch.maximum(begin - at, at - end).clamp(min=0)
            return torch.where(beyond < feather, (1 + torch.cos(math.pi * beyond / feather)) / 2, 0.0)
        return (line(grid[0], box[1], box[3])[:, None] * line(grid[1], box[0], box[2])[None]).reshape(-1)

    def probs(self, site, cross, p):
        if not cross or self.step >= int(self.c.get("until", 0.8) * self.steps + 1e-6):
            return p
        p, grid, l = p.clone(), grid_of(p.shape[2]), self.c["strength"]
        windows = [self.window(box, grid) for box, _ in self.areas]
        moves = [(w, columns) for w, (_, columns) in zip(windows, self.areas)] + [(torch.stack(windows).amax(0), self.ends)]
        for w, columns in moves:
            own = p[0][:, :, columns]
            p[0][:, :, columns] = (1 - l) * own + l * (w / w.sum())[None, :, None] * own.sum(1, keepdim=True)
        return p


BOXES = [((0.0, 0.1, 0.45, 0.9), "red circle"), ((0.5, 0.25, 1.0, 1.0), "house")]
PAINT = [{"name": "two", "prompt": "a red circle left of a blue house", "strength": 2.0, "boxes": BOXES},
         {"name": "strong", "prompt": "a red circle left of a blue house", "strength": 8.0, "boxes": BOXES[:1]}]
LAYOUT = [{"name": "two", "prompt": "a red circle left of a blue house", "strength": 0.8, "boxes": BOXES},
          {"name": "ends", "prompt": "a red circle left of a blue house", "strength": 1.0, "until": 0.4, "ends": True, "boxes": BOXES}]


def compared(kind):
    def make(model, c):
        rows = [(model.encode(c["prompt"]), model.encode("blurry"))]
        made = sample(model, rows, kind(model, c), c["steps"], c["guidance"])[0]
        plain = sample(model, rows, None, c["steps"], c["guidance"])[0]
        change = float((made - plain).abs().max() / plain.abs().max())
        print(f"{c['name']}: against plain {change:.3f}")
        assert change > 0.005
        return made
    return make


def place_values(c):
    return c["prompt"], {k: c[k] for k in ("strength", "until", "ends") if k in c}


# ---- structured ------------------------------------------------------------------------------------------------------------

class Structured:
    def __init__(self, model, c):
        self.conjunction = c.get("conjunction", False)
        prompt = model.encode(c["prompt"])
        self.contexts, self.all = [prompt], prompt.clone()
        for phrase in c["phrases"]:
            columns, said = model.columns(c["prompt"], phrase), model.encode(phrase)
            pasted = prompt.clone()
            pasted[0, columns] = said[0, 1:1 + len(columns)]
            self.all[0, columns] = said[0, 1:1 + len(columns)]
            self.contexts.append(pasted)

    def outputs(self, attn, split, q, k, v):
        attend = lambda k_, v_: (q[:1] @ k_.transpose(-1, -2) / math.sqrt(q.shape[-1])).softmax(-1) @ v_  # noqa: E731
        own = (q[1:] @ k[1:].transpose(-1, -2) / math.sqrt(q.shape[-1])).softmax(-1) @ v[1:]
        if self.conjunction:
            outs = [attend(split(attn.to_k(c)), split(attn.to_v(self.all))) for c in self.contexts]
        else:
            outs = [attend(k[:1], split(attn.to_v(c))) for c in self.contexts]
        return torch.cat([torch.stack(outs).mean(0), own])


STRUCTURED = [{"name": "found", "prompt": "a red circle left of a blue house", "phrases": ["a red circle", "a blue house"], "ask": {}},
              {"name": "given", "prompt": "red house and blue house and red circle", "phrases": ["red house", "circle"],
               "ask": {"phrases": "red house; circle"}},
              {"name": "conjunction", "prompt": "a red circle and a blue house", "phrases": ["a red circle", "a blue house"], "conjunction": True,
               "ask": {"conjunction": True}}]


# How each is computed here, its cases, and the prompt and parameters that ask the engine for the same.
METHODS = {"prompt-to-prompt": (prompt_to_prompt, P2P, p2p_values),
           "word-maps": (word_maps, MAPS, map_values),
           "paint-with-words": (compared(PaintWithWords), PAINT, place_values),
           "structured": (compared(Structured), STRUCTURED, lambda c: (c["prompt"], c["ask"])),
           "layout-forward": (compared(LayoutForward), LAYOUT, place_values)}


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: make_attention.py OUTDIR")
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    root = Path(sys.argv[1]) / "attention"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    model = Model(Path(sys.argv[1]) / "runs" / "tiny")
    tensors, cases = {}, []
    with torch.no_grad():
        for method, (run, list_, values) in METHODS.items():
            for case in list_:
                c = {"method": method, "steps": 5, "guidance": 5.0, **case, "name": f"{method}.{case['name']}"}
                made = run(model, c)
                made = made if isinstance(made, dict) else {"latent": made}
                for key, value in made.items():
                    assert torch.isfinite(value).all()
                    tensors[f"{c['name']}.{key}"] = value.contiguous()
                prompt, asked = values(c)
                cases.append({**{k: c[k] for k in ("method", "name", "steps", "guidance")}, "prompt": prompt, "values": asked,
                              **({"boxes": [{"box": b, "phrase": p} for b, p in c["boxes"]]} if "boxes" in c else {})})
    versions = {"torch": torch.__version__, "diffusers": diffusers.__version__, "transformers": transformers.__version__}
    save_file(tensors, root / "attention.safetensors", metadata=versions)
    (root / "attention.json").write_text(json.dumps({"made_with": versions, "width": WIDTH, "height": HEIGHT, "seed": SEED, "negative": "blurry",
                                                     "cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
