#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes OUTDIR/composed: what methods without gradients make of the tiny model of OUTDIR/runs (make_runs.py), each as a loop of its own
over diffusers' networks and schedulers. usage: make_composed.py OUTDIR"""
import json
import shutil
import sys
from pathlib import Path

import diffusers
import torch
import transformers
from diffusers import AutoencoderKL, DDIMInverseScheduler, DDIMScheduler, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextModel, CLIPTokenizer

from make_runs import HEIGHT, LENGTH, WIDTH, inputs

DEFAULTS = {"prompt": "a red circle", "negative": "blurry", "steps": 5, "guidance": 5.0, "seed": 3, "params": {}}
CASES = [
    {"name": "and", "method": "composable", "prompt": "a red circle AND a blue house :0.7",
     "terms": [["a red circle", 1.0], ["a blue house", 0.7]]},
    {"name": "and-not", "method": "composable", "prompt": "a red circle:.8 AND a house AND NOT blue:1.3",
     "terms": [["a red circle", 0.8], ["a house", 1.0], ["blue", -1.3]]},
    {"name": "and-parameter", "method": "composable", "prompt": "house left of circle", "guidance": 1.0,
     "params": {"terms": "red AND NOT circle : 0.5"}, "terms": [["house left of circle", 1.0], ["red", 1.0], ["circle", -0.5]]},
    {"name": "panorama", "method": "multidiffusion", "steps": 4, "width": 128, "params": {"window": 6, "stride": 2}},
    {"name": "panorama-wrap", "method": "multidiffusion", "steps": 4, "width": 128, "params": {"window": 8, "stride": 3, "wrap": True}},
    {"name": "regions", "method": "multidiffusion", "steps": 6, "params": {"window": 8, "bootstrap": 0.5, "colours": 3},
     "regions": [[[0.0, 0.25, 0.5, 1.0], "a blue house", 1.0], [[0.25, 0.0, 1.0, 0.5], "red", 2.0]]},
    {"name": "regions-windows", "method": "multidiffusion", "steps": 4, "params": {"window": 5, "stride": 2, "bootstrap": 0.0},
     "regions": [[[0.5, 0.0, 1.0, 1.0], "a blue house", 1.0]]},
    {"name": "diffedit", "method": "diffedit", "steps": 6, "params": {"source": "a blue house", "ratio": 0.7, "noises": 3, "clamp": 2.0}},
    {"name": "diffedit-guided", "method": "diffedit", "steps": 5, "guidance": 2.0, "params": {"noises": 2, "noise-strength": 0.8, "guided": True, "threshold": 0.3}},
    {"name": "diffedit-mask", "method": "diffedit", "steps": 6, "masked": True, "params": {"source": "a house", "ratio": 1.0}},
    {"name": "edict", "method": "edict", "steps": 5, "guidance": 3.0, "params": {"source": "a blue house", "strength": 1.0}},
    {"name": "edict-part", "method": "edict", "steps": 6, "guidance": 1.0, "params": {"strength": 0.7, "mix": 0.9}},
    {"name": "masactrl", "method": "masactrl", "params": {"source": "a blue house", "from": 0.3}},
    {"name": "masactrl-both", "method": "masactrl", "params": {"source": "a blue house", "from": 0.0, "first-block": 1, "both": True}},
    {"name": "blended", "method": "blended-latent", "steps": 8, "params": {}},
    {"name": "blended-thin", "method": "blended-latent", "steps": 6, "params": {"start": 0.5, "dilate": 3}},
    {"name": "deepcache", "method": "deepcache", "steps": 7, "params": {"interval": 3, "skips": 2}},
    {"name": "deepcache-shallow", "method": "deepcache", "steps": 5, "guidance": 1.0, "params": {"interval": 2, "skips": 1}},
    {"name": "deepcache-deep", "method": "deepcache", "steps": 5, "params": {"interval": 4, "skips": 3}},
    {"name": "merging", "method": "token-merging", "params": {"ratio": 0.5}},
    {"name": "merging-little", "method": "token-merging", "steps": 4, "guidance": 1.0, "seed": 8, "params": {"ratio": 0.2}},
    {"name": "merging-much", "method": "token-merging", "steps": 4, "params": {"ratio": 0.75}},
    {"name": "guidance-interval", "method": "guidance-interval", "steps": 8, "params": {"start": 0.2, "end": 0.7}},
    {"name": "masactrl-photo", "method": "masactrl", "photo": True, "params": {"from": 0.0}},
]


