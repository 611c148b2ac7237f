# SPDX-License-Identifier: GPL-3.0-or-later
"""python -m studio.checks: the parts of training whose right answers are known, in seconds. smoke.py runs them first."""
import numpy as np
import torch

from . import attention, muon, naming, nets
from .data import Set
from .kinds import KINDS
from .vocab import encode
from .words import COLOURS


def check_orthogonal_steps():
    torch.manual_seed(1)
    made = muon.orthogonal(torch.randn(3, 40, 90))
    values = torch.linalg.svdvals(made.float())
    assert .5 < values.min() and values.max() < 1.4, values
    wide, tall = (torch.nn.Parameter(torch.zeros(shape)) for shape in ((20, 50), (50, 20)))
    wide.grad = torch.randn(20, 50)
    tall.grad = wide.grad.T.clone()
    muon.Muon([wide, tall], 1e-2, .4).step()
    assert torch.allclose(wide, tall.T, atol=2e-4)
    size = (wide.square().mean().sqrt() / 1e-2).item()
    assert .3 < size < .5, size


def check_what_muon_takes():
    net = nets.make_unet(13)
    taken = [n for n, p in net.named_parameters() if muon.suits(n, p)]
    assert "conv_in.weight" not in taken and "conv_out.weight" not in taken and "mid_block.resnets.0.conv1.weight" in taken
    assert "time_embedding.linear_1.weight" in taken and not any(n.endswith("bias") for n in taken)
    text = [n for n, p in nets.make("text").named_parameters() if muon.suits(n, p)]
    assert text and not any("embedding" in n for n in text)


def check_words_find_their_things():
    kinds, colours = list(KINDS), list(COLOURS)
    caption = "a red mushroom left of a blue car in a meadow"
    ids = torch.tensor([encode(caption), encode("two red cars")])
    kind = torch.tensor([[kinds.index("mushroom"), kinds.index("car")], [kinds.index("car")] * 2])
    colour = torch.tensor([[colours.index("red"), colours.index("blue")], [colours.index("red")] * 2])
    named = attention.tokens(ids, kind, colour, torch.tensor([2, 2]), attention.tables())
    words = ["", *caption.split()]
    assert [words[i] for i in named[0, 0].nonzero()] == ["red", "mushroom"] and [words[i] for i in named[0, 1].nonzero()] == ["blue", "car"]
    assert named[1, 0].nonzero().flatten().tolist() == named[1, 1].nonzero().flatten().tolist() == [2, 3]
    assert not attention.tokens(ids, kind, colour, torch.tensor([0, 0]), attention.tables()).any()


def check_the_loss_knows_right_from_wrong():
    picture = np.zeros((1, 128, 128), np.uint8)
    picture[0, :, :64], picture[0, :, 64:] = 1, 2
    masks = torch.from_numpy(attention.cells(picture, 3)).float().flatten(2) / 255
    assert masks[0, 0].sum() == masks[0, 1].sum() == 128 and not masks[0, 2].any()
    named = torch.zeros(1, 3, 6, dtype=torch.bool)
    named[0, 0, 1:3], named[0, 1, 4:6] = True, True
    right = torch.zeros(1, 1, 256, 6)
    right[0, 0, :, 1:3], right[0, 0, :, 4:6] = masks[0, 0][:, None] / 2, masks[0, 1][:, None] / 2
    half = right.view(1, 1, 16, 16, 6)[:, :, ::2, ::2].reshape(1, 1, 64, 6)
    for grids in ([right], [half], [right, half]):
        token, place, held = attention.loss(grids, named, masks, torch.ones(1))
        assert token < 1e-6 and place < 1e-3 and held == 0, (token, place, held)
        token, place, held = attention.loss([g.roll(3, 3) for g in grids], named, masks, torch.ones(1))
        assert token > .99 and place > 5 and held > 5, (token, place, held)
        token, place, held = attention.loss([torch.full_like(g, 1 / 6) for g in grids], named, masks, torch.ones(1))
        assert abs(token - .25) < 1e-4 and abs(place - np.log(2)) < 1e-3 and abs(held - np.log(.4 * 3)) < 5e-3, (token, place, held)
    # words that are looked at in the right places, and next to nothing of them
    held = attention.loss([right * .04 + .16 * torch.eye(6)[3]], named, masks, torch.ones(1))[2]
    assert abs(held - np.log(.4 / .041)) < 1e-2, held


def check_close_ups_hold_one_thing():
    cells = np.zeros((3, 2, 16, 16), np.uint8)
    cells[0, 0, 9:14, 2:6] = 255                              # whole in a window
    cells[1, 0, 2:14, 2:6] = 255                              # too tall for one
    cells[2, 1, 4:10], cells[2, 1, 4:10, 4:10], cells[2, 0, 4:10, 4:10] = 255, 0, 255  # one between parts of another
    scenes = Set.__new__(Set)
    scenes.columns, scenes.device = {"cells": cells}, "cpu"
    (row, thing, top, left), = scenes.close_ups(3, 8, 3, .06).tolist()
    assert (row, thing) == (0, 0) and top <= 9 and top + 8 >= 14 and left <= 2 and left + 8 >= 6, (row, thing, top, left)


def check_features_are_named():
    kind, cells = torch.tensor([[5, 9]]), torch.zeros(1, 2, 4, 4)
    cells[0, 0, 0], cells[0, 1, 1], cells[0, 0, 2, :2] = 1, .9, .4
    aim = naming.aims(kind, cells)
    nothing, no_matter = naming.NOTHING, naming.NO_MATTER
    assert aim[0].tolist() == [[5] * 4, [9] * 4, [no_matter] * 2 + [nothing] * 2, [nothing] * 4], aim
    net = nets.make_unet(4)
    names = naming.Names(net)
    net(torch.randn(2, 4, 16, 16), torch.tensor([3, 700]), torch.randn(2, 7, nets.CONTEXT))
    features = names.features
    assert features.shape == (2, 80, 16, 16)
    aim = torch.full((1, 16, 16), 7)
    with torch.no_grad():
        names.say.weight.zero_()
        names.say.bias.zero_()
        assert abs(names.loss(aim, torch.ones(1)) - np.log(nothing + 1)) < 1e-4
        names.features = features
        names.say.bias[7] = 50
        assert names.loss(aim, torch.ones(1)) < 1e-4


def check_plain_attention_is_diffusers():
    torch.manual_seed(2)
    net = nets.make_unet(4)
    x, context = torch.randn(2, 4, 16, 16), torch.randn(2, 7, nets.CONTEXT)
    with torch.no_grad():
        before = net(x, torch.tensor([3, 700]), context).sample
        seen = attention.watch(net)
        after = net(x, torch.tensor([3, 700]), context).sample
    assert torch.allclose(before, after, atol=1e-4) and [tuple(s.shape) for s in seen] == [(2, 2, 256, 7)] * 2 + [(2, 2, 64, 7)] * 5 + [(2, 2, 256, 7)] * 3
    assert torch.allclose(seen[0].sum(-1), torch.ones(2, 2, 256), atol=1e-5)


def main():
    for name, check in list(globals().items()):
        if name.startswith("check_"):
            check()
            print(name.removeprefix("check_").replace("_", " ") + ": yes", flush=True)


if __name__ == "__main__":
    main()
