# SPDX-License-Identifier: GPL-3.0-or-later
"""Muon (Jordan et al. 2024): momentum whose matrices are made orthogonal before the step, so that rare directions learn as fast as
common ones. For matrices and convolutions (flattened); everything else stays with AdamW."""
import torch

CUBIC = (3.4445, -4.7750, 2.0315)  # coefficients of Jordan's iteration
EPSILON = 1e-7


def suits(name, p):
    """Inner matrices; not tables of words and positions, not the first and the last layer."""
    return p.dim() >= 2 and min(p.shape[0], p[0].numel()) >= 16 and "embedding" not in name.replace("time_embedding", "") and "conv_in" not in name \
        and "conv_out" not in name


def orthogonal(g, steps=5):
    """A stack of matrices, n x rows x columns with rows <= columns, to nearly orthogonal ones (Newton and Schulz)."""
    x = g / (g.norm(dim=(1, 2), keepdim=True) + EPSILON)
    a, b, c = CUBIC
    for _ in range(steps):
        s = x @ x.mT
        x = a * x + (b * s + c * s @ s) @ x
    return x


class Muon(torch.optim.Optimizer):
    """The step has about the size of AdamW's: each entry moves by `size` times the rate in the mean square."""
    def __init__(self, parameters, lr, size, momentum=.95, weight_decay=0.0):
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})
        self.size = size

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            shapes = {}
            for p in group["params"]:
                if p.grad is None:
                    continue
                held = self.state[p]
                if "momentum" not in held:
                    held["momentum"] = torch.zeros_like(p)
                held["momentum"].lerp_(p.grad, 1 - group["momentum"])
                u = torch.lerp(p.grad, held["momentum"], group["momentum"]).flatten(1)
                turned = u.shape[0] > u.shape[1]
                shapes.setdefault((tuple(u.shape), turned), []).append((p, u.mT if turned else u))
            for (_, turned), rows in shapes.items():
                made = orthogonal(torch.stack([u for _, u in rows]).to(torch.bfloat16))
                # an orthogonal matrix of m <= n has entries of 1 / sqrt(n) in the mean square
                size = self.size * made.shape[2] ** .5
                for (p, _), o in zip(rows, made):
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    p.add_((o.mT if turned else o).reshape(p.shape).to(p.dtype), alpha=-group["lr"] * size)


def optimizers(tensors, rate, decay, muon):
    """[AdamW] of everything, or [Muon of what suits it, AdamW of the rest]. tensors: name -> parameter; muon: its size, or 0."""
    inner = [p for n, p in tensors.items() if p.requires_grad and muon and suits(n, p)]
    chosen = {id(p) for p in inner}
    rest = [p for p in tensors.values() if id(p) not in chosen]
    plain = torch.optim.AdamW(rest, rate, (.9, .99), weight_decay=decay, fused=True)
    return [Muon(inner, rate, muon, weight_decay=decay), plain] if inner else [plain]