class Model:
    def __init__(self, folder):
        self.words = CLIPTokenizer.from_pretrained(folder / "tokenizer")
        self.text = CLIPTextModel.from_pretrained(folder / "text_encoder", torch_dtype=torch.float32).eval()
        self.vae = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32).eval()
        self.net = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32).eval()
        self.config = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())

    def scheduler(self, cls, steps):
        keys = cls.__init__.__wrapped__.__code__.co_varnames
        made = cls(**{k: v for k, v in {**self.config, "clip_sample": False}.items() if k in keys})
        made.set_timesteps(steps)
        return made

    def says(self, prompt):
        ids = self.words(prompt, padding="max_length", max_length=LENGTH, truncation=True, return_tensors="pt").input_ids
        return self.text(ids)[0]

    def eps(self, z, t, *contexts):
        """One prediction per context."""
        out = self.net(z.repeat(len(contexts), 1, 1, 1), t, torch.cat(contexts)).sample
        return out.chunk(len(contexts))

    def guided(self, z, t, negative, positive, g):
        u, c = self.eps(z, t, negative, positive)
        return u + g * (c - u)

    def encode(self, picture):
        x = self.vae.encode(picture.permute(2, 0, 1)[None] * 2 - 1).latent_dist.mode()
        return x * self.vae.config.scaling_factor


