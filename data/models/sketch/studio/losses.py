# SPDX-License-Identifier: GPL-3.0-or-later
"""What the diffusion targets have in common: noise, v-prediction (Salimans & Ho 2022), min-SNR weights (Hang et al. 2023)."""
import torch


def levels(device):
    """Cumulative alphas of SD's schedule (scaled linear, 0.00085 to 0.012)."""
    betas = torch.linspace(.00085 ** .5, .012 ** .5, 1000, dtype=torch.float64) ** 2
    return torch.cumprod(1 - betas, 0).float().to(device)


def draw_times(n, device, high=.7):
    """n timesteps, evenly spread over the batch; high < 1 draws more of the noisy ones, where kinds are decided."""
    u = (torch.randperm(n, device=device) + torch.rand(n, device=device)) / n
    return (1000 * u ** high).long().clamp(max=999)


def noised(x0, t, table):
    """(x_t, v) of latents at timesteps."""
    level = table[t][:, None, None, None]
    noise = torch.randn_like(x0)
    return level.sqrt() * x0 + (1 - level).sqrt() * noise, level.sqrt() * noise - (1 - level).sqrt() * x0


def v_loss(v, target, t, table, weight=None):
    """(loss, each row's plain square error)."""
    d = (v.float() - target).square()
    each = (d if weight is None else d * weight).mean((1, 2, 3))
    plus = table[t] / (1 - table[t]) + 1
    return (each * (plus.clamp(max=5) / plus)).mean(), each.detach()
