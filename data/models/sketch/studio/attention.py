# SPDX-License-Identifier: GPL-3.0-or-later
"""Words are tied to places: what the cross-attention on the 16 x 16 grid should look at is known, as every object's mask is
(TokenCompose, Wang et al. 2023). The tokens of "red mushroom" should attend to the red mushroom, and its pixels to no other
object's words, and not to what holds the whole sentence instead: to the words themselves, which is what methods that lead attention need."""
import numpy as np
import torch
import torch.nn.functional as F

from .kinds import KINDS
from .vocab import word_ids
from .words import COLOURS

GRID = 16
HELD = .4  # share of a pixel's attention that its thing's words are to have


class Plain:
    """Attention as two products and a softmax, which a CPU does faster than torch's fused form; a list `seen` gets the weights."""

    def __init__(self, seen=None):
        self.seen = seen

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None, temb=None, *_, **__):
        source = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        n, heads = len(hidden_states), attn.heads
        q, k, v = (f(x).view(n, x.shape[1], heads, -1).transpose(1, 2)
                   for f, x in ((attn.to_q, hidden_states), (attn.to_k, source), (attn.to_v, source)))
        share = (q * attn.scale @ k.mT).softmax(-1)
        if self.seen is not None:
            self.seen.append(share)
        return attn.to_out[0]((share.to(v.dtype) @ v).transpose(1, 2).flatten(2))


def watch(unet):
    """Plain attention everywhere; returns the list that gets the weights of the cross-attention sites on the 16 x 16 and 8 x 8 grids."""
    seen, last = [], len(unet.up_blocks) - 1
    grids = ("down_blocks.0.", "down_blocks.1.", f"up_blocks.{last}.", f"up_blocks.{last - 1}.")
    unet.set_attn_processor({n: Plain(seen if "attn2" in n and n.startswith(grids) else None) for n in unet.attn_processors})
    return seen


def tables():
    """(ids of the kinds' words, of their plurals, of the colours' words); names are one token each."""
    return (torch.tensor([word_ids(k)[-1] for k in KINDS]), torch.tensor([word_ids(k.plural)[-1] for k in KINDS.values()]),
            torch.tensor([word_ids(c)[0] for c in COLOURS]))


def cells(instances, most):
    """uint8 n x 128 x 128 (0: background) -> uint8 n x most x 16 x 16: how much of each cell the j-th thing that is seen covers."""
    n, side = len(instances), instances.shape[1] // GRID
    out = np.zeros((n, most, GRID, GRID), np.uint8)
    for i, picture in enumerate(instances):
        values = np.unique(picture)
        for j, v in enumerate(values[values > 0][-most:]):
            share = (picture == v).reshape(GRID, side, GRID, side).mean((1, 3))
            out[i, j] = np.rint(share * 255)
    return out


def tokens(ids, kind, colour, things, known):
    """bool n x most x length: which tokens name thing j. A thing is named by its colour with its kind behind it."""
    kinds, plurals, colours = known
    there = torch.arange(kind.shape[1])[None, :, None].to(ids.device) < things[:, None, None]
    first, second = ids[:, None, :-1], ids[:, None, 1:]
    pair = (first == colours[colour][..., None]) & ((second == kinds[kind][..., None]) | (second == plurals[kind][..., None])) & there
    none = pair.new_zeros(*pair.shape[:2], 1)
    return torch.cat([pair, none], 2) | torch.cat([none, pair], 2)


def on_grid(seen, named, masks, weight):
    """The losses of the sites of one grid; see loss."""
    share = torch.stack([s.float().mean(1) for s in seen]).mean(0)                          # n x cells x length
    aim = (named[..., None] * masks[:, :, None]).amax(1)                                    # n x length x cells
    hit = (share.mT * aim).sum(2) / share.sum(1).clamp(min=1e-6)
    count = (aim.amax(2) > .3).float() * weight[:, None]
    token = (count * (1 - hit).square()).sum() / count.sum().clamp(min=1e-6)
    own = torch.einsum("nul,njl->nju", share, named)                                        # n x most x cells
    every = (share * named.amax(1)[:, None]).sum(2)
    inside = masks * (named.sum(2) > 0)[..., None] * weight[:, None, None]
    # things that share their words are one: their pixels may look at all of them
    several = inside * (named.amax(1).sum(1) > 2.5)[:, None, None]
    place = -(several * ((own + 1e-4) / (every[:, None] + 1e-4)).log()).sum() / several.sum().clamp(min=1e-6)
    held = (inside * (HELD / (own + 1e-3)).log().clamp(min=0)).sum() / inside.sum().clamp(min=1e-6)
    return torch.stack([token, place, held])


def loss(seen, named, masks, weight):
    """seen: list of n x heads x cells x length, of one grid or two; named: n x most x length; masks: n x most x 256, 0 … 1; weight: n.
    (how much of a token's attention misses its thing, squared; how much a thing's pixels attend to another thing's words; how much of their
    attention their own words lack), each the mean over grids."""
    named, n, most = named.float(), *masks.shape[:2]
    grids = []
    for cells in sorted({s.shape[2] for s in seen}):
        side = round(cells ** .5)
        small = F.adaptive_avg_pool2d(masks.view(n, most, GRID, GRID), side).flatten(2)
        grids.append(on_grid([s for s in seen if s.shape[2] == cells], named, small, weight))
    return torch.stack(grids).mean(0)