def noise(seed, height=HEIGHT // 8, width=WIDTH // 8):
    return torch.randn((1, 4, height, width), generator=torch.Generator("cpu").manual_seed(seed))


def composable(m, c):
    s = m.scheduler(DDIMScheduler, c["steps"])
    z, negative = noise(c["seed"]), m.says(c["negative"])
    contexts = [m.says(text) for text, _ in c["terms"]]
    for t in s.timesteps:
        u, *e = m.eps(z, t, negative, *contexts)
        e = u + sum(c["guidance"] * w * (x - u) for (_, w), x in zip(c["terms"], e))
        z = s.step(e, t, z).prev_sample
    return z


def starts(length, size, stride, wrap=False):
    if wrap and size < length:
        return list(range(0, length, stride))
    return list(range(0, length - size, stride)) + [length - size]


def multidiffusion(m, c):
    """As the paper's own code has it, with windows flush with the canvas's end, and weights of regions."""
    h, w, p = HEIGHT // 8, c.get("width", WIDTH) // 8, c["params"]
    s = m.scheduler(DDIMScheduler, c["steps"])
    first = noise(c["seed"], h, w)
    z, negative = first, m.says(c["negative"])
    y, x = (torch.arange(h) + 0.5) / h, (torch.arange(w) + 0.5) / w
    prompts, masks, weights = [m.says(c["prompt"])], [torch.ones(h, w)], [1.0]
    for (x0, y0, x1, y1), text, weight in c.get("regions", []):
        inside = ((y >= y0) & (y < y1)).float()[:, None] * ((x >= x0) & (x < x1)).float()[None]
        prompts.append(m.says(text))
        masks.append(inside)
        weights.append(weight)
    masks[0] = (1 - sum(masks[1:], torch.zeros(h, w))).clamp(min=0)
    random = torch.Generator("cpu").manual_seed(c["seed"] + 1)
    flat = []
    if len(prompts) > 1 and p["bootstrap"] > 0:
        flat = [m.encode(colour[None, None].repeat(h * 8, w * 8, 1)) for colour in torch.rand((p["colours"], 3), generator=random)]
    wh, ww = min(p["window"], h), min(p["window"], w)
    for i, t in enumerate(s.timesteps):
        total, count = torch.zeros_like(z), torch.zeros_like(z)
        for top in starts(h, wh, p.get("stride", 8)):
            for left in starts(w, ww, p.get("stride", 8), p.get("wrap", False)):
                rows, columns = slice(top, top + wh), [(left + k) % w for k in range(ww)]
                for k, prompt in enumerate(prompts):
                    mask = masks[k][rows][:, columns]
                    if mask.sum() == 0:
                        continue
                    view = z[:, :, rows][..., columns]
                    if k > 0 and i < int(p["bootstrap"] * c["steps"]):
                        colour = flat[int(torch.randint(0, len(flat), (1,), generator=random))]
                        around = s.add_noise(colour, first, t.reshape(1))[:, :, rows][..., columns]
                        view = view * mask + around * (1 - mask)
                    view = s.step(m.guided(view, t, negative, prompt, c["guidance"]), t, view).prev_sample
                    for column, at in enumerate(columns):
                        total[:, :, rows, at] += weights[k] * mask[:, column] * view[..., column]
                        count[:, :, rows, at] += weights[k] * mask[:, column]
        z = total / count
    return z


def invert(m, z, steps, count, step):
    """Latents from the clean one up; step(z, t) is the prediction."""
    s, path = m.scheduler(DDIMInverseScheduler, steps), [z]
    for t in s.timesteps[:count]:
        z = s.step(step(z, t), int(t), z).prev_sample
        path.append(z)
    return path


def diffedit(m, c):
    p = {"source": "", "ratio": 0.8, "noise-strength": 0.5, "clamp": 3.0, "threshold": 0.5, "guided": False, **c["params"]}
    s, n = m.scheduler(DDIMScheduler, c["steps"]), c["steps"]
    picture, mask = inputs()
    clean, source, target, negative = m.encode(picture), m.says(p["source"]), m.says(c["prompt"]), m.says(c["negative"])
    if c.get("masked"):
        mask = (mask[::8, ::8] >= 0.5).float()
    else:
        t = s.timesteps[n - int(n * p["noise-strength"])]
        drawn = torch.randn((p["noises"], *clean.shape[1:]), generator=torch.Generator("cpu").manual_seed(c["seed"]))
        seen = [s.add_noise(clean, one[None], t.reshape(1)) for one in drawn]
        apart = [(m.guided(x, t, negative, target, c["guidance"]) - m.guided(x, t, negative, source, c["guidance"])).abs() for x in seen]
        apart = torch.cat(apart).mean([0, 1])
        top = apart.mean() * p["clamp"]
        apart = apart.clamp(max=top) / top
        mask = (apart > p["threshold"]).float()
        print("  mask", int(mask.sum()), "of", mask.numel(), "nearest", float((apart - p["threshold"]).abs().min()))
    count = int(n * p["ratio"])
    plain = lambda z, t: m.eps(z, t, source)[0]
    guided = lambda z, t: m.guided(z, t, negative, source, c["guidance"])
    path = invert(m, clean, n, count, guided if p["guided"] else plain)
    z = path[-1]
    for i, t in enumerate(s.timesteps[n - count:]):
        z = s.step(m.guided(z, t, negative, target, c["guidance"]), t, z).prev_sample
        z = mask * z + (1 - mask) * path[count - 1 - i]
    return z


def edict(m, c):
    """In doubles, but for the network."""
    p, g = {"source": "", "strength": 0.8, "mix": 0.93, **c["params"]}, c["guidance"]
    s, n = m.scheduler(DDIMScheduler, c["steps"]), c["steps"]
    clean, source, target, negative = m.encode(inputs()[0]), m.says(p["source"]), m.says(c["prompt"]), m.says(c["negative"])
    steps, q = s.timesteps[n - int(n * p["strength"]):], p["mix"]

    def factors(t):
        back = int(t) - 1000 // n
        upper, lower = s.alphas_cumprod[t].double(), (s.alphas_cumprod[back] if back >= 0 else s.final_alpha_cumprod).double()
        a = (lower / upper).sqrt()
        return a, (1 - lower).sqrt() - a * (1 - upper).sqrt()

    def e(z, t, context):
        return m.guided(z.float(), t, negative, context, g).double()

    z = [clean.double(), clean.double()]
    for i in reversed(range(len(steps))):
        (a, b), first = factors(steps[i]), i % 2
        z[1] = (z[1] - (1 - q) * z[0]) / q
        z[0] = (z[0] - (1 - q) * z[1]) / q
        for k in (1 - first, first):
            z[k] = (z[k] - b * e(z[1 - k], steps[i], source)) / a
    for i, t in enumerate(steps):
        (a, b), first = factors(t), i % 2
        for k in (first, 1 - first):
            z[k] = a * z[k] + b * e(z[1 - k], t, target)
        z[0] = q * z[0] + (1 - q) * z[1]
        z[1] = q * z[1] + (1 - q) * z[0]
    return z[0].float()


class Mutual:
    """Self-attention in which the second half of the rows looks at the first half's keys and values."""

    def __init__(self):
        self.on, self.both = False, False

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, temb=None):
        q, k, v = attn.to_q(hidden_states), attn.to_k(hidden_states), attn.to_v(hidden_states)
        parts = []
        for half in (0, 1):
            rows = slice(0, 2) if half == 0 else slice(2, 4)
            key, value = k[rows], v[rows]
            if self.on and half == 1:
                key, value = (torch.cat([k[2:], k[:2]], 1), torch.cat([v[2:], v[:2]], 1)) if self.both else (k[:2], v[:2])
            split = lambda x: x.unflatten(-1, (attn.heads, -1)).transpose(1, 2)
            looked = (split(q[rows]) @ split(key).transpose(-1, -2) * attn.scale).softmax(-1) @ split(value)
            parts.append(looked.transpose(1, 2).flatten(2))
        return attn.to_out[0](torch.cat(parts))


