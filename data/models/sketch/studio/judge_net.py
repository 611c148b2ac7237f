# SPDX-License-Identifier: GPL-3.0-or-later
"""The judge's network in torch, for training; folded() gives the plain arrays that judge.py computes with."""
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from .judge import CELL, GLOBAL, HEADS, WIDTHS


class Unit(nn.Module):
    def __init__(self, a, b, stride=1):
        super().__init__()
        self.conv, self.norm, self.stride = nn.Conv2d(a, b, 3, stride, 1, bias=False), nn.BatchNorm2d(b), stride

    def forward(self, x):
        return F.relu(self.norm(self.conv(x)))


class JudgeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.units = nn.ModuleDict()
        a = 3
        for k, b in enumerate(WIDTHS):
            self.units[f"down{k}"], self.units[f"keep{k}"] = Unit(a, b, 2), Unit(b, b)
            a = b
        for k in range(len(WIDTHS) - 2, 0, -1):
            self.units[f"up{k}"], self.units[f"join{k}"] = Unit(WIDTHS[k + 1], WIDTHS[k]), Unit(WIDTHS[k], WIDTHS[k])
        self.heads = nn.ModuleDict({name: nn.Conv2d(WIDTHS[1], n, 1 if name != "heat" else 3, 1, 0 if name != "heat" else 1) for name, n in HEADS.items()})
        self.mix = nn.Linear(WIDTHS[-1], 128)
        self.globals = nn.ModuleDict({name: nn.Linear(128, len(table)) for name, table in GLOBAL})
        nn.init.constant_(self.heads["heat"].bias, -4.0)

    def forward(self, x):
        levels = []
        for k in range(len(WIDTHS)):
            x = self.units[f"down{k}"](x)
            x = x + self.units[f"keep{k}"](x)
            levels.append(x)
        whole = F.relu(self.mix(x.mean((2, 3))))
        for k in range(len(WIDTHS) - 2, 0, -1):
            x = self.units[f"up{k}"](F.interpolate(x, scale_factor=2.0, mode="nearest")) + levels[k]
            x = x + self.units[f"join{k}"](x)
        return {**{n: h(x) for n, h in self.heads.items()}, **{n: h(whole) for n, h in self.globals.items()}}


def judge_loss(out, row):
    """row: things n, box n x k x 4 pixels, kind and colour n x k, ok n (False: nothing is there), place … n."""
    n, _, h, w = out["heat"].shape
    k = row["box"].shape[1]
    device = out["heat"].device
    there = (torch.arange(k, device=device)[None] < row["things"][:, None]) & row["ok"][:, None]
    box = row["box"] / CELL
    cx, cy = ((box[..., 0] + box[..., 2]) / 2).clamp(0, w - .01), ((box[..., 1] + box[..., 3]) / 2).clamp(0, h - .01)
    gx, gy = cx.long(), cy.long()
    xs, ys = torch.arange(w, device=device), torch.arange(h, device=device)
    bump = torch.exp(-((xs[None, None, None] - gx[..., None, None]) ** 2 + (ys[None, None, :, None] - gy[..., None, None]) ** 2) / 2.0)
    truth = (bump * there[..., None, None]).amax(1)
    p = out["heat"][:, 0].float().sigmoid().clamp(1e-4, 1 - 1e-4)
    peak = truth > .999
    heat = -(torch.where(peak, (1 - p) ** 2 * p.log(), (1 - truth) ** 4 * p ** 2 * (1 - p).log())).sum() / peak.sum().clamp(min=1)
    loss, noted, total = heat, {"heat": heat}, there.sum().clamp(min=1)
    first = torch.arange(n, device=device)[:, None]
    for dx, dy in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)):
        x, y = (gx + dx).clamp(0, w - 1), (gy + dy).clamp(0, h - 1)
        at = lambda name: out[name].float().permute(0, 2, 3, 1)[first, y, x]
        share = .6 if dx == dy == 0 else .1
        kind = F.cross_entropy(at("kind").transpose(1, 2), row["kind"], reduction="none")
        colour = F.cross_entropy(at("colour").transpose(1, 2), row["colour"], reduction="none")
        middle = torch.stack([x + .5, y + .5, x + .5, y + .5], -1)
        reach = ((box - middle) * torch.tensor([-1, -1, 1, 1], device=device)).clamp(min=.25)
        size = (at("box") - reach.log()).abs().mean(-1)
        loss = loss + share * ((kind + .7 * colour + size) * there).sum() / total
        if dx == dy == 0:
            noted |= {"kind": (kind * there).sum() / total, "colour": (colour * there).sum() / total, "box": (size * there).sum() / total}
    ok = row["ok"].float()
    for name, _ in GLOBAL:
        each = F.cross_entropy(out[name].float(), row[name], reduction="none")
        loss = loss + .25 * (each * ok).sum() / ok.sum().clamp(min=1)
    return loss, noted


def folded(net):
    """Plain arrays, normalisation folded into the convolutions."""
    out = {}
    with torch.no_grad():
        for name, unit in net.units.items():
            scale = unit.norm.weight / (unit.norm.running_var + unit.norm.eps).sqrt()
            out[name + ".w"] = (unit.conv.weight * scale[:, None, None, None]).cpu().numpy()
            out[name + ".b"] = (unit.norm.bias - unit.norm.running_mean * scale).cpu().numpy()
        for name, layer in [*net.heads.items(), *net.globals.items(), ("mix", net.mix)]:
            w = layer.weight.cpu().numpy()
            out[name + ".w"] = w[:, :, 0, 0] if w.ndim == 4 and w.shape[-1] == 1 else w
            out[name + ".b"] = layer.bias.cpu().numpy()
    return {k: np.ascontiguousarray(v, np.float16) for k, v in out.items()}
