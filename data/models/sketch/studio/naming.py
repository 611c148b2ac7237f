# SPDX-License-Identifier: GPL-3.0-or-later
"""Features know what they show: after the first block's attention each cell is to name the kind of thing it belongs to. Otherwise nothing
makes attention carry a kind's name there before the layers behind it can draw kinds, and they cannot learn to draw kinds before it does.
(Features that are tied to what a picture shows make diffusion learn many times sooner: Yu et al. 2024, REPA; here the truth is known.)"""
import torch
from torch.nn import functional as F

from .kinds import KINDS

NOTHING = len(KINDS)
NO_MATTER = -1       # cells that are covered in part
BEHIND = .1          # how much a cell with nothing in it counts beside one with a thing


class Names(torch.nn.Module):
    """A linear look at the features of a UNet; the training has it, the model has not."""

    def __init__(self, unet):
        super().__init__()
        block = unet.down_blocks[0]
        self.say = torch.nn.Conv2d(block.resnets[-1].out_channels, NOTHING + 1, 1)
        self.features = None
        block.register_forward_hook(self.keep)

    def keep(self, block, given, out):
        self.features = out[1][len(block.resnets) - 1]  # before it gets smaller

    def loss(self, aim, weight):
        """aim: long n x h x w, of the first n rows of the UNet's last call; weight: n."""
        said = self.say(self.features[:len(aim)].float())
        each = F.cross_entropy(said, aim, ignore_index=NO_MATTER, reduction="none")
        count = torch.where(aim == NOTHING, BEHIND, 1.0) * (aim != NO_MATTER) * weight[:, None, None]
        self.features = None
        return (each * count).sum() / count.sum().clamp(min=1e-6)


def aims(kind, cells):
    """kind: n x things; cells: n x things x h x w, 0 … 1, how much of a cell each covers. The index in KINDS, NOTHING or NO_MATTER."""
    most, which = cells.max(1)
    name = kind.long()[torch.arange(len(kind), device=kind.device)[:, None, None], which]
    return torch.where(most > .5, name, torch.where(cells.sum(1) < .05, NOTHING, NO_MATTER))
