# SPDX-License-Identifier: GPL-3.0-or-later
"""What all targets that learn to take noise away share."""
import torch

from . import nets
from .data import Set, pictures
from .losses import levels
from .vocab import encode

EMPTY_SHARE = .1


def frozen(net, device):
    return net.to(device).eval().requires_grad_(False)


def quick(net, a):
    """What is called in training: the net itself or, on a GPU with --compile, its compiled form."""
    if a.device == "cuda":
        net.to(memory_format=torch.channels_last)
    return torch.compile(net, dynamic=False) if a.compile and a.device == "cuda" else net


class Diffusion:
    batch, rate, decay, slowness = {"cuda": 512, "cpu": 32}, 5e-4, 1e-3, .999
    sets = ("scenes",)
    notes = ()

    def __init__(self, a):
        self.a, self.device = a, a.device
        self.table = levels(a.device)
        self.empty = torch.tensor(encode(""), device=a.device)
        self.vae = frozen(nets.read("vae", a.model, a.device), a.device)
        self.scale = nets.read_json(a.model, "vae", "config.json")["scaling_factor"]
        self.set = {name: Set(a.data, name, a.device, a.rows, a.grow) for name in self.sets}
        self.build()
        del self.vae

    def latents(self, name, column, make):
        self.set[name].latents(column, self.vae, make, self.a.work)

    def scene_latents(self):
        s = self.set["scenes"]
        self.latents("scenes", "picture", lambda at: pictures(s.rows("picture", at)))
        there = torch.arange(s.have["picture"], device=self.device)
        self.whole = there[s.rows("whole", there) != 0]

    def read_text(self):
        self.text = frozen(nets.read("text", self.a.model), self.device)

    def cast(self):
        return torch.autocast(self.device, torch.bfloat16)

    def some(self, n, among=None, name="scenes", columns=("picture",)):
        """Indices of n rows: of `among`, or of those that have latents in all of `columns`."""
        if among is None:
            return torch.randint(min(self.set[name].have[c] for c in columns), (n,), device=self.device)
        return among[torch.randint(len(among), (n,), device=self.device)]

    def x0(self, at, name="scenes", column="picture"):
        return self.set[name].rows("latents-" + column, at).float() * self.scale

    def words(self, at, column="ids", name="scenes", share=EMPTY_SHARE):
        """Captions' ids, some of them empty."""
        ids = self.set[name].rows(column, at).long()
        drop = torch.rand(len(at), device=self.device) < share
        return torch.where(drop[:, None], self.empty, ids)

    def context(self, ids):
        with torch.no_grad(), self.cast():
            return self.text(ids).last_hidden_state

    def trainable(self):
        return {n: p for n, p in self.net.named_parameters() if p.requires_grad}
