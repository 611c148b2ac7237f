# SPDX-License-Identifier: GPL-3.0-or-later
"""The targets that change the trained base a little: LCM-LoRA (Luo et al. 2023) for four steps, a LoRA that brings a kind
that no scene of the main training shows, and a learned word (Gal et al. 2023)."""
import random

import numpy as np
import torch

from . import lora, nets
from .budget import LCM_RANK, SAMPLE_RANK
from .data import pictures
from .diffusion import Diffusion, frozen, quick
from .losses import draw_times, noised, v_loss
from .render import draw
from .scenes import opening, scene, surroundings
from .vocab import encode, word_ids
from .words import COLOURS, article

LORA_KIND = "windmill"                       # of kinds.RESERVED
WORD, WORD_THING = "dusk-moth", ("butterfly", "purple")  # the learned word's name and what it stands for
STAND_IN = "object"                          # the caption word whose vector is learned


class Lcm(Diffusion):
    """Consistency distillation along DDIM's 50 steps with guidance inside; sampled with guidance 1."""
    batch, rate, decay = {"cuda": 512, "cpu": 16}, 5e-4, 0.0
    stride, guidance = 20, (3.0, 4.5)

    def build(self):
        self.scene_latents()
        self.read_text()
        self.teacher = frozen(nets.read("base", self.a.model, self.device), self.device)
        self.net = nets.read("base", self.a.model, self.device).to(self.device).requires_grad_(False)
        self.changes = lora.add(self.net, LCM_RANK, lora.ATTENTION + lora.RESNETS)
        self.net.to(self.device)
        self.call, self.teach = quick(self.net, self.a), quick(self.teacher, self.a)

    def clean(self, x, v, t):
        level = self.table[t][:, None, None, None]
        return level.sqrt() * x - (1 - level).sqrt() * v.float()

    def answer(self, x, t, context):
        """The consistency function: the estimate, forced to be x itself at t = 0."""
        s = (10.0 * t.float())[:, None, None, None]
        with self.cast():
            v = self.call(x, t, context).sample
        return .25 / (s ** 2 + .25) * x + s / (s ** 2 + .25).sqrt() * self.clean(x, v, t)

    def loss(self, n, done):
        at = self.some(n, self.whole)
        k = torch.randint(1, 1000 // self.stride + 1, (n,), device=self.device)
        t = k * self.stride - 1
        before = (t - self.stride).clamp(min=0)
        x, _ = noised(self.x0(at), t, self.table)
        context = self.context(self.words(at, share=0))
        none = self.context(self.empty[None]).expand_as(context)
        with torch.no_grad():
            with self.cast():
                v = self.teach(torch.cat([x, x]), torch.cat([t, t]), torch.cat([context, none])).sample.float()
            w = self.guidance[0] + (self.guidance[1] - self.guidance[0]) * torch.rand(n, 1, 1, 1, device=self.device)
            v = v[n:] + w * (v[:n] - v[n:])
            here, there = (self.table[i][:, None, None, None] for i in (t, before))
            noise = here.sqrt() * v + (1 - here).sqrt() * x
            y = there.sqrt() * self.clean(x, v, t) + (1 - there).sqrt() * noise
            aim = self.answer(y, before, context)
        d = (self.answer(x, t, context) - aim).square()
        loss = ((d + 1e-6).sqrt() - 1e-3).mean()
        return loss, {"error": d.mean().detach()}


class Small(Diffusion):
    """Learns from a few hundred pictures made on the spot."""
    sets, n = (), 384
    batch, rate, decay = {"cuda": 128, "cpu": 8}, 1e-3, 0.0

    def build(self):
        self.read_text()
        rows = [self.example(seed) for seed in range(95_000_000, 95_000_000 + min(self.n, self.a.rows or self.n))]
        self.ids = torch.tensor([encode(text) for _, text in rows], device=self.device)
        z = []
        with torch.no_grad(), self.cast():
            for i in range(0, len(rows), 64):
                x = pictures(torch.from_numpy(np.stack([p for p, _ in rows[i:i + 64]]))).to(self.device)
                z.append(self.vae.encode(x).latent_dist.mean.float() * self.scale)
        self.z = torch.cat(z)
        self.net = nets.read("base", self.a.model, self.device).to(self.device).requires_grad_(False)
        self.change()
        self.call = quick(self.net, self.a)

    def scene(self, seed):
        rng = random.Random(seed)
        s = scene(seed, "one", plain=True)
        s.things[0].size_word = s.things[0].spot = ""
        return s, s.things[0], rng

    def loss(self, n, done):
        at = torch.randint(len(self.z), (n,), device=self.device)
        t = draw_times(n, self.device)
        x, v = noised(self.z[at], t, self.table)
        ids = torch.where((torch.rand(n, device=self.device) < .05)[:, None], self.empty, self.ids[at])
        with self.cast():
            y = self.call(x, t, self.read(ids)).sample
        loss, each = v_loss(y, v, t, self.table)
        return loss, {"error": each.mean()}


class Lora(Small):
    def example(self, seed):
        s, t, rng = self.scene(seed)
        t.kind, t.colour = LORA_KIND, list(COLOURS)[seed % len(COLOURS)]
        return draw(s), opening(s, rng) + article(f"{t.colour} {t.kind}") + surroundings(s, rng)

    def change(self):
        self.changes = lora.add(self.net, SAMPLE_RANK)
        self.net.to(self.device)

    def read(self, ids):
        return self.context(ids)


class Word(Small):
    n, rate = 128, 1e-2

    def example(self, seed):
        s, t, rng = self.scene(seed)
        t.kind, t.colour = WORD_THING
        return draw(s), opening(s, rng) + article(STAND_IN) + surroundings(s, rng)

    def change(self):
        (self.id,) = word_ids(STAND_IN)
        table = self.text.get_input_embeddings()
        self.vector = torch.nn.Parameter(table.weight[self.id].detach().clone())
        table.register_forward_hook(lambda module, given, out: torch.where((given[0] == self.id)[..., None], self.vector.to(out.dtype), out))

    def read(self, ids):
        return self.text(ids).last_hidden_state

    def trainable(self):
        return {"vector": self.vector}
