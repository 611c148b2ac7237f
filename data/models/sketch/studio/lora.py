# SPDX-License-Identifier: GPL-3.0-or-later
"""Low-rank changes of a UNet (Hu et al. 2021; convolutions as in LoCon), trained here, written in kohya's names."""
import math

import torch
import torch.nn.functional as F
from torch import nn

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out")
RESNETS = ("conv1", "conv2", "conv_shortcut", "time_emb_proj")


class Changed(nn.Module):
    """A frozen linear or convolution plus up(down(x)) * alpha / rank; starts as no change."""

    def __init__(self, inner, rank):
        super().__init__()
        self.inner = inner.requires_grad_(False)
        w = inner.weight
        self.rank = min(rank, w.shape[0], w[0].numel())
        self.down = nn.Parameter(torch.empty(self.rank, *w.shape[1:]))
        self.up = nn.Parameter(torch.zeros(w.shape[0], self.rank, *[1] * (w.dim() - 2)))
        nn.init.kaiming_uniform_(self.down, a=math.sqrt(5))

    def forward(self, x, *ignored):
        y = self.inner(x)
        if self.down.dim() == 2:
            return y + F.linear(F.linear(x, self.down), self.up)
        return y + F.conv2d(F.conv2d(x, self.down, None, self.inner.stride, self.inner.padding), self.up)


def add(net, rank, names=ATTENTION):
    """Puts changes into a UNet's layers whose names end in one of `names`; returns {module name: Changed}."""
    found = {}
    for name, module in list(net.named_modules()):
        if isinstance(module, (nn.Linear, nn.Conv2d)) and name.endswith(tuple("." + n for n in names)):
            holder = net.get_submodule(name.rpartition(".")[0])
            found[name] = Changed(module, rank)
            setattr(holder, name.rpartition(".")[2], found[name])
    return found


def size(net, rank, names=ATTENTION):
    return sum(c.down.numel() + c.up.numel() for c in add(net, rank, names).values())


def state(changes):
    """Tensors in kohya's names: alpha is the rank, so that the strength 1 is what was trained."""
    out = {}
    for name, c in changes.items():
        key = "lora_unet_" + name.replace(".", "_")
        out[key + ".lora_down.weight"], out[key + ".lora_up.weight"] = c.down, c.up
        out[key + ".alpha"] = torch.tensor(float(c.rank))
    return out


def load(changes, tensors):
    with torch.no_grad():
        for name, c in changes.items():
            key = "lora_unet_" + name.replace(".", "_")
            c.down.copy_(tensors[key + ".lora_down.weight"])
            c.up.copy_(tensors[key + ".lora_up.weight"])