def masactrl(m, c):
    p, g = {"from": 0.08, "first-block": 2, "both": False, **c["params"]}, c["guidance"]
    s = m.scheduler(DDIMScheduler, c["steps"])
    source, target, negative = m.says(p.get("source", "")), m.says(c["prompt"]), m.says(c["negative"])
    z, path = noise(c["seed"]), None
    if c.get("photo"):
        path = invert(m, m.encode(inputs()[0]), c["steps"], c["steps"], lambda z, t: m.eps(z, t, source)[0])
        z = path[-1]
    before = m.net.attn_processors
    order = ["down_blocks.0", "mid_block", "up_blocks.1.attentions.0", "up_blocks.1.attentions.1"]
    mutual, changed = Mutual(), {}
    for name, processor in before.items():
        block = [k for k, front in enumerate(order) if name.startswith(front)]
        changed[name] = mutual if ".attn1." in name and block[0] >= p["first-block"] else processor
    mutual.both = p["both"]
    m.net.set_attn_processor(changed)
    a = b = z
    for i, t in enumerate(s.timesteps):
        mutual.on = i >= round(p["from"] * c["steps"])
        u0, c0, u1, c1 = m.net(torch.cat([a, a, b, b]), t, torch.cat([negative, source, negative, target])).sample.chunk(4)
        a = s.step(u0 + g * (c0 - u0), t, a).prev_sample
        b = s.step(u1 + g * (c1 - u1), t, b).prev_sample
        if path:
            a = path[c["steps"] - 1 - i]
    m.net.set_attn_processor(before)
    return b


def blended(m, c):
    p, n, g = {"start": 0.25, "dilate": 0, **c["params"]}, c["steps"], torch.Generator("cpu").manual_seed(c["seed"])
    s, (picture, mask) = m.scheduler(DDIMScheduler, n), inputs()
    clean, mask = m.encode(picture), (mask[::8, ::8] >= 0.5).float()
    target, negative = m.says(c["prompt"]), m.says(c["negative"])
    steps = s.timesteps[n - int(n * (1 - p["start"])):]
    z = s.add_noise(clean, torch.randn(clean.shape, generator=g), steps[:1])
    for i, t in enumerate(steps):
        z = s.step(m.guided(z, t, negative, target, c["guidance"]), t, z).prev_sample
        cells = p["dilate"] * (len(steps) - 1 - i) // len(steps)
        grown = torch.nn.functional.max_pool2d(mask[None, None], 2 * cells + 1, 1, cells)
        behind = clean if i + 1 == len(steps) else s.add_noise(clean, torch.randn(clean.shape, generator=g), steps[i + 1:i + 2])
        z = grown * z + (1 - grown) * behind
    return z


def forward(net, z, t, context, skips=0, stream=None):
    """The network part by part: its output, and what enters each up layer by the number of its skip. With skips, only so many are made,
    and the way up begins with the stream."""
    emb = net.time_embedding(net.time_proj(t.reshape(1).expand(len(z))))
    layer = lambda block, k, x: [x := block.resnets[k](x, emb)] and (
        block.attentions[k](x, encoder_hidden_states=context, return_dict=False)[0] if hasattr(block, "attentions") else x)
    x = net.conv_in(z)
    made = [x]
    for block in net.down_blocks:
        for k in range(len(block.resnets)):
            x = layer(block, k, x)
            made.append(x)
        if block.downsamplers:
            x = block.downsamplers[0](x)
            made.append(x)
    x = net.mid_block(x, emb, encoder_hidden_states=context)
    made, joins = made[:skips] if skips else made, {}
    at = sum(len(block.resnets) for block in net.up_blocks)
    for block in net.up_blocks:
        for k in range(len(block.resnets)):
            at -= 1
            if skips and at >= skips:
                continue
            x = stream if skips and at == skips - 1 else x
            joins[at] = x
            x = layer(block, k, torch.cat([x, made.pop()], 1))
        if block.upsamplers and not (skips and at >= skips):
            x = block.upsamplers[0](x)
    assert not made
    return net.conv_out(net.conv_act(net.conv_norm_out(x))), joins


def deepcache(m, c):
    p, g = c["params"], c["guidance"]
    s, z, stream = m.scheduler(DDIMScheduler, c["steps"]), noise(c["seed"]), None
    contexts = [m.says(c["prompt"])] + ([m.says(c["negative"])] if g != 1 else [])
    for i, t in enumerate(s.timesteps):
        seen = (z.repeat(len(contexts), 1, 1, 1), t, torch.cat(contexts))
        if i % p["interval"] == 0:
            e, joins = forward(m.net, *seen)
            assert torch.allclose(e, m.net(*seen).sample, atol=1e-5)
            stream = joins[p["skips"] - 1]
        else:
            e, _ = forward(m.net, *seen, p["skips"], stream)
        e = e.chunk(len(contexts))
        z = s.step(e[1] + g * (e[0] - e[1]) if g != 1 else e[0], t, z).prev_sample
    return z


class Merged:
    """Self-attention on means of tokens (Bolya & Hoffman 2023), with merging and its undoing as matrices. `x` is the residual stream."""

    def __init__(self, block, c):
        self.block, self.c, self.x, self.step, self.near = block, c, None, 0, 1.0

    def matrices(self, x):
        rows, tokens, _ = x.shape
        height, width = HEIGHT // 8, WIDTH // 8
        draw = torch.Generator("cpu").manual_seed(self.c["seed"] + 65536 * (self.step + 1) + self.block)
        drawn = torch.randint(0, 4, (height // 2, width // 2), generator=draw)
        taker = torch.zeros(height, width, dtype=torch.bool)
        for y in range(height // 2):
            for column in range(width // 2):
                k = int(drawn[y, column])
                taker[2 * y + k // 2, 2 * column + k % 2] = True
        takers, goers = taker.flatten().nonzero()[:, 0], (~taker.flatten()).nonzero()[:, 0]
        gone = min(len(goers), int(tokens * self.c["params"]["ratio"]))
        unit = x / x.norm(dim=-1, keepdim=True)
        there = []
        for row in unit:
            two = (row[goers] @ row[takers].T).topk(2, 1)
            order = two.values[:, 0].argsort(descending=True)
            margin = two.values[order[:gone]]  # how clear it was, for who goes where and for who goes
            self.near = min(self.near, float((margin[:, 0] - margin[:, 1]).min()))
            if gone < len(goers):
                self.near = min(self.near, float(two.values[order[gone - 1], 0] - two.values[order[gone], 0]))
            into = torch.arange(tokens)
            into[goers[order[:gone]]] = takers[two.indices[order[:gone], 0]]
            stays = (into == torch.arange(tokens)).nonzero()[:, 0]
            there.append((into[None] == stays[:, None]).float())
        there = torch.stack(there)  # [N, kept, T]: 1 where a token is found
        return there / there.sum(2, keepdim=True), there.transpose(1, 2)

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, temb=None):
        merge, spread = self.matrices(self.x)
        x = merge @ hidden_states
        split = lambda y: y.unflatten(-1, (attn.heads, -1)).transpose(1, 2)
        looked = (split(attn.to_q(x)) @ split(attn.to_k(x)).transpose(-1, -2) * attn.scale).softmax(-1) @ split(attn.to_v(x))
        return spread @ attn.to_out[0](looked.transpose(1, 2).flatten(2))


def token_merging(m, c):
    s, g, z = m.scheduler(DDIMScheduler, c["steps"]), c["guidance"], noise(c["seed"])
    finest = {0: m.net.down_blocks[0].attentions[0], 2: m.net.up_blocks[1].attentions[0], 3: m.net.up_blocks[1].attentions[1]}
    before, changed, hooks, merged = m.net.attn_processors, dict(m.net.attn_processors), [], []
    for block, place in finest.items():
        inner = place.transformer_blocks[0]
        here = Merged(block, c)
        hooks.append(inner.register_forward_pre_hook(lambda _, args, kwargs, here=here: setattr(here, "x", (args or [kwargs["hidden_states"]])[0]), with_kwargs=True))
        name = next(n for n, module in m.net.named_modules() if module is inner.attn1)
        changed[name + ".processor"] = here
        merged.append(here)
    m.net.set_attn_processor(changed)
    target, negative = m.says(c["prompt"]), m.says(c["negative"])
    for i, t in enumerate(s.timesteps):
        for here in merged:
            here.step = i
        z = s.step(m.guided(z, t, negative, target, g) if g != 1 else m.eps(z, t, target)[0], t, z).prev_sample
    for hook in hooks:
        hook.remove()
    m.net.set_attn_processor(before)
    print("  nearest", min(here.near for here in merged))
    return z


def guidance_interval(m, c):
    p, n, g = c["params"], c["steps"], c["guidance"]
    s, z, target, negative = m.scheduler(DDIMScheduler, n), noise(c["seed"]), m.says(c["prompt"]), m.says(c["negative"])
    for i, t in enumerate(s.timesteps):
        inside = p["start"] <= i / n < p["end"]
        z = s.step(m.guided(z, t, negative, target, g) if inside else m.eps(z, t, target)[0], t, z).prev_sample
    return z


METHODS = {"deepcache": deepcache, "token-merging": token_merging, "guidance-interval": guidance_interval, "blended-latent": blended, "composable": composable, "multidiffusion": multidiffusion, "diffedit": diffedit, "edict": edict, "masactrl": masactrl}


def main():
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    root = Path(sys.argv[1]) / "composed"
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    model = Model(root.parent / "runs" / "tiny")
    tensors, cases = {}, []
    for case in CASES:
        c = {**DEFAULTS, **case}
        z = METHODS[c["method"]](model, c)
        assert torch.isfinite(z).all()
        print(f"{c['name']}: latent {float(z.std()):.3f}")
        cases.append(c)
        tensors[c["name"]] = z[0].contiguous()
    versions = {"torch": torch.__version__, "diffusers": diffusers.__version__, "transformers": transformers.__version__}
    save_file(tensors, root / "composed.safetensors", metadata=versions)
    (root / "composed.json").write_text(json.dumps({"made_with": versions, "cases": cases}, indent=1) + "\n")


if __name__ == "__main__":
    main()
